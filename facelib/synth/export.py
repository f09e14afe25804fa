"""Synthetic people as files: a contact sheet, and a folder in the shape of VGGFace2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ..folders.files import encode, finished_files, write_atomically
from .dataset import find_preset, render_people
from .people import People


def contact_sheet(people: int = 20, shots: int = 8, seed: int = 0, hardness: float = 1.0) -> np.ndarray:
    """One person a row: RGB uint8 (people * 112, shots * 112, 3)."""
    ids = [k for k in range(people) for _ in range(shots)]
    crops = People(people, seed).render(ids, torch.Generator().manual_seed(seed), hardness=hardness).images
    size = crops.shape[1]
    grid = crops.reshape(people, shots, size, size, 3).transpose(0, 2, 1, 3, 4)
    return grid.reshape(people * size, shots * size, 3)


def export_folder(
    target: Path,
    preset: str = "tiny",
    split: str = "train",
    seed: int = 0,
    quality: int = 95,
    listing: Path | None = None,
    device: str = "cpu",
    progress: Callable[[int], object] = lambda done: None,
) -> int:
    """Write aligned pictures as TARGET/n000000/0000_01.jpg, and a list of them with their labels.

    The run may be stopped and started again: people whose pictures are all there are skipped.

    Parameters
    ----------
    listing : path, optional
        Where the list goes: "n000000/0000_01.jpg 0" a line; by default TARGET with ".txt" after it.
    progress : callable
        Called with the number of pictures done since the last call.

    Returns
    -------
    int
        Number of pictures that the folder and the list hold.
    """
    chosen = find_preset(preset)
    names = [f"{j:04d}_01.jpg" for j in range(chosen.shots)]
    lines = []
    for k in range(chosen.count(split)):
        folder = target / f"n{k:06d}"
        if not finished_files(folder).issuperset(names):
            (shots,) = render_people(k + 1, chosen, split, seed, device=device, start=k)
            for name, image in zip(names, shots.images, strict=True):
                write_atomically(folder / name, encode(image, ".jpg", quality))
        lines += [f"{folder.name}/{name} {k}\n" for name in names]
        progress(len(names))
    write_atomically(listing or target.with_name(target.name + ".txt"), "".join(lines).encode())
    return len(lines)
