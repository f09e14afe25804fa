"""bcolz folders: a writer made from the format's description, and files that do not keep to it."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from facelib import FaceLibError
from facelib.data import read_carray
from tests.data.helpers import little_memory, picture

blosc = pytest.importorskip("numcodecs.blosc")
SAME = [True, False, False, True, True]


def write_chunk(path: Path, rows: np.ndarray) -> None:
    """16 bytes of bloscpack: magic, version 1, three reserved bytes, one chunk; then a chunk of Blosc."""
    body = blosc.compress(np.ascontiguousarray(rows), b"blosclz", 5, 1)
    path.write_bytes(b"blpk" + bytes([1, 0, 0, 0]) + struct.pack("<q", 1) + body)


def write_carray(folder: Path, values: np.ndarray, chunklen: int, whole_last: bool = False) -> None:
    (folder / "data").mkdir(parents=True)
    (folder / "meta").mkdir()
    for number, start in enumerate(range(0, len(values), chunklen)):
        rows = values[start : start + chunklen]
        if whole_last and len(rows) < chunklen:  # the rest of the last chunk is what memory held
            rows = np.concatenate([rows, np.full((chunklen - len(rows), *rows.shape[1:]), np.nan, rows.dtype)])
        write_chunk(folder / "data" / f"__{number}.blp", rows)
    sizes = {"shape": list(values.shape), "nbytes": values.nbytes, "cbytes": 1}
    storage = {"dtype": str(values.dtype), "cparams": {"shuffle": 1, "clevel": 5}, "chunklen": chunklen, "dflt": 0.0,
               "expectedlen": len(values)}  # fmt: skip
    (folder / "meta" / "sizes").write_text(json.dumps(sizes))
    (folder / "meta" / "storage").write_text(json.dumps(storage))


IMAGES = np.stack([picture(k) for k in range(10)])
STORED = ((IMAGES.transpose(0, 3, 1, 2) / 255 - 0.5) / 0.5).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_carray(tmp_path / "lfw", STORED[:, ::-1], 4)
    np.save(tmp_path / "lfw_list.npy", np.array(SAME))
    return tmp_path / "lfw"


def test_pictures_come_back_exactly(folder: Path) -> None:
    images, same = read_carray(folder)
    assert np.array_equal(images, IMAGES) and images.dtype == np.uint8 and images.flags.c_contiguous
    assert same.tolist() == SAME and same.dtype == bool
    assert np.array_equal(read_carray(folder, order="RGB")[0], IMAGES[..., ::-1])


@pytest.mark.parametrize("chunklen", [1, 3, 5, 10, 64])
@pytest.mark.parametrize("whole_last", [False, True])
def test_any_number_of_rows_a_chunk(chunklen: int, whole_last: bool, tmp_path: Path) -> None:
    write_carray(tmp_path / "lfw", STORED[:, ::-1], chunklen, whole_last)
    np.save(tmp_path / "answers.npy", np.array(SAME, np.uint8))
    images, same = read_carray(tmp_path / "lfw", tmp_path / "answers.npy")
    assert np.array_equal(images, IMAGES) and same.tolist() == SAME


def damage(path: Path, position: int, data: bytes) -> None:
    whole = bytearray(path.read_bytes())
    whole[position : position + len(data)] = data
    path.write_bytes(whole)


CHUNK = "data/__1.blp"


@pytest.mark.parametrize(
    "name, position, data, fault",
    [
        (CHUNK, 0, b"BLPK", "does not begin as a chunk"),
        (CHUNK, 20, struct.pack("<I", 2**31 + 5), "announces"),
        (CHUNK, 20, struct.pack("<I", 100), "announces 1?.* bytes for 100"),
        (CHUNK, 24, struct.pack("<I", 2**32 - 1), "announces"),
        (CHUNK, 28, struct.pack("<I", 7), "announces 7 bytes"),
        (CHUNK, 16, b"\x09", "cannot be decompressed"),
        ("meta/sizes", 0, b"[", "meta folder is damaged"),
        ("meta/sizes", 10, b'"', "meta folder is damaged"),
    ],
)
def test_damage_is_an_error(name: str, position: int, data: bytes, fault: str, folder: Path) -> None:
    damage(folder / name, position, data)
    with pytest.raises(FaceLibError, match=fault):
        read_carray(folder)


@pytest.mark.parametrize("length", [0, 3, 16, 31, 40, -1])
def test_a_cut_chunk_is_an_error(length: int, folder: Path) -> None:
    (folder / CHUNK).write_bytes((folder / CHUNK).read_bytes()[:length])
    with pytest.raises(FaceLibError, match=r"__1\.blp: .*cut short"):
        read_carray(folder)


@pytest.mark.parametrize(
    "sizes, storage, fault",
    [
        ({"shape": [10**12, 3, 24, 24]}, {}, "files are missing"),
        ({"shape": [10**12, 3, 24, 24]}, {"chunklen": 10**12}, "files are missing"),
        ({"shape": [10, 3, 24]}, {}, "expected float32"),
        ({"shape": [10, 1, 24, 24]}, {}, "expected float32"),
        ({"shape": []}, {}, "files are missing"),
        ({"shape": [10, 3, 0, 24]}, {}, "files are missing"),
        ({}, {"chunklen": 0}, "files are missing"),
        ({}, {"chunklen": "many"}, "damaged"),
        ({}, {"dtype": "float64"}, "expected float32"),
        ({}, {"dtype": "nonsense"}, "damaged"),
        ({"shape": [8, 3, 24, 24]}, {}, "8 pictures and 5 answers"),
    ],
)
def test_meta_that_does_not_fit(sizes: dict, storage: dict, fault: str, folder: Path) -> None:
    for name, change in (("sizes", sizes), ("storage", storage)):
        path = folder / "meta" / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(FaceLibError, match=fault):
        read_carray(folder)


def test_missing_and_odd_files(folder: Path) -> None:
    answers = folder.with_name("lfw_list.npy")
    np.save(answers, np.array([2, 0, 1, 1, 0]))
    with pytest.raises(FaceLibError, match="expected bool"):
        read_carray(folder)
    head = b"{'descr': '|b1', 'fortran_order': False, 'shape': (4294967296,), }".ljust(79) + b"\n"
    answers.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head)
    with little_memory(), pytest.raises(FaceLibError, match="no .npy file"):
        read_carray(folder)
    np.save(answers, np.array([{}] * 5), allow_pickle=True)
    with pytest.raises(FaceLibError, match="no .npy file"):
        read_carray(folder)
    answers.unlink()
    with pytest.raises(FaceLibError, match=r"lfw_list\.npy: no such file"):
        read_carray(folder)
    np.save(answers, np.array(SAME))
    (folder / "data" / "__0.blp").unlink()
    with pytest.raises(FaceLibError, match="2 chunks of 4 rows.*missing"):
        read_carray(folder)
    with pytest.raises(FaceLibError, match="BGR or RGB"):
        read_carray(folder, order="bgr")


def test_pictures_that_were_not_normalised(tmp_path: Path) -> None:
    write_carray(tmp_path / "lfw", STORED * 127, 4)
    np.save(tmp_path / "lfw_list.npy", np.array(SAME))
    with pytest.raises(FaceLibError, match="outside -1 ... 1"):
        read_carray(tmp_path / "lfw")
