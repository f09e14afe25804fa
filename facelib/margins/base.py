"""What all margins share: the call, the angle, what happens past pi, the checks of the arguments."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from numbers import Real
from typing import Literal, get_args

import torch
from torch import Tensor

from ..errors import FaceLibError

Gradient = Literal["exact", "detached"]
Beyond = Literal["linear", "fold", "clamp", "easy", "none"]

LIMIT = 1 - 1e-6
"""Cosines are held within +-LIMIT before acos, whose slope is infinite at +-1. There the slope of cos(theta + m) is
about sin(m) / 0.0014 + cos(m), so that s = 64 times it fits a float16 gradient; the angle errs by 0.0014 at most."""


def angle(cosine: Tensor) -> Tensor:
    """theta = acos(cosine) in radians, with a slope that is finite at +-1 and not zero beyond.

    The clamp is left out of the backward pass: a cosine of exactly 1, common in 16 bits, gets the slope at LIMIT.
    """
    return torch.acos(cosine + (cosine.clamp(-LIMIT, LIMIT) - cosine).detach())


def cos_beyond(theta: Tensor, phi: Tensor, beyond: Beyond) -> Tensor:
    """cos(phi) of the angle phi that a margin made of theta; past pi by the rule named (see the module)."""
    if beyond == "fold":
        k = torch.floor(phi.detach() / math.pi)
        return (1 - 2 * (k % 2)) * torch.cos(phi) - 2 * k
    if beyond == "clamp":
        return torch.cos(phi.clamp(0, math.pi))
    if beyond == "easy":
        return torch.where(theta < math.pi / 2, torch.cos(phi), torch.cos(theta))
    if beyond == "linear":
        extra = phi - theta
        return torch.where(phi <= math.pi, torch.cos(phi), torch.cos(theta) - extra * torch.sin(extra))
    return torch.cos(phi)


class Margin(ABC):
    """What all rules share: the target's logit is replaced, all others are s times the cosine.

    A rule of your own needs ``target`` and nothing else; ``s`` and ``gradient`` have defaults here.
    """

    s: float = 64.0
    gradient: Gradient = "exact"
    only_target = True  # cross-entropy of s * cosine, but for the target's logit: what a head in class blocks needs
    training = False  # nn.Module has its own; the rules without a state have nothing to train

    @abstractmethod
    def target(self, cosine: Tensor, norms: Tensor | None = None) -> Tensor:
        """The rule: cosine of the right class -> what stands in for it, before s. Any shape; norms of the same."""

    def observe(self, target: Tensor, labels: Tensor, norms: Tensor | None) -> None:  # noqa: B027  most have no state
        """Moves the state, where there is one. Called once for each batch while ``training``."""

    def moved(self, target: Tensor, labels: Tensor, norms: Tensor | None = None) -> Tensor:
        """(B,) cosines of the right classes -> (B,) with the margin; rows with label -1 stay as they are."""
        if self.training:
            self.observe(target.detach(), labels, norms)
        new = self.target(target, norms)
        if self.gradient == "detached":
            new = target + (new - target).detach()
        return torch.where(labels >= 0, new, target)

    def __call__(self, cosine: Tensor, labels: Tensor, norms: Tensor | None = None) -> Tensor:
        """(B, C) cosines, (B,) labels and, where needed, (B,) norms -> (B, C) logits."""
        cosine, labels, norms = check(cosine, labels, norms)
        index = labels.clamp(min=0)[:, None]
        new = self.moved(cosine.gather(1, index)[:, 0], labels, norms)
        return (self.s * cosine).scatter_(1, index, self.s * new[:, None])

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, Real) and not math.isfinite(value):
                raise FaceLibError(f"{name}={value}: must be a finite number")
        if not self.s > 0:
            raise FaceLibError(f"s={self.s}: the scale of the logits must be above 0; 16 to 64 are common")
        for name, choices in (("gradient", get_args(Gradient)), ("beyond", get_args(Beyond))):
            if getattr(self, name, choices[0]) not in choices:
                raise FaceLibError(f"{name}={getattr(self, name)!r}: choose one of {', '.join(choices)}")


def check(cosine: Tensor, labels: Tensor, norms: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """The arguments in working precision, after a look at their shapes and, where that costs nothing, the labels."""
    if cosine.ndim != 2 or labels.shape != cosine.shape[:1] or (norms is not None and norms.shape != labels.shape):
        shapes = [tuple(x.shape) for x in (cosine, labels, norms) if x is not None]
        raise FaceLibError(f"cosine, labels, norms: expected shapes (B, C), (B,), (B,), got {shapes}")
    check_labels(labels, cosine.shape[1])
    cosine = as_float(cosine)
    return cosine, labels.long(), None if norms is None else norms.to(cosine.dtype)


def check_labels(labels: Tensor, classes: int) -> None:
    if labels.is_floating_point() or labels.is_complex():
        raise FaceLibError(f"labels must be integers, not {labels.dtype}: one class number a row")
    # On a GPU a look at the values would stop the queue; there, gather itself reports a label that does not exist.
    if labels.device.type == "cpu" and not torch.compiler.is_compiling() and len(labels):
        low, high = int(labels.min()), int(labels.max())
        if low < -1 or high >= classes:
            raise FaceLibError(f"labels run from {low} to {high}, the head has classes 0 to {classes - 1} (-1: none)")


def as_float(values: Tensor) -> Tensor:
    """float64 stays; everything else becomes float32. The rules use no operation that autocast would lower again."""
    return values if values.dtype == torch.float64 else values.float()


def follow(state: tuple[Tensor, ...], batch: tuple[Tensor, ...], momentum: float | Tensor) -> None:
    """Move a state towards a batch's values, in place; all of it, or nothing where one of them is not finite.

    A batch that overflowed in 16 bits must not stay for ever: a ``GradScaler`` that skips its step undoes no buffer.
    """
    new = [old.lerp(value.to(old), momentum) for old, value in zip(state, batch, strict=True)]
    finite = torch.stack(new).isfinite().all()
    for old, value in zip(state, new, strict=True):
        old.copy_(torch.where(finite, value, old))


def needed(norms: Tensor | None, margin: Margin) -> Tensor:
    if norms is None:
        raise FaceLibError(f"{type(margin).__name__} needs norms, the (B,) lengths of the embeddings before scaling")
    return norms
