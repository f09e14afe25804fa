"""Parquet files in the layout of the Hugging Face hub: a column of pictures and a column of labels.

The column image holds either the encoded bytes or, as ``datasets`` writes it, a struct with the fields bytes and path.
Parquet is compressed in groups of rows: reading in order is fast, reading in any order is not. To train on such a data
set, pack it first.
"""

from __future__ import annotations

import bisect
import itertools
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FaceLibError
from .source import MOST_CLASSES, Source, require


class ParquetSource(Source):
    """Pictures of one Parquet file, or of all in a folder in the order of their names.

    Parameters
    ----------
    path : path of a file or folder
    image, label : str
        Names of the columns.

    Raises
    ------
    FaceLibError
        When a file is damaged, or has no such columns, or labels that are no whole numbers from 0.
    """

    def __init__(self, path: str | os.PathLike[str], image: str = "image", label: str = "label") -> None:
        path = Path(path)
        self.files = [os.fspath(file) for file in sorted(path.glob("*.parquet"))] if path.is_dir() else [str(path)]
        if not self.files:
            raise FaceLibError(f"{path}: holds no .parquet files")
        self.groups: list[tuple[int, int]] = []  # file, and number of the group of rows in it
        counts, labels, columns = [], [], []
        for number, file in enumerate(self.files):
            with _Errors(file), require("pyarrow.parquet").ParquetFile(file) as opened:
                columns.append(_column(opened.schema_arrow, image, label, file))
                for group in range(opened.num_row_groups):
                    self.groups.append((number, group))
                    counts.append(opened.metadata.row_group(group).num_rows)
                labels.append(_labels(opened.read([label]).column(label), file))
        self.columns = columns
        self.firsts = [0, *itertools.accumulate(len(part) for part in labels)]
        self.starts = [0, *itertools.accumulate(counts)]
        self.labels = np.concatenate(labels)
        if not len(self.labels) or len(self.labels) != self.starts[-1]:
            raise FaceLibError(f"{path}: {len(self.labels):,} labels for {self.starts[-1]:,} pictures")
        self._kept: tuple[int, Any] = -1, None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": (-1, None)}

    def name(self, index: int) -> str:
        """The file, without its folder, and the row's number in it."""
        group, _ = self._find(index)
        file = self.groups[group][0]
        return f"{os.path.basename(self.files[file])}, row {range(len(self))[index] - self.firsts[file]}"

    def read(self, index: int) -> bytes:
        """Encoded bytes of the picture. The group of rows that it is in stays in memory for the next."""
        group, row = self._find(index)
        number, column = self._kept
        if number != group:
            column = self._read_group(group)
            self._kept = group, column
        data = column[row].as_py()
        if not isinstance(data, bytes):
            raise FaceLibError(f"{self.name(index)}: holds no bytes; pictures stored by their path alone are not here")
        return data

    def _find(self, index: int) -> tuple[int, int]:
        index = range(len(self))[index]
        group = bisect.bisect_right(self.starts, index) - 1
        return group, index - self.starts[group]

    def _read_group(self, group: int) -> Any:
        number, within = self.groups[group]
        file, path = self.files[number], self.columns[number]
        with _Errors(file), require("pyarrow.parquet").ParquetFile(file) as opened:
            column = opened.read_row_group(within, columns=[path]).column(0).combine_chunks()
            return column.field("bytes") if "." in path else column


class _Errors:
    """Turns Arrow's errors about a file into ours."""

    def __init__(self, file: str) -> None:
        self.file = file

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, (OSError, require("pyarrow").ArrowException)):
            raise FaceLibError(f"{self.file}: is no whole Parquet file ({str(error).splitlines()[0]})") from error


def _column(schema: Any, image: str, label: str, file: str) -> str:
    """Path of the column with the encoded bytes."""
    types = require("pyarrow").types
    if image not in schema.names or label not in schema.names:
        raise FaceLibError(
            f"{file}: has the columns {', '.join(schema.names)}; {image!r} and {label!r} are needed, or name others"
        )
    kind = schema.field(image).type
    if types.is_struct(kind):
        names = [kind.field(k).name for k in range(kind.num_fields)]
        if "bytes" in names:
            return f"{image}.bytes"
    elif types.is_binary(kind) or types.is_large_binary(kind):
        return image
    raise FaceLibError(f"{file}: the column {image!r} is {kind}; expected bytes, or a struct with the field bytes")


def _labels(column: Any, file: str) -> np.ndarray:
    values = column.to_numpy()  # of whole numbers with gaps it makes floats
    if values.dtype.kind not in "iu":
        raise FaceLibError(f"{file}: labels are {column.type}, or some are missing; expected whole numbers")
    if len(values) and not 0 <= int(values.min()) <= int(values.max()) < MOST_CLASSES:
        raise FaceLibError(f"{file}: labels from {values.min()} to {values.max()}; expected 0, 1, 2, ...")
    return values.astype(np.int64)
