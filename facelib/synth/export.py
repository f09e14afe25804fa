"""Synthetic people as files: a contact sheet, and a folder in the shape of VGGFace2."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ..errors import FaceLibError
from ..folders.align import check_settings
from ..folders.files import encode, finished_files, make_folder, write_atomically
from .dataset import EVERYBODY, VERSION, find_preset, known_split, render_people
from .people import People

SETTINGS = "synth_settings.json"


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

    The run may be stopped and started again: people whose pictures are all there are skipped. What the pictures
    depend on stands beside them in ``synth_settings.json``.

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

    Raises
    ------
    FaceLibError
        An unknown preset, split or device; a folder that holds other files, or was made with another preset, split,
        seed, quality or renderer; a file that cannot be written.
    """
    chosen = find_preset(preset)
    people = range(chosen.count(known_split(split)))
    People(EVERYBODY, seed, device)  # refuses a wrong seed or device before anything is written
    names = [f"{j:04d}_01.jpg" for j in range(chosen.shots)]
    lines = []
    try:
        _begin(target, {"renderer": VERSION, "preset": preset, "split": split, "seed": seed, "quality": quality})
        for k in people:
            folder = target / f"n{k:06d}"
            if not finished_files(folder).issuperset(names):
                (shots,) = render_people(k + 1, chosen, split, seed, device=device, start=k)
                for name, image in zip(names, shots.images, strict=True):
                    write_atomically(folder / name, encode(image, ".jpg", quality))
            lines += [f"{folder.name}/{name} {k}\n" for name in names]
            progress(len(names))
        beside = Path(f"{os.path.abspath(target)}.txt")  # the target itself may be ".", which has no name
        write_atomically(listing or beside, "".join(lines).encode())
    except OSError as error:
        raise FaceLibError(
            f"{error.filename or target}: cannot be written ({error.strerror or error}); mend that and run the"
            " same command again: it goes on from here, what is written is complete"
        ) from error
    return len(lines)


def _begin(target: Path, settings: dict[str, object]) -> None:
    """One folder, one set: people of another seed or split in it would be taken for these."""
    make_folder(target)
    files = finished_files(target)  # without left-overs of a killed run
    if SETTINGS not in files and any(target.iterdir()):
        raise FaceLibError(
            f"{target}: holds other files, or people without {SETTINGS}, of whom nobody knows the seed and split;"
            " choose an empty or a new folder"
        )
    check_settings(target / SETTINGS, settings)
