"""The layers over the head: hair, hats and glasses, drawn back to front with transparency."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import normalize

from . import canvas as parts
from .canvas import Canvas
from .geometry import smoothstep, vertex_normals
from .glasses import glasses_faces, glasses_vertices
from .hair import Hull, fit, hat_line, load_hull, shell, strand_line, strands
from .light import Surface, shade
from .raster import Fragments, fragments, rasterize
from .scene import NO_GLASSES, SUNGLASSES
from .traits import BALD

if TYPE_CHECKING:
    from .render import Stage


def paint_hair(picture: Canvas, stage: Stage) -> None:
    """Far side, inner shell, outer shell, then the hat."""
    hull, scene = load_hull(str(stage.local.device)), stage.scene
    haired = (scene.hair_length > BALD).nonzero().squeeze(1)
    hatted = (scene.hat > 0).nonzero().squeeze(1)
    if not len(haired) + len(hatted):
        return
    moved = fit(hull, stage.local, stage.basis.mean)
    for kind, sides, rows in (("inner", (True, False), haired), ("outer", (False,), haired), ("hat", (False,), hatted)):
        if len(rows):
            shape = _place_shell(stage, hull, moved, kind)
            for far in sides:
                _paint_shell(picture, stage, hull, shape, kind, far, rows)


def _place_shell(stage: Stage, hull: Hull, moved: Tensor, kind: str) -> tuple[Tensor, Tensor, Tensor]:
    """Vertices in camera space, their normals, and where they are in the pictures, (B, H, 3) each."""
    local, shown = shell(hull, moved, stage.who, stage.scene, kind)
    # Long hair hangs on the torso more than it turns with the head.
    share = (0.35 + 0.65 * smoothstep(6.0, 6.9, hull.place[:, 1]))[:, None]
    placed = stage.turn(local, stage.head) * share + stage.turn(local, stage.torso) * (1 - share)
    points = stage.project(placed)
    points = torch.cat([points[..., :2], torch.where(shown, points[..., 2], -1.0)[..., None]], -1)
    return placed, vertex_normals(placed, hull.faces, hull.meeting), points


def _paint_shell(picture: Canvas, stage: Stage, hull: Hull, shape: tuple[Tensor, Tensor, Tensor], kind: str, far: bool,
                 rows: Tensor) -> None:  # fmt: skip
    who, scene = stage.who, stage.scene
    placed, normals, points = shape
    faces = hull.faces.flip(1) if far else hull.faces
    fragment = _visible(picture, points, faces, rows)
    if not len(fragment):
        return
    static = torch.stack([hull.turn.cos(), hull.turn.sin(), hull.place[:, 1]], 1)
    values = torch.cat([fragment.interpolate(torch.cat([normals, placed], -1)), fragment.interpolate(static)], 1)
    normal, place = normalize(values[:, :3], dim=1), values[:, 3:6]
    if far:
        normal = -normal
    camera = torch.zeros_like(place)
    camera[:, 2] = scene.distance[fragment.image]
    facing = (normal * normalize(camera - place, dim=1)).sum(1).clamp(min=0)
    turn, height = torch.atan2(values[:, 7], values[:, 6]), values[:, 8]
    image, one = fragment.image, torch.ones_like(height)
    if kind == "hat":
        colour, opacity, tilt, depth = _knitted(turn, height, scene.hat_colour[image])
        shine, part = 0.05 * one, parts.HAT
    else:
        colour, opacity, tilt = strands(fragment, values[:, 6:9], facing, kind == "outer", who, scene, stage.fine)
        depth = smoothstep(-0.05, 0.30, height - strand_line(turn, scene, image))
        under_hat = (scene.hat[image] > 0) & (height > hat_line(turn) - 0.02)
        opacity = torch.where(under_hat, 0.0, opacity)
        depth = depth * (0.22 if far else 0.75 if kind == "inner" else 1.0)
        shine, part = 0.75 - 0.35 * who.grey[image] - 0.35 * who.curl[image], parts.HAIR
    sideways = torch.stack([turn.cos(), torch.zeros_like(turn), -turn.sin()], 1)
    sideways = (stage.head[image] @ sideways[..., None]).squeeze(-1)
    bent = normalize(normal + tilt[:, None] * sideways, dim=1)
    openness = (0.40 + 0.60 * depth) * (0.9 + 0.15 * tilt).clamp(0.4, 1)
    fibre = torch.cross(normal, sideways, dim=1) + 0.25 * tilt[:, None] * normal
    strand = None if kind == "hat" else normalize(fibre, dim=1)
    surface = Surface(colour, bent, place, image, openness, 0.6 + 0.4 * depth, shine, 22 * one, 0 * one, strand)
    label = torch.full_like(image, part)
    picture.paint(fragment, shade(surface, scene), opacity, label, normal)


def _knitted(turn: Tensor, height: Tensor, colour: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Colour, opacity, tilt and openness of a woollen hat with a folded edge."""
    above = height - hat_line(turn)
    ribs = torch.sin(turn * 70)
    fold = smoothstep(0.19, 0.21, above)
    colour = colour * (1 + 0.10 * ribs * (1 - 0.5 * fold))[:, None]
    return (
        colour,
        (above > 0).float(),
        0.35 * ribs,
        0.55 + 0.45 * (above / 0.3).clamp(0, 1) - 0.3 * (fold * (1 - fold) * 4),
    )


def paint_glasses(picture: Canvas, stage: Stage) -> None:
    """Frames and lenses of those who wear them."""
    scene = stage.scene
    rows = (scene.glasses != NO_GLASSES).nonzero().squeeze(1)
    if not len(rows):
        return
    faces, frames = glasses_faces(str(stage.local.device))
    placed = stage.turn(glasses_vertices(stage.basis, stage.local, scene), stage.head)
    fragment = _visible(picture, stage.project(placed), faces, rows, cull=False)
    if not len(fragment):
        return
    image = fragment.image
    place = fragment.interpolate(placed)
    corner = placed.reshape(-1, 3)[fragment.corners + (image * placed.shape[1])[:, None]]
    across = torch.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0], dim=1)
    normal = normalize(across * across[:, 2:].sign(), dim=1)
    lens, dark = fragment.face >= frames, scene.glasses[image] == SUNGLASSES
    sheen = torch.where(dark, 0.88, 0.10 + 0.12 * smoothstep(0.2, 0.7, torch.sin(place[:, 0] * 4 + place[:, 1] * 3)))
    glass = torch.where(dark[:, None], 0.02, 0.16).expand(-1, 3)
    colour = torch.where(lens[:, None], glass, scene.frame_colour[image])
    one = torch.ones_like(place[:, 0])
    surface = Surface(colour, normal, place, image, one, one, torch.where(lens, 0.0, 1.1), 40 * one, 0 * one)
    label = torch.where(lens, parts.LENS, parts.FRAME)
    picture.paint(fragment, shade(surface, scene), torch.where(lens, sheen, 1.0), label, normal)


def _visible(picture: Canvas, points: Tensor, faces: Tensor, rows: Tensor, cull: bool = True) -> Fragments:
    """Fragments of the pictures in rows that nothing opaque hides, numbered as in the whole batch."""
    found = fragments(points[rows], faces, rasterize(points[rows], faces, picture.size, picture.size, cull))
    image = rows[found.image]
    pixel = found.pixel + (image - found.image) * picture.size**2
    found = Fragments(pixel, image, found.face, found.corners, found.weights, found.nearness)
    return found.where(picture.in_front(found))
