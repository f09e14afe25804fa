"""Pixels of the head, with the coordinates in which skin, brows, beards and clothes are described."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from .basis import Basis
from .raster import Fragments

AXIS = 0.60  # depth of the vertical axis around which the azimuth is measured


@dataclass(frozen=True)
class Spots:
    """M pixels of head or torso.

    image (M,): which picture; place (M, 3): where on the average head, so that 7.4 is brow height on everybody;
    turn (M,): azimuth in degrees, 0 at the nose, > 0 on the person's left; side = |turn|; height = place[:, 1];
    lips, inside, lash, openness, ears (M,): masks; fine (M,): how much of the skin's grain this picture can show.
    """

    image: Tensor
    place: Tensor
    turn: Tensor
    lips: Tensor
    inside: Tensor
    lash: Tensor
    openness: Tensor
    ears: Tensor
    fine: Tensor

    @property
    def side(self) -> Tensor:
        """Azimuth without its sign."""
        return self.turn.abs()

    @property
    def height(self) -> Tensor:
        """Height on the average head."""
        return self.place[:, 1]

    def where(self, chosen: Tensor) -> Spots:
        """Only the spots at these positions (K,) int64."""
        return Spots(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})


def static_values(basis: Basis) -> Tensor:
    """(V, 8): what ``find_spots`` interpolates."""
    masks = (basis.lips, basis.inside_mouth, basis.lash, basis.occlusion, basis.ears)
    return torch.cat([basis.mean, torch.stack(masks, 1)], 1)


def find_spots(fragment: Fragments, static: Tensor, fine: Tensor) -> Spots:
    """Spots at fragments of the head's mesh; fine: (B,)."""
    values = fragment.interpolate(static)
    turn = torch.atan2(values[:, 0], values[:, 2] - AXIS) * (180 / math.pi)
    lips, inside, lash, openness, ears = values[:, 3:].unbind(1)
    return Spots(fragment.image, values[:, :3], turn, lips, inside, lash, openness, ears, fine[fragment.image])
