"""Pairs drawn again, for bootstrap intervals: how often each counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import FaceLibError


def drawn_pairs(same: np.ndarray, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Endless float64 (N,): pairs drawn with replacement, as many same and as many different ones as there are."""
    kinds = [np.flatnonzero(same), np.flatnonzero(~same)]
    while True:
        picks = [rows[random.integers(len(rows), size=len(rows))] for rows in kinds]
        yield np.bincount(np.concatenate(picks), minlength=len(same)).astype(np.float64)


def drawn_people(same: np.ndarray, identities: tuple[Any, Any], random: np.random.Generator) -> Iterator[np.ndarray]:
    """Endless float64 (N,): people drawn with replacement; a pair counts as often as both its people were drawn.

    A same pair counts as often as its one person. Draws without any same or any different pair are drawn again.
    Exercise 11.4 is about it.
    """
    a, b = (np.asarray(names) for names in identities)
    if a.shape != same.shape or b.shape != same.shape:
        raise FaceLibError(f"identities: expected two arrays of {len(same)}, got shapes {a.shape} and {b.shape}")
    if ((a == b) != same).any():
        pair = int(((a == b) != same).argmax())
        raise FaceLibError(f"identities of pair {pair} are {a[pair]!r} and {b[pair]!r}, but same is {same[pair]}")
    people, code = np.unique(np.concatenate([a, b]), return_inverse=True)
    first, second = code[: len(a)], code[len(a) :]
    while True:
        times = np.bincount(random.integers(len(people), size=len(people)), minlength=len(people)).astype(np.float64)
        counts = times[first] * np.where(same, 1, times[second])
        if counts[same].any() and counts[~same].any():
            yield counts
