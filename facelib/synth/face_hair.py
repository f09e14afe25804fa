"""Brows, lashes, beards, and the roots of the hair: what is painted on the skin."""

from __future__ import annotations

import torch
from torch import Tensor

from . import noise
from .geometry import bell, smoothstep
from .hair import strand_line
from .scene import Scene
from .spots import Spots
from .traits import BALD, BUZZ, Identities

LOWEST_ROOTS = 6.6  # height below which no hair of the head grows


def paint_face_hair(colour: Tensor, lip: Tensor, spots: Spots, who: Identities, scene: Scene) -> tuple[Tensor, Tensor]:
    """Skin colour (M, 3) with hair on it, and the share of skin still bare (M,)."""
    i = spots.image
    beard = (beard_density(spots, who) * scene.beardiness[i]).clamp(0, 1) * (1 - 0.9 * lip)
    colour = _over(colour, scene.hair_colour[i] * 0.7, 0.9 * beard)
    roots = torch.zeros_like(beard)
    high = (spots.height > LOWEST_ROOTS).nonzero().squeeze(1)
    roots[high], shade = _roots(spots.where(high), scene)
    scalp = _over(colour[high] * (1 - shade)[:, None], scene.hair_colour[i[high]], roots[high])
    colour = colour.index_copy(0, high, scalp)
    colour = _over(colour, who.brow_colour[i], brow_density(spots, who))
    upper = smoothstep(7.18, 7.23, spots.height)  # lower lashes are few
    painted = 0.75 + 0.25 * (who.masculine[i] < 0.5)
    lashes = smoothstep(0.30, 0.75, spots.lash) * (0.25 + 0.65 * upper) * painted
    return _over(colour, torch.full_like(colour, 0.018), lashes), (1 - 0.7 * beard) * (1 - roots)


def _over(below: Tensor, above: Tensor, share: Tensor) -> Tensor:
    return below * (1 - share[:, None]) + above * share[:, None]


def brow_density(spots: Spots, who: Identities) -> Tensor:
    """Share of the skin that the eyebrows cover, (M,)."""
    i, side, height = spots.image, spots.side, spots.height
    inner, outer, base, arch, peak, thick, tail, density = who.brow[i].unbind(1)
    along = (side - inner) / (outer - inner)
    t, peak = along.clamp(0, 1), peak.clamp(0.4, 0.8)
    falling = (1 + tail * 20).clamp(min=0.3)
    rise = torch.where(t < peak, 1 - ((t - peak) / peak) ** 2, 1 - ((t - peak) / (1 - peak)) ** 2 * falling)
    above = height - base - arch * rise
    across = above / (thick.clamp(0.018, 0.07) * (1 - 0.62 * t**1.5))
    # Hairs lean outwards: up at the inner end, along the brow at the outer one.
    hairs = noise.sample(noise.STRANDS, side / 26 - above * (2.2 + 6 * t), above * 0.8 + spots.turn.sign() * 0.3)
    uneven = noise.sample(noise.PATCHES, spots.turn / 90, height)
    shape = torch.exp(-(across.abs() ** 3)) * smoothstep(-0.09, 0.10, along) * (1 - smoothstep(0.85, 1.12, along))
    body = (0.70 + 0.28 * hairs * (0.4 + 0.6 * spots.fine) + 0.10 * uneven).clamp(0, 1.1)
    return (density.clamp(0.35, 1) * shape * body).clamp(0, 1)


def beard_density(spots: Spots, who: Identities) -> Tensor:
    """Share of the skin that beard and stubble cover, (M,)."""
    i, side, height = spots.image, spots.side, spots.height
    lip_side = 1 - smoothstep(15, 21, side)
    moustache = smoothstep(6.625, 6.655, height) * (1 - smoothstep(6.73, 6.77, height)) * lip_side
    upper = 6.42 + 0.75 * smoothstep(20, 72, side)
    wander = 0.03 * noise.sample(noise.PATCHES, spots.turn / 70, height)
    full = (1 - smoothstep(-0.07, 0.07, height - upper + wander)) * smoothstep(5.98, 6.12, height)
    full = full * (1 - smoothstep(80, 92, side))
    chin = (1 - smoothstep(14, 24, side)) * (1 - smoothstep(6.40, 6.44, height)) * smoothstep(5.98, 6.12, height)
    below_lip = bell(side, 0, 13) * bell(height, 6.545, 0.075)
    style = who.beard_style[i]  # 0 full, 1 moustache, 2 chin strap and chin, 3 stubble with moustache
    table = side.new_tensor([[1, 1, 1], [1, 0.25, 0.2], [0.15, 0.8, 1], [1, 0.35, 0.8]])[style]
    shape = torch.maximum(torch.maximum(moustache * table[:, 0], full * table[:, 1]), chin * table[:, 2])
    strands = noise.sample([noise.STRANDS, noise.PORES], spots.turn / 34, height * 0.9)
    grown = shape * (0.76 + 0.18 * strands[:, 0] + 0.12 * strands[:, 1]).clamp(0.2, 1.2) * who.beard[i]
    shaved = 0.5 * torch.maximum(moustache, full) * (0.85 + 0.25 * strands[:, 1]).clamp(0.2, 1.2) * who.stubble[i]
    return torch.maximum(grown, shaved) * (1 - 0.95 * below_lip) * smoothstep(6.0, 6.2, height)


def _roots(spots: Spots, scene: Scene) -> tuple[Tensor, Tensor]:
    """The scalp darkened by the hair that grows from it, all there is of a buzz cut, and the shadow that hair casts."""
    i = spots.image
    turn = torch.atan2(spots.place[:, 0], spots.place[:, 2] - 0.52)
    above = spots.height - strand_line(turn, scene, i, hanging=False)
    ragged = 0.012 * noise.sample(noise.STRANDS, turn * 0.3, spots.height * 0.2)
    covered = smoothstep(-0.07, 0.13, above + ragged) * (1 - spots.ears)
    length = scene.hair_length[i]
    edge = spots.height - strand_line(turn, scene, i)
    shade = torch.where(edge > 0, 0.35, 0.35 * torch.exp(edge / 0.05)) * (length > BUZZ) * (spots.height > 6.9)
    return covered * torch.where(length == BALD, 0.0, torch.where(length == BUZZ, 0.72, 0.92)), shade
