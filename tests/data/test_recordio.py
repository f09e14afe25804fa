"""Record files: byte by byte as the format says, whole or damaged."""

from __future__ import annotations

import contextlib
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelib import FaceLibError
from facelib.data import RecordSource
from facelib.data.recordio import RecordFile, read_index, unpack
from tests.data.helpers import close, jpeg
from tests.data.records import MAGIC, header, insightface, parts, record, write_records

PICTURES = [jpeg(k) for k in range(6)]


def check(source: RecordSource) -> None:
    assert source.labels.tolist() == [0, 0, 0, 1, 2, 2] and source.labels.dtype == np.int64 and source.classes == 3
    assert [source.read(k) for k in range(6)] == PICTURES
    assert all(close(image, k) for k, (image, _) in enumerate(source))


@pytest.mark.parametrize("index", [True, False])
def test_files_of_insightface(index: bool, tmp_path: Path) -> None:
    path = write_records(tmp_path / "train.rec", insightface(PICTURES, [3, 1, 2]), index)
    source = RecordSource(path)
    check(source)
    check(pickle.loads(pickle.dumps(source)))
    assert source.name(2) == "train.rec, record 3"


@pytest.mark.parametrize("index", [True, False])
def test_files_of_pictures_only(index: bool, tmp_path: Path) -> None:
    payloads = {k: header(float(label), k) + PICTURES[k] for k, label in enumerate([0, 0, 0, 1, 2, 2])}
    check(RecordSource(write_records(tmp_path / "train.rec", payloads, index)))


def test_the_index_may_be_in_any_order(tmp_path: Path) -> None:
    payloads = insightface(PICTURES, [3, 1, 2])
    check(RecordSource(write_records(tmp_path / "train.rec", dict(sorted(payloads.items(), reverse=True)))))


def test_bytes_of_the_format(tmp_path: Path) -> None:
    """Written out by hand: one record of 3 bytes, one of 8 that holds the magic."""
    (tmp_path / "a.rec").write_bytes(
        b"\x0a\x23\xd7\xce" b"\x03\x00\x00\x00" b"abc\x00"
        b"\x0a\x23\xd7\xce" b"\x04\x00\x00\x20" b"efgh"
        b"\x0a\x23\xd7\xce" b"\x00\x00\x00\x60"
    )  # fmt: skip
    file = RecordFile(tmp_path / "a.rec")
    assert file.scan().tolist() == [0, 12]
    assert file.record(0) == (b"abc", 12)
    assert file.record(12) == (b"efgh\x0a\x23\xd7\xce", 32)


@pytest.mark.parametrize(
    "payload",
    [
        MAGIC,
        MAGIC * 3,
        b"abcd" + MAGIC + b"efgh" + MAGIC + b"ij",
        b"abc" + MAGIC + b"d",  # not at a multiple of four: it stays
        MAGIC + b"abc",
        b"",
    ],
)
def test_the_magic_within_a_record(payload: bytes, tmp_path: Path) -> None:
    data = record(payload) + record(b"next")
    (tmp_path / "a.rec").write_bytes(data)
    file = RecordFile(tmp_path / "a.rec")
    assert file.record(0)[0] == payload
    assert len(parts(payload)) == payload.replace(b"abc" + MAGIC, b"").count(MAGIC) + 1
    assert len(file.scan()) == 2 and file.record(int(file.scan()[1]))[0] == b"next"


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.sampled_from([MAGIC, b"", b"a", b"bcde", b"\x0a\x23"])).map(b"".join), min_size=1))
def test_any_records_are_read_back(payloads: list[bytes]) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = write_records(Path(folder) / "a.rec", dict(enumerate(payloads)))
        file = RecordFile(path)
        keys, positions = read_index(path.with_suffix(".idx"))
        assert keys.tolist() == list(range(len(payloads)))
        assert np.array_equal(file.scan(), positions)
        assert [file.record(int(at))[0] for at in positions] == payloads


def test_a_picture_and_a_header_that_hold_the_magic(tmp_path: Path) -> None:
    """The header's id is the magic: then even labels must be read piece by piece."""
    picture = PICTURES[1] + MAGIC * 2
    payloads = {
        0: struct.pack("<IfQQ", 0, 7, 0xCED7230A, 0) + PICTURES[0],
        1: header(3.0) + picture + bytes(-len(picture) % 4) + MAGIC,
    }
    source = RecordSource(write_records(tmp_path / "a.rec", payloads))
    assert source.labels.tolist() == [7, 3]
    assert source.read(0) == PICTURES[0] and source.read(1) == picture + bytes(-len(picture) % 4) + MAGIC


@pytest.mark.parametrize("cut", [5, 40, 200, 700])
@pytest.mark.parametrize("index", [True, False])
def test_a_cut_file_is_reported(cut: int, index: bool, tmp_path: Path) -> None:
    payloads = {k: header(float(k)) + PICTURES[k] for k in range(3)}
    path = write_records(tmp_path / "train.rec", payloads, index)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(FaceLibError, match=r"train\.rec, byte [\d,]+: .*(cut short|the file ends)"):
        source = RecordSource(path)
        assert close(source.image(0), 0) and close(source.image(1), 1), "what is there can be read"
        source.image(2)


@pytest.mark.parametrize(
    "position, data, fault",
    [
        (0, b"GARBAGE!", "no record begins here"),
        (4, struct.pack("<I", 0x1FFFFFFF), "runs over the end"),
        (4, struct.pack("<I", 3 << 29 | 100), "later part"),
        (4, struct.pack("<I", 7 << 29 | 100), "later part"),
        (4, struct.pack("<I", 1 << 29 | 640), "no record begins|no last part|runs over"),
        (4, struct.pack("<I", 12), "too few for a header"),
        (8, struct.pack("<I", 2**32 - 1), "announces 4,294,967,295 labels"),
        (12, struct.pack("<f", -1), "no label"),
        (12, struct.pack("<f", 0.5), "no label"),
        (12, struct.pack("<f", float("nan")), "no label"),
        (12, struct.pack("<f", 1e7), "no label"),
        (12, struct.pack("<f", float("inf")), "no label"),
    ],
)
def test_damage_is_named(position: int, data: bytes, fault: str, tmp_path: Path) -> None:
    path = write_records(tmp_path / "train.rec", {k: header(float(k)) + PICTURES[k] for k in range(3)})
    damaged = bytearray(path.read_bytes())
    damaged[position : position + len(data)] = data
    path.write_bytes(damaged)
    with pytest.raises(FaceLibError, match=rf"train\.rec.*({fault})"):
        RecordSource(path).image(0)


@pytest.mark.parametrize("offset, data", [(0, b"GARBAGE!"), (4, struct.pack("<I", 12))])
def test_the_head_of_every_record_is_looked_at_when_opening(offset: int, data: bytes, tmp_path: Path) -> None:
    path = write_records(tmp_path / "train.rec", {k: header(float(k)) + PICTURES[k] for k in range(3)})
    damaged, second = bytearray(path.read_bytes()), int(read_index(path.with_suffix(".idx"))[1][1])
    damaged[second + offset : second + offset + len(data)] = data
    path.write_bytes(damaged)
    with pytest.raises(FaceLibError, match=r"train\.rec.*(no record begins|too few for a header)"):
        RecordSource(path)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 900), st.binary(min_size=1, max_size=8))
def test_any_damage_ends_in_our_error(position: int, data: bytes) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = write_records(Path(folder) / "a.rec", insightface(PICTURES[:2], [1, 1]), index=bool(position % 2))
        damaged = bytearray(path.read_bytes())
        damaged[position : position + len(data)] = data
        path.write_bytes(damaged)
        with contextlib.suppress(FaceLibError):
            assert all(image.ndim == 3 for image, _ in RecordSource(path))


def test_files_that_are_not_there_or_empty(tmp_path: Path) -> None:
    with pytest.raises(FaceLibError, match="cannot be read"):
        RecordSource(tmp_path / "gone.rec")
    (tmp_path / "a.rec").write_bytes(b"")
    with pytest.raises(FaceLibError, match="cannot be read"):
        RecordSource(tmp_path / "a.rec")
    write_records(tmp_path / "b.rec", {0: header([1.0, 1.0])})
    with pytest.raises(FaceLibError, match="holds no pictures"):
        RecordSource(tmp_path / "b.rec")


@pytest.mark.parametrize(
    "text, fault",
    [
        ("0\t0\n1 x\n", r"line 2: expected a key and a position, found b'1 x'"),
        ("0\t0\n\n1\t2\t3\n", "line 3"),
        ("0\t-8\n", "line 1"),
        ("0\t0\n0\t9\n", "key 0 comes twice"),
        ("0\t0\n1\t99999999\n", r"byte 99,999,999: a record should stand here"),
        ("0\t0\n1\t6\n", r"byte 6: no record begins here"),
        ("", "holds no pictures"),
    ],
)
def test_a_broken_index_is_named(text: str, fault: str, tmp_path: Path) -> None:
    path = write_records(tmp_path / "train.rec", {k: header(float(k)) + PICTURES[k] for k in range(3)})
    path.with_suffix(".idx").write_text(text)
    with pytest.raises(FaceLibError, match=fault):
        RecordSource(path)


def test_labels_of_a_header() -> None:
    assert unpack(header(5.0) + b"x")[0].tolist() == [5] and unpack(header(5.0) + b"x")[1] == b"x"
    assert unpack(header([5.0, 1.0]) + b"x")[0].tolist() == [5, 1] and unpack(header([5.0, 1.0]) + b"x")[1] == b"x"
