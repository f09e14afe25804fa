"""What a P-Net is taught with: windows cut from pictures, each with what should be said of it.

A sample is one of four kinds, and each kind takes part in some of the three losses only (``APPLIES``). The network
sees the whole of a window, so its kind is decided by the whole. The detector, however, names a window by the numbers
of its first and last pixel and adds the offsets to those (``boxes.windows``): targets are fractions of the window *as
named*, else every box of the finished detector would be off by a twelfth. Lesson 03 derives all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import box_iou

from ..errors import FaceLibError
from ..faces import Faces
from .networks import PNet
from .pyramid import integral_image, resample

NEGATIVE, PART, POSITIVE, LANDMARK = range(4)
KINDS = ("negative", "part face", "positive", "landmark face")
LOSSES = ("face", "box", "landmarks")
APPLIES = torch.tensor([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1]]).bool()
"""Beta of equation 4: bool (4 kinds, 3 losses), whether a kind of sample takes part in a loss."""
SHARES = (3, 1, 1, 2)
"""Negatives : part faces : positives : landmark faces in a batch, as published."""
NEGATIVE_IOU, PART_IOU, POSITIVE_IOU = 0.3, 0.4, 0.65
"""Negative below the first, part face from the second, positive from the third; in between, no use."""
NOT_USED = -1


@dataclass(frozen=True)
class Samples:
    """K windows at P-Net's size, each with what should be said of it. Tensors on one device.

    Attributes
    ----------
    crops : uint8 (K, 3, 12, 12)
    kinds : int64 (K,)
        Index into ``KINDS``.
    offsets : float32 (K, 4)
        Where the face's box is, by ``encode_boxes``; 0 for negatives, where it means nothing.
    landmarks : float32 (K, 5, 2)
        Where its landmarks are, by ``encode_landmarks``; 0 for negatives.
    """

    crops: Tensor
    kinds: Tensor
    offsets: Tensor
    landmarks: Tensor

    def __len__(self) -> int:
        return len(self.kinds)

    def __getitem__(self, index: Tensor) -> Samples:
        return Samples(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def to(self, device: str | torch.device) -> Samples:
        """The same samples on another device."""
        return Samples(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    @classmethod
    def join(cls, parts: Sequence[Samples]) -> Samples:
        """Several as one."""
        return cls(**{f.name: torch.cat([getattr(part, f.name) for part in parts]) for f in fields(cls)})

    @property
    def applies(self) -> Tensor:
        """Beta of equation 4: bool (K, 3), which of ``LOSSES`` each sample takes part in."""
        return APPLIES.to(self.kinds.device)[self.kinds]


def named_windows(boxes: Tensor) -> Tensor:
    """Windows by the numbers that the detector gives them, before it rounds down: (K, 4) -> float (K, 4).

    A window [x1, x2) of 12 cells is named x1 + side / 12 to x2: its first and last cell, counted from 1 (eq. 3.2).
    """
    boxes = boxes.float()
    return torch.cat([boxes[:, :2] + (boxes[:, 2:] - boxes[:, :2]) / PNet.size, boxes[:, 2:]], 1)


def encode_boxes(faces: Tensor, windows: Tensor) -> Tensor:
    """Offsets that ``boxes.refine(windows, offsets, corner_pixels=0)`` turns into faces, eq. 3.2: (K, 4) each."""
    side = windows[:, 2:] - windows[:, :2]
    return (faces - windows) / side.repeat(1, 2)


def encode_landmarks(points: Tensor, windows: Tensor) -> Tensor:
    """Landmarks as fractions of windows, from their first corner, eq. 3.2: (K, 5, 2), (K, 4) -> (K, 5, 2)."""
    side = windows[:, 2:] - windows[:, :2]
    return (points - windows[:, None, :2]) / side[:, None]


def decode_landmarks(fractions: Tensor, windows: Tensor) -> Tensor:
    """The way back from ``encode_landmarks``: pixels of the picture, (K, 5, 2)."""
    side = windows[:, 2:] - windows[:, :2]
    return windows[:, None, :2] + fractions * side[:, None]


def random_boxes(
    count: int, height: int, width: int, generator: torch.Generator, near: Tensor | None = None, shift: float = 0.2
) -> Tensor:
    """Random squares of whole pixels that lie inside the picture, 12 pixels or larger.

    Parameters
    ----------
    count : int
        How many to draw; those that jut out of the picture are left out.
    near : (4,), optional
        A face's box: sides are between 0.8 of its shorter and 1.25 of its longer side. Without it, anywhere, and
        from 12 pixels to the whole picture. All sizes are even in their logarithm.
    shift : float
        With ``near``: by how much of a square's side its middle may lie off the face's.

    Returns
    -------
    int64 (K, 4), K <= count
        x1, y1, x2, y2, the last two excluded.
    """

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=generator.device).cpu()

    limits = torch.tensor([float(PNet.size), float(min(height, width))])
    middle = uniform(count, 2) * torch.tensor([width, height])
    if near is not None:
        box = near.float().cpu()
        size = box[2:] - box[:2]
        limits = torch.stack([0.8 * size.min(), 1.25 * size.max()]).clamp(min=PNet.size)
    side = (limits[0].log() + uniform(count) * (limits[1] / limits[0]).log()).exp()
    if near is not None:
        middle = (box[:2] + box[2:]) / 2 + (2 * uniform(count, 2) - 1) * shift * side[:, None]
    whole = side.round().long()[:, None]
    corner = (middle - whole / 2).round().long()
    boxes = torch.cat([corner, corner + whole], 1)
    inside = (boxes[:, :2] >= 0).all(1) & (boxes[:, 2] <= width) & (boxes[:, 3] <= height)
    return boxes[inside]


def label_boxes(boxes: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Kind of each window by its best overlap (IoU) with a face.

    Parameters
    ----------
    boxes, faces : (K, 4), (N, 4)
        N may be 0: every window is a negative then.

    Returns
    -------
    kinds, which : int64 (K,) each
        NEGATIVE, PART, POSITIVE or NOT_USED, and the face with the best overlap.
    """
    if not len(faces):
        none = torch.zeros(len(boxes), dtype=torch.int64, device=boxes.device)
        return torch.full_like(none, NEGATIVE), none
    overlap, which = box_iou(boxes.float(), faces.float()).max(1)
    kinds = torch.full_like(which, NOT_USED)
    kinds[overlap < NEGATIVE_IOU] = NEGATIVE
    kinds[overlap >= PART_IOU] = PART
    kinds[overlap >= POSITIVE_IOU] = POSITIVE
    return kinds, which


def cut_samples(
    image: Tensor | np.ndarray, faces: Faces, generator: torch.Generator, near: int = 30, anywhere: int = 60
) -> Samples:
    """Random windows of one picture with their kinds and targets.

    Parameters
    ----------
    image : uint8 (H, W, 3)
    faces : Faces
        All true faces, with landmarks: a face left out would be taught as "no face". May be empty.
    generator : torch.Generator
    near, anywhere : int
        How many windows to draw close about each face, and as many loosely about it; how many anywhere.

    Returns
    -------
    Samples
        Of the windows on a face, SHARES decides how many are positives and how many landmark faces. Windows that
        are neither face, part nor background (IoU from 0.3 to 0.4) are left out.

    Raises
    ------
    FaceLibError
        If the picture is not uint8 (H, W, 3) of 12 pixels or more.
    """
    pixels = torch.as_tensor(image)
    if pixels.dtype != torch.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or min(pixels.shape[:2]) < PNet.size:
        raise FaceLibError(
            f"cut_samples needs a picture of uint8 (H, W, 3), 12 pixels or more,"
            f" not {pixels.dtype} {tuple(pixels.shape)}; facelib.load_image reads one from any file"
        )
    height, width = pixels.shape[:2]
    true, points = torch.tensor(faces.boxes), torch.tensor(faces.landmarks)
    drawn = [random_boxes(anywhere, height, width, generator)]
    for box in true:
        drawn += [random_boxes(near, height, width, generator, box, shift) for shift in (0.2, 1.0)]
    boxes = torch.cat(drawn)
    kinds, which = label_boxes(boxes, true)
    boxes, kinds, which = (x[kinds != NOT_USED] for x in (boxes, kinds, which))
    chance = torch.rand(len(kinds), generator=generator, device=generator.device).cpu()
    kinds[(kinds == POSITIVE) & (chance < SHARES[LANDMARK] / (SHARES[POSITIVE] + SHARES[LANDMARK]))] = LANDMARK
    if not len(true):
        return _samples(pixels, boxes, kinds)
    return _samples(pixels, boxes, kinds, true[which], points[which])


def greyed(samples: Samples) -> Samples:
    """Copies without colour, each pixel the mean of its channels: taught with both, a net cannot rely on colour."""
    grey = samples.crops.float().mean(1, keepdim=True).round().byte()  # K, 1, 12, 12
    return replace(samples, crops=grey.expand(-1, 3, -1, -1).contiguous())


def negatives(image: Tensor | np.ndarray, boxes: Tensor) -> Samples:
    """Windows int64 (K, 4) of a picture as samples that are no face: what ``false_alarms`` found, for instance."""
    return _samples(torch.as_tensor(image), boxes, torch.full((len(boxes),), NEGATIVE))


def _samples(
    pixels: Tensor, boxes: Tensor, kinds: Tensor, faces: Tensor | None = None, points: Tensor | None = None
) -> Samples:
    """Cut the windows; faces (K, 4) and points (K, 5, 2) are those of each window, None if all are negatives."""
    crops = resample(integral_image(pixels), boxes, (PNet.size, PNet.size)).round().byte().contiguous()
    offsets, landmarks = torch.zeros(len(boxes), 4), torch.zeros(len(boxes), 5, 2)
    if faces is not None and points is not None:
        on_face, named = kinds != NEGATIVE, named_windows(boxes)
        offsets[on_face] = encode_boxes(faces, named)[on_face]
        landmarks[on_face] = encode_landmarks(points, named)[on_face]
    return Samples(crops, kinds, offsets, landmarks)
