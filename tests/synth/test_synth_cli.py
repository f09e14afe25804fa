"""facelib synth: what it writes, and that a second run goes on where the first stopped."""

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from facelib import cli, load_image, synth_cli
from facelib.synth import PRESETS, SPLITS, Preset


def run(*arguments):
    return CliRunner().invoke(cli.main, ["synth", *map(str, arguments)], catch_exceptions=False)


def test_preview(tmp_path):
    result = run("preview", tmp_path / "sheet.png", "--people", 2, "--shots", 3)
    assert result.exit_code == 0, result.output
    assert load_image(tmp_path / "sheet.png").shape == (224, 336, 3)


def test_export_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "tiny", Preset(3, 2))
    target = tmp_path / "people" / "train_align"
    assert run("export", target, "--quiet").exit_code == 0
    files = sorted(path.relative_to(target).as_posix() for path in target.rglob("*.jpg"))
    assert files == [f"n00000{k}/000{j}_01.jpg" for k in range(3) for j in range(2)]
    lines = (tmp_path / "people" / "train_align.txt").read_text().splitlines()
    assert lines == [f"{file} {int(file[1:7])}" for file in files]
    before = {file: (target / file).read_bytes() for file in files}
    (target / files[2]).unlink()
    (target / files[5]).write_bytes(b"kept")  # only what is missing is made again, a person at a time
    assert run("export", target, "--quiet").exit_code == 0
    assert (target / files[2]).read_bytes() == before[files[2]]
    assert (target / files[5]).read_bytes() == b"kept"


def test_exported_pictures_are_the_data_set(tmp_path, monkeypatch):
    from facelib.synth.dataset import render_people

    monkeypatch.setitem(PRESETS, "tiny", Preset(1, 2))
    run("export", tmp_path / "a", "--quality", 100, "--seed", 3, "--quiet", "--list", tmp_path / "list.txt")
    (shots,) = render_people(1, Preset(1, 2), "train", 3)
    stored = cv2.imread(str(tmp_path / "a/n000000/0001_01.jpg"))[..., ::-1].astype(int)
    assert abs(stored - shots.images[1]).mean() < 2.5
    assert (tmp_path / "list.txt").exists() and not (tmp_path / "a.txt").exists()


@pytest.mark.parametrize("command", [(), ("preview",), ("export",)])
def test_help(command):
    assert "Usage" in run(*command, "--help").output


def test_choices_are_those_of_the_library():
    assert list(synth_cli.PRESETS) == list(PRESETS) and list(synth_cli.SPLITS) == list(SPLITS)
    assert np.all([PRESETS[name].people for name in PRESETS] == [40, 200, 1000])
