"""Files of pictures -> crops -> embeddings, a few at a time.

In short::

    cropper = Cropper(size=112)                            # detects and aligns; aligned=True takes pictures as they are
    crops = cropper(["a/1.jpg", "a/2.jpg"])                # a crop a file, None where it cannot be read
    vectors = embed_pictures(embed, np.stack(crops), flip=True)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ..data import decode
from ..errors import FaceLibError
from ..faces import Faces

if TYPE_CHECKING:
    from ..embedder import Embedder

DETECTED = 16
"""Pictures that the detector sees at once."""

Progress = Callable[[int], object]


class Cropper:
    """Makes a crop of each file: the picture as it is, or the face that is most central for its size, aligned.

    As ``facelib align`` chooses it. Where no face is found, the middle square of half the shorter side is taken.

    Parameters
    ----------
    size : int
        Side of the crops.
    aligned : bool
        The files are crops already; nothing is detected.
    **detector
        Of ``facelib.MTCNN``: min_face, device.

    Attributes
    ----------
    unreadable : list of str
        Why pictures so far could not be read, one text each.
    faceless : list of str
        Names of those in which no face was found.
    """

    def __init__(self, size: int = 112, aligned: bool = False, **detector: Any) -> None:
        self.size, self.aligned, self.detector = size, aligned, detector
        self.unreadable: list[str] = []
        self.faceless: list[str] = []
        self._mtcnn: Any = None

    def __call__(
        self, paths: Sequence[str | os.PathLike[str]], names: Sequence[str] | None = None
    ) -> list[np.ndarray | None]:
        """uint8 (S, S, 3) for each path, None where it cannot be read; ``names`` are what messages call them."""
        if self.aligned:
            return [self._read(os.fspath(path)) for path in paths]
        return self._detect(paths, [os.fspath(path) for path in paths] if names is None else names)

    def _read(self, path: str) -> np.ndarray | None:
        try:
            with open(path, "rb") as file:
                return resize(decode(file.read(), path), self.size)
        except (FaceLibError, OSError) as error:
            self.unreadable.append(str(error))
            return None

    def _detect(self, paths: Sequence[str | os.PathLike[str]], names: Sequence[str]) -> list[np.ndarray | None]:
        from ..detect import MTCNN
        from ..folders.aligner import choose_faces
        from ..folders.each import detect_each

        self._mtcnn = self._mtcnn or MTCNN(**self.detector)
        crops: list[np.ndarray | None] = []
        for start in range(0, len(paths), DETECTED):
            found = detect_each(self._mtcnn, paths[start : start + DETECTED])
            for name, (image, result) in zip(names[start : start + DETECTED], found, strict=True):
                if image is None:
                    self.unreadable.append(str(result))
                    crops.append(None)
                    continue
                faces = result if isinstance(result, Faces) else Faces.empty()
                crop = _aligned(image, choose_faces(faces, image.shape[0], image.shape[1], "centre"), self.size)
                if crop is None:
                    self.faceless.append(name)
                crops.append(_middle(image, self.size) if crop is None else crop)
        return crops


def centre_crop(crops: np.ndarray) -> np.ndarray:
    """CCrop: enlarge 112 pixels to 128 and keep the middle 112, (N, S, S, 3) -> (N, S, S, 3).

    A crop in which the face is 1/7 larger, for networks that were trained on such; lesson 11 measures what it does.
    Of other sizes S, in proportion.
    """
    height, width = crops.shape[1:3]
    large = round(height * 128 / 112), round(width * 128 / 112)
    top, left = (large[0] - height) // 2, (large[1] - width) // 2
    resized = (cv2.resize(crop, large[::-1], interpolation=cv2.INTER_LINEAR) for crop in crops)
    kept = [crop[top : top + height, left : left + width] for crop in resized]
    return np.array(kept, np.uint8).reshape(crops.shape)


def embed_pictures(
    embed: Embedder,
    images: np.ndarray,
    flip: bool = True,
    ccrop: bool = False,
    batch: int = 64,
    rows: np.ndarray | None = None,
    progress: Progress = lambda done: None,
) -> np.ndarray:
    """Embeddings of crops: uint8 (M, H, W, 3) -> float32 (M, D), of any length; of ``rows`` alone (K,) -> (K, D).

    With ``flip`` the unit vectors of a picture and of its mirror image are added, as published figures on LFW usually
    are. With ``ccrop`` each is cropped by ``centre_crop`` first.
    """
    parts = []
    rows = np.arange(len(images)) if rows is None else rows
    for start in range(0, len(rows), batch):
        crops = images[rows[start : start + batch]]
        crops = centre_crop(crops) if ccrop else crops
        vectors = embed(crops)
        parts.append(vectors + embed(np.ascontiguousarray(crops[:, :, ::-1])) if flip else vectors)
        progress(len(crops))
    return np.concatenate(parts)


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """RGB uint8 (H, W, 3) -> (size, size, 3), the same array where it has that size."""
    if image.shape[:2] == (size, size):
        return image
    return cv2.resize(np.ascontiguousarray(image), (size, size), interpolation=cv2.INTER_AREA)


def _aligned(image: np.ndarray, face: Faces, size: int) -> np.ndarray | None:
    from ..alignment import align

    try:
        return align(image, face.landmarks[0], size) if len(face) else None
    except FaceLibError:  # landmarks from which no alignment follows
        return None


def _middle(image: np.ndarray, size: int) -> np.ndarray:
    """The middle square of half the shorter side: where LFW's faces are."""
    height, width = image.shape[:2]
    side = max(1, min(height, width) // 2)
    top, left = (height - side) // 2, (width - side) // 2
    return resize(image[top : top + side, left : left + side], size)
