"""Verification sets: what insightface's pickles hold is read, what an attacker's hold is not run."""

from __future__ import annotations

import codecs
import contextlib
import os
import pickle
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelib import FaceLibError
from facelib.data import read_bin, read_lfw_pairs
from facelib.data.unpickle import load_plain
from tests.data.helpers import close, jpeg, little_memory

REAL = Path(__file__).resolve().parents[3] / "shared" / "real"
PICTURES = [jpeg(k) for k in range(6)]
SAME = [True, False, True]


def write(tmp_path: Path, data: bytes) -> Path:
    (tmp_path / "lfw.bin").write_bytes(data)
    return tmp_path / "lfw.bin"


def check(path: Path) -> None:
    images, same = read_bin(path)
    assert images.shape == (6, 24, 24, 3) and images.dtype == np.uint8
    assert same.dtype == bool and same.tolist() == SAME
    assert all(close(image, k) for k, image in enumerate(images))


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("outer", [tuple, list])
def test_every_protocol(protocol: int, outer: type, tmp_path: Path) -> None:
    check(write(tmp_path, pickle.dumps(outer([PICTURES, SAME]), protocol)))


def objects(items: list[Any]) -> np.ndarray:
    array = np.empty(len(items), object)
    array[:] = items
    return array


FORMS = {
    "arrays of bytes": ([np.frombuffer(data, np.uint8) for data in PICTURES], SAME),
    "an array of objects": (objects(PICTURES), np.array(SAME)),
    "an array of strings": (np.array(PICTURES), SAME),
    "numpy's booleans": (PICTURES, [np.bool_(x) for x in SAME]),
    "numbers": (PICTURES, [1, 0, 1]),
    "an array of numbers": (PICTURES, np.array([1, 0, 1], ">i4")),
}


@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 5])
@pytest.mark.parametrize("form", FORMS)
def test_forms_that_numpy_gave_them(form: str, protocol: int, tmp_path: Path) -> None:
    check(write(tmp_path, pickle.dumps(FORMS[form], protocol)))


def test_files_of_numpy_1(tmp_path: Path) -> None:
    data = pickle.dumps(FORMS["arrays of bytes"], 2)
    assert b"numpy._core.multiarray" in data
    check(write(tmp_path, data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")))


def test_files_of_python_2(tmp_path: Path) -> None:
    """There a str is bytes: opcode T with a length of four bytes, and booleans are the constants I01 and I00."""
    strings = b"".join(b"T" + struct.pack("<i", len(data)) + data for data in PICTURES)
    answers = b"".join(b"I0%d\n" % same for same in SAME)
    check(write(tmp_path, b"(](" + strings + b"e](" + answers + b"et."))


class Call:
    """Pickled, it is a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    "attack, named",
    [
        (Call(os.system, "touch attacked"), "posix.system"),
        (Call(eval, "open('attacked', 'w')"), "(builtins|__builtin__).eval"),
        (Call(getattr, "", "join"), "(builtins|__builtin__).getattr"),
        (Call(np.load, "x"), "numpy"),
        (np.random.default_rng(0), "numpy.random"),
        (Path("x"), "pathlib"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_no_function_is_called(attack: Any, named: str, protocol: int, tmp_path: Path,
                               monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FaceLibError, match=rf"lfw\.bin: asks for {named}.*delete the file|no pickle of plain values"):
        read_bin(write(tmp_path, pickle.dumps(([attack], [True]), protocol)))
    assert not (tmp_path / "attacked").exists()


HUGE = 2**32
BOMBS = {
    "bytes(huge)": pickle.dumps(Call(bytes, HUGE), 4),
    "bytearray(huge)": pickle.dumps(Call(bytearray, HUGE), 4),
    "empty array": b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I%d\ntS'b'\ntR." % HUGE,
    "array made by itself": b"\x80\x02cnumpy\nndarray\nI%d\n\x85\x81." % HUGE,
    "memo": b"\x80\x02Nr\xff\xff\xff\xff.",
    "length of bytes": b"\x80\x04\x8e" + struct.pack("<Q", HUGE) + b"ab.",
    "length of a bytearray": b"\x80\x05\x96" + struct.pack("<Q", HUGE) + b"ab.",
    "length of text": b"\x80\x04\x8d" + struct.pack("<Q", HUGE) + b"ab.",
    "length of a number": b"\x80\x02\x8b\xff\xff\xff\x7fab.",
    "frame": b"\x80\x04\x95" + struct.pack("<Q", HUGE) + b"ab.",
    "element": b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'S99999999'\nI0\nI1\ntRS'ab'\ntR.",
    "state of a class": b"cnumpy\nndarray\nN}S'values'\nI1\ns\x86b.",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_no_claim_of_a_file_sizes_memory(bomb: str, tmp_path: Path) -> None:
    path = write(tmp_path, BOMBS[bomb])
    with little_memory(), pytest.raises(FaceLibError, match=r"lfw\.bin: "):
        read_bin(path)


def test_text_is_turned_into_bytes_in_one_way_only() -> None:
    assert load_plain(pickle.dumps(Call(codecs.encode, "\xff\xd8", "latin1"), 4)) == b"\xff\xd8"
    with pytest.raises(FaceLibError, match="text in the coding 'utf-16'"):
        load_plain(pickle.dumps(Call(codecs.encode, "\xff\xd8", "utf-16"), 4))


def test_functions_are_not_changed() -> None:
    """The instruction that fills an array would also set attributes of the function that makes one."""
    with pytest.raises(FaceLibError, match="changes an object that is no array"):
        load_plain(b"cnumpy.core.multiarray\n_reconstruct\n}S'__kwdefaults__'\nNsb.")


@pytest.mark.parametrize(
    "value, fault",
    [
        ((PICTURES, SAME[:2]), "6 pictures and 2 answers"),
        (([], []), "0 pictures and 0 answers"),
        (PICTURES, "not of two lists"),
        ({"bins": PICTURES}, "not of two lists"),
        ((b"abc", SAME), "its first list"),
        ((PICTURES, 3), "its second list"),
        ((PICTURES, [True, False, 2]), "answer 2 is neither"),
        ((PICTURES, [True, False, "yes"]), "answer 2 is neither"),
        ((PICTURES, [True, False, float("nan")]), "answer 2 is neither"),
        (([*PICTURES[:5], "text"], SAME), "picture 5 is not stored as encoded bytes"),
        (([*PICTURES[:5], b""], SAME), r"picture 5: is empty"),
        (([*PICTURES[:5], PICTURES[5][:-40]], SAME), r"picture 5: is truncated"),
        (([*PICTURES[:5], jpeg(5, 30)], SAME), r"picture 5: \(30, 30, 3\) is another size"),
        (([jpeg(0, 1100)] * 6, SAME), "no face crop"),
    ],
)  # fmt: skip
def test_files_that_hold_something_else(value: Any, fault: str, tmp_path: Path) -> None:
    with pytest.raises(FaceLibError, match=rf"lfw\.bin.*{fault}"):
        read_bin(write(tmp_path, pickle.dumps(value, 4)))


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"PK\x03\x04", b"no pickle at all", pickle.dumps((PICTURES, SAME))[:-30]]
)
def test_files_that_are_no_pickle(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(FaceLibError, match=r"lfw\.bin: is no"):
        read_bin(write(tmp_path, data))
    with pytest.raises(FaceLibError, match="cannot be read"):
        read_bin(tmp_path / "gone.bin")


def test_a_cut_download_has_a_remedy(tmp_path: Path) -> None:
    whole = pickle.dumps((PICTURES, SAME))
    for data, reason in ((b"", "EOFError"), (whole[:-30], r"\w+: [^()]+")):
        with pytest.raises(FaceLibError, match=rf"lfw\.bin: is no whole pickle \({reason}\); download it again"):
            read_bin(write(tmp_path, data))


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32), st.sampled_from(sorted(FORMS)), st.sampled_from([0, 2, 4, 5]))
def test_damaged_files_end_in_our_error(seed: int, form: str, protocol: int) -> None:
    """A few bytes changed anywhere: a value or FaceLibError, nothing else."""
    numbers, data = random.Random(seed), bytearray(pickle.dumps(FORMS[form], protocol))
    for _ in range(numbers.randint(1, 4)):
        data[numbers.choice([numbers.randrange(len(data)), numbers.randrange(120)])] = numbers.randrange(256)
    with contextlib.suppress(FaceLibError):
        load_plain(bytes(data))


PAIRS = """2\t2
Ann_Lee\t1\t12
Bo\t3\t4
Ann_Lee\t1\tBo\t3
Bo\t4\tCy_Öz\t10000
Bo\t1\t2
Bo\t1\t3
Ann_Lee\t2\tBo\t3
Bo\t4\tCy_Öz\t1
"""


def test_pairs_of_lfw(tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text(PAIRS, "utf-8")
    pairs = read_lfw_pairs(tmp_path / "pairs.txt")
    assert pairs.names[:4] == [
        "Ann_Lee/Ann_Lee_0001.jpg",
        "Ann_Lee/Ann_Lee_0012.jpg",
        "Bo/Bo_0003.jpg",
        "Bo/Bo_0004.jpg",
    ]
    assert pairs.names[4:8] == ["Ann_Lee/Ann_Lee_0001.jpg", "Bo/Bo_0003.jpg", "Bo/Bo_0004.jpg", "Cy_Öz/Cy_Öz_10000.jpg"]
    assert pairs.same.tolist() == [True, True, False, False] * 2 and pairs.folds.tolist() == [0] * 4 + [1] * 4
    assert len(pairs.names) == 16
    (tmp_path / "dev.txt").write_bytes(b"2\r\n" + "\r\n".join(PAIRS.splitlines()[1:5]).encode())
    dev = read_lfw_pairs(tmp_path / "dev.txt", extension=".png")
    assert dev.names[1] == "Ann_Lee/Ann_Lee_0012.png" and dev.folds.tolist() == [0] * 4


@pytest.mark.parametrize(
    "line, text, fault",
    [
        (1, "two 2", "line 1: expected the number of folds"),
        (1, "0 2", "line 1: expected the number of folds"),
        (1, "10 300", "8 pairs, but its first line announces 6,000"),
        (3, "Bo 3 Bo 4", "line 3: expected Name 1 2, found 'Bo 3 Bo 4'"),
        (4, "Bo 3 4", "line 4: expected Name 1 Other 2"),
        (4, "", "line 4: expected Name 1 Other 2"),
        (2, "Bo one 4", "line 2: 'one' is no number"),
        (2, "Bo -1 4", "line 2: '-1' is no number"),
        (2, "Bo/../../Bo 1 4", "line 2: 'Bo/../../Bo' is no name"),
        (2, ".. 1 4", r"line 2: '\.\.' is no name"),
    ],
)
def test_broken_pairs_are_named_with_their_line(line: int, text: str, fault: str, tmp_path: Path) -> None:
    lines = PAIRS.splitlines()
    lines[line - 1] = text
    (tmp_path / "pairs.txt").write_text("\n".join(lines), "utf-8")
    with pytest.raises(FaceLibError, match=rf"pairs\.txt.*{fault}"):
        read_lfw_pairs(tmp_path / "pairs.txt")
