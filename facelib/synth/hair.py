"""Hair and hats: shells around the skull, drawn strand by strand with transparency.

A hull of azimuth x drop is bound to the scalp of every head. The inner shell carries the mass of the hair, the outer
one loose strands, whose gaps let the inner shell, the skin or the room show through; and every shell thins out where
it is seen from the side. Both are what keeps hair from looking like a helmet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import normalize

from . import noise
from .basis import load_basis
from .geometry import bell, neighbours, smoothstep
from .raster import Fragments
from .scene import Scene
from .traits import BALD, BUZZ, LONG, MEDIUM, SHORT, Identities

AROUND, DOWN = 96, 44
SWING = 0.14  # azimuth in radians by which the front edge of long hair waves
LOWEST, MIDDLE, DEPTH = 5.35, 7.45, 0.52  # where the hull ends, where it turns from dome to curtain, its axis


@dataclass(frozen=True)
class Hull:
    """H vertices of the shell around the average head.

    place, outwards (H, 3); turn (H,) azimuth in radians; faces (2 (DOWN - 1) AROUND, 3); meeting: see ``neighbours``;
    scalp (H, 12) vertices of the head it hangs on, and bind (H, 12) how much on each.
    """

    place: Tensor
    outwards: Tensor
    turn: Tensor
    faces: Tensor
    meeting: Tensor
    scalp: Tensor
    bind: Tensor


@cache
def load_hull(device: str) -> Hull:
    """The hull on a device; built once for each."""
    basis = load_basis(device)
    mean = basis.mean
    ears = (mean[:, 0].abs() > 0.70) & (mean[:, 1] < 7.35) & (mean[:, 2] < 0.75)
    skull = mean[basis.body & (mean[:, 1] > 6.05) & ~ears]
    centre = mean.new_tensor([0.0, MIDDLE, DEPTH])
    turn = torch.arange(AROUND, device=mean.device) / AROUND * 2 * math.pi - math.pi
    half = DOWN // 2
    rise = (math.pi / 2) * (1 - torch.arange(half, device=mean.device) / half) * 0.998
    ways = torch.stack(
        [rise.cos() * turn.sin()[:, None], rise.sin().expand(AROUND, -1), rise.cos() * turn.cos()[:, None]], -1
    )
    from_centre = skull - centre
    far = from_centre.norm(dim=1)
    near = torch.exp(-(1 - ways.reshape(-1, 3) @ (from_centre / far[:, None]).T) / 0.006)
    reach = ((near * far).sum(1) / near.sum(1).clamp(min=1e-6)).view(AROUND, half)
    dome = centre + ways * reach[..., None]
    equator = (dome[:, -1] - centre)[:, [0, 2]].norm(dim=1)
    drop = torch.linspace(MIDDLE, LOWEST, DOWN - half + 1, device=mean.device)[1:]
    wide = equator[:, None] * (1 + 0.02 * (MIDDLE - drop))
    curtain = [turn.sin()[:, None] * wide, drop.expand(AROUND, -1), DEPTH + turn.cos()[:, None] * wide]
    grid = torch.cat([dome, torch.stack(curtain, -1)], 1)
    outwards = (grid - centre) * grid.new_tensor([1.0, 1.0, 1.0])
    outwards[..., 1] = outwards[..., 1].clamp(min=0)
    i, j = torch.arange(AROUND, device=mean.device)[:, None], torch.arange(DOWN - 1, device=mean.device)
    a, b = i * DOWN + j, (i + 1) % AROUND * DOWN + j
    faces = torch.cat([torch.stack(t, -1).reshape(-1, 3) for t in ((a, a + 1, b + 1), (a, b + 1, b))])
    place = grid.reshape(-1, 3)
    scalp = (basis.body & (mean[:, 1] > 7.15)).nonzero().squeeze(1)
    squeeze = mean.new_tensor([1, 0.6, 1])
    apart = torch.cdist(place * squeeze, mean[scalp] * squeeze)
    closest = apart.topk(12, largest=False)
    bind = torch.softmax(-(closest.values**2) / (2 * 0.10**2), 1)
    return Hull(place, normalize(outwards, dim=-1).reshape(-1, 3), turn[:, None].expand(-1, DOWN).reshape(-1), faces,
                neighbours(faces, len(place)), scalp[closest.indices], bind)  # fmt: skip


def strand_line(turn: Tensor, scene: Scene, image: Tensor, hanging: bool = True) -> Tensor:
    """Height of the hair's lower edge at azimuths in radians, for pixels or vertices of pictures ``image``.

    Not hanging, it is where hair grows.
    """
    side = turn.abs() * (180 / math.pi)
    length = scene.hair_length[image]
    front = scene.hairline[image] + scene.recession[image] * bell(side, 32, 16) - 0.17 * smoothstep(14, 58, side)
    if hanging:  # swept to the side away from the parting
        sweep = 1 + 0.6 * torch.sin(turn - scene.parting[image]) * torch.where(scene.parting[image] > 0, -1.0, 1.0)
        front = front - scene.fringe[image] * sweep.clamp(min=0.1) * torch.exp(-((side / 42) ** 4))
    long = (length >= MEDIUM) & hanging
    temple = 7.62 - 0.32 * smoothstep(60, 74, side) - torch.where(length >= MEDIUM, 0.0, 0.12 * bell(side, 70, 6))
    ears = torch.full_like(side, 7.30)
    hang = torch.where(long, torch.where(length >= LONG, 5.55, 6.42), 6.98)
    beside = torch.where(long, torch.where(length >= LONG, 5.60, 6.55), ears)
    start = torch.where(long, scene.drape[image], 72.0)  # how far hair falls into the face
    turned = smoothstep(start, start + 9, side)
    line = front + (temple - front) * smoothstep((start - 10).clamp(max=48), (start + 4).clamp(max=63), side)
    line = line + (torch.minimum(beside, ears) - line) * turned
    return line + (hang - line) * smoothstep(104, 124, side)


def hat_line(turn: Tensor) -> Tensor:
    """Height of a hat's edge at azimuths in radians."""
    return 7.66 - 0.28 * smoothstep(60, 110, turn.abs() * (180 / math.pi))


def fit(hull: Hull, head: Tensor, mean: Tensor) -> Tensor:
    """The hull on heads (B, V, 3): (B, H, 3)."""
    offset = (head - mean).transpose(0, 1)  # (V, B, 3): whole rows are gathered
    moved = torch.zeros(len(hull.place), len(head), 3, device=head.device)
    for k in range(hull.bind.shape[1]):
        moved += offset[hull.scalp[:, k]] * hull.bind[:, k, None, None]
    return hull.place + moved.transpose(0, 1)


def shell(hull: Hull, moved: Tensor, who: Identities, scene: Scene, kind: str) -> tuple[Tensor, Tensor]:
    """Vertices (B, H, 3) of one shell, "inner", "outer" or "hat", in the head's own space, and which are drawn (B, H).

    moved: the hull fitted to the heads.
    """
    image = torch.arange(len(moved), device=moved.device)[:, None]
    turn, height = hull.turn[None], hull.place[None, :, 1]
    if kind == "hat":
        line = hat_line(turn).expand(len(moved), -1)
        thick = 0.05 + 0.10 * smoothstep(-0.02, 0.5, height - line)
        return moved + hull.outwards * thick[..., None], height - line > -0.10
    line = strand_line(turn, scene, image)
    parting, tousle = scene.parting[image], scene.tousle[:, None]
    volume = torch.where(scene.hair_length[image] >= SHORT, scene.volume[image], 0.02)
    top = 0.55 + 0.75 * smoothstep(7.5, 8.2, height) - 0.08 * bell(turn, parting, 0.16) * smoothstep(7.85, 8.1, height)
    locks = noise.sample(
        noise.LOCKS, (turn / math.pi * 0.5 + tousle[..., 0]).flatten(), (height * 0.10 + tousle[..., 1]).flatten()
    )
    curls = noise.sample(
        noise.PATCHES, (turn / math.pi + tousle[..., 1]).flatten(), (height * 0.35 + tousle[..., 0]).flatten()
    )
    relief = (0.18 * locks.view_as(line) + 0.22 * who.curl[image] * curls.view_as(line)).clamp(-0.5, 0.6)
    grown = smoothstep(-0.06, 0.38, height - line)
    length = scene.hair_length[image]
    sides = torch.where(length <= SHORT, 0.30 + 0.70 * smoothstep(7.15, 7.80, height), 1.0)
    sides = torch.maximum(sides, smoothstep(0.55, 0.8, who.curl)[:, None])
    thick = 0.012 + volume * top * sides * (0.10 + 0.90 * grown) * (1 + relief)
    covered = bell(turn.abs(), 1.45, 0.55) * bell(height, 7.05, 0.45)  # long hair lies over the ears
    thick = thick + torch.where(length >= MEDIUM, 0.20 * covered, 0.0)
    if kind == "inner":
        thick = 0.78 * thick
    lowest = strand_line(turn + SWING * turn.sign(), scene, image)  # as far as wavy edges reach
    return moved + hull.outwards * thick[..., None], height - torch.minimum(line, lowest) > -0.22


def strands(fragment: Fragments, hull_values: Tensor, facing: Tensor, outer: bool, who: Identities, scene: Scene,
            detail: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Albedo (M, 3), opacity (M,) and sideways tilt (M,) of the hair at fragments of a shell.

    hull_values (M, 3): cosine and sine of the azimuth, and the height; facing (M,): cosine of the angle between the
    shell's normal and the line of sight; detail (B,): how much of single strands a picture can show.
    """
    i = fragment.image
    turn, height = torch.atan2(hull_values[:, 1], hull_values[:, 0]), hull_values[:, 2]
    length = scene.hair_length[i]
    fine, lock = _combed(turn, height, i, outer, who, scene)
    fine = fine * (0.5 + 0.5 * detail[i])
    short, combed_down = length <= BUZZ, scene.fringe[i] > 0
    forehead = bell(turn, 0, 0.9)
    tips = torch.where(short, 0.02, torch.where(length >= MEDIUM, 0.045, 0.028)) * (fine + 1.2 * lock)
    fringe = (0.020 * fine + 0.060 * lock) * forehead + tips * (1 - forehead)
    ragged = torch.where(combed_down, fringe, tips * (1 - 0.65 * forehead))  # brushed back, roots show and not tips
    swing = 0.03 * lock + 0.07 * torch.sin(4 * height + 6 * scene.tousle[i, 0])
    line = strand_line(turn + torch.where(length >= MEDIUM, swing.clamp(-SWING, SWING), 0.0), scene, i)
    edge = smoothstep(-0.02, 1, (height - line + ragged) / torch.where(short, 0.06, 0.17))
    body = 0.60 + 0.35 * fine + 0.25 * lock if outer else 1.15 + 0.12 * fine
    # Seen from the side the loose strands stand apart; the mass below them hardly does.
    thin = smoothstep(0.02, 0.36, facing + 0.08 * fine) if outer else smoothstep(-0.05, 0.06, facing + 0.03 * fine)
    opacity = (edge * body.clamp(0, 1) * thin).clamp(0, 1) * torch.where(short, 0.5, 1.0) * (length > BALD)
    greys = 1 + who.grey[i] * 0.3 * (fine > 1)
    colour = scene.hair_colour[i] * (torch.exp((0.19 - 0.07 * who.grey[i]) * fine + 0.13 * lock) * greys)[:, None]
    return colour, opacity, 0.28 * fine + 0.16 * lock


def _combed(turn: Tensor, height: Tensor, image: Tensor, outer: bool, who: Identities,
            scene: Scene) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Strands and locks (M,), about 0: along the fall of the hair, swept aside at the forehead, or woolly."""
    tousle, curl, parting = scene.tousle[image], who.curl[image], scene.parting[image]
    swept = 1.1 * torch.tanh(2 * parting) * (scene.fringe[image] <= 0) * bell(turn, 0, 0.9)
    combed = (turn - parting) * (1.15 - 0.40 * smoothstep(7.6, 8.3, height)) + swept * (height - 7.85)
    wave = (0.006 + 0.022 * curl) * torch.sin(height * (9 + 16 * curl) + 7 * turn + 6 * tousle[:, 0])
    layer = 0.37 if outer else 0.0
    woolly = smoothstep(0.50, 0.80, curl)
    across = torch.where(woolly > 0.5, turn * 0.55 + layer, combed * 0.42 + wave + layer) + tousle[:, 1]
    along = torch.where(woolly > 0.5, height * 0.90, height * 0.10) + tousle[:, 2]
    straight, wool = noise.sample([noise.STRANDS, noise.PORES], across, along).unbind(1)
    lock = noise.sample(noise.LOCKS, combed * 0.30 + 1.5 * wave + layer + tousle[:, 2], height * 0.10 + tousle[:, 0])
    return torch.where(woolly > 0.5, wool, straight), lock * (1 - 0.7 * woolly)
