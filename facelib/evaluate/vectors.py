"""Embeddings on their way into a judgement: arrays or tensors -> checked rows -> unit vectors, a block at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import FaceLibError

BLOCK = 8192
"""Rows that are looked at together; of 512 numbers each, 16 MB."""


def as_array(values: Any) -> np.ndarray:
    """An array of numbers, also from a tensor on any device and of any kind."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = (values.float() if "bfloat16" in str(values.dtype) else values).numpy()
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise FaceLibError(f"expected numbers, not {array.dtype}")
    return array


def checked(values: Any, what: str, size: int | None = None) -> np.ndarray:
    """(N, D) as it is, once it is known that ``unit`` can be applied to every row.

    Parameters
    ----------
    values : (N, D)
        Numbers of any kind, array or tensor. Nothing is copied that lies in ordinary memory.
    what : str
        What the rows are called in an error.
    size : int
        The D that is expected.

    Raises
    ------
    FaceLibError
        Another shape, NaN or infinite numbers, a row of length 0.
    """
    array = as_array(values)
    if array.ndim != 2 or not array.shape[1]:
        raise FaceLibError(f"{what}: shape {array.shape}, expected (N, D)")
    if size is not None and array.shape[1] != size:
        raise FaceLibError(f"{what}: rows of {array.shape[1]} numbers, expected {size}: embeddings of one network only")
    for start in range(0, len(array), BLOCK):
        squares = lengths(array[start : start + BLOCK])
        bad = np.flatnonzero(~np.isfinite(squares) | (squares == 0))
        if len(bad):
            reason = "has length 0" if squares[bad[0]] == 0 else "holds NaN or infinite numbers"
            raise FaceLibError(f"{what}: row {start + bad[0]} {reason}: the network or its input is broken")
    return array


def lengths(rows: np.ndarray) -> np.ndarray:
    """float64 (N,) Euclidean lengths of (N, D)."""
    exact = rows.astype(np.float64)
    return np.sqrt(np.einsum("nd,nd->n", exact, exact))


def unit(rows: np.ndarray) -> np.ndarray:
    """float32 (N, D), each row divided by its length."""
    return (rows / lengths(rows)[:, None]).astype(np.float32)


def named(values: Any, count: int, what: str) -> np.ndarray:
    """Identities (N,): whole numbers as int64, or names as str.

    Raises
    ------
    FaceLibError
        Another length, or identities of another kind.
    """
    array = np.asarray(values.cpu() if hasattr(values, "cpu") else values)
    if array.shape != (count,):
        raise FaceLibError(f"{what}: shape {array.shape}, expected one entry for each of {count} rows")
    if array.dtype.kind in "iu" or not count:
        return array.astype(np.int64)
    if array.dtype.kind == "U" or (array.dtype.kind == "O" and all(isinstance(name, str) for name in array)):
        return array.astype(str)
    raise FaceLibError(f"{what}: expected whole numbers or names, not {array.dtype}")
