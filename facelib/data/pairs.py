"""Verification sets: pairs of pictures, and whether both show the same person.

``.bin`` files, as insightface publishes LFW, AgeDB-30 and CFP-FP in them, are pickles of two lists: 2N encoded
pictures, and N answers. Pictures 2k and 2k + 1 are pair k. ``pairs.txt`` and ``pairsDevTest.txt`` name the pairs of
LFW by person and number. Folders of bcolz are in ``facelib.data.carrays``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import FaceLibError
from .source import decode, read_file
from .unpickle import StoredArray, load_plain

MAX_SIDE = 1024  # pixels; all pictures of a set are held in memory at once


def read_bin(file: str | os.PathLike[str]) -> tuple[np.ndarray, np.ndarray]:
    """Pairs from a ``.bin`` file.

    The pickle is read without running it: a file that asks for any function beyond those that such lists need is
    refused.

    Returns
    -------
    images : RGB uint8 (2N, H, W, 3); pictures 2k and 2k + 1 are pair k
    same : bool (N,)

    Raises
    ------
    FaceLibError
        When the file is no such list, a picture cannot be read, or their sizes differ.
    """
    path = os.fspath(file)
    data = read_file(path)
    try:
        pictures, answers = _two_lists(load_plain(data))
        encoded = [_encoded_picture(item, k) for k, item in enumerate(pictures)]
        same = _answers(answers)
        check_pairs(len(encoded), same)
    except FaceLibError as error:
        raise FaceLibError(f"{path}: {error}") from error
    first = decode(encoded[0], f"{path}, picture 0")
    if max(first.shape) > MAX_SIDE:
        raise FaceLibError(f"{path}, picture 0: {first.shape} is no face crop; at most {MAX_SIDE} pixels a side")
    images = np.empty((len(encoded), *first.shape), np.uint8)
    for k, data in enumerate(encoded):
        image = decode(data, f"{path}, picture {k}")
        if image.shape != first.shape:
            raise FaceLibError(f"{path}, picture {k}: {image.shape} is another size than {first.shape} of picture 0")
        images[k] = image
    return images, same


def check_pairs(pictures: int, same: np.ndarray) -> None:
    """Raise FaceLibError unless there are two pictures for each answer, and at least one pair."""
    if pictures != 2 * len(same) or not pictures:
        raise FaceLibError(f"{pictures} pictures and {len(same)} answers; expected two pictures for each answer")


def _two_lists(value: Any) -> tuple[Any, Any]:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise FaceLibError("is a pickle, but not of two lists: encoded pictures and answers")
    pictures, answers = (part.values if isinstance(part, StoredArray) else part for part in value)
    if isinstance(pictures, np.ndarray) and pictures.dtype.kind == "S":
        pictures = pictures.tolist()
    if not isinstance(pictures, (list, tuple)):
        raise FaceLibError("its first list holds no encoded pictures")
    if not isinstance(answers, (list, tuple, np.ndarray)):
        raise FaceLibError("its second list holds no answers")
    return pictures, answers


def _encoded_picture(item: Any, number: int) -> bytes:
    if isinstance(item, (bytes, bytearray)):
        return bytes(item)
    values = item.values if isinstance(item, StoredArray) else None
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.itemsize == 1:
        return values.tobytes()
    raise FaceLibError(f"picture {number} is not stored as encoded bytes")


def _answers(items: Any) -> np.ndarray:
    values = [item.values if isinstance(item, StoredArray) else item for item in items]
    for k, value in enumerate(values):
        if not isinstance(value, (bool, int, float, np.generic)) or value not in (0, 1):
            raise FaceLibError(f"answer {k} is neither true nor false: {str(value)[:40]!r}")
    return np.array(values, bool)


@dataclass(frozen=True)
class NamedPairs:
    """Pairs of LFW by name.

    names : 2N paths below LFW's folder, Ann_Smith/Ann_Smith_0001.jpg; 2k and 2k + 1 are pair k
    same : bool (N,)
    folds : int64 (N,), to which fold of the protocol a pair belongs, from 0
    """

    names: list[str]
    same: np.ndarray
    folds: np.ndarray


def read_lfw_pairs(file: str | os.PathLike[str], extension: str = ".jpg") -> NamedPairs:
    """Read ``pairs.txt``, or ``pairsDevTrain.txt`` and ``pairsDevTest.txt``, of Labeled Faces in the Wild.

    The first line gives the number of folds (left out in the development files, which have one) and n. Each fold is
    n lines ``person number number``, two pictures of one person, and n lines ``person number person number``.

    Raises
    ------
    FaceLibError
        Naming the line that is broken, out of place, or missing.
    """
    path = os.fspath(file)
    lines = read_file(path).removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").rstrip().split("\n")
    head = lines[0].split()
    if len(head) not in (1, 2) or not all(number.isdecimal() and int(number) > 0 for number in head):
        raise FaceLibError(f"{path}, line 1: expected the number of folds and of pairs, found {lines[0][:40]!r}")
    folds, n = (int(number) for number in ["1", *head][-2:])
    if len(lines) - 1 != 2 * n * folds:
        raise FaceLibError(
            f"{path}: {len(lines) - 1:,} pairs, but its first line announces {2 * n * folds:,} ({folds} x 2 x {n});"
            " the file is not whole"
        )
    names: list[str] = []
    same = np.arange(2 * n * folds) % (2 * n) < n
    for number, line in enumerate(lines[1:], 2):
        names += _pair(line, bool(same[number - 2]), extension, f"{path}, line {number}")
    return NamedPairs(names, same, np.arange(2 * n * folds) // (2 * n))


def _pair(line: str, same: bool, extension: str, where: str) -> list[str]:
    fields = line.split()
    if len(fields) != (3 if same else 4):
        raise FaceLibError(f"{where}: expected {'Name 1 2' if same else 'Name 1 Other 2'}, found {line[:60]!r}")
    first, second = fields[:2], fields[-2:]
    if same:
        second = [fields[0], fields[2]]
    return [_lfw_name(person, number, extension, where) for person, number in (first, second)]


def _lfw_name(person: str, number: str, extension: str, where: str) -> str:
    if not number.isdecimal() or len(number) > 9:
        raise FaceLibError(f"{where}: {number[:20]!r} is no number of a picture")
    if "/" in person or "\\" in person or person.startswith("."):
        raise FaceLibError(f"{where}: {person[:60]!r} is no name of a person's folder")
    return f"{person}/{person}_{int(number):04d}{extension}"
