"""Which pictures a step sees. Everything random is a function of (seed, step), so nothing needs to be remembered."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from ..errors import FaceLibError


class Order:
    """Batches of picture numbers from step ``start`` on: what ``DataLoader(batch_sampler=...)`` takes.

    Each epoch is another permutation; its last pictures, too few for a batch, wait for another epoch. A batch is
    dealt to ``world`` processes in equal runs, and each process's share to ``parts`` in equal runs: whatever their
    numbers, together they see what one process would.
    """

    def __init__(
        self,
        count: int,
        batch: int,
        seed: int,
        *,
        steps: int,
        start: int = 0,
        rank: int = 0,
        world: int = 1,
        parts: int = 1,
    ) -> None:
        if batch % (world * parts):
            raise FaceLibError(f"--batch {batch} cannot be dealt to {world} processes with {parts} parts each")
        if count < batch:
            raise FaceLibError(f"{count:,} pictures are fewer than one --batch {batch}; take a smaller batch")
        self.count, self.batch, self.seed, self.steps, self.start = count, batch, seed, steps, start
        self.rank, self.world, self.parts = rank, world, parts
        self.per_epoch = count // batch

    def __len__(self) -> int:
        return (self.steps - self.start) * self.parts

    def __iter__(self) -> Iterator[list[int]]:
        size = self.batch // (self.world * self.parts)
        epoch, shuffled = -1, np.zeros(0, np.int64)
        for step in range(self.start, self.steps):
            if step // self.per_epoch != epoch:
                epoch = step // self.per_epoch
                shuffled = np.random.default_rng((self.seed, epoch)).permutation(self.count)
            first = step % self.per_epoch * self.batch + self.rank * size * self.parts
            for part in range(self.parts):
                yield shuffled[first + part * size : first + (part + 1) * size].tolist()

    def rows(self, part: int) -> slice:
        """Where a part of this process stands in the whole batch."""
        size = self.batch // (self.world * self.parts)
        first = (self.rank * self.parts + part) * size
        return slice(first, first + size)


def generator(seed: int, step: int) -> torch.Generator:
    """Of all that is random in one step but the dropout."""
    return torch.Generator().manual_seed(step_seed(seed, step, 0))


def step_seed(seed: int, step: int, use: int) -> int:
    """A number for each (seed, step, use), without a pattern between neighbours."""
    return int(np.random.SeedSequence((seed, step, use)).generate_state(1, np.uint64)[0] >> np.uint64(1))
