"""Recipes: to TOML and back, from the command line, and what cannot be is said."""

import dataclasses

import pytest
from click.testing import CliRunner

from facelib import FaceLibError
from facelib.cli import main
from facelib.train import Recipe, read_recipe, write_recipe
from facelib.train.recipe import GROUPS, METRICS, from_dict, option
from tests.train.helpers import ROOT

OTHER = Recipe(
    train_list='a "b"\\c.txt', metric="cosface", scale=30.5, milestones=(1.0, 2.5), recompute=True, epochs=3, seed=7
)


def test_to_toml_and_back(tmp_path):
    for recipe in (Recipe(), OTHER):
        (tmp_path / "r.toml").write_text(write_recipe(recipe), "utf-8")
        assert read_recipe(tmp_path / "r.toml") == recipe
        assert from_dict(recipe.to_dict()) == recipe


@pytest.mark.parametrize("file", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda file: file.stem)
def test_every_recipe_of_ours_can_be_read(file):
    assert read_recipe(file).metric in METRICS


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("epoch = 3", "no setting 'epoch'; did you mean epochs"),
        ("[training]\nepochs = 'three'", "epochs = 'three': expected float"),
        ("batch = 1.5", "expected int"),
        ("batch = true", "expected int"),
        ("milestones = ['a']", "list of numbers"),
        ("[optimiser]\nlr = 1", r"no table \[optimiser\]"),
        ("lr = = 1", "no TOML"),
        ("metric = 'arc'", "choose softmax"),
        ("lr = 0", "above 0"),
        ("dropout = 1.0", "below 1"),
        ("batch = 10\naccumulate = 3", "equal parts"),
        ("head = 'partial'\nrate = 0.0", "--rate 0.0: must be above 0 and at most 1"),
        ("rate = 1.5", "--rate 1.5"),
        ("embedding = 0", "--embedding 0: must be at least 1"),
    ],
)
def test_what_cannot_be_is_said(text, named, tmp_path):
    (tmp_path / "r.toml").write_text(text, "utf-8")
    with pytest.raises(FaceLibError, match=named):
        read_recipe(tmp_path / "r.toml")


def test_a_missing_file(tmp_path):
    with pytest.raises(FaceLibError, match="none.toml"):
        read_recipe(tmp_path / "none.toml")


def test_every_setting_has_an_option_that_explains_it():
    text = CliRunner().invoke(main, ["train", "--help"], terminal_width=200).output
    for item in dataclasses.fields(Recipe):
        assert f"{option(item.name)} " in text, item.name
        assert item.metadata["help"][:40] in text
        assert item.metadata["group"] in GROUPS


def test_options_win_over_the_file_and_defaults_do_not(tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr(
        "facelib.train.loop.train", lambda recipe, out, **rest: seen.update(recipe=recipe, out=out) or {}
    )
    (tmp_path / "r.toml").write_text("lr = 0.5\nepochs = 9\n", "utf-8")
    command = ["train", "--recipe", str(tmp_path / "r.toml"), "--epochs", "2", "--milestones", "1,1.5", "--recompute"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    assert seen["recipe"] == Recipe(lr=0.5, epochs=2, milestones=(1.0, 1.5), recompute=True)
    assert str(seen["out"]) == "runs/synth-mini-iresnet50-arcface"
