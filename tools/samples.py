"""Make the sample pictures of facelib/samples and their truth: python tools/samples.py"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from facelib.synth import People, render_group
from facelib.synth.expression import LAUGH, NEUTRAL, SMILE, sample_expression

FOLDER = Path(__file__).resolve().parent.parent / "facelib" / "samples"
SEED = 2026  # which people there are; everybody below is one of them
GROUP_SEED = 3  # light, hair and moods of the group; chosen by eye
GROUP_QUALITY, PAIR_QUALITY = 88, 90  # of the JPEG files
PULLOVER, SHIRT, SUIT, TIE = range(4)
ORDER = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")
UNITS = (
    "landmarks (x, y) and boxes (x1, y1, x2, y2) in pixels, angles in radians; yaw > 0 looks to the right of the "
    "picture, pitch > 0 up, roll > 0 turns counter-clockwise; visible is the share of the face's box that shows skin, "
    "eyes or mouth; difficult says why a detector may miss a face"
)


class Guest(NamedTuple):
    """One person of the group: where (pixels, chin to crown), which way (degrees), mood and clothes."""

    person: int
    x: int
    y: int
    height: int
    yaw: int
    pitch: int
    roll: int
    mood: int
    outfit: int
    cloth: tuple[float, float, float]
    stripes: int = 0
    glasses: int = 0
    defocus: float = 0.0
    difficult: str | None = None


GROUP = (
    Guest(15, 1049, 525, 184, -20, 0, 6, SMILE, PULLOVER, (0.06, 0.22, 0.26)),
    Guest(6, 644, 515, 208, -4, 3, 0, SMILE, SHIRT, (0.55, 0.58, 0.62)),
    Guest(38, 222, 510, 168, 18, 0, -5, SMILE, PULLOVER, (0.45, 0.06, 0.08), stripes=14),
    Guest(31, 1194, 340, 146, -24, 0, 3, SMILE, SUIT, (0.05, 0.07, 0.16)),
    Guest(18, 882, 330, 136, -16, 0, 0, LAUGH, PULLOVER, (0.62, 0.36, 0.08)),
    Guest(34, 401, 335, 150, 12, 0, 0, SMILE, TIE, (0.06, 0.06, 0.07)),
    Guest(33, 77, 345, 116, 68, 0, 0, NEUTRAL, PULLOVER, (0.20, 0.36, 0.55), difficult="profile"),
    Guest(3, 655, 248, 122, -10, 0, 0, LAUGH, PULLOVER, (0.07, 0.19, 0.10)),
    Guest(5, 232, 210, 96, 14, 0, 0, SMILE, SHIRT, (0.42, 0.38, 0.52), glasses=1),
    Guest(47, 464, 282, 98, 4, 0, 0, SMILE, PULLOVER, (0.60, 0.25, 0.18), difficult="partly hidden"),
    Guest(29, 1030, 255, 60, -6, 0, 0, SMILE, PULLOVER, (0.36, 0.14, 0.05)),
    Guest(10, 552, 222, 40, 8, 0, 0, NEUTRAL, PULLOVER, (0.10, 0.20, 0.40), defocus=4.1, difficult="small and blurred"),
)  # fmt: skip
"""Front to back."""


class Shot(NamedTuple):
    """One picture of a pair: which way (degrees), and the seed of everything else, chosen by eye."""

    yaw: int
    pitch: int
    roll: int
    seed: int


PAIRS = {
    25: (Shot(-16, 0, 0, 1), Shot(20, 5, -4, 2)),
    16: (Shot(14, 3, 0, 3), Shot(-22, 0, 5, 4)),
    20: (Shot(-20, -4, 4, 5), Shot(14, 5, 0, 6)),
    37: (Shot(18, 0, -4, 7), Shot(-14, 4, 3, 8)),
    42: (Shot(-10, 4, 0, 9), Shot(22, -3, 4, 10)),
    30: (Shot(20, 0, 3, 11), Shot(-16, 3, -4, 12)),
}


def describe(person: str, face: dict[str, np.ndarray], difficult: str | None = None) -> dict[str, Any]:
    """One face in the form of ``facelib.samples.FaceDetails``, rounded."""
    return {
        "person": person,
        "landmarks": [[round(float(value), 2) for value in point] for point in face["landmarks"]],
        "box": [round(float(value), 2) for value in face["box"]],
        **{name: round(float(face[name]), 4) for name in ("yaw", "pitch", "roll")},
        "visible": round(float(face["visible"]), 3),
        "difficult": difficult,
    }


def column(name: str) -> torch.Tensor:
    """One column of ``GROUP``."""
    return torch.tensor([getattr(guest, name) for guest in GROUP])


def group(people: People) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Twelve people in a garden: uint8 (720, 1280, 3), and what is true of each face."""
    generator, ids = torch.Generator().manual_seed(GROUP_SEED), [guest.person for guest in GROUP]
    moods = sample_expression(
        people.basis.expression_names, column("mood"), lambda: torch.rand(len(GROUP), generator=generator), 0.8
    )
    leaves = torch.rand(1, 4, generator=generator)
    leaves[0, 0] = 0.7  # see facelib.synth.backdrop: leaves out of focus
    picture = render_group(
        people, ids, generator, 720, 1280, 0.4,
        places=[(guest.x, guest.y, guest.height) for guest in GROUP],
        defocus=[guest.defocus for guest in GROUP],
        **{name: torch.deg2rad(column(name).float()) for name in ("yaw", "pitch", "roll")},
        **{name: column(name) for name in ("cloth", "outfit", "stripes", "glasses")},
        expression=moods, hat=0, hair_length=people.identities(ids).length, backdrop_mix=leaves,
        backdrop=torch.tensor([0.13, 0.19, 0.08]), blur=0.4, motion=0.0, detail=1.0, noise=0.004, quality=95.0,
        monochrome=0,
    )  # fmt: skip
    poses = {name: picture.attributes[name] for name in ("yaw", "pitch", "roll")}
    rows = {"landmarks": picture.landmarks, "box": picture.boxes, "visible": picture.visible, **poses}
    faces = [
        describe(f"g{k + 1}", {name: values[k] for name, values in rows.items()}, guest.difficult)
        for k, guest in enumerate(GROUP)
    ]
    return picture.image, faces


def portrait(people: People, person: int, shot: Shot) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """One picture of a pair: uint8 (300, 300, 3), and what is true of the face."""
    angles = {name: np.radians(getattr(shot, name)) for name in ("yaw", "pitch", "roll")}
    taken = people.render(
        [person], torch.Generator().manual_seed(shot.seed), size=300, aligned=False, hardness=0.6, **angles,
        occluder=0, glasses=0, hat=0, motion=0.0, detail=1.0, quality=95.0, monochrome=0,
    )  # fmt: skip
    face = {"landmarks": taken.landmarks[0], "box": taken.boxes[0]}
    return taken.images[0], face | {name: taken.attributes[name][0] for name in (*angles, "visible")}


def write(folder: Path) -> None:
    """All pictures and truth.json."""
    people, entries = People(1000, SEED), []
    (folder / "pairs").mkdir(parents=True, exist_ok=True)

    def keep(name: str, file: str, image: np.ndarray, faces: list[dict[str, Any]], quality: int) -> None:
        Image.fromarray(image).save(folder / file, quality=quality, optimize=True)
        height, width = image.shape[:2]
        lines = ",\n".join(f"   {json.dumps(face)}" for face in faces)
        head = f'"file": {json.dumps(file)}, "width": {width}, "height": {height}'
        entries.append(f'  {json.dumps(name)}: {{{head}, "faces": [\n{lines}]}}')

    keep("group", "group.jpg", *group(people), GROUP_QUALITY)
    for number, (person, shots) in enumerate(PAIRS.items(), start=1):
        for letter, shot in zip("ab", shots, strict=True):
            image, face = portrait(people, person, shot)
            name = f"p{number}{letter}"
            keep(name, f"pairs/{name}.jpg", image, [describe(f"p{number}", face)], PAIR_QUALITY)
    text = f'{{"landmark_order": {json.dumps(ORDER)},\n "units": {json.dumps(UNITS)},\n "pictures": {{\n'
    (folder / "truth.json").write_text(text + ",\n".join(entries) + "\n}}\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="tools/samples.py", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write (default: facelib/samples)")
    folder = parser.parse_args().folder
    write(folder)
    print(f"wrote group.jpg, {2 * len(PAIRS)} pictures of pairs and truth.json to {folder.name}/")


if __name__ == "__main__":
    main()
