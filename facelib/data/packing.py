"""Write packed data sets: part by part, so that a run may be stopped at any moment and goes on later."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FaceLibError
from ..folders.files import finished_files, new_file, write_atomically
from .packed import BATCH, FORMAT, INDEX, Packing, read_index
from .reading import read_each, reason
from .source import Source, require

PART = 8192  # pictures of the source in a part, at least
MOST_PARTS = 256  # each keeps a file open


def pack(
    source: Source,
    folder: str | os.PathLike[str],
    *,
    part: int | None = None,
    workers: int = 1,
    retry: bool = False,
    progress: Callable[[int], object] = lambda done: None,
) -> Packing:
    """Pack a source into a folder.

    Every picture is decoded once; what cannot be is left out and reported. A run that was stopped goes on where it
    was: parts are written whole or not at all.

    Parameters
    ----------
    source : Source
    folder : path; new, empty, or of an earlier run with the same source
    part : int
        Pictures of the source in a part; by default 8192, more if there would be more than 256 parts.
    workers : int
        Threads.
    retry : bool
        Make the parts again in which an earlier run left pictures out.
    progress : callable
        Called with the number of pictures done since the last call.

    Raises
    ------
    FaceLibError
        When the folder holds something else, the disk fails, or not one picture can be read.
    """
    require("pyarrow.ipc")
    folder = Path(folder)
    packing = _begin(source, folder, part or max(PART, -(-len(source) // MOST_PARTS)))
    try:
        for number, start in enumerate(range(0, len(source), packing.size)):
            stop = min(start + packing.size, len(source))
            if _present(folder, packing, number, retry):
                progress(stop - start)
                continue
            path = folder / f"part-{number:05d}.arrow"
            packing.parts[number : number + 1] = [_write_part(source, range(start, stop), path, workers, progress)]
            _write_index(folder, packing)
        if not packing.pictures:
            first = ": ".join(packing.left_out[0]) if packing.left_out else "it is empty"
            raise FaceLibError(f"{folder}: not one picture of the source can be read ({first})")
        packing.complete = True
        _write_index(folder, packing)
    except OSError as error:
        raise FaceLibError(
            f"{error.filename or folder}: {error.strerror or error}; the finished parts are complete, the same command"
            " goes on from here"
        ) from error
    return packing


def verify(folder: str | os.PathLike[str], progress: Callable[[int], object] = lambda done: None) -> int:
    """Compare every part with its SHA-256; the number of pictures.

    Raises
    ------
    FaceLibError
        Naming the parts that are damaged or missing.
    """
    folder = Path(folder)
    packing = read_index(folder)
    damaged = []
    for part in packing.parts:
        path = folder / part["file"]
        if not path.is_file() or sha256(path) != part["sha256"]:
            damaged.append(part["file"])
        progress(part["pictures"])
    if damaged:
        raise FaceLibError(
            f"{folder}: damaged: {', '.join(damaged)}; delete these files and pack again, the others are kept"
        )
    return packing.pictures


def fingerprint(source: Source) -> str:
    """SHA-256 of all names and labels, to know a source again."""
    digest = hashlib.sha256(np.ascontiguousarray(source.labels, "<i8").tobytes())
    for index in range(len(source)):
        digest.update(source.name(index).encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()


def sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _begin(source: Source, folder: Path, size: int) -> Packing:
    """What an earlier run left, or a new index in an empty folder."""
    mark = fingerprint(source)
    finished_files(folder)  # removes left-overs of a killed run
    if (folder / INDEX).exists():
        packing = read_index(folder)
        if packing.fingerprint != mark:
            raise FaceLibError(f"{folder}: was packed from other pictures or labels; choose another folder")
        packing.complete = False
        return packing
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FaceLibError(f"{folder}: holds other files; choose an empty or a new folder")
    packing = Packing(mark, size)
    try:
        _write_index(folder, packing)
    except OSError as error:
        raise FaceLibError(f"{folder}: cannot be written ({error.strerror or error})") from error
    return packing


def _present(folder: Path, packing: Packing, number: int, retry: bool) -> bool:
    if number >= len(packing.parts) or (retry and packing.parts[number]["left_out"]):
        return False
    part = packing.parts[number]
    try:
        return os.path.getsize(folder / part["file"]) == part["bytes"]
    except OSError:
        return False


def _write_index(folder: Path, packing: Packing) -> None:
    write_atomically(folder / INDEX, json.dumps({"format": FORMAT, **packing.__dict__}, indent=1).encode())


def _write_part(
    source: Source, indices: range, path: Path, workers: int, progress: Callable[[int], object]
) -> dict[str, Any]:
    """Write one part; its entry for the index."""
    arrow = require("pyarrow")
    schema = arrow.schema([("image", arrow.large_binary()), ("label", arrow.int64()), ("name", arrow.string())])
    left_out: list[tuple[str, str]] = []
    pictures = 0
    with new_file(path) as file:
        with require("pyarrow.ipc").new_file(file, schema) as writer:
            for rows in _in_batches(_readable(source, indices, workers, left_out, progress)):
                columns = [list(column) for column in zip(*rows, strict=True)]
                writer.write_batch(arrow.record_batch(columns, schema=schema))
                pictures += len(rows)
        file.flush()
        size, digest = os.path.getsize(file.name), sha256(Path(file.name))  # before the part takes its place
    return {"file": path.name, "pictures": pictures, "bytes": size, "sha256": digest, "left_out": left_out}


def _readable(
    source: Source, indices: range, workers: int, left_out: list[tuple[str, str]], progress: Callable[[int], object]
) -> Iterator[tuple[bytes, int, str]]:
    """Bytes, label and name of the pictures that can be decoded, in order."""
    for index, data in read_each(source, indices, workers):
        name = source.name(index).encode("utf-8", "backslashreplace").decode()
        if isinstance(data, Exception):
            left_out.append((name, reason(data)))
        else:
            yield bytes(data), int(source.labels[index]), name
        progress(1)


def _in_batches(rows: Iterator[tuple[bytes, int, str]]) -> Iterator[list[tuple[bytes, int, str]]]:
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
