"""Five rendered people as crops, as photographs with backgrounds, and enrolled already."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from facelib import Gallery, samples
from facelib.synth import People
from tests.identify_cli.helpers import HOG, WHO, write


@pytest.fixture(scope="session")
def rendered() -> np.ndarray:
    """uint8 (5, 3, 112, 112, 3): three passport pictures of each, from a draw in which hog tells all five apart."""
    chance, ids = torch.Generator().manual_seed(2), [k for k in range(len(WHO)) for _ in range(3)]
    shots = People(len(WHO), seed=2).render(ids, chance, hardness=0.0, supersample=1)
    return shots.images.reshape(len(WHO), 3, 112, 112, 3)


@pytest.fixture(scope="session")
def written(rendered: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """crops/NAME/{0,1}.png to enrol, probes/NAME.png to look for."""
    root = tmp_path_factory.mktemp("written")
    for name, shots in zip(WHO, rendered, strict=True):
        for k in range(2):
            write(root / f"crops/{name}/{k}.png", shots[k])
        write(root / f"probes/{name}.png", shots[2])
    return root


@pytest.fixture
def crops(tmp_path: Path, written: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them in the current folder."""
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def vectors(rendered: np.ndarray) -> np.ndarray:
    """float32 (5, 3, D)."""
    return HOG(rendered.reshape(-1, 112, 112, 3)).reshape(len(WHO), 3, -1)


@pytest.fixture
def enrolled(crops: Path, vectors: np.ndarray) -> Path:
    """What `enrol people.npz crops --aligned --model hog` makes, as test_searching.py shows; much faster."""
    gallery = Gallery("hog")
    for name, shots in zip(WHO, vectors, strict=True):
        gallery.enrol(name, shots[:2], sources=[str(crops / f"crops/{name}/{k}.png") for k in range(2)])
    gallery.save("people.npz")
    return crops


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """photos/{Ada,Emmy}/{a,b}.png with backgrounds, faces somewhere in them."""
    monkeypatch.chdir(tmp_path)
    for person, name in ((1, "Ada"), (2, "Emmy")):
        for shot, image in zip("ab", samples.pair(person), strict=True):
            write(tmp_path / f"photos/{name}/{shot}.png", image)
    return tmp_path
