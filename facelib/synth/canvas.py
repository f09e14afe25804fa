"""Pictures under construction: colour, coverage and depth, painted layer by layer."""

from __future__ import annotations

import torch
from torch import Tensor

from .raster import Fragments

BACKGROUND, SKIN, EYES, MOUTH, CLOTH, HAIR, HAT, FRAME, LENS, OCCLUDER = range(10)
PARTS = ("background", "skin", "eyes", "mouth", "cloth", "hair", "hat", "frame", "lens", "occluder")


class Canvas:
    """B square pictures.

    colour (B S S, 4): linear RGB times coverage, and coverage; nearness (B S S): inverse depth of what is opaque;
    part uint8 and normal (B S S, 3): of whatever covers most of a pixel.
    """

    def __init__(self, batch: int, size: int, device: torch.device) -> None:
        pixels = batch * size * size
        self.batch, self.size = batch, size
        self.colour = torch.zeros(pixels, 4, device=device)
        self.nearness = torch.zeros(pixels, device=device)
        self.part = torch.zeros(pixels, dtype=torch.uint8, device=device)
        self.normal = torch.zeros(pixels, 3, device=device)

    def paint(self, fragment: Fragments, colour: Tensor, opacity: Tensor, part: Tensor, normal: Tensor) -> None:
        """Lay M pixels over what is there; nothing is painted twice in one call."""
        pixel, share = fragment.pixel, opacity[:, None]
        layer = torch.cat([colour, torch.ones_like(share)], 1) * share
        self.colour[pixel] = self.colour[pixel] * (1 - share) + layer
        main = (opacity > 0.5).nonzero().squeeze(1)
        self.part[pixel[main]] = part[main].to(torch.uint8)
        self.normal[pixel[main]] = normal[main]
        self.nearness[pixel[main]] = torch.maximum(self.nearness[pixel[main]], fragment.nearness[main])

    def in_front(self, fragment: Fragments) -> Tensor:
        """Positions (K,) of the fragments that nothing opaque hides."""
        return (fragment.nearness > self.nearness[fragment.pixel]).nonzero().squeeze(1)
