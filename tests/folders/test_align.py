"""Folder to folder: whatever lies in the folder, every picture is either a whole crop or a line of the report."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import facelib
from facelib import cli
from facelib.folders import align as folder_align
from facelib.folders import aligner, files
from facelib.folders.align import AlignSettings, Summary, align_folder
from facelib.folders.report import Report
from facelib.folders.workers import Lost
from tests.folders.helpers import ENVIRONMENT, FACE, command, crops, report, save

FAILED = {
    "wall.png": "no face",
    "dot.png": "no face",
    "empty.jpg": "unreadable",
    "n1/corrupt.jpg": "unreadable",
    "n1/text.png": "unreadable",
    "n1/nowhere.jpg": "unreadable",
}
ALIGNED = ["n1/cmyk", "n1/deep", "n1/grey", "n2/animated", "n2/deeper/UPPER", "n2/rotated", "plain"]


def test_odd_files_in_two_processes(odd: Path, tmp_path: Path) -> None:
    """Exact counts, exact report, and each crop is what align() gives."""
    target = tmp_path / "out"
    result = subprocess.run(command(odd, target, "--workers", 2), env=ENVIRONMENT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert report(target) == FAILED
    assert sorted(crops(target)) == [f"{name}.jpg" for name in ALIGNED]
    line = result.stderr.splitlines()[-1]
    assert line.startswith("13 pictures: 7 aligned, 6 failed (2 no face, 4 unreadable), 4 other files, ")
    assert line.endswith(f"pictures/s; see {target / 'align_report.jsonl'}")
    picture = facelib.load_image(odd / "plain.jpg")
    crop = facelib.align(picture, facelib.MTCNN().detect(picture).largest().landmarks[0])
    assert crops(target)["plain.jpg"] == files.encode(crop, ".jpg", 95)
    straight = facelib.load_image(target / "plain.jpg").astype(int)
    turned = facelib.load_image(target / "n2/rotated.jpg").astype(int)
    assert abs(straight - turned).mean() < 8, "EXIF rotation was not applied"


def test_resume_skips_what_is_there_and_what_failed(odd: Path, tmp_path: Path, inline: None) -> None:
    first = align_folder(odd, tmp_path)
    assert (first.aligned, first.failed, first.others) == (7, Counter({"unreadable": 4, "no face": 2}), 4)
    before, lines = crops(tmp_path), report(tmp_path)
    (tmp_path / "n1/grey.jpg").unlink()
    second = align_folder(odd, tmp_path)
    assert (second.aligned, second.present, second.failed_before, second.failed.total()) == (1, 6, 6, 0)
    assert second.pictures == first.pictures == 13
    third = align_folder(odd, tmp_path, retry=True)
    assert (third.aligned, third.present, third.failed_before, third.failed.total()) == (0, 7, 0, 6)
    assert crops(tmp_path) == before and report(tmp_path) == lines == FAILED


def test_batches_give_the_same(odd: Path, tmp_path: Path, inline: None) -> None:
    summary = align_folder(odd, tmp_path, batch=5)
    assert (summary.aligned, summary.failed.total()) == (7, 6) and report(tmp_path) == FAILED


def test_lost_pictures_are_reported(many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        folder_align, "work", lambda items, setup, **_: ((item, Lost("worker died", "twice")) for item in items)
    )
    result = CliRunner().invoke(cli.main, ["align", str(many), str(tmp_path / "out")])
    assert result.exit_code == 1, "nothing was aligned"
    assert set(report(tmp_path / "out").values()) == {"worker died"} and "63 failed" in result.stderr


@pytest.mark.parametrize("number, reason", [(errno.ENOSPC, None), (errno.EACCES, "write failed")])
def test_disk_full_stops_and_goes_on(
    number: int, reason: str | None, many: Path, undisturbed: Path, tmp_path: Path, inline: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    written = itertools.count()

    def write(path: Path, data: bytes) -> None:
        if next(written) >= 30:
            raise OSError(number, os.strerror(number), str(path))
        files.write_atomically(path, data)

    monkeypatch.setattr(aligner, "write_atomically", write)
    summary = Summary()
    if reason is None:
        with pytest.raises(facelib.FaceLibError, match="disk is full.*same command again"):
            align_folder(many, tmp_path, summary=summary)
    else:
        align_folder(many, tmp_path, summary=summary)
        assert summary.failed[reason] == 30
    assert summary.aligned == 30
    monkeypatch.setattr(aligner, "write_atomically", files.write_atomically)
    align_folder(many, tmp_path, retry=reason is not None)
    assert crops(tmp_path) == crops(undisturbed) and report(tmp_path) == report(undisturbed)


def test_a_detector_that_fails_on_a_picture(many: Path, tmp_path: Path, inline: None,
                                            monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    detect_batch = facelib.MTCNN.detect_batch

    def fragile(self: facelib.MTCNN, images: list[np.ndarray]) -> list[facelib.Faces]:
        if any(len(image) == 60 for image in images):
            raise RuntimeError("out of memory")
        return detect_batch(self, images)

    monkeypatch.setattr(facelib.MTCNN, "detect_batch", fragile)
    assert align_folder(many, tmp_path, batch=8).failed == Counter({"detector failed": 3})


def test_both_of_one_name_are_kept(tmp_path: Path, inline: None) -> None:
    save(tmp_path / "in/x/a.png")
    save(tmp_path / "in/x/a.jpg", FACE[:, ::-1], quality=95)
    assert align_folder(tmp_path / "in", tmp_path / "out").aligned == 2
    assert sorted(crops(tmp_path / "out")) == ["x/a.jpg.jpg", "x/a.png.jpg"]
    assert len(set(crops(tmp_path / "out").values())) == 2


def test_a_file_in_the_way_is_reported(tmp_path: Path, inline: None) -> None:
    save(tmp_path / "in/a.png")
    save(tmp_path / "in/b/c.png")
    (tmp_path / "out/a.jpg").mkdir(parents=True)
    (tmp_path / "out/b").write_text("a file where a folder should be")
    assert align_folder(tmp_path / "in", tmp_path / "out").failed == Counter({"write failed": 2})


def faces_at(*boxes: tuple[float, float, float, float]) -> facelib.Faces:
    return facelib.Faces(np.array(boxes), np.ones(len(boxes)), np.zeros((len(boxes), 5, 2)))


def test_which_face_is_chosen() -> None:
    centre, bystander = (80, 60, 120, 110), (0, 0, 60, 70)  # the bystander is the larger one
    faces = faces_at(bystander, centre)
    choose = aligner.choose_faces
    assert choose(faces, 200, 200, "centre").boxes.tolist() == [list(centre)]
    assert choose(faces, 200, 200, "largest").boxes.tolist() == [list(bystander)]
    assert choose(faces, 200, 200, "all").boxes.tolist() == [list(centre), list(bystander)]
    assert choose(faces_at((0, 0, 190, 190), centre), 200, 200, "centre").boxes[0, 0] == 0, "size counts too"


def test_all_faces_are_numbered_and_resumable(tmp_path: Path, inline: None, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "in/pair.png", np.concatenate([FACE, FACE[:, ::-1]], axis=1))
    save(tmp_path / "in/one.png")
    settings = AlignSettings(choose="all", format="png", size=64)
    written: list[str] = []

    def write(path: Path, data: bytes) -> None:
        written.append(path.name)
        files.write_atomically(path, data)

    monkeypatch.setattr(aligner, "write_atomically", write)
    summary = align_folder(tmp_path / "in", tmp_path / "out", settings)
    assert (summary.aligned, summary.crops) == (2, 3)
    assert written == ["one_0.png", "pair_1.png", "pair_0.png"], "number 0 says that the others are there"
    found = crops(tmp_path / "out")
    assert facelib.load_image(found["pair_1.png"]).shape == (64, 64, 3)
    assert align_folder(tmp_path / "in", tmp_path / "out", settings).present == 2
    (tmp_path / "out/pair_0.png").unlink()  # as if killed between the two
    align_folder(tmp_path / "in", tmp_path / "out", settings)
    assert crops(tmp_path / "out") == found


@pytest.mark.parametrize("source, target", [("a", "a/b"), ("a", "a"), ("a/b", "a"), ("a", "link")])
def test_folders_within_each_other_are_refused(source: str, target: str, tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a/b")
    result = CliRunner().invoke(cli.main, ["align", str(tmp_path / source), str(tmp_path / target)])
    assert result.exit_code == 1 and "must not contain each other" in result.stderr
    assert list((tmp_path / "a/b").iterdir()) == []


def test_no_bar_stands_above_an_error(many: Path, tmp_path: Path, inline: None) -> None:
    (tmp_path / "file").touch()
    for arguments in ((tmp_path / "gone", tmp_path / "out"), (many, tmp_path / "file")):
        result = CliRunner().invoke(cli.main, ["align", *map(str, arguments)])
        assert result.exit_code == 1 and len(result.stderr.splitlines()) == 1, result.stderr


def test_clear_refusals(many: Path, tmp_path: Path, inline: None) -> None:
    def refusal(*arguments: object) -> str:
        result = CliRunner().invoke(cli.main, ["align", *map(str, arguments), "--quiet"])
        assert result.exit_code == 1 and "Traceback" not in result.output
        return result.stderr

    assert "no such folder" in refusal(tmp_path / "gone", tmp_path / "out")
    assert "is not a folder" in refusal(many / "n0/00.jpg", tmp_path / "out")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/notes.txt").write_text("")
    assert "holds no pictures (1 other file)" in refusal(tmp_path / "in", tmp_path / "out")
    assert "'size': 112" in refusal(tmp_path / "in", tmp_path / "out", "--size", 224)
    (tmp_path / "file").write_text("")
    for place in ("file", "file/crops"):
        told = refusal(many, tmp_path / place)
        assert told.startswith(f"Error: {tmp_path / 'file'}: is a file, a folder is wanted; no crop was written")
    assert "min_face is a size in pixels" in refusal(many, tmp_path / "nan", "--min-face", "nan")
    with Report(tmp_path / "busy/align_report.jsonl"):
        assert "another run is writing" in refusal(tmp_path / "in", tmp_path / "busy")
