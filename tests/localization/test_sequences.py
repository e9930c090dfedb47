"""Annotated sequences: which sentences count, and where they are after joining."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from tests.motion.reference_features import rest_pose
from tests.search.conftest import data, features  # noqa: F401  a fixture
from tmr.data import Annotation, Caption, Normalizer
from tmr.errors import InputError
from tmr.localization import Scoring, WindowLatents, WindowPlan
from tmr.localization.evaluation import evaluate, evaluate_encoders
from tmr.localization.metrics import FIGURES
from tmr.localization.sequences import (
    AnnotatedSequence,
    Query,
    as_they_lie,
    joined,
    parts_of,
    sequences_of,
)
from tmr.model import ActorEncoder
from tmr.motion.features import joints_to_features


def standing(frames: int) -> np.ndarray:
    return joints_to_features(np.repeat(rest_pose()[None], frames + 1, axis=0))


def annotation(key: str, *captions: tuple[str, float, float], segments=()) -> Annotation:
    whole, parts = (
        tuple(Caption(text, float(start), float(end)) for text, start, end in some)
        for some in (captions, segments)
    )
    return Annotation(key, key, 3.0, whole, parts)


def test_segments_count_before_captions_and_one_caption_a_span():
    both = annotation("a", ("whole", 0, 3), segments=[("walks", 0, 1), ("sits", 1, 3)])
    assert [part.text for part in parts_of(both)] == ["walks", "sits"]
    only = annotation("b", ("one", 0, 3), ("the same", 0, 3), ("part", 1, 2))
    assert [part.text for part in parts_of(only)] == ["one", "part"]


def test_a_sentence_said_twice_is_one_query_with_two_truths():
    (sequence,) = as_they_lie(
        [annotation("a", ("walks", 0, 1), ("sits", 1, 2), ("walks", 2, 3))], lambda _: standing(60)
    )
    assert sequence.texts == {"walks", "sits"}
    assert sequence.queries[0].truths.tolist() == [[0, 20], [40, 60]]


def test_motions_without_described_parts_are_refused():
    with pytest.raises(InputError, match="none of 1 motions has two described parts"):
        as_they_lie([annotation("a", ("walks", 0, 3))], lambda _: standing(60))


def test_joined_sequences_repeat_no_sentence_and_keep_the_times():
    annotations = [annotation(str(i), (f"text {i % 4}", 0, 3)) for i in range(8)]
    for sequence in joined(annotations, lambda _: standing(60), count=3, clips=4, seed=0):
        assert len(sequence.texts) == 4
        truths = np.concatenate([query.truths for query in sequence.queries])
        np.testing.assert_array_equal(truths, [[i * 60, i * 60 + 60] for i in range(4)])
        assert sequence.features.shape == (239, 263)
    with pytest.raises(InputError, match="only 4 of 8 motions"):
        joined(annotations, lambda _: standing(60), count=1, clips=5, seed=0)


def test_a_model_that_knows_is_right_and_the_baselines_are_what_they_must_be():
    spans = np.array([[0, 20], [20, 40], [40, 60]])
    sequence = AnnotatedSequence("a", np.zeros((60, 263)), (Query("b", np.array([[20.0, 40.0]])),))
    # Half of what is described is found, which is just enough.
    other = AnnotatedSequence("c", np.zeros((60, 263)), (Query("d", np.array([[0.0, 40.0]])),))
    windows = WindowLatents(
        ("a", "c"), np.array([0, 60, 120]), np.concatenate([spans, spans + 60]), torch.eye(6)
    )
    sentences = {"b": torch.eye(6)[1], "d": torch.eye(6)[3]}
    outcome = evaluate([sequence, other], windows, sentences, Scoring(0.1, 1.0, 0.5, 0.2), seed=0)
    at_half = FIGURES.index("R@1 IoU 0.5")
    assert outcome.methods["model"][:, at_half].tolist() == [1, 1]
    assert outcome.methods["whole"][:, at_half].tolist() == [0, 1]
    assert outcome.methods["whole"][:, FIGURES.index("mean IoU")] == pytest.approx([1 / 3, 2 / 3])
    assert outcome.groups.tolist() == [0, 1]
    assert outcome.right.tolist() == [True, False, True, False]
    np.testing.assert_allclose(outcome.fits, [1, 0.5, 1, 0.5])


def test_the_sequences_of_a_split_are_its_motions_or_several_joined(data):  # noqa: F811
    (one, two) = sequences_of(data, "test", clips=2, count=2, seed=0)
    assert (one.name, two.name) == ("joined-0000", "joined-0001")
    assert {len(one.queries), len(two.queries)} == {2}
    with pytest.raises(InputError, match="none of 3 motions has two described parts"):
        sequences_of(data, "test", clips=1, count=2, seed=0)


def test_a_model_sees_normalized_features():
    torch.manual_seed(0)
    encoder = ActorEncoder(263, 16, 32, 1, 2, 0.0).eval()
    shift = Normalizer(torch.randn(263), torch.rand(263) + 0.5)
    plan, rules = WindowPlan([0.5, 1.0], 0.5, 100), Scoring(0.1, 1.0, 0.5, 0.2)

    def encode(texts: Sequence[str]) -> torch.Tensor:
        return torch.eye(16)[[ord(text) - ord("a") for text in texts]]

    def outcome(normalizer: Normalizer, *motions: np.ndarray):
        queries = [(Query(text, np.array([[0.0, 20.0]])),) for text in "ab"]
        long = [AnnotatedSequence(q[0].text, m, q) for q, m in zip(queries, motions, strict=True)]
        return evaluate_encoders(long, plan, encoder, normalizer, encode, rules, seed=0)

    normal = [features(seed, 60) for seed in (0, 1)]
    raw = [shift.inverse(torch.from_numpy(motion)).numpy() for motion in normal]
    found, expected = (
        outcome(shift, *raw),
        outcome(Normalizer(torch.zeros(263), torch.ones(263)), *normal),
    )
    np.testing.assert_allclose(found.fits, expected.fits, atol=1e-5)
    assert found.intervals(0) == expected.intervals(0)
    (hit, *_) = found.intervals(0)["whole"]
    assert (hit.value, hit.low, hit.high) == (1, 1, 1)  # a third of the sequence, at IoU 0.1
