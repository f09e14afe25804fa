"""Checks of lesson 07, margins at work."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..margins import ArcFace, CosFace, Margin
from . import NotYet, answered, exercise, expect


@exercise("7.1")
def same_demand(answer: Callable[[float, float], float]) -> str:
    """``answer(m, between)``: ArcFace's m in radians with the gap of CosFace's m between centres degrees apart."""
    got = answer(0.35, 90.0)
    if got is not None and got is not ...:
        if np.isclose(float(got), math.degrees(2 * math.asin(0.35 / math.sqrt(2)))):
            raise NotYet("right, but in degrees; ArcFace's m is in radians")
        if np.isclose(float(got), math.asin(0.35 / math.sqrt(2))):
            raise NotYet("that is half of the gap: CosFace's m is 2 sin(β/2) sin(g/2), and g is wanted, not g/2")
        if np.isclose(float(got), math.acos(1 - 0.35)):
            raise NotYet("that is what CosFace adds at the own centre; the gap lies between two centres")
    expect(got, 2 * math.asin(0.35 / math.sqrt(2)), "m = 0.35 and centres at a right angle", 1e-6)
    for m, between in ((0.35, 60.0), (0.1, 36.0), (0.2, 120.0)):
        want = 2 * math.asin(m / (2 * math.sin(math.radians(between) / 2)))
        expect(answer(m, between), want, f"m = {m} and centres {between:g} degrees apart", 1e-6)
    return "right: the same CosFace is a stricter teacher for people who look alike, whose centres are close"


@exercise("7.2")
def warm_up(answer: Callable[..., Margin]) -> str:
    """``answer(margin, done, whole=0.3)``: the same rule with m grown from 0 to full over the first ``whole``."""
    full = ArcFace(s=16, m=0.5)
    for done, share in ((0.0, 0.0), (0.15, 0.5), (0.3, 1.0)):
        got: Any = answer(full, done)
        answered(got)
        if full.m != 0.5:
            raise NotYet("your check's margin was changed in place; make a new one")
        if not isinstance(got, ArcFace) or got.s != 16:
            raise NotYet("the rule or its scale is another one; only m may move")
        expect(got.m, 0.5 * share, f"m when {done:g} of the training is done, for m = 0.5 and whole = 0.3", 1e-9)
    got = answer(full, 0.9)
    if got.m > 0.5:
        raise NotYet("after the warm-up m goes on growing; it should stop at its full value")
    expect(got.m, 0.5, "m when 0.9 of the training is done", 1e-9)
    cosface = answer(CosFace(s=64, m=0.4), 0.25, 0.5)
    if not isinstance(cosface, CosFace) or cosface.s != 64:
        raise NotYet("a CosFace went in with s = 64, and something else came out; dataclasses.replace keeps the rest")
    expect(cosface.m, 0.2, "CosFace with m = 0.4, when 0.25 is done, whole = 0.5", 1e-9)
    return "right; for SphereFace it would have to start at 1 and not at 0, as its m multiplies"


@exercise("7.3")
def paired_interval(answer: Callable[[Any, Any], tuple[float, float]]) -> str:
    """``answer(a, b)``: 95 % t interval of the mean of a - b, paired by seed."""
    a, b = np.array([71.0, 69.0, 74.0, 70.0, 72.5]), np.array([70.0, 67.5, 73.5, 68.0, 72.0])
    difference, t = a - b, 2.7764451  # 4 degrees of freedom
    half = t * difference.std(ddof=1) / math.sqrt(5)
    got = answer(a, b)
    answered(got)
    ends = np.asarray(got, dtype=float)
    if ends.shape == (2,):
        width = (ends[1] - ends[0]) / 2
        if np.isclose(ends.mean(), -difference.mean()):
            raise NotYet("the sign is turned round: a - b is wanted")
        if np.isclose(width, half / t * 1.96, rtol=1e-3):
            raise NotYet("1.96 is for many runs; with five the spread itself is uncertain: take Student's t")
        if np.isclose(width, half * math.sqrt(5)):
            raise NotYet("that is the spread of one difference; the mean of n varies less, by the root of n")
        if np.isclose(width, half * math.sqrt(4 / 5), rtol=1e-6):
            raise NotYet("the spread is too small: numpy divides by n unless told ddof=1")
        if np.isclose(width, t * math.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 5), rtol=1e-6):
            raise NotYet("that compares two independent groups; subtract seed by seed first")
    expect(ends, [difference.mean() - half, difference.mean() + half], "five seeds", 1e-3)
    random = np.random.default_rng(7)
    a, b = random.normal(80, 3, 3), random.normal(79, 1, 3)
    half = 4.3026527 * (a - b).std(ddof=1) / math.sqrt(3)
    expect(answer(a, b), [(a - b).mean() - half, (a - b).mean() + half], "three seeds", 1e-3)
    return "right: where a seed is lucky for both rules the luck cancels, and what is left is the rule"


@exercise("7.4")
def area(answer: Callable[[Any, Any], float]) -> str:
    """``answer(genuine, impostor)``: chance that a genuine pair has the smaller angle, from counts by bin."""
    got = answer(np.array([2, 0, 0]), np.array([0, 0, 5]))
    if got is not None and got is not ... and np.isclose(float(got), 0):
        raise NotYet("turned round: a genuine pair should have the *smaller* angle")
    if got is not None and got is not ... and np.isclose(float(got), 10):
        raise NotYet("the number of ordered pairs must be divided by all pairs, genuine times impostor")
    expect(got, 1.0, "all genuine pairs in the first bin, impostors last", 1e-9)
    got = float(answer(np.array([0, 4]), np.array([0, 3])))
    if np.isclose(got, 0) or np.isclose(got, 1):
        raise NotYet("two pairs in one bin cannot be ordered: count them half")
    expect(got, 0.5, "everything in one bin", 1e-9)
    genuine, impostor = np.array([3, 4, 2, 1]), np.array([0, 1, 5, 4])
    angles = [np.repeat(np.arange(4), counts) for counts in (genuine, impostor)]
    smaller, equal = (op(angles[0][:, None], angles[1]).mean() for op in (np.less, np.equal))
    expect(answer(genuine, impostor), smaller + equal / 2, "ten genuine and ten impostor pairs in four bins", 1e-9)
    random = np.random.default_rng(8)
    many, others = random.integers(0, 1000, 60), random.integers(0, 10**6, 60)
    share = (np.cumsum(many) - many / 2) @ others / (many.sum() * others.sum())
    expect(answer(many, others), share, "sixty bins", 1e-9)
    return "right: the area under the ROC curve, from 120 counts and without any of the million pairs"
