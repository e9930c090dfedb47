"""Without a terminal, work is logged by a line now and then, and no bar is drawn."""

import logging

import pytest

from tmr import progress
from tmr.progress import Progress, each


def test_the_line_for_a_log_tells_rate_and_time_left() -> None:
    line = Progress("encode", "files").line(1200, 24_000, 30.0)
    assert line == "encode: 1,200 of 24,000 files, 40.0 files/s, 10 min left"


@pytest.mark.parametrize(("seconds", "lines"), [(0.0, 3), (3600.0, 0)])
def test_a_log_has_a_line_for_each_interval_and_no_bar(
    seconds: float,
    lines: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", seconds)
    with caplog.at_level(logging.INFO):
        assert list(each("abc", "read", "letters")) == ["a", "b", "c"]
        assert list(each("abc", "read", "letters", shown=False)) == ["a", "b", "c"]
    assert len(caplog.messages) == lines
    assert all(message.startswith("read: ") for message in caplog.messages)
    assert "|" not in capfd.readouterr().err
