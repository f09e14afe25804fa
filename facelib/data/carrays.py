"""Folders of bcolz, a library no longer kept, in which other face projects store their verification sets.

A set called lfw has these files::

    lfw/meta/sizes      {"shape": [12000, 3, 112, 112], ...}
    lfw/meta/storage    {"dtype": "float32", "chunklen": 13, ...}
    lfw/data/__0.blp    rows 0 ... 12, compressed
    lfw/data/__1.blp    rows 13 ... 25, and so on
    lfw_list.npy        bool (6000,): whether pictures 2k and 2k + 1 show the same person

Each .blp file is 16 bytes of bloscpack (the magic "blpk", a version, the number of chunks) and one chunk of Blosc 1,
whose own header of 16 bytes gives the length before and after compression.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FaceLibError
from .pairs import check_pairs
from .source import read_file, require

HEADERS = 32  # bytes of both headers of a chunk
MAX_BYTES = 2**31
"""Limit of one chunk before compression; Blosc itself allows no more."""


def read_carray(
    folder: str | os.PathLike[str], answers: str | os.PathLike[str] | None = None, order: str = "BGR"
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs from a bcolz folder of pictures and the .npy file of answers beside it.

    Parameters
    ----------
    folder : path of the folder that holds ``data`` and ``meta``
    answers : path, optional
        By default the folder's name with ``_list.npy`` after it.
    order : str
        "BGR", as such folders are usually written, or "RGB".

    Returns
    -------
    images : RGB uint8 (2N, H, W, 3); pictures 2k and 2k + 1 are pair k
    same : bool (N,)

    Raises
    ------
    FaceLibError
        When files are missing or damaged, or do not fit each other.
    """
    if order not in ("BGR", "RGB"):
        raise FaceLibError(f"order is BGR or RGB, not {order!r}")
    folder = Path(folder)
    same = _read_answers(Path(answers) if answers else folder.with_name(folder.name + "_list.npy"))
    shape, chunk, kind = _read_meta(folder)
    if len(shape) != 4 or shape[1] != 3 or kind != np.float32:
        raise FaceLibError(f"{folder}: {kind} of shape {shape}; expected float32 (2N, 3, H, W)")
    check_pairs(shape[0], same)
    images = np.empty((shape[0], *shape[2:], 3), np.uint8)
    for number, start in enumerate(range(0, shape[0], chunk)):
        count = min(chunk, shape[0] - start)
        path = folder / "data" / f"__{number}.blp"
        values = _decompress(path, count * math.prod(shape[1:]) * 4).view("<f4").reshape(count, *shape[1:])
        images[start : start + count] = _to_uint8(values, path)
    return images if order == "RGB" else np.ascontiguousarray(images[..., ::-1]), same


def _to_uint8(values: np.ndarray, path: Path) -> np.ndarray:
    """(v + 1) * 127.5, rounded: the inverse of the normalisation (p / 255 - 0.5) / 0.5."""
    if not np.abs(values).max() <= 1.001:  # false for NaN too
        raise FaceLibError(f"{path}: holds values outside -1 ... 1; these are no normalised pictures")
    return np.rint((values + 1) * 127.5).clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


def _decompress(path: Path, expected: int) -> np.ndarray:
    """The first ``expected`` bytes of a chunk, uint8."""
    data = read_file(str(path))
    if data[:4] != b"blpk" or len(data) < HEADERS:
        raise FaceLibError(f"{path}: does not begin as a chunk of bcolz does, or is cut short")
    nbytes, blocksize, cbytes = np.frombuffer(data, "<u4", 3, 20).tolist()
    if cbytes != len(data) - 16 or not expected <= nbytes <= MAX_BYTES or blocksize > MAX_BYTES:
        raise FaceLibError(
            f"{path}: announces {cbytes:,} bytes for {nbytes:,}; there are {len(data) - 16:,}, and {expected:,} are"
            " needed. The file is cut short or damaged"
        )
    blosc = require("numcodecs.blosc")
    try:
        return np.frombuffer(blosc.decompress(data[16:]), np.uint8)[:expected]
    except Exception as error:
        raise FaceLibError(f"{path}: cannot be decompressed ({error})") from error


def _read_meta(folder: Path) -> tuple[tuple[int, ...], int, np.dtype[Any]]:
    """Shape, rows in a chunk, type of the elements."""
    try:
        sizes = json.loads(read_file(str(folder / "meta" / "sizes")))
        storage = json.loads(read_file(str(folder / "meta" / "storage")))
        shape, chunk = tuple(int(n) for n in sizes["shape"]), int(storage["chunklen"])
        kind = np.dtype(storage["dtype"]).base
    except FaceLibError:
        raise
    except Exception as error:
        raise FaceLibError(f"{folder}: its meta folder is damaged ({type(error).__name__}: {error})") from error
    stored = len(list((folder / "data").glob("__*.blp")))
    whole = bool(shape) and chunk > 0 and min(shape) > 0 and chunk * math.prod(shape[1:]) * kind.itemsize <= MAX_BYTES
    needed = -(-shape[0] // chunk) if whole else 0
    if not 0 < needed <= stored:
        raise FaceLibError(f"{folder}: {stored} chunks of {chunk} rows for shape {shape}; files are missing")
    return shape, chunk, kind


def _read_answers(path: Path) -> np.ndarray:
    try:
        answers = np.load(path, mmap_mode="r", allow_pickle=False)  # mapped: a false length in its header costs nothing
    except FileNotFoundError:
        raise FaceLibError(f"{path}: no such file; it holds whether the pairs are the same person") from None
    except Exception as error:
        raise FaceLibError(f"{path}: is no .npy file of answers ({error})") from error
    if answers.ndim != 1 or answers.dtype.kind not in "biu" or not np.isin(answers, (0, 1)).all():
        raise FaceLibError(f"{path}: {answers.dtype} of shape {answers.shape}; expected bool (N,)")
    return answers.astype(bool)
