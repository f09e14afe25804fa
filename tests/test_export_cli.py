"""``facelib export``: what it writes, what it says, what it refuses."""

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from click.testing import CliRunner

from facelib import Embedder, export
from facelib.cli import main
from facelib.export.onnx_files import NOTE

NAME = "mobilefacenet-synth"


def run(*arguments):
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


@pytest.fixture(autouse=True)
def few_faces(monkeypatch, crops):
    monkeypatch.setattr(export.embedders, "faces", lambda count, seed: crops[:8] if seed == 1 else crops[8:])


@pytest.fixture(scope="session")
def crops():
    return export.faces(16, seed=7)


def bare(folder: Path) -> Path:
    """An exported file without its note, as somebody else's is."""
    export.export_embedder(NAME, folder / "whole.onnx")
    model = onnx.load(folder / "whole.onnx")
    del model.metadata_props[:]
    onnx.save(model, folder / "bare.onnx")
    return folder / "bare.onnx"


def test_a_file_and_what_is_said_of_it(tmp_path):
    done = run(NAME, tmp_path / "new" / "face.onnx")
    assert done.exit_code == 0, done.output
    first, second = done.output.splitlines()[-2:]
    assert first == f"{tmp_path / 'new' / 'face.onnx'}: 3.93 MB, float32"
    assert second.startswith(f"agrees with {NAME} on 8 crops: cosine 1.00000 on average and 1.00000 at worst")
    assert Embedder.load(tmp_path / "new" / "face.onnx").preprocess.size == 56


def test_a_file_where_a_folder_is_wanted(tmp_path):
    (tmp_path / "file").touch()
    done = run(NAME, tmp_path / "file" / "face.onnx")
    assert done.exit_code == 1 and f"{tmp_path / 'file'}: cannot be written (is a file, a folder is" in done.output


def test_int8_from_a_folder_with_a_broken_picture(tmp_path, crops):
    (tmp_path / "crops" / "anna").mkdir(parents=True)
    for k, crop in enumerate(crops[:6]):
        cv2.imwrite(str(tmp_path / "crops" / "anna" / f"{k}.png"), crop[..., ::-1])
    (tmp_path / "crops" / "broken.jpg").write_bytes(b"no picture")
    done = run(NAME, tmp_path / "x.onnx", "--precision", "int8", "--calibrate", tmp_path / "crops", "--samples", 7)
    assert done.exit_code == 0, done.output
    assert "left out: " in done.output and "broken.jpg" in done.output
    assert "scales measured on 6 of 7 pictures" in done.output and "1.30 MB, int8" in done.output


def test_another_s_file_gets_its_note(tmp_path):
    file, out = bare(tmp_path), tmp_path / "said.onnx"
    refused = run(file, out)
    assert refused.exit_code == 1 and "--mean and --std" in refused.output and not out.exists()
    done = run(file, out, "--mean", 0.5, "--std", 0.5, "--size", 56)
    assert done.exit_code == 0, done.output
    assert NOTE in {entry.key for entry in onnx.load(out).metadata_props}


def test_the_detector(tmp_path):
    done = run("mtcnn", tmp_path / "detector")
    assert done.exit_code == 0, done.output
    assert [line.split(":")[0].split("/")[-1] for line in done.output.splitlines()] == [
        "pnet.onnx",
        "rnet.onnx",
        "onet.onnx",
    ]
    assert len(list((tmp_path / "detector").iterdir())) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((NAME, "x.txt"), 2, "ends in .onnx"),
        ((NAME, "x.onnx", "--precision", "int4"), 2, "int4"),
        ((NAME, "x.onnx", "--mean", "0.5"), 2, "is for .onnx files"),
        ((NAME, "x.onnx", "--calibrate", "crops"), 2, "add --precision int8"),
        ((NAME, "x.onnx", "--precision", "int8", "--samples", 9), 2, "of the folder that --calibrate names"),
        ((NAME, "x.onnx", "--precision", "int8", "--calibrate", "crops"), 1, "holds 0 pictures"),
        (("mtcnn", "file"), 2, "is a file; a folder is wanted"),
        (("mtcnn", "new", "--precision", "int8"), 2, "exported as it is"),
        ((NAME, "file", "--page"), 2, "is a file; a folder is wanted"),
        (("hog", "x.onnx"), 1, "no network to export"),
        (("gone.safetensors", "x.onnx"), 1, "gone.safetensors: no such file"),
        ((NAME, "file/x.onnx"), 1, "cannot be written"),
    ],
)
def test_what_is_refused(tmp_path, monkeypatch, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    Path("crops").mkdir()
    Path("file").write_text("x")
    done = run(*arguments)
    assert done.exit_code == code, done.output
    assert message in " ".join(done.output.replace("│", " ").split()), done.output
    assert not Path("x.onnx").exists()


def test_calibration_takes_pictures_evenly(tmp_path):
    from facelib.export_cli import _crops

    for k in range(10):
        cv2.imwrite(str(tmp_path / f"{k}.png"), np.full((20, 20, 3), 10 * k, np.uint8))
    taken = _crops(tmp_path, 5)
    assert taken.shape == (5, 112, 112, 3) and taken[:, 0, 0, 0].tolist() == [0, 20, 40, 60, 80]
