"""``facelib bench``: a table with a row for each network, and one line where something is wrong."""

import pytest
from click.testing import CliRunner

from facelib.cli import main


def call(*arguments):
    return CliRunner().invoke(main, ["bench", "backbones", *arguments])


def test_a_row_for_each_name():
    result = call("mobilefacenet", "resnet18", "--size", "32", "--embedding", "16")
    assert result.exit_code == 0, result.output
    head, first, second = result.output.splitlines()
    assert head.split() == ["million", "weights", "million", "operations", "ms", "a", "crop"]
    assert first.split()[:2] == ["mobilefacenet", "0.9"]
    assert second.split()[0] == "resnet18" and float(second.split()[3]) > 0


@pytest.mark.parametrize(
    ("arguments", "named"), [(["iresnet5"], "did you mean"), (["resnet18", "--device", "cuda:99"], "device 'cuda:99'")]
)
def test_what_is_wrong_is_said_in_one_line(arguments, named):
    result = call(*arguments)
    assert result.exit_code == 1
    assert named in result.output and len(result.output.splitlines()) == 1
