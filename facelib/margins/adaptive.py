"""Rules whose margin, or whose loss, depends on more than the angle: the embedding's length, the training so far."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .base import Beyond, Gradient, Margin, angle, as_float, check, cos_beyond, follow, needed


@dataclass(frozen=True)
class MagFace(Margin):
    """s cos(theta_y + m(a)), a the embedding's length (Meng et al. 2021).

    m(a) = l_m + (a - l_a) (u_m - l_m) / (u_a - l_a) on [l_a, u_a] and constant outside: long embeddings, which should
    come of good pictures, get the larger margin. Needs ``norms``, through which a gradient flows, and the term
    that lengthens embeddings: ``loss = cross_entropy(logits, labels) + 35 * margin.regulariser(norms)``.
    """

    s: float = 64.0
    l_m: float = 0.45
    u_m: float = 0.8
    l_a: float = 10.0
    u_a: float = 110.0
    beyond: Beyond = "linear"
    gradient: Gradient = "exact"

    def target(self, cosine: Tensor, norms: Tensor | None = None) -> Tensor:
        a = needed(norms, self).clamp(self.l_a, self.u_a)
        m = self.l_m + (a - self.l_a) * (self.u_m - self.l_m) / (self.u_a - self.l_a)
        theta = angle(cosine)
        return cos_beyond(theta, theta + m, self.beyond)

    def regulariser(self, norms: Tensor) -> Tensor:
        """Mean over the batch of g(a) = 1 / a + a / u_a^2, smallest at a = u_a. The paper weights it by 35.

        Not clamped to [l_a, u_a]: below l_a it is what lengthens an embedding.
        """
        a = as_float(norms).clamp(min=1e-3)
        return (1 / a + a / self.u_a**2).mean()


class AdaFace(nn.Module, Margin):
    """s (cos(theta_y + g_angle) - g_add), g_angle = -m z, g_add = m z + m (Kim et al. 2022).

    z = clip((a - mean) / (std / h), -1, 1) says how the embedding's length a, which stands for the picture's quality,
    compares with the others: z = -1 is ArcFace, 0 CosFace with margin m, 1 an angle eased by m and a cosine
    lessened by 2 m. (g_add stands inside s, as in the authors' code; outside, z = 0 would not be CosFace.) Needs
    ``norms``; no gradient flows through them.

    State: ``mean`` and ``std``, moved by ``momentum`` towards those of each batch before they are used. A batch with a
    length that is not finite moves neither. Each device of a distributed run keeps its own.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        s: float = 64.0,
        m: float = 0.4,
        h: float = 0.333,
        momentum: float = 0.01,
        beyond: Beyond = "clamp",
        gradient: Gradient = "exact",
    ) -> None:
        super().__init__()
        self.s, self.m, self.h, self.momentum, self.beyond, self.gradient = s, m, h, momentum, beyond, gradient
        self.register_buffer("mean", torch.tensor(20.0))
        self.register_buffer("std", torch.tensor(100.0))
        self.__post_init__()

    forward = Margin.__call__

    @torch.no_grad()
    def observe(self, target: Tensor, labels: Tensor, norms: Tensor | None) -> None:
        norms = needed(norms, self)
        if len(norms) > 1:  # one embedding has no spread
            follow((self.mean, self.std), (norms.mean(), norms.std()), self.momentum)

    def target(self, cosine: Tensor, norms: Tensor | None = None) -> Tensor:
        a = needed(norms, self).detach()
        z = ((a - self.mean) * self.h / (self.std + 1e-3)).clamp(-1, 1)
        theta = angle(cosine)
        return cos_beyond(theta, theta - self.m * z, self.beyond) - self.m * (z + 1)

    def extra_repr(self) -> str:
        return f"s={self.s}, m={self.m}, h={self.h}, momentum={self.momentum}, gradient={self.gradient!r}"


class CurricularFace(nn.Module, Margin):
    """ArcFace's target, and hard classes weighted by a curriculum (Huang et al. 2020).

    A class j whose cosine exceeds T = cos(theta_y + m) is hard: its cosine becomes cos(theta_j) (t + cos(theta_j)).
    Easy ones stay. Rows with label -1 know no T and stay as they are.

    State: ``t``, from 0, moved by ``momentum`` towards the batch's mean cos(theta_y) before it is used: hard classes
    count little at first and more as training goes on. A mean that is not finite does not move it.
    """

    t: Tensor
    only_target = False

    def __init__(
        self,
        s: float = 64.0,
        m: float = 0.5,
        momentum: float = 0.01,
        beyond: Beyond = "linear",
        gradient: Gradient = "exact",
    ) -> None:
        super().__init__()
        self.s, self.m, self.momentum, self.beyond, self.gradient = s, m, momentum, beyond, gradient
        self.register_buffer("t", torch.tensor(0.0))
        self.__post_init__()

    @torch.no_grad()
    def observe(self, target: Tensor, labels: Tensor, norms: Tensor | None) -> None:
        known = labels >= 0
        mean = torch.where(known, target, 0).sum() / known.sum().clamp(min=1)
        follow((self.t,), (mean,), self.momentum * known.any().to(self.t))

    def target(self, cosine: Tensor, norms: Tensor | None = None) -> Tensor:
        theta = angle(cosine)
        return cos_beyond(theta, theta + self.m, self.beyond)

    def forward(self, cosine: Tensor, labels: Tensor, norms: Tensor | None = None) -> Tensor:
        cosine, labels, norms = check(cosine, labels, norms)
        index = labels.clamp(min=0)[:, None]
        new = self.moved(cosine.gather(1, index)[:, 0], labels, norms)
        hard = (cosine > new[:, None]) & (labels >= 0)[:, None]
        others = torch.where(hard, cosine * (self.t + cosine), cosine)
        if self.gradient == "detached":
            others = cosine + (others - cosine).detach()
        return (self.s * others).scatter_(1, index, self.s * new[:, None])

    def extra_repr(self) -> str:
        return f"s={self.s}, m={self.m}, momentum={self.momentum}, gradient={self.gradient!r}"


class UniFace(nn.Module, Margin):
    """s (cos(theta_y) - m) - b and s cos(theta_j) - b, for ``unified_cross_entropy`` (Zhou et al. 2023).

    One threshold b for all classes: right pairs should come above it and wrong ones below, which softmax does not
    ask for. Under ordinary cross-entropy b cancels and this is CosFace. State: ``b``, learnt, from log(10 classes).
    """

    only_target = False

    def __init__(self, classes: int, s: float = 64.0, m: float = 0.4, gradient: Gradient = "exact") -> None:
        super().__init__()
        self.s, self.m, self.gradient = s, m, gradient
        self.b = nn.Parameter(torch.tensor(math.log(10 * classes)))
        self.__post_init__()

    def target(self, cosine: Tensor, norms: Tensor | None = None) -> Tensor:
        return cosine - self.m

    def forward(self, cosine: Tensor, labels: Tensor, norms: Tensor | None = None) -> Tensor:
        return Margin.__call__(self, cosine, labels, norms) - self.b

    def extra_repr(self) -> str:
        return f"s={self.s}, m={self.m}, gradient={self.gradient!r}"


def unified_cross_entropy(logits: Tensor, labels: Tensor, balance: float = 1.0) -> Tensor:
    """UniFace's loss: log(1 + exp(-z_y)) + balance sum_(j != y) log(1 + exp(z_j)), mean over rows.

    ``logits`` (B, C) are those of ``UniFace``: eq. 31 of the paper, with ``balance`` as lambda in eq. 32. A row with
    label -1 has no first term.
    """
    index, known = labels.long().clamp(min=0)[:, None], labels >= 0
    z = logits.gather(1, index)[:, 0]
    right = torch.where(known, F.softplus(-z), 0)
    wrong = F.softplus(logits).sum(1) - torch.where(known, F.softplus(z), 0)
    return (right + balance * wrong).mean()
