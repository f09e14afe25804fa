"""Intervals: that they solve their equation, hold the truth, and widen where pairs are not independent."""

from __future__ import annotations

import math

import numpy as np
import pytest

from facelib import FaceLibError
from facelib.evaluate import verify_scores
from facelib.evaluate.ranking import Ranking, wilson
from tests.evaluate.helpers import scored


@pytest.mark.parametrize(("share", "count"), [(0.5, 10), (0.9, 100), (1.0, 50), (0.0, 50)])
def test_wilson_solves_its_equation(share, count):
    """The ends are where p lies 1.96 of ITS standard errors away."""
    for end in wilson(share, count):
        if 1e-6 < end < 1 - 1e-6:
            assert abs(share - end) / math.sqrt(end * (1 - end) / count) == pytest.approx(1.959964, rel=1e-6)
    assert wilson(share, count)[0] <= share <= wilson(share, count)[1]


def test_intervals_hold_the_truth():
    """Of 100 draws about 95 intervals hold it: AUC of two normals 1.5 apart is Phi(1.5 / sqrt 2)."""
    truth, held = 0.5 * (1 + math.erf(1.5 / 2)), 0
    for seed in range(100):
        low, high = verify_scores(*scored(200, seed)).bootstrap(100, seed)["auc"]
        held += low <= truth <= high
    assert 88 <= held <= 99


def test_bootstrap():
    scores, same = scored(1000, 3)
    report = verify_scores(scores, same)
    found = report.bootstrap(300, 1, far=[1e-2, 0.1])
    assert list(found) == ["accuracy", "auc", "eer", "tar@0.01", "tar@0.1"]
    for value, (low, high) in zip(
        (report.accuracy, report.auc, report.eer, report.tar_at(0.01), report.tar_at(0.1)), found.values(), strict=True
    ):
        assert low < value < high
    low, high = found["accuracy"]
    wide = np.subtract(*report.accuracy_interval[::-1])
    assert high - low == pytest.approx(wide, rel=0.15)
    assert report.bootstrap(300, 1, far=[1e-2, 0.1]) == found != report.bootstrap(300, 2, far=[1e-2, 0.1])
    with pytest.raises(FaceLibError, match="resamples=3"):
        report.bootstrap(3)


def test_bootstrap_of_counts_is_that_of_repeated_pairs():
    """Weights in the sorted curve against pairs that really are repeated."""
    scores, same = scored(80, 4, 3)
    counts = np.random.default_rng(0).integers(0, 4, 80)
    curve = Ranking(scores, same).curve(counts.astype(float))
    real = verify_scores(np.repeat(scores, counts), np.repeat(same, counts))
    assert curve.auc == pytest.approx(real.auc, abs=1e-12) and curve.eer == pytest.approx(real.eer, abs=1e-12)
    for far in (0, 0.05, 0.2):
        assert curve.tar[curve.at(far)] == pytest.approx(real.tar_at(far), abs=1e-12)


def test_pairs_of_few_people_make_wide_intervals():
    """Each person is an easy or a hard one; 20 people in 1000 pairs are worth 20 draws, not 1000."""
    random = np.random.default_rng(0)
    easy = random.normal(size=20)
    same = np.arange(1000) % 2 == 0
    a = random.integers(20, size=1000)
    b = np.where(same, a, (a + random.integers(1, 20, size=1000)) % 20)
    report = verify_scores(2 * same * (1 + easy[a]) + random.normal(size=1000), same)
    pairs, people = report.bootstrap(200), report.bootstrap(200, identities=(a, b))
    for name in pairs:
        assert np.diff(people[name]) > 1.5 * np.diff(pairs[name])
        assert people[name][0] <= pairs[name][0] and people[name][1] >= pairs[name][1]
    with pytest.raises(FaceLibError, match="identities of pair 0 are"):
        report.bootstrap(identities=(a, b[::-1]))
    with pytest.raises(FaceLibError, match="two arrays of 1000"):
        report.bootstrap(identities=(a, b[:5]))


def test_folds_weigh_the_same_however_long():
    """A fold of 20 pairs, all wrong, counts as much as one of 980, half right."""
    fold = (np.arange(1000) < 980).astype(int)
    same = np.arange(1000) % 2 == 0
    report = verify_scores(np.where(fold == 1, same, ~same), same, fold=fold)
    assert report.accuracies.tolist() == [0.0, 0.5]  # by the reversed 20, all of the 980 are called same
    low, high = report.bootstrap(100)["accuracy"]
    assert low == pytest.approx(0.25, abs=0.08) and high == pytest.approx(0.25, abs=0.08)


def test_tar_interval_counts_the_same_pairs():
    scores, same = scored(1000, 3)
    kept = ~same | (np.arange(1000) < 100)
    report = verify_scores(scores[kept], same[kept])
    assert report.tar_interval(0.1) == wilson(report.tar_at(0.1), int(same[kept].sum()))
    assert same[kept].sum() < 100
