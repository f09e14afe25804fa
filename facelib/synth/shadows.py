"""What stands in the way of a distant light."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, normalize

from .raster import fragments, rasterize

ABOVE = 0.09  # decimetres: about two pixels of a shadow map of head and shoulders


def visibility(
    vertices: Tensor,
    faces: Tensor,
    direction: Tensor,
    normals: Tensor | None = None,
    size: int = 96,
    bias: float = 0.06,
) -> Tensor:
    """Share of a distant light that reaches each vertex: a soft shadow map.

    Parameters
    ----------
    vertices : (B, V, 3)
    faces : int64 (F, 3)
    direction : (B, 3)
        Unit vectors towards the light.
    normals : (B, V, 3), optional
        With them a place is looked up a little above its surface, which keeps surfaces that the light grazes from
        shadowing themselves in patches.
    size : int
        Side of the shadow map in pixels.
    bias : float
        Depth by which a place must lie behind another to be shadowed, in world units.

    Returns
    -------
    float32 (B, V) in 0..1
    """
    up = vertices.new_tensor([0.0173, 0.9998, 0.01]).expand_as(direction)
    right = normalize(torch.cross(up, direction, dim=-1), dim=-1)
    frame = torch.stack([right, torch.cross(direction, right, dim=-1), direction], 1)
    centre = vertices.mean(1, keepdim=True)
    turned = (vertices - centre) @ frame.transpose(1, 2)
    reach = turned[..., :2].abs().amax((1, 2)).clamp(min=0.5)[:, None, None]
    flat = turned[..., :2] / reach * turned.new_tensor([0.48, -0.48]) + 0.5
    points = torch.cat([flat * size, turned[..., 2:] + 20], -1)  # orthographic: nearness is linear in the depth
    seen = rasterize(points, faces, size, size)
    nearest = torch.zeros(len(vertices) * size * size, device=vertices.device)
    fragment = fragments(points, faces, seen)
    nearest[fragment.pixel] = _linear_depth(points, faces, fragment.face, fragment.image, fragment.pixel, size)
    if normals is not None:
        turned = (vertices + ABOVE * normals - centre) @ frame.transpose(1, 2)
        flat = turned[..., :2] / reach * turned.new_tensor([0.48, -0.48]) + 0.5
    deep = turned[..., 2] + 20 + bias
    maps, free = nearest.view(-1, 1, size, size), torch.zeros_like(points[..., 0])
    for shift in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
        grid = (flat + flat.new_tensor(shift) * 0.7 / size)[:, None] * 2 - 1
        free += grid_sample(maps, grid, mode="nearest", align_corners=False)[:, 0, 0] < deep
    return free / 4


def _linear_depth(points: Tensor, faces: Tensor, face: Tensor, image: Tensor, pixel: Tensor, size: int) -> Tensor:
    """Depth in a parallel projection at given pixels: barycentric, without the perspective division."""
    corner = points.reshape(-1, 3)[faces[face] + (image * points.shape[1])[:, None]]
    place = pixel % (size * size)
    centre = torch.stack([place % size, place.div(size, rounding_mode="floor")], -1) + 0.5
    a, b, c = corner.unbind(1)
    u, v, w = b[:, :2] - a[:, :2], c[:, :2] - a[:, :2], centre - a[:, :2]
    area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    s, t = (w[:, 0] * v[:, 1] - w[:, 1] * v[:, 0]) / area, (u[:, 0] * w[:, 1] - u[:, 1] * w[:, 0]) / area
    return a[:, 2] + s * (b[:, 2] - a[:, 2]) + t * (c[:, 2] - a[:, 2])
