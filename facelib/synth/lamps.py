"""Draw light: the few situations in which people are photographed, each as ranges of lamps and sky."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from .sampling import Chance

EVERYDAY, SOFT, SUN, FLASH, BACKLIT, STAGE = range(6)
LIGHTINGS = ("everyday", "soft", "sun", "flash", "backlit", "stage")
HOW_OFTEN = (0.38, 0.22, 0.12, 0.14, 0.06, 0.08)
LAMPS = ((1.0, 0.82, 0.62), (1.0, 0.92, 0.80), (1.0, 1.0, 1.0), (0.85, 0.93, 1.0), (0.74, 0.85, 1.0))
PARTY = ((1.0, 0.25, 0.30), (0.30, 0.45, 1.0), (0.85, 0.30, 1.0), (1.0, 0.55, 0.15), (0.25, 0.9, 0.8))
"""Linear RGB of lamps, from a bulb to a blue sky, and of the coloured ones above a stage."""
RANGES = (
    # key: azimuth's and elevation's spread, elevation, power; fill; rim; sky; shadow; backdrop
    (42, 16, 28, 0.55, 1.55, 0.05, 0.35, 0.0, 0.5, 0.14, 0.50, 0.55, 0.95, 0.6, 1.3),
    (34, 14, 26, 0.45, 1.05, 0.15, 0.45, 0.0, 0.3, 0.30, 0.60, 0.30, 0.60, 0.6, 1.3),
    (46, 12, 48, 1.50, 2.60, 0.00, 0.15, 0.0, 0.8, 0.25, 0.50, 0.85, 1.00, 0.8, 1.8),
    (4, 4, 5, 1.20, 1.80, 0.00, 0.10, 0.0, 0.1, 0.05, 0.22, 0.70, 0.95, 0.05, 0.5),
    (60, 16, 25, 0.15, 0.45, 0.10, 0.30, 1.2, 3.0, 0.25, 0.45, 0.40, 0.80, 1.2, 2.5),
    (38, 14, 38, 1.00, 1.90, 0.10, 0.60, 0.4, 1.8, 0.04, 0.16, 0.75, 1.00, 0.03, 0.35),
)
DEGREE = math.pi / 180


def sample_light(draw: Chance) -> dict[str, Tensor]:
    """A key light from the front and above, a fill from anywhere, a rim from behind, under one sky."""
    often = torch.tensor(HOW_OFTEN, device=draw.device)
    calm = torch.tensor([0.5, 0.5, 0, 0, 0, 0], device=draw.device)  # what passport photos have
    share = min(1.0, draw.hardness)
    kind = torch.multinomial(often * share + calm * (1 - share), draw.n, replacement=True, generator=draw.generator)
    row = torch.tensor(RANGES, device=draw.device)[kind]

    def between(column: int) -> Tensor:
        return row[:, column] + (row[:, column + 1] - row[:, column]) * draw.uniform()

    around, up = draw.normal(3), draw.normal(3)
    azimuth = torch.stack([around[:, 0] * row[:, 0], around[:, 1] * 60, around[:, 2] * 30 + 170], 1) * DEGREE
    elevation = torch.stack([up[:, 0] * row[:, 1] + row[:, 2], up[:, 1] * 18 + 5, up[:, 2] * 18 + 20], 1) * DEGREE
    flat = elevation.cos()
    rim = between(7) * (draw.whether(0.45) | (kind == BACKLIT) | (kind == STAGE))
    power = torch.stack([between(3), between(5), rim], 1)
    lamp = torch.tensor(LAMPS, device=draw.device)[draw.integer(0, len(LAMPS), 3)] * 0.5 + 0.5
    party = torch.tensor(PARTY, device=draw.device)[draw.integer(0, len(PARTY), 3)]
    coloured = (kind == STAGE)[:, None, None] & draw.whether(0.6)[:, None, None]
    strong = torch.tensor([0.35, 0.9, 0.9], device=draw.device)[:, None]  # faces keep most of their colour
    colour = torch.where(coloured, lamp + (party - lamp) * strong, lamp)
    return {
        "lighting": kind,
        "light_direction": torch.stack([azimuth.sin() * flat, elevation.sin(), azimuth.cos() * flat], -1),
        "light_colour": colour * power[..., None],
        "ambient": lamp[:, 1] * between(9)[:, None],
        "ground": 0.35 + 0.5 * draw.uniform(),
        "shadow": between(11),
        "backdrop_light": between(13),
    }
