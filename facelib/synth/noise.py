"""Ready-made random textures that tile, so that grain, hair and blotches cost a look-up and not random numbers.

They are drawn once from a counter-based generator with a fixed key: the same on every machine and device.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from .numbers import normals

SIZE = 512
BLOTCHES, PATCHES, PORES, PORES_X, PORES_Y, STRANDS, LOCKS, GRAIN = range(8)
"""Channels: soft and medium spots, fine grain with its slopes along x and y, hair (long along y) fine and coarse, and
unfiltered noise; each of mean 0 and variance 1."""


@cache
def _textures(device: str) -> Tensor:
    """(1, 8, SIZE + 1, SIZE + 1); the last row and column repeat the first."""
    white = np.fft.fft2(normals(seed=20, key=0, count=8 * SIZE * SIZE).reshape(8, SIZE, SIZE))
    fx, fy = np.meshgrid(*[np.fft.fftfreq(SIZE, 1 / SIZE)] * 2)
    radius = np.hypot(fx, fy)

    def band(low: float, high: float) -> np.ndarray:  # cycles a tile
        return np.exp(-((radius / high) ** 2)) * (1 - np.exp(-((radius / low) ** 2)))

    pores = band(40, 90)
    filters = [
        band(2, 7), band(6, 24), pores, 1j * fx * pores, 1j * fy * pores,
        np.exp(-((fx / 150) ** 2) - (fy / 5) ** 2) * (abs(fx) > 2),
        np.exp(-((fx / 28) ** 2) - (fy / 3) ** 2) * (abs(fx) > 1),
        np.ones_like(fx),
    ]  # fmt: skip
    sources = [0, 1, 2, 2, 2, 3, 4, 5]
    tiles = np.stack([np.fft.ifft2(white[s] * f).real for s, f in zip(sources, filters, strict=True)])
    tiles /= tiles.std((1, 2), keepdims=True)
    tiles = np.pad(tiles, ((0, 0), (0, 1), (0, 1)), mode="wrap").astype(np.float32)
    return torch.from_numpy(tiles)[None].to(device)


def sample(channels: int | list[int], x: Tensor, y: Tensor) -> Tensor:
    """Textures at (x, y), counted in tiles, any value: (M,) for one channel, (M, C) for a list."""
    tiles = _textures(str(x.device))[:, channels if isinstance(channels, list) else [channels]]
    grid = torch.stack([x - x.floor(), y - y.floor()], -1)[None, None] * 2 - 1
    found = grid_sample(tiles, grid, mode="bilinear", align_corners=True)[0, :, 0].T
    return found if isinstance(channels, list) else found[:, 0]
