"""The weights that come with the package: small, usable by name, as good as their card says, and no better."""

import re
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import facelib
from facelib import embedder, records
from facelib.evaluate import verification
from facelib.synth import load_dataset, make_pairs

FOLDER = Path(str(resources.files("facelib"))) / "weights"
CARD = (FOLDER / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", embedder.SHIPPED)
def test_they_are_small_and_load_by_name(name):
    assert (FOLDER / f"{name}.safetensors").stat().st_size <= 5_000_000
    embed = facelib.Embedder.load(name)
    vectors = embed(np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8))
    assert embed.name == name and vectors.shape == (3, 128) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_people_nobody_trained_on_are_told_apart():
    data = load_dataset("tiny", "test", quiet=True)  # 20 people of 8 pictures
    pairs = make_pairs(data)
    figures = {}
    for name in ("mobilefacenet-synth", "hog"):
        vectors = facelib.Embedder.load(name)(data.images)
        figures[name] = verification(vectors[pairs.a], vectors[pairs.b], pairs.same).accuracy
    assert figures["mobilefacenet-synth"] > 0.93
    assert figures["mobilefacenet-synth"] > figures["hog"] + 0.1


def test_the_card_states_what_was_measured():
    rows = {row["embedder"]: row for row in records.load("weights")["rows"]}
    assert {*embedder.SHIPPED, "HOG", "raw pixels"} <= rows.keys()
    table = [re.split(r" \| |\| | \|", line.strip())[1:-1] for line in CARD.splitlines() if line.startswith("| ")]
    stated = {cells[0]: cells[1:] for cells in table if cells[0] in rows}
    assert stated.keys() == rows.keys()
    for name, row in rows.items():
        wanted = [
            f"{row[key]:.1f} ({row[f'{key} interval'][0]:.1f} to {row[f'{key} interval'][1]:.1f})"
            for key in ("unseen easy", "unseen hard", "real")
        ]
        assert stated[name] == wanted
    assert rows["raw pixels"]["real"] < rows["mobilefacenet-synth"]["real"] < 100


def test_the_card_names_the_run_and_its_recipe():
    (run,) = re.findall(r"`runs/(\w+)`", CARD)
    assert f"`recipes/{run}.toml`" in CARD
    recorded = records.load("runs")["runs"][run]["record"]
    assert f"{recorded['people']:,} people" in CARD and f"{recorded['recipe']['epochs']:g} epochs" in CARD
    assert f"CosFace, {recorded['recipe']['epochs']:g}" in CARD and recorded["recipe"]["metric"] == "cosface"
    shown = recorded["steps"] * recorded["recipe"]["batch"]
    assert f"{round(shown, -4):,} pictures shown" in CARD
