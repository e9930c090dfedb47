"""What is found in a library of random motions, against loops over all pairs."""

import itertools

import numpy as np
import pytest

from tests.search.conftest import data, features, model  # noqa: F401  fixtures
from tmr.mining import Thresholds, mine
from tmr.retrieval import shown_score
from tmr.search.library import Library

ALL = Thresholds(0.0, 1e-6, 0.0, 1.0, -1.0)


@pytest.fixture
def library(data, model) -> Library:  # noqa: F811
    np.save(data.motion_file("k1"), np.concatenate([features(7, 7), features(0, 40)]))
    return Library.of_data(data, model)


def test_a_motion_that_is_in_another_is_its_duplicate(library):
    mined = mine(library, "all", "", ALL, None, 5, seed=0)
    assert (mined.title, mined.motions) == ("all", 8)
    assert mined.duplicates == [["k0", "k1"]]
    assert len(mined.clusters) == 2  # the square root of half of eight
    assert sorted(key for cluster in mined.clusters for key in cluster.keys) == [
        entry.key for entry in library.entries()
    ]
    assert mine(library, "few", "split = 'test'", ALL, 3, 5, seed=0).motions == 3


def test_pairs_disagree_where_one_side_is_alike_and_the_other_is_not(library):
    motion = shown_score(library.latents() @ library.latents().mT)
    first = library.captions.latents[
        [library.captions.rows[entry.captions[0]] for entry in library.entries()]
    ]
    caption = shown_score(first @ first.mT)
    rows = list(itertools.combinations(range(8), 2))
    like, unlike = np.quantile([float(motion[pair]) for pair in rows], (0.3, 0.9))
    mined = mine(library, "", "", Thresholds(1, 0, like, unlike, 1), 2, 100, seed=0)
    keys = [entry.key for entry in library.entries()]

    def expected(near, far) -> list[tuple[str, str, float, float]]:
        found = [
            (keys[i], keys[j], float(motion[i, j]), float(caption[i, j]))
            for i, j in rows
            if near[i, j] >= like and far[i, j] <= unlike
        ]
        return sorted(found, key=lambda pair: pair[3] if far is caption else pair[2])

    for found, wanted in (
        (mined.alike, expected(motion, caption)),
        (mined.unlike, expected(caption, motion)),
    ):
        assert [(p.first, p.second) for p in found] == [pair[:2] for pair in wanted]
        scores = [(p.score, p.caption_score) for p in found]
        np.testing.assert_allclose(scores, [pair[2:] for pair in wanted], atol=1e-6)
        assert [(p.first_caption, p.second_caption) for p in found] == [
            (f"motion {one}", f"motion {other}") for one, other, *_ in wanted
        ]
    assert mined.alike
    assert (
        mine(library, "", "", ALL, 2, 3, seed=0).alike
        == mine(library, "", "", ALL, 2, 100, seed=0).alike[:3]
    )


def test_a_suspect_is_a_motion_that_another_caption_fits_better(library):
    scores = shown_score(library.latents() @ library.captions.latents.mT)
    mined = mine(library, "", "", Thresholds(1, 0, 1, 0, 0.001), 2, 9, seed=0)
    margins = {}
    for entry, row in zip(library.entries(), scores.tolist(), strict=True):
        worst = min(row[library.captions.rows[text]] for text in entry.captions)
        if max(row) - worst >= 0.001:
            margins[entry.key] = max(row) - worst
    assert mined.suspects
    assert [s.key for s in mined.suspects] == sorted(margins, key=lambda key: -margins[key])
    for suspect in mined.suspects:
        assert suspect.better_score - suspect.score == pytest.approx(margins[suspect.key], abs=1e-6)
