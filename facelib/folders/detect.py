"""What ``facelib detect`` does: pictures named in any way -> JSON lines, drawn pictures, or a table."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ..errors import FaceLibError
from .files import encode, make_folder, walk, write_atomically
from .words import counted

if TYPE_CHECKING:
    import numpy as np

    from ..faces import Faces


@dataclass(frozen=True)
class Found:
    """A picture to look at. file: its path; place: where its drawing goes, relative to the output folder."""

    file: str
    place: str


@dataclass
class Totals:
    """Counts of a run, and which pictures could not be read and why."""

    pictures: int = 0
    faces: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    def line(self) -> str:
        """The closing line."""
        found = f"{counted(self.pictures, 'picture')}, {counted(self.faces, 'face')}"
        return f"{found}, {len(self.unreadable):,} unreadable"


def find_pictures(paths: Iterable[str], skip: str | None = None) -> list[Found]:
    """Pictures that files, folders (with subfolders) and patterns stand for, in the order given.

    A file named outright is taken whatever its extension; in folders the extension decides. ``skip`` is a folder
    to leave out, usually the one that drawn pictures go to.

    Raises
    ------
    FileNotFoundError
        Naming the path that does not exist or the pattern that fits no file.
    FaceLibError
        When there is no picture at all.
    """
    found = [picture for path in _expand(paths) for picture in _pictures_at(path, skip)]
    if not found:
        raise FaceLibError(f"no pictures in {', '.join(paths)}; `facelib detect --help` tells which files count")
    return found


def _expand(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        if os.path.lexists(path):
            yield path
            continue
        matches = sorted(glob.glob(path, recursive=True))
        if not matches:
            what = "no file fits this pattern" if glob.has_magic(path) else "no such file or folder"
            raise FileNotFoundError(f"{path}: {what}; it is looked for from {os.getcwd()}")
        yield from matches


def _pictures_at(path: str, skip: str | None) -> Iterator[Found]:
    if not os.path.isdir(path):
        yield Found(path, os.path.basename(path))
        return
    name = os.path.basename(os.path.abspath(path))
    for folder in walk(path, skip):
        if folder.fault:
            yield Found(os.path.join(path, folder.path), "")  # fails again when it is read, and is reported
        for picture in map(folder.join, folder.pictures):
            yield Found(os.path.join(path, picture), os.path.join(name, picture))


def detect_files(
    pictures: list[Found],
    *,
    out: str | None = None,
    json_file: str | None = None,
    batch: int = 1,
    progress: Callable[[int], object] = lambda pictures: None,
    **detector: Any,
) -> Totals:
    """Detect in every picture; write JSON lines, drawn pictures, or else a table on the screen.

    Parameters
    ----------
    pictures : from ``find_pictures``
    out : path of a folder, optional
    json_file : path, optional
        "-" is standard output.
    batch : int
        Pictures that the detector sees at once.
    progress : callable
        Called with the number of pictures just done.
    **detector
        min_face, thresholds, factor, device of ``facelib.MTCNN``.

    Raises
    ------
    FaceLibError
        When nothing can be detected with these settings, or nothing be written there.
    """
    from ..detect import MTCNN
    from .each import detect_each

    mtcnn, totals, places = MTCNN(**detector), Totals(), Places()
    with json_lines(json_file) as lines:
        for start in range(0, len(pictures), batch):
            part = pictures[start : start + batch]
            for picture, (image, result) in zip(part, detect_each(mtcnn, [p.file for p in part]), strict=True):
                totals.pictures += 1
                if image is None or isinstance(result, Exception):
                    totals.unreadable.append((picture.file, str(result)))
                else:
                    totals.faces += len(result)
                    if out is not None:
                        _draw(Path(out) / places.take(picture.place), image, result)
                if lines is not None:
                    lines.write(json.dumps(_record(picture.file, image, result)) + "\n")
                elif out is None:
                    _print(picture.file, image, result)
            progress(len(part))
    return totals


@contextlib.contextmanager
def json_lines(json_file: str | None) -> Iterator[IO[str] | None]:
    """The file to write to, standard output for "-", or None for None.

    Raises
    ------
    FaceLibError
        When it cannot be written, at its opening or later.
    """
    if json_file is None or json_file == "-":
        yield sys.stdout if json_file else None
        return
    try:
        make_folder(Path(json_file).parent)
        with open(json_file, "w", encoding="utf-8", buffering=1) as file:  # a line at a time: readable meanwhile
            yield file
    except BrokenPipeError:  # of standard output, whose reader has seen enough
        raise
    except OSError as error:
        where = error.filename or json_file
        raise FaceLibError(f"{where}: cannot be written ({error.strerror}); choose another FILE") from error


def _record(file: str, image: np.ndarray | None, result: Faces | Exception) -> dict[str, Any]:
    if image is None or isinstance(result, Exception):
        return {"file": file, "error": str(result)}
    height, width = image.shape[:2]
    return {"file": file, "width": width, "height": height, "faces": result.to_dicts()}


def _print(file: str, image: np.ndarray | None, result: Faces | Exception) -> None:
    name = file.encode("utf-8", "backslashreplace").decode()
    if image is None or isinstance(result, Exception):
        print(f"{name}  unreadable")
        return
    height, width = image.shape[:2]
    print(f"{name}  {width} x {height}  {len(result)} face{'' if len(result) == 1 else 's'}")
    if len(result):
        print(f"  {'x1':>7} {'y1':>7} {'x2':>7} {'y2':>7} {'score':>7} {'eyes apart':>11}")
    for box, score, eyes in zip(result.boxes, result.scores, result.eye_distances, strict=True):
        print("  " + " ".join(f"{corner:7.1f}" for corner in box) + f" {score:7.4f} {eyes:8.1f} px")


class Places:
    """Names for drawn pictures: jpg and png stay what they are, the rest becomes png; no name is given twice."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def take(self, place: str) -> str:
        stem, extension = os.path.splitext(place)
        if extension.lower() not in (".jpg", ".jpeg", ".png"):
            extension = ".png"
        name, number = stem + extension, 1
        while name.casefold() in self.taken:
            number += 1
            name = f"{stem}_{number}{extension}"
        self.taken.add(name.casefold())
        return name


def _draw(path: Path, image: np.ndarray, faces: Faces) -> None:
    from ..draw import draw_faces

    try:
        write_atomically(path, encode(draw_faces(image, faces), path.suffix.lower()))
    except OSError as error:
        where = error.filename or path
        raise FaceLibError(f"{where}: cannot be written ({error.strerror}); check --out and the space there") from error
