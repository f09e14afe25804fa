"""Attacks on the score, for ``factors.py``: pictures of pictures, morphs, and patterns along the network's gradient."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facelib.alignment import warp
from facelib.synth import Identities


def reprinted(crop: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The crop printed and photographed again: a paper's narrow range, dots, a slight turn, another white, noise."""
    size = len(crop)
    x = crop.astype(np.float32) / 255
    x = 0.10 + 0.75 * x  # ink is not black, paper is not white
    grey = x.mean(2, keepdims=True)
    x = grey + 0.75 * (x - grey)
    row, column = np.mgrid[:size, :size]
    dots = np.sin(2 * np.pi * (row + column) / 3.1) * np.sin(2 * np.pi * (row - column) / 3.1)
    x = x + 0.05 * dots[..., None]
    corners = np.array([[0, 0], [size, 0], [size, size], [0, size]], np.float32)
    bent = corners + random.normal(0, 0.02 * size, (4, 2)).astype(np.float32)
    turn = cv2.getPerspectiveTransform(corners, bent)
    x = cv2.warpPerspective(x, turn, (size, size), borderMode=cv2.BORDER_REPLICATE)
    x = cv2.GaussianBlur(x, (0, 0), 0.7) * random.normal(1, 0.05, 3) + random.normal(0, 0.015, x.shape)
    return (x.clip(0, 1) * 255).round().astype(np.uint8)


def middle(one: Identities, other: Identities) -> Identities:
    """People halfway between two: every number is the mean of both, what cannot be halved is the first one's."""
    values = {}
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        values[field.name] = (a + b) / 2 if a.is_floating_point() else a
    return replace(one, **values)


def nudged(crop: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The crop aligned anew, as a detector would that errs by a pixel or so."""
    turn, zoom = random.normal(0, 0.02), np.exp(random.normal(0, 0.02))
    matrix = cv2.getRotationMatrix2D((55.5, 55.5), np.degrees(turn), zoom)
    matrix[:, 2] += random.normal(0, 1.0, 2)
    return warp(crop, matrix, len(crop))


class Pattern:
    """Moves pictures along the gradient of their cosine to a target, by at most ``eps`` grey levels a pixel.

    network : what turns (N, 3, 56, 56) in -1..1 into embeddings; crops of 112 are shrunk by averaging 2 x 2 pixels,
    which is what ``Preprocess`` does for this size.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network.eval().requires_grad_(False)

    def cosine(self, grey: Tensor, target: Tensor) -> Tensor:
        """grey (N, 3, 112, 112) in 0..255, target (N, D) of length 1 -> (N,)."""
        vectors = self.network((F.avg_pool2d(grey, 2) / 255 - 0.5) / 0.5)
        return (F.normalize(vectors) * target).sum(1)

    def __call__(self, crops: np.ndarray, target: np.ndarray, eps: float, steps: int, towards: bool) -> np.ndarray:
        """uint8 (N, 112, 112, 3): one step is FGSM, several are PGD. ``towards``: raise the cosine, else lower it."""
        if eps == 0:
            return crops
        start, goal = torch.from_numpy(crops).permute(0, 3, 1, 2).float(), torch.from_numpy(target)
        x, step = start.clone(), eps if steps == 1 else 2.5 * eps / steps
        for _ in range(steps):
            x.requires_grad_(True)
            (gradient,) = torch.autograd.grad(self.cosine(x, goal).sum(), x)
            x = x.detach() + (1 if towards else -1) * step * gradient.sign()
            x = torch.minimum(torch.maximum(x, start - eps), start + eps).clamp(0, 255)
        return x.round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def report(cosine: np.ndarray, threshold: float) -> dict[str, Any]:
    """Mean cosine and how many are above the threshold."""
    accepted = int((cosine > threshold).sum())
    return {"people": len(cosine), "accepted": accepted, "cosine": round(float(cosine.mean()), 4)}
