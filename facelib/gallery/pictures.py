"""From files to people of a gallery, and from files to names: what ``facelib identify`` does, picture after picture.

Whatever is wrong with a picture costs only itself: it is told, counted and left out.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import FaceLibError
from ..folders.words import once

if TYPE_CHECKING:
    from ..embedder import Embedder
    from ..faces import Faces
    from .people import Gallery

TOGETHER = 64  # pictures of one person that are enrolled in one go; Ctrl-C loses no more
SAVED = 500  # pictures between two saves, and a tenth of the gallery if that is more: saving stays cheap


@dataclass
class Tally:
    """What became of the pictures. skipped: the kind of fault, and the line that tells it."""

    added: int = 0
    known: int = 0
    before: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Seen:
    """A picture and the faces in it: crops uint8 (N, S, S, 3), or a fault in words."""

    file: str
    image: np.ndarray | None
    faces: Faces
    crops: np.ndarray
    fault: str = ""


class Look:
    """Files -> pictures, faces and crops, a few at a time. Whatever is wrong with a file costs only itself."""

    def __init__(self, size: int, aligned: bool, min_face: float, device: str) -> None:
        from ..detect import MTCNN

        self.size, self.aligned = size, aligned
        self.step = TOGETHER if aligned else 1 if device == "cpu" else 16
        self.mtcnn = None if aligned else MTCNN(min_face, device=device)

    def __call__(self, files: list[str], central: bool) -> Iterator[Seen]:
        """All faces as the detector ranks them, or only the one that is most central for its size."""
        from ..folders.each import detect_each

        for start in range(0, len(files), self.step):
            part = files[start : start + self.step]
            if self.mtcnn is None:
                yield from map(self._crop, part)
                continue
            for file, (image, found) in zip(part, detect_each(self.mtcnn, part), strict=True):
                yield self._faces(file, image, found, central)

    def _crop(self, file: str) -> Seen:
        """The picture itself: one face, from edge to edge."""
        import cv2

        from ..alignment import TEMPLATE_112
        from ..faces import Faces
        from ..image import load_image

        try:
            image = load_image(file)
        except FaceLibError as error:
            return self._nothing(file, None, str(error))
        height, width = image.shape[:2]
        landmarks = TEMPLATE_112 * (width / 112, height / 112)
        crop = cv2.resize(image, (self.size, self.size), interpolation=cv2.INTER_AREA)
        return Seen(file, image, Faces(np.array([[0, 0, width, height]]), np.ones(1), landmarks[None]), crop[None])

    def _faces(self, file: str, image: np.ndarray | None, found: Faces | Exception, central: bool) -> Seen:
        from ..alignment import align
        from ..folders.aligner import choose_faces

        if image is None or isinstance(found, Exception):
            return self._nothing(file, image, str(found))
        if central:
            found = choose_faces(found, image.shape[0], image.shape[1], "centre")
        crops, keep = [], []
        for number, landmarks in enumerate(found.landmarks):
            try:
                crops.append(align(image, landmarks, self.size))
                keep.append(number)
            except FaceLibError:  # landmarks from which no alignment follows: no face
                continue
        return Seen(file, image, found[keep], np.stack(crops)) if keep else self._nothing(file, image)

    def _nothing(self, file: str, image: np.ndarray | None, fault: str = "") -> Seen:
        from ..faces import Faces

        return Seen(file, image, Faces.empty(), np.empty((0, self.size, self.size, 3), np.uint8), fault)


def add_folder(root: str, wanted: dict[str, list[str]], tally: Tally) -> None:
    from ..folders.files import walk

    for folder in walk(root):
        if folder.fault:
            tally.skipped.append(("unreadable", f"{os.path.join(root, folder.path)}: {folder.fault}"))
        files = [os.path.join(root, folder.join(picture)) for picture in folder.pictures]
        if folder.path:
            wanted.setdefault(one_spelling(folder.path.split("/")[0]), []).extend(files)
        else:
            tally.skipped += [("in nobody's folder", f"{file}: in nobody's folder") for file in files]


def enrol_all(opened: Gallery, wanted: dict[str, list[str]], embed: Embedder, look: Look, quality: bool, quiet: bool,
               tally: Tally, save: Callable[[], None]) -> None:  # fmt: skip
    from ..folders.progress import progress_bar

    sources = {person.name: set(person.sources) for person in opened.people()}
    unsaved, pictures = 0, sum(person.pictures for person in opened.people())
    with progress_bar(sum(map(len, wanted.values())), quiet) as bar:
        for name, files in wanted.items():
            new = [file for file in dict.fromkeys(files) if os.path.abspath(file) not in sources.get(name, ())]
            tally.known += len(files) - len(new)
            bar.update(len(files) - len(new))
            for start in range(0, len(new), TOGETHER):
                part = new[start : start + TOGETHER]
                added = enrol_some(opened, name, part, embed, look, quality, tally, bar.update)
                tally.added, unsaved, pictures = tally.added + added, unsaved + added, pictures + added
                if unsaved >= max(SAVED, pictures / 10):
                    save()
                    unsaved = 0


def enrol_some(opened: Gallery, name: str, files: list[str], embed: Embedder, look: Look, quality: bool,
                tally: Tally, progress: Callable[[int], object]) -> int:  # fmt: skip
    seen = []
    for picture in look(files, central=True):
        progress(1)
        if picture.fault:
            tally.skipped.append(("unreadable", once(picture.file, picture.fault)))
        elif not len(picture.faces):
            tally.skipped.append(("without a face", f"{picture.file}: no face"))
        else:
            seen.append(picture)
    vectors = embed(np.concatenate([picture.crops for picture in seen])) if seen else np.empty((0, 1))
    directed = whole(vectors)
    for picture in (seen[row] for row in np.flatnonzero(~directed)):
        tally.skipped.append(("without an embedding", f"{picture.file}: the network sees nothing in it"))
    seen = [picture for picture, good in zip(seen, directed, strict=True) if good]
    if not seen:
        return 0
    scores = np.array([picture.faces.scores[0] for picture in seen]) if quality else None
    try:
        added = opened.enrol(name, vectors[directed], scores, [os.path.abspath(picture.file) for picture in seen])
    except FaceLibError as error:  # a name that is none, pictures that cancel: the other people are worth having
        tally.skipped += [("refused", f"{picture.file}: {error}") for picture in seen]
        return 0
    tally.known += len(seen) - added
    return added


def whole(vectors: np.ndarray) -> np.ndarray:
    """bool (N,): which have a direction. A crop all black has none."""
    return np.isfinite(vectors).all(axis=1) & (vectors != 0).any(axis=1)


def name_faces(opened: Gallery, embed: Embedder, seen: Seen, best: int, aligned: bool) -> list[dict[str, Any]]:
    """Of each face: name or None, box, the detector's score, and candidates."""
    if not len(seen.faces):
        return []
    vectors = embed(seen.crops)
    faces = []
    for vector, face, good in zip(vectors, seen.faces.to_dicts(), whole(vectors), strict=True):
        names, scores = opened.search(vector, best) if good else ([], vector[:0])
        candidates = [{"name": name, "score": round(float(score), 6)}
                      for name, score in zip(names, scores, strict=True) if name is not None]  # fmt: skip
        name = opened.identify(vector) if good and opened.threshold is not None else None
        faces.append({"name": name, "box": face["box"], "score": None if aligned else face["score"],
                      "candidates": candidates})  # fmt: skip
    return faces


def record(seen: Seen, named: list[dict[str, Any]]) -> dict[str, Any]:
    if seen.image is None or seen.fault:
        return {"file": seen.file, "error": seen.fault}
    height, width = seen.image.shape[:2]
    return {"file": seen.file, "width": width, "height": height, "faces": named}


def one_spelling(name: str) -> str:
    """One spelling of accents, for file systems differ in theirs."""
    return unicodedata.normalize("NFC", name)
