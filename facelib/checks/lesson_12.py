"""Checks of lesson 12, identification: ranks, false alarms of a gallery, lists, templates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import NotYet, exercise, expect, numbers, parts, turned


def _unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True))


@exercise("12.1")
def cmc(answer: Callable[..., Any]) -> str:
    """``answer(scores, own)``: CMC(1) ... CMC(N), equation 12.1."""
    scores = np.array([[0.9, 0.2, 0.1], [0.3, 0.4, 0.6], [0.2, 0.8, 0.5], [0.1, 0.2, 0.3]])
    own = np.array([0, 1, 0, 2])
    got = numbers(answer(scores.copy(), own.copy()))
    if got.shape == (3,) and np.allclose(got, [0.5, 0.25, 0.25]):
        raise NotYet("these are the shares of rank 1, 2 and 3; the curve adds them up")
    if got.shape == (3,) and np.allclose(got, [2, 3, 4]):
        raise NotYet("these are counts of probes; divide by how many there are")
    expect(got, [0.5, 0.75, 1], "four probes among three people")
    tied = np.array([[0.5, 0.5, 0.5], [0.1, 0.7, 0.7]])
    got = numbers(answer(tied.copy(), np.array([0, 1])))
    if got.shape == (3,) and np.allclose(got, 1):
        raise NotYet("of equal scores the own person comes last: a network that says the same of all finds nobody")
    expect(got, [0, 0.5, 1], "two probes with ties")
    random = np.random.default_rng(12)
    scores, own = random.normal(size=(50, 9)), random.integers(0, 9, 50)
    ranks = [1 + sum(row[k] >= row[mine] for k in range(9) if k != mine) for row, mine in zip(scores, own, strict=True)]
    want = [np.mean([rank <= k for rank in ranks]) for k in range(1, 10)]
    expect(answer(scores, own), want, "fifty probes among nine people")
    return "right: it never falls, and ends at 1"


@exercise("12.2")
def strict(predict: Callable[..., Any], needed: Callable[..., Any]) -> str:
    """``predict(f, people)`` is FPIR, ``needed(fpir, people)`` is f, both by (12.3)."""
    got = numbers(predict(0.01, 100))
    if np.allclose(got, 1.0):
        raise NotYet("f times people is the upper bound; the chance that at least one comparison is false is below it")
    if np.allclose(got, 0.99**100):
        raise NotYet("that is the chance that no comparison is false; FPIR is the rest")
    expect(got, 1 - 0.99**100, "FPIR of 100 people at f = 0.01")
    expect(predict(0.2, 1), 0.2, "FPIR of one person at f = 0.2")
    got = numbers(needed(0.5, 2))
    if np.allclose(got, 0.25):
        raise NotYet("FPIR / people is right for small rates alone; for 0.5 and two people another f is needed")
    expect(got, 1 - 0.5**0.5, "f for an FPIR of 0.5 with two people")
    for where, value, want in (
        ("FPIR of a million people at f = 1e-12", numbers(predict(1e-12, 10**6)), 1e-6),
        ("f for an FPIR of 1e-6 with a million people", numbers(needed(1e-6, 10**6)), 1e-12),
    ):
        if not np.allclose(value, want, rtol=1e-5, atol=0):
            raise NotYet(f"{where}: expected {want:.6g}, got {value:.6g}; use log1p and expm1, which keep the digits")
    return "right: and both functions undo each other"


@exercise("12.3")
def recall(answer: Callable[..., Any]) -> str:
    """``answer(rows, of, centres, probes, lists)``: recall@1 by (12.6), and the mean share of rows compared."""

    # Two lists. The third probe's nearest row is in the other list than its nearest centre.
    rows, of, centres = turned(0, 10, 48, 80, 90, 100), np.array([0, 0, 0, 1, 1, 1]), turned(15, 90)
    probes = turned(4, 12, 55)
    got = answer(rows.copy(), of.copy(), centres.copy(), probes.copy(), 1)
    parts(got, 2, "two numbers are wanted, the recall and the share of rows compared")
    first = numbers(got[0])
    if np.allclose(first, 1):
        raise NotYet("the third of three probes was found though its row is in a list that is not looked into")
    expect(first, 2 / 3, "recall of three probes, one of two lists")
    if np.allclose(numbers(got[1]), 3):
        raise NotYet("the share is wanted, not the number of rows: divide by all rows")
    expect(got[1], 0.5, "share of rows compared")
    expect(answer(rows, of, centres, probes, 2), (1, 1), "recall and share with all lists")
    random = np.random.default_rng(12)
    rows, centres, probes = (_unit(random.normal(size=(count, 6))) for count in (200, 8, 40))
    of = (rows @ centres.T).argmax(1)
    right, compared = 0, 0
    for probe in probes:
        near = np.argsort(-(centres @ probe))[:2]
        inside = np.flatnonzero(np.isin(of, near))
        compared += len(inside)
        right += inside[(rows[inside] @ probe).argmax()] == (rows @ probe).argmax()
    expect(answer(rows, of, centres, probes, 2), (right / 40, compared / 8000), "recall and share, two of eight lists")
    return "right: and with all lists it is brute force"


@exercise("12.4")
def template(answer: Callable[..., Any]) -> str:
    """``answer(rows, media, weights)``: one unit vector, equation 12.4."""
    rows, media, ones = np.array([[1.0, 0], [1, 0], [1, 0], [0, 1]]), np.array([4, 4, 4, 9]), np.ones(4)
    got = numbers(answer(rows.copy(), media.copy(), ones.copy()))
    if got.shape == (2,):
        if np.allclose(got, _unit(np.array([3.0, 1]))):
            raise NotYet("the three frames count three times; they are one medium, so their mean counts once")
        if np.allclose(got, [1, 1]) or np.allclose(got, [0.5, 0.5]):
            raise NotYet("the direction is right; divide by the length at the end")
    expect(got, _unit(np.array([1.0, 1])), "three frames of one video and a photo")
    weights = np.array([0.5, 0.5, 0.5, 1])
    got = numbers(answer(rows.copy(), media.copy(), weights.copy()))
    if got.shape == (2,) and np.allclose(got, _unit(np.array([1.0, 1]))):
        raise NotYet(
            "frames of weight 0.5 count like the photo: the mean divides by their number, not by their weights"
        )
    expect(got, _unit(np.array([0.5, 1])), "frames of weight 0.5 and a photo of weight 1")
    apart = np.array([[1.0, 0], [-0.6, 0.8], [0, 1]])
    got = numbers(answer(apart, np.array([1, 1, 2]), np.ones(3)))
    if got.shape == (2,) and np.allclose(got, _unit(_unit(np.array([0.4, 0.8])) + [0, 1])):
        raise NotYet("a medium whose pictures disagree has a short mean; do not make it unit before adding")
    expect(got, _unit(np.array([0.2, 1.4])), "a video whose two frames disagree, and a photo")
    random = np.random.default_rng(12)
    rows, media, weights = random.normal(size=(30, 5)), random.integers(0, 6, 30), random.uniform(0.1, 1, 30)
    kept = rows.copy()
    want = sum((weights[media == m, None] * rows[media == m]).sum(0) / (media == m).sum() for m in set(media.tolist()))
    expect(answer(rows, media, weights), _unit(np.asarray(want)), "thirty pictures of six media")
    expect(rows, kept, "`rows` afterwards, which should stay as they were,")
    return "right: as `facelib.evaluate.pool` does for each template"
