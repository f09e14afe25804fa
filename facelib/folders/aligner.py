"""What a worker of ``facelib align`` does with a picture: detect, choose a face, crop, write."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FaceLibError
from .files import encode, write_atomically

if TYPE_CHECKING:
    import numpy as np

    from ..faces import Faces

CHOICES = ("centre", "largest", "all")
DISK_FULL = "disk full"


@dataclass(frozen=True)
class AlignSettings:
    """What a crop depends on. See ``facelib.MTCNN`` and ``facelib.align``; choose: see ``choose_faces``."""

    size: int = 112
    min_face: float = 20
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    device: str = "cpu"
    choose: str = "centre"
    format: str = "jpg"
    quality: int = 95


@dataclass(frozen=True)
class Picture:
    """file: relative to the source; crop: relative to the target."""

    file: str
    crop: str


@dataclass(frozen=True)
class Outcome:
    """Of one picture: how many crops were written, or the reason why none was."""

    crops: int = 0
    reason: str = ""
    detail: str = ""


def choose_faces(faces: Faces, height: int, width: int, choose: str) -> Faces:
    """The faces of a picture to keep, best first.

    "largest" keeps the largest box. "centre" keeps the face with the greatest area minus twice the squared
    distance of its centre from the picture's, both in pixels: in a loosely cropped data set such as VGGFace2 the
    person meant stands in the middle, and a bigger head at the edge is a bystander. "all" keeps all, in that order.
    """
    import numpy as np

    if choose == "largest":
        return faces.largest()
    centres = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
    distances = ((centres - np.array([width, height]) / 2) ** 2).sum(axis=1)
    order = np.argsort(2 * distances - faces.sizes.astype(float) ** 2, kind="stable")
    return faces[order if choose == "all" else order[:1]]


class Aligner:
    """What a worker does: pictures in, crops on disk, outcomes back. Nothing that a picture does may escape."""

    def __init__(self, source: Path, target: Path, settings: AlignSettings) -> None:
        import cv2
        import torch

        from ..detect import MTCNN

        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        self.source, self.target, self.settings = source, target, settings
        self.mtcnn = MTCNN(settings.min_face, settings.thresholds, device=settings.device)

    def __call__(self, pictures: list[Picture]) -> list[Outcome]:
        from .each import detect_each

        results = detect_each(self.mtcnn, [self.source / picture.file for picture in pictures])
        return [self._finish(picture, *result) for picture, result in zip(pictures, results, strict=True)]

    def _finish(self, picture: Picture, image: np.ndarray | None, result: Faces | Exception) -> Outcome:
        if isinstance(result, Exception):
            return Outcome(reason="unreadable" if image is None else "detector failed", detail=str(result))
        assert image is not None
        if not len(result):
            height, width = image.shape[:2]
            return Outcome(
                reason="no face", detail=f"none of {self.settings.min_face:g} px or more in {width} x {height}"
            )
        try:
            return Outcome(self._write(picture, image, result))
        except FaceLibError as error:
            return Outcome(reason="no face", detail=str(error))
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            return Outcome(reason=DISK_FULL if full else "write failed", detail=str(error))
        except Exception as error:
            return Outcome(reason="write failed", detail=f"{type(error).__name__}: {error}")

    def _write(self, picture: Picture, image: np.ndarray, faces: Faces) -> int:
        from ..alignment import align

        height, width = image.shape[:2]
        chosen = choose_faces(faces, height, width, self.settings.choose)
        crops = align(image, chosen.landmarks, self.settings.size)
        stem, extension = os.path.splitext(picture.crop)
        for number in reversed(range(len(crops))):  # the crop that stands for the picture comes last
            path = picture.crop if number == 0 else f"{stem.removesuffix('_0')}_{number}{extension}"
            write_atomically(self.target / path, encode(crops[number], extension, self.settings.quality))
        return len(crops)
