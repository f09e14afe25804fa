"""Galleries as files: an .npz of plain arrays and a description in JSON, no pickles, written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import zipfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FaceLibError
from ..evaluate.vectors import BLOCK, checked, lengths
from ..folders.files import new_file
from .calibration import Calibration
from .index import settings_of
from .network import checked_fields, is_finite
from .person import Person, check_name

VERSION = 1

UNIT = 1e-3
"""Lengths of vectors may differ from 1 by that: float32 needs 1e-6, a mistake is larger."""

# What NumPy, zipfile and json raise over bytes that are something else.
BROKEN = (
    *(ValueError, KeyError, EOFError, IndexError, TypeError, AttributeError, NotImplementedError, MemoryError),
    *(RecursionError, zipfile.BadZipFile, zlib.error),
)


@dataclass(frozen=True)
class Stored:
    """What is in a file."""

    embedder: str
    preprocess: dict[str, Any] | None
    index: str
    settings: dict[str, int]
    threshold: float | None
    calibration: Calibration | None
    people: list[Person]


def write(path: Path, stored: Stored) -> None:
    """A file that ``read`` accepts. Where ``path`` is a link, its target is replaced.

    Raises
    ------
    FaceLibError
    OSError
    """
    try:
        threshold = _threshold(stored.threshold)
    except FaceLibError as error:
        raise FaceLibError(f"{path}: not saved: {error}") from error
    target = Path(os.path.realpath(path))
    if target.is_symlink():  # where links lead in a circle, the way ends at one of them
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    about = {
        "facelib gallery": VERSION,
        "embedder": stored.embedder,
        **({"preprocess": stored.preprocess} if stored.preprocess else {}),
        "index": stored.index,
        "settings": stored.settings,
        "threshold": threshold,
        "calibration": stored.calibration and asdict(stored.calibration),
        "names": [person.name for person in stored.people],
        "sources": [list(person.sources) for person in stored.people],
    }
    arrays = {
        "about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8),
        "vectors": np.concatenate([person.vectors for person in stored.people] or [np.empty((0, 1), np.float32)]),
        "quality": np.concatenate([person.quality for person in stored.people] or [np.empty(0, np.float32)]),
    }
    with new_file(target) as file:
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
        # NumPy would advise to load pickles all the same, which run what a stranger wrote.
        reason = "it is no .npz file of plain arrays" if "pickle" in str(error) else error
        raise FaceLibError(f"{path}: no gallery of facelib, or a damaged one ({reason})") from error
    if not isinstance(about, dict) or "facelib gallery" not in about:
        kind = "is not its own" if isinstance(about, dict) else f"is of type {type(about).__name__}"
        raise FaceLibError(
            f"{path}: no gallery of facelib (its description {kind}); name a file that Gallery.save wrote"
        )
    version = about["facelib gallery"]
    if version != VERSION:
        raise FaceLibError(f"{path}: a gallery of version {version}, this facelib reads {VERSION}; upgrade facelib")
    try:
        return _fitted(about, vectors, quality)
    except (FaceLibError, KeyError, TypeError, ValueError, AttributeError) as error:
        fault = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else error
        raise FaceLibError(
            f"{path}: the gallery is damaged ({fault}); restore it from a copy, or enrol the people again"
        ) from error


def _fitted(about: dict[str, Any], vectors: np.ndarray, quality: np.ndarray) -> Stored:
    names, sources = _names(about["names"]), _sources(about["sources"])
    counts = np.array([len(files) for files in sources], dtype=np.int64)
    if len(names) != len(counts):
        raise FaceLibError(f"{len(names)} names, sources of {len(counts)} people")
    if not isinstance(about["embedder"], str) or not isinstance(about["settings"], dict):
        raise FaceLibError(f"embedder={about['embedder']!r}, settings={about['settings']!r}: no name, or no settings")
    _check_arrays(vectors, quality, counts)
    cuts = np.cumsum(counts)[:-1]
    parts = zip(names, np.split(vectors, cuts), np.split(quality, cuts), sources, strict=True) if names else ()
    return Stored(
        embedder=about["embedder"],
        preprocess=checked_fields(about["preprocess"]) if "preprocess" in about else None,
        index=about["index"],
        settings=settings_of(about["index"], about["settings"]),
        threshold=_threshold(about["threshold"]),
        calibration=None if about["calibration"] is None else _calibration(about["calibration"]),
        people=[Person(*fields) for fields in parts],
    )


def _names(names: Any) -> list[str]:
    if not isinstance(names, list):
        raise FaceLibError("names are no list")
    for name in names:
        check_name(name)
    if len(set(names)) != len(names):
        raise FaceLibError("names come twice")
    return names


def _sources(sources: Any) -> list[tuple[str, ...]]:
    if not isinstance(sources, list):
        raise FaceLibError("sources are no list")
    for files in sources:
        if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
            raise FaceLibError(f"sources: {files!r} is no list of files")
    return [tuple(files) for files in sources]


def _threshold(value: Any) -> float | None:
    if value is None:
        return None
    value = value.item() if isinstance(value, np.generic) else value
    if not is_finite(value):
        raise FaceLibError(f"threshold={value!r} is no finite number: calibrate, or set one")
    return float(value)


def _calibration(fields: Any) -> Calibration:
    if not isinstance(fields, dict) or set(fields) != {"threshold", "far", "comparisons"}:
        raise FaceLibError(f"calibration={fields!r}: expected threshold, far, comparisons")
    far, comparisons = fields["far"], fields["comparisons"]
    if not is_finite(fields["threshold"]) or not is_finite(far) or not 0 < far < 1:
        raise FaceLibError(
            f"calibration: threshold={fields['threshold']!r}, far={far!r}: expected a cosine, and one in (0, 1)"
        )
    if isinstance(comparisons, bool) or not isinstance(comparisons, int) or comparisons < 1:
        raise FaceLibError(f"calibration: comparisons={comparisons!r} is no count")
    return Calibration(float(fields["threshold"]), float(far), comparisons)


def _check_arrays(vectors: np.ndarray, quality: np.ndarray, counts: np.ndarray) -> None:
    shapes = f"{vectors.dtype} vectors {vectors.shape}, {quality.dtype} quality {quality.shape}, {counts.sum()} sources"
    if (vectors.dtype, quality.dtype) != (np.float32, np.float32):
        raise FaceLibError(f"{shapes}: expected float32")
    if quality.shape != (counts.sum(),) or len(vectors) != len(quality):
        raise FaceLibError(f"{shapes}: expected as many of each")
    if (counts < 1).any() or not (np.isfinite(quality) & (quality > 0)).all():
        raise FaceLibError("people without pictures, or quality not above 0")
    checked(vectors, "vectors")
    for start in range(0, len(vectors), BLOCK):
        far_off = np.flatnonzero(np.abs(lengths(vectors[start : start + BLOCK]) - 1) > UNIT)
        if len(far_off):
            row = start + far_off[0]
            raise FaceLibError(f"vectors: row {row} is of length {lengths(vectors[row : row + 1])[0]:.4g}, not 1")
