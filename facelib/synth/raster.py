"""Which triangle is seen at each pixel: an exact z-buffer for whole batches, in plain PyTorch, on any device.

Triangles are sorted into buckets by the size of their bounding boxes. Every triangle of a bucket tests the K x K
pixel centres of its box with three edge functions at once, and the nearest hit of each pixel is found by one
scatter-minimum over (depth, face) packed into one integer. No loop runs over triangles, pixels or pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

BUCKETS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256, 512, 1024, 2048, 4096)
FACE_BITS = 20
DEPTH_LEVELS = 2**30
CHUNK = 4_000_000  # box pixels tested at once: bounds the memory


@dataclass(frozen=True)
class Fragments:
    """What is seen at the covered pixels of a batch; M of them.

    pixel (M,) int64 index into the flattened (B, H, W); image (M,) which picture; face (M,) which triangle;
    corners (M, 3) its vertices; weights (M, 3) perspective-correct barycentric coordinates; nearness (M,) inverse
    depth.
    """

    pixel: Tensor
    image: Tensor
    face: Tensor
    corners: Tensor
    weights: Tensor
    nearness: Tensor

    def __len__(self) -> int:
        return len(self.pixel)

    def interpolate(self, values: Tensor) -> Tensor:
        """Values at the vertices, (V, C) shared or (B, V, C) a picture, at every fragment: (M, C)."""
        rows = self.corners
        if values.dim() == 3:
            rows = rows + (self.image * values.shape[1])[:, None]
            values = values.reshape(-1, values.shape[-1])
        return embedding_bag(rows, values.contiguous(), per_sample_weights=self.weights, mode="sum")

    def where(self, chosen: Tensor) -> Fragments:
        """Only the fragments at these positions (K,) int64."""
        parts = (self.pixel, self.image, self.face, self.corners, self.weights, self.nearness)
        return Fragments(*(part[chosen] for part in parts))


def rasterize(points: Tensor, faces: Tensor, height: int, width: int, cull: bool = True) -> Tensor:
    """Index of the nearest triangle at each pixel centre.

    Parameters
    ----------
    points : float32 (B, V, 3)
        Vertices as pixel x, pixel y (downwards), inverse depth. Triangles with a vertex of inverse depth <= 0 are
        behind the camera and left out.
    faces : int64 (F, 3)
        At most 2**20 triangles, counter-clockwise when seen from outside with y upwards.
    height, width : int
    cull : bool
        Leave out triangles seen from behind.

    Returns
    -------
    int64 (B, H, W)
        -1 where there is none.
    """
    batch, device = len(points), points.device
    corner = points[:, faces]  # (B, F, 3, 3)
    x, y, q = corner.unbind(-1)
    area = (x[..., 1] - x[..., 0]) * (y[..., 2] - y[..., 0]) - (x[..., 2] - x[..., 0]) * (y[..., 1] - y[..., 0])
    left, right = (x.amin(-1) - 0.5).ceil().clamp(0), (x.amax(-1) - 0.5).floor().clamp(max=width - 1)
    top, bottom = (y.amin(-1) - 0.5).ceil().clamp(0), (y.amax(-1) - 0.5).floor().clamp(max=height - 1)
    # Pixel rows count downwards, so what faces us has a negative area.
    drawn = (right >= left) & (bottom >= top) & (q.amin(-1) > 0) & ((area < -1e-6) if cull else (area.abs() > 1e-6))
    empty = torch.iinfo(torch.int64).max
    nearest = torch.full((batch * height * width,), empty, dtype=torch.int64, device=device)
    chosen = drawn.view(-1).nonzero().squeeze(1)
    image = chosen.div(len(faces), rounding_mode="floor")
    face = chosen - image * len(faces)
    left, top = left.view(-1)[chosen], top.view(-1)[chosen]
    across, down = right.view(-1)[chosen] - left + 1, bottom.view(-1)[chosen] - top + 1
    plane = _planes(corner.view(-1, 3, 3)[chosen], area.view(-1)[chosen], left + 0.5, top + 0.5)
    highest = q.amax((1, 2)).clamp(min=1e-9)[image]  # a picture's depth scale does not depend on its neighbours
    plane[:, 2] = plane[:, 2] / highest[:, None]
    first = (image * height + top.long()) * width + left.long()
    size, smaller = torch.maximum(across, down), 0
    for side in BUCKETS:
        bucket = ((size > smaller) & (size <= side)).nonzero().squeeze(1)
        smaller = side
        for part in bucket.split(max(1, CHUNK // side**2)):
            _scatter(nearest, plane[part], across[part], down[part], first[part], face[part], side, width)
    seen = torch.where(nearest == empty, -1, nearest & (2**FACE_BITS - 1))
    return seen.view(batch, height, width)


def _planes(corner: Tensor, area: Tensor, x0: Tensor, y0: Tensor) -> Tensor:
    """(M, 3, 3): two barycentric coordinates and the inverse depth, each as a x + b y + c from (x0, y0)."""
    (xa, ya, qa), (xb, yb, qb), (xc, yc, qc) = (c.unbind(-1) for c in corner.unbind(1))
    a0, b0, c0 = (yb - yc) / area, (xc - xb) / area, (xb * yc - xc * yb) / area
    a1, b1, c1 = (yc - ya) / area, (xa - xc) / area, (xc * ya - xa * yc) / area
    c0, c1 = c0 + a0 * x0 + b0 * y0, c1 + a1 * x0 + b1 * y0
    u, v = qa - qc, qb - qc
    depth = [a0 * u + a1 * v, b0 * u + b1 * v, c0 * u + c1 * v + qc]
    return torch.stack([torch.stack([a0, b0, c0], 1), torch.stack([a1, b1, c1], 1), torch.stack(depth, 1)], 1)


def _scatter(nearest: Tensor, plane: Tensor, across: Tensor, down: Tensor, first: Tensor, face: Tensor, side: int,
             width: int) -> None:  # fmt: skip
    """Test the side x side pixels of each box and keep the nearest hits."""
    if not len(plane):
        return
    steps = torch.arange(side, device=plane.device, dtype=plane.dtype)
    x, y = steps[None, None, :], steps[None, :, None]

    def at(k: int) -> Tensor:  # plane k on the box's pixels (M, side, side)
        return plane[:, k, 0, None, None] * x + plane[:, k, 1, None, None] * y + plane[:, k, 2, None, None]

    u, v = at(0), at(1)
    inside = (u >= 0) & (v >= 0) & (u + v <= 1) & (x < across[:, None, None]) & (y < down[:, None, None])
    which, row, column = inside.nonzero().unbind(1)
    a, b, c = plane[which, 2].unbind(1)
    depth = ((1 - (a * column + b * row + c)).clamp(0, 1) * DEPTH_LEVELS).long()
    nearest.scatter_reduce_(0, first[which] + row * width + column, (depth << FACE_BITS) | face[which], "amin")


def fragments(points: Tensor, faces: Tensor, seen: Tensor) -> Fragments:
    """Barycentric coordinates at the covered pixels of ``seen``, as ``rasterize`` returned it for these points."""
    batch, height, width = seen.shape
    pixel = (seen.view(-1) >= 0).nonzero().squeeze(1)
    face = seen.view(-1)[pixel]
    image = pixel.div(height * width, rounding_mode="floor")
    place = pixel - image * (height * width)
    y = place.div(width, rounding_mode="floor")
    x = place - y * width
    corners = faces[face]
    px, py, q = points.reshape(-1, 3)[corners + (image * points.shape[1])[:, None]].unbind(-1)
    dx, dy = px - (x + 0.5)[:, None], py - (y + 0.5)[:, None]
    area = (px[:, 1] - px[:, 0]) * (py[:, 2] - py[:, 0]) - (px[:, 2] - px[:, 0]) * (py[:, 1] - py[:, 0])
    w0 = (dx[:, 1] * dy[:, 2] - dx[:, 2] * dy[:, 1]) / area
    w1 = (dx[:, 2] * dy[:, 0] - dx[:, 0] * dy[:, 2]) / area
    weights = torch.stack([w0, w1, 1 - w0 - w1], 1) * q  # what is linear in space is linear in q times itself
    nearness = weights.sum(1)
    return Fragments(pixel, image, face, corners, weights / nearness[:, None], nearness)
