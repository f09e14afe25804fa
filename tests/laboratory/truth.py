"""What the boundary laboratory must show: the same numbers from facelib.margins."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from facelib import margins

RULES = ["linear", "fold", "clamp", "easy", "none"]
PRESETS = {
    "NormFace": margins.NormFace(s=16),
    "SphereFace 1.35": margins.SphereFace(s=16, m=1.35),
    "SphereFace 4": margins.SphereFace(s=16, m=4),
    "CosFace": margins.CosFace(s=16, m=0.35),
    "ArcFace": margins.ArcFace(s=16, m=0.5),
    "Combined": margins.Combined(s=16, m1=1, m2=0.3, m3=0.2),
}


def expected(theta1: float, theta2: float, margin: dict[str, Any], s: float, gradient: str) -> dict[str, float]:
    """The same numbers from facelib.margins, by autograd in float64."""
    rule = margins.Combined(s=s, gradient=gradient, **margin)  # type: ignore[arg-type]
    theta = torch.tensor([theta1, theta2], dtype=torch.float64, requires_grad=True)
    cosine = theta.cos()[None]
    cosine.retain_grad()
    logits = rule(cosine, torch.tensor([0]))
    (slope,) = torch.autograd.grad(logits[0, 0], cosine, retain_graph=True)
    loss = F.cross_entropy(logits, torch.tensor([0]))
    loss.backward()
    return {
        "cosine": logits[0, 0].item() / s,
        "logit": logits[0, 0].item(),
        "other": logits[0, 1].item(),
        "probability": logits.softmax(1)[0, 0].item(),
        "loss": loss.item(),
        "slope": slope[0, 0].item(),
        "pull": theta.grad[0].item(),  # type: ignore[index]
    }
