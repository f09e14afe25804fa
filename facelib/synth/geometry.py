"""Rotations, normals, projection and the similarity transform, for whole batches on any device."""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad

from ..alignment import TEMPLATE_112


def smoothstep(low: float | Tensor, high: float | Tensor, x: Tensor) -> Tensor:
    """0 below low, 1 above high, 3 t^2 - 2 t^3 between."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def bell(x: Tensor, centre: float | Tensor, width: float | Tensor) -> Tensor:
    """exp(-((x - centre) / width)^2)."""
    return torch.exp(-(((x - centre) / width) ** 2))


def rotation(yaw: Tensor, pitch: Tensor, roll: Tensor) -> Tensor:
    """Rotation matrices (B, 3, 3) from angles (B,) in radians.

    yaw > 0 looks to the right of the picture, pitch > 0 up, roll > 0 turns counter-clockwise.
    """
    zero, one = torch.zeros_like(yaw), torch.ones_like(yaw)

    def matrix(*entries: Tensor) -> Tensor:
        return torch.stack(entries, -1).view(-1, 3, 3)

    cy, sy, cp, sp, cr, sr = yaw.cos(), yaw.sin(), pitch.cos(), -pitch.sin(), roll.cos(), roll.sin()
    rolled = matrix(cr, -sr, zero, sr, cr, zero, zero, zero, one)
    yawed = matrix(cy, zero, sy, zero, one, zero, -sy, zero, cy)
    pitched = matrix(one, zero, zero, zero, cp, -sp, zero, sp, cp)
    return rolled @ yawed @ pitched


def neighbours(faces: Tensor, count: int) -> Tensor:
    """Triangles that meet at each vertex: int64 (count, most), filled up with the number of triangles.

    Summing over a table gives the same bits every time; scattered additions on a GPU would not.
    """
    found: dict[int, list[int]] = defaultdict(list)
    for face, corners in enumerate(faces.tolist()):
        for corner in corners:
            found[corner].append(face)
    most = max(map(len, found.values()))
    rows = [found[v] + [len(faces)] * (most - len(found[v])) for v in range(count)]
    return torch.tensor(rows, device=faces.device)


def vertex_normals(vertices: Tensor, faces: Tensor, meeting: Tensor) -> Tensor:
    """Unit normals (B, V, 3): the area-weighted mean over the triangles of each vertex."""
    corner = vertices[:, faces]
    across = torch.cross(corner[:, :, 1] - corner[:, :, 0], corner[:, :, 2] - corner[:, :, 0], dim=-1)
    across = pad(across, (0, 0, 0, 1))  # the last one stands for none
    total = across[:, meeting[:, 0]]
    for column in range(1, meeting.shape[1]):
        total = total + across[:, meeting[:, column]]
    return normalize(total, dim=-1)


def similarity(landmarks: Tensor, size: int) -> Tensor:
    """Transforms (B, 2, 3) from landmarks (B, 5, 2) to the template of a crop; see ``facelib.estimate_similarity``."""
    target = landmarks.new_tensor(TEMPLATE_112.tolist()) * (size / 112)
    p_mean, q_mean = landmarks.mean(1), target.mean(0)
    p, q = landmarks - p_mean[:, None], target - q_mean
    along = (p * q).sum((1, 2))
    across = (p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0]).sum(1)
    length = (p**2).sum((1, 2))
    a, b = along / length, across / length
    turn = torch.stack([torch.stack([a, -b], -1), torch.stack([b, a], -1)], 1)
    shift = q_mean - (turn @ p_mean[..., None]).squeeze(-1)
    return torch.cat([turn, shift[..., None]], -1)


def transform(matrix: Tensor, points: Tensor) -> Tensor:
    """Apply (B, 2, 3) to points (B, K, 2)."""
    return points @ matrix[:, :, :2].transpose(1, 2) + matrix[:, None, :, 2]
