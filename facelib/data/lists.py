"""List files: one picture a line, its path and the number of its person, as in::

    n000002/0001_01.jpg 0
    n000002/0002_01.jpg 0
    n000003/0001_01.jpg 1

The last field is the label, what stands before it is the path below a root folder, with any spaces it has. Fields
are parted by spaces or tabs. Blank lines, and lines that begin with a number sign and a space, mean nothing. Windows'
line ends and byte-order mark do no harm.
"""

from __future__ import annotations

import ntpath
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import FaceLibError
from ..folders.files import new_file
from .source import MOST_CLASSES, Names

LINE = 65_536  # bytes; a longer line is no line of a list
SHOWN = 3


@dataclass(frozen=True)
class Listing:
    """What a list file says of N pictures.

    names : paths, relative to a root; labels : int64 (N,); lines : int64 (N,), where in the file, from 1.
    """

    file: str
    names: Names
    labels: np.ndarray
    lines: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def read_list(file: str | os.PathLike[str], root: str | os.PathLike[str] | None = None) -> Listing:
    """Read a list file, and with ``root`` make sure that every picture is there.

    Parameters
    ----------
    file : path of the list
    root : path of the folder that the list's paths are relative to, optional

    Raises
    ------
    FaceLibError
        Naming the line: a label missing or no whole number, a path that leads out of the root, a
        picture that does not exist. Also for a file that cannot be read or lists nothing.
    """
    names, labels, lines = [], [], []
    for number, raw in _lines(file):
        try:
            entry = parse_line(raw)
        except FaceLibError as error:
            raise FaceLibError(f"{os.fspath(file)}, line {number}: {error}") from None
        if entry:
            names.append(entry[0])
            labels.append(entry[1])
            lines.append(number)
    if not names:
        raise FaceLibError(f"{os.fspath(file)}: lists no pictures; a line reads: n000002/0001_01.jpg 0")
    listing = Listing(os.fspath(file), Names(names), np.array(labels, np.int64), np.array(lines, np.int64))
    if root is not None:
        _refuse_missing(listing, os.fspath(root))
    return listing


def write_list(file: str | os.PathLike[str], names: Iterable[str], labels: Iterable[int]) -> int:
    """Write a list file, whole or not at all; the number of its lines.

    Raises
    ------
    FaceLibError
        When a name would not be read back as it is, for example one with a line break.
    OSError
        Disk full, no permission.
    """
    return write_lists({file: (names, labels)})[0]


def write_lists(lists: Mapping[str | os.PathLike[str], tuple[Iterable[str], Iterable[int]]]) -> list[int]:
    """Write several list files, all of them or none: file -> names, labels. Raises as ``write_list`` does."""
    written = [[_line(*each) for each in zip(*entries, strict=True)] for entries in lists.values()]
    with ExitStack() as stack:  # they take their places at its end
        files = [stack.enter_context(new_file(Path(file))) for file in lists]
        for file, lines in zip(files, written, strict=True):
            file.write(b"".join(lines))
    return [len(lines) for lines in written]


def listable(name: str) -> bool:
    """Whether a list file can name this picture.

    >>> listable("n000002/0001_01.jpg"), listable("n000002/0001\\n01.jpg")
    (True, False)
    """
    try:
        return bool(_line(name, 0))
    except FaceLibError:
        return False


def _line(name: str, label: int) -> bytes:
    line = f"{name} {int(label)}\n".encode("utf-8", "surrogateescape")
    if b"\n" in line[:-1] or parse_line(line) != (name, label):
        raise FaceLibError(f"{name!r}, {label}: cannot stand in a list file; rename the file")
    return line


def parse_line(line: bytes) -> tuple[str, int] | None:
    """Path and label of a line, None for a blank line or a comment.

    >>> parse_line(b"my photos/me.jpg 17")
    ('my photos/me.jpg', 17)
    """
    line = line.rstrip()
    if not line or line.startswith(b"# "):
        return None
    if b"\0" in line:
        raise FaceLibError("is no text; save the list as UTF-8")
    path, _, label = line.replace(b"\t", b" ").rpartition(b" ")
    path = line[: len(path)].rstrip()  # as it was, tabs within it too
    if not path:
        raise FaceLibError(f"{_shown(line)} has no label; a line reads: n000002/0001_01.jpg 0")
    if not label.isdigit() or len(label) > 18 or int(label) >= MOST_CLASSES:
        raise FaceLibError(f"the label {_shown(label)} is no whole number from 0 to {MOST_CLASSES - 1:,}")
    name = path.decode("utf-8", "surrogateescape")
    if escapes(name):
        raise FaceLibError(f"{_shown(path)} leads out of the data set's folder; paths are relative to it, without ..")
    return name, int(label)


def escapes(path: str) -> bool:
    """Whether a path leads out of the folder it is joined to, on this system or another.

    >>> escapes("../../etc/passwd"), escapes("/etc/passwd"), escapes("n000002/0001_01.jpg")
    (True, True, False)
    """
    parts = path.replace("\\", "/").split("/")
    return not parts[0] or ".." in parts or bool(ntpath.splitdrive(path)[0])


def missing(listing: Listing, root: str) -> np.ndarray:
    """Numbers of the pictures that are not below ``root``, int64. Each folder is listed once."""
    folders: dict[str, frozenset[str]] = {}
    lost = []
    for index, name in enumerate(listing.names):
        folder, _, base = name.rpartition("/")
        if folder not in folders:
            folders[folder] = _entries(os.path.join(root, folder))
        if base not in folders[folder] and not os.path.exists(os.path.join(root, name)):
            lost.append(index)
    return np.array(lost, np.int64)


def _entries(folder: str) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if not entry.is_symlink())  # links may lead nowhere
    except OSError:
        return frozenset()


def _refuse_missing(listing: Listing, root: str) -> None:
    if not os.path.isdir(root):
        raise FaceLibError(f"{root}: no such folder; it should hold the pictures of {listing.file}")
    lost = missing(listing, root)
    if len(lost):
        shown = ", ".join(f"line {listing.lines[k]}: {listing.names[k]}" for k in lost[:SHOWN])
        more = ", ..." if len(lost) > SHOWN else ""
        remedy = "is this the folder that the list was made for?"
        if os.sep == "/" and all("\\" in listing.names[k] for k in lost):
            remedy = "it was written on Windows: turn \\ into /"
        raise FaceLibError(
            f"{listing.file}: {len(lost):,} of {len(listing):,} pictures are not in {root} ({shown}{more}); {remedy}"
        )


def _lines(file: str | os.PathLike[str]) -> Iterator[tuple[int, bytes]]:
    try:
        with open(file, "rb") as stream:
            for number, line in enumerate(iter(lambda: stream.readline(LINE), b""), 1):
                if len(line) == LINE:
                    raise FaceLibError(f"{os.fspath(file)}, line {number}: longer than {LINE:,} bytes; is it a list?")
                yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
    except OSError as error:
        raise FaceLibError(f"{os.fspath(file)}: cannot be read ({error.strerror or error})") from error


def _shown(data: bytes) -> str:
    text = data.decode("utf-8", "backslashreplace")
    return repr(text if len(text) <= 80 else text[:77] + "...")
