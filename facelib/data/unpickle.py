"""Read pickles without running what they ask for: plain Python values and arrays of plain numbers, nothing else.

A pickle is a program. Its instructions may call any function that can be imported, so that opening a file from a
stranger is running the stranger's code. Lists of encoded pictures need four calls at most, and none of them is made
here: small classes of our own take the place of NumPy's, and check what they are given.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from typing import Any

import numpy as np

from ..errors import FaceLibError

_PythonUnpickler: Any = pickle._Unpickler

PLAIN = re.compile(r"[|<>=]?([biu][1248]|f[248]|\?|S[0-9]{1,8})")
"""Types of array elements that hold nothing but a number or bytes."""


class StoredType:
    """Stands for ``numpy.dtype`` while a pickle is read."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code = code.decode("ascii") if isinstance(code, bytes) else str(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = state[1].decode("ascii") if isinstance(state[1], bytes) else state[1]
        if order in ("<", ">") and self.code[0] not in "|<>=":
            self.code = order + self.code

    def plain(self) -> np.dtype[Any]:
        """The type itself, if it holds nothing but a number or bytes."""
        if not PLAIN.fullmatch(self.code):
            raise FaceLibError(f"holds an array of type {self.code[:20]!r}, which holds more than numbers")
        return np.dtype(self.code)


class StoredArray:
    """Stands for ``numpy.ndarray`` while a pickle is read; ``values`` is the array, or a list of objects."""

    values: Any = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        shape, kind, fortran, data = state[-4:]
        if kind.code.lstrip("|") in ("O", "O8", "O4"):
            if math.prod(shape) != len(data):
                raise FaceLibError("holds an array whose shape does not fit its contents")
            self.values = list(data)
        else:
            data = data.encode("latin1") if isinstance(data, str) else data
            self.values = np.frombuffer(data, kind.plain()).reshape(shape, order="F" if fortran else "C")


def _array(*_: Any) -> StoredArray:
    return StoredArray()  # filled by the state that follows


def _array_from_buffer(data: Any, kind: StoredType, shape: Any, order: str) -> StoredArray:
    array = StoredArray()
    array.values = np.frombuffer(data, kind.plain()).reshape(shape, order="F" if order == "F" else "C")
    return array


def _scalar(kind: StoredType, data: Any) -> Any:
    data = data.encode("latin1") if isinstance(data, str) else data
    return np.frombuffer(data, kind.plain())[0]


def _encoded(text: str, coding: Any = "latin1") -> bytes:
    if coding not in ("latin1", b"latin1", "latin-1"):
        raise FaceLibError(f"holds text in the coding {coding!r}")
    return text.encode("latin1")


def _bytes(value: Any = b"") -> bytes:
    if not isinstance(value, (bytes, bytearray)):  # bytes(10**12) would be a terabyte
        raise FaceLibError("makes bytes from something else")
    return bytes(value)


def _numpy(name: str) -> list[str]:
    """Where NumPy 1 and NumPy 2 keep a function."""
    return [f"numpy.core.{name}", f"numpy._core.{name}"]


ALLOWED: dict[str, Any] = {
    "numpy.ndarray": StoredArray,
    "numpy.dtype": StoredType,
    **dict.fromkeys(_numpy("multiarray._reconstruct"), _array),
    **dict.fromkeys(_numpy("multiarray.scalar"), _scalar),
    **dict.fromkeys(_numpy("numeric._frombuffer"), _array_from_buffer),
    "_codecs.encode": _encoded,
    "builtins.bytes": _bytes,
    "builtins.bytearray": _bytes,
}


class _Unpickler(_PythonUnpickler):
    """The interpreter written in Python: its memo is a dictionary, so that no number in a file sizes an array."""

    dispatch = dict(_PythonUnpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        try:
            return ALLOWED[f"{module.replace('__builtin__', 'builtins')}.{name}"]
        except KeyError:
            raise FaceLibError(
                f"asks for {module}.{name}, which no list of pictures needs; it may be an attack, delete the file"
            ) from None

    def load_build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], (StoredArray, StoredType)):
            raise FaceLibError("changes an object that is no array")
        self.stack[-1].__setstate__(state)

    def load_bytearray8(self) -> None:
        """Python's own makes as many zeros as the file says, and then reads."""
        length = int.from_bytes(self.read(8), "little")
        data = self.read(length)
        if len(data) < length:
            raise EOFError("it ends within an array")
        self.append(bytearray(data))

    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8
    # What lists of pictures never use.
    for _code in (
        pickle.NEXT_BUFFER, pickle.READONLY_BUFFER, pickle.INST, pickle.OBJ, pickle.NEWOBJ,
        pickle.NEWOBJ_EX, pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.PERSID, pickle.BINPERSID,
    ):  # fmt: skip
        dispatch.pop(_code[0], None)
    del _code


def load_plain(data: bytes) -> Any:
    """The value that a pickle describes; text of Python 2 arrives as bytes, arrays as ``StoredArray``.

    Raises
    ------
    FaceLibError
        When the pickle is broken, or asks for anything but numbers, bytes, text, lists, tuples, dictionaries and
        arrays of those.
    """
    try:
        return _Unpickler(io.BytesIO(data), encoding="bytes").load()
    except FaceLibError:
        raise
    except KeyError as error:
        raise FaceLibError(f"is no pickle of plain values (instruction {error})") from None
    except Exception as error:  # a damaged pickle raises almost anything
        reason = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise FaceLibError(f"is no whole pickle ({reason}); download it again") from error
