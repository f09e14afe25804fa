"""Light: what reaches a place and what it sends to the camera. Linear RGB throughout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import normalize

if TYPE_CHECKING:
    from .scene import Scene

TERMINATOR = (0.26, 0.11, 0.07)  # how far red, green and blue light creep around the edge of a shadow, under the skin


@dataclass
class Surface:
    """What one layer shows at M pixels; colours linear.

    albedo (M, 3); normal, place (M, 3), the latter in camera space; image (M,) which picture; openness (M,) share of
    the sky seen; lit (M,) share of the key light that arrives; shine (M,) strength and gloss (M,) sharpness of the
    highlight; flesh (M,) how much light spreads below the surface; strand (M, 3) direction of the fibres that make
    up the surface, if any.
    """

    albedo: Tensor
    normal: Tensor
    place: Tensor
    image: Tensor
    openness: Tensor
    lit: Tensor
    shine: Tensor
    gloss: Tensor
    flesh: Tensor
    strand: Tensor | None = None


def facing_light(scene: Scene) -> Tensor:
    """Light that arrives at a face which looks at the camera, (B,)."""
    frontal = scene.ambient.new_tensor([0.0, 0.15, 0.99])
    return (scene.light_colour.mean(-1) * (scene.light_direction @ frontal).clamp(min=0)).sum(1) + scene.ambient.mean(1)


def shade(surface: Surface, scene: Scene) -> Tensor:
    """Light that leaves towards the camera, (M, 3).

    Three distant lights (key, fill, rim) with Lambert's law, softened at the terminator where there is flesh; a sky
    that is darker from below; Blinn and Phong's highlight, on fibres the band of Kajiya and Kay (1989); and the sheen
    of every surface seen from the side.
    """
    image, normal = surface.image, surface.normal
    eye = torch.zeros_like(surface.place)
    eye[:, 2] = scene.distance[image]
    view = normalize(eye - surface.place, dim=1)
    above = (normal[:, 1:2] + 1) / 2
    ground = scene.ground[image, None]
    arriving = scene.ambient[image] * (ground + (1 - ground) * above) * surface.openness[:, None]
    highlight = torch.zeros_like(arriving)
    creep = normal.new_tensor(TERMINATOR) * surface.flesh[:, None]
    shadow = 1 - scene.shadow[image] * (1 - surface.lit)
    for k in range(3):
        direction, colour = scene.light_direction[:, k][image], scene.light_colour[:, k][image]
        cosine = (normal * direction).sum(1)
        open_to = shadow if k == 0 else surface.openness**0.7
        arriving = arriving + colour * ((cosine[:, None] + creep) / (1 + creep)).clamp(min=0) * open_to[:, None]
        half = _alignment(surface, normalize(direction + view, dim=1))
        strength = surface.shine * open_to * (cosine > 0) * (surface.gloss + 8) / 420 * half**surface.gloss
        highlight = highlight + colour * strength[:, None]
    edge = (1 - (normal * view).sum(1).clamp(0, 1)) ** 4 * 0.05 * surface.shine.clamp(max=1) * surface.openness
    return surface.albedo * arriving + highlight + edge[:, None] * scene.ambient[image]


def _alignment(surface: Surface, half: Tensor) -> Tensor:
    """Cosine between the surface and the half vector; a fibre is round and has a normal for every side."""
    if surface.strand is None:
        return (surface.normal * half).sum(1).clamp(min=1e-4)
    around = (1 - (surface.strand * half).sum(1) ** 2).clamp(min=1e-8).sqrt()
    return around * (surface.normal * half).sum(1).clamp(min=1e-4) ** 0.15
