"""Labeled parts of the motions of a split, recognized by a model."""

import numpy as np
import pytest

from tests.search.conftest import data, features, model  # noqa: F401  fixtures
from tmr.data import Caption
from tmr.errors import InputError
from tmr.zero_shot import LabeledMotion, LabelSet, label_probabilities, labeled_motions, recognize

LABELS = LabelSet("digits", {"0": ["a", "b c"], "2": ["d"], "9": ["e"]}, pattern=r"k(?P<label>\d)")


def test_motions_with_a_label_are_recognized_from_their_own_frames(data, model):  # noqa: F811
    motions = labeled_motions(data, "test", LABELS)
    assert [(motion.key, motion.truths) for motion in motions] == [("k0", {"0"}), ("k2", {"2"})]
    found = recognize(model, motions, LABELS, temperature=0.1)
    latents = model.encode_motions([features(0, 40), features(2, 54)], check=False)
    prompts = [[model.encode_texts(some)] for some in (["a", "b c"], ["d"], ["e"])]
    expected = label_probabilities(latents, prompts, 0.1)
    np.testing.assert_allclose(found.probabilities, expected, rtol=1e-4)
    for ranking, row, key in zip(found.rankings(), expected, ("k0", "k2"), strict=True):
        assert (ranking["key"], ranking["truth"]) == (key, [key[1]])
        assert list(ranking["ranked"]) == [found.labels[i] for i in np.argsort(-row)]
    right = 50.0 * (expected.argmax(axis=1) == [0, 1]).sum()
    assert found.figures(seed=0)["top-1"].startswith(f"{right:.2f} [")
    assert found.figures(seed=0)["top-5"] == "100.00 [100.00, 100.00]"
    assert found.figures(seed=0)["mean over labels"] == f"{right:.2f}"


def test_a_part_has_a_frame_at_least(data):  # noqa: F811
    def read(start: float, end: float) -> np.ndarray:
        return LabeledMotion(
            "k0", data.motion_file("k0"), Caption("", start, end), frozenset()
        ).read()

    whole = features(0, 40)
    assert np.array_equal(read(0.5, 1.0), whole[10:20])
    assert np.array_equal(read(0.5, 0.5), whole[10:11])
    assert np.array_equal(read(9.0, 10.0), whole[39:])


def test_a_split_without_the_labels_is_refused(data):  # noqa: F811
    with pytest.raises(InputError, match="none of 5 motions of 'moves', split 'train'"):
        labeled_motions(data, "train", LabelSet("two", ["0", "2"], pattern=r"k(?P<label>\d)"))
