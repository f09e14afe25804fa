"""Finished pictures in the form the rest of the library takes: numpy arrays, RGB, uint8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..errors import FaceLibError
from .canvas import PARTS

if TYPE_CHECKING:
    from .people import People
    from .render import Rendering
    from .scene import Scene
    from .traits import Identities

BATCH = 32  # pictures rendered at once on a CPU: bounds the memory to about 1 GB


@dataclass(frozen=True)
class Shots:
    """N pictures of synthetic people.

    Attributes
    ----------
    images : uint8 (N, S, S, 3)
        RGB.
    landmarks : float32 (N, 5, 2)
        True places of eyes, nose and mouth corners in pixels, in the template's order.
    boxes : float32 (N, 4)
        x1, y1, x2, y2 around the face, upper forehead to chin.
    attributes : dict of name -> array with N rows
        ``id``, the person's traits (``masculine``, ``age`` and the like are mixing weights, not labels of anybody),
        every value of the ``Scene``, and ``visible``, the share of the face's pixels that nothing hides.
    masks : uint8 (N, S, S), optional
        What each pixel shows, as an index into ``facelib.synth.canvas.PARTS``.
    depth : float32 (N, S, S), optional
        In decimetres.
    normals : float32 (N, S, S, 3), optional
        Unit vectors in the camera's axes. The last three are None unless asked for.
    """

    images: np.ndarray
    landmarks: np.ndarray
    boxes: np.ndarray
    attributes: dict[str, np.ndarray]
    masks: np.ndarray | None = None
    depth: np.ndarray | None = None
    normals: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.images)


TRAITS = ("masculine", "age", "weight", "mix", "melanin", "wrinkles", "length", "beard", "grey")


def traits(who: Identities) -> dict[str, np.ndarray]:
    """The traits of people that go into the attributes."""
    values = {"id": who.number} | {name: getattr(who, name) for name in TRAITS}
    return {name: value.cpu().numpy() for name, value in values.items()}


def take(
    people: People, who: Identities, scene: Scene, size: int, aligned: bool, supersample: int | None, details: bool
) -> Shots:
    """Render in batches and gather the results on the CPU.

    Raises
    ------
    FaceLibError
        size is no integer of at least 3, below which the camera can leave nothing, or supersample none of at least 1.
    """
    from .render import render_scene

    for name, value, least in (("size", size, 3), ("supersample", supersample or 1, 1)):
        if not isinstance(value, (int, np.integer)) or value < least:
            raise FaceLibError(f"{name} must be an integer of at least {least}, not {value!r}")
    rows = BATCH if people.device.type == "cpu" else 32 * BATCH
    rows = max(1, min(rows, int(rows * (224 / (size * (supersample or (1 if aligned else 2)))) ** 2)))
    parts = [
        render_scene(who[i : i + rows], scene[i : i + rows], size, aligned, supersample)
        for i in range(0, len(who), rows)
    ]

    def join(name: str) -> np.ndarray:
        return torch.cat([getattr(part, name) for part in parts]).cpu().numpy()

    attributes = {**traits(who), **scene.metadata(), "visible": np.concatenate([_visible(part) for part in parts])}
    extra = {"masks": join("parts"), "depth": join("depth"), "normals": join("normals")} if details else {}
    return Shots(join("images"), join("landmarks"), join("box"), attributes, **extra)


def _visible(part: Rendering) -> np.ndarray:
    """Share of the pixels in the face's box that show skin, eyes or mouth."""
    height, width = part.parts.shape[1:]
    device = part.parts.device
    x = torch.arange(width, device=device)[None, None] + 0.5
    y = torch.arange(height, device=device)[None, :, None] + 0.5
    left, top, right, bottom = part.box[:, :, None, None].unbind(1)
    inside = (x > left) & (x < right) & (y > top) & (y < bottom) & (part.alpha > 0.5)
    shown = torch.zeros_like(inside)
    for name in ("skin", "eyes", "mouth", "lens"):
        shown |= part.parts == PARTS.index(name)
    return ((inside & shown).sum((1, 2)) / inside.sum((1, 2)).clamp(min=1)).cpu().numpy()
