"""The pictures of a run: opened from whatever names them, checked, and dealt out as tensors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from ..data import Source, open_source
from ..data.source import MOST_CLASSES
from ..errors import FaceLibError
from ..folders.files import encode
from .distributed import World
from .order import Order
from .recipe import Recipe
from .stopping import leave_signals

SYNTHETIC = "synth:"
LONGEST = 10**9  # pictures in an epoch, each with a label in memory
ENDLESS = re.compile(r"([1-9]\d*)x([1-9]\d*)")


class Rendered(Source):
    """Synthetic people of a preset, from the cache or rendered now."""

    def __init__(self, preset: str, split: str) -> None:
        from ..synth import load_dataset

        data = load_dataset(preset, split)
        self.labels, self.images, self.title = data.labels, data.images, f"{SYNTHETIC}{preset} {split}"

    def name(self, index: int) -> str:
        """Person and number of the picture."""
        return f"{self.title}/{self.labels[index]}/{index}"

    def read(self, index: int) -> bytes:
        """The picture as a PNG file."""
        return encode(self.images[index], ".png")

    def image(self, index: int) -> np.ndarray:
        """The picture, RGB uint8 (112, 112, 3)."""
        return self.images[index]


class Endless(Source):
    """So many synthetic people, drawn anew for each step where it is computed, and never kept.

    Only labels can be asked for: an epoch has ``shots`` pictures for each of the people, who are met at random.

    Raises
    ------
    FaceLibError
        For more people than a head can have, or an epoch of more pictures than memory holds labels.
    """

    def __init__(self, people: int, shots: int) -> None:
        if people > MOST_CLASSES or people * shots > LONGEST:
            raise FaceLibError(
                f"{SYNTHETIC}{people}x{shots}: at most {MOST_CLASSES:,} people and {LONGEST:,} pictures in an epoch;"
                " take fewer, and more --epochs"
            )
        self.people, self.shots, self.title = people, shots, f"{SYNTHETIC}{people}x{shots}"
        self.labels = np.repeat(np.arange(people), shots)

    def name(self, index: int) -> str:
        """Person and number of a picture, which is another one in each epoch."""
        return f"{self.title}/{self.labels[index]}/{index}"

    def read(self, index: int) -> bytes:
        """There is nothing to read."""
        raise FaceLibError(f"{self.name(index)}: is drawn in training and kept nowhere")

    def batches(self, recipe: Recipe, order: Order, place: World) -> Iterator[tuple[Tensor, Tensor, list[str]]]:
        """Batches without end, from the order's first step on, on this process's device.

        Pictures depend on the seed, the step, and on how many processes and parts share it.
        """
        from ..synth import Stream

        share = recipe.batch // (order.world * order.parts)
        stream = Stream(self.people, share, seed=recipe.seed, device=place.device)
        step = order.start
        while True:
            for part in range(order.parts):
                drawn = stream.render((step * order.world + order.rank) * order.parts + part)
                images = drawn.images.permute(0, 3, 1, 2)  # share, 3, 112, 112
                if recipe.size != images.shape[-1]:
                    images = F.interpolate(images.float(), size=(recipe.size,) * 2, mode="area").round().byte()
                yield images, drawn.labels, []
            step += 1


class Crops(Dataset[tuple[Tensor, int, str]]):
    """Pictures of a source as uint8 (3, size, size), with label and fault.

    A picture that cannot be read is a black one with the label -1, which has no part in the loss, and its fault in
    words: one bad file among a million must not end a run.
    """

    def __init__(self, source: Source, size: int) -> None:
        self.source, self.size = source, size

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> tuple[Tensor, int, str]:
        try:
            picture = self.source.image(index)
        except FaceLibError as error:
            return torch.zeros(3, self.size, self.size, dtype=torch.uint8), -1, str(error)
        if picture.shape[:2] != (self.size, self.size):
            picture = cv2.resize(picture, (self.size, self.size), interpolation=cv2.INTER_AREA)
        return torch.from_numpy(picture.transpose(2, 0, 1).copy()), int(self.source.labels[index]), ""


def deal(
    source: Source, recipe: Recipe, order: Order, workers: int, place: World
) -> Iterator[tuple[Tensor, Tensor, list[str]]]:
    """What each part of each step is computed from: pictures (B, 3, size, size), labels (B,), faults."""
    if isinstance(source, Endless):
        return source.batches(recipe, order, place)
    return iter(batches(source, recipe.size, order, 0, workers, place.device.type == "cuda"))


def batches(source: Source, size: int, order: Order | None, batch: int, workers: int, pin: bool) -> DataLoader:
    """Batches in the order given, or all pictures from first to last."""
    if workers:
        cv2.setNumThreads(0)  # OpenCV's threads do not survive a fork
    return DataLoader(
        Crops(source, size),
        batch_size=1 if order is not None else batch,
        batch_sampler=order,
        num_workers=workers,
        collate_fn=collate,
        worker_init_fn=leave_signals,
        pin_memory=pin,
    )


def collate(samples: list[tuple[Tensor, int, str]]) -> tuple[Tensor, Tensor, list[str]]:
    """Pictures (B, 3, size, size), labels (B,), faults of those that could not be read."""
    pictures, labels, faults = zip(*samples, strict=True)
    return torch.stack(pictures), torch.tensor(labels), [fault for fault in faults if fault]


def open_training(recipe: Recipe) -> tuple[Source, int]:
    """Pictures to train on and the number of classes.

    Raises
    ------
    FaceLibError
        ``num_classes`` is not what the labels say, or there are fewer than two people.
    """
    source = open_pictures(recipe.train_list, recipe.dataset_root, "train")
    found = int(source.labels.max()) + 1 if len(source) else 0
    absent = found - len(np.unique(source.labels))
    if recipe.num_classes and recipe.num_classes < found:
        raise FaceLibError(
            f"--num-classes {recipe.num_classes:,}: the labels of {recipe.train_list} go up to {found - 1:,};"
            f" set --num-classes {found}, or leave it out"
        )
    if found - absent < 2:
        raise FaceLibError(f"{recipe.train_list}: {found - absent} people; telling apart takes two")
    return source, max(found, recipe.num_classes)


def open_validation(recipe: Recipe) -> Source | None:
    """Pictures to validate on, if any: of synthetic people, others than those of the training."""
    name = recipe.val_list
    if not name and recipe.train_list.startswith(SYNTHETIC):
        name = f"{SYNTHETIC}mini" if ENDLESS.fullmatch(recipe.train_list.removeprefix(SYNTHETIC)) else recipe.train_list
    source = open_pictures(name, recipe.dataset_root, "validation") if name else None
    if isinstance(source, Endless):
        raise FaceLibError(f"--val-list {name}: these pictures change all the time; validate on {SYNTHETIC}mini")
    return source


def open_pictures(name: str, root: str, split: str) -> Source:
    """``synth:tiny``, ``synth:mini``, ``synth:standard``, ``synth:20000x24``, or what ``open_source`` knows."""
    if name.startswith(SYNTHETIC):
        preset = name.removeprefix(SYNTHETIC)
        endless = ENDLESS.fullmatch(preset)
        return Endless(int(endless[1]), int(endless[2])) if endless else Rendered(preset, split)
    return open_source(name, root or None)


def same_people(one: Source, other: Source) -> bool:
    """Whether a label means the same person in both, judged by the folders that the pictures lie in."""
    first = {
        int(label): folder(one, index) for label, index in zip(*np.unique(one.labels, return_index=True), strict=True)
    }
    found = zip(*np.unique(other.labels, return_index=True), strict=True)
    return all(first.get(int(label)) == folder(other, index) != "" for label, index in found)


def folder(source: Source, index: int) -> str:
    """Folder of a picture; rendered people carry their split in it."""
    return str(PurePosixPath(source.name(int(index))).parent)
