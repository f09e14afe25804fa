"""People with several pictures each: a few for a similarity matrix, or all of a data set, to be identified.

In short::

    crowd = open_crowd("VGGFace2/test")                     # or synth:mini, a list file, a packed data set
    vectors, kept = embed_crowd(crowd, embed)               # a batch of crops at a time, of however many
    crops = crowd.crops([4, 17])                            # some again, to be shown

Pictures are made into crops when they are asked for and not kept: a million of them take no more memory than a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import FolderSource, ListSource, Source, open_source
from ..errors import FaceLibError
from .crops import Cropper, Progress, embed_pictures, resize

if TYPE_CHECKING:
    from ..embedder import Embedder

SYNTHETIC = "synth:"
"""How the name of a data set of rendered people begins; their test people are taken."""

Crops = list[np.ndarray | None]


@dataclass(frozen=True, eq=False)
class Crowd:
    """M pictures of people who are known by name.

    Attributes
    ----------
    name, source : str
    people : str (M,)
        Who is in each picture.
    titles : sequence of M str
    crops : callable
        Numbers of pictures -> aligned crops, uint8 (S, S, 3) each, None where a picture cannot be read.
    unreadable, faceless : list of str
        Grow while crops are made: why pictures could not be read, and in which no face was found.
    """

    name: str
    source: str
    people: np.ndarray
    titles: Sequence[str]
    crops: Callable[[Sequence[int]], Crops]
    unreadable: list[str] = field(default_factory=list)
    faceless: list[str] = field(default_factory=list)


def open_crowd(
    source: str | Path,
    name: str = "",
    size: int = 112,
    aligned: bool = False,
    root: str | Path | None = None,
    **detector: Any,
) -> Crowd:
    """All pictures of a data set and who is in them, none of them read yet.

    Parameters
    ----------
    source : path, or "synth:mini" and the like
        A folder with a folder for each person or a list file: photographs, unless ``aligned``. Whatever else
        ``facelib.data.open_source`` knows holds crops.
    name : str
    size : int
        Side of the crops.
    aligned : bool
        The files are crops already; nothing is detected.
    root : path, optional
        Folder that the paths of a list file are relative to, by default its own.
    **detector
        Of ``facelib.MTCNN``: min_face, device.

    Raises
    ------
    FaceLibError
        Nothing is there, or nothing known.
    """
    text, path = str(source), Path(source)
    if text.startswith(SYNTHETIC):
        return _rendered(text, name)
    opened = open_source(path, path.parent if root is None and path.is_file() else root)
    folders = FolderSource, ListSource
    if isinstance(opened, folders):
        cropper = Cropper(size, aligned, **detector)
        top, names = Path(opened.root), opened
        crops: Callable[[Sequence[int]], Crops] = lambda rows: cropper(  # noqa: E731
            [top / names.name(row) for row in rows], [names.name(row) for row in rows]
        )
        lists = cropper.unreadable, cropper.faceless
    else:
        lists = [], []
        crops = lambda rows: [_stored(opened, row, size, lists[0]) for row in rows]  # noqa: E731
    if isinstance(opened, FolderSource):
        people = np.array(opened.people)[opened.labels]
    else:
        people = np.array([f"person {label:06d}" for label in opened.labels])
    titles = [opened.name(row) for row in range(len(opened))]
    return Crowd(name or path.stem, text, people, titles, crops, *lists)


def embed_crowd(
    crowd: Crowd,
    embed: Embedder,
    flip: bool = True,
    ccrop: bool = False,
    batch: int = 64,
    progress: Progress = lambda done: None,
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of all pictures that can be read: float32 (K, D) of any length, and their numbers, int64 (K,) rising.

    ``flip``, ``ccrop`` and ``batch`` are as of ``embed_pictures``. Beyond the embeddings, of 512 numbers 2 KB each,
    this takes the memory of a batch.

    Raises
    ------
    FaceLibError
        Not one picture can be read.
    """
    vectors, kept = np.empty((0, 0), np.float32), np.zeros(len(crowd.people), bool)
    for start in range(0, len(kept), batch):
        rows = range(start, min(start + batch, len(kept)))
        crops = crowd.crops(rows)
        readable = [row for row, crop in zip(rows, crops, strict=True) if crop is not None]
        if readable:
            part = embed_pictures(embed, np.stack([crop for crop in crops if crop is not None]), flip, ccrop, batch)
            if not vectors.size:
                vectors = np.empty((len(kept), part.shape[1]), np.float32)  # pages that stay empty cost nothing
            before = int(kept.sum())
            vectors[before : before + len(part)] = part
            kept[readable] = True
        progress(len(rows))
    if not kept.any():
        first = crowd.unreadable[0] if crowd.unreadable else "it is empty"
        raise FaceLibError(f"{crowd.source}: not one of {len(kept):,} pictures can be read; {first}")
    return vectors[: kept.sum()], np.flatnonzero(kept)


def open_people(source: str, people: int = 20, shots: int = 20, size: int = 112) -> tuple[np.ndarray, np.ndarray]:
    """Aligned crops (K, S, S, 3) of the first people of a data set, and who is in each, for a similarity matrix.

    ``source`` is "synth:mini" and the like, of which the test people are taken, or whatever
    ``facelib.data.open_source`` knows, such as a folder with a folder for each person.
    """
    if source.startswith(SYNTHETIC):
        crowd = _rendered(source, "")
        rows = _first_shots(crowd.people, people, shots)
        return np.array(crowd.crops(rows.tolist())), crowd.people[rows]
    opened = open_source(source)
    rows = _first_shots(opened.labels, people, shots)
    folders = [Path(opened.name(int(row))).parent.name for row in rows]
    labels = [f"person {label:03d}" for label in opened.labels[rows]]
    named = len(set(folders)) == len(set(labels))
    crops = [resize(opened.image(int(row)), size) for row in rows]
    return np.stack(crops), np.array(folders if named else labels)


def _first_shots(labels: np.ndarray, people: int, shots: int) -> np.ndarray:
    numbers = [n for n, count in zip(*np.unique(labels, return_counts=True), strict=True) if count > 1][:people]
    if len(numbers) < 2:
        raise FaceLibError("a similarity matrix needs two people with two pictures each")
    return np.concatenate([np.flatnonzero(labels == number)[:shots] for number in numbers])


def _rendered(source: str, name: str) -> Crowd:
    from ..synth import load_dataset

    data = load_dataset(source.removeprefix(SYNTHETIC), "test")
    people = np.array([f"person {label:03d}" for label in data.labels])
    titles = [f"{person}, picture {row}" for row, person in enumerate(people)]
    return Crowd(name or source.replace(":", "-"), source, people, titles, lambda rows: [*data.images[list(rows)]])


def _stored(opened: Source, row: int, size: int, unreadable: list[str]) -> np.ndarray | None:
    try:
        return resize(opened.image(int(row)), size)
    except FaceLibError as error:
        unreadable.append(str(error))
        return None
