"""Pictures on disk: find them in folders of any size, and write files so that none is ever half there."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ..errors import FaceLibError

if TYPE_CHECKING:
    import numpy as np

EXTENSIONS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".jpx", ".avif", ".ico", ".tga"),
)
"""Extensions, in lower case, of the files in a folder that are taken for pictures."""

TEMPORARY = (".facelib-", ".part")
"""How the name of an unfinished file begins and ends."""


@dataclass(frozen=True)
class Folder:
    """One folder of a tree.

    path: relative to the tree's root, with forward slashes, "" for the root itself; pictures: names in sorted
    order; others: how many entries are no pictures; fault: why the folder could not be listed, else "".
    """

    path: str
    pictures: tuple[str, ...]
    others: int
    fault: str = ""

    def join(self, name: str) -> str:
        """Path of a file in this folder, relative to the tree's root."""
        return f"{self.path}/{name}" if self.path else name


def walk(root: str | os.PathLike[str], skip: str | os.PathLike[str] | None = None) -> Iterator[Folder]:
    """Folders of a tree in sorted order, each listed when its turn comes.

    Links to files and folders are followed, except back to a folder that contains the link. Hidden files and
    folders, and whatever has no picture's extension, count as others. A link that leads nowhere counts as a
    picture if it is named like one, so that it is reported and not lost.

    Parameters
    ----------
    root : path of a folder
    skip : path of a folder, optional
        Left out with all it contains: where the results go.
    """
    left_out = _identity(skip) if skip is not None else None
    stack: list[tuple[str, str, tuple[tuple[int, int], ...]]] = [(os.fspath(root), "", ())]
    while stack:
        path, relative, above = stack.pop()
        identity = _identity(path)
        if identity is not None and (identity in above or identity == left_out):
            continue
        try:
            folder, subfolders = _list(path, relative)
        except OSError as error:
            yield Folder(relative, (), 0, f"the folder cannot be listed: {error.strerror or error}")
            continue
        yield folder
        above = (*above, identity) if identity is not None else above
        stack += [(os.path.join(path, name), folder.join(name), above) for name in reversed(subfolders)]


def _list(path: str, relative: str) -> tuple[Folder, list[str]]:
    pictures, subfolders, others = [], [], 0
    with os.scandir(path) as entries:
        for entry in entries:
            hidden = entry.name.startswith(".")
            if not hidden and entry.is_dir():
                subfolders.append(entry.name)
            elif not hidden and Path(entry.name).suffix.lower() in EXTENSIONS and _is_file_or_broken_link(entry):
                pictures.append(entry.name)
            else:
                others += 1
    return Folder(relative, tuple(sorted(pictures)), others), sorted(subfolders)


def _is_file_or_broken_link(entry: os.DirEntry[str]) -> bool:
    return entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))  # no pipes, no devices


def _identity(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def finished_files(folder: Path) -> set[str]:
    """Names of the files in a folder, none if it does not exist. Left-overs of a killed run are removed."""
    names = set()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(TEMPORARY[0]) and entry.name.endswith(TEMPORARY[1]):
                    os.unlink(entry.path)
                elif entry.is_file():
                    names.add(entry.name)
    except (FileNotFoundError, NotADirectoryError):  # nothing there yet, or a file in the way, which writing will tell
        pass
    return names


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file that is complete or not there at all, whatever happens meanwhile. Makes its folder.

    Raises
    ------
    OSError
        Disk full, no permission, name too long, ...
    """
    with new_file(path) as file:
        file.write(data)


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """The same for what is written bit by bit: the file takes its place at the end of the ``with`` block."""
    temporary = path.parent / f"{TEMPORARY[0]}{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY[1]}"
    make_folder(path.parent)
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):  # a disk that cannot be written says so here again
            temporary.unlink()
        if isinstance(error, OSError) and error.filename in (str(temporary), None):  # nobody knows that name
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        raise


def make_folder(folder: Path) -> None:
    """A folder with those above it, unless it is there.

    Raises
    ------
    OSError
        A file in the way is named, and said to be one: the system's own words are "File exists".
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        file = next((each for each in (folder, *folder.parents) if os.path.lexists(each) and not each.is_dir()), folder)
        raise NotADirectoryError(errno.ENOTDIR, "is a file, a folder is wanted", str(file)) from error


def encode(image: np.ndarray, extension: str, quality: int = 95) -> bytes:
    """RGB uint8 (H, W, 3) -> bytes of a file in the format of ``extension`` (".jpg", ".png", ...).

    Raises
    ------
    FaceLibError
        There is no such format, or it does not take a picture of this size.
    """
    import cv2

    parameters = [cv2.IMWRITE_JPEG_QUALITY, quality] if extension in (".jpg", ".jpeg") else []
    picture = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    try:
        done, data = cv2.imencode(extension, picture, parameters)
    except cv2.error:  # raised for an unknown extension, where other faults return False
        done = False
    if not done:
        raise FaceLibError(f"a picture of shape {image.shape} cannot be written as {extension}; choose jpg or png")
    return data.tobytes()
