"""Pairs of pictures, from whatever holds them, and their embeddings.

    pairs = open_pairs("lfw.bin")                       # or a bcolz folder, a folder with pairs.txt, synth:mini
    vectors = embed_pictures(embed, pairs.images, flip=True)
    report = verification(vectors[pairs.a], vectors[pairs.b], pairs.same, fold=pairs.fold)

A picture that stands in several pairs is kept and embedded once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..data import read_bin, read_carray, read_lfw_pairs
from ..errors import FaceLibError
from .crops import DETECTED, Cropper, Progress, centre_crop, embed_pictures
from .people import SYNTHETIC, open_people

__all__ = ["PairSet", "Progress", "centre_crop", "deal_folds", "embed_pictures", "open_pairs", "open_people"]

HARD = "-hard"
LISTS = ("pairs.txt", "pairsDevTest.txt", "pairsDevTrain.txt")
EXTENSIONS = (".jpg", ".png", ".jpeg")


@dataclass(frozen=True, eq=False)
class PairSet:
    """N pairs of M pictures.

    Attributes
    ----------
    name, source : str
    images : RGB uint8 (M, H, W, 3)
        Aligned crops.
    a, b : int64 (N,)
        Pictures of each pair.
    same : bool (N,)
    fold : int64 (N,)
        The set's own folds, or those that ``deal_folds`` made.
    people : str (M,)
        Who is in each picture; "" where nobody knows.
    titles : list of M str
    named : bool
        Whether ``people`` are names. If not, they are groups of pictures that same pairs hold together, and two
        groups may be one person.
    listed : int
        Pictures that the list of pairs names, whether they could be read or not; 0 where there is no list.
    left_out : int
        Pairs of which a picture could not be read.
    unreadable, faceless : list of str
        Pictures that could not be read, with the reason, and those in which no face was found.
    """

    name: str
    source: str
    images: np.ndarray
    a: np.ndarray
    b: np.ndarray
    same: np.ndarray
    fold: np.ndarray
    people: np.ndarray
    titles: Sequence[str]
    named: bool = True
    listed: int = 0
    left_out: int = 0
    unreadable: list[str] = field(default_factory=list)
    faceless: list[str] = field(default_factory=list)

    @property
    def pictures(self) -> np.ndarray:
        """Rows of the pictures that are in a pair, rising; a set may hold more."""
        return np.union1d(self.a, self.b)


def open_pairs(
    source: str | Path,
    name: str = "",
    folds: int = 10,
    size: int = 112,
    aligned: bool = False,
    progress: Callable[[int], Progress] = lambda total: lambda done: None,
    **detector: Any,
) -> PairSet:
    """Pairs from a ``.bin`` file, a bcolz folder, a folder of photographs with LFW's list, or rendered people.

    Parameters
    ----------
    source : path, "synth:mini" or "synth:mini-hard"
        A bcolz folder is the one with ``data`` and ``meta``, or the one above it. A folder of photographs holds
        ``pairs.txt``, ``pairsDevTest.txt`` or ``pairsDevTrain.txt``, of which the first that is there counts, or is
        such a file; the pictures are in the same folder or one below it.
    name : str
    folds : int
        Where the set has none of its own.
    size : int
        Side of the crops that are made from photographs.
    aligned : bool
        The folder holds crops already; nothing is detected.
    progress : callable
        Gets the number of pictures to detect in and returns a function that is told how many are done.
    **detector
        Of ``facelib.MTCNN``: min_face, device.

    Raises
    ------
    FaceLibError
        Nothing is there, or nothing known, or not one pair of each kind is left.
    """
    text, path = str(source), Path(source)
    name = name or path.stem
    if text.startswith(SYNTHETIC):
        return _synthetic(text, name, folds)
    if not path.exists():
        raise FaceLibError(f"{path}: no such file or folder; expected a .bin file, a bcolz folder, or a folder with"
                           f" {LISTS[0]}, or {SYNTHETIC}mini")  # fmt: skip
    listing = path if path.suffix == ".txt" else next((path / each for each in LISTS if (path / each).is_file()), None)
    if listing is not None:
        return _photographs(listing, name, folds, size, aligned, progress, detector)
    if path.is_dir():
        images, same = read_carray(_carray(path, name))
    else:
        images, same = read_bin(path)
    return _numbered(images, same, name, text, folds)


def deal_folds(same: np.ndarray, folds: int) -> np.ndarray:
    """Folds int64 (N,): the same pairs, and likewise the different ones, cut into so many runs of neighbours.

    In lists like LFW's, whose folds are half same, this gives the folds of the list. A list with all same pairs first
    would have folds of one kind if it were cut as it stands.
    """
    if not 2 <= folds <= len(same):
        raise FaceLibError(f"{folds} folds of {len(same)} pairs: expected at least 2, and a pair in each")
    fold = np.empty(len(same), np.int64)
    for kind in (same, ~same):
        fold[kind] = np.arange(kind.sum()) * folds // max(1, int(kind.sum()))
    return fold


def _synthetic(source: str, name: str, folds: int) -> PairSet:
    from ..synth import load_dataset, make_pairs

    preset = source.removeprefix(SYNTHETIC)
    hard = preset.endswith(HARD)
    data = load_dataset(preset.removesuffix(HARD), "test", hide_hair=hard)
    pairs = make_pairs(data, hard=hard, folds=folds)
    people = np.array([f"person {label:03d}" for label in data.labels])
    titles = [f"{person}, picture {row}" for row, person in enumerate(people)]
    return PairSet(name, source, data.images, pairs.a, pairs.b, pairs.same, pairs.fold, people, titles)


def _numbered(images: np.ndarray, same: np.ndarray, name: str, source: str, folds: int) -> PairSet:
    """Pictures 2k and 2k + 1 are pair k; equal pictures become one."""
    known: dict[bytes, int] = {}
    digests = (hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images)
    rows = np.array([known.setdefault(digest, len(known)) for digest in digests])
    first = np.unique(rows, return_index=True)[1]
    a, b = rows[0::2], rows[1::2]
    titles = [f"picture {row}" for row in first]
    images = images[first] if len(first) < len(images) else images
    people = _groups(a[same], b[same], len(first))
    return PairSet(name, source, images, a, b, same, deal_folds(same, folds), people, titles, named=False)


def _groups(a: np.ndarray, b: np.ndarray, count: int) -> np.ndarray:
    """Names of the groups that pairs hold together, numbered by size; "" of pictures in none of the pairs."""
    parent = np.arange(count)

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = row = parent[parent[row]]
        return row

    for one, other in zip(a.tolist(), b.tolist(), strict=True):
        parent[root(one)] = root(other)
    roots = np.array([root(row) for row in range(count)])
    sizes = np.bincount(roots, minlength=count)
    rank = np.empty(count, np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(count)
    return np.array([f"group {rank[r] + 1:04d}" if sizes[r] > 1 else "" for r in roots])


def _carray(path: Path, name: str) -> Path:
    """The folder with ``meta`` and ``data`` at or below a path."""
    if (path / "meta").is_dir():
        return path
    found = sorted(meta.parent for meta in path.glob("*/meta") if meta.is_dir())
    alike = [each for each in found if each.name.split("_")[0] == name.replace("-", "_").split("_")[0]]
    if len(found) == 1 or len(alike) == 1:
        return (alike or found)[0]
    if found:
        raise FaceLibError(f"{path}: holds {len(found)} sets, {', '.join(each.name for each in found)}; name one")
    raise FaceLibError(f"{path}: holds neither {' nor '.join(LISTS)} nor a bcolz folder (data and meta)")


def _photographs(
    listing: Path, name: str, folds: int, size: int, aligned: bool, progress: Callable[[int], Progress],
    detector: dict[str, Any],
) -> PairSet:  # fmt: skip
    names = read_lfw_pairs(listing).names
    root, extension = _find_pictures(listing, names)
    pairs = read_lfw_pairs(listing, extension)
    files = sorted(set(pairs.names))
    place = {file: row for row, file in enumerate(files)}
    rows = np.array([place[file] for file in pairs.names])
    done = progress(len(files))
    cropper, crops = Cropper(size, aligned, **detector), []
    for start in range(0, len(files), DETECTED):
        part = files[start : start + DETECTED]
        crops += cropper([root / file for file in part], part)
        done(len(part))
    unreadable, faceless = cropper.unreadable, cropper.faceless
    readable = np.array([crop is not None for crop in crops])
    kept = readable[rows[0::2]] & readable[rows[1::2]]
    same = pairs.same[kept]
    if same.all() or not same.any():
        raise FaceLibError(f"{listing}: {kept.sum()} of {len(kept)} pairs are left, not of both kinds; {unreadable[0]}"
                           if unreadable else f"{listing}: pairs of one kind only")  # fmt: skip
    own = pairs.folds[kept]
    new = np.cumsum(readable) - 1
    present = [file for file, crop in zip(files, crops, strict=True) if crop is not None]
    return PairSet(
        name, str(listing), np.stack([crop for crop in crops if crop is not None]),
        new[rows[0::2]][kept], new[rows[1::2]][kept], same, own if own.any() else deal_folds(same, folds),
        np.array([file.split("/")[0] for file in present]), [Path(file).stem for file in present],
        listed=len(files), left_out=int((~kept).sum()), unreadable=unreadable, faceless=faceless,
    )  # fmt: skip


def _find_pictures(listing: Path, names: list[str]) -> tuple[Path, str]:
    """Folder and extension of the pictures, judged by the first few."""
    stems = [name.removesuffix(".jpg") for name in dict.fromkeys(names[:20])]
    for root in (listing.parent, *sorted(each for each in listing.parent.iterdir() if each.is_dir())):
        for extension in EXTENSIONS:
            if any((root / (stem + extension)).is_file() for stem in stems):
                return root, extension
    raise FaceLibError(
        f"{listing}: {names[0]} and the next are neither in {listing.parent} nor in a folder in it; put the list"
        " beside the pictures"
    )
