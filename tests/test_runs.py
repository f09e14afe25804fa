"""Recorded runs: complete in runs/, and gathered in the package as they are."""

import json
from pathlib import Path

import pytest

from facelib import records
from facelib.train import read_recipe
from facelib.train.recipe import from_dict
from tools import runs

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = sorted(file.parent for file in (ROOT / "runs").glob("*/run.json"))


def test_the_gathered_runs_are_those_of_the_folder():
    assert (ROOT / runs.GATHERED).read_text("utf-8") == runs.text(), "run: python tools/runs.py"
    assert len(FOLDERS) >= 2


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_run_says_how_it_was_made(folder):
    record = json.loads((folder / "run.json").read_text("utf-8"))
    recipe = from_dict(record["recipe"]).to_dict()  # settings that came later have their defaults
    assert recipe == read_recipe(folder / "recipe.toml").to_dict()
    assert record["commit"] and not record["commit"].endswith("-dirty")
    assert record["seconds"] > 0 and record["images/s"] > 0 and record["device"]
    assert recipe == read_recipe(ROOT / "recipes" / f"{folder.name}.toml").to_dict()
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]
    assert max(row["step"] for row in rows) == record["steps"]
    last = [row for row in rows if "validation verification" in row][-1]
    assert last["step"] == record["steps"]
    assert record["validation"]["verification"] == last["validation verification"]


def test_the_lessons_get_reports_and_validations():
    for name, run in records.load("runs")["runs"].items():
        assert 1 < len(run["reports"]) <= runs.MOST, name
        assert all(set(runs.FIGURES) < set(row) for row in run["reports"]), name
        assert [row["step"] for row in run["reports"]] == sorted({row["step"] for row in run["reports"]})
        assert run["validations"], name


def test_thinning_keeps_means_and_the_last_step():
    rows = [dict.fromkeys(runs.FIGURES, float(k)) | {"step": k + 1} for k in range(10)]
    thin = runs.thinned(rows, most=4)
    assert [row["step"] for row in thin] == [3, 6, 9, 10]
    assert [row["loss"] for row in thin] == [1, 4, 7, 9]
    assert runs.thinned(rows) == rows and runs.thinned([]) == []
