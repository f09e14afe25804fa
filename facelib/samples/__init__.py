"""Sample pictures that ship with the package, so that every lesson runs without a download.

The astronaut is a photo. The group and the pairs are rendered, so the place of every landmark is known exactly.
Origin and licence of each picture stand in ``README.md`` of this folder.
"""

from __future__ import annotations

import copy
import json
from functools import cache
from importlib import resources
from typing import Any, TypedDict

import numpy as np

from ..errors import FaceLibError
from ..faces import Faces
from ..image import load_image

PEOPLE = (1, 2, 3, 4, 5, 6)
"""The people of whom there are two pictures each."""

NAMES = ("group", *(f"p{person}{shot}" for person in PEOPLE for shot in "ab"))
"""Every rendered picture: what ``picture``, ``truth`` and ``details`` accept."""


class FaceDetails(TypedDict):
    """What the renderer knows about one face.

    ``landmarks`` and ``box`` (x1, y1, x2, y2) are in pixels, angles in radians: yaw > 0 looks to the right of the
    picture, pitch > 0 up, roll > 0 turns counter-clockwise. ``visible`` is the fraction of the face that nothing
    hides. ``difficult`` says why a detector may miss this face, or is None.
    """

    person: str
    landmarks: list[list[float]]
    box: list[float]
    yaw: float
    pitch: float
    roll: float
    visible: float
    difficult: str | None


def astronaut() -> np.ndarray:
    """Eileen Collins, photographed by NASA: RGB uint8 (512, 512, 3), from scikit-image."""
    from skimage import data  # imported here: the other samples need no scikit-image

    return load_image(data.astronaut())


def picture(name: str) -> np.ndarray:
    """One rendered picture by its name in ``NAMES``: RGB uint8 (H, W, 3)."""
    return load_image(resources.files(__package__).joinpath(_entry(name)["file"]).read_bytes())


def group() -> np.ndarray:
    """Twelve rendered people outdoors, faces from about 30 to 165 px high: RGB uint8 (720, 1280, 3)."""
    return picture("group")


def group_truth() -> Faces:
    """The twelve faces of ``group``, front to back: see ``truth``."""
    return truth("group")


def pair(person: int) -> tuple[np.ndarray, np.ndarray]:
    """Two pictures of one person, each RGB uint8 (300, 300, 3), in another pose, light, mood and place.

    Raises
    ------
    FaceLibError
        If ``person`` is not in ``PEOPLE``.
    """
    if person not in PEOPLE:
        choices = ", ".join(map(str, PEOPLE))
        raise FaceLibError(f"samples.pair: there is no person {person!r}; choose one of {choices}")
    return picture(f"p{person}a"), picture(f"p{person}b")


def people() -> list[tuple[int, np.ndarray]]:
    """All twelve pictures of the six people, (person, RGB uint8 (300, 300, 3)), in the order 1, 1, 2, 2, ..."""
    return [(person, image) for person in PEOPLE for image in pair(person)]


def truth(name: str) -> Faces:
    """Where the faces of a rendered picture are, exactly.

    A box bounds the projected face, upper forehead to chin and cheek to cheek; a detector's differs from it by some
    5 to 10 percent. Landmarks that are turned away or hidden are given too. All scores are 1.

    Raises
    ------
    FaceLibError
        If ``name`` is not in ``NAMES``.
    """
    faces = details(name)
    return Faces(
        boxes=np.array([face["box"] for face in faces]),
        scores=np.ones(len(faces)),
        landmarks=np.array([face["landmarks"] for face in faces]),
    )


def details(name: str) -> list[FaceDetails]:
    """Person, angles and visibility of each face of a rendered picture, in the order of ``truth``."""
    return copy.deepcopy(_entry(name)["faces"])


@cache
def _pictures() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("truth.json").read_text(encoding="utf-8")
    return json.loads(text)["pictures"]


def _entry(name: str) -> dict[str, Any]:
    if name not in NAMES:
        raise FaceLibError(f"samples: there is no rendered picture {name!r}; choose one of {', '.join(NAMES)}")
    return _pictures()[name]
