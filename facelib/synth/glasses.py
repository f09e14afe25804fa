"""Glasses: two rims, a bridge, two temples and their lenses, fitted to eyes, nose and ears."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .basis import Basis
from .scene import NO_GLASSES, Scene

SEGMENTS, SIDES = 28, 5
_BOX = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))


@cache
def glasses_faces(device: str) -> tuple[Tensor, int]:
    """Triangles (F, 3), and how many of them come before the lenses."""
    faces: list[tuple[int, int, int]] = []
    for lens in range(2):
        for i in range(SEGMENTS):
            for k in range(SIDES):
                start, after = lens * SEGMENTS, (i + 1) % SEGMENTS
                a, b = (start + i) * SIDES + k, (start + after) * SIDES + k
                c, d = (start + after) * SIDES + (k + 1) % SIDES, (start + i) * SIDES + (k + 1) % SIDES
                faces += [(a, b, c), (a, c, d)]
    bars = 2 * SEGMENTS * SIDES
    for bar in range(3):
        for p, q, r, s in _BOX:
            o = bars + 8 * bar
            faces += [(o + p, o + q, o + r), (o + p, o + r, o + s)]
    frame = len(faces)
    for lens in range(2):
        o = bars + 24 + lens * (SEGMENTS + 1)
        faces += [(o, o + 1 + i, o + 1 + (i + 1) % SEGMENTS) for i in range(SEGMENTS)]
    return torch.tensor(faces, device=device), frame


def glasses_vertices(basis: Basis, head: Tensor, scene: Scene) -> Tensor:
    """Vertices (B, G, 3) in the head's own space; all at one point where none are worn."""
    eyes, mean = basis.eyes(head), basis.mean
    between = eyes[:, 0, :1] - eyes[:, 1, :1]
    wide, high, square, stout = (scene.frame[:, k : k + 1] for k in range(4))
    half_width, half_height = between * (0.38 + 0.07 * wide), between * (0.25 + 0.13 * high)
    power, thick = 2 / (2 + 3 * square), between * (0.012 + 0.026 * stout)
    bridge = basis.body & (mean[:, 1] > 7.0) & (mean[:, 1] < 7.35) & (mean[:, 2] > 1.25)
    front = head[:, bridge, 2].amax(1)[:, None] + 0.06
    angle = torch.arange(SEGMENTS, device=head.device) / SEGMENTS * 2 * math.pi
    across = angle.cos().sign() * angle.cos().abs() ** power
    up = angle.sin().sign() * angle.sin().abs() ** power
    outwards = normalize(torch.stack([across, up, torch.zeros_like(up)], -1), dim=-1)[:, :, None]
    around = torch.arange(SIDES, device=head.device)[:, None] / SIDES * 2 * math.pi
    forwards = head.new_tensor([0.0, 0, 1])

    def curved(x: Tensor) -> Tensor:  # frames bend back towards the ears
        return front - 0.09 * (x.abs() / between) ** 2

    rims, lenses, temples = [], [], []
    for eye, side in ((eyes[:, 0], 1), (eyes[:, 1], -1)):
        x = eye[:, :1] + side * 0.02 + half_width * across
        rim = torch.stack([x, eye[:, 1:2] - 0.03 + half_height * up, curved(x)], -1)
        tube = outwards * around.cos() + forwards * around.sin()
        rims.append((rim[:, :, None] + thick[:, :, None, None] * tube).flatten(1, 2))
        lenses.append(torch.cat([rim.mean(1, keepdim=True), rim], 1))
        hinge = eye[:, :1] + side * (half_width * 0.99 + 0.01)
        ear = head[:, (basis.ears > 0.5) & (mean[:, 0] * side > 0)].mean(1)
        ends = (
            torch.cat([hinge, eye[:, 1:2] + 0.04, curved(hinge)], 1),
            torch.cat([ear[:, :1] * 0.97, ear[:, 1:2] + 0.2, ear[:, 2:]], 1),
        )
        temples.append(_bar(*ends, thick * 0.8, thick * 1.6, head.new_tensor([1.0, 0, 0])))
    inner = (eyes[:, 0, :1] - half_width).clamp(min=0.03)
    right, left = (torch.cat([s * inner, eyes[:, 0, 1:2] + 0.05, front - 0.02], 1) for s in (-1, 1))
    middle = _bar(right, left, thick * 0.8, thick, forwards)
    vertices = torch.cat([*rims, middle, *temples, *lenses], 1)
    return torch.where((scene.glasses != NO_GLASSES)[:, None, None], vertices, torch.zeros_like(vertices))


def _bar(start: Tensor, end: Tensor, half_depth: Tensor, half_height: Tensor, sideways: Tensor) -> Tensor:
    """Eight corners (B, 8, 3) of a box from start to end."""
    up = start.new_tensor([0.0, 1, 0])
    corners = [
        end_ + v * half_height * up + h * half_depth * sideways
        for end_ in (start, end)
        for v in (-1, 1)
        for h in (-1, 1)
    ]
    return torch.stack(corners, 1)
