"""Data sets of synthetic people: presets, identity-disjoint splits, a cache on disk.

The pictures of person k depend on (seed, k), on how many they are and on ``VERSION`` alone, so more people change
nobody's pictures, and a run that was stopped goes on as if it had not been.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import FaceLibError
from ..folders.files import write_atomically
from ..folders.progress import progress_bar
from .numbers import uniforms
from .people import People
from .shots import Shots

VERSION = 2
"""Raised whenever the same seed gives other pictures; cached files of other versions are not read."""

SPLITS = {"train": 0, "validation": 1_000_000_000, "test": 2_000_000_000}
"""Number of the first person of each split: no person is in two of them, however large they grow."""

EVERYBODY = 3_000_000_000  # people of all splits; nobody is stored
_KEPT = ("id", "yaw", "pitch", "roll", "masculine", "age", "melanin", "glasses", "hat", "occluder", "visible")


@dataclass(frozen=True)
class Preset:
    """How many people a data set has and how many pictures of each; half as many people for validation and test."""

    people: int
    shots: int
    hardness: float = 1.0

    def count(self, split: str) -> int:
        """Number of people of a split."""
        return self.people if split == "train" else max(20, self.people // 2)


PRESETS = {"tiny": Preset(40, 8), "mini": Preset(200, 16), "standard": Preset(1000, 24)}
"""tiny for tests, mini for lessons (made once, in a minute or two), standard for training runs."""


@dataclass(frozen=True)
class Dataset:
    """N aligned pictures.

    images uint8 (N, 112, 112, 3); labels int64 (N,), 0 ... people - 1; landmarks float32 (N, 5, 2); attributes: pose,
    traits and what is worn, N rows each.
    """

    images: np.ndarray
    labels: np.ndarray
    landmarks: np.ndarray
    attributes: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def people(self) -> int:
        """Number of people."""
        return int(self.labels.max()) + 1


def load_dataset(
    preset: str = "mini",
    split: str = "train",
    seed: int = 0,
    hide_hair: bool = False,
    cache: str | os.PathLike[str] | None = None,
    device: str | torch.device = "cpu",
    quiet: bool = False,
) -> Dataset:
    """A data set, made on the first call and read from the cache afterwards.

    Parameters
    ----------
    preset : str
        A name in ``PRESETS``.
    split : str
        "train", "validation" or "test": other people in each.
    seed : int
        Which world the people come from.
    hide_hair : bool
        Shave everybody's head, so that nobody is known by the hair; for hard pairs.
    cache : path, optional
        Folder of the stored data sets; by default ``$FACELIB_CACHE`` or ``~/.cache/facelib``.
    quiet : bool
        No progress bar.

    Raises
    ------
    FaceLibError
        Unknown preset or split.
    """
    chosen = find_preset(preset)
    count = chosen.count(known_split(split))
    name = f"synth-v{VERSION}-{preset}-{split}-seed{seed}{'-shaved' if hide_hair else ''}.npz"
    path = Path(cache or os.environ.get("FACELIB_CACHE") or Path.home() / ".cache" / "facelib") / name
    stored = _read(path)
    if stored is not None:
        return stored
    parts = []
    with progress_bar(count * chosen.shots, quiet) as bar:
        for shots in render_people(count, chosen, split, seed, hide_hair, device):
            parts.append(shots)
            bar.update(len(shots))
    made = Dataset(
        np.concatenate([part.images for part in parts]),
        np.repeat(np.arange(count), chosen.shots),
        np.concatenate([part.landmarks for part in parts]),
        {name: np.concatenate([part.attributes[name] for part in parts]) for name in _KEPT},
    )
    _write(path, made)
    return made


def render_people(
    count: int,
    preset: Preset,
    split: str,
    seed: int,
    hide_hair: bool = False,
    device: str | torch.device = "cpu",
    start: int = 0,
) -> Iterator[Shots]:
    """The pictures of the people number start ... count - 1 of a split, one person at a time."""
    people = People(EVERYBODY, seed, device)
    fixed: dict[str, Any] = {"hair_length": 0, "hat": 0, "beardiness": 0.3} if hide_hair else {}
    for k in range(start, count):
        number = SPLITS[known_split(split)] + k
        # Chapter 2 of a person's numbers seeds their scenes.
        scenes = torch.Generator().manual_seed(int(uniforms(seed, number, 1, chapter=2)[0] * 2**62))
        yield people.render([number] * preset.shots, scenes, hardness=preset.hardness, **fixed)


def find_preset(name: str) -> Preset:
    """A preset by its name."""
    if name not in PRESETS:
        raise FaceLibError(f"there is no preset {name!r}: choose {', '.join(PRESETS)}")
    return PRESETS[name]


def known_split(split: str) -> str:
    """The name of a split, if it is one."""
    if split not in SPLITS:
        raise FaceLibError(f"there is no split {split!r}: choose {', '.join(SPLITS)}")
    return split


def _write(path: Path, data: Dataset) -> None:
    file = io.BytesIO()
    arrays: dict[str, Any] = {"images": data.images, "labels": data.labels, "landmarks": data.landmarks}
    arrays.update(data.attributes)
    np.savez(file, **arrays)
    write_atomically(path, file.getvalue())


def _read(path: Path) -> Dataset | None:
    """What is stored, or None where nothing readable is; it is then made again."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            attributes = {name: stored[name] for name in _KEPT}
            return Dataset(stored["images"], stored["labels"], stored["landmarks"], attributes)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
