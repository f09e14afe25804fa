"""A sample of the classes in each step: those of the batch, and some others."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import FaceLibError
from ..margins.base import check_labels
from .classifiers import CosineClassifier, unit


class PartialFC(CosineClassifier):
    """A head of which each step sees the classes of its batch and a random share of the others (An et al. 2021, 2022).

    The softmax over the drawn classes stands in for that over all; logits, gradient and arithmetic shrink with the
    share (lesson 15, eq. 15.4 to 15.6). Called as it is, the head gives all cosines, as ``CosineClassifier`` does,
    whose new centres it has too. For a training step::

        head = facelib.PartialFC(512, classes, rate=0.1)
        optimizer = facelib.heads.by_rows(torch.optim.SGD(groups, lr=0.1, momentum=0.9))

        cosine, places = head.cosine(embeddings, labels, generator)
        loss = F.cross_entropy(margin(cosine, places), places)

    or, without the matrix of the drawn cosines::

        centres, places = head.draw(labels, generator)
        loss, accuracy = facelib.chunked_cross_entropy(embeddings, centres, places, margin)

    Any margin will do. An accuracy of these cosines is one among the drawn classes, and looks better than it is.

    The gradient of ``weight`` is sparse: it names the drawn rows and holds theirs alone. ``by_rows`` makes any
    optimiser of PyTorch leave the others where they are, with no decay and no momentum. Centres and momentum stay
    whole; beyond them a step of SGD needs about four times the drawn centres. For a million classes of 512 numbers, 256
    embeddings and a rate of 0.1 that is 0.8 GB, where blocks of classes need 4 GB and the whole matrix 10 GB
    (``benchmarks/partial.py``). ``DistributedDataParallel`` does not take a sparse gradient: on several processes use
    ``ShardedClassifier``, which has a rate too.

    Parameters
    ----------
    embedding, classes : int
    rate : float
        Share of the classes in a step, above 0 and up to 1. With 1 it is ``CosineClassifier``, dense gradient included.
    generator : torch.Generator
        Of the new centres. Which classes are drawn is decided by the generator given to ``draw``.

    Raises
    ------
    FaceLibError
        For a rate that is no such share.
    """

    def __init__(
        self, embedding: int, classes: int, rate: float = 0.1, generator: torch.Generator | None = None
    ) -> None:
        check_rate(rate)
        super().__init__(embedding, classes, generator)
        self.rate = rate

    def draw(self, labels: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Centres of this step, and where the labels are among them.

        Parameters
        ----------
        labels : (B,) integers
            -1 stays -1.
        generator : torch.Generator
            Of the draw, which depends on it and on the labels alone: with a CPU's generator, or none (then PyTorch's
            own is used), it is the same on every device.

        Returns
        -------
        centres : (k, embedding)
            In the order of the classes; k = ceil(rate * classes), more only if the batch itself has more classes.
        places : (B,) int64

        Raises
        ------
        FaceLibError
            For labels that the head does not have.
        """
        return draw_centres(self.weight, labels, self.rate, generator)

    def cosine(
        self, embeddings: Tensor, labels: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Cosines to the centres of this step (B, k), at least float32 also in autocast, and ``places`` (B,)."""
        centres, places = self.draw(labels, generator)
        with torch.autocast(embeddings.device.type, enabled=False):
            return F.linear(*unit(embeddings, centres)), places

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, rate={self.rate}"


def draw_centres(
    weight: Tensor, labels: Tensor, rate: float, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """What ``PartialFC.draw`` returns, of any rows of centres."""
    check_labels(labels, len(weight))
    labels = labels.long()
    if rate == 1:
        return weight, labels
    wanted = math.ceil(round(rate * len(weight), 6))  # 0.07 * 100 is 7.000000000000001
    rows = draw_classes(labels, len(weight), wanted, generator).to(weight.device)
    centres = F.embedding(rows, weight, sparse=True)
    return centres, torch.where(labels >= 0, torch.searchsorted(rows, labels), -1)


def draw_classes(labels: Tensor, classes: int, wanted: int, generator: torch.Generator | None = None) -> Tensor:
    """Numbers of the classes that take part in a step, rising: all those of the labels and random others.

    Every set of others is as likely as any other. For a million classes and a tenth of them it takes 10 ms on one core;
    the first tenth of a random permutation, sorted, takes three times as long.

    Parameters
    ----------
    labels : (B,) integers
        -1 is no class.
    classes : int
        How many there are.
    wanted : int
        How many to draw; more where the labels alone are more.
    generator : torch.Generator
        On whose device the classes are drawn.
    """
    device = "cpu" if generator is None else generator.device
    chosen = torch.zeros(classes, dtype=torch.bool, device=device)
    chosen[labels[labels >= 0].to(device)] = True
    if 2 * wanted <= classes:  # a class drawn at random is new at least every second time
        while (missing := wanted - int(chosen.count_nonzero())) > 0:
            chosen[torch.randint(classes, (missing,), generator=generator, device=device)] = True
    else:
        others = (~chosen).nonzero()[:, 0]
        missing = max(0, wanted - classes + len(others))
        chosen[others[torch.randperm(len(others), generator=generator, device=device)[:missing]]] = True
    return chosen.nonzero()[:, 0]


def check_rate(rate: float) -> None:
    if not 0 < rate <= 1:
        raise FaceLibError(f"rate={rate}: the share of classes in a step must be above 0 and at most 1; 0.1 is common")
