"""Galleries as files: an .npz of plain arrays and a description in JSON, no pickles, written whole or not at all."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FaceLibError
from ..evaluate.vectors import checked
from ..folders.files import new_file
from .calibration import Calibration
from .index import settings_of
from .person import Person

VERSION = 1

# What NumPy, zipfile and json raise over bytes that are something else.
BROKEN = (
    *(ValueError, KeyError, EOFError, IndexError, TypeError, AttributeError, NotImplementedError, MemoryError),
    zipfile.BadZipFile,
)


@dataclass(frozen=True)
class Stored:
    """What is in a file."""

    embedder: str
    index: str
    settings: dict[str, int]
    threshold: float | None
    calibration: Calibration | None
    people: list[Person]


def write(path: Path, stored: Stored) -> None:
    about = {
        "facelib gallery": VERSION,
        "embedder": stored.embedder,
        "index": stored.index,
        "settings": stored.settings,
        "threshold": stored.threshold,
        "calibration": stored.calibration and asdict(stored.calibration),
        "names": [person.name for person in stored.people],
        "sources": [list(person.sources) for person in stored.people],
    }
    arrays = {
        "about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8),
        "vectors": np.concatenate([person.vectors for person in stored.people] or [np.empty((0, 1), np.float32)]),
        "quality": np.concatenate([person.quality for person in stored.people] or [np.empty(0, np.float32)]),
    }
    with new_file(path) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # a file to write to, not only its name


def read(path: Path) -> Stored:
    """The contents of a file, once they fit together.

    Raises
    ------
    FaceLibError
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(file["about"].tobytes())
            vectors, quality = file["vectors"], file["quality"]
    except FileNotFoundError as error:
        raise FaceLibError(f"{path}: no such file; a gallery is made by saving one") from error
    except OSError as error:
        raise FaceLibError(f"{path}: cannot be read ({error.strerror or error})") from error
    except BROKEN as error:
        raise FaceLibError(f"{path}: no gallery of facelib, or a damaged one ({error})") from error
    version = about.get("facelib gallery") if isinstance(about, dict) else None
    if version != VERSION:
        raise FaceLibError(f"{path}: a gallery of version {version}, this facelib reads {VERSION}; upgrade facelib")
    try:
        return _fitted(about, vectors, quality)
    except (FaceLibError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise FaceLibError(f"{path}: the gallery is damaged ({error}); take a copy of it") from error


def _fitted(about: dict[str, Any], vectors: np.ndarray, quality: np.ndarray) -> Stored:
    names, sources = about["names"], [tuple(files) for files in about["sources"]]
    counts = np.array([len(files) for files in sources], dtype=np.int64)
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names) or len(names) != len(counts):
        raise FaceLibError("names are missing or come twice")
    if vectors.dtype != np.float32 or quality.shape != (counts.sum(),) or len(vectors) != len(quality):
        raise FaceLibError(f"{vectors.dtype} vectors {vectors.shape}, quality {quality.shape}, {counts.sum()} sources")
    if (counts < 1).any() or not (np.isfinite(quality) & (quality > 0)).all():
        raise FaceLibError("people without pictures, or quality not above 0")
    checked(vectors, "vectors")
    cuts = np.cumsum(counts)[:-1]
    parts = zip(names, np.split(vectors, cuts), np.split(quality, cuts), sources, strict=True) if names else ()
    threshold, calibration = about["threshold"], about["calibration"]
    return Stored(
        embedder=str(about["embedder"]),
        index=about["index"],
        settings=settings_of(about["index"], about["settings"]),
        threshold=None if threshold is None else float(threshold),
        calibration=None if calibration is None else Calibration(**calibration),
        people=[Person(*fields) for fields in parts],
    )
