"""What is behind people: out of focus, so a few soft shapes are enough. And what may come in front of them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from . import noise
from .geometry import smoothstep
from .scene import OBJECT, Scene

SIDE = 64  # backdrops are blurred: painted small and enlarged


def backdrop(scene: Scene, size: int) -> Tensor:
    """Linear RGB (B, size, size, 3): a wall or a view with soft furniture, windows, leaves and lights."""
    at = torch.linspace(0, 1, SIDE, device=scene.yaw.device)
    x, y = at[None, None, :], at[None, :, None]
    coarse, fine = (
        interpolate(grid, size=(SIDE, SIDE), mode="bicubic", align_corners=False)
        for grid in (scene.backdrop_coarse, scene.backdrop_fine)
    )
    plain, leafy, busy, grey = (scene.backdrop_mix[:, k, None, None, None] for k in range(4))
    calm = (plain < 0.3).float()
    common, own = coarse[:, :1], coarse - coarse[:, :1]
    stops = 0.45 * common + 0.12 * own + 0.4 * leafy**2 * (fine[:, :1] + 0.25 * fine)
    for k in range(scene.backdrop_boxes.shape[1]):
        box = scene.backdrop_boxes[:, k, :, None, None]
        wide, high = 0.03 + 0.22 * box[:, 0] ** 2, 0.04 + 0.45 * box[:, 1]
        across = (x - 1.2 * box[:, 2] + 0.1).abs()
        down = (y - 1.2 * box[:, 3] + 0.1).abs()
        soft = 25 + 60 * box[:, 7]
        shape = torch.sigmoid((wide - across) * soft) * torch.sigmoid((high - down) * soft)
        bright = 1.8 * (box[:, 4] - 0.5) + 1.2 * (box[:, 5] > 0.85)
        tint = torch.stack([0.25 * (box[:, 6] - 0.5), torch.zeros_like(bright), -0.25 * (box[:, 6] - 0.5)], 1)
        stops = stops + (shape * (box[:, 5] < busy[:, 0]))[:, None] * (bright[:, None] + tint)
    slope = 0.6 * (0.5 - y)[:, None] + 0.4 * (leafy - 0.5) * (x - 0.5)[:, None]
    picture = scene.backdrop[:, :, None, None] * torch.exp(stops * (1 - calm) + slope)
    saturation = 0.35 + 0.5 * grey
    picture = picture * saturation + picture.mean(1, keepdim=True) * (1 - saturation)
    large = interpolate(picture.clamp(0, 1.6), size=(size, size), mode="bilinear", align_corners=False)
    return large.permute(0, 2, 3, 1)


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
    colour = scene.occluder_colour[:, None, None, :] * light[..., None]
    dimmed = picture * (1 - 0.35 * shadow)[..., None]
    return dimmed * (1 - hidden[..., None]) + colour * hidden[..., None], hidden
