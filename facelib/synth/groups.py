"""Pictures of several people in one room, with the truth that a detector is measured against."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from ..errors import FaceLibError
from .backdrop import backdrop
from .camera import develop, photograph
from .canvas import PARTS
from .people import People
from .render import FACE_HEIGHT, Rendering, render_scene
from .sampling import sample_scene
from .scene import Scene

SHARED = ("lighting", "light_direction", "light_colour", "ambient", "ground", "shadow", "exposure", "white",
          "contrast", "saturation", "vignette", "blur", "motion", "detail", "noise", "quality", "monochrome", "grain",
          "backdrop", "backdrop_light", "backdrop_coarse", "backdrop_fine", "backdrop_boxes",
          "backdrop_mix")  # fmt: skip
"""What everybody in one picture has in common: the light, the room and the camera."""
TILE = 8.0  # decimetres that one person's picture shows; their clothes are carried on below it
ABOVE = 0.36  # share of the tile above the face's middle
FEWEST_IN_ROW = 4


@dataclass(frozen=True)
class Group:
    """One picture and its N faces, front to back.

    Attributes
    ----------
    image : uint8 (H, W, 3)
        RGB.
    landmarks : float32 (N, 5, 2)
        In pixels, in the template's order.
    boxes : float32 (N, 4)
        From upper forehead to chin, in pixels.
    visible : float32 (N,)
        Share of the face that nobody and nothing hides.
    attributes : dict
        Every value of the people's scenes, N rows each.
    """

    image: np.ndarray
    landmarks: np.ndarray
    boxes: np.ndarray
    visible: np.ndarray
    attributes: dict[str, np.ndarray]


@torch.no_grad()
def render_group(
    people: People,
    ids: Sequence[int],
    generator: torch.Generator,
    height: int = 720,
    width: int = 1280,
    hardness: float = 0.6,
    places: Sequence[Sequence[float]] | np.ndarray | None = None,
    defocus: Sequence[float] | None = None,
    **fixed: Tensor | float,
) -> Group:
    """Put people into rows, the back rows higher and smaller, or where one wants them, under one light.

    Parameters
    ----------
    ids : N integers
    generator : torch.Generator
    height, width : int
        Of the picture, in pixels.
    hardness : float
        See ``sampling.sample_scene``.
    places : (N, 3), optional
        For each person x and y of the face's middle and its height from chin to crown, in pixels, front to back.
    defocus : N numbers, optional
        How far out of focus each person is: standard deviation of the blur in pixels.
    fixed
        Values of the ``Scene`` that are set and not drawn, as in ``People.render``; those of the light, the room and
        the camera must be the same for all N.

    Raises
    ------
    FaceLibError
        If there are not as many places or blurs as people.
    """
    who = people.identities(ids)
    scene = _one_room(sample_scene(people.basis, who, generator, hardness)).replace(**fixed)
    faces, centres = _rows(len(ids), height, width, generator) if places is None else _given(places, len(ids))
    spread = [0.0] * len(ids) if defocus is None else [float(value) for value in defocus]
    if len(spread) != len(ids):
        raise FaceLibError(f"render_group: {len(ids)} people and {len(spread)} values of defocus; give one for each")
    side = max(height, width)
    room = backdrop(scene[:1], side)[0, :height, :width]
    landmarks, boxes = torch.zeros(len(ids), 5, 2, device="cpu"), torch.zeros(len(ids), 4, device="cpu")
    whole = torch.ones(len(ids), device=people.device)
    shown = torch.zeros(len(ids), height, width, dtype=torch.bool, device=people.device)
    for k in reversed(range(len(ids))):  # from the back
        size = max(8, round(TILE / FACE_HEIGHT * faces[k]))
        middle = torch.tensor([0.5, ABOVE], device="cpu")
        own = scene[k : k + 1].replace(face_size=faces[k] / size, centre=middle)
        tile = render_scene(who[k : k + 1], own, size, aligned=False, supersample=3 if size < 300 else 2)
        tile = replace(tile, linear=_soften(tile.linear, spread[k]))
        corner = (centres[k] - middle * size).round()
        layer, face, whole[k] = _carry_on(tile, corner.long().tolist(), height, width)
        room = room * (1 - layer[..., 3:]) + layer[..., :3]
        shown[k + 1 :] &= layer[..., 3] < 0.5
        shown[k] = face
        landmarks[k], boxes[k] = tile.landmarks[0].cpu() + corner, tile.box[0].cpu() + corner.repeat(2)
    image = _finish(room, scene[:1], who.melanin.mean()[None], side)
    visible = shown.sum((1, 2)) / whole.clamp(min=1)
    return Group(image, landmarks.numpy(), boxes.numpy(), visible.cpu().numpy(), scene.metadata())


def _one_room(scene: Scene) -> Scene:
    """The first person's light, room and camera for everybody; nobody holds a thing before the face."""
    first = {f.name: getattr(scene, f.name)[:1] for f in fields(scene) if f.name in SHARED}
    return scene.replace(**first, occluder=0)


def _rows(n: int, height: int, width: int, generator: torch.Generator) -> tuple[list[float], Tensor]:
    """Face heights in pixels, and where the faces' middles are (N, 2), front row first."""

    def jitter(*shape: int) -> Tensor:
        return 2 * torch.rand(*shape, generator=generator, device=generator.device).cpu() - 1

    rows = max(1, round((n / FEWEST_IN_ROW) ** 0.7))
    share = torch.arange(n, device="cpu") * rows // n  # which row, 0 in front
    faces, centres = [], []
    for k in range(n):
        row = int(share[k])
        in_row = [j for j in range(n) if share[j] == row]
        across = (in_row.index(k) + 0.5 + 0.18 * float(jitter(1))) / len(in_row) + 0.12 * (row % 2) / len(in_row)
        down = 0.62 - 0.50 * row / rows + 0.03 * float(jitter(1)) if rows > 1 else 0.45 + 0.05 * float(jitter(1))
        room = min(0.30 * height, 0.55 * width / len(in_row))
        faces.append(room * 0.74**row * (1 + 0.12 * float(jitter(1))))
        centres.append([across * width, down * height])
    return faces, torch.tensor(centres, device="cpu")


def _given(places: Sequence[Sequence[float]] | np.ndarray, n: int) -> tuple[list[float], Tensor]:
    """The same from the caller's places (N, 3)."""
    table = torch.as_tensor(np.asarray(places, dtype=np.float32), device="cpu")
    if table.shape != (n, 3):
        raise FaceLibError(f"render_group: places must be ({n}, 3), x, y and height of each face, not {table.shape}")
    return table[:, 2].tolist(), table[:, :2]


def _soften(linear: Tensor, spread: float) -> Tensor:
    """Blur light and coverage (1, S, S, 4) by a Gaussian of this standard deviation in pixels."""
    radius = math.ceil(3 * spread)
    if radius < 1:
        return linear
    steps = torch.arange(-radius, radius + 1, device=linear.device)
    kernel = torch.exp(-(steps**2) / (2 * spread**2))
    x = linear.permute(3, 0, 1, 2)  # 4, 1, S, S
    for shape, edge in (((1, 1, 1, -1), (radius, radius, 0, 0)), ((1, 1, -1, 1), (0, 0, radius, radius))):
        x = conv2d(pad(x, edge, mode="replicate"), (kernel / kernel.sum()).view(shape))
    return x.permute(1, 2, 3, 0)


def _carry_on(tile: Rendering, corner: list[int], height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Put one person's picture into the large one, their clothes carried on to its lower edge.

    Returns the layer (H, W, 4), where face is seen, bool (H, W), and how many pixels the whole face has.
    """
    x0, y0 = corner
    size = tile.linear.shape[1]
    layer = torch.zeros(height, width, 4, device=tile.linear.device)
    face = torch.zeros(height, width, dtype=torch.bool, device=tile.linear.device)
    left, right, top, bottom = max(x0, 0), min(x0 + size, width), max(y0, 0), min(y0 + size, height)
    whole = tile.alpha.new_tensor(1.0)
    if left >= right or top >= bottom:
        return layer, face, whole
    inside = (slice(top, bottom), slice(left, right))
    window = (0, slice(top - y0, bottom - y0), slice(left - x0, right - x0))
    layer[inside] = tile.linear[window]
    layer[bottom:, left:right] = layer[bottom - 1, left:right]
    at = torch.arange(size, device=layer.device) + 0.5
    x1, y1, x2, y2 = tile.box[0]
    boxed = (at > x1) & (at < x2) & ((at > y1) & (at < y2))[:, None] & (tile.alpha[0] > 0.5)
    bare = torch.zeros_like(boxed)
    for name in ("skin", "eyes", "mouth", "lens"):
        bare |= tile.parts[0] == PARTS.index(name)
    face[inside] = (boxed & bare)[window[1:]]
    return layer, face, boxed.sum().to(whole.dtype)


def _finish(room: Tensor, scene: Scene, melanin: Tensor, side: int) -> np.ndarray:
    """Photograph linear light (H, W, 3): uint8 (H, W, 3)."""
    height, width = room.shape[:2]
    square = room.new_zeros(1, 3, side, side)
    square[0, :, :height, :width] = room.permute(2, 0, 1)
    one = torch.ones_like(melanin)  # blur in pixels of the photo
    image = photograph(develop(square, scene, melanin), scene.replace(motion=0.0), one)
    return image[0, :height, :width].cpu().numpy()
