"""Checks of lesson 13, where it fails: errors by group, a step along the gradient, morphs, alarms in a day."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import NotYet, answered, exercise, expect, parts


def _two(result: Any) -> tuple[np.ndarray, np.ndarray]:
    parts(result, 2, "two arrays are wanted: false match rates, then false non-match rates")
    return np.asarray(result[0], dtype=float), np.asarray(result[1], dtype=float)


@exercise("13.1")
def group_errors(answer: Callable[..., Any]) -> str:
    """``answer(scores, people, groups, threshold)``: (FMR, FNMR), each (G,), from all pairs within each group."""
    scores = np.full((5, 5), 0.1)
    people, groups = np.array([0, 0, 1, 2, 3]), np.array([0, 0, 0, 1, 1])
    for i, j, score in ((0, 1, 0.9), (0, 2, 0.8), (1, 2, 0.2), (3, 4, 0.1), (0, 3, 0.95), (2, 4, 0.95)):
        scores[i, j] = scores[j, i] = score
    np.fill_diagonal(scores, 1.0)
    fmr, fnmr = _two(answer(scores.copy(), people, groups, 0.5))
    if fmr.shape == (2,) and fmr[1] > 0:
        raise NotYet("group 1 has no false match of its own: pairs across groups belong to neither group")
    if fmr.shape == (2,) and np.isclose(fmr[0], 2 / 3):
        raise NotYet("a pair of one person counts as a false match: only pairs of two people can be one")
    if fmr.shape == fnmr.shape == (2,) and np.isclose(fmr[0], 0.5) and fnmr[1] == 0:
        raise NotYet("group 1 has no pair of one person: its false non-match rate is not 0 but unknown, np.nan")
    expect(fmr, [0.5, 0.0], "false match rates of groups 0 and 1 in the small example")
    expect(fnmr[0], 0.0, "false non-match rate of group 0 in the small example")
    if not np.isnan(fnmr[1]):
        raise NotYet(f"group 1 has no pair of one person: its false non-match rate is unknown, np.nan, not {fnmr[1]}")
    tied = _two(answer(scores.copy(), people, groups, 0.8))[0]
    expect(tied, [0.0, 0.0], "false match rates at 0.8, where one pair scores 0.8 (a match lies above)")
    alone = _two(answer(scores[2:, 2:].copy(), people[2:], np.array([0, 1, 1]), 0.5))[0]
    if alone.shape != (2,) or not np.isnan(alone[0]):
        raise NotYet("a group of one person has no pair of two: its false match rate is unknown, np.nan")
    random = np.random.default_rng(13)
    people = np.repeat(np.arange(12), 3)
    groups, vectors = np.repeat(random.permutation(np.arange(12) % 3), 3), random.normal(size=(36, 4))
    vectors += 2 * random.normal(size=(12, 4))[people]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = vectors @ vectors.T
    want = [_errors(scores, people, groups == g, 0.6) for g in range(3)]
    fmr, fnmr = _two(answer(scores.copy(), people, groups, 0.6))
    expect(fmr, [w[0] for w in want], "false match rates of three groups of four people")
    loose = [_errors(scores, people, groups == g, 0.6, diagonal=True)[1] for g in range(3)]
    if fnmr.shape == (3,) and np.allclose(fnmr, loose) and not np.allclose(fnmr, [w[1] for w in want]):
        raise NotYet("every picture was compared with itself: those pairs always match and hide misses")
    expect(fnmr, [w[1] for w in want], "false non-match rates of three groups of four people")
    return "right: one threshold, and each group with its own two errors; the mean over groups would hide both"


def _errors(
    scores: np.ndarray, people: np.ndarray, inside: np.ndarray, threshold: float, diagonal: bool = False
) -> tuple[float, float]:
    rows = np.flatnonzero(inside)
    first, second = (rows[k] for k in np.triu_indices(len(rows), 0 if diagonal else 1))
    same, above = people[first] == people[second], scores[first, second] > threshold
    return float(above[~same].mean()), float((~above[same]).mean())


@exercise("13.2")
def fgsm(answer: Callable[..., Any]) -> str:
    """``answer(crops, gradient, eps)``: uint8 crops moved by ``eps`` grey levels up the gradient, equation 13.6."""
    crops = np.array([100, 100, 100, 254, 3], np.uint8).reshape(1, 1, 5, 1)
    gradient = np.array([0.001, -7.0, 0.0, 2.0, -1.0]).reshape(1, 1, 5, 1)
    given = crops.copy()
    got = answer(given, gradient, 4)
    got = np.asarray(answered(got))
    if got.shape != crops.shape:
        raise NotYet(f"expected the shape of the crops, {crops.shape}, got {got.shape}")
    if got.dtype != np.uint8:
        raise NotYet(f"a picture is wanted, uint8, not {got.dtype}")
    expect(given, crops, "`crops` afterwards, which should stay as they were,")
    values = got.ravel().astype(int)
    if values[3] == 2 or values[4] == 255:
        raise NotYet("254 + 4 came out as 2: uint8 wraps around; add in another type and clip to 0..255")
    if values[0] == 100 and values[1] < 96:
        raise NotYet("the step grew with the gradient; only its sign counts, so that no pixel moves by more than eps")
    if values[0] == 96 and values[1] == 104:
        raise NotYet("the cosine falls: against the sign of the gradient is dodging; wanted is the step that raises it")
    expect(values, [104, 96, 100, 255, 0], "five grey levels after a step of 4")
    random = np.random.default_rng(13)
    crops, gradient = random.integers(0, 256, (2, 8, 8, 3)).astype(np.uint8), random.normal(size=(2, 8, 8, 3))
    want = np.clip(crops.astype(int) + 3 * np.sign(gradient), 0, 255)
    expect(answer(crops.copy(), gradient, 3), want, "two crops after a step of 3")
    return "right: no pixel moves by more than eps, and all of them move the cosine the same way"


@exercise("13.3")
def morph_rate(answer: Callable[..., Any]) -> str:
    """``answer(morphs, first, second, threshold)``: share of morphs that match both people they are made of."""
    e = np.eye(3)
    middle = (e[0] + e[1]) / np.sqrt(2)
    got = answer(np.stack([middle, e[0], e[2]]), np.stack([e[0]] * 3), np.stack([e[1]] * 3), 0.5)
    answered(got)
    if np.shape(got) != ():
        raise NotYet(f"one number is wanted, a share, not shape {np.shape(got)}")
    if np.isclose(got, 2 / 3):
        raise NotYet("a morph that looks like one of the two was counted: it must pass for both")
    if np.isclose(got, 0.5):
        raise NotYet("matches were counted, not morphs: ask of each morph whether both of its two cosines pass")
    expect(got, 1 / 3, "one morph of three in the middle")
    got = answer(np.stack([middle]), np.stack([e[0]]), np.stack([e[1]]), 0.8)
    if np.isclose(got, 1):
        raise NotYet("cosines of 0.71 passed a threshold of 0.8: were they added before they were compared?")
    random = np.random.default_rng(13)
    three = random.normal(size=(3, 50, 8))
    three[0] += three[1] + three[2]
    three /= np.linalg.norm(three, axis=2, keepdims=True)
    one, two = ((three[0] * other).sum(1) for other in three[1:])
    expect(answer(*three, 0.45), (np.minimum(one, two) > 0.45).mean(), "fifty random morphs")
    return "right: the weaker of the two cosines decides, because a passport shared by two must open for both"


@exercise("13.4")
def false_alarms(answer: Callable[..., Any]) -> str:
    """``answer(passers, listed, fmr)``: expected false alarms, equation 13.7."""
    got = answer(1000, 1, 0.01)
    answered(got)
    expect(got, 10, "1,000 people pass, one is on the list, FMR 1 %")
    got = answer(1000, 500, 0.01)
    if np.isclose(got, 5000):
        raise NotYet("5,000 alarms from 1,000 people: one person raises one alarm, however many entries match")
    if np.isclose(got, 10):
        raise NotYet("the length of the list makes no difference: each passer-by is compared with every entry")
    if np.isclose(got, 1000 * 0.01**500):
        raise NotYet("one matching entry is enough for an alarm; that all 500 match is not needed")
    expect(got, 1000 * (1 - 0.99**500), "1,000 people pass, 500 are on the list, FMR 1 %", 1e-6)
    got = answer(10_000, 100, 1e-17)
    if got == 0:
        raise NotYet("an FMR of 1e-17 was lost: 1 - 1e-17 is 1 in floating point; np.log1p and np.expm1 keep it")
    if not np.isclose(got, 1e-11, rtol=1e-6, atol=0):
        raise NotYet(f"10,000 people, 100 on the list, FMR 1e-17: expected 1e-11, got {got:.3g}")
    return "right: for small rates it is passers x list x FMR, for large ones nearly everybody who passes"
