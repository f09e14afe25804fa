"""The form in which every data set arrives: numbered pictures with labels, whatever files they lie in."""

from __future__ import annotations

import importlib
import io
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..errors import FaceLibError, ImageError
from ..image import MAX_PIXELS, load_image

Bytes = bytes | memoryview

MOST_CLASSES = 10_000_000
"""Labels are below this. A greater one is a date or a serial number, and no head has so many classes."""


class Source(ABC):
    """Pictures 0 ... N - 1 with labels, read in any order.

    A source may be copied into worker processes: it holds names and positions, never open files. It is what
    ``torch.utils.data.DataLoader`` calls a map-style data set: ``source[i]`` is a picture and its label.

    Attributes
    ----------
    labels : int64 (N,)
        Identity of each picture, 0 or more.
    """

    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> int:
        """Classes a head needs: the greatest label plus one."""
        return int(self.labels.max(initial=-1)) + 1

    @abstractmethod
    def name(self, index: int) -> str:
        """What picture number ``index`` is called in messages: its path, or where it stands in a larger file."""

    @abstractmethod
    def read(self, index: int) -> Bytes:
        """The bytes of the picture's file.

        Raises
        ------
        FaceLibError
            When they cannot be read.
        """

    def image(self, index: int) -> np.ndarray:
        """The picture, RGB uint8 (H, W, 3).

        Raises
        ------
        FaceLibError
            When it cannot be read or decoded.
        """
        return decode(self.read(index), self.name(index))

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        label = int(self.labels[index])  # first, for its IndexError ends a for loop
        return self.image(index), label


class Names(Sequence[str]):
    """Many short strings in two arrays.

    Three million paths as Python objects take 400 MB, and again in every worker process, because counting references
    writes to pages that would otherwise be shared. Here they take the bytes they have and 8 more each.

    >>> names = Names(["n000002/0001_01.jpg", "n000002/0002_01.jpg"])
    >>> len(names), names[-1]
    (2, 'n000002/0002_01.jpg')
    """

    def __init__(self, names: Iterable[str]) -> None:
        encoded = [name.encode("utf-8", "surrogateescape") for name in names]
        self._ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
        self._bytes = b"".join(encoded)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: Any) -> Any:
        index = range(len(self))[index]
        if isinstance(index, range):
            return [self[k] for k in index]
        return self._bytes[self._ends[index] : self._ends[index + 1]].decode("utf-8", "surrogateescape")


class _Named(io.BytesIO):
    name = ""


def decode(data: Bytes, name: str = "") -> np.ndarray:
    """Encoded bytes of a picture -> RGB uint8 (H, W, 3), as ``facelib.load_image`` gives it, but faster.

    Ordinary JPEG goes to OpenCV, whose decoder is the fastest of those installed (see benchmarks). Everything else,
    and every JPEG that looks damaged, goes to ``load_image``, which is careful and says what is wrong.
    """
    import cv2

    if is_plain_jpeg(data):
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:
            image = None
        if image is not None:
            return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    file = _Named(data)
    file.name = name or f"{len(data)} bytes"
    return load_image(file)


def is_plain_jpeg(data: Bytes) -> bool:
    """Whether this is a whole 8-bit JPEG in grey or three colours, and no larger than ``load_image`` allows.

    Looks at the headers and at the end, where a file that was cut short lacks its end-of-image marker. A decoder
    would fill the missing part with grey and say nothing.
    """
    if bytes(data[:3]) != b"\xff\xd8\xff" or b"\xff\xd9" not in bytes(data[-64:]):
        return False
    position = 2
    while position + 10 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], data[position + 2] << 8 | data[position + 3]
        if marker in (0xC0, 0xC1, 0xC2):  # start of frame: baseline, extended or progressive
            height = data[position + 5] << 8 | data[position + 6]
            width = data[position + 7] << 8 | data[position + 8]
            return data[position + 4] == 8 and data[position + 9] in (1, 3) and 0 < height * width <= MAX_PIXELS
        if length < 2 or not (0xE0 <= marker <= 0xEF or marker in (0xC4, 0xDB, 0xDD, 0xFE)):
            return False
        position += 2 + length
    return False


def read_file(path: str, position: int = 0, size: int = -1) -> bytes:
    """Bytes of a file or a part of it; faults of the disk as ``ImageError``."""
    try:
        with open(path, "rb") as file:
            if position:
                file.seek(position)
            return file.read(size)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{path}: cannot be read ({reason}); check that it is there and readable") from error


def require(module: str) -> Any:
    """A module of the optional packages.

    Raises
    ------
    FaceLibError
        When it is not installed; says how to get it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.split(".")[0]
        raise FaceLibError(
            f'this needs the package {package}, which is not installed: pip install "facelib[data]"'
        ) from error
