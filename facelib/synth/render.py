"""Pictures of people: geometry, layers of surface, light, camera.

The order is the order of a picture: bend the head into its expression, turn it, put it before the camera, see which
triangle every pixel shows, colour and light it, lay hair and glasses over it, photograph it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, normalize

from . import canvas as parts
from .backdrop import backdrop, occlude
from .basis import BODY, LEFT_EYE, RIGHT_EYE, TONGUE, Basis, load_basis
from .camera import develop, photograph
from .canvas import Canvas
from .clothes import dress
from .eyes import eye_colour
from .face_hair import paint_face_hair
from .geometry import neighbours, rotation, similarity, smoothstep, transform, vertex_normals
from .layers import paint_glasses, paint_hair
from .light import Surface, shade
from .raster import fragments, rasterize
from .scene import FACE_MASK, Scene
from .shadows import visibility
from .skin import oiliness, skin_colour, skin_slopes
from .spots import Spots, find_spots, static_values
from .traits import MEDIUM, Identities

PIVOT = (0.0, 6.55, 0.35)  # around which a head turns
MIDDLE = (0.0, 6.95, 0.80)  # of a face: the photo's centre is here
FACE_HEIGHT = 2.3  # decimetres, chin to crown
UPRIGHT_112 = 40.7  # pixels from eyes to mouth in the template
DETECTOR_ERROR = 0.045
"""Standard deviation of a detector's landmarks, as a share of the eye distance."""


@dataclass(frozen=True)
class Rendering:
    """B square pictures and what is known about them; tensors on the renderer's device.

    images : uint8 (B, S, S, 3)
    landmarks : (B, 5, 2)
        Where eyes, nose and mouth corners truly are, in pixels, in the template's order.
    alpha, depth : (B, S, S)
        Coverage by the person, and distance from the camera in decimetres (0 where there is nobody).
    parts : uint8 (B, S, S)
        Index into ``canvas.PARTS``.
    normals : (B, S, S, 3)
        Unit vectors in camera space, zero where there is nobody.
    linear : (B, S, S, 4)
        Light before the camera: RGB times coverage, and coverage; no backdrop.
    box : (B, 4)
        Smallest box around the face, from the upper forehead to the chin, hidden or not.
    """

    images: Tensor
    landmarks: Tensor
    alpha: Tensor
    depth: Tensor
    parts: Tensor
    normals: Tensor
    linear: Tensor
    box: Tensor


@dataclass(frozen=True)
class Stage:
    """People before the camera, everything a layer needs: pixels come from ``project``.

    local (B, V, 3): heads with their expression; head, torso (B, 3, 3): rotations; focal (B,), middle (B, 2): the
    camera; warp (B, 2, 3): from photo to crop; fine (B,): how much detail the picture can show.
    """

    basis: Basis
    who: Identities
    scene: Scene
    local: Tensor
    head: Tensor
    torso: Tensor
    focal: Tensor
    middle: Tensor
    warp: Tensor
    fine: Tensor
    size: int

    def turn(self, points: Tensor, rotations: Tensor) -> Tensor:
        """From a head's own space into the camera's, (B, K, 3)."""
        pivot = points.new_tensor(PIVOT)
        return (points - pivot) @ rotations.transpose(1, 2) + pivot - points.new_tensor(MIDDLE)

    def project(self, points: Tensor) -> Tensor:
        """Points in camera space -> pixel x, pixel y, inverse depth, (B, K, 3)."""
        near = 1 / (self.scene.distance[:, None] - points[..., 2])
        flat = points[..., :2] * points.new_tensor([1, -1]) * (self.focal[:, None] * near)[..., None]
        return torch.cat([transform(self.warp, flat + self.middle[:, None]), near[..., None]], -1)


@cache
def _tables(device: str) -> tuple[Tensor, Tensor]:
    basis = load_basis(device)
    return static_values(basis), neighbours(basis.faces, len(basis.mean))


def set_stage(basis: Basis, who: Identities, scene: Scene, size: int) -> Stage:
    """Bend, turn and place the heads for photos of this size."""
    calm = torch.where(scene.occluder == FACE_MASK, 0.2, 1.0)[:, None]  # paper over an open mouth shows no hole
    local = who.head + (calm * scene.expression @ basis.expression).view(len(who), -1, 3)
    flat = 1 - 0.09 * basis.ears * (scene.hair_length >= MEDIUM)[:, None]  # ears lie closer under long hair
    local = torch.cat([local[..., :1] * flat[..., None], local[..., 1:]], -1)
    share = scene.body_turn
    pixels = scene.face_size * size / FACE_HEIGHT
    still = torch.eye(2, 3, device=local.device).expand(len(who), -1, -1)
    return Stage(
        basis, who, scene, local, rotation(scene.yaw, scene.pitch, scene.roll),
        rotation(scene.yaw * share, scene.pitch * share * 0.4, scene.roll * share * 0.4),
        pixels * scene.distance, scene.centre * size, still, smoothstep(55, 190, pixels), size,
    )  # fmt: skip


def find_landmarks(stage: Stage, points: Tensor) -> Tensor:
    """Five landmarks (B, 5, 2) in pixels; points: the projected vertices."""
    pupils = stage.basis.eyes(stage.local) + stage.local.new_tensor([0.0, -0.01, 0.145])
    eyes = stage.project(stage.turn(pupils, stage.head))[:, [1, 0], :2]
    return torch.cat([eyes, points[:, stage.basis.landmarks, :2]], 1)


@torch.no_grad()
def render_scene(
    who: Identities, scene: Scene, size: int = 112, aligned: bool = True, supersample: int | None = None
) -> Rendering:
    """Render one picture for each row of people and scene.

    Parameters
    ----------
    who, scene : N rows each, on one device
    size : int
        Side of the pictures in pixels.
    aligned : bool
        Crops as ``facelib.align`` would cut them, rendered straight through the similarity transform that a detector
        with errors of ``DETECTOR_ERROR`` would have led to; else photos.
    supersample : int
        Each pixel is the mean of supersample**2 rays; 1 for crops and 2 for photos if not given.
    """
    with torch.autocast(who.head.device.type, enabled=False):  # a triangle's edge does not survive 8 bits of mantissa
        return _render(who, scene, size, aligned, supersample or (1 if aligned else 2))


def _render(who: Identities, scene: Scene, size: int, aligned: bool, supersample: int) -> Rendering:
    basis = load_basis(str(who.head.device))
    stage = set_stage(basis, who, scene, size)
    placed = _placed(stage)
    if aligned:
        true = find_landmarks(stage, stage.project(placed))
        warp = similarity(true + DETECTOR_ERROR * _eye_scale(stage) * scene.landmark_error, size)
        scale = warp[:, :, :2].norm(dim=1).mean(1) * stage.focal / scene.distance
        stage = replace(stage, warp=warp, fine=smoothstep(55, 190, scale * supersample))
    stage = replace(stage, warp=stage.warp * supersample, size=size * supersample)
    points = stage.project(placed)
    landmarks = find_landmarks(stage, points) / supersample
    picture = Canvas(len(who), stage.size, placed.device)
    _paint_head(picture, stage, placed, points)
    paint_hair(picture, stage)
    paint_glasses(picture, stage)
    return _photograph(picture, stage, points, landmarks, supersample)


def _eye_scale(stage: Stage) -> Tensor:
    """Eye distance of a frontal face in the photo's pixels, (B, 1, 1): what a detector's error scales with."""
    eyes = stage.basis.eyes(stage.local)
    return ((eyes[:, 0] - eyes[:, 1]).norm(dim=1) * stage.focal / stage.scene.distance)[:, None, None]


def _placed(stage: Stage) -> Tensor:
    """Vertices in camera space: the head turned, the torso turned less, the neck between them."""
    share = stage.basis.follows_head[:, None]
    return stage.turn(stage.local, stage.head) * share + stage.turn(stage.local, stage.torso) * (1 - share)


def _paint_head(picture: Canvas, stage: Stage, placed: Tensor, points: Tensor) -> None:
    basis, who, scene = stage.basis, stage.who, stage.scene
    static, meeting = _tables(str(placed.device))
    fragment = fragments(points, basis.faces, rasterize(points, basis.faces, stage.size, stage.size))
    if not len(fragment):
        return
    outwards = vertex_normals(placed, basis.faces, meeting)
    lit = visibility(placed, basis.faces, scene.light_direction[:, 0], outwards)
    moving = torch.cat([outwards, placed, lit[..., None]], -1)
    values = fragment.interpolate(moving)
    normal, spots = normalize(values[:, :3], dim=1), find_spots(fragment, static, stage.fine)
    image, part = fragment.image, basis.part[fragment.face]

    colour, lip = skin_colour(spots, who, scene)
    colour, bare = paint_face_hair(colour, lip, spots, who, scene)
    colour, openness, cloth = dress(colour, spots.openness, spots, scene)
    normal = _bridge(normal, spots, cloth, stage.head[image])
    bare = bare * (1 - cloth)
    hanging = 1 - smoothstep(4.75, 5.25, spots.height)  # cloth below the cut edge, whose folds are none of the mesh's
    normal = _drape(normal, spots.place, stage.torso[image], hanging)
    openness, lit = openness + (0.8 - openness) * hanging, values[:, 6] + (0.85 - values[:, 6]) * hanging
    normal = _tilt(normal, skin_slopes(spots, who, scene, *_folds(basis, scene)), bare, stage.head[image])
    shine = bare * (0.60 * oiliness(spots) + 0.7 * lip) * scene.gloss[image]
    gloss = 14 + 18 * lip
    label = torch.where(cloth > 0.5, parts.CLOTH, torch.where(spots.inside > 0.5, parts.MOUTH, parts.SKIN))
    flesh = bare
    eye = ((part == LEFT_EYE) | (part == RIGHT_EYE)).nonzero().squeeze(1)
    colour[eye], openness[eye] = eye_colour(spots.place[eye], image[eye], part[eye] == RIGHT_EYE, basis, who, scene)
    inside = ((part != BODY) & (part != LEFT_EYE) & (part != RIGHT_EYE)).nonzero().squeeze(1)
    teeth, tongue = colour.new_tensor([0.60, 0.56, 0.49]), colour.new_tensor([0.30, 0.10, 0.09])
    colour[inside] = torch.where((part[inside] == TONGUE)[:, None], tongue, teeth)
    openness[inside] = openness[inside] * 0.8
    for rows, strength, sharp, name in ((eye, 3.0, 160.0, parts.EYES), (inside, 0.4, 40.0, parts.MOUTH)):
        shine[rows], gloss[rows], flesh[rows], label[rows] = strength, sharp, 0.0, name
    surface = Surface(colour, normal, values[:, 3:6], image, openness, lit, shine, gloss, flesh)
    picture.paint(fragment, shade(surface, scene), torch.ones_like(lip), label, normal)


def _folds(basis: Basis, scene: Scene) -> tuple[Tensor, Tensor]:
    """How much each face smiles and raises its brows, (B,)."""
    names = basis.expression_names
    smile = scene.expression[:, [names.index("mouthSmileLeft"), names.index("mouthSmileRight")]].mean(1)
    raised = scene.expression[:, [names.index("browInnerUp"), names.index("browOuterUpLeft")]].mean(1)
    return smile, raised


def _tilt(normal: Tensor, slopes: tuple[Tensor, Tensor], share: Tensor, head: Tensor) -> Tensor:
    """Normals (M, 3) bent by slopes to the person's left and upwards, where share (M,) is not 0."""
    up = head[:, :, 1] - (head[:, :, 1] * normal).sum(1, keepdim=True) * normal
    up = normalize(up, dim=1)
    left = torch.cross(up, normal, dim=1)
    return normalize(normal - (slopes[0] * share)[:, None] * left - (slopes[1] * share)[:, None] * up, dim=1)


def _bridge(normal: Tensor, spots: Spots, cloth: Tensor, head: Tensor) -> Tensor:
    """Normals (M, 3) of a face mask: paper spans what is below it and shows no lips."""
    around = torch.stack([spots.place[:, 0], 0.12 * (spots.height - 6.6), (spots.place[:, 2] - 0.6).clamp(min=0.1)], 1)
    around = (head @ normalize(around, dim=1)[..., None]).squeeze(-1)
    share = 0.75 * cloth * (spots.height > 6.1)
    return normalize(normal + (around - normal) * share[:, None], dim=1)


def _drape(normal: Tensor, place: Tensor, torso: Tensor, share: Tensor) -> Tensor:
    """Smooth normals (M, 3) for the share (M,) of cloth that hangs where the mesh of the body was cut."""
    smooth = torch.stack([0.35 * place[:, 0], torch.zeros_like(place[:, 0]), (place[:, 2] + 0.2).sign()], 1)
    smooth = (torso @ normalize(smooth, dim=1)[..., None]).squeeze(-1)
    return normalize(normal + (smooth - normal) * share[:, None], dim=1)


def _photograph(picture: Canvas, stage: Stage, points: Tensor, landmarks: Tensor, supersample: int) -> Rendering:
    batch, size, scene = picture.batch, picture.size, stage.scene
    linear = picture.colour.view(batch, size, size, 4)
    small = avg_pool2d(linear.permute(0, 3, 1, 2), supersample).permute(0, 2, 3, 1)
    light = small[..., :3] + backdrop(scene, size // supersample) * (1 - small[..., 3:])
    between = (landmarks[:, 1] - landmarks[:, 0]).norm(dim=1)
    upright = (landmarks[:, 3:].mean(1) - landmarks[:, :2].mean(1)).norm(dim=1)
    light, hidden = occlude(light, torch.maximum(between, upright), landmarks.mean(1), scene)
    scale = upright / UPRIGHT_112
    images = photograph(develop(light.permute(0, 3, 1, 2), scene, stage.who.melanin), scene, scale)
    label, near = (t.view(batch, size, size)[:, ::supersample, ::supersample] for t in (picture.part, picture.nearness))
    face = _face_vertices(stage.basis)
    corners = points[:, face, :2] / supersample
    return Rendering(
        images, landmarks, small[..., 3], torch.where(near > 0, 1 / near.clamp(min=1e-6), 0.0),
        torch.where(hidden > 0.5, parts.OCCLUDER, label).to(torch.uint8),
        picture.normal.view(batch, size, size, 3)[:, ::supersample, ::supersample], small,
        torch.cat([corners.amin(1), corners.amax(1)], 1),
    )  # fmt: skip


def _face_vertices(basis: Basis) -> Tensor:
    """Rows of the vertices between upper forehead and chin on the front of the head."""
    y, z = basis.mean[:, 1], basis.mean[:, 2]
    return ((y > 6.12) & (y < 7.82) & (z > 0.75) & basis.body).nonzero().squeeze(1)
