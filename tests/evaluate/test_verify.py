"""Verification against loops over all thresholds, scikit-learn, and data made so that a leak would show."""

from __future__ import annotations

import math
import time
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.model_selection import KFold

import facelib
from facelib import FaceLibError
from facelib.evaluate import cosine_scores, verification, verify_scores
from facelib.evaluate.ranking import wilson
from tests.evaluate.helpers import scored


def all_thresholds(scores: np.ndarray) -> list[float]:
    """One below, one between any two neighbouring scores, one above, rising."""
    known = sorted(set(scores.tolist()))
    return [-math.inf, *((a + b) / 2 for a, b in zip(known, known[1:], strict=False)), math.inf]


def protocol(scores: np.ndarray, same: np.ndarray, fold: np.ndarray) -> list[float]:
    """The accuracy on each fold, pair by pair, threshold by threshold."""
    shares = []
    for k in sorted(set(fold.tolist())):
        best, chosen = -1, 0.0
        for threshold in all_thresholds(scores[fold != k]):
            right = sum((x > threshold) == y for x, y, f in zip(scores, same, fold, strict=True) if f != k)
            if right > best:
                best, chosen = right, threshold
        shares.append(np.mean([(x > chosen) == y for x, y, f in zip(scores, same, fold, strict=True) if f == k]))
    return shares


@pytest.mark.parametrize("levels", [None, 3, 1])
@pytest.mark.parametrize("seed", range(4))
def test_accuracy_is_that_of_the_protocol_written_out(seed, levels):
    scores, same = scored(83, seed, levels)
    report = verify_scores(scores, same, folds=10)
    fold = np.empty(83, dtype=int)
    for k, (_, test) in enumerate(KFold(10).split(scores)):
        fold[test] = k
    assert np.array_equal(report.fold, fold)
    expected = protocol(scores, same, fold)
    assert report.accuracies.tolist() == expected
    assert report.accuracy == np.mean(expected) and report.std == np.std(expected)


@pytest.mark.parametrize("levels", [None, 4, 1])
def test_curve_is_scikit_learns(levels):
    scores, same = scored(400, 5, levels)
    report = verify_scores(scores, same)
    far, tar, thresholds = roc_curve(same, scores, drop_intermediate=False)
    assert np.array_equal(report.curve.far, far) and np.array_equal(report.curve.tar, tar)
    # scikit-learn accepts from a threshold on, we above it
    assert (report.curve.thresholds[:-1] >= thresholds[1:] - 1).all()
    assert ((scores[:, None] > report.curve.thresholds) == (scores[:, None] >= thresholds)).all()
    assert report.auc == pytest.approx(roc_auc_score(same, scores), abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("levels", [None, 2])
def test_auc_counts_pairs_of_pairs(seed, levels):
    scores, same = scored(60, seed, levels)
    above = [(x > y) + (x == y) / 2 for x in scores[same] for y in scores[~same]]
    assert verify_scores(scores, same).auc == pytest.approx(np.mean(above), abs=1e-12)


@pytest.mark.parametrize("far", [0.0, 0.004, 0.005, 0.01, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("levels", [None, 2])
def test_tar_at_far_tries_all_thresholds(far, levels):
    scores, same = scored(400, 7, levels)  # 200 different pairs: 0.005 is one of them
    rates = [((scores[same] > t).mean(), (scores[~same] > t).mean(), t) for t in all_thresholds(scores)]
    report = verify_scores(scores, same)
    expected = max(tar for tar, rate, _ in rates if rate <= far)
    assert report.tar_at(far) == expected
    threshold = report.threshold_at(far)
    assert (scores[same] > threshold).mean() == expected and (scores[~same] > threshold).mean() <= far


@pytest.mark.parametrize("levels", [None, 2])
@pytest.mark.parametrize("seed", range(5))
def test_eer_lies_where_the_curve_crosses_the_diagonal(seed, levels):
    """In fractions: on the first stretch of the curve that ends at or beyond FAR = 1 - TAR."""
    scores, same = scored(150 + seed, seed, levels)
    kinds = scores[~same], scores[same]
    points = [[Fraction(int((x > t).sum()), len(x)) for x in kinds] for t in all_thresholds(scores)][::-1]
    for (far, tar), (next_far, next_tar) in zip(points, points[1:], strict=False):
        if next_far >= 1 - next_tar:
            part = (1 - tar - far) / (next_far - far + next_tar - tar)
            expected = far + part * (next_far - far)
            break
    assert verify_scores(scores, same).eer == pytest.approx(float(expected), abs=1e-12)


def test_figures_by_hand():
    """Four same pairs at 9 7 6 3, four different ones at 8 6 2 1."""
    scores, same = np.array([9, 7, 6, 3, 8, 6, 2, 1.0]), np.arange(8) < 4
    report = verify_scores(scores, same, fold=[0, 1, 0, 1, 0, 1, 0, 1])
    # 9 beats 4, 7 beats 3, 6 beats 2 and ties with one, 3 beats 2: 11.5 of 16
    assert report.auc == 11.5 / 16
    assert report.tar_at(0) == 0.25 and report.threshold_at(0) == 8.5
    assert report.tar_at(0.25) == 0.5 and report.tar_at(0.5) == 1.0
    # (FAR, TAR) from (0.25, 0.5), FRR 0.5, straight to (0.5, 0.75), FRR 0.25: equal halfway
    assert report.eer == 0.375
    assert report.threshold == 2.5 and report.threshold_at(1) == -math.inf
    # The best threshold on fold 1, same 7 3 and different 6 1, is between 1 and 3, the lower of two with one error;
    # on fold 0, same 9 6 and different 8 2, between 2 and 6, again with one.
    assert report.thresholds.tolist() == [2.0, 4.0]
    assert report.accuracies.tolist() == [0.75, 0.5]


def test_thresholds_come_from_the_other_folds():
    """Each fold has its own best threshold. Tuned where it is tested, accuracy would be 1; honestly it is 0.5."""
    scores, same = np.tile([1.0, 0.0], 20), np.tile([True, False], 20)
    fold = np.repeat([0, 1], 20)
    scores = scores + 10.0 * fold
    report = verify_scores(scores, same, fold=fold)
    tuned = [max(((scores[fold == k] > t) == same[fold == k]).mean() for t in all_thresholds(scores)) for k in (0, 1)]
    assert tuned == [1.0, 1.0]
    assert report.accuracies.tolist() == [0.5, 0.5]
    assert report.thresholds.tolist() == [10.5, 0.5]


def test_labels_without_meaning_score_half():
    """On noise, thresholds tuned on the test folds gain several points; the protocol gains none."""
    random = np.random.default_rng(0)
    figures, cheats = [], []
    for _ in range(100):
        scores, same = random.normal(size=100), random.permutation(np.arange(100) % 2 == 0)
        report = verify_scores(scores, same)
        figures.append(report.accuracy)
        parts = [(scores[report.fold == k], same[report.fold == k]) for k in range(10)]
        cheats.append(np.mean([max(((x > t) == y).mean() for t in all_thresholds(x)) for x, y in parts]))
    assert np.mean(figures) < 0.52
    assert np.mean(cheats) > 0.6


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 12), st.integers(0, 10**6), st.sampled_from([None, 1, 3]))
def test_rank_figures_do_not_know_the_scale(folds, seed, levels):
    """A strictly rising function of the scores moves the thresholds and nothing else; an affine one not even folds."""
    scores, same = scored(60, seed, levels)
    report = verify_scores(scores, same, folds)
    for change in (np.arctan, lambda x: x**3, lambda x: np.exp(x) - 5):
        other = verify_scores(change(scores), same, folds)
        assert (other.auc, other.eer) == (report.auc, report.eer)
        assert [other.tar_at(far) for far in (0, 0.01, 0.1)] == [report.tar_at(far) for far in (0, 0.01, 0.1)]
        assert np.array_equal(change(scores) > other.threshold, scores > report.threshold)
    assert np.array_equal(verify_scores(4 * scores - 8, same, folds).accuracies, report.accuracies)
    mirrored = verify_scores(-scores, ~same, folds)  # different pairs in the place of same ones
    assert mirrored.auc == pytest.approx(report.auc) and mirrored.eer == pytest.approx(report.eer)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6))
def test_order_does_not_matter(seed):
    """Of the two pictures of a pair; of the pairs, when they keep their folds; nor what folds are called."""
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(2, 40, 8)).astype(np.float32)
    same, fold = random.permutation(np.arange(40) % 2 == 0), np.arange(40) % 5
    b[same] += a[same]
    report = verification(a, b, same, fold=fold)
    order = random.permutation(40)
    for other in (
        verification(b, a, same, fold=fold),
        verification(a[order], b[order], same[order], fold=fold[order]),
        verification(a, b, same, fold=np.array(list("abcde"))[fold]),
    ):
        assert np.array_equal(other.accuracies, report.accuracies)
        assert np.array_equal(other.thresholds, report.thresholds)
        assert (other.auc, other.eer, other.threshold) == (report.auc, report.eer, report.threshold)


def test_neighbouring_floats_are_told_apart():
    """No number lies between the two scores; the threshold is the lower one."""
    low, high = 0.1, np.nextafter(0.1, 1)
    report = verify_scores(np.tile([high, low], 10), np.tile([True, False], 10))
    assert report.accuracy == 1 and report.threshold == low and report.auc == 1 and report.eer == 0
    for a, b in ((-high, -low), (0.0, 5e-324), (5e-324, 1e-323), (-1e308, 1.7e308), (1e308, 1.1e308)):
        assert verify_scores(np.tile([b, a], 10), np.tile([True, False], 10)).accuracy == 1


def test_equal_scores_are_never_parted():
    """Sorted with the same pairs first, a threshold inside the tie would look perfect."""
    for same in (np.arange(40) < 20, np.arange(40) >= 20):
        report = verify_scores(np.zeros(40), same, fold=np.arange(40) % 4)
        assert (report.accuracy, report.auc, report.eer) == (0.5, 0.5, 0.5)
        assert report.tar_at(0.99) == 0 and report.tar_at(1) == 1


def test_cosine():
    random = np.random.default_rng(1)
    a, b = random.normal(size=(2, 2500, 16)) * 10 ** random.uniform(-8, 8, (2, 2500, 1))
    expected = [x @ y / np.linalg.norm(x) / np.linalg.norm(y) for x, y in zip(a, b, strict=True)]
    assert np.allclose(cosine_scores(a, b), expected, atol=1e-12)
    assert np.array_equal(cosine_scores(a, b), cosine_scores(b, a))
    assert np.allclose(cosine_scores(a, a), 1) and cosine_scores(a, -3 * a).min() >= -1
    small = torch.from_numpy(a[:9] / np.linalg.norm(a[:9], axis=1, keepdims=True))
    for kind in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        scores = cosine_scores(small.to(kind).requires_grad_(), small.to(kind).flip(0))
        assert np.allclose(scores, cosine_scores(a[:9], a[:9][::-1]), atol=0.02)


def test_perfect_and_reversed():
    same = np.tile([True, False], 50)
    report = verify_scores(same * 1.0, same)
    assert (report.accuracy, report.std, report.auc, report.eer, report.threshold) == (1, 0, 1, 0, 0.5)
    assert report.accuracy_interval == wilson(1.0, 100) and report.accuracy_interval[0] < 0.97
    worst = verify_scores(-1.0 * same, same)
    assert (worst.accuracy, worst.auc, worst.eer, worst.tar_at(0.5)) == (0.5, 0, 1, 0)
    assert worst.threshold == -math.inf  # accept all: the lowest of the equally bad


def test_report_is_readable():
    scores, same = scored(6000, 1)
    report = verify_scores(scores, same)
    text = str(report)
    assert "6000 pairs, 3000 same, 3000 different; 10 folds" in text
    assert f"{100 * report.accuracy:.2f} %" in text and f"{100 * report.auc:.2f} %" in text
    assert "FAR 0.001 " in text and "FAR 0.0001 " not in text  # 3000 different pairs cannot show 0.3 of an error
    assert max(map(len, text.splitlines())) < 90
    assert repr(report) == f"<Verification of 6000 pairs: accuracy {report.accuracy:.4f}>"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"e_a": np.ones((20, 4)) * np.nan}, "pair 0 holds NaN"),
        ({"e_b": np.zeros((20, 4))}, "pair 0 has length 0"),
        ({"e_a": np.ones((19, 4))}, r"\(19, 4\) and \(20, 4\)"),
        ({"e_a": np.ones(20), "e_b": np.ones(20)}, r"expected \(N, D\)"),
        ({"e_a": [["a"] * 4] * 20}, "expected numbers"),
        ({"same": np.ones(20)}, "no different one"),
        ({"same": np.zeros(20)}, "no same one"),
        ({"same": np.arange(20)}, "True or False"),
        ({"same": np.arange(19) % 2}, r"\(20,\) and \(19,\)"),
        ({"folds": 21}, "21 folds of 20 pairs"),
        ({"folds": 1}, "1 folds"),
        ({"fold": np.zeros(20)}, "one fold only"),
        ({"fold": np.zeros(3)}, "each of 20 pairs"),
        ({"fold": np.arange(20) % 2}, "without fold 0"),
    ],
)
def test_what_cannot_be_judged_is_said(change, words):
    random = np.random.default_rng(0)
    given = {"e_a": random.normal(size=(20, 4)), "e_b": random.normal(size=(20, 4)), "same": np.arange(20) % 2}
    with pytest.raises(FaceLibError, match=words):
        verification(**{**given, **change})


def test_empty_and_odd_rates():
    with pytest.raises(FaceLibError, match="0 pairs"):
        verify_scores([], np.array([], dtype=bool))
    report = verify_scores(*scored(40, 0))
    for far in (-0.1, 1.1, math.nan):
        with pytest.raises(FaceLibError, match="far="):
            report.tar_at(far)
    with pytest.raises(FaceLibError, match="2 of 40 scores are not finite, the first is that of pair 3"):
        verify_scores([0.0] * 3 + [math.inf, math.nan] + [0.0] * 35, np.arange(40) % 2)


def test_the_package_knows_the_name():
    assert facelib.evaluate.verification is verification


def test_many_pairs_need_no_table():
    """A million pairs with as many thresholds in seconds; a table of the two would have 10^12 cells."""
    scores, same = scored(1_000_000, 0)
    start = time.process_time()
    assert verify_scores(scores, same).auc == pytest.approx(0.5 * (1 + math.erf(1.5 / 2)), abs=2e-3)
    assert time.process_time() - start < 20
