"""The command ``facelib train``: what it says of numbers it cannot read and of a folder that cannot be written."""

import errno
import os

import pytest
from click.testing import CliRunner

from facelib.cli import main
from facelib.train import checkpoint


def said(*arguments):
    """What ends the command, on one line."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code in (1, 2) and "Traceback" not in result.output
    return " ".join(result.output.split())


def test_numbers_come_with_an_example_of_their_kind():
    assert "'abc': expected numbers with commas between, such as 10,16" in said("train", "--milestones", "abc")
    rates = said("evaluate", "hog", "--far", "abc")
    assert "expected numbers with commas between, such as 0.1,0.2,0.3" in rates and "10,16" not in rates


@pytest.mark.parametrize(
    ("number", "saved", "named"),
    [
        (errno.ENOSPC, False, "free some space and begin again; nothing was saved yet"),
        (errno.ENOSPC, True, "free some space; --resume goes on from last.pt, the run as it was last saved"),
        (errno.EACCES, False, "mend that or take another --out and begin again; nothing was saved yet"),
    ],
)
def test_a_folder_that_cannot_be_written(number, saved, named, tmp_path, monkeypatch):
    def fails(recipe, out, **rest):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("facelib.train.loop.train", fails)
    if saved:
        checkpoint.save(tmp_path / checkpoint.LAST, {})
    assert f"{tmp_path}: {os.strerror(number)}; {named}" in said("train", "--out", tmp_path)


def test_more_people_than_can_be(tmp_path):
    for name in ("99999999999x2", "10000001x1", "10000000x101"):
        text = said("train", "--train-list", f"synth:{name}", "--out", tmp_path / "run")
        assert f"synth:{name}: at most 10,000,000 people and 1,000,000,000 pictures in an epoch; take fewer" in text
    assert not (tmp_path / "run").exists()
