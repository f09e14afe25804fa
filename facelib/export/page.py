"""The whole pipeline as a static page: networks as ONNX files, the arithmetic around them in the reader's browser.

What the page is made of lies in the folder ``site`` beside this file. Its modules follow ``facelib.detect``,
``facelib.alignment`` and ``facelib.preprocess`` line by line, and the tests hold them equal.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import samples
from ..alignment import TEMPLATE_112, align
from ..detect import MTCNN
from ..embedder import SHIPPED, Embedder
from ..errors import ExportError
from ..faces import LANDMARK_NAMES
from ..folders.files import make_folder, write_atomically
from ..records import load as load_record

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

MANIFEST = "models/manifest.json"
KIND = "facelib page"
"""Key by which the manifest says what its folder is; its value is the number of the form."""
CROP = 112
LONGEST_SIDE = 2000
"""Pixels of a picture's longer side above which the page shrinks it before detection."""


@dataclass(frozen=True)
class Threshold:
    """Where the page's slider begins, and what is known of that place.

    cosine: from which on two faces pass for one person; far: share of pairs of different people that do; on: which
    pairs the share was measured on, to be read after "by the network's record".
    """

    cosine: float
    far: float
    on: str

    def __post_init__(self) -> None:
        if not (-1 <= self.cosine <= 1 and 0 <= self.far <= 1):
            raise ValueError(f"threshold: a cosine from -1 to 1 and a share from 0 to 1, not {self.cosine}, {self.far}")


def write_page(
    folder: str | os.PathLike[str],
    model: str | os.PathLike[str] = SHIPPED[0],
    precision: str = "float32",
    *,
    threshold: Threshold | None = None,
) -> Path:
    """Write a page that finds, aligns, embeds and compares faces in the reader's browser.

    It needs no server but one that hands out files, such as ``python -m http.server``, and asks no other host for
    anything. About 10 MB with the shipped weights; ``LICENSES.txt`` in it names the licence of every part.

    Parameters
    ----------
    folder : path
        Made if it is not there, and replaced if it holds such a page. A failure leaves it as it was.
    model, precision
        What ``export_embedder`` takes.
    threshold : Threshold, optional
        By default that of the model's record. Without any, the page gives the cosine and no verdict.

    Returns
    -------
    The page itself, index.html in the folder.

    Raises
    ------
    ExportError
        The folder holds other things, the network wants crops of more than 112 pixels, or onnx is missing.
    WeightsError
        The model cannot be read.
    """
    target = Path(folder).resolve()
    _refuse_foreign(target)
    with _beside(target) as made:
        for name, data in _contents(resources.files("facelib.export").joinpath("site"), "."):
            write_atomically(made / name, data)
        for name in samples.NAMES:
            write_atomically(made / "samples" / f"{name}.jpg", _sample_file(name))
        _write_models(made, model, precision, threshold or _recorded(str(model)))
        _replace(target, made)
    return Path(folder) / "index.html"


def is_current(folder: str | os.PathLike[str]) -> bool:
    """Whether the folder holds the page that ``write_page(folder)`` would write: then there is nothing to do."""
    path, recorded = Path(folder), _recorded(SHIPPED[0])
    wanted = {
        "model": SHIPPED[0],
        "precision": "float32",
        "threshold": asdict(recorded) if recorded else None,
        "made_of": _sources(),
    }
    try:
        known = json.loads((path / MANIFEST).read_text("utf-8"))
        return wanted.items() <= known.items() and {MANIFEST, *known["files"]} == set(_files(path))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _write_models(folder: Path, model: str | os.PathLike[str], precision: str, threshold: Threshold | None) -> None:
    """The four networks, and the manifest: what the page has to know, and the SHA-256 of all its files."""
    from . import export_detector, export_embedder

    networks = {path.stem: f"models/{path.name}" for path in export_detector(folder / "models")}
    networks["embedder"] = "models/embedder.onnx"
    export_embedder(model, folder / networks["embedder"], precision, crops=_sample_crops())
    wants = Embedder.load(folder / networks["embedder"]).preprocess
    if wants.size > CROP:
        raise ExportError(f"{model}: wants crops of {wants.size} pixels, and the page cuts them at {CROP}")
    detector = MTCNN()
    manifest: dict[str, Any] = {
        KIND: 1,
        "model": str(model) if model in SHIPPED else Path(model).name,
        "precision": precision,
        "networks": networks,
        "detector": {
            "min_face": detector.min_face,
            "factor": detector.factor,
            "thresholds": list(detector.thresholds),
        },
        "landmarks": list(LANDMARK_NAMES),
        "longest_side": LONGEST_SIDE,
        "crop": CROP,
        "template": TEMPLATE_112.tolist(),
        "preprocess": wants.to_dict(),
        "threshold": asdict(threshold) if threshold else None,
        "licences": "LICENSES.txt",
        "made_of": _sources(),
        "files": {name: _sha256(folder / name) for name in _files(folder)},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")


def _sample_file(name: str) -> bytes:
    folder = resources.files("facelib.samples")
    return (folder if name == "group" else folder.joinpath("pairs")).joinpath(f"{name}.jpg").read_bytes()


def _sample_crops() -> np.ndarray:
    """Every face of the sample pictures, aligned: uint8 (N, 112, 112, 3)."""
    return np.concatenate([align(samples.picture(name), samples.truth(name).landmarks) for name in samples.NAMES])


def _recorded(model: str) -> Threshold | None:
    """The threshold that the record of the shipped weights names, if it names one."""
    for row in load_record("weights")["rows"]:
        if row["embedder"] == model and "threshold" in row:
            return Threshold(**row["threshold"])
    return None


def _refuse_foreign(folder: Path) -> None:
    """Raise ExportError if replacing the folder would cost anything but a page of ours."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ExportError(f"{folder}: is a file; name a folder for the page")
    found = _files(folder)
    if not found and not any(folder.iterdir()):
        return
    try:
        known = json.loads((folder / MANIFEST).read_text("utf-8"))
        ours = {MANIFEST, *known["files"]} if KIND in known else set()
    except (OSError, ValueError, KeyError, TypeError):
        ours = set()
    foreign = sorted(set(found) - ours)
    if foreign or not ours:
        named = foreign[0] if foreign else "folders of another kind"
        raise ExportError(f"{folder}: holds {named}, which is no part of a page written here; name an empty folder")


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A temporary folder on the same disk as the target; nothing of it stays, whatever happens."""
    make_folder(target.parent)
    with tempfile.TemporaryDirectory(prefix=".facelib-page-", dir=target.parent) as temporary:
        made = Path(temporary) / "page"
        made.mkdir()
        yield made


def _replace(target: Path, made: Path) -> None:
    """Move the new folder to its place; the old one goes only when the new one is there."""
    old = made.with_name("old")
    if target.exists():
        target.rename(old)
    try:
        made.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise


def _sources() -> str:
    """SHA-256 over everything in the package that a page with the shipped weights is made of."""
    package, digest = resources.files("facelib"), hashlib.sha256()
    parts = (
        "alignment.py",
        "preprocess.py",
        "embedder.py",
        "backbones",
        "detect",
        "export",
        "records",
        "samples",
        "weights",
    )
    for part in parts:
        for name, data in _contents(package.joinpath(part), part):
            digest.update(f"{name} {hashlib.sha256(data).hexdigest()}\n".encode())
    return digest.hexdigest()


def _contents(entry: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    if entry.is_file():
        yield name, entry.read_bytes()
    elif entry.name != "__pycache__":
        for inner in sorted(entry.iterdir(), key=lambda inner: inner.name):
            yield from _contents(inner, f"{name}/{inner.name}")


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
