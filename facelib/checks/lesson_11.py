"""Checks of lesson 11, verification: curves with ties, rates with intervals, honest folds, people drawn again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..evaluate import verify_scores
from . import NotYet, exercise, expect, numbers, parts


def _scored(count: int, seed: int, levels: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Scores with many ties, and the truth."""
    random = np.random.default_rng(seed)
    same = random.random(count) < 0.4
    return np.round(levels * random.normal(0.6 * same, 0.5)) / levels, same


@exercise("11.1")
def curve(answer: Callable[..., Any]) -> str:
    """``answer(scores, same)``: FAR and TAR, a point for each distinct score and (0, 0) before them."""
    scores, same = np.array([9, 7, 6, 3, 8, 6, 2, 1.0]), np.arange(8) < 4
    far, tar = parts(answer(scores.copy(), same.copy()), 2, "two arrays, FAR and TAR, are wanted")
    if np.shape(far) == (9,):
        raise NotYet("nine points for seven distinct scores: no threshold parts the two pairs that score 6")
    if np.shape(far) == (7,):
        raise NotYet("seven points: the one at which nothing is accepted, (0, 0), is missing")
    if np.shape(far) == (8,) and np.allclose(far, [0, 0.25, 0.25, 0.5, 0.75, 1, 1, 1]):
        raise NotYet("FAR and TAR are exchanged: FAR counts the different pairs")
    expect(far, [0, 0, 0.25, 0.25, 0.5, 0.5, 0.75, 1], "FAR of 4 same pairs at 9 7 6 3 and 4 different at 8 6 2 1")
    expect(tar, [0, 0.25, 0.25, 0.5, 0.75, 1, 1, 1], "TAR of the same pairs")
    scores, same = _scored(200, 11)
    want = verify_scores(scores, same).curve
    far, tar = answer(scores, same)
    expect(far, want.far, "FAR of 200 pairs with ties")
    expect(tar, want.tar, "TAR of 200 pairs with ties")
    return "right: the same points as facelib.evaluate's, and in any order of the pairs"


@exercise("11.2")
def tar_at(answer: Callable[..., Any]) -> str:
    """``answer(scores, same, far)``: TAR of the lowest threshold with a FAR of at most ``far``, and Wilson's ends."""
    scores, same = np.array([9, 7, 6, 3, 8, 6, 2, 1.0]), np.arange(8) < 4
    tar, low, high = parts(
        answer(scores, same, 0.25), 3, "three numbers, TAR and the two ends of its interval, are wanted"
    )
    if abs(tar - 0.75) < 1e-9:
        raise NotYet("at this threshold half of the different pairs are accepted: the pairs at 6 come together")
    expect(tar, 0.5, "TAR at a FAR of 0.25")
    found = verify_scores(scores, same, fold=[0, 1] * 4)
    naive = 1.96 * (tar * (1 - tar) / 4) ** 0.5
    if abs(low - (tar - naive)) < 1e-3:
        raise NotYet("p ± 1.96 sqrt(p(1-p)/n) is not Wilson's interval; it is empty where p is 0 or 1")
    if abs(high - low) < 0.6:
        raise NotYet("the interval is too narrow: TAR is a share of the same pairs, 4 of the 8")
    expect((low, high), found.tar_interval(0.25), "the interval", 1e-4)
    scores, same = _scored(300, 12)
    found = verify_scores(scores, same)
    for far in (0.0, 0.01, 0.1, 1.0):
        expect(
            answer(scores, same, far), (found.tar_at(far), *found.tar_interval(far)), f"300 pairs, FAR {far:g}", 1e-4
        )
    return "right: a TAR with the FAR it was met at, and with what its number of pairs can say"


@exercise("11.3")
def honest(answer: Callable[..., Any]) -> str:
    """``answer(scores, same, fold)``: accuracy on each fold, with the threshold that is best on all the others."""
    scores, same = _scored(240, 13, 400)
    fold = np.random.default_rng(3).integers(0, 6, 240)
    found = verify_scores(scores, same, fold=fold)
    got = answer(scores.copy(), same.copy(), fold.copy())
    got = numbers(got)
    if got.shape == (6,):
        own = [((scores > found.ranking.best_threshold(fold == k)) == same)[fold == k].mean() for k in range(6)]
        every = [((scores > found.threshold) == same)[fold == k].mean() for k in range(6)]
        if np.allclose(got, own):
            raise NotYet("each threshold was chosen on the fold that it is judged on")
        if np.allclose(got, every) and not np.allclose(every, found.accuracies):
            raise NotYet("one threshold was chosen on all pairs, those of the test among them")
    expect(got, found.accuracies, "six folds of 240 pairs: accuracies")
    return "right: no pair had a say in the threshold that judged it"


@exercise("11.4")
def by_people(answer: Callable[..., Any]) -> str:
    """``answer(drawn, first, second)``: how often each pair counts when the people ``drawn`` were drawn."""
    drawn, first, second = np.array([0, 0, 2, 3]), np.array([0, 1, 0, 0, 3]), np.array([0, 1, 2, 1, 2])
    got = answer(drawn, first, second)
    got = numbers(got)
    if got.shape == (5,) and got[0] == 4:
        raise NotYet("a pair of one person drawn twice counts twice, not four times: it has only one person")
    if got.shape == (5,) and got[2] == 3:
        raise NotYet("a pair of two people counts as the product of how often they were drawn, not the sum")
    expect(got, [2, 0, 2, 0, 1], "people 0, 0, 2, 3 drawn of 4; pairs 0-0 1-1 0-2 0-1 3-2")
    random = np.random.default_rng(4)
    drawn, first, second = random.integers(20, size=20), random.integers(20, size=90), random.integers(20, size=90)
    times = np.array([(drawn == k).sum() for k in range(20)])
    want = times[first] * np.where(first == second, 1, times[second])
    expect(answer(drawn, first, second), want, "90 pairs of 20 people")
    return "right: repeat it a thousand times, and the spread of any figure is its interval over people"
