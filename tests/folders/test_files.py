"""Names, folders, files and the report, without any detection."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from facelib.folders import files
from facelib.folders.align import AlignSettings, planned_crops
from facelib.folders.report import Report


@pytest.mark.parametrize(
    "names, expected",
    [
        (["a.png", "b.webp"], ["a.jpg", "b.jpg"]),
        (["a.jpg", "a.png", "b.jpg"], ["a.jpg.jpg", "a.png.jpg", "b.jpg"]),
        (["A.jpg", "a.png"], ["A.jpg.jpg", "a.png.jpg"]),
        (["a.gif", "a.png", "a.png.jpg"], ["a.gif.jpg", "a.png.jpg", "a.png.jpg.jpg"]),
    ],
)
def test_names_never_clash(names: list[str], expected: list[str]) -> None:
    def plan(choose: str) -> list[str]:
        return [p.crop for p in planned_crops(files.Folder("", tuple(names), 0), AlignSettings(choose=choose))]

    assert plan("centre") == expected
    assert plan("all") == [name.removesuffix(".jpg") + "_0.jpg" for name in expected]


def test_report_survives_half_lines_and_odd_names(tmp_path: Path) -> None:
    path, name = tmp_path / "deep/report.jsonl", os.fsdecode(b"n\xff1/\xc3\xa4.jpg")
    with Report(path) as report:
        report.add(name, "no face", "")
    path.write_bytes(b"a note\n" + path.read_bytes() + b'{"file": "half')
    with Report(path) as report:
        assert name in report and "half" not in report
        report.add("next", "unreadable", "")
    assert [line[:9] for line in path.read_bytes().splitlines()] == [b"a note", b'{"file": ', b'{"file": ']
    with Report(path) as report:
        assert "next" in report
    with Report(path, fresh=True) as report:
        assert name not in report
    assert path.read_bytes() == b""


def test_walk(odd: Path, tmp_path: Path) -> None:
    folders = {folder.path: folder for folder in files.walk(odd)}
    assert list(folders) == ["", "n1", "n2", "n2/deeper"], "sorted, without loops and hidden folders"
    assert folders["n1"].pictures == tuple(sorted(folders["n1"].pictures)) and "nowhere.jpg" in folders["n1"].pictures
    assert folders["n2"].others == 1, "a pipe is no picture, and reading it would never end"
    assert [folder.path for folder in files.walk(odd, skip=odd / "n2")] == ["", "n1"]
    assert [bool(folder.fault) for folder in files.walk(tmp_path / "gone")] == [True]


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "a.jpg").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError):
        files.write_atomically(tmp_path / "a.jpg", b"new")
    assert os.listdir(tmp_path) == ["a.jpg"] and (tmp_path / "a.jpg").read_bytes() == b"old"


def test_crops_have_ordinary_permissions(tmp_path: Path) -> None:
    files.write_atomically(tmp_path / "a", b"")
    (tmp_path / "b").write_bytes(b"")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode
