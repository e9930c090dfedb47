"""What is typed as a sentence or a path is what the command gets."""

import sys

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from tmr.commands.literal import as_typed, quoted


def understood(argument: str) -> object:
    """The value that a command reads from its config."""
    parsed = OverridesParser.create().parse_override(argument)
    return OmegaConf.create({"value": parsed.value()}).value


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab$\\{}'\", =[]()\n:é", max_size=10))
def test_any_sentence_arrives_as_it_is_typed(sentence: str) -> None:
    assume(sentence[:1] + sentence[-1:] not in ("[]", "''", '""'))
    assert understood(*quoted([f"text={sentence}"])) == sentence


def test_hydra_alone_would_read_it_otherwise() -> None:
    with pytest.raises(Exception, match=r"extraneous|mismatched|no viable|token"):
        understood("text=it's a man, who (walks")


def test_lists_quoted_values_and_null_stay_hydras() -> None:
    assert understood(*quoted(['text=["a, b", "c"]'])) == ["a, b", "c"]
    assert understood(*quoted(["text='a, b'"])) == "a, b"
    assert understood(*quoted(["texts=null"])) is None


def test_other_options_sweeps_and_flags_are_left_alone() -> None:
    others = ["start=1.5", "data=cmu", "--help", "text", "ckpt=best"]
    assert quoted(others) == others
    assert quoted(["-m", "text=a,b"]) == ["-m", "text=a,b"]


def test_a_command_runs_with_the_quoted_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["encode_text.py", "text=a, b", "ckpt=best"])
    assert as_typed(lambda: sys.argv)() == ["encode_text.py", "text='a, b'", "ckpt=best"]
