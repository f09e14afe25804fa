"""The command line: what it prints, writes and returns. Folders of millions are in test_align_folder.py."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import facelib
from facelib import cli
from facelib.draw import draw_faces
from facelib.samples import astronaut

ROOT = Path(facelib.__file__).parent.parent


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.main, [str(a) for a in arguments])


def records(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """photos/{a.png, sub/b.jpg, sub/bad.jpg, notes.txt, .hidden.png} below the current folder."""
    face = Image.fromarray(astronaut()[:240, 80:320])
    (tmp_path / "photos/sub").mkdir(parents=True)
    face.save(tmp_path / "photos/a.png")
    face.rotate(5).save(tmp_path / "photos/sub/b.jpg", quality=95)
    (tmp_path / "photos/sub/bad.jpg").write_bytes(b"\xff\xd8\xff no picture")
    (tmp_path / "photos/notes.txt").write_text("no picture")
    face.save(tmp_path / "photos/.hidden.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_help_answers_at_once() -> None:
    """Nothing heavy is imported for it, and the processor time shows it."""
    code = (
        "import sys, time\nfrom facelib.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'torch', 'cv2', 'numpy', 'tqdm', 'PIL'} & set(sys.modules)), time.process_time())"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    out = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    modules, seconds = out.stdout.splitlines()[-1].rsplit(" ", 1)
    assert modules == "[]"
    assert float(seconds) < 0.5


@pytest.mark.parametrize("command", ["detect", "align", "doctor"])
def test_every_command_teaches(command: str) -> None:
    text = run(command, "--help").stdout
    assert f"      facelib {command}" in text, "no example"
    assert len(text.split("Options:")[0].split()) > 60, "no explanation"
    assert "Ends with 0" in text, "exit codes are not told"


def test_version() -> None:
    assert run("--version").stdout == f"facelib, version {facelib.__version__}\n"


def test_detect_prints_a_table(pictures: Path) -> None:
    result = run("detect", "photos/a.png")
    assert result.exit_code == 0
    first, head, row = result.stdout.splitlines()
    assert first == "photos/a.png  240 x 240  1 face"
    assert head.split() == ["x1", "y1", "x2", "y2", "score", "eyes", "apart"]
    faces = facelib.MTCNN().detect("photos/a.png")
    assert np.allclose([float(x) for x in row.split()[:4]], faces.boxes[0], atol=0.06)
    assert result.stderr.splitlines()[-1] == "1 picture, 1 face, 0 unreadable"


def test_detect_folder_to_json(pictures: Path) -> None:
    result = run("detect", "photos", "--json", "out/faces.jsonl")
    assert result.exit_code == 1, "a picture was unreadable"
    lines = records((pictures / "out/faces.jsonl").read_text())
    assert [line["file"] for line in lines] == ["photos/a.png", "photos/sub/b.jpg", "photos/sub/bad.jpg"]
    assert lines[0] == {"file": "photos/a.png", "width": 240, "height": 240,
                        "faces": facelib.MTCNN().detect("photos/a.png").to_dicts()}  # fmt: skip
    assert set(lines[2]) == {"file", "error"}
    assert "3 pictures, 2 faces, 1 unreadable" in result.stderr
    assert "unreadable: photos/sub/bad.jpg" in result.stderr


def test_detect_to_standard_output_is_nothing_but_json(pictures: Path) -> None:
    result = run("detect", "photos/*.png", "photos/sub/b.jpg", "--json", "-", "--quiet", "--batch", 8)
    assert result.exit_code == 0 and result.stderr == ""
    lines = records(result.stdout)
    assert [line["file"] for line in lines] == ["photos/a.png", "photos/sub/b.jpg"]
    assert [len(line["faces"]) for line in lines] == [1, 1]


def test_detect_draws_and_keeps_the_structure(pictures: Path) -> None:
    assert run("detect", "photos", "photos/a.png", "--out", "drawn").exit_code == 1
    drawn = sorted(p.relative_to("drawn").as_posix() for p in Path("drawn").rglob("*.*"))
    assert drawn == ["a.png", "photos/a.png", "photos/sub/b.jpg"]
    picture, faces = facelib.load_image("photos/a.png"), facelib.MTCNN().detect("photos/a.png")
    assert (facelib.load_image("drawn/a.png") == draw_faces(picture, faces)).all()


def test_detect_does_not_search_its_own_output(pictures: Path) -> None:
    for _ in range(2):
        result = run("detect", ".", "--out", "drawn")
        assert "3 pictures, 2 faces, 1 unreadable" in result.stderr


def test_same_name_twice_is_drawn_twice(pictures: Path) -> None:
    Image.open("photos/a.png").save("photos/sub/a.png")
    Image.open("photos/a.png").save("photos/sub/a.gif")
    assert run("detect", "photos/a.png", "photos/sub/a.png", "photos/sub/a.gif", "--out", "drawn").exit_code == 0
    assert sorted(os.listdir("drawn")) == ["a.png", "a_2.png", "a_3.png"]


@pytest.mark.parametrize("path, why", [("gone.jpg", "no such file"), ("q*.jpg", "no file fits"), ("gone/", "no such")])
def test_detect_names_what_does_not_exist(pictures: Path, path: str, why: str) -> None:
    result = run("detect", "photos", path)
    assert result.exit_code == 2
    assert path in result.stderr and why in result.stderr
    assert result.stdout == "", "nothing is done before all paths are known to exist"


@pytest.mark.parametrize(
    "arguments", [("--min-face", "0"), ("--thresholds", "0.6", "0.7", "2"), ("--factor", "1"), ("--batch", "0")]
)
def test_usage_errors_end_with_2(pictures: Path, arguments: tuple[str, ...]) -> None:
    result = run("detect", "photos/a.png", *arguments)
    assert result.exit_code == 2 and arguments[0] in result.stderr


@pytest.mark.parametrize(
    "arguments, fault",
    [(("--min-face", "nan"), "min_face"), (("--thresholds", "nan", "0.7", "0.7"), "thresholds"),
     (("--factor", "nan"), "factor")],
)  # fmt: skip
def test_what_is_no_number_is_refused(pictures: Path, arguments: tuple[str, ...], fault: str) -> None:
    result = run("detect", "photos/a.png", *arguments)
    assert result.exit_code == 1 and result.stderr.startswith(f"Error: {fault}") and "nan" in result.stderr


@pytest.mark.parametrize("device", ["cuda:99", "abacus"])
def test_a_device_that_is_not_there(pictures: Path, device: str) -> None:
    result = run("detect", "photos/a.png", "--device", device)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1 and device in result.stderr and "Traceback" not in result.output


def test_options_reach_the_detector(pictures: Path) -> None:
    assert " 0 faces" in run("detect", "photos/a.png", "--min-face", 300).stdout
    assert " 0 faces" in run("detect", "photos/a.png", "--thresholds", 0.6, 0.7, 1).stdout


def test_no_pictures_is_an_error(pictures: Path) -> None:
    Path("empty").mkdir()
    result = run("detect", "empty")
    assert result.exit_code == 1 and "no pictures in empty" in result.stderr


COMMANDS = [
    (("detect", "photos/a.png"), "facelib.folders.detect.detect_files"),
    (("list", "photos", "--out", "train.txt", "--val", "val.txt"), "facelib.data.split_folder"),
    (("export", "mtcnn", "out"), "facelib.export.export_detector"),
    (("bench", "backbones"), "facelib.backbones.create"),
    (("doctor",), "facelib.doctor.diagnose"),
]


def failing(error: BaseException) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("command, inner", COMMANDS)
def test_ctrl_c_is_told_in_one_word(
    command: tuple[str, ...], inner: str, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inner, failing(KeyboardInterrupt()))
    result = run(*command)
    assert result.exit_code == 130 and result.stderr.splitlines()[-1] == "interrupted"
    assert "Abort" not in result.output


@pytest.mark.parametrize("command", ["detect", "list"])
def test_the_exit_code_of_ctrl_c_is_told(command: str) -> None:
    assert "130 after Ctrl-C" in " ".join(run(command, "--help").stdout.split())


@pytest.mark.parametrize(
    "error, told",
    [
        (PermissionError(errno.EACCES, "Permission denied", "there/x"), "Error: there/x: Permission denied"),
        (OSError(errno.EIO, "Input/output error", b"b\xff"), "Error: b\\udcff: Input/output error"),
        (OSError(errno.ENOSPC, "No space left on device"), "Error: No space left on device"),
        (OSError("of a library"), "Error: of a library"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), ""),  # `| head` wants no words
    ],
)
@pytest.mark.parametrize("command, inner", COMMANDS[:1] + COMMANDS[-1:])
def test_faults_of_the_disk_are_one_line(
    command: tuple[str, ...], inner: str, error: OSError, told: str, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inner, failing(error))
    result = run(*command)
    assert result.exit_code == 1 and result.stderr.strip() == told and isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("when", ["write", "close"])
def test_json_onto_a_full_disk(when: str, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk may say so at once, or when the last line leaves the buffer."""

    class Full(io.StringIO):
        def fail(self, *_: object) -> int:
            super().close()
            raise OSError(errno.ENOSPC, "No space left on device")

    setattr(Full, when, Full.fail)
    monkeypatch.setattr("facelib.folders.detect.open", lambda *_, **__: Full(), raising=False)
    result = run("detect", "photos/a.png", "--json", "full.jsonl", "--quiet")
    assert result.exit_code == 1
    assert result.stderr == "Error: full.jsonl: cannot be written (No space left on device); choose another FILE\n"


def test_json_into_a_folder_is_refused_before_anything_is_loaded(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "facelib.folders.detect", None)
    result = run("detect", "photos/a.png", "--json", "photos")
    assert result.exit_code == 2 and "File 'photos' is a directory" in result.stderr


def test_a_file_where_a_folder_is_wanted(pictures: Path) -> None:
    for option in ("--json", "--out"):
        result = run("detect", "photos/a.png", option, "photos/notes.txt/x", "--quiet")
        assert result.exit_code != 0 and "Traceback" not in result.output
        assert "photos/notes.txt: cannot be written (is a file, a folder is wanted)" in result.stderr


def test_missing_package_points_to_the_doctor(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "facelib.folders.detect", None)
    result = run("detect", "photos/a.png")
    assert result.exit_code == 1 and "facelib doctor" in result.stderr


def test_drawing_marks_the_face_and_nothing_far_from_it() -> None:
    picture = np.full((400, 800, 3), 90, np.uint8)
    points = np.array([[[340, 150], [380, 150], [360, 170], [345, 190], [375, 190]]])
    faces = facelib.Faces(np.array([[320, 120, 400, 220]]), np.array([0.987]), points)
    drawn = draw_faces(picture, faces)
    changed = np.argwhere((drawn != picture).any(axis=2))
    assert (picture == 90).all(), "the picture given stays as it is"
    assert changed.min(axis=0)[1] >= 316 and changed.max(axis=0).tolist() <= [224, 410]
    assert drawn[150, 340].tolist() == [240, 228, 66] and drawn[170, 320].tolist() == [0, 158, 115]
    assert (draw_faces(picture, facelib.Faces.empty()) == picture).all()


def test_drawing_beyond_the_edges() -> None:
    faces = facelib.Faces(np.array([[-50, -50, 90, 90]]), np.ones(1), np.full((1, 5, 2), -20))
    assert draw_faces(np.zeros((40, 40, 3), np.uint8), faces).shape == (40, 40, 3)
