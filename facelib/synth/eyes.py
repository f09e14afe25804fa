"""Eyeballs: iris, pupil, veins at the rim, and the shadow of the upper lid."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from . import noise
from .basis import Basis
from .geometry import smoothstep
from .scene import Scene
from .traits import Identities

RADIUS = 0.147
WHITE = (0.43, 0.385, 0.36)  # an eye's white is not white: half as bright as paper


def eye_colour(place: Tensor, image: Tensor, right: Tensor, basis: Basis, who: Identities,
               scene: Scene) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Linear albedo (M, 3) and openness to light (M,) of pixels at places on the average head's eyeballs.

    right : (M,) bool
        Whether it is the person's right eye.
    """
    centre = basis.eyes(basis.mean[None])[0][right.long()]
    outwards = normalize(place - centre, dim=1)
    gaze = scene.gaze[image]
    ahead = normalize(torch.stack([gaze[:, 0].sin(), gaze[:, 1].sin(), torch.ones_like(gaze[:, 0])], 1), dim=1)
    angle = torch.acos((outwards * ahead).sum(1).clamp(-1, 1))
    radius = angle / who.iris_size[image]
    around = torch.atan2(outwards[:, 1] - ahead[:, 1], outwards[:, 0] - ahead[:, 0])
    fibres = 0.9 + 0.22 * noise.sample(noise.STRANDS, around * 0.35, radius * 0.08)
    iris = who.iris[image] * (fibres * (0.75 + 0.5 * smoothstep(0.35, 0.8, radius)))[:, None]
    iris = iris * (1 - 0.75 * smoothstep(0.80, 1.0, radius))[:, None]
    pupil = (1 - smoothstep(0.36, 0.43, radius))[:, None]
    iris = iris * (1 - pupil) + 0.004 * pupil
    rim = smoothstep(1.2, 2.3, radius)[:, None]
    white = place.new_tensor(WHITE) * (1 - 0.25 * rim) * place.new_tensor([1, 0.88, 0.86]) ** rim
    share = smoothstep(0.95, 1.06, radius)[:, None]
    beside, above = ((place - centre)[:, :2] / RADIUS).unbind(1)
    openness = 0.88 - 0.50 * smoothstep(0.0, 0.55, above) - 0.18 * smoothstep(0.3, 0.9, beside.abs())
    return iris * (1 - share) + white * share, openness.clamp(0.2, 1)
