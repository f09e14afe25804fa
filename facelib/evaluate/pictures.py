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
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ..data import decode, open_source, read_bin, read_carray, read_lfw_pairs
from ..errors import FaceLibError
from ..faces import Faces

if TYPE_CHECKING:
    from ..embedder import Embedder

SYNTHETIC = "synth:"
HARD = "-hard"
LISTS = ("pairs.txt", "pairsDevTest.txt", "pairsDevTrain.txt")
EXTENSIONS = (".jpg", ".png", ".jpeg")
DETECTED = 16  # pictures that the detector sees at once
Progress = Callable[[int], object]


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


def centre_crop(crops: np.ndarray) -> np.ndarray:
    """CCrop: enlarge 112 pixels to 128 and keep the middle 112, (N, S, S, 3) -> (N, S, S, 3).

    A crop in which the face is 1/7 larger, for networks that were trained on such. Of other sizes S, in proportion.
    """
    height, width = crops.shape[1:3]
    large = round(height * 128 / 112), round(width * 128 / 112)
    top, left = (large[0] - height) // 2, (large[1] - width) // 2
    resized = (cv2.resize(crop, large[::-1], interpolation=cv2.INTER_LINEAR) for crop in crops)
    kept = [crop[top : top + height, left : left + width] for crop in resized]
    return np.array(kept, np.uint8).reshape(crops.shape)


def embed_pictures(
    embed: Embedder,
    images: np.ndarray,
    flip: bool = True,
    ccrop: bool = False,
    batch: int = 64,
    rows: np.ndarray | None = None,
    progress: Progress = lambda done: None,
) -> np.ndarray:
    """Embeddings of crops: uint8 (M, H, W, 3) -> float32 (M, D), of any length; of ``rows`` alone (K,) -> (K, D).

    With ``flip`` the unit vectors of a picture and of its mirror image are added, as published figures on LFW usually
    are. With ``ccrop`` each is cropped by ``centre_crop`` first.
    """
    parts = []
    rows = np.arange(len(images)) if rows is None else rows
    for start in range(0, len(rows), batch):
        crops = images[rows[start : start + batch]]
        crops = centre_crop(crops) if ccrop else crops
        vectors = embed(crops)
        parts.append(vectors + embed(np.ascontiguousarray(crops[:, :, ::-1])) if flip else vectors)
        progress(len(crops))
    return np.concatenate(parts)


def open_people(source: str, people: int = 20, shots: int = 20, size: int = 112) -> tuple[np.ndarray, np.ndarray]:
    """Aligned crops (K, S, S, 3) of the first people of a data set, and who is in each, for a similarity matrix.

    ``source`` is "synth:mini" and the like, of which the test people are taken, or whatever
    ``facelib.data.open_source`` knows, such as a folder with a folder for each person.
    """
    if source.startswith(SYNTHETIC):
        from ..synth import load_dataset

        data = load_dataset(source.removeprefix(SYNTHETIC), "test")
        rows = _first_shots(data.labels, people, shots)
        return data.images[rows], np.array([f"person {label:03d}" for label in data.labels[rows]])
    opened = open_source(source)
    rows = _first_shots(opened.labels, people, shots)
    folders = [Path(opened.name(int(row))).parent.name for row in rows]
    labels = [f"person {label:03d}" for label in opened.labels[rows]]
    named = len(set(folders)) == len(set(labels))
    crops = [_resize(opened.image(int(row)), size) for row in rows]
    return np.stack(crops), np.array(folders if named else labels)


def _first_shots(labels: np.ndarray, people: int, shots: int) -> np.ndarray:
    numbers = [n for n, count in zip(*np.unique(labels, return_counts=True), strict=True) if count > 1][:people]
    if len(numbers) < 2:
        raise FaceLibError("a similarity matrix needs two people with two pictures each")
    return np.concatenate([np.flatnonzero(labels == number)[:shots] for number in numbers])


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
    if aligned:
        crops, unreadable, faceless = _read_crops(root, files, size, done)
    else:
        crops, unreadable, faceless = _detect_crops(root, files, size, done, detector)
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


Crops = tuple[list[np.ndarray | None], list[str], list[str]]


def _read_crops(root: Path, files: list[str], size: int, done: Progress) -> Crops:
    crops: list[np.ndarray | None] = []
    unreadable = []
    for file in files:
        try:
            crops.append(_resize(decode((root / file).read_bytes(), str(root / file)), size))
        except (FaceLibError, OSError) as error:
            crops.append(None)
            unreadable.append(str(error))
        done(1)
    return crops, unreadable, []


def _detect_crops(root: Path, files: list[str], size: int, done: Progress, detector: dict[str, Any]) -> Crops:
    """A crop a picture: of the face that is most central for its size, as ``facelib align`` chooses, or the middle."""
    from ..folders.aligner import choose_faces
    from ..folders.each import detect_each, make_detector

    mtcnn = make_detector(**detector)
    crops: list[np.ndarray | None] = []
    unreadable, faceless = [], []
    for start in range(0, len(files), DETECTED):
        part = files[start : start + DETECTED]
        for file, (image, found) in zip(part, detect_each(mtcnn, [root / each for each in part]), strict=True):
            if image is None:
                unreadable.append(str(found))
                crops.append(None)
                continue
            faces = found if isinstance(found, Faces) else Faces.empty()
            crop = _aligned(image, choose_faces(faces, image.shape[0], image.shape[1], "centre"), size)
            if crop is None:
                faceless.append(file)
            crops.append(_middle(image, size) if crop is None else crop)
        done(len(part))
    return crops, unreadable, faceless


def _aligned(image: np.ndarray, face: Faces, size: int) -> np.ndarray | None:
    from ..alignment import align

    try:
        return align(image, face.landmarks[0], size) if len(face) else None
    except FaceLibError:  # landmarks from which no alignment follows
        return None


def _middle(image: np.ndarray, size: int) -> np.ndarray:
    """The middle square of half the shorter side: where LFW's faces are."""
    height, width = image.shape[:2]
    side = max(1, min(height, width) // 2)
    top, left = (height - side) // 2, (width - side) // 2
    return _resize(image[top : top + side, left : left + side], size)


def _resize(image: np.ndarray, size: int) -> np.ndarray:
    if image.shape[:2] == (size, size):
        return image
    return cv2.resize(np.ascontiguousarray(image), (size, size), interpolation=cv2.INTER_AREA)
