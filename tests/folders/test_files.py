"""Names, folders, files and the report, without any detection."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from facelib import FaceLibError
from facelib.folders import files
from facelib.folders.align import AlignSettings, check_settings, planned_crops
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


def test_a_folder_keeps_its_settings(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    for _ in range(2):
        check_settings(path, {"a": 1, "b": "x"})
    with pytest.raises(FaceLibError, match=r"made with \{'b': 'x'\}, and now it is \{'b': 'y', 'c': 0\}; use another"):
        check_settings(path, {"a": 1, "b": "y", "c": 0})
    path.write_text("{")
    with pytest.raises(FaceLibError, match="made with settings that cannot be read, and now it is {'a': 1}"):
        check_settings(path, {"a": 1})
    assert path.read_text() == "{"


def test_a_failed_write_names_the_file_that_was_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError) as told:
        files.write_atomically(tmp_path / "folder", b"")
    assert (told.value.filename, told.value.filename2) == (str(tmp_path / "folder"), None)

    def refuse(path: Path, mode: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(files, "open", refuse, raising=False)
    with pytest.raises(PermissionError) as told:
        files.write_atomically(tmp_path / "a.jpg", b"")
    assert told.value.filename == str(tmp_path / "a.jpg")


def test_a_file_in_a_folders_place_is_called_that(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file/deep/er"):
        with pytest.raises(NotADirectoryError, match="is a file, a folder is wanted") as told:
            files.make_folder(path)
        assert told.value.filename == str(tmp_path / "file")
    files.make_folder(tmp_path / "new/er")
    files.make_folder(tmp_path / "new/er")
    assert (tmp_path / "new/er").is_dir()


@pytest.mark.parametrize("extension, shape", [(".xyz", (8, 8, 3)), (".jpg", (70_000, 1, 3))])
def test_what_no_format_takes_is_named(extension: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(FaceLibError, match=f"cannot be written as {extension}; choose jpg or png"):
        files.encode(np.zeros(shape, np.uint8), extension)


def test_crops_have_ordinary_permissions(tmp_path: Path) -> None:
    files.write_atomically(tmp_path / "a", b"")
    (tmp_path / "b").write_bytes(b"")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode
