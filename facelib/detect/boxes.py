"""Arithmetic on candidate boxes: where a window lies, which of many to keep, how to move and square them.

Boxes are float (K, 4): x1, y1, x2, y2. MTCNN was trained with both corner pixels inside the box, so a side
measures x2 - x1 + 1; leaving the + 1 out shifts every refined box and landmark by a fraction of a pixel. Lesson 01
derives windows, regression and suppression, lesson 02 the square and the overlap over the smaller box.
"""

from __future__ import annotations

import torch
from torchvision.ops import batched_nms

from .networks import PNet


def sides(boxes: torch.Tensor, corner_pixels: int = 1) -> torch.Tensor:
    """Width and height in pixels, both corner pixels included: (K, 4) -> (K, 2)."""
    return boxes[:, 2:] - boxes[:, :2] + corner_pixels


def windows(cells: torch.Tensor, scale: float) -> torch.Tensor:
    """Windows that P-Net's output cells looked at, in pixels of the original picture.

    Cell (i, j) saw the 12 x 12 pixels that begin at (2 i, 2 j) of the picture scaled by ``scale`` (eq. 1.3).

    Parameters
    ----------
    cells : (K, 2)
        Row i and column j in P-Net's output.

    Returns
    -------
    float (K, 4)
    """
    corner = PNet.stride * cells.flip(1).float()  # x before y
    return torch.cat([(corner + 1) / scale, (corner + PNet.size) / scale], dim=1).floor()


def refine(boxes: torch.Tensor, offsets: torch.Tensor, corner_pixels: int = 1) -> torch.Tensor:
    """Move each corner by its predicted offset, a fraction of the box's side: (K, 4), (K, 4) -> (K, 4).

    P-Net's offsets were trained with sides that leave the last pixel out (``corner_pixels=0``). Eq. 1.4 and 2.5.
    """
    return boxes + offsets * sides(boxes, corner_pixels).repeat(1, 2)


def square(boxes: torch.Tensor) -> torch.Tensor:
    """Grow the shorter side about the centre, so that a crop is not distorted: (K, 4) -> (K, 4)."""
    width_height = boxes[:, 2:] - boxes[:, :2]
    longest = width_height.amax(1, keepdim=True)
    corner = boxes[:, :2] + (width_height - longest) / 2
    return torch.cat([corner, corner + longest], dim=1)


def pixel_boxes(boxes: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Whole-pixel parts of the boxes that lie inside the picture, ends excluded: (K, 4) -> int64 (K, 4).

    A box entirely outside comes back empty (x2 <= x1 or y2 <= y1).
    """
    whole = boxes.long()  # towards zero, as in the original
    corner = (whole[:, :2] - 1).clamp(min=0)  # the weights count pixels from 1
    limit = whole.new_tensor([width, height])
    return torch.cat([corner, torch.minimum(whole[:, 2:], limit)], dim=1)


def nms(
    boxes: torch.Tensor,
    scores: torch.Tensor,
    threshold: float,
    groups: torch.Tensor | None = None,
    overlap: str = "union",
) -> torch.Tensor:
    """Non-maximum suppression: keep the best box, drop those that overlap it by more than ``threshold``, repeat.

    Parameters
    ----------
    boxes, scores : (K, 4), (K,)
    groups : int64 (K,), optional
        Boxes of different groups (pictures, pyramid levels) do not compete.
    overlap : "union" or "min"
        Intersection over union, or over the smaller of the two boxes: the second also drops a box inside another.
        A pair that overlaps by exactly the threshold may fall either way: rounding decides.

    Returns
    -------
    int64 (M,): indices of the kept boxes, best score first
    """
    if groups is None:
        groups = torch.zeros_like(scores, dtype=torch.int64)
    if overlap == "union":
        return batched_nms(boxes, scores, groups, threshold)
    if overlap != "min":
        raise ValueError(f'overlap must be "union" or "min", not {overlap!r}')
    order = scores.argsort(stable=True).flip(0)  # O-Net's scores saturate: of equal ones the later wins, as published
    rival = overlap_min(boxes[order], boxes[order]) > threshold
    rival &= groups[order, None] == groups[order]
    keep = torch.ones_like(order, dtype=torch.bool)
    for i in range(len(order)):  # few boxes reach the last stage
        if keep[i]:
            keep[i + 1 :] &= ~rival[i, i + 1 :]
    return order[keep]


def overlap_min(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Intersection over the smaller area, corners included: (K, 4), (L, 4) -> (K, L); lesson 02, eq. 2.7."""
    top_left = torch.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    intersection = (bottom_right - top_left + 1).clamp(min=0).prod(2)
    return intersection / torch.minimum(sides(a).prod(1)[:, None], sides(b).prod(1)[None, :])
