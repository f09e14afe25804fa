"""The heads that hold all centres in one place and look at all of them in every step."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import FaceLibError
from ..margins.base import as_float, check_labels

LENGTH = 0.226
"""Expected length of a new centre. The angle that a step turns it by falls with the square of its length; this one is
that of 512 numbers of standard deviation 0.01, for which the usual learning rates (0.1 for SGD) were found."""
BLOCK = 2**16  # classes whose new centres are made at once


class CosineClassifier(nn.Module):
    """One centre for each class; embeddings (B, embedding) -> cosine (B, classes), at least float32 also in autocast.

    ``weight`` (classes, embedding) starts in random directions. Only the directions count, so weight decay
    does not press the centres towards 0: it stops their lengths from growing, and with them the steps, measured as
    angles, from dying away. So let it act on the head as on the backbone (``parameter_groups``).
    Lesson 05, eq. 5.4 to 5.6.

    Raises
    ------
    FaceLibError
        For no class, or embeddings of no number.
    """

    def __init__(self, embedding: int, classes: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(new_centres((classes, embedding), generator))

    def forward(self, embeddings: Tensor) -> Tensor:
        with torch.autocast(embeddings.device.type, enabled=False):
            return F.linear(*unit(embeddings, self.weight))

    def extra_repr(self) -> str:
        return ", ".join(f"{n}={v}" for n, v in zip(("classes", "embedding"), self.weight.shape, strict=True))


class SubCenter(nn.Module):
    """k centres for each class, of which the nearest counts (Deng et al. 2020); same call, any margin.

    The others are free to take what does not belong: wrong labels, pictures of another kind. ``weight`` is
    (classes, k, embedding).

    Raises
    ------
    FaceLibError
        For no class, no centre for each, or embeddings of no number.
    """

    def __init__(self, embedding: int, classes: int, k: int = 3, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(new_centres((classes, k, embedding), generator))

    def forward(self, embeddings: Tensor) -> Tensor:
        with torch.autocast(embeddings.device.type, enabled=False):
            cosine = F.linear(*unit(embeddings, self.weight.flatten(0, 1)))  # (B, classes * k)
            return cosine.unflatten(1, self.weight.shape[:2]).max(2).values

    def extra_repr(self) -> str:
        return ", ".join(f"{n}={v}" for n, v in zip(("classes", "k", "embedding"), self.weight.shape, strict=True))


class LinearClassifier(nn.Linear):
    """W x + b, for the plain softmax: scores (B, classes), not cosines. It owns the bias; ``Softmax`` has none."""

    def __init__(self, embedding: int, classes: int, bias: bool = True) -> None:
        super().__init__(embedding, classes, bias)

    def forward(self, embeddings: Tensor) -> Tensor:
        with torch.autocast(embeddings.device.type, enabled=False):
            return F.linear(as_float(embeddings), self.weight, self.bias)


def clean_accuracy(cosine: Tensor, labels: Tensor) -> Tensor:
    """Share of rows whose own class alone has the largest cosine; 0-dimensional, on the cosine's device.

    ``cosine`` (B, C) is what the head returned, without a margin: a margin of 0.5 keeps even a trained network's
    target logit below others, and accuracy on those logits sits near 0. Rows with label -1 do not count.

    Raises
    ------
    FaceLibError
        For labels that the head does not have (seen on a CPU only).
    """
    check_labels(labels, cosine.shape[1])
    known = labels >= 0
    own = cosine.gather(1, labels.long().clamp(min=0)[:, None])
    right = ((cosine >= own).sum(1) == 1) & known
    return right.sum() / known.sum().clamp(min=1)


def new_centres(
    shape: tuple[int, ...], generator: torch.Generator | None, first: int = 0, last: int | None = None
) -> Tensor:
    """Centres in random directions; of the classes [first, last) only, those that they would have among all.

    Made block by block, so that a shard never holds the rest.
    """
    if min(shape) < 1:
        names = ("classes", "k", "embedding") if len(shape) == 3 else ("classes", "embedding")
        given = ", ".join(f"{name}={size}" for name, size in zip(names, shape, strict=True))
        raise FaceLibError(f"{given}: each must be at least 1")
    last = shape[0] if last is None else last
    kept = torch.empty(last - first, *shape[1:])
    for start in range(0, shape[0], BLOCK):  # to the end, so that all shards leave the generator alike
        stop = min(start + BLOCK, shape[0])
        inside = first <= start and stop <= last
        block = kept[start - first : stop - first] if inside else torch.empty(stop - start, *shape[1:])
        nn.init.normal_(block, std=LENGTH / shape[-1] ** 0.5, generator=generator)
        if not inside:
            mine = block[max(first - start, 0) : max(last - start, 0)]
            kept[max(start - first, 0) : max(stop - first, 0)] = mine
    return kept


def unit(embeddings: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Embeddings and centres of length 1, in the working precision of the embeddings."""
    x = F.normalize(as_float(embeddings))
    return x, F.normalize(as_float(weight)).to(x.dtype)
