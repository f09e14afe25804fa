"""WebDataset shards: any order without unpacking, an index that is never believed against the shard."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

from facelib import FaceLibError
from facelib.data import WebDatasetSource, open_source, webdataset
from tests.data.helpers import close, jpeg


def write_shard(path: Path, members: dict[str, bytes], mode: str = "w", form: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, mode, format=form) as tar:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def members(*numbers: int) -> dict[str, bytes]:
    pairs = [(f"{k:06d}.jpg", jpeg(k)) for k in numbers], [(f"{k:06d}.cls", str(k // 2).encode()) for k in numbers]
    return dict(sorted([*pairs[0], *pairs[1]]))


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    folder = tmp_path / "shards"
    folder.mkdir()
    write_shard(folder / "train-08.tar", members(0, 1, 2))
    write_shard(folder / "train-09.tar", members(3))
    write_shard(folder / "train-10.tar", members(4, 5))
    return folder


def check(source: WebDatasetSource) -> None:
    assert source.labels.tolist() == [0, 0, 1, 1, 2, 2] and source.labels.dtype == np.int64
    assert [source.read(k) for k in range(6)] == [jpeg(k) for k in range(6)]
    assert all(close(image, k) for k, (image, _) in enumerate(source))


@pytest.mark.parametrize("pattern", ["shards", "shards/train-{08..10}.tar"])
def test_shards_in_any_order(pattern: str, shards: Path, tmp_path: Path) -> None:
    source = open_source(tmp_path / pattern)
    assert isinstance(source, WebDatasetSource)
    check(source)
    check(pickle.loads(pickle.dumps(source)))
    assert close(source.image(5), 5) and close(source.image(0), 0)
    assert source.name(4) == "000004.jpg in train-10.tar"
    assert open_source(shards / "train-10.tar").labels.tolist() == [2, 2]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_forms_of_tar(form: int, tmp_path: Path) -> None:
    long = "n" * 90 + "/" + "k" * 60
    shard = {
        f"{long}.jpg": jpeg(7),
        f"{long}.cls": b" 3\n",
        "x/1.cls": b"0",
        "x/1.JPG": jpeg(1),
        "x/1.mask.png": b"not the picture but something about it",
        "readme.txt": b"hello",
    }
    source = WebDatasetSource(write_shard(tmp_path / "a.tar", shard, form=form))
    assert source.labels.tolist() == [3, 0] and close(source.image(0), 7) and close(source.image(1), 1)


def test_the_index_is_made_once(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(WebDatasetSource(shards))
    assert sorted(path.name for path in shards.glob("*.npz")) == [
        f"train-{k}.tar.index.npz" for k in ("08", "09", "10")
    ]

    def never(path: Path, size: int) -> None:
        raise AssertionError("listed again")

    monkeypatch.setattr(webdataset, "list_shard", never)
    check(WebDatasetSource(shards))


def test_a_shard_that_changed_is_listed_again(shards: Path) -> None:
    WebDatasetSource(shards)
    path = shards / "train-09.tar"
    size, before = path.stat().st_size, path.stat().st_mtime_ns
    write_shard(path, {"z.jpg": jpeg(9), "z.cls": b"9"})
    os.utime(path, ns=(before, before + 1))
    assert path.stat().st_size == size, "only its time tells"
    source = WebDatasetSource(shards)
    assert source.labels.tolist() == [0, 0, 1, 9, 2, 2] and close(source.image(3), 9)


@pytest.mark.parametrize("key, value", [("positions", 10**9), ("sizes", 10**9), ("labels", -1), ("positions", None)])
def test_an_index_that_cannot_be_true_is_made_again(key: str, value: int | None, shards: Path) -> None:
    WebDatasetSource(shards)
    path = shards / "train-08.tar.index.npz"
    stored = dict(np.load(path))
    stored[key] = stored[key][:-1] if value is None else np.where(np.arange(3) == 1, value, stored[key])
    np.savez(path, **stored)
    check(WebDatasetSource(shards))
    assert len(np.load(path)[key]) == 3 and np.load(path)[key][1] != value


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 no zip", b"\x93NUMPY"])
def test_a_damaged_index_is_made_again(data: bytes, shards: Path) -> None:
    WebDatasetSource(shards)
    (shards / "train-08.tar.index.npz").write_bytes(data)
    check(WebDatasetSource(shards))


def test_a_disk_that_may_only_be_read(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, data: bytes) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(webdataset, "write_atomically", refuse)
    check(WebDatasetSource(shards))
    assert not list(shards.glob("*.npz"))


@pytest.mark.parametrize(
    "change, fault",
    [
        ({"000001.cls": None}, r"1 picture without a label; 000001\.jpg lacks its \.cls"),
        ({"000001.cls": b"one"}, r"000001\.cls holds b'one', no whole number"),
        ({"000001.cls": b"-1"}, "no whole number"),
        ({"000001.cls": b"99999999"}, "no whole number from 0 to 9,999,999"),
        ({"000001.png": b"x"}, "share one label"),
    ],
)
def test_samples_that_are_not_whole(change: dict, fault: str, tmp_path: Path) -> None:
    changed = {name: data for name, data in {**members(0, 1), **change}.items() if data is not None}
    with pytest.raises(FaceLibError, match=rf"a\.tar: .*{fault}"):
        WebDatasetSource(write_shard(tmp_path / "a.tar", dict(sorted(changed.items()))))


def test_cut_shards_are_errors(tmp_path: Path) -> None:
    """Wherever it is cut, even between two members, where tarfile sees a proper end."""
    path = write_shard(tmp_path / "a.tar", members(0, 1, 2))
    data = path.read_bytes()
    for cut in (0, 1, 511, 512, 700, 1024, 2048, 3072, 4096, 5000, 5120, 6144):
        path.write_bytes(data[:cut])
        with pytest.raises(FaceLibError, match=r"a\.tar: (is no whole|is damaged or cut short)"):
            WebDatasetSource(path)


def test_any_damage_ends_in_our_error(tmp_path: Path) -> None:
    data = write_shard(tmp_path / "a.tar", members(0, 1, 2)).read_bytes()
    numbers = np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(data)
        block = int(numbers.integers(len(data) // 512)) * 512
        for at in block + numbers.integers(0, 512, 3):
            damaged[at] = numbers.integers(256)
        (tmp_path / "a.tar").write_bytes(damaged)
        (tmp_path / "a.tar.index.npz").unlink(missing_ok=True)
        with contextlib.suppress(FaceLibError):
            assert all(image.ndim == 3 for image, _ in WebDatasetSource(tmp_path / "a.tar"))


def test_compressed_missing_and_empty_shards(tmp_path: Path) -> None:
    with pytest.raises(FaceLibError, match="must be decompressed first"):
        WebDatasetSource(write_shard(tmp_path / "a.tar", members(0), mode="w:gz"))
    with pytest.raises(FaceLibError, match=r"train-2\.tar: cannot be read"):
        write_shard(tmp_path / "train-1.tar", members(0))
        WebDatasetSource(tmp_path / "train-{1..2}.tar")
    with pytest.raises(FaceLibError, match="without a picture"):
        WebDatasetSource(write_shard(tmp_path / "b.tar", {"readme.txt": b""}))
    with pytest.raises(FaceLibError, match="names no range"):
        WebDatasetSource(tmp_path / "train-{9..0}.tar")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FaceLibError, match="holds no tar files"):
        WebDatasetSource(tmp_path / "empty")
