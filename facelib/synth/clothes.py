"""What people wear below the neck, and masks over mouth and nose: painted on the mesh."""

from __future__ import annotations

import torch
from torch import Tensor

from . import noise
from .geometry import bell, smoothstep
from .scene import FACE_MASK, Scene
from .spots import Spots


def dress(colour: Tensor, openness: Tensor, spots: Spots, scene: Scene) -> tuple[Tensor, Tensor, Tensor]:
    """Albedo (M, 3) and openness (M,) with clothes on, and the share of a pixel that is cloth (M,)."""
    i, height = spots.image, spots.height
    x, z = spots.place[:, 0], spots.place[:, 2]
    cut = scene.collar[i]  # from a round neck to a V
    front = smoothstep(0.2, 0.6, z)
    edge = scene.neckline[i] - (0.04 + 0.34 * cut) * torch.exp(-((x / (0.75 - 0.3 * cut)) ** 2)) * front
    cloth = smoothstep(-0.012, 0.012, edge - height)
    stripe = torch.where(scene.stripes[i] > 0, 0.72 + 0.28 * torch.sin(height * scene.stripes[i] * 2).sign(), 1.0)
    weave = 1 + 0.03 * noise.sample(noise.GRAIN, x * 0.9, height * 0.9) * spots.fine
    folds = 1 + 0.06 * noise.sample(noise.BLOTCHES, x / 5 + scene.grain[i, 0], height / 7)
    hem = 1 - 0.25 * bell(height, edge - 0.07, 0.014)
    below = 1 - 0.30 * smoothstep(0, 1.6, 5.2 - height)  # the chest turns away from the light above
    worn = scene.cloth[i] * (stripe * weave * folds * hem * below)[:, None]
    shaded = openness * (1 - 0.35 * bell(height, edge + 0.012, 0.02) * (1 - cloth))
    colour = colour * (1 - cloth[:, None]) + worn * cloth[:, None]
    mask = _face_mask(spots) * (scene.occluder[i] == FACE_MASK)
    pleats = 0.86 + 0.10 * torch.sin((height - 6.2) * 42 + 0.5 * torch.cos(spots.turn / 20))
    paper = (0.35 + 0.5 * scene.occluder_colour[i]) * pleats[:, None]
    colour = colour * (1 - mask[:, None]) + paper * mask[:, None]
    return colour, shaded * (1 - mask) + (0.55 + 0.45 * openness) * mask, torch.maximum(cloth, mask)


def _face_mask(spots: Spots) -> Tensor:
    side, height = spots.side, spots.height
    top = 6.99 - 0.13 * smoothstep(8, 60, side)
    bottom = 6.16 + 0.42 * smoothstep(25, 62, side)
    inside = smoothstep(-0.008, 0.008, top - height) * smoothstep(-0.008, 0.008, height - bottom)
    loop = bell(height, 6.92 + 0.003 * (side - 60), 0.012) * smoothstep(58, 62, side)
    return torch.maximum(inside * (1 - smoothstep(60, 62, side)), loop) * (side < 88) * (1 - spots.ears)
