"""Scores that the tests of evaluation share."""

from __future__ import annotations

import numpy as np


def scored(pairs: int, seed: int, levels: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping scores; with ``levels``, many equal ones."""
    random = np.random.default_rng(seed)
    same = random.permutation(np.arange(pairs) % 2 == 0)
    scores = random.normal(size=pairs) + 1.5 * same
    return (scores if levels is None else np.round(scores * levels) / levels), same
