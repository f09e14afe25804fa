"""Skin: two dyes under a rough surface.

Melanin (brown) and blood (red) set the colour; where there is more of which is what freckles, moles, cheeks, lips and
lower lids are. Pores and wrinkles tilt the surface, so that they show in light from the side and vanish in fog.
"""

from __future__ import annotations

import torch
from torch import Tensor

from . import noise
from .geometry import bell, smoothstep
from .scene import Scene
from .spots import Spots
from .traits import Identities

TONES = ((0.74, 0.53, 0.44), (0.59, 0.385, 0.28), (0.39, 0.22, 0.138), (0.21, 0.106, 0.064), (0.09, 0.044, 0.029))
"""Linear RGB of skin at melanin 0, 1, 2, 3, 4, without blood."""
BLOOD = (-0.04, -0.36, -0.26)  # change of log RGB at blood 1
EYE_TURN, EYE_HEIGHT = 20.0, 7.227


def skin_colour(spots: Spots, who: Identities, scene: Scene) -> tuple[Tensor, Tensor]:
    """Linear albedo (M, 3) of bare skin and how much of it is lip (M,)."""
    i, side, height = spots.image, spots.side, spots.height
    texture = who.texture[i]
    soft = noise.sample([noise.BLOTCHES, noise.PATCHES], spots.turn / 160 + texture[:, 0], height / 2.2 + texture[:, 1])
    grain = noise.sample(noise.PORES, spots.turn / 75 + texture[:, 1], height / 1.2 + texture[:, 0]) * spots.fine
    on_face = smoothstep(6.0, 6.25, height)  # around the narrow neck textures would be drawn out
    grain = grain * on_face
    blotchy, redness = who.blotchiness[i] * on_face, who.redness[i]
    lip = smoothstep(0.15, 0.85, spots.lips)
    bare = 1 - lip

    cheek = bell(side, 33, 14) * bell(height, 6.85, 0.17)
    nose = bell(side, 0, 9) * bell(height, 6.88, 0.13)
    chin = bell(side, 0, 14) * bell(height, 6.25, 0.12)
    lids = bell(side, EYE_TURN, 9) * bell(height, 7.10, 0.05)
    sockets = bell(side, EYE_TURN, 15) * bell(height, EYE_HEIGHT, 0.14)
    blood = 0.08 * blotchy * (soft[:, 0] + 1.2 * soft[:, 1] + 0.8 * grain) * bare
    blood = blood + redness[:, 0] * cheek + redness[:, 1] * nose + redness[:, 2] * chin + redness[:, 3] * lids
    blood = blood + who.blood[i] + scene.flush[i] + 0.2 * spots.ears + lip * who.lips[i, 0]

    melanin = (0.03 * soft[:, 0] + 0.05 * soft[:, 1]) * blotchy + 0.045 * grain * bare
    melanin = melanin + who.eye_shadow[i] * (0.7 * lids + 0.5 * sockets)
    freckled = (1.3 * cheek + nose + 0.2).clamp(max=1) * who.freckles[i]
    melanin = melanin + 0.7 * freckled * (soft[:, 1] * 0.5 + grain - 0.9).clamp(0, 1.2)
    melanin = melanin + 0.15 * on_face * who.wrinkles[i] * (soft[:, 1] - 1.8).clamp(min=0)
    melanin = melanin + _moles(spots, who.marks) + lip * who.lips[i, 1] + who.melanin[i]

    colour = _tone(melanin, blood)
    furrow = lip * 0.10 * noise.sample(noise.LOCKS, spots.turn / 40, height) * spots.fine
    colour = colour * ((1 + furrow) * (1 - 0.5 * _lid_crease(spots, who)))[:, None]
    painted = (lip * scene.lipstick[i])[:, None]
    colour = colour * (1 - painted) + scene.lipstick_colour[i] * painted
    mouth = smoothstep(0.2, 0.9, spots.inside)[:, None]
    return colour * (1 - 0.85 * mouth) * colour.new_tensor([1, 0.75, 0.7]) ** mouth, lip


def _lid_crease(spots: Spots, who: Identities) -> Tensor:
    """The dark line in which the upper lid folds, (M,) in 0..1; some lids have none."""
    across = spots.place[:, 0].abs() - 0.29
    crease = who.crease[spots.image]
    fold = 7.275 + 0.035 * crease - 1.9 * across**2
    lid = smoothstep(7.24, 7.26, spots.height) * (1 - smoothstep(-0.01, 0.01, spots.height - fold))
    return (bell(spots.height, fold, 0.011) + 0.25 * lid) * bell(across, 0, 0.13) * smoothstep(0.1, 0.5, crease)


def oiliness(spots: Spots) -> Tensor:
    """Where skin shines, (M,): forehead, nose and chin more than the cheeks."""
    middle = bell(spots.side, 0, 17)
    return 0.75 + middle * (0.5 * bell(spots.height, 7.65, 0.22) + 0.7 * bell(spots.height, 6.95, 0.16)
                            + 0.3 * bell(spots.height, 6.30, 0.10))  # fmt: skip


def _tone(melanin: Tensor, blood: Tensor) -> Tensor:
    table = melanin.new_tensor(TONES).log()
    melanin = melanin.clamp(0, len(TONES) - 1.001)
    step = melanin.long()
    share = (melanin - step)[:, None]
    between = table[step] * (1 - share) + table[step + 1] * share
    return torch.exp(between + melanin.new_tensor(BLOOD) * blood[:, None])


def _moles(spots: Spots, marks: Tensor) -> Tensor:
    total = torch.zeros_like(spots.turn)
    for k in range(marks.shape[1]):
        there = (marks[:, k, 3] > 0)[spots.image].nonzero().squeeze(1)
        turn, height, radius, strength = marks[:, k][spots.image[there]].unbind(1)
        apart = ((spots.turn[there] - turn) * 0.0155) ** 2 + (spots.height[there] - height) ** 2
        total[there] += strength * torch.exp(-apart / radius**2)
    return total


def skin_slopes(spots: Spots, who: Identities, scene: Scene, smile: Tensor, frown: Tensor) -> tuple[Tensor, Tensor]:
    """How pores and wrinkles tilt the surface: slopes (M,) to the person's left and upwards.

    smile, frown : (B,) weights of the face units that fold the skin around the mouth and on the forehead.
    """
    i, side, height = spots.image, spots.side, spots.height
    left = spots.turn.sign()
    texture = who.texture[i]
    rough = 0.10 * spots.fine * smoothstep(6.0, 6.25, height) * (1 - smoothstep(0.15, 0.85, spots.lips))
    pores = noise.sample(
        [noise.PORES_X, noise.PORES_Y], spots.turn / 75 + texture[:, 1], height / 1.2 + texture[:, 0]
    ) * rough[:, None]  # fmt: skip
    age = who.wrinkles[i]
    wavy = 0.5 * noise.sample(noise.BLOTCHES, spots.turn / 260 + texture[:, 0], texture[:, 1])
    forehead = smoothstep(7.50, 7.58, height) * (1 - smoothstep(7.80, 7.95, height)) * (1 - smoothstep(28, 48, side))
    broken = (0.6 + 2 * wavy).clamp(0.1, 1.4)
    up = (0.16 * age + 0.14 * frown[i]) * broken * forehead * torch.sin((height - 7.5) * 62 + 2 * wavy)
    feet = bell(side, 42, 7) * bell(height, EYE_HEIGHT - 0.03, 0.13)
    up = up + 0.24 * (0.8 * age + 0.4 * smile[i]) * feet * torch.sin((height - 7.2) * (95 - 0.6 * side) + wavy)
    pouch = (height - 7.07 + 0.0006 * (side - EYE_TURN) ** 2) / 0.022
    up = up + 0.40 * age * pouch * torch.exp(-(pouch**2)) * bell(side, EYE_TURN, 10)
    fold = (side - 13 - (6.88 - height) * 32) / 3.0
    depth = (
        (0.12 + 0.50 * age + 0.35 * smile[i]) * smoothstep(6.42, 6.55, height) * (1 - smoothstep(6.80, 6.92, height))
    )
    across = left * 0.75 * depth * fold * torch.exp(-(fold**2))
    between = bell(side, 4.5, 1.6) * bell(height, 7.40, 0.09)  # the lines between the brows
    across = across + left * 0.35 * age * between * ((side - 4.5) / 1.6)
    return pores[:, 0] + across, pores[:, 1] + up
