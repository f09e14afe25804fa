"""Which gallery and which network a command opens, and that they belong together."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from facelib import Embedder, Gallery, Preprocess
from tests.identify_cli.helpers import HOG, enrol, flat_network, run, search


def test_a_network_of_ones_own_and_no_other(crops: Path, rendered: np.ndarray) -> None:
    wants = [
        "--model",
        flat_network(Path("flat.onnx")),
        "--size",
        16,
        "--colour",
        "BGR",
        "--mean",
        0.25,
        "--std",
        "1,2,3",
    ]
    assert enrol("people.npz", "crops", "--aligned", *wants).exit_code == 0
    seen = Preprocess(16, "BGR", (0.25,) * 3, (1, 2, 3))(rendered[0, :2]).reshape(2, -1)
    stored = np.load("people.npz")["vectors"][:2]
    assert np.allclose(stored, seen / np.linalg.norm(seen, axis=1, keepdims=True), atol=1e-6)
    assert Gallery.load("people.npz").embedder == "flat"
    assert search("people.npz", "probes", "--aligned", *wants).exit_code == 0
    other = search("people.npz", "probes", "--aligned", "--model", "hog")
    assert other.exit_code == 1 and "enrolled with the embedder 'flat', not 'hog'" in other.stderr
    other = enrol("people.npz", "crops", "--aligned", "--model", "hog")
    assert other.exit_code == 1 and "enrolled with the embedder 'flat', not 'hog'" in other.stderr
    unnamed = search("people.npz", "probes", "--aligned")
    assert unnamed.exit_code == 2 and "name it with --model" in unnamed.stderr


def test_pixels_that_the_network_saw_and_no_others(crops: Path) -> None:
    wants = ["--aligned", "--model", flat_network(Path("flat.onnx")), "--size", 16, "--std", "1,2,3"]
    assert enrol("people.npz", "crops", *wants, "--mean", 0.25).exit_code == 0
    listed = json.loads(run("list", "people.npz", "--json").stdout)
    assert listed["preprocess"] == {
        "size": 16,
        "colour": "RGB",
        "mean": [0.25] * 3,
        "std": [1.0, 2.0, 3.0],
        "template": "arcface-112",
    }
    before = Path("people.npz").read_bytes()
    words = "people.npz: enrolled with the embedder 'flat' and mean [0.25, 0.25, 0.25]; this 'flat' has mean [0.5, "
    for result in (
        search("people.npz", "probes", *wants, "--mean", 0.5),
        enrol("people.npz", "probes", "--name", "Ada", *wants, "--mean", 0.5),
    ):
        assert result.exit_code == 1 and words in result.stderr and "or enrol the pictures again" in result.stderr
    assert search("people.npz", "probes", *wants, "--mean", 0.25, "--colour", "BGR").exit_code == 1
    assert Path("people.npz").read_bytes() == before
    assert search("people.npz", "probes", *wants, "--mean", 0.25).exit_code == 0


def test_a_network_that_is_known_by_name_is_checked_too(crops: Path, vectors: np.ndarray) -> None:
    """Without --model the gallery's own name leads to the network, which may not be what it was."""
    for preprocess, rows, words in (
        (Preprocess(size=96, mean=(0, 0, 0), std=(1, 1, 1)), vectors[0], "'hog' and size 96; this 'hog' has size 112"),
        (HOG.preprocess, vectors[0, :, :100], "holds vectors of 100 numbers, not 1764"),
        (HOG.preprocess, vectors[0], ""),
    ):
        gallery = Gallery(Embedder(HOG.forward, preprocess, "hog"))
        gallery.enrol("Ada", rows)
        gallery.save("people.npz")
        for result in (
            search("people.npz", "probes", "--aligned"),
            search("people.npz", "probes", "--aligned", "--model", "hog"),
            enrol("people.npz", "crops", "--aligned"),
        ):
            assert result.exit_code == bool(words) and words in result.stderr, result.output
            assert not words or "people.npz: " in result.stderr


def test_a_gallery_behind_a_link(crops: Path) -> None:
    Path("kept").mkdir()
    Path("people.npz").symlink_to("kept/people.npz")
    assert enrol("people.npz", "crops", "--aligned", "--model", "hog", "--threshold", 0.5).exit_code == 0
    assert run("remove", "people.npz", "Ada").exit_code == 0
    assert Path("people.npz").is_symlink() and len(Gallery.load("kept/people.npz")) == 4
    Path("lost.npz").symlink_to("probes/Ada.png/people.npz")
    result = enrol("lost.npz", "crops", "--aligned", "--model", "hog")
    assert result.exit_code == 1 and "probes/Ada.png: cannot be made" in result.stderr
