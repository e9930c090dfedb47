"""Windows cover a motion within their limits, and their latents are those of the single clips."""

import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tmr.errors import InputError
from tmr.localization import WindowPlan, encode_motions, store
from tmr.model import ActorEncoder
from tmr.sequences import pack

PLAN = WindowPlan([0.5, 1.0, 2.3], 0.3, 100)


@pytest.fixture(scope="module")
def encoder() -> ActorEncoder:
    torch.manual_seed(0)
    return ActorEncoder(263, 16, 32, 2, 2, 0.1).eval()


@given(frames=st.integers(10, 400), step=st.floats(0.05, 1.0))
@settings(max_examples=25, deadline=None)
def test_every_frame_is_covered_by_every_length_within_the_limits(frames, step):
    spans = WindowPlan([0.5, 1.0, 4.0, 12.0], step, 1000).spans(frames)
    lengths = spans[:, 1] - spans[:, 0]
    assert lengths.min() >= 10
    assert lengths.max() <= frames
    assert spans.min() == 0
    for length in np.unique(lengths):
        seen = np.zeros(frames, dtype=bool)
        for start, end in spans[lengths == length]:
            seen[start:end] = True
        assert seen.all()
    assert len({tuple(span) for span in spans}) == len(spans)


@pytest.mark.parametrize("frames", [5, 9])
def test_a_motion_below_half_a_second_is_refused(frames):
    with pytest.raises(InputError, match=rf"{frames} frames .* needs at least 10"):
        PLAN.spans(frames)


@pytest.mark.parametrize(
    ("seconds", "step", "message"),
    [([0.4], 0.5, "none below 0.5"), ([], 0.5, "at least one"), ([1.0], 0.0, "step=0.0")],
)
def test_a_plan_that_cannot_be_followed_is_refused(seconds, step, message):
    with pytest.raises(InputError, match=message):
        WindowPlan(seconds, step, 100)


def test_latents_are_those_of_the_windows_one_by_one(encoder):
    """Shared projection, grouping, passes and joining of motions change nothing."""
    motions = [("long", torch.randn(70, 263)), ("short", torch.randn(12, 263))]
    windows = encode_motions(PLAN, encoder, motions)
    assert windows.names == ("long", "short")
    assert windows.offsets.tolist() == [0, 70, 82]
    joined = torch.cat([features for _, features in motions])
    owners = windows.motions(windows.spans)
    for (start, end), owner, latent in zip(windows.spans, owners, windows.latents, strict=True):
        assert windows.offsets[owner] <= start < end <= windows.offsets[owner + 1]
        with torch.no_grad():
            (alone,) = encoder(pack([joined[start:end]])).mu
        torch.testing.assert_close(latent, alone / alone.norm(), rtol=1e-5, atol=1e-5)
    second = windows.of(1)
    np.testing.assert_array_equal(second.spans, PLAN.spans(12))
    torch.testing.assert_close(
        second.latents, encode_motions(PLAN, encoder, motions[1:]).latents, rtol=1e-5, atol=1e-5
    )


def test_a_library_in_many_parts_is_the_library_in_one(encoder, monkeypatch):
    motions = [(str(i), torch.randn(20 + i, 263)) for i in range(5)]
    whole = encode_motions(PLAN, encoder, motions)
    monkeypatch.setattr("tmr.localization.windows._FRAMES_AT_ONCE", 30)
    parts = encode_motions(PLAN, encoder, motions)
    for i in range(5):
        np.testing.assert_array_equal(parts.of(i).spans, whole.of(i).spans)
        torch.testing.assert_close(parts.of(i).latents, whole.of(i).latents, rtol=1e-5, atol=1e-5)


def test_only_the_motions_of_a_pass_are_in_memory(encoder, monkeypatch):
    monkeypatch.setattr("tmr.localization.windows._FRAMES_AT_ONCE", 30)
    given, alive = [], []

    def motions():
        for i in range(8):
            features = torch.randn(20, 263)
            given.append(weakref.ref(features))
            alive.append(sum(motion() is not None for motion in given))
            yield str(i), features

    assert len(encode_motions(PLAN, encoder, motions()).names) == 8
    assert max(alive) <= 4  # two in a pass, the last of the one before, and this one


def test_stored_windows_come_back_for_the_same_fingerprint_only(encoder, tmp_path):
    windows = encode_motions(PLAN, encoder, [("a", torch.randn(30, 263))])
    path = tmp_path / "w.safetensors"
    assert store.load(path, "one") is None
    store.save(path, windows, "one")
    again = store.load(path, "one")
    assert again is not None
    assert again.names == windows.names
    np.testing.assert_array_equal(again.spans, windows.spans)
    assert torch.equal(again.latents, windows.latents)
    assert store.load(path, "two") is None
    path.write_bytes(path.read_bytes()[:100])
    assert store.load(path, "one") is None
