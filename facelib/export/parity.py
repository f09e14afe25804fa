"""Do two embedders answer alike? What is asked of every exported file before it gets its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LIMITS = {"float32": 0.99999, "float16": 0.999, "int8": 0.95}
"""Lowest cosine between the embeddings of one crop that an exported file may have, by its precision."""


@dataclass(frozen=True)
class Parity:
    """How the embeddings of N crops by two networks agree.

    Attributes
    ----------
    crops : int
    cosine : float
        The mean over crops of the cosine between both embeddings.
    lowest : float
        The lowest of them.
    difference : float
        The largest difference of any number of any embedding, both of length 1.
    pairs : float
        The largest change of a cosine between two different crops: what a threshold feels.
    """

    crops: int
    cosine: float
    lowest: float
    difference: float
    pairs: float

    def __str__(self) -> str:
        return (
            f"{self.crops} crops: cosine {self.cosine:.5f} on average and {self.lowest:.5f} at worst;"
            f" cosines of pairs move by {self.pairs:.4f} at most"
        )


Embed = Callable[[np.ndarray], np.ndarray]


def parity(reference: Embed, other: Embed, crops: np.ndarray) -> Parity:
    """Compare two embedders on the same crops, uint8 (N, H, W, 3), N >= 2 (lesson 14, eq. 14.2).

    What stands before the network is compared as well: wrong colours, mean or size lower the cosine as a wrong weight
    does. Embeddings of different lengths or with a NaN never agree.

    Raises
    ------
    ValueError
        For fewer than two crops.
    """
    if len(crops) < 2:
        raise ValueError(f"parity is of two crops and more, not of {len(crops)}")
    a, b = (np.asarray(embed(crops), np.float64) for embed in (reference, other))
    if a.shape != b.shape or not np.isfinite(b).all():
        return Parity(len(crops), -1.0, -1.0, float("inf"), float("inf"))
    cosine = (a * b).sum(1)
    moved = abs(a @ a.T - b @ b.T)[np.triu_indices(len(a), 1)]
    return Parity(len(crops), float(cosine.mean()), float(cosine.min()), float(abs(a - b).max()), float(moved.max()))
