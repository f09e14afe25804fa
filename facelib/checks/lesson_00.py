"""Checks of lesson 00, five minutes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import OPEN, NotYet, exercise, expect, parts


@exercise("0.1")
def cosine_similarity(answer: Callable[..., Any]) -> str:
    """``answer(a, b)`` -> cosine of the angle between two vectors of any length."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=7)
    expect(answer(a, 3 * a), 1, "a vector and three times itself")
    expect(answer(np.array([2.0, 0]), np.array([0, 5.0])), 0, "two vectors at right angles")
    for _ in range(5):
        a, b = rng.normal(size=(2, 7))
        angle = 2 * np.arctan2(
            np.linalg.norm(a / np.linalg.norm(a) - b / np.linalg.norm(b)),
            np.linalg.norm(a / np.linalg.norm(a) + b / np.linalg.norm(b)),
        )
        expect(answer(a, b), np.cos(angle), "two random vectors")
    return "right, and it does not change when either vector is stretched."


@exercise("0.2")
def identify(answer: Callable[..., Any]) -> str:
    """``answer(probe, gallery, threshold)`` -> index of the most similar person, or None."""
    gallery = np.eye(4)
    probe = np.array([0.1, 0.2, 0.95, 0.1])
    probe /= np.linalg.norm(probe)
    found = answer(probe, gallery, 0.5)
    if found is ...:
        raise NotYet(OPEN)
    if found != 2:
        raise NotYet(f"the probe is most like person 2; got {found}")
    unknown = np.full(4, 0.5)
    if answer(unknown, gallery, 0.6) is not None:
        raise NotYet("a probe that is like nobody (cosine 0.5 with all, threshold 0.6) must give None")
    if answer(gallery[0], gallery, 1.0) != 0:
        raise NotYet("person 0 with a cosine equal to the threshold must be accepted, and 0 is an index, not False")
    return "right: one matrix product compares with the whole gallery, and strangers stay unnamed."


@exercise("0.3")
def error_rates(answer: Callable[..., Any]) -> str:
    """``answer(scores, same, threshold)`` -> (share of accepted impostors, share of rejected genuine pairs)."""
    scores = np.array([0.9, 0.8, 0.4, 0.7, 0.6, 0.2, 0.1])
    same = np.array([True, True, True, False, False, False, False])
    for threshold, want in ((0.5, (2 / 4, 1 / 3)), (0.7, (1 / 4, 1 / 3)), (0.0, (1, 0)), (1.0, (0, 1))):
        got = parts(answer(scores, same, threshold), 2, "a tuple is wanted: false accepts, false rejects")
        if any(value is ... for value in got):
            raise NotYet(OPEN)
        expect(got, want, f"threshold {threshold}")
    return "right: the two errors trade places as the threshold moves."
