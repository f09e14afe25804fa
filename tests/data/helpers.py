"""What the tests of the data sets share: small pictures of their own, and folders of them."""

from __future__ import annotations

import contextlib
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from facelib.folders.files import encode

SIZE = 24


def picture(number: int, size: int = SIZE) -> np.ndarray:
    """A smooth picture that no other number has, RGB uint8 (size, size, 3)."""
    y, x = np.mgrid[:size, :size] / size
    a, b, c = np.random.default_rng(number).uniform(0, 1, 3)
    return np.stack([255 * a * x, 255 * b * y, 255 * c * (1 - x)], axis=-1).round().astype(np.uint8)


def jpeg(number: int, size: int = SIZE) -> bytes:
    return encode(picture(number, size), ".jpg", 95)


def close(image: np.ndarray, number: int) -> bool:
    """Whether this is the picture of that number, but for JPEG's losses."""
    return image.shape == (SIZE, SIZE, 3) and abs(image.astype(int) - picture(number)).mean() < 4


def make_folder(root: Path, *counts: int) -> Path:
    """Folders n000000, n000001, ... with that many pictures, numbered through."""
    number = 0
    for person, count in enumerate(counts):
        for k in range(count):
            path = root / f"n{person:06d}" / f"{k:04d}_01.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg(number))
            number += 1
    return root


@contextlib.contextmanager
def little_memory(limit: int = 10_000_000) -> Iterator[None]:
    """Fails when more bytes are asked for at once, even such as are never touched."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()
