"""What is behind people: out of focus, so a few soft shapes are enough. And what may come in front of them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from . import noise
from .geometry import smoothstep
from .light import facing_light
from .scene import OBJECT, Scene

SIDE = 80  # backdrops are blurred: painted small and enlarged
ROOM, LEAVES, LIGHTS, BOARD = 0.24, 0.64, 0.80, 0.92  # of the first number of ``backdrop_mix``; below them a plain wall


def backdrop(scene: Scene, size: int) -> Tensor:
    """Linear RGB (B, size, size, 3): a wall, a room, leaves, lights at night, or a board with somebody's name on it."""
    at = torch.linspace(0, 1, SIDE, device=scene.yaw.device)
    x, y = at[None, None, :], at[None, :, None]
    coarse, fine = (
        interpolate(grid, size=(SIDE, SIDE), mode="bicubic", align_corners=False)
        for grid in (scene.backdrop_coarse, scene.backdrop_fine)
    )
    which, amount, shift, busy = (scene.backdrop_mix[:, k, None, None] for k in range(4))
    leaves, night, board = ((which >= a) & (which < b) for a, b in ((LEAVES, LIGHTS), (LIGHTS, BOARD), (BOARD, 2)))
    room = (which >= ROOM) & (which < LEAVES)
    common, own = coarse[:, :1], coarse - coarse[:, :1]
    uneven = torch.where(which < ROOM, 0.08, torch.where(board, 0.04, 0.40))[:, None]
    stops = uneven * common + 0.25 * uneven * own
    stops = stops + leaves[:, None] * (0.5 + 0.4 * amount)[:, None] * (fine[:, :1] + 0.2 * fine)
    stops = stops + board[:, None] * (0.9 * (shift - 0.4) * _lettering(x, y, busy, amount))[:, None] * 1.6
    shapes, tint, discs = _furniture(scene.backdrop_boxes, x, y, busy)
    stops = stops + room[:, None] * (shapes[:, None] + tint)
    slope = 0.6 * (0.5 - y)[:, None] + 0.4 * (amount - 0.5)[:, None] * (x - 0.5)[:, None]
    picture = scene.backdrop[:, :, None, None] * torch.exp(stops + slope)
    picture = picture * torch.where(night, 0.25, 1.0)[:, None] + night[:, None] * discs
    picture = picture + leaves[:, None] * 0.7 * smoothstep(1.0, 1.8, fine[:, :1])  # sky between the leaves
    picture = picture * (scene.backdrop_light * facing_light(scene))[:, None, None, None]
    large = interpolate(picture.clamp(0, 6), size=(size, size), mode="bilinear", align_corners=False)
    return large.permute(0, 2, 3, 1)


def _furniture(boxes: Tensor, x: Tensor, y: Tensor, busy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Soft boxes as stops (B, S, S) with their tint (B, 3, S, S), and discs of light (B, 3, S, S), all out of focus."""
    shapes, tint, discs = torch.zeros_like(x * y), torch.zeros_like(x * y)[:, None], torch.zeros_like(x * y)[:, None]
    for k in range(boxes.shape[1]):
        box = boxes[:, k, :, None, None]
        wide, high = 0.03 + 0.22 * box[:, 0] ** 2, 0.04 + 0.45 * box[:, 1]
        across, down = x - 1.2 * box[:, 2] + 0.1, y - 1.2 * box[:, 3] + 0.1
        soft = 20 + 100 * box[:, 7]
        shape = torch.sigmoid((wide - across.abs()) * soft) * torch.sigmoid((high - down.abs()) * soft)
        bright = 1.8 * (box[:, 4] - 0.55) + 1.4 * (box[:, 5] > 0.85)
        shown = shape * (box[:, 5] < 0.3 + busy)
        colour = (box[:, 6] - 0.5)[:, None] * x.new_tensor([0.5, 0.05, -0.6])[:, None, None]
        shapes, tint = shapes + shown * bright, tint + shown[:, None] * colour
        disc = torch.sigmoid((0.02 + 0.06 * box[:, 0] - torch.hypot(across, down)) * 150)
        discs = discs + (1.6 * box[:, 4] * disc)[:, None] * torch.exp(2 * colour)
    return shapes, tint, discs


def _lettering(x: Tensor, y: Tensor, busy: Tensor, amount: Tensor) -> Tensor:
    """Rows of word-like marks as behind people who are interviewed, (B, S, S) in 0..1."""
    rows, columns = 3 + 4 * busy, 1.5 + 2.5 * amount
    down = y * rows + busy * 7
    across = x * columns + 0.5 * (down.floor() % 2) + amount * 5
    u, v = across - across.floor(), down - down.floor()
    word = smoothstep(0.1, 0.14, u) * (1 - smoothstep(0.72, 0.76, u))
    line = smoothstep(0.28, 0.36, v) * (1 - smoothstep(0.62, 0.70, v))
    letters = 0.6 + 0.4 * torch.sin(u * 55 + 3 * torch.sin(across.floor() + u * 17))
    return word * line * letters


def occlude(picture: Tensor, eye_distance: Tensor, face: Tensor, scene: Scene) -> tuple[Tensor, Tensor]:
    """Hold something in front of the face: a phone, a cup, a book, a hand's breadth of cardboard.

    Parameters
    ----------
    picture : (B, S, S, 3) linear
    eye_distance : (B,) pixels; face : (B, 2) the face's middle in pixels

    Returns
    -------
    The picture and what is hidden, (B, S, S) in 0..1.
    """
    size, kind = picture.shape[1], scene.occluder_shape
    at = torch.arange(size, device=picture.device) + 0.5
    unit = eye_distance[:, None, None]
    sideways = kind[:, 0, None, None] * 2.6 - 1.3
    x = (at[None, None, :] - face[:, 0, None, None]) / unit - sideways
    y = (at[None, :, None] - face[:, 1, None, None]) / unit - (0.5 + 1.2 * kind[:, 1, None, None])
    angle = (kind[:, 2, None, None] - 0.5) * 1.6
    u, v = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    wide, high = 0.25 + 0.3 * kind[:, 3, None, None], 0.35 + 0.45 * kind[:, 4, None, None]
    corner = (0.05 + 0.9 * kind[:, 5, None, None]) * torch.minimum(wide, high)
    outside = torch.hypot((u.abs() - wide + corner).clamp(min=0), (v.abs() - high + corner).clamp(min=0)) - corner
    worn = (scene.occluder == OBJECT)[:, None, None]
    hidden = smoothstep(0, 1, 0.5 - outside * unit / 1.5) * worn
    shadow = torch.exp(-((outside.clamp(min=0) / 0.22) ** 2)) * worn
    mottled = noise.sample(noise.PATCHES, (u * 0.12 + kind[:, 0, None, None]).flatten(), (v * 0.12).flatten()).view_as(
        u
    )
    light = (
        (0.75 - 0.25 * u / wide + 0.15 * v / high) * (1 + 0.12 * mottled) * (1 - 0.3 * smoothstep(-0.08, 0, outside))
    )
    colour = (scene.occluder_colour * facing_light(scene)[:, None])[:, None, None, :] * light[..., None]
    dimmed = picture * (1 - 0.35 * shadow)[..., None]
    return dimmed * (1 - hidden[..., None]) + colour * hidden[..., None], hidden
