"""Record files of MXNet, ``train.rec`` and ``train.idx``, without MXNet.

A ``.rec`` file is a row of parts, each begun at a multiple of four bytes::

    magic    uint32, 0xced7230a
    length   uint32: lower 29 bits the number of bytes, upper 3 bits 0 for a whole record, 1 for the first part of a
             record, 2 for a middle part, 3 for the last
    bytes    and up to three zeros

Readers find their place by the magic, so it must not stand in the bytes: where it would at a multiple of four, the
writer cuts there and leaves it out, and the reader puts it back between the parts.

A record begins with a header of 24 bytes: flag (uint32), label (float32), two ids (uint64). A flag above 0 says that
so many labels (float32) follow and count instead. The rest is the encoded picture.

The ``.idx`` file has a line "key<tab>position" for each record; without one the ``.rec`` file is scanned. In the
files of insightface record 0 holds no picture but two labels: pictures have the keys 1 ... first - 1, and the records
first ... second - 1 tell which pictures belong to whom.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FaceLibError, ImageError
from ..folders.words import counted
from .source import MOST_CLASSES, Source

MAGIC = 0xCED7230A
MAGIC_BYTES = MAGIC.to_bytes(4, "little")
HEADER = np.dtype([("flag", "<u4"), ("label", "<f4"), ("id", "<u8"), ("id2", "<u8")])
PART = 8  # bytes before those of a part
LENGTH = 0x1FFFFFFF  # bits of a part's second word
WHOLE, FIRST, MIDDLE, LAST = range(4)


class RecordFile:
    """Records of a ``.rec`` file by position. The file is mapped when first read, in each process anew."""

    def __init__(self, file: str | os.PathLike[str]) -> None:
        self.path = os.fspath(file)
        self._map: mmap.mmap | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_map": None}

    @property
    def data(self) -> mmap.mmap:
        """The file's bytes."""
        if self._map is None:
            try:
                with open(self.path, "rb") as file:
                    self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except (OSError, ValueError) as error:  # ValueError: the file is empty
                raise FaceLibError(f"{self.path}: cannot be read ({error})") from error
        return self._map

    def part(self, position: int) -> tuple[int, int, int]:
        """Kind of the part at a position, and where its bytes begin and end."""
        begin = position + PART
        if position < 0 or begin > len(self.data):
            raise self.fault(position, "the file ends here; it was cut short")
        if self.data[position : position + 4] != MAGIC_BYTES:
            raise self.fault(position, "no record begins here; file or index is damaged")
        word = int.from_bytes(self.data[position + 4 : begin], "little")
        end = begin + (word & LENGTH)
        if end > len(self.data):
            raise self.fault(position, "the record runs over the end of the file, which was cut short")
        return word >> 29, begin, end

    def record(self, position: int) -> tuple[bytes, int]:
        """The record at a position, and the position after it."""
        kind, begin, end = self.part(position)
        if kind not in (WHOLE, FIRST):
            raise self.fault(position, "a record's later part stands where a record should begin")
        pieces = [self.data[begin:end]]
        while kind not in (WHOLE, LAST):
            position = _aligned(end)
            kind, begin, end = self.part(position)
            if kind not in (MIDDLE, LAST):
                raise self.fault(position, "the record before has no last part")
            pieces.append(self.data[begin:end])
        return MAGIC_BYTES.join(pieces), _aligned(end)

    def scan(self) -> np.ndarray:
        """Positions of all records, int64, found by going from one to the next."""
        positions, position = [], 0
        while position < len(self.data):
            positions.append(position)
            kind, _, end = self.part(position)
            position = _aligned(end) if kind == WHOLE else self.record(position)[1]
        return np.array(positions, np.int64)

    def fault(self, position: int, reason: str) -> FaceLibError:
        """The error to raise about a position."""
        return ImageError(f"{self.path}, byte {position:,}: {reason}; fetch the file again")


class RecordSource(Source):
    """Pictures of a ``.rec`` file.

    Parameters
    ----------
    file : path of the ``.rec`` file; the ``.idx`` file of the same name is used if there is one

    Raises
    ------
    FaceLibError
        When the files are damaged or cut short.
    """

    def __init__(self, file: str | os.PathLike[str]) -> None:
        self.records = RecordFile(file)
        index = Path(file).with_suffix(".idx")
        if index.exists():
            self.keys, self.positions = read_index(index)
        else:
            self.positions = self.records.scan()
            self.keys = np.arange(len(self.positions))
        self._leave_out_identities()
        self.labels = self._read_labels()

    def name(self, index: int) -> str:
        """The file, without its folder, and the record's key in it."""
        return f"{os.path.basename(self.records.path)}, record {self.keys[index]}"

    def read(self, index: int) -> bytes:
        """Encoded bytes of the picture."""
        _, picture = self._unpack(index)
        return picture

    def _unpack(self, index: int) -> tuple[np.ndarray, bytes]:
        return unpack(self.records.record(int(self.positions[index]))[0], self.name(index))

    def _leave_out_identities(self) -> None:
        """Keep pictures only, where record 0 says that there is more."""
        if not len(self.keys) or self.keys[0] != 0:
            return
        labels, picture = self._unpack(0)
        if len(labels) > 1 and not picture:
            kept = (self.keys > 0) & (self.keys < labels[0])
            self.keys, self.positions = self.keys[kept], self.positions[kept]

    def _read_labels(self) -> np.ndarray:
        """Label of each record: at once for all whose header lies in one piece, one by one for the others."""
        size = len(self.records.data)
        if not len(self.positions):
            raise FaceLibError(f"{self.records.path}: holds no pictures")
        farthest = int(self.positions.max())
        if farthest + PART + HEADER.itemsize > size:
            raise self.records.fault(farthest, f"a record should stand here, but the file ends at {size:,}")
        words = np.frombuffer(self.records.data, "<u4", size // 4)
        at = self.positions // 4
        flags, values = words[at + 2], words[at + 3].view("<f4")
        simple = (words[at] == MAGIC) & (self.positions % 4 == 0) & (flags == 0)
        simple &= (words[at + 1] & LENGTH) >= HEADER.itemsize  # the header lies in one piece
        labels = values.astype(np.float64)
        for index in np.flatnonzero(~simple):
            labels[index] = self._unpack(int(index))[0][0]
        wrong = np.flatnonzero(
            ~((labels >= 0) & (labels == np.floor(labels)) & (labels < MOST_CLASSES))
        )  # NaN is wrong too
        if len(wrong):
            raise FaceLibError(f"{self.name(int(wrong[0]))}: {labels[wrong[0]]} is no label; it takes 0, 1, 2, ...")
        return labels.astype(np.int64)


def unpack(record: bytes, name: str = "record") -> tuple[np.ndarray, bytes]:
    """Labels, float32 of one or more, and the encoded picture of a record."""
    if len(record) < HEADER.itemsize:
        raise ImageError(f"{name}: has {len(record)} bytes, too few for a header of {HEADER.itemsize}")
    header = np.frombuffer(record, HEADER, 1)[0]
    count, begin = int(header["flag"]), HEADER.itemsize
    if not count:
        return header["label"].reshape(1), record[begin:]
    if begin + 4 * count > len(record):
        raise ImageError(f"{name}: announces {counted(count, 'label')} in {len(record):,} bytes")
    return np.frombuffer(record, "<f4", count, begin), record[begin + 4 * count :]


def read_index(file: str | os.PathLike[str]) -> tuple[np.ndarray, np.ndarray]:
    """Keys and positions of an ``.idx`` file, int64, in the order of the keys.

    Raises
    ------
    FaceLibError
        Naming the line that is no pair of numbers; also for a key that comes twice.
    """
    path = os.fspath(file)
    try:
        lines = Path(path).read_bytes().split(b"\n")
    except OSError as error:
        raise FaceLibError(f"{path}: cannot be read ({error.strerror or error})") from error
    pairs = []
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if len(fields) == 2 and fields[0].isdigit() and fields[1].isdigit() and max(map(len, fields)) <= 18:
            pairs.append((int(fields[0]), int(fields[1])))
        elif fields:
            raise FaceLibError(f"{path}, line {number}: expected a key and a position, found {line[:40]!r}")
    table = np.array(sorted(pairs), np.int64).reshape(-1, 2)
    twice = np.flatnonzero(np.diff(table[:, 0]) == 0)
    if len(twice):
        raise FaceLibError(f"{path}: key {table[twice[0], 0]} comes twice")
    return table[:, 0], table[:, 1]


def _aligned(position: int) -> int:
    return (position + 3) // 4 * 4
