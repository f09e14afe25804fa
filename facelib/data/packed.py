"""Packed data sets: all pictures of a source in a few large files, for fast access in any order.

The files are Arrow's (``part-00000.arrow``, readable by anything that reads Arrow IPC) with three columns: image, the
encoded bytes as they were; label; name. ``index.json`` tells the parts with their lengths and SHA-256. Files are mapped
into memory, so that a picture costs neither an open nor a copy. ``facelib.data.packing`` writes them.
"""

from __future__ import annotations

import bisect
import itertools
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FaceLibError
from .source import Source, require

INDEX = "index.json"
FORMAT = "facelib packed 1"
BATCH = 1024  # pictures that Arrow keeps together


@dataclass
class Packing:
    """What a packed folder holds. ``parts``: file, pictures, bytes, sha256 and left_out (name, reason) of each."""

    fingerprint: str
    size: int
    parts: list[dict[str, Any]] = field(default_factory=list)
    complete: bool = False

    @property
    def pictures(self) -> int:
        """Pictures in the finished parts."""
        return sum(part["pictures"] for part in self.parts)

    @property
    def left_out(self) -> list[tuple[str, str]]:
        """Pictures that could not be read, with the reason."""
        return [(name, reason) for part in self.parts for name, reason in part["left_out"]]


class PackedSource(Source):
    """Pictures of a packed folder, by memory map.

    Raises
    ------
    FaceLibError
        When the folder is not packed, not finished, or a part has another length than it had.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        packing = read_index(self.folder)
        if not packing.complete:
            raise FaceLibError(f"{folder}: is not finished; run the same `facelib pack` again, it goes on")
        if not packing.pictures:
            raise FaceLibError(f"{folder}: holds no pictures")
        for part in packing.parts:
            _check_length(self.folder / part["file"], part["bytes"])
        self.files = [part["file"] for part in packing.parts]
        self.starts = [0, *itertools.accumulate(part["pictures"] for part in packing.parts)]
        self._open: dict[int, list[_Batch]] = {}
        self.labels = np.concatenate([batch.labels for k in range(len(self.files)) for batch in self._batches(k)])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": {}}

    def name(self, index: int) -> str:
        """The name that the picture had in its source."""
        batch, row = self._find(index)
        return bytes(batch.names.cell(row)).decode("utf-8", "replace")

    def read(self, index: int) -> memoryview:
        """Encoded bytes of the picture, not copied."""
        batch, row = self._find(index)
        return batch.images.cell(row)

    def _find(self, index: int) -> tuple[_Batch, int]:
        index = range(len(self))[index]
        part = bisect.bisect_right(self.starts, index) - 1
        batch, row = divmod(index - self.starts[part], BATCH)
        return self._batches(part)[batch], row

    def _batches(self, part: int) -> list[_Batch]:
        """Batches of a part, opened when first asked for in this process."""
        if part not in self._open:
            arrow, path = require("pyarrow"), self.folder / self.files[part]
            try:
                reader = require("pyarrow.ipc").open_file(arrow.memory_map(os.fspath(path)))
                batches = [_Batch(arrow, reader.get_batch(k)) for k in range(reader.num_record_batches)]
            except (arrow.ArrowException, OSError, KeyError) as error:
                raise FaceLibError(f"{path}: is damaged ({error}); `facelib pack --verify` checks all parts") from error
            rows = self.starts[part + 1] - self.starts[part]
            expected = [min(BATCH, rows - start) for start in range(0, rows, BATCH)]
            if [len(batch.labels) for batch in batches] != expected:
                raise FaceLibError(f"{path}: does not hold the {rows:,} pictures that {INDEX} announces")
            self._open[part] = batches
        return self._open[part]


class _Batch:
    """Columns of one of Arrow's record batches."""

    def __init__(self, arrow: Any, batch: Any) -> None:
        batch.validate()
        self.labels = batch.column("label").cast(arrow.int64()).to_numpy()
        self.images = _Cells(batch.column("image").cast(arrow.large_binary()))
        self.names = _Cells(batch.column("name").cast(arrow.large_string()).cast(arrow.large_binary()))


class _Cells:
    """A column of bytes as Arrow stores it: all of them in one piece, and where each begins.

    Arrow's own way to a cell copies it. What it checks before, that every position lies within the column, is checked
    here once for all: a wrong one would be read as memory that is not ours.
    """

    def __init__(self, column: Any) -> None:
        column.validate(full=True)
        _, starts, data = column.buffers()
        self.starts = np.frombuffer(starts, np.int64)[column.offset :]
        self.data = memoryview(data or b"").cast("B")  # Arrow's own view gives signed numbers

    def cell(self, row: int) -> memoryview:
        return self.data[self.starts[row] : self.starts[row + 1]]


def read_index(folder: Path) -> Packing:
    """The ``index.json`` of a packed folder."""
    path = folder / INDEX
    try:
        stored = json.loads(path.read_bytes())
        if stored.pop("format") != FORMAT:
            raise ValueError("another format")
        packing = Packing(**stored)
        for part in packing.parts:
            if os.path.basename(part["file"]) != part["file"] or not part["pictures"] >= 0 <= part["bytes"]:
                raise ValueError(f"a part {part['file']!r}")
        return packing
    except FileNotFoundError:
        raise FaceLibError(f"{folder}: holds no {INDEX}; it is no packed data set") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FaceLibError(
            f"{path}: is damaged or of another version ({error}); delete the folder and pack again"
        ) from error


def _check_length(path: Path, expected: int) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise FaceLibError(f"{path}: is missing ({error.strerror}); pack again, the other parts are kept") from error
    if size != expected:
        raise FaceLibError(
            f"{path}: has {size:,} bytes instead of {expected:,}; delete it and pack again, the other parts are kept"
        )
