"""The evaluator: batches, captions, replications and single scores against the plain metrics."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy import linalg
from torch import Tensor

from tests.bodies import walk_features
from tmr.errors import InputError
from tmr.generation import metrics
from tmr.generation.evaluator import Evaluator

COUNT, DIM = 64, 12


class Projection:
    """An encoder of a few lines: letters and features counted and projected."""

    def encode_texts(self, texts: Any) -> Tensor:
        counts = [[float(text.count(letter)) for letter in "abcdefghijkl"] for text in texts]
        return torch.tensor(counts) + 0.1

    def encode_motions(self, motions: Any, *, check: bool = True) -> Tensor:
        means = [torch.as_tensor(np.asarray(motion)).float().mean(dim=0) for motion in motions]
        return torch.stack(means)[:, :DIM] + 0.1


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


TEXTS = drawn(COUNT, DIM, seed=0)
REAL = TEXTS + 0.5 * drawn(COUNT, DIM, seed=1)
GENERATED = TEXTS[:, None] + drawn(COUNT, 3, DIM, seed=2)


def test_batches_add_up_to_the_metrics_of_all() -> None:
    evaluator = Evaluator(Projection())
    for rows in (slice(0, 10), slice(10, 11), slice(11, COUNT)):
        evaluator.update(TEXTS[rows], GENERATED[rows], REAL[rows])
    found = evaluator.compute()
    assert found.metrics == pytest.approx(metrics.evaluate(TEXTS, GENERATED, REAL))
    evaluator.reset()
    with pytest.raises(InputError, match="call update first"):
        evaluator.compute()
    evaluator.update(TEXTS, GENERATED[:, 0])
    once = evaluator.compute().metrics
    assert once == pytest.approx(metrics.evaluate(TEXTS, GENERATED[:, :1]))
    assert not {"fid", "fid_unscaled", "motion_score", "multimodality"} & once.keys()


def test_single_scores_have_the_metrics_as_their_means() -> None:
    evaluator = Evaluator(Projection())
    evaluator.update(TEXTS, GENERATED, REAL)
    found = evaluator.compute()
    for name in ("text_score", "matching_score", "motion_score"):
        assert found.samples[name].shape == (COUNT, 3)
        assert found.samples[name].mean() == pytest.approx(found.metrics[name], abs=1e-6)
    for k in metrics.TOP:
        share = (found.samples["text_rank"] < k).mean()
        assert share == pytest.approx(found.metrics[f"r_precision_all_{k}"])


def test_precision_against_all_texts_is_that_of_one_batch_of_all() -> None:
    found = metrics.evaluate(TEXTS, GENERATED, batch=COUNT)
    for k in metrics.TOP:
        assert found[f"r_precision_{k}"] == pytest.approx(found[f"r_precision_all_{k}"])
    smaller = metrics.evaluate(TEXTS, GENERATED, batch=2)
    assert smaller["r_precision_1"] > metrics.evaluate(TEXTS, GENERATED)["r_precision_1"]
    with pytest.raises(InputError, match="batches of 65; found 64 texts"):
        metrics.evaluate(TEXTS, GENERATED, batch=65)


def test_intervals_are_those_of_the_replications() -> None:
    evaluator = Evaluator(Projection())
    evaluator.update(TEXTS, GENERATED, REAL)
    found = evaluator.compute()
    values = [metrics.frechet_distance(GENERATED[:, r], REAL) for r in range(3)]
    reach = 1.96 * np.std(values, ddof=1) / 3**0.5
    expected = (np.mean(values) - reach, np.mean(values) + reach)
    assert found.intervals["fid"] == pytest.approx(expected)
    assert found.metrics["fid"] == pytest.approx(np.mean(values))


def test_the_published_distance_is_that_of_latents_as_they_are() -> None:
    a, b = GENERATED[:, 0].double().numpy(), REAL.double().numpy()
    shift = np.square(a.mean(axis=0) - b.mean(axis=0)).sum()
    s, t = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    expected = shift + np.trace(s + t - 2 * np.real(linalg.sqrtm(s @ t)))
    found = metrics.evaluate(TEXTS, GENERATED[:, :1], REAL)
    assert found["fid_unscaled"] == pytest.approx(expected, rel=1e-6)
    assert found["fid"] != pytest.approx(expected, rel=0.1)


def test_several_captions_of_a_motion_count_alike() -> None:
    captions = [["a bad cab", "bag"][: 1 + i % 2] for i in range(40)]
    motions = [walk_features(12, i) for i in range(40)]
    evaluator = Evaluator(Projection())
    evaluator.update(captions, motions)
    first, second = (Projection().encode_texts([c[r % len(c)] for c in captions]) for r in range(2))
    latents = Projection().encode_motions(motions)
    expected = [metrics.of_pairs(texts, latents) for texts in (first, second)]
    found = evaluator.compute().metrics
    for name, value in expected[0].items():
        assert found[name] == pytest.approx((value + expected[1][name]) / 2)


def test_results_become_data_frames() -> None:
    pytest.importorskip("pandas")
    evaluator = Evaluator(Projection())
    evaluator.update(TEXTS, GENERATED, REAL)
    found = evaluator.compute()
    frame = found.to_frame()
    assert frame.loc["fid", "value"] == found.metrics["fid"]
    assert np.isnan(frame.loc["diversity", "low"])
    samples = found.samples_to_frame()
    assert samples.loc[(5, 2), "text_score"] == found.samples["text_score"][5, 2]


def test_batches_that_do_not_belong_together_are_refused() -> None:
    evaluator = Evaluator(Projection())
    with pytest.raises(InputError, match="64 texts, 63 generated motions"):
        evaluator.update(TEXTS, GENERATED[1:])
    evaluator.update(TEXTS, GENERATED, REAL)
    with pytest.raises(InputError, match="reference motions come with all batches or with none"):
        evaluator.update(TEXTS, GENERATED)
    with pytest.raises(InputError, match="found 1 generated motions for a text, and 3"):
        evaluator.update(TEXTS, GENERATED[:, 0], REAL)
    with pytest.raises(InputError, match="a motion has no caption"):
        evaluator.update([[]], GENERATED[:1], REAL[:1])
    with pytest.raises(InputError, match="at least one text"):
        evaluator.update("a person walks", GENERATED[:1], REAL[:1])
