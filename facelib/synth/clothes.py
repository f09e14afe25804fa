"""What people wear below the neck, and masks over mouth and nose: painted on the mesh."""

from __future__ import annotations

import torch
from torch import Tensor

from . import noise
from .geometry import bell, smoothstep
from .scene import FACE_MASK, Scene
from .spots import Spots

PULLOVER, SHIRT, SUIT, TIE = range(4)
HIGHEST = 6.45  # no cloth is above
COLLAR = 5.98  # height of a shirt's collar at the sides of the neck


def dress(colour: Tensor, openness: Tensor, spots: Spots, scene: Scene) -> tuple[Tensor, Tensor, Tensor]:
    """Albedo (M, 3) and openness (M,) with clothes on, and the share of a pixel that is cloth (M,)."""
    cloth = torch.zeros_like(openness)
    low = (spots.height < HIGHEST).nonzero().squeeze(1)
    below = spots.where(low)
    worn, cloth[low], dark = _worn(below, scene)
    share = cloth[low][:, None]
    colour, shaded = colour.index_copy(0, low, colour[low] * (1 - share) + worn * share), openness.clone()
    shaded[low] = openness[low] * dark
    i, height = spots.image, spots.height
    mask = _face_mask(spots) * (scene.occluder[i] == FACE_MASK)
    pleats = 0.86 + 0.10 * torch.sin((height - 6.2) * 42 + 0.5 * torch.cos(spots.turn / 20))
    paper = (0.35 + 0.5 * scene.occluder_colour[i]) * pleats[:, None]
    colour = colour * (1 - mask[:, None]) + paper * mask[:, None]
    return colour, shaded * (1 - mask) + (0.80 + 0.20 * openness) * mask, torch.maximum(cloth, mask)


def _worn(spots: Spots, scene: Scene) -> tuple[Tensor, Tensor, Tensor]:
    """Albedo (M, 3) of the cloth, its share of each pixel (M,), and by how much it darkens what is near it (M,)."""
    i, height = spots.image, spots.height
    x, z = spots.place[:, 0], spots.place[:, 2]
    cut = scene.collar[i]  # from a round neck to a V
    front = smoothstep(0.2, 0.6, z)
    neck = scene.neckline[i] - (0.04 + 0.34 * cut) * torch.exp(-((x / (0.75 - 0.3 * cut)) ** 2)) * front
    shirt = COLLAR + 0.10 * (1 - front) - 0.14 * front * (1 - x.abs() / 0.4).clamp(0)
    edge = torch.where(scene.outfit[i] == PULLOVER, neck, shirt)
    cloth = smoothstep(-0.012, 0.012, edge - height)
    weave = 1 + 0.03 * noise.sample(noise.GRAIN, x * 0.9, height * 0.9) * spots.fine
    folds = 1 + 0.10 * noise.sample(noise.BLOTCHES, x / 5 + scene.grain[i, 0], height / 7)
    hem = 1 - 0.25 * bell(height, edge - 0.07, 0.014)
    below = 1 - 0.30 * smoothstep(0, 1.6, 5.2 - height)  # the chest turns away from the light above
    colour, seams = _garment(x, height, front, spots, scene)
    return (
        colour * (weave * folds * hem * below * seams)[:, None],
        cloth,
        1 - 0.35 * bell(height, edge + 0.012, 0.02) * (1 - cloth),
    )


def _garment(x: Tensor, height: Tensor, front: Tensor, spots: Spots, scene: Scene) -> tuple[Tensor, Tensor]:
    """Colour (M, 3) of a pullover, a shirt, or a suit with or without a tie, and how seams darken it (M,)."""
    i = spots.image
    pitch, style = scene.stripes[i] * 2, scene.outfit[i]
    rows = torch.where(pitch > 0, 0.72 + 0.28 * torch.sin(height * pitch).sign(), 1.0)
    checks = torch.where((pitch > 0) & (scene.collar[i] > 0.5), 0.8 + 0.2 * torch.sin(x * pitch).sign(), 1.0)
    outer = scene.cloth[i] * (rows * checks)[:, None]
    down, side = (COLLAR - height).clamp(min=0), x.abs()
    shirt = smoothstep(-0.012, 0.012, 0.40 - 0.33 * down - side) * front  # the V that a jacket leaves open
    shirt = torch.where(style >= SUIT, shirt, 0.0)[:, None]
    paper = 0.35 + 0.5 * scene.occluder_colour[i].mean(1, keepdim=True)
    jacket = torch.where((style >= SUIT)[:, None], 0.22 * outer, outer)
    colour = jacket * (1 - shirt) + paper * shirt
    wide = torch.where(down < 0.16, 0.075, 0.045 + 0.055 * (down - 0.10).clamp(0, 1.2))
    tie = smoothstep(-0.01, 0.01, wide - side) * smoothstep(0.10, 0.13, down) * front * (style == TIE)
    striped = 0.8 + 0.2 * torch.sin((x + height) * 34).sign()
    colour = colour * (1 - tie[:, None]) + scene.hat_colour[i] * (striped * tie)[:, None]
    lapel = bell(side, 0.40 - 0.33 * down + 0.20 * smoothstep(0.1, 0.9, down) * smoothstep(1.4, 0.9, down), 0.012)
    buttons = bell(x, 0.0, 0.010) * (style == SHIRT)
    point = torch.where(side < 0.22, 0.12 + 1.1 * side, 0.36 - 1.8 * (side - 0.22))  # of a shirt's collar
    flap = bell(down, point, 0.016) * (side < 0.36) * (style != PULLOVER)
    seams = 0.5 * torch.where(style >= SUIT, lapel, 0.0) + 0.3 * buttons + 0.35 * flap
    return colour, 1 - front * seams.clamp(0, 0.6)


def _face_mask(spots: Spots) -> Tensor:
    side, height = spots.side, spots.height
    top = 6.99 - 0.13 * smoothstep(8, 60, side)
    bottom = 6.16 + 0.42 * smoothstep(25, 62, side)
    inside = smoothstep(-0.008, 0.008, top - height) * smoothstep(-0.008, 0.008, height - bottom)
    loop = bell(height, 6.92 + 0.003 * (side - 60), 0.012) * smoothstep(58, 62, side)
    return torch.maximum(inside * (1 - smoothstep(60, 62, side)), loop) * (side < 88) * (1 - spots.ears)
