"""One process or many: what ``torchrun`` says, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, nn
from torch import distributed as dist

from ..devices import usable


@dataclass(frozen=True)
class World:
    """This process among ``size``; ``device`` is where it computes."""

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def mean(self, values: Tensor) -> Tensor:
        """Mean over the processes."""
        if self.size > 1:
            values = values.clone()
            dist.all_reduce(values)
            values /= self.size
        return values

    def agree(self, wish: bool, now: bool) -> bool:
        """Whether any process wishes to stop; several of them ask each other only ``now`` and then."""
        if self.size == 1:
            return wish
        if not now:
            return False
        wishes = torch.tensor(float(wish), device=self.device)
        dist.all_reduce(wishes, dist.ReduceOp.MAX)
        return bool(wishes.item())

    def gather(self, values: Tensor) -> Tensor:
        """The values of all processes, one below the other; as many of each."""
        if self.size == 1:
            return values
        parts = [torch.empty_like(values) for _ in range(self.size)]
        dist.all_gather(parts, values.contiguous())
        return torch.cat(parts)

    def average_gradient(self, parameter: Tensor) -> None:
        """Mean over the processes of a gradient that ``wrap`` left apart; if sparse, all name the same rows."""
        if self.size > 1 and parameter.grad is not None:
            values = parameter.grad._values() if parameter.grad.is_sparse else parameter.grad
            dist.all_reduce(values)
            values /= self.size

    def wrap(self, model: nn.Module, sync_bn: bool = False, apart: tuple[str, ...] = ()) -> nn.Module:
        """The model with gradients averaged over the processes, but for the parameters named in ``apart``."""
        if self.size == 1:
            return model
        if sync_bn and self.device.type == "cuda":
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        nn.parallel.DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(model, apart)
        ids = [self.device.index] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(model, device_ids=ids)


@contextmanager
def world(device: str) -> Iterator[World]:
    """Join the other processes that ``torchrun`` started, if there are any; leave them at the end.

    Raises
    ------
    FaceLibError
        For a device that is not there.
    """
    size = int(os.environ.get("WORLD_SIZE", 1))
    if size == 1:
        yield World(0, 1, usable(device))
        return
    local = int(os.environ.get("LOCAL_RANK", 0))
    own = usable(f"cuda:{local}" if device == "cuda" else device)
    if own.type == "cuda":
        torch.cuda.set_device(own)
    patience = timedelta(hours=2)  # the others wait while the first validates
    dist.init_process_group("nccl" if own.type == "cuda" else "gloo", timeout=patience)
    try:
        yield World(dist.get_rank(), size, own)
    finally:
        dist.destroy_process_group()
