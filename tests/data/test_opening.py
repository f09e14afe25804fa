"""A path is enough: every form of the same data set opens as the same pictures, and what is none says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from facelib import FaceLibError, cli
from facelib.data import FolderSource, ListSource, PackedSource, RecordSource, open_source, pack, write_list
from tests.data.helpers import close, jpeg, make_folder
from tests.data.records import insightface, write_records


@pytest.fixture
def forms(tmp_path: Path) -> dict[str, Path]:
    """The same six pictures of three people in every form."""
    root = make_folder(tmp_path / "people", 3, 1, 2)
    folder = FolderSource(root)
    write_list(tmp_path / "train.txt", folder.names, folder.labels)
    (tmp_path / "faces").mkdir()
    write_records(tmp_path / "faces/train.rec", insightface([jpeg(k) for k in range(6)], [3, 1, 2]))
    return {name: tmp_path / name for name in ("people", "train.txt", "faces", "faces/train.rec")}


def test_every_form_is_recognised(forms: dict[str, Path], tmp_path: Path) -> None:
    kinds = {"people": FolderSource, "train.txt": ListSource, "faces": RecordSource, "faces/train.rec": RecordSource}
    for name, path in forms.items():
        source = open_source(str(path), forms["people"])
        assert type(source) is kinds[name]
        assert source.labels.tolist() == [0, 0, 0, 1, 2, 2]
        assert all(close(image, k) for k, (image, _) in enumerate(source))


def test_packed_folders_are_recognised(forms: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    for number, path in enumerate(forms.values()):
        pack(open_source(path, forms["people"]), tmp_path / f"packed{number}")
        source = open_source(tmp_path / f"packed{number}")
        assert isinstance(source, PackedSource)
        assert all(np.array_equal(image, FolderSource(forms["people"]).image(k)) for k, (image, _) in enumerate(source))


def test_what_is_no_data_set(forms: dict[str, Path], tmp_path: Path) -> None:
    def refusal(name: str, root: Path | None = None) -> str:
        with pytest.raises(FaceLibError) as told:
            open_source(tmp_path / name, root)
        return str(told.value)

    assert "no such file or folder; expected a list file" in refusal("gone")
    assert "its paths are relative to; give it as root (in commands: --root, for training" in refusal("train.txt")
    assert "give train.rec instead" in refusal("faces/train.idx")
    (tmp_path / "lfw.bin").touch()
    assert "facelib.data.read_bin reads it" in refusal("lfw.bin")
    assert "begins with b'\\xff\\xd8\\xff" in refusal("people/n000000/0000_01.jpg")
    (tmp_path / "lfw/meta").mkdir(parents=True)
    (tmp_path / "lfw/data").mkdir()
    assert "facelib.data.read_carray reads it" in refusal("lfw")
    assert "3 pictures in it directly" in refusal("people/n000000")
    (tmp_path / "mixed").mkdir()
    for k in range(7):
        (tmp_path / f"mixed/{k}.bin").touch()
    assert "It holds 0.bin, 1.bin, 2.bin, 3.bin, 4.bin and 2 more; a data set is a list file" in refusal("mixed")
    (tmp_path / "empty").mkdir()
    assert "It holds nothing" in refusal("empty")


@pytest.mark.parametrize("command", ["list", "pack"])
def test_every_command_teaches(command: str) -> None:
    text = CliRunner().invoke(cli.main, [command, "--help"]).stdout
    assert f"      facelib {command}" in text, "no example"
    assert len(text.split("Options:")[0].split()) > 60, "no explanation"
    assert "Ends with 0" in text, "exit codes are not told"
