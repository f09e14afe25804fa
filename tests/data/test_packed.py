"""Packed data sets: the same pictures, whatever interrupted the run, and nothing damaged goes unnoticed."""

from __future__ import annotations

import errno
import hashlib
import json
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from facelib import FaceLibError, cli
from facelib.data import FolderSource, PackedSource, Source, pack, packed, packing, verify
from facelib.data import source as sources
from tests.data.helpers import close, jpeg, make_folder
from tests.folders.helpers import ENVIRONMENT

pytest.importorskip("pyarrow")


class Made(Source):
    """Pictures from memory; those of ``broken`` cannot be decoded."""

    def __init__(self, count: int, broken: tuple[int, ...] = ()) -> None:
        self.labels = np.arange(count) // 2
        self.broken = broken

    def name(self, index: int) -> str:
        return f"n{index // 2}/{index}.jpg"

    def read(self, index: int) -> bytes:
        return b"no picture" if index in self.broken else jpeg(index)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (packed, packing):
        monkeypatch.setattr(module, "BATCH", 3)


@pytest.mark.parametrize("part", [1, 4, 7, 50])
@pytest.mark.parametrize("workers", [1, 3])
def test_the_same_pictures(part: int, workers: int, tmp_path: Path, small_batches: None) -> None:
    done = pack(Made(17), tmp_path / "out", part=part, workers=workers)
    assert (done.pictures, done.left_out, done.complete, len(done.parts)) == (17, [], True, -(-17 // part))
    source = PackedSource(tmp_path / "out")
    for copy in (source, pickle.loads(pickle.dumps(source))):
        assert len(copy) == 17 and copy.classes == 9
        assert copy.labels.tolist() == [k // 2 for k in range(17)] and copy.labels.dtype == np.int64
        for k in np.random.default_rng(0).permutation(17):
            assert copy.name(k) == f"n{k // 2}/{k}.jpg"
            assert bytes(copy.read(k)) == jpeg(k) and close(copy.image(k), k)
    assert copy.name(-1) == "n8/16.jpg"
    with pytest.raises(IndexError):
        source.read(17)


def test_pictures_are_not_copied_and_decoded_the_fast_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack(Made(5), tmp_path / "out")
    source = PackedSource(tmp_path / "out")
    monkeypatch.delattr(sources, "load_image")
    assert close(source.image(3), 3)
    views = [np.frombuffer(source.read(k), np.uint8) for k in range(5)]
    starts = [view.__array_interface__["data"][0] for view in views]
    assert np.diff(starts).tolist() == [len(view) for view in views[:-1]], "they lie side by side in one buffer"
    assert not views[0].flags.writeable


def test_unreadable_pictures_are_left_out_and_listed(tmp_path: Path, small_batches: None) -> None:
    done = pack(Made(12, broken=(0, 4, 5, 6, 7, 11)), tmp_path / "out", part=4)
    assert [part["pictures"] for part in done.parts] == [3, 0, 3]
    assert [name for name, _ in done.left_out] == [f"n{k // 2}/{k}.jpg" for k in (0, 4, 5, 6, 7, 11)]
    assert all("not a picture" in reason for _, reason in done.left_out)
    assert packed.read_index(tmp_path / "out").left_out == done.left_out
    source = PackedSource(tmp_path / "out")
    assert source.labels.tolist() == [0, 1, 1, 4, 4, 5]
    assert [source.name(k) for k in range(6)] == [f"n{k // 2}/{k}.jpg" for k in (1, 2, 3, 8, 9, 10)]


def test_retry_takes_what_was_left_out(tmp_path: Path) -> None:
    pack(Made(8, broken=(5,)), tmp_path / "a", part=4)
    first = contents(tmp_path / "a")
    assert pack(Made(8), tmp_path / "a").left_out, "without retry an earlier run's word counts"
    assert contents(tmp_path / "a") == first
    assert pack(Made(8), tmp_path / "a", retry=True).left_out == []
    pack(Made(8), tmp_path / "b", part=4)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize("stop", [0, 3, 9, 16])
def test_a_stopped_run_goes_on(stop: int, tmp_path: Path, small_batches: None) -> None:
    read: list[int] = []

    class Stopping(Made):
        def read(self, index: int) -> bytes:
            if index == stop:
                raise KeyboardInterrupt
            read.append(index)
            return super().read(index)

    pack(Made(17), tmp_path / "undisturbed", part=5)
    with pytest.raises(KeyboardInterrupt):
        pack(Stopping(17), tmp_path / "out", part=5)
    assert not [name for name in contents(tmp_path / "out") if name.startswith(".")]
    with pytest.raises(FaceLibError, match="is not finished"):
        PackedSource(tmp_path / "out")
    read.clear()
    stop, before = -1, stop
    done: list[int] = []
    pack(Stopping(17), tmp_path / "out", part=99, progress=done.append)
    assert min(read) == before // 5 * 5, "finished parts are not made again"
    assert sum(done) == 17
    assert contents(tmp_path / "out") == contents(tmp_path / "undisturbed")


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "all", *[30] * 20)
    pack(FolderSource(root), tmp_path / "undisturbed", part=20)
    code = (
        "import sys, facelib.data as d; print('go', flush=True);"
        "d.pack(d.FolderSource(sys.argv[1]), sys.argv[2], part=20)"
    )
    for wait in (0.0, 0.05, 0.15):
        run = subprocess.Popen([sys.executable, "-c", code, str(root), str(tmp_path / "out")], env=ENVIRONMENT,
                               stdout=subprocess.PIPE)  # fmt: skip
        assert run.stdout and run.stdout.readline()
        time.sleep(wait)
        run.send_signal(signal.SIGKILL)
        run.wait()
    pack(FolderSource(root), tmp_path / "out", part=20)
    assert contents(tmp_path / "out") == contents(tmp_path / "undisturbed")


def test_a_full_disk_leaves_no_half_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sums = iter([packing.sha256])

    def sha256(path: Path) -> str:
        for function in sums:
            return function(path)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(packing, "sha256", sha256)
    with pytest.raises(FaceLibError, match="No space left on device; the finished parts are complete"):
        pack(Made(9), tmp_path, part=3)
    assert list(contents(tmp_path)) == ["index.json", "part-00000.arrow"]


def test_a_lost_part_is_made_again(tmp_path: Path) -> None:
    pack(Made(9), tmp_path, part=3)
    before = contents(tmp_path)
    (tmp_path / "part-00002.arrow").write_bytes(before["part-00002.arrow"][:-9])
    with pytest.raises(FaceLibError, match=r"part-00002\.arrow: has [\d,]+ bytes instead of"):
        PackedSource(tmp_path)
    (tmp_path / "part-00001.arrow").unlink()
    with pytest.raises(FaceLibError, match=r"part-00001\.arrow: is missing"):
        PackedSource(tmp_path)
    pack(Made(9), tmp_path)
    assert contents(tmp_path) == before


def test_checksums_find_a_changed_byte(tmp_path: Path) -> None:
    pack(Made(9), tmp_path, part=3)
    index = json.loads((tmp_path / "index.json").read_text())
    data = bytearray((tmp_path / "part-00001.arrow").read_bytes())
    assert index["parts"][1]["sha256"] == hashlib.sha256(data).hexdigest()
    assert verify(tmp_path) == 9
    data[data.index(jpeg(4)) + 50] ^= 1
    (tmp_path / "part-00001.arrow").write_bytes(data)
    assert len(PackedSource(tmp_path)) == 9
    with pytest.raises(FaceLibError, match=r"damaged: part-00001\.arrow; delete"):
        verify(tmp_path)


def test_positions_out_of_a_part_are_refused(tmp_path: Path) -> None:
    """A wrong position would read memory that belongs to something else."""
    pack(Made(3), tmp_path)
    path = tmp_path / "part-00000.arrow"
    data = bytearray(path.read_bytes())
    lengths = np.cumsum([len(jpeg(k)) for k in range(3)]).astype("<i8").tobytes()
    at = data.index(lengths)
    data[at : at + 8] = (2**50).to_bytes(8, "little")
    path.write_bytes(data)
    with pytest.raises(FaceLibError, match=r"part-00000\.arrow: is damaged"):
        PackedSource(tmp_path)


@pytest.mark.parametrize("seed", range(40))
def test_any_damage_ends_in_our_error(seed: int, tmp_path: Path) -> None:
    pack(Made(4), tmp_path)
    numbers, path = np.random.default_rng(seed), tmp_path / "part-00000.arrow"
    data = bytearray(path.read_bytes())
    pictures = data.index(jpeg(0)), data.index(jpeg(3)) + len(jpeg(3))
    outside = [at for at in range(len(data)) if not pictures[0] <= at < pictures[1]]
    for at in numbers.choice(outside, 3):
        data[at] = numbers.integers(256)
    path.write_bytes(data)
    try:
        source = PackedSource(tmp_path)
        for k in range(4):
            source.image(k), source.name(k)
    except FaceLibError:
        pass


@pytest.mark.parametrize(
    "change",
    [
        {"format": "facelib packed 99"},
        {"extra": 1},
        {"parts": [{"file": "../other/part-00000.arrow", "pictures": 3, "bytes": 1, "sha256": "", "left_out": []}]},
        {"parts": [{"file": "part-00000.arrow", "pictures": -3, "bytes": 1, "sha256": "", "left_out": []}]},
        {"parts": [{"file": "part-00000.arrow"}]},
        {"parts": 3},
    ],
)
def test_an_index_of_another_form(change: dict, tmp_path: Path) -> None:
    pack(Made(3), tmp_path)
    index = json.loads((tmp_path / "index.json").read_text())
    (tmp_path / "index.json").write_text(json.dumps({**index, **change}))
    with pytest.raises(FaceLibError, match=r"index\.json: is damaged or of another version .*; delete the folder and"):
        PackedSource(tmp_path)


def test_an_index_that_counts_wrong(tmp_path: Path) -> None:
    pack(Made(3), tmp_path)
    index = json.loads((tmp_path / "index.json").read_text())
    index["parts"][0]["pictures"] = 4
    (tmp_path / "index.json").write_text(json.dumps(index))
    with pytest.raises(FaceLibError, match="does not hold the 4 pictures that index.json announces"):
        PackedSource(tmp_path)


def test_folders_that_are_taken(tmp_path: Path) -> None:
    pack(Made(3), tmp_path / "out")
    with pytest.raises(FaceLibError, match="other pictures or labels"):
        pack(Made(4), tmp_path / "out")
    with pytest.raises(FaceLibError, match="holds other files"):
        pack(Made(4), make_folder(tmp_path / "people", 1) / "n000000")
    with pytest.raises(FaceLibError, match="holds other files"):
        pack(Made(4), tmp_path / "people")
    (tmp_path / "file").touch()
    with pytest.raises(FaceLibError, match="file"):
        pack(Made(4), tmp_path / "file")
    with pytest.raises(FaceLibError, match=r"not one picture.*n0/0\.jpg: "):
        pack(Made(2, broken=(0, 1)), tmp_path / "nothing")
    with pytest.raises(FaceLibError, match="holds no index.json"):
        PackedSource(tmp_path)


def test_parts_grow_before_they_become_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "PART", 1)
    monkeypatch.setattr(packing, "MOST_PARTS", 4)
    assert len(pack(Made(17), tmp_path).parts) == 4


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.main, ["pack", *map(str, arguments)])


def test_the_command(tmp_path: Path) -> None:
    root, out = make_folder(tmp_path / "all", 3, 2), tmp_path / "out"
    (root / "n000001/0001_01.jpg").write_bytes(b"no picture")
    result = run(root, out, "--verify", "--workers", 1, "--quiet")
    assert result.exit_code == 0 and result.stdout == ""
    assert result.stderr.splitlines() == [
        "left out: n000001/0001_01.jpg: is not a picture in a known format, or its beginning is damaged;"
        " convert it to PNG or JPEG",
        f"{out}: 4 pictures in 1 part, 1 left out, checksums right",
    ]
    assert PackedSource(out).labels.tolist() == [0, 0, 0, 1]
    assert run(out, tmp_path / "again", "--quiet").exit_code == 0, "a packed folder is a source, too"
    assert [len(PackedSource(tmp_path / name)) for name in ("out", "again")] == [4, 4]


def test_the_command_refuses_in_words(tmp_path: Path) -> None:
    result = run(tmp_path / "gone", tmp_path / "out")
    assert result.exit_code == 1 and "no such file or folder; expected a list file" in result.stderr
    root = make_folder(tmp_path / "all", 2)
    assert run(root, tmp_path / "out", "--quiet").exit_code == 0
    (tmp_path / "out/part-00000.arrow").write_bytes(bytes((tmp_path / "out/part-00000.arrow").stat().st_size))
    result = run(root, tmp_path / "out", "--quiet", "--verify")
    assert result.exit_code == 1 and "damaged: part-00000.arrow" in result.stderr
