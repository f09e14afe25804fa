"""Checks of lesson 11 recognise the typical wrong answers and say what is wrong with each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from facelib.checks import lesson_11 as check
from facelib.evaluate import verify_scores
from facelib.evaluate.ranking import wilson


def curve(scores: Any, same: Any, ties: bool = True, start: bool = True) -> Any:
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True) if ties else np.ones(len(scores), bool)
    rates = [np.cumsum(kind[order])[last] / kind.sum() for kind in (~same, same)]
    return tuple(np.append(0, rate) if start else rate for rate in rates)


def tar_at(scores: Any, same: Any, far: float, ties: bool = True, count: int = 0) -> Any:
    rates, tars = curve(scores, same, ties)
    tar = tars[rates <= far][-1]
    return (tar, *wilson(tar, count or same.sum()))


def honest(scores: Any, same: Any, fold: Any, own: bool = False, every: bool = False) -> Any:
    ranking = verify_scores(scores, same).ranking
    return [
        ((scores > ranking.best_threshold(None if every else (fold == k) == own)) == same)[fold == k].mean()
        for k in np.unique(fold)
    ]


def by_people(drawn: Any, first: Any, second: Any) -> Any:
    times = np.bincount(drawn, minlength=max(first.max(), second.max()) + 1)
    return times[first] * np.where(first == second, 1, times[second])


def naive(scores: Any, same: Any, far: float) -> Any:
    tar = tar_at(scores, same, far)[0]
    half = 1.96 * np.sqrt(tar * (1 - tar) / same.sum())
    return tar, tar - half, tar + half


def test_right_answers_pass() -> None:
    for verdict in (check.curve(curve), check.tar_at(tar_at), check.honest(honest), check.by_people(by_people)):
        assert verdict, verdict


@pytest.mark.parametrize(
    ("name", "answer", "hint"),
    [
        ("curve", lambda s, y: curve(s, y, ties=False), "no threshold parts"),
        ("curve", lambda s, y: curve(s, y, start=False), "(0, 0)"),
        ("curve", lambda s, y: curve(s, y)[::-1], "exchanged"),
        ("curve", lambda s, y: curve(-s, y), "FAR of 4"),
        ("tar_at", lambda s, y, f: tar_at(s, y, f, ties=False), "come together"),
        ("tar_at", naive, "Wilson"),
        ("tar_at", lambda s, y, f: tar_at(s, y, f, count=len(y)), "too narrow"),
        ("tar_at", lambda s, y, f: tar_at(s, y, f)[0], "three numbers"),
        ("honest", lambda s, y, f: honest(s, y, f, own=True), "judged on"),
        ("honest", lambda s, y, f: honest(s, y, f, every=True), "on all pairs"),
        ("by_people", lambda d, a, b: np.bincount(d, minlength=20)[a] * np.bincount(d, minlength=20)[b], "four times"),
        (
            "by_people",
            lambda d, a, b: (
                np.where(a == b, 1, 0) * by_people(d, a, b)
                + np.where(a == b, 0, 1) * (np.bincount(d, minlength=20)[a] + np.bincount(d, minlength=20)[b])
            ),
            "not the sum",
        ),
        *((name, lambda *_: ..., "still open") for name in ("curve", "tar_at", "honest", "by_people")),
    ],
)
def test_wrong_answers(name: str, answer: Any, hint: str) -> None:
    verdict = getattr(check, name)(answer)
    assert not verdict and hint in verdict.message, verdict
