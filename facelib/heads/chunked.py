"""The loss of all classes without the matrix of all cosines: in blocks, forward and backward."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ..errors import FaceLibError
from ..margins.base import Margin, as_float, check_labels


def chunked_cross_entropy(
    embeddings: Tensor, weight: Tensor, labels: Tensor, margin: Margin, block: int | None = None
) -> tuple[Tensor, Tensor]:
    """Loss and clean accuracy of a margin without the (B, classes) matrix, forward or backward: exact, in class blocks.

    Memory beyond weights and gradient is that of a few blocks, whatever the number of classes, for one
    more matrix product: cosines are computed again in the backward pass (lesson 15, eq. 15.2 and 15.3).

    Parameters
    ----------
    embeddings : (B, D)
        Of any length; their lengths are the ``norms`` of AdaFace and MagFace.
    weight : (classes, D), or (classes, k, D) of a ``SubCenter``
    labels : (B,)
        Rows with label -1 do not count.
    margin : Margin
        One that changes only the target's logit: not CurricularFace, not UniFace. Nor Softmax, which takes scores.
    block : int
        Classes at a time; by default about a million cosines on a CPU and 64 million on a GPU.

    Returns
    -------
    loss, accuracy
        0-dimensional; means over the rows with a label, as of ``F.cross_entropy`` and ``clean_accuracy``.
    """
    check_arguments(embeddings, weight.shape, labels, margin)
    check_labels(labels, len(weight))
    with torch.autocast(embeddings.device.type, enabled=False):
        embeddings, labels = as_float(embeddings), labels.long()
        target, rest, best = BlockwiseCosine.apply(F.normalize(embeddings), weight, labels, margin.s, block)
        norms = torch.linalg.vector_norm(embeddings, dim=1)
        return loss_and_accuracy(target, rest, best, norms, labels, margin)


def check_arguments(embeddings: Tensor, weight: tuple[int, ...], labels: Tensor, margin: Margin) -> None:
    """Refuse a margin that needs the whole matrix, and shapes that do not fit together."""
    if not getattr(margin, "only_target", False):
        raise FaceLibError(
            f"{type(margin).__name__} cannot be taken in class blocks, which want cosines, cross-entropy and a margin"
            " on the target's logit alone: call it on the output of the whole head, or choose another margin"
        )
    if embeddings.ndim != 2 or labels.shape != embeddings.shape[:1] or weight[-1] != embeddings.shape[1]:
        shapes = [tuple(embeddings.shape), tuple(weight), tuple(labels.shape)]
        raise FaceLibError(f"embeddings, weight, labels: expected (B, D), (classes, D), (B,), got {shapes}")


def loss_and_accuracy(
    target: Tensor, rest: Tensor, best: Tensor, norms: Tensor, labels: Tensor, margin: Margin
) -> tuple[Tensor, Tensor]:
    """Means over the rows with a label, from the three vectors of ``BlockwiseCosine``."""
    known = labels >= 0
    count = known.sum().clamp(min=1)
    logit = margin.s * margin.moved(target, labels, norms)
    loss = torch.where(known, -F.logsigmoid(logit - rest), 0).sum() / count  # = -log(e^z / (e^z + e^rest))
    return loss, ((target > best) & known).sum() / count


class BlockwiseCosine(torch.autograd.Function):
    """Unit embeddings (B, D) and centres -> three vectors (B,) that are all a loss needs to know of the classes.

    ``target``, the cosine of the right class (0 for label -1); ``rest``, logsumexp of s times the other cosines;
    ``best``, the largest of the other cosines, without gradient. A head sharded over processes sums the first
    over them, logaddexp the second and takes the maximum of the third.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, labels: Tensor, s: float, block: int | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        target, rest, best = forward_in_blocks(x, weight, labels, s, block)
        ctx.save_for_backward(x, weight, labels, rest)
        ctx.s, ctx.block = s, block
        ctx.mark_non_differentiable(best)
        return target, rest, best

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_target: Tensor, grad_rest: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        with torch.autocast(grad_target.device.type, enabled=False):  # backward() may stand inside the user's
            x, weight, labels, rest = ctx.saved_tensors
            grads = backward_in_blocks(x, weight, labels, rest, ctx.s, ctx.block, grad_target, grad_rest)
        return *grads, None, None, None


def forward_in_blocks(
    x: Tensor, weight: Tensor, labels: Tensor, s: float, block: int | None
) -> tuple[Tensor, Tensor, Tensor]:
    """The three vectors, block by block."""
    target = x.new_zeros(len(x))
    rest, best = x.new_full((2, len(x)), -torch.inf)
    for start, centres in _blocks(x, weight, block):
        cosine = _nearest(x @ _normalised(centres, x)[0].T, centres)[0]
        index, inside = _own_column(labels, start, cosine)
        own = cosine.gather(1, index)
        target = torch.where(inside, own, target[:, None])[:, 0]
        cosine.scatter_(1, index, torch.where(inside, -torch.inf, own))
        top = cosine.amax(1)
        best = torch.maximum(best, top)
        top = top.clamp(min=-2)  # finite where the block held nothing but the target
        total = cosine.sub_(top[:, None]).mul_(s).exp_().sum(1)
        rest = torch.logaddexp(rest, s * top + total.log())
    return target, rest, best


def backward_in_blocks(
    x: Tensor,
    weight: Tensor,
    labels: Tensor,
    rest: Tensor,
    s: float,
    block: int | None,
    to_target: Tensor,
    to_rest: Tensor,
) -> tuple[Tensor, Tensor]:
    """Gradients of x and weight from those of target and rest, block by block; the cosines are computed again."""
    grad_x, grad_weight = torch.zeros_like(x), torch.empty_like(weight)
    for start, centres in _blocks(x, weight, block):
        unit, length = _normalised(centres, x)
        cosine, which = _nearest(x @ unit.T, centres)
        index, inside = _own_column(labels, start, cosine)
        # d rest / d cosine_j = s exp(s cosine_j - rest); the target's column is set, not added to.
        grad = cosine.mul_(s).sub_(rest[:, None]).exp_().mul_(s * to_rest[:, None])
        grad.scatter_(1, index, torch.where(inside, to_target[:, None], grad.gather(1, index)))
        if which is not None:  # only the nearest of the k centres
            grad = grad.new_zeros(*grad.shape, centres.shape[1]).scatter_(2, which, grad[..., None]).flatten(1)
        grad_x.addmm_(grad, unit)
        slope = grad.T @ x
        slope.sub_(unit * (unit * slope).sum(1, keepdim=True)).div_(length)
        grad_weight[start : start + len(centres)] = slope.view_as(centres)
    return grad_x, grad_weight


def _blocks(x: Tensor, weight: Tensor, block: int | None) -> Iterator[tuple[int, Tensor]]:
    """First class and centres of each block."""
    if block is None:
        cosines = 2**20 if x.device.type == "cpu" else 2**26
        block = max(1, cosines // max(1, len(x)) // (weight.shape[1] if weight.ndim == 3 else 1))
    if block < 1:
        raise FaceLibError(f"block={block}: the number of classes taken at a time must be at least 1")
    for start in range(0, len(weight), block):
        yield start, weight[start : start + block]


def _normalised(centres: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Unit centres (b * k, D) in the dtype of x, and their lengths before, (b * k, 1)."""
    flat = centres.reshape(-1, centres.shape[-1]).to(x.dtype)
    length = torch.linalg.vector_norm(flat, dim=1, keepdim=True).clamp_(min=1e-12)
    return flat / length, length


def _nearest(cosine: Tensor, centres: Tensor) -> tuple[Tensor, Tensor | None]:
    """(B, b * k) -> cosine of each class's nearest centre (B, b), and, with k centres, which it was (B, b, 1)."""
    if centres.ndim == 2:
        return cosine, None
    values, which = cosine.unflatten(1, centres.shape[:2]).max(2, keepdim=True)
    return values[..., 0], which


def _own_column(labels: Tensor, start: int, cosine: Tensor) -> tuple[Tensor, Tensor]:
    """Column of each row's label in this block (B, 1), and whether it is in this block at all."""
    column = (labels - start)[:, None]
    inside = (column >= 0) & (column < cosine.shape[1])
    return column.clamp(0, cosine.shape[1] - 1), inside
