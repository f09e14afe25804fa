"""A data set and a recipe small enough to be trained in a second."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from facelib.folders.files import encode
from facelib.train import Recipe

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
PEOPLE, SHOTS, SIZE = 6, 10, 32
TRAIN = [sys.executable, str(ROOT / "train.py")]


def make_people(folder: Path, people: int = PEOPLE, shots: int = SHOTS) -> Path:
    """Folders of noisy pictures, a colour a person, and the list of all of them; returns the list."""
    chance = np.random.default_rng(0)
    colours = chance.integers(40, 216, (people, 3))
    lines = []
    for person in range(people):
        for shot in range(shots):
            picture = colours[person] + chance.normal(0, 12, (SIZE, SIZE, 3))
            file = folder / f"n{person:06d}" / f"{shot:04d}_01.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encode(picture.clip(0, 255).astype(np.uint8), ".png"))
            lines.append(f"{file.relative_to(folder).as_posix()} {person}")
    (folder / "train.txt").write_text("\n".join(lines) + "\n", "utf-8")
    return folder / "train.txt"


def recipe(folder: Path, **changes: object) -> Recipe:
    """A recipe for these pictures: 7 steps an epoch."""
    return Recipe(
        train_list=str(folder / "train.txt"), val_list=str(folder / "train.txt"), dataset_root=str(folder),
        backbone="mobilefacenet", embedding=16, size=SIZE, metric="cosface", scale=16, batch=8, epochs=2, lr=0.05,
    ).but(**changes)  # fmt: skip
