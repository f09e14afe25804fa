"""Moods: weights of the 52 face units."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

NEUTRAL, SMILE, LAUGH, FROWN, SURPRISE, OTHER = range(6)
MOODS = ("neutral", "smile", "laugh", "frown", "surprise", "other")
HOW_OFTEN = (0.34, 0.28, 0.14, 0.08, 0.08, 0.08)
_OTHERS = ("mouthPucker", "mouthPressLeft", "mouthPressRight", "mouthLeft", "mouthRight", "noseSneerLeft",
           "noseSneerRight", "cheekPuff", "mouthRollLower", "mouthShrugLower")  # fmt: skip

_BOTH = ("eyeBlink", "eyeSquint", "eyeWide")  # eyes do move together


def sample_expression(names: tuple[str, ...], mood: Tensor, uniform: Callable[[], Tensor], strength: float) -> Tensor:
    """Face unit weights (N, 52) in 0..1 for moods (N,), from a source of uniform numbers."""
    n = len(mood)
    units = torch.zeros(n, len(names), device=mood.device)
    amount, nothing = uniform(), torch.zeros(n, device=mood.device)

    lopsided = 0.5 * (uniform() - 0.5)  # nobody smiles with both sides alike

    def add(name: str, value: Tensor) -> None:
        for side, sign in (("", 0), ("Left", 1), ("Right", -1)):
            if name + side in names:
                units[:, names.index(name + side)] += value * (1 + sign * lopsided * (name not in _BOTH))

    def rarely(probability: float, most: float) -> Tensor:
        return torch.where(uniform() < probability, most * uniform(), nothing)

    def when(which: int, value: Tensor) -> Tensor:
        return torch.where(mood == which, value, nothing)

    add(
        "mouthSmile",
        when(SMILE, 0.3 + 0.5 * amount) + when(LAUGH, 0.5 + 0.45 * amount) + when(NEUTRAL, 0.12 + 0.25 * amount),
    )
    add("cheekSquint", when(SMILE, 0.45 * amount) + when(LAUGH, 0.5 * amount))
    add("mouthDimple", when(SMILE, 0.3 * amount))
    add("eyeSquint", when(LAUGH, 0.4 * amount) + rarely(0.3, 0.25))
    add("jawOpen", when(LAUGH, 0.06 + 0.2 * amount) + when(SURPRISE, 0.1 + 0.35 * amount) + rarely(0.1, 0.2))
    add("mouthUpperUp", when(LAUGH, 0.30 + 0.35 * amount) + when(SMILE, 0.30 * amount))
    add("mouthLowerDown", when(LAUGH, 0.25 * amount))
    add("mouthFrown", when(FROWN, 0.3 + 0.4 * amount))
    add("browDown", when(FROWN, 0.6 * amount) + rarely(0.2, 0.3))
    add("browInnerUp", when(SURPRISE, 0.8 * amount) + 0.2 * uniform())
    add("browOuterUp", when(SURPRISE, 0.7 * amount))
    add("eyeWide", when(SURPRISE, 0.6 * amount))
    for name in _OTHERS:
        units[:, names.index(name)] += when(OTHER, rarely(0.3, 0.6))
    add("eyeBlink", torch.where(uniform() < 0.04, 0.6 + 0.4 * uniform(), 0.2 * uniform()))
    return (units * strength).clamp(0, 1)
