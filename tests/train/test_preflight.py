"""The look before the first step: it names what is wrong, ends nothing, and is not repeated by a run that goes on."""

import shutil

import pytest

from facelib.data import open_source
from facelib.train import train
from facelib.train.pictures import open_training
from facelib.train.preflight import preflight
from tests.train.helpers import make_people, recipe


def told(training, validation=None, num_classes=None):
    said = []
    preflight(training, validation, num_classes, True, said.append)
    return "\n".join(said)


@pytest.fixture
def folder(tmp_path):
    return make_people(tmp_path / "people").parent


def test_nothing_wrong(folder):
    assert told(open_source(folder / "train.txt", folder)).endswith("nothing wrong")


def test_what_is_wrong_with_the_pictures_is_named(folder):
    shutil.copy(folder / "n000000" / "0000_01.png", folder / "n000001" / "0000_01.png")
    (folder / "n000002" / "0003_01.png").write_bytes(b"no picture")
    lines = [line for line in (folder / "train.txt").read_text().splitlines() if not line.endswith(" 4")]
    (folder / "train.txt").write_text("\n".join(lines) + "\n")
    text = told(open_source(folder / "train.txt", folder), num_classes=4)
    assert "n000000/0000_01.png is 0, n000001/0000_01.png is 1" in text.replace("\\", "/")
    assert "1 unreadable" in text and "0003_01.png: " in text
    assert "labels without a picture" in text and "--num-classes 4 does not fit" in text


def test_what_training_and_validation_share_is_named(folder, tmp_path):
    other = make_people(tmp_path / "others").parent
    for person in range(6):
        (other / f"n{person:06d}").rename(other / f"m{person:06d}")
    listed = (other / "train.txt").read_text().replace("n00", "m00")
    (other / "train.txt").write_text(listed)
    same_pictures = told(open_source(folder / "train.txt", folder), open_source(other / "train.txt", other))
    assert "0 people in both, 0 of them with another label; 60 pictures in both" in same_pictures
    assert "such as n000000/0000_01.png and m000000/0000_01.png: figures on those flatter" in same_pictures

    renumbered = (folder / "train.txt").read_text().replace(" 5\n", " 7\n")
    (folder / "val.txt").write_text(renumbered)
    people = told(open_source(folder / "train.txt", folder), open_source(folder / "val.txt", folder))
    assert "6 people in both, 1 of them with another label; 60 pictures in both" in people


def test_people_of_the_training_among_those_to_be_verified_are_named(folder):
    lines = (folder / "train.txt").read_text().splitlines(keepends=True)
    (folder / "train.txt").write_text("".join(lines[:40:2]))  # people 0 to 3
    (folder / "val.txt").write_text("".join(lines[31::2]))  # people 3 to 5
    text = told(open_source(folder / "train.txt", folder), open_source(folder / "val.txt", folder))
    assert "1 people in both, 0 of them with another label; 0 pictures in both" in text
    assert "such as n000003: verification wants people whom the training has not seen" in text


def test_a_validation_by_classes_may_have_the_same_people(folder):
    lines = (folder / "train.txt").read_text().splitlines(keepends=True)
    (folder / "train.txt").write_text("".join(lines[::2]))
    (folder / "val.txt").write_text("".join(lines[1::2]))
    assert "share" not in told(open_source(folder / "train.txt", folder), open_source(folder / "val.txt", folder))


def test_rendered_people_need_no_look(folder):
    source, _ = open_training(recipe(folder, train_list="synth:3x4"))
    assert told(source) == ""


def test_a_run_looks_once(folder, tmp_path, capsys):
    (folder / "n000002" / "0003_01.png").write_bytes(b"no picture")
    train(recipe(folder), tmp_path / "run", quiet=True, check=True)
    assert "1 unreadable" in capsys.readouterr().err
    train(recipe(folder, epochs=3), tmp_path / "run", quiet=True, check=True, resume=True)
    assert "unreadable" not in capsys.readouterr().err
    train(recipe(folder), tmp_path / "other", quiet=True)
    assert "unreadable" not in capsys.readouterr().err
