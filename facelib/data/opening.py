"""Open a data set by its path, whatever it is."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import FaceLibError
from .folders import FolderSource, ListSource
from .packed import INDEX, PackedSource
from .parquet import ParquetSource
from .recordio import RecordSource
from .source import Source
from .webdataset import BRACES, WebDatasetSource

KNOWN = (
    "a list file with the folder of its pictures, a folder with a folder of pictures for each person, a .rec file of"
    " MXNet, .tar shards of WebDataset, .parquet files, or a folder made by `facelib pack`"
)


def open_source(path: str | os.PathLike[str], root: str | os.PathLike[str] | None = None) -> Source:
    """The labelled pictures at a path.

    Parameters
    ----------
    path : path of a list file (with ``root``), a folder with a folder for each person, a ``.rec`` file or a folder
        that holds ``train.rec``, a ``.tar`` shard, several as in ``train-{000..123}.tar``, or a folder of them, a
        ``.parquet`` file or a folder of them, or a folder made by ``facelib pack``
    root : path, optional
        Folder that the paths of a list file are relative to.

    Raises
    ------
    FaceLibError
        When there is nothing, or nothing known; says what was found.
    """
    path = Path(path)
    if BRACES.search(path.name):
        return WebDatasetSource(path)
    if not path.exists():
        raise FaceLibError(f"{path}: no such file or folder; expected {KNOWN}")
    return _open_folder(path) if path.is_dir() else _open_file(path, root)


def _open_folder(path: Path) -> Source:
    if (path / INDEX).is_file():
        return PackedSource(path)
    if (path / "train.rec").is_file():
        return RecordSource(path / "train.rec")
    if any(path.glob("*.tar")):
        return WebDatasetSource(path)
    if any(path.glob("*.parquet")):
        return ParquetSource(path)
    if (path / "meta").is_dir() and (path / "data").is_dir():
        raise FaceLibError(f"{path}: is a bcolz folder of pairs for verification; facelib.data.read_carray reads it")
    try:
        return FolderSource(path)
    except FaceLibError as error:
        raise FaceLibError(f"{error}. It holds {_entries(path)}; a data set is {KNOWN}") from error


def _open_file(path: Path, root: str | os.PathLike[str] | None) -> Source:
    if path.suffix == ".rec":
        return RecordSource(path)
    if path.suffix == ".tar":
        return WebDatasetSource(path)
    if path.suffix == ".parquet":
        return ParquetSource(path)
    if path.suffix == ".idx":
        raise FaceLibError(f"{path}: is the index of a .rec file; give {path.with_suffix('.rec').name} instead")
    if path.suffix == ".bin":
        raise FaceLibError(f"{path}: holds pairs for verification; facelib.data.read_bin reads it")
    begin = _beginning(path)
    if b"\0" in begin:
        raise FaceLibError(f"{path}: is no text, it begins with {begin[:8]!r}; a data set is {KNOWN}")
    if root is None:
        raise FaceLibError(
            f"{path}: a list file needs the folder that its paths are relative to; give it as root (in"
            " commands: --root, for training --dataset-root)"
        )
    return ListSource(path, root)


def _beginning(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(1024)
    except OSError as error:
        raise FaceLibError(f"{path}: cannot be read ({error.strerror or error})") from error


def _entries(folder: Path) -> str:
    """The first few names in a folder."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except OSError as error:
        return f"what cannot be listed ({error.strerror})"
    return ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "") if names else "nothing"
