"""The classes shared out among processes: exact softmax, of which no process holds more than its own columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ..errors import FaceLibError
from ..margins.base import Margin, as_float, check_labels
from .chunked import backward_in_blocks, check_arguments, forward_in_blocks, loss_and_accuracy
from .classifiers import new_centres, unit
from .partial import check_rate, draw_centres


class ShardedClassifier(nn.Module):
    """The centres of the classes [first, last), those of this process; the others of the group hold the rest.

    Use it with ``sharded_cross_entropy``. Called as it is, it gives the cosines of its own classes, (B, last - first).
    Keep it out of ``DistributedDataParallel``, which would make all shards alike: wrap the backbone alone, and give the
    optimiser both.

    Parameters
    ----------
    embedding, classes : int
        ``classes`` counts all of them, on all processes together. They need not be divisible.
    group : torch.distributed.ProcessGroup
        By default all processes, or this one alone where ``torch.distributed`` has not been initialised.
    generator : torch.Generator
        Of the new centres: with the same seed everywhere, those of a ``CosineClassifier``.
    rate : float
        Below 1: each step sees that share of the classes of each process, as in ``PartialFC``; see ``by_rows``.

    Raises
    ------
    FaceLibError
        For more processes than classes, a process outside the group, a rate that is no share.
    """

    def __init__(
        self,
        embedding: int,
        classes: int,
        group: dist.ProcessGroup | None = None,
        generator: torch.Generator | None = None,
        rate: float = 1.0,
    ) -> None:
        super().__init__()
        check_rate(rate)
        self.classes, self.group, self.rate = classes, group, rate
        among = dist.is_available() and dist.is_initialized()
        self.rank, self.world = (dist.get_rank(group), dist.get_world_size(group)) if among else (0, 1)
        if self.rank < 0:
            raise FaceLibError("this process is not in the group given: make the head on the group's processes only")
        if self.world > classes:
            raise FaceLibError(f"{self.world} processes cannot share {classes} classes: each needs one at least")
        self.first, self.last = (classes * n // self.world for n in (self.rank, self.rank + 1))
        self.weight = nn.Parameter(new_centres((classes, embedding), generator, self.first, self.last))

    def forward(self, embeddings: Tensor) -> Tensor:
        with torch.autocast(embeddings.device.type, enabled=False):
            return F.linear(*unit(embeddings, self.weight))

    def draw(self, labels: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """This process's centres of a step, and places among them of the (B,) labels; -1 for classes of others."""
        here = (labels >= self.first) & (labels < self.last)
        return draw_centres(self.weight, torch.where(here, labels - self.first, -1), self.rate, generator)

    def whole(self, rows: Tensor) -> Tensor:
        """What each process holds for its classes, (last - first, n), as (classes, n). Every process must call it."""
        longest = -(-self.classes // self.world)
        parts = gathered(F.pad(rows.detach(), (0, 0, 0, longest - len(rows))), self).split(longest)
        sizes = [self.classes * (n + 1) // self.world - self.classes * n // self.world for n in range(self.world)]
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    def gathered_state(self) -> dict[str, Tensor]:
        """The ``state_dict`` of the ``CosineClassifier`` that the shards are together. Every process must call it.

        It is the same on each, and whole: (classes, embedding). What an optimiser keeps for the rows is not in it.
        """
        return {"weight": self.whole(self.weight)}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take this process's rows of a ``gathered_state``, whatever number of processes wrote it.

        Raises
        ------
        FaceLibError
            For centres of other classes, or of another length.
        """
        shape = (self.classes, self.weight.shape[1])
        if tuple(state["weight"].shape) != shape:
            raise FaceLibError(f"weight {tuple(state['weight'].shape)}: this head needs all its centres, {shape}")
        with torch.no_grad():
            self.weight.copy_(state["weight"][self.first : self.last])

    def extra_repr(self) -> str:
        return f"classes={self.first} to {self.last - 1} of {self.classes}, embedding={self.weight.shape[1]}"


def sharded_cross_entropy(
    embeddings: Tensor,
    head: ShardedClassifier,
    labels: Tensor,
    margin: Margin,
    *,
    block: int | None = None,
    generator: torch.Generator | None = None,
    averaged: bool = False,
) -> tuple[Tensor, Tensor]:
    """Loss and clean accuracy of the whole batch over all classes; every process gives its part of the batch.

    Lesson 15 derives it (eq. 15.7 and 15.8).
    Embeddings and labels travel to all processes, and each looks at its own classes in blocks. Then four numbers a row
    are put together: two by their maximum (the largest cosine of another class; the largest logsumexp), two by their
    sum (the exponentials below that; the cosine of the right class, which one process knows). On the way back the
    gradients of the embeddings are summed. Exact: loss and gradients are those that ``chunked_cross_entropy`` finds
    for the whole batch in one process. All processes must call it, forward and backward.

    Parameters
    ----------
    embeddings : (b, D)
        Of this process; b must be the same everywhere. Fill up with rows of label -1 where it is not.
    head : ShardedClassifier
    labels : (b,)
        Numbers among all classes. Rows with label -1 do not count.
    margin : Margin
        As for ``chunked_cross_entropy``.
    block : int
        Classes at a time.
    generator : torch.Generator
        Of the draw, where the head's rate is below 1.
    averaged : bool
        Each process's gradients are those of the one loss, so that the backbone's are to be summed over the processes.
        ``DistributedDataParallel`` averages them: say so with True, and the gradient of the embeddings, not that
        of the centres, is multiplied by the number of processes.

    Returns
    -------
    loss, accuracy
        0-dimensional, the same on all processes; means over all rows with a label, wherever they are.

    Raises
    ------
    FaceLibError
        For parts of unequal size (seen on a CPU only), wrong labels, and what ``chunked_cross_entropy`` refuses.
    """
    check_arguments(embeddings, head.weight.shape, labels, margin)
    _check_sizes(labels, head)
    with torch.autocast(embeddings.device.type, enabled=False):
        everyone = _Everyone.apply(as_float(embeddings), head, head.world if averaged else 1)  # (B, D)
        labels = gathered(labels.long(), head)
        check_labels(labels, head.classes)
        centres, places = head.draw(labels, generator)
        target, rest, best = _ShardedCosine.apply(F.normalize(everyone), centres, places, margin.s, block, head)
        norms = torch.linalg.vector_norm(everyone, dim=1)
        return loss_and_accuracy(target, rest, best, norms, labels, margin)


class _Everyone(torch.autograd.Function):
    """(b, D) of each process -> (B, D) of all. Back: of a gradient that all processes have whole, the own rows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, head: ShardedClassifier, times: int) -> Tensor:
        ctx.own, ctx.times = slice(head.rank * len(x), (head.rank + 1) * len(x)), times
        return gathered(x, head)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return ctx.times * grad[ctx.own], None, None


class _ShardedCosine(torch.autograd.Function):
    """``BlockwiseCosine`` of all classes, each process with its own; the gradient of x is that of all processes."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        labels: Tensor,
        s: float,
        block: int | None,
        head: ShardedClassifier,
    ) -> tuple[Tensor, Tensor, Tensor]:
        target, rest, best = forward_in_blocks(x, weight, labels, s, block)
        most = reduced(torch.stack([rest, best]), head, "MAX")
        top = most[0].clamp(min=-1e30)  # finite where there is no other class at all
        sums = reduced(torch.stack([target, (rest - top).exp()]), head, "SUM")
        target, rest, best = sums[0], top + sums[1].log(), most[1]
        ctx.save_for_backward(x, weight, labels, rest)
        ctx.s, ctx.block, ctx.head = s, block, head
        ctx.mark_non_differentiable(best)
        return target, rest, best

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_target: Tensor, grad_rest: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        with torch.autocast(grad_target.device.type, enabled=False):
            x, weight, labels, rest = ctx.saved_tensors  # rest of all classes: so each cosine's share is right
            grads = backward_in_blocks(x, weight, labels, rest, ctx.s, ctx.block, grad_target, grad_rest)
        return reduced(grads[0], ctx.head, "SUM"), grads[1], None, None, None, None


def gathered(x: Tensor, head: ShardedClassifier) -> Tensor:
    """The x of all processes, one below the other."""
    if head.world == 1:
        return x.clone()
    parts = [torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(head.world)]
    dist.all_gather(parts, x.contiguous(), group=head.group)
    return torch.cat(parts)


def reduced(x: Tensor, head: ShardedClassifier, how: str) -> Tensor:
    """Sum or maximum over the processes, in place."""
    if head.world > 1:
        dist.all_reduce(x, getattr(dist.ReduceOp, how), group=head.group)
    return x


def _check_sizes(labels: Tensor, head: ShardedClassifier) -> None:
    if head.world == 1 or labels.device.type != "cpu":  # on a GPU a look at the sizes would stop the queue
        return
    sizes = gathered(torch.tensor([len(labels)], device="cpu"), head).tolist()
    if len(set(sizes)) > 1:
        raise FaceLibError(f"the processes give {sizes} rows: fill the parts up to the same size with label -1")
