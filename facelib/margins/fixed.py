"""Rules whose margin is the same for every picture: no state, frozen."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..errors import FaceLibError
from .base import Beyond, Gradient, Margin, angle, cos_beyond


@dataclass(frozen=True)
class Softmax(Margin):
    """No margin and no cosine: the scores W_j^T x + b_j as they are; ArcFace paper, eq. 1 (Deng et al. 2019).

    The first argument is the output of ``facelib.heads.LinearClassifier``, which owns W and the bias b.
    """

    s: float = 1.0
    gradient: Gradient = "exact"
    only_target = False  # it takes scores, so that a head in class blocks, which works on cosines, must refuse it

    def target(self, cosine: Tensor, norms: Tensor | None = None) -> Tensor:
        return cosine


@dataclass(frozen=True)
class NormFace(Margin):
    """s cos(theta_j) for every class: normalised softmax (Wang et al. 2017; ArcFace paper, eq. 2; eq. 5.4)."""

    s: float = 64.0
    gradient: Gradient = "exact"

    def target(self, cosine: Tensor, norms: Tensor | None = None) -> Tensor:
        return cosine


@dataclass(frozen=True)
class SphereFace(Margin):
    """psi(theta) = (-1)^k cos(m theta) - 2 k on [k pi / m, (k+1) pi / m], eq. 7 (Liu et al. 2017).

    Lesson 06, eq. 6.5.

    The paper has no s but the embedding's own length: ``SphereFace(s=1)(cosine, labels) * norms[:, None]``. It takes
    m = 4; any m >= 1 works here (1.35 in the comparison of the ArcFace paper). m = 4 from a random start is hard:
    the authors' code trains with (lam cos(theta) + psi(theta)) / (1 + lam) and lowers lam from 1000 to 5, as
    max(5, 1000 / (1 + 0.12 step)).
    """

    s: float = 64.0
    m: float = 4.0
    lam: float = 0.0
    gradient: Gradient = "exact"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.m <= 0 or self.lam < 0:
            raise FaceLibError(f"m={self.m}, lam={self.lam}: m must be above 0, lam at least 0; 4 and 5 are usual")

    def target(self, cosine: Tensor, norms: Tensor | None = None) -> Tensor:
        theta = angle(cosine)
        return (self.lam * cosine + cos_beyond(theta, self.m * theta, "fold")) / (1 + self.lam)


@dataclass(frozen=True)
class CosFace(Margin):
    """s (cos(theta_y) - m), eq. 4 (Wang et al. 2018); lesson 06, eq. 6.3."""

    s: float = 64.0
    m: float = 0.35
    gradient: Gradient = "exact"

    def target(self, cosine: Tensor, norms: Tensor | None = None) -> Tensor:
        return cosine - self.m


@dataclass(frozen=True)
class ArcFace(Margin):
    """s cos(theta_y + m), m in radians, eq. 3 (Deng et al. 2019); lesson 06, eq. 6.4.

    >>> import facelib, torch
    >>> cosine = torch.tensor([[0.8, 0.1, -0.3]])
    >>> facelib.ArcFace(s=64, m=0.5)(cosine, torch.tensor([0]))
    tensor([[ 26.5223,   6.4000, -19.2000]])
    """

    s: float = 64.0
    m: float = 0.5
    beyond: Beyond = "linear"
    gradient: Gradient = "exact"

    def target(self, cosine: Tensor, norms: Tensor | None = None) -> Tensor:
        theta = angle(cosine)
        return cos_beyond(theta, theta + self.m, self.beyond)


@dataclass(frozen=True)
class Combined(Margin):
    """s (cos(m1 theta_y + m2) - m3), eq. 4 of the ArcFace paper (Deng et al. 2019).

    Lesson 06, eq. 6.6. (m1, m2, m3) = (m, 0, 0) with beyond="fold" is SphereFace, (1, m, 0) ArcFace, (1, 0, m)
    CosFace; the paper trains (1, 0.3, 0.2) and (0.9, 0.4, 0.15).
    """

    s: float = 64.0
    m1: float = 1.0
    m2: float = 0.3
    m3: float = 0.2
    beyond: Beyond = "linear"
    gradient: Gradient = "exact"

    def target(self, cosine: Tensor, norms: Tensor | None = None) -> Tensor:
        theta = angle(cosine)
        return cos_beyond(theta, self.m1 * theta + self.m2, self.beyond) - self.m3
