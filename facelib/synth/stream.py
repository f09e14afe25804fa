"""Endless pictures for training: rendered as they are asked for, never stored, left on the device that drew them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from ..errors import FaceLibError
from .dataset import EVERYBODY, SPLITS, known_split
from .numbers import uniforms
from .people import People
from .render import render_scene
from .sampling import sample_scene
from .shots import BATCH


@dataclass(frozen=True)
class Batch:
    """B pictures: images uint8 (B, 112, 112, 3), labels int64 (B,), landmarks float32 (B, 5, 2); on one device."""

    images: Tensor
    labels: Tensor
    landmarks: Tensor

    def __len__(self) -> int:
        return len(self.labels)


class Stream(IterableDataset[Batch]):
    """Batches of aligned pictures without end; batch b depends on (seed, b) alone.

    A run that stopped after batch b goes on with ``Stream(..., start=b)`` and sees the same pictures. Of W processes,
    number w passes ``start=w, step=W``, and together they see what one would.

    Parameters
    ----------
    people : int
        How many; labels run from 0 to people - 1. They are the first people of the split, those of ``load_dataset``.
    batch : int
        Pictures in each batch.
    shots : int
        Pictures of one person that stand together in a batch, for losses that want some; divides ``batch``.
    seed, split, hardness
        As in ``load_dataset`` and ``People.render``.
    device : torch device or its name
        Where pictures are drawn and stay.
    start, step : int
        First batch, and how many to move on.

    >>> first, second = (next(iter(Stream(people=1000, batch=2))) for _ in range(2))
    >>> bool((first.images == second.images).all()), tuple(first.images.shape)
    (True, (2, 112, 112, 3))
    """

    def __init__(
        self,
        people: int = 100_000,
        batch: int = 256,
        shots: int = 1,
        seed: int = 0,
        split: str = "train",
        hardness: float = 1.0,
        device: str | torch.device = "cpu",
        start: int = 0,
        step: int = 1,
    ) -> None:
        if batch < 1 or shots < 1 or batch % shots:
            raise FaceLibError(f"a batch of {batch} can not hold {shots} pictures of each person: choose a divisor")
        if not 1 <= people <= SPLITS["validation"]:
            raise FaceLibError(f"people must be between 1 and {SPLITS['validation']:,}, not {people:,}")
        self.count, self.batch, self.shots, self.seed, self.hardness = people, batch, shots, seed, hardness
        self.first = SPLITS[known_split(split)]
        self.people, self.start, self.step = People(EVERYBODY, seed, device), start, step

    def __iter__(self) -> Iterator[Batch]:
        number = self.start
        while True:
            yield self.render(number)
            number += self.step

    def render(self, number: int) -> Batch:
        """Batch ``number``."""
        # Chapter 3 under the key of a batch: who is in it, and a seed for the scenes.
        draw = uniforms(self.seed, number, self.batch // self.shots + 1, chapter=3)
        labels = np.repeat((draw[:-1] * self.count).astype(np.int64), self.shots)
        generator = torch.Generator().manual_seed(int(draw[-1] * 2**62))
        who = self.people.identities(self.first + labels)
        scene = sample_scene(self.people.basis, who, generator, self.hardness)
        rows = BATCH if self.people.device.type == "cpu" else 32 * BATCH  # bounds the memory
        parts = [render_scene(who[i : i + rows], scene[i : i + rows]) for i in range(0, self.batch, rows)]
        return Batch(
            torch.cat([part.images for part in parts]),
            torch.from_numpy(labels).to(self.people.device),
            torch.cat([part.landmarks for part in parts]),
        )
