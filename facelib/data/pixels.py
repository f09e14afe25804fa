"""What augmentation does to pixels: batches (B, 3, H, W) in 0..255, every sample with its own numbers."""

from __future__ import annotations

import torch
from torch import Tensor


def luma(x: Tensor) -> Tensor:
    """Brightness as the eye sees it, (B, 1, H, W)."""
    return 0.299 * x[:, :1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:]


def turn_hue(x: Tensor, turns: Tensor) -> Tensor:
    """Hue of HSV moved by (B, 1, 1) turns; the largest and the smallest colour of each pixel keep their values."""
    red, green, blue = x.unbind(1)
    top, chroma = x.amax(1), x.amax(1) - x.amin(1)
    unit = torch.where(chroma > 0, chroma, 1.0)
    sixths = torch.where(top == green, (blue - red) / unit + 2, (red - green) / unit + 4)
    sixths = torch.where(top == red, (green - blue) / unit, sixths) + 6 * turns
    away = [(sixths + start) % 6 for start in (5, 3, 1)]
    return torch.stack([top - chroma * torch.minimum(k, 4 - k).clamp(0, 1) for k in away], 1)


def along_axes(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """x filtered along both axes by matrices (B, H, H) and (B, W, W). A row of the batch sees none of the others."""
    return rows[:, None] @ x @ columns[:, None].mT


def gaussian(side: int, sigma: Tensor) -> Tensor:
    """Blur of (B, 1, 1) sigma pixels along one axis as matrices (B, side, side).

    At the edge the weights of the pixels that are there sum to 1.
    """
    at = torch.arange(side, device=sigma.device)
    weights = torch.exp(-((at[:, None] - at) ** 2) / (2 * sigma**2))
    return weights / weights.sum(2, keepdim=True)


def smaller_and_back(side: int, share: Tensor) -> Tensor:
    """Averaging to fewer pixels, then linear interpolation back, as matrices (B, side, side) for one axis."""
    small = (share * side).round().clamp(1, side)  # (B, 1, 1)
    at = torch.arange(side, device=share.device, dtype=torch.float32)
    start = at[:, None] * (side / small)  # where each small pixel begins
    down = (torch.minimum(start + side / small, at + 1) - torch.maximum(start, at)).clamp(min=0) * (small / side)
    place = ((at[:, None] + 0.5) * (small / side) - 0.5).clamp(min=0).minimum(small - 1)
    return (1 - (place - at).abs()).clamp(min=0) @ down


def rectangle(x: Tensor, share: Tensor, aspect: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """Where a rectangle is in pictures (B, 3, H, W), bool (B, 1, H, W); the others (B, 1, 1, 1).

    ``share`` of the picture's area and ``aspect``, width by height where the picture is square, are met as nearly as
    whole pixels allow; ``right`` and ``down``, 0..1, choose among all places where it fits.
    """
    aspect = torch.maximum(share, torch.minimum(aspect, 1 / share))  # neither side longer than the picture's
    inside = []
    for axis, length, place in ((3, (share * aspect).sqrt(), right), (2, (share / aspect).sqrt(), down)):
        side = x.shape[axis]
        pixels = (length * side).round().clamp(1, side)
        first = (place * (side - pixels + 1)).floor().minimum(side - pixels)
        at = torch.arange(side, device=x.device).view([-1 if k == axis else 1 for k in range(4)])
        inside.append((at >= first) & (at < first + pixels))
    return inside[0] & inside[1]
