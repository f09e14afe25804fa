"""facelib synth: what it writes, and that a second run goes on where the first stopped."""

import errno
import os
import signal

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from facelib import FaceLibError, cli, load_image, synth_cli
from facelib.data import FolderSource, open_source
from facelib.folders.files import walk
from facelib.synth import PRESETS, SPLITS, Preset
from facelib.synth import export as module
from facelib.synth.dataset import render_people


def run(*arguments):
    return CliRunner().invoke(cli.main, ["synth", *map(str, arguments)], catch_exceptions=False)


def refusal(*arguments):
    result = run(*arguments)
    *_, said = result.stderr.splitlines()  # a progress bar may stand before it
    assert result.exit_code == 1 and said.startswith("Error: ")
    return said


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder ``people`` of two people, two pictures each, with its list, as the command leaves them."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "tiny", Preset(2, 2))
        assert run("export", folder / "people", "--quiet").exit_code == 0
    return folder


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


@pytest.mark.parametrize("options, old, new", [
    (["--seed", 5], "'seed': 0", "'seed': 5"),
    (["--split", "test", "--quality", 90], "'split': 'train', 'quality': 95", "'split': 'test', 'quality': 90"),
    (["--preset", "mini"], "'preset': 'tiny'", "'preset': 'mini'"),
    ([], "'renderer': 2", "'renderer': 3"),
])  # fmt: skip
def test_a_folder_never_holds_two_sets(made, options, old, new, monkeypatch):
    """The people of one split under the name of another would be a leak that nobody sees."""
    if not options:
        monkeypatch.setattr(module, "VERSION", module.VERSION + 1)
    before = contents(made)
    said = refusal("export", made / "people", *options)
    assert f"made with {{{old}}}, and now it is {{{new}}}; use another TARGET or the old settings" in said
    assert contents(made) == before


def test_files_of_others_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "tiny", Preset(1, 1))
    (tmp_path / "old/n000000").mkdir(parents=True)  # as an export before there were settings
    (tmp_path / "old/n000000/0000_01.jpg").write_bytes(b"who?")
    before = contents(tmp_path)
    assert "choose an empty or a new folder" in refusal("export", tmp_path / "old")
    assert contents(tmp_path) == before
    (tmp_path / "new").mkdir()
    (tmp_path / "new/.facelib-7-ab.part").write_bytes(b"killed in the middle of the settings")
    assert run("export", tmp_path / "new", "--quiet").exit_code == 0


def test_settings_are_no_picture_and_nobody(made, tmp_path):
    folder = made / "people"
    assert (folder / module.SETTINGS).is_file()
    for source in (FolderSource(folder), open_source(folder), open_source(made / "people.txt", folder)):
        names = [source.name(k) for k in range(len(source))]
        assert names == [f"n00000{k}/000{j}_01.jpg" for k in range(2) for j in range(2)]
    assert [(part.path, part.pictures) for part in walk(folder)][0] == ("", ())
    lists = ["--out", tmp_path / "a", "--val", tmp_path / "b", "--val-share", 0.5]
    result = CliRunner().invoke(cli.main, ["list", *map(str, [folder, *lists])])
    assert result.exit_code == 0 and "left out" not in result.stderr


def test_a_wrong_request_leaves_nothing(tmp_path):
    assert "device 'foo' cannot be used here" in refusal("export", tmp_path / "new", "--device", "foo")
    assert "seed" in refusal("export", tmp_path / "new", "--seed", 2**63)
    with pytest.raises(FaceLibError, match="no split 'exam'"):
        module.export_folder(tmp_path / "new", split="exam")
    assert "hardness must be a finite number" in refusal("preview", tmp_path / "a.png", "--hardness", "nan")
    assert not list(tmp_path.iterdir())


def test_ctrl_c(tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "tiny", Preset(2, 1))
    whole = render_people

    def stopped(count, *others, **options):
        os.kill(os.getpid(), signal.SIGINT) if count == 2 else None
        return whole(count, *others, **options)

    monkeypatch.setattr(module, "render_people", stopped)
    result = run("export", tmp_path / "a", "--quiet")
    assert (result.exit_code, result.stderr) == (130, "interrupted; the same command goes on from here\n")
    assert (tmp_path / "a/n000000/0000_01.jpg").exists() and not (tmp_path / "a.txt").exists()
    assert "'seed': 5" in refusal("export", tmp_path / "a", "--seed", 5)
    monkeypatch.undo()
    monkeypatch.setitem(PRESETS, "tiny", Preset(2, 1))
    assert run("export", tmp_path / "a", "--quiet").exit_code == 0
    assert (tmp_path / "a.txt").read_text().count("\n") == 2


def test_what_cannot_be_written_is_named(tmp_path, made, monkeypatch):
    monkeypatch.setitem(PRESETS, "tiny", Preset(2, 2))
    (tmp_path / "file").write_bytes(b"")
    way = f"{tmp_path / 'file'}: cannot be written (is a file, a folder is wanted)"
    assert way in refusal("export", tmp_path / "file/x")
    assert way in refusal("export", made / "people", "--quiet", "--list", tmp_path / "file/x")
    assert way in refusal("preview", tmp_path / "file/x.png", "--people", 1, "--shots", 1)
    assert "cannot be written as .xyz" in refusal("preview", tmp_path / "a.xyz", "--people", 1, "--shots", 1)
    (tmp_path / "way").mkdir()
    (tmp_path / "way/n000000").write_bytes(b"")
    (tmp_path / "way" / module.SETTINGS).write_bytes((made / "people" / module.SETTINGS).read_bytes())
    assert f"{tmp_path / 'way/n000000'}: cannot be written (" in refusal("export", tmp_path / "way")


def test_a_full_disk(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as it comes: without the file's name

    monkeypatch.setitem(PRESETS, "tiny", Preset(1, 1))
    monkeypatch.setattr(os, "fsync", full)
    first = tmp_path / "a" / module.SETTINGS
    assert f"{first}: cannot be written (No space left" in refusal("export", tmp_path / "a")
    sheet = tmp_path / "a.png"
    assert f"{sheet}: cannot be written (No space left" in refusal("preview", sheet, "--people", 1, "--shots", 1)
    assert not contents(tmp_path)
    monkeypatch.undo()
    monkeypatch.setitem(PRESETS, "tiny", Preset(1, 1))
    assert run("export", tmp_path / "a", "--quiet").exit_code == 0


def test_the_list_of_this_folder_lies_beside_it(tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "tiny", Preset(1, 1))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert run("export", ".", "--quiet").exit_code == 0
    assert (tmp_path / "here.txt").read_text() == "n000000/0000_01.jpg 0\n"
