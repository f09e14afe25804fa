"""WebDataset shards: tar files in which a picture and its label lie side by side as ``0001.jpg`` and ``0001.cls``.

Made to be read from end to end. Here the members' positions are listed once, by ``tarfile``, and kept beside each
shard in a small file, after which any picture is one read away, without unpacking.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FaceLibError
from ..folders.files import EXTENSIONS, write_atomically
from ..folders.words import counted
from .source import MOST_CLASSES, Names, Source, read_file

BLOCK = 512  # bytes; members of a tar file begin at multiples of it
BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")


@dataclass(frozen=True)
class Shard:
    """Pictures of one tar file: names, and int64 (N,) positions, sizes and labels."""

    names: Names
    positions: np.ndarray
    sizes: np.ndarray
    labels: np.ndarray


class WebDatasetSource(Source):
    """Pictures of WebDataset shards.

    Parameters
    ----------
    shards : path of a tar file, of a folder that holds tar files, or of several as in ``train-{000..123}.tar``

    Raises
    ------
    FaceLibError
        When a shard is missing, compressed, damaged or cut short, or a picture in it has no label.
    """

    def __init__(self, shards: str | os.PathLike[str]) -> None:
        self.files = expand(shards)
        opened = [open_shard(Path(file)) for file in self.files]
        self.shards = np.repeat(np.arange(len(opened)), [len(shard.labels) for shard in opened])
        self.names = Names(name for shard in opened for name in shard.names)
        self.positions = np.concatenate([shard.positions for shard in opened])
        self.sizes = np.concatenate([shard.sizes for shard in opened])
        self.labels = np.concatenate([shard.labels for shard in opened])
        if not len(self.labels):
            raise FaceLibError(f"{shards}: {len(opened)} shards without a picture")

    def name(self, index: int) -> str:
        """The picture's name in its shard, and the shard without its folder."""
        return f"{self.names[index]} in {os.path.basename(self.files[self.shards[index]])}"

    def read(self, index: int) -> bytes:
        """Encoded bytes of the picture."""
        return read_file(self.files[self.shards[index]], int(self.positions[index]), int(self.sizes[index]))


def expand(shards: str | os.PathLike[str]) -> list[str]:
    """Paths of all shards, sorted.

    >>> expand("train-{08..10}.tar")
    ['train-08.tar', 'train-09.tar', 'train-10.tar']
    """
    path = os.fspath(shards)
    if os.path.isdir(path):
        files = sorted(os.fspath(file) for file in Path(path).glob("*.tar"))
        if not files:
            raise FaceLibError(f"{path}: holds no tar files")
        return files
    match = BRACES.search(path)
    if not match:
        return [path]
    first, last = match.groups()
    if not 0 <= int(last) - int(first) < 1_000_000:
        raise FaceLibError(f"{path}: {match[0]} names no range of shards; write the smaller number first")
    numbers = range(int(first), int(last) + 1)
    return [path[: match.start()] + f"{k:0{len(first)}d}" + path[match.end() :] for k in numbers]


def open_shard(path: Path) -> Shard:
    """The pictures of a shard, from the index beside it if the shard has not changed since, else by listing it."""
    index = path.with_name(path.name + ".index.npz")
    try:
        status = path.stat()
    except OSError as error:
        raise FaceLibError(f"{path}: cannot be read ({error.strerror})") from error
    mark = np.array([status.st_size, status.st_mtime_ns], np.int64)
    stored = _read_index(index, mark)
    if stored is not None:
        return stored
    shard = list_shard(path, status.st_size)
    file = io.BytesIO()
    text = np.frombuffer("\0".join(shard.names).encode("utf-8", "surrogateescape"), np.uint8)
    np.savez(file, mark=mark, names=text, positions=shard.positions, sizes=shard.sizes, labels=shard.labels)
    with contextlib.suppress(OSError):  # a disk that may only be read: the shard is listed again next time
        write_atomically(index, file.getvalue())
    return shard


def _read_index(index: Path, mark: np.ndarray) -> Shard | None:
    """What is stored, or None where nothing stored fits the shard."""
    try:
        with np.load(index, allow_pickle=False) as stored:
            if not np.array_equal(stored["mark"], mark):
                return None
            text = stored["names"].tobytes().decode("utf-8", "surrogateescape")
            names = Names(text.split("\0") if text else [])
            shard = Shard(names, stored["positions"], stored["sizes"], stored["labels"])
    except Exception:  # zipfile, numpy and zlib each have errors of their own for a damaged file
        return None
    numbers = shard.positions, shard.sizes, shard.labels
    whole = all(array.dtype == np.int64 and array.shape == (len(names),) for array in numbers)
    inside = whole and all((array >= 0).all() for array in numbers)
    return shard if inside and (shard.positions + shard.sizes <= mark[0]).all() else None


def list_shard(path: Path, size: int) -> Shard:
    """Go through a tar file of ``size`` bytes, from member to member."""
    pictures: dict[str, tuple[str, int, int]] = {}
    labels: dict[str, int] = {}
    end = 0
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                end = member.offset_data + (-(-member.size // BLOCK) * BLOCK if member.isreg() else 0)
                if end > size:
                    break
                key, extension = split_name(member.name)
                if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
                    continue
                if extension == ".cls":
                    labels[key] = _label(tar, member, path)
                elif extension in EXTENSIONS:
                    if key in pictures:
                        raise FaceLibError(f"{path}: {member.name} and {pictures[key][0]} share one label; rename one")
                    pictures[key] = member.name, member.offset_data, member.size
    except (tarfile.TarError, OSError, EOFError) as error:
        raise FaceLibError(
            f"{path}: is no whole, uncompressed tar file ({error}); a compressed one must be decompressed first"
        ) from error
    if read_file(str(path), end, BLOCK) != bytes(BLOCK):
        raise FaceLibError(f"{path}: is damaged or cut short after {len(pictures):,} pictures; fetch it again")
    without = [pictures[key][0] for key in pictures if key not in labels]
    if without:
        many = counted(len(without), "picture")
        raise FaceLibError(f"{path}: {many} without a label; {without[0]} lacks its .cls file")
    columns = [(*pictures[key], labels[key]) for key in pictures]
    numbers = np.array([row[1:] for row in columns], np.int64).reshape(-1, 3).T
    return Shard(Names(row[0] for row in columns), *(np.ascontiguousarray(row) for row in numbers))


def split_name(name: str) -> tuple[str, str]:
    """What a picture and its label have in common, and the extension, which begins at the first full stop.

    >>> split_name("a.b/0001.seg.png")
    ('a.b/0001', '.seg.png')
    """
    folder, slash, base = name.rpartition("/")
    stem, stop, extension = base.partition(".")
    return folder + slash + stem, stop + extension.lower()


def _label(tar: tarfile.TarFile, member: Any, path: Path) -> int:
    file = tar.extractfile(member)
    text = file.read(32).strip() if file else b""
    if not text.isdigit() or int(text) >= MOST_CLASSES:
        raise FaceLibError(f"{path}: {member.name} holds {text!r}, no whole number from 0 to {MOST_CLASSES - 1:,}")
    return int(text)
