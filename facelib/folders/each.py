"""Detection for folders of anything: one bad picture costs only itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import FaceLibError
from ..faces import Faces
from ..image import load_image

if TYPE_CHECKING:
    from ..detect import MTCNN

Result = tuple[np.ndarray | None, Faces | Exception]


def detect_each(mtcnn: MTCNN, paths: Sequence[str | os.PathLike[str]]) -> list[Result]:
    """Load pictures and find their faces, all in one batch if they allow it.

    Returns
    -------
    A pair a path, in order: the picture, or None if it cannot be read; its Faces, or the error.
    """
    loaded = [_load(path) for path in paths]
    images = [image for image, _ in loaded if image is not None]
    found = iter(_detect(mtcnn, images))
    return [(image, fault if image is None else next(found)) for image, fault in loaded]


def _load(path: str | os.PathLike[str]) -> tuple[np.ndarray | None, Exception]:
    try:
        return load_image(path), FaceLibError("")
    except FaceLibError as error:
        return None, error
    except Exception as error:  # MemoryError, or a decoder's fault that load_image does not know yet
        return None, FaceLibError(f"{os.fspath(path)}: cannot be read ({type(error).__name__}: {error})")


def _detect(mtcnn: MTCNN, images: list[np.ndarray]) -> Sequence[Faces | Exception]:
    try:
        return mtcnn.detect_batch(images) if images else []
    except Exception as error:  # too little memory for all of them, perhaps enough for each
        if len(images) == 1:
            return [FaceLibError(f"the detector failed ({type(error).__name__}: {error})")]
        return [result for image in images for result in _detect(mtcnn, [image])]
