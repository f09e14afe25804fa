"""Parquet files as the Hugging Face hub has them."""

from __future__ import annotations

import contextlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facelib import FaceLibError
from facelib.data import PackedSource, ParquetSource, open_source, pack
from tests.data.helpers import close, jpeg

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def write(path: Path, numbers: range, struct: bool = True, rows: int = 2, **columns: Any) -> Path:
    """Groups of ``rows`` rows, with another column that nobody asked for."""
    data = [jpeg(k) for k in numbers]
    image = [{"bytes": item, "path": f"{k}.jpg"} for k, item in zip(numbers, data, strict=True)] if struct else data
    table = arrow.table({"other": ["x"] * len(data), "label": [k // 2 for k in numbers], "image": image, **columns})
    parquet.write_table(table, path, row_group_size=rows)
    return path


@pytest.mark.parametrize("struct", [True, False])
def test_files_of_the_hub(struct: bool, tmp_path: Path) -> None:
    write(tmp_path / "train-00000-of-00002.parquet", range(5), struct)
    write(tmp_path / "train-00001-of-00002.parquet", range(5, 9), struct, rows=3)
    source = open_source(tmp_path)
    assert isinstance(source, ParquetSource)
    for copy in (source, pickle.loads(pickle.dumps(source))):
        assert copy.labels.tolist() == [k // 2 for k in range(9)] and copy.labels.dtype == np.int64
        for k in (8, 0, 4, 5, 1, 7, 2, 3, 6):
            assert copy.read(k) == jpeg(k) and close(copy.image(k), k)
    assert source.name(7) == "train-00001-of-00002.parquet, row 2"
    assert len(pickle.dumps(source)) == len(pickle.dumps(open_source(tmp_path))), "the group last read stays behind"
    assert len(open_source(tmp_path / "train-00001-of-00002.parquet")) == 4
    pack(source, tmp_path / "packed", workers=3)
    assert all(close(image, k) for k, (image, _) in enumerate(PackedSource(tmp_path / "packed")))


def test_other_names_of_columns(tmp_path: Path) -> None:
    data = [jpeg(k) for k in range(3)]
    path = write(tmp_path / "a.parquet", range(3), img=data, identity=arrow.array([7, 8, 9], arrow.uint8()))
    assert ParquetSource(path, image="img", label="identity").labels.tolist() == [7, 8, 9]
    with pytest.raises(FaceLibError, match="has the columns other, label, image, img, identity; 'photo' and 'label'"):
        ParquetSource(path, image="photo")


@pytest.mark.parametrize(
    "columns, fault",
    [
        ({"label": ["a", "b", "c"]}, "labels are (large_)?string"),
        ({"label": [0, None, 1]}, "some are missing"),
        ({"label": [0, -1, 1]}, "labels from -1 to 1"),
        ({"label": [0, 10**7, 1]}, "labels from 0 to 10000000"),
        ({"image": ["a.jpg"] * 3}, "the column 'image' is string"),
        ({"image": [{"path": "a.jpg"}] * 3}, "the column 'image' is struct"),
        ({"image": [{"bytes": None, "path": "a.jpg"}, {"bytes": b"", "path": ""}] * 2, "label": [0] * 4,
          "other": [""] * 4}, "row 0: holds no bytes"),
    ],
)  # fmt: skip
def test_columns_that_do_not_fit(columns: dict, fault: str, tmp_path: Path) -> None:
    with pytest.raises(FaceLibError, match=rf"a\.parquet.*{fault}"):
        ParquetSource(write(tmp_path / "a.parquet", range(3), **columns)).read(0)


def test_damaged_missing_and_empty_files(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", range(3))
    data = path.read_bytes()
    for cut in (0, 4, 100, len(data) - 1):
        path.write_bytes(data[:cut])
        with pytest.raises(FaceLibError, match=r"a\.parquet: is no whole Parquet file"):
            ParquetSource(path)
    with pytest.raises(FaceLibError, match=r"gone\.parquet"):
        ParquetSource(tmp_path / "gone.parquet")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FaceLibError, match=r"no \.parquet files"):
        ParquetSource(tmp_path / "empty")
    numbers = np.random.default_rng(0)
    for _ in range(100):
        damaged = bytearray(data)
        for at in numbers.integers(0, len(data), 3):
            damaged[at] = numbers.integers(256)
        path.write_bytes(damaged)
        with contextlib.suppress(FaceLibError):
            assert all(image.ndim == 3 for image, _ in ParquetSource(path))
