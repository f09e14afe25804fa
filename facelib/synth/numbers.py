"""Random numbers that depend on nothing but (seed, key): the same on every machine, in any order, for any count.

Philox is a counter-based generator: a keyed mixing function of 0, 1, 2, ... (Salmon et al. 2011). One key for each
person gives millions of independent streams with nothing stored. Only its raw integers are used, because numpy keeps
those the same from version to version, which it does not promise for its normal variates.
"""

from __future__ import annotations

import numpy as np


def uniforms(seed: int, key: int, count: int, chapter: int = 0) -> np.ndarray:
    """float64 (count,) in (0, 1).

    A chapter is a stream of its own under the same key: numbers added to one never shift another.

    >>> uniforms(0, 7, 3).tolist() == uniforms(0, 7, 5)[:3].tolist()
    True
    """
    raw = np.random.Philox(key=[seed, key], counter=[0, 0, 0, chapter]).random_raw(count)
    return ((raw >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def normals(seed: int, key: int, count: int, chapter: int = 0) -> np.ndarray:
    """float64 (count,) from N(0, 1), by Box and Muller (1958)."""
    pairs = uniforms(seed, key, 2 * ((count + 1) // 2), chapter).reshape(-1, 2)
    radius, angle = np.sqrt(-2 * np.log(pairs[:, 0])), 2 * np.pi * pairs[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()[:count]
