"""Checkpoints: one file that holds a run, complete or not there at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..errors import FaceLibError
from ..folders.files import new_file

FORMAT = 1
LAST, BEST = "last.pt", "best.pt"


def save(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint beside the old one, then put it in its place.

    Raises
    ------
    OSError
        Disk full, no permission; the old checkpoint is as it was.
    """
    with new_file(path) as file:
        try:
            torch.save(content | {"format": FORMAT}, file)
        except RuntimeError as error:  # torch's writer hides what the system said
            raise OSError(f"writing failed: {str(error).splitlines()[0]}") from error


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint: tensors and plain values, no code.

    Raises
    ------
    FaceLibError
        The file is missing, damaged, no checkpoint, or of a later format.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise FaceLibError(f"{path}: no such checkpoint") from error
    except Exception as error:
        best = path.with_name(BEST)
        others = f"copy {best.name}, an epoch of the same run, over it, or " if best.is_file() else ""
        raise FaceLibError(
            f"{path}: damaged, or no checkpoint ({type(error).__name__}); {others}begin anew with another --out"
        ) from error
    if not isinstance(content, dict) or "format" not in content or "recipe" not in content:
        raise FaceLibError(f"{path}: not a checkpoint of facelib; weights alone go to --pre-trained")
    if content["format"] > FORMAT:
        raise FaceLibError(f"{path}: written by a later facelib; update facelib to read it")
    return content
