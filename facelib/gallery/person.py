"""One person of a gallery: the pictures' vectors, their weights and origins, and the template they make."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import FaceLibError
from ..evaluate.vectors import as_array, checked, lengths, unit


@dataclass(frozen=True)
class Enrolled:
    """One person of a list: the name, how many pictures, and the files they came from, "" where that is not known."""

    name: str
    pictures: int
    sources: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Person:
    """n pictures: unit float32 (n, D) vectors, float32 (n,) quality, n sources."""

    name: str
    vectors: np.ndarray
    quality: np.ndarray
    sources: tuple[str, ...]

    @property
    def template(self) -> np.ndarray:
        """Unit float32 (D,): the direction of the sum of q(i) x(i).

        Raises
        ------
        FaceLibError
            Pictures that cancel out.
        """
        total = (self.quality.astype(np.float64) @ self.vectors)[None]
        if lengths(total)[0] <= 1e-6 * self.quality.sum():
            raise FaceLibError(
                f"{self.name}: the pictures cancel out and have no mean direction: are they of one person?"
            )
        return unit(total)[0]

    def joined(self, new: Person) -> Person:
        """With the pictures of ``new`` that are not here yet, number for number; nor twice in ``new``."""
        known = {row.tobytes() for row in self.vectors}
        keep = []
        for k, row in enumerate(new.vectors):
            if row.tobytes() not in known:
                known.add(row.tobytes())
                keep.append(k)
        return Person(
            self.name,
            np.concatenate([self.vectors, new.vectors[keep]]),
            np.concatenate([self.quality, new.quality[keep]]),
            self.sources + tuple(new.sources[k] for k in keep),
        )

    def __len__(self) -> int:
        return len(self.vectors)


def make_person(name: Any, embeddings: Any, quality: Any, sources: Sequence[str] | None, size: int | None) -> Person:
    """Check what is enrolled; see ``Gallery.enrol``."""
    check_name(name)
    rows = unit(as_rows(embeddings, name, size))
    weights = np.ones(len(rows)) if quality is None else np.atleast_1d(as_array(quality)).astype(np.float64)
    if weights.shape != (len(rows),) or not (np.isfinite(weights) & (weights > 0)).all():
        raise FaceLibError(f"{name}: quality: expected {len(rows)} finite numbers above 0")
    origins = tuple(sources) if sources is not None else ("",) * len(rows)
    if isinstance(sources, str) or len(origins) != len(rows) or not all(isinstance(origin, str) for origin in origins):
        raise FaceLibError(f"{name}: sources: expected {len(rows)} names of files")
    return Person(name, rows, weights.astype(np.float32), origins)


def check_name(name: Any) -> None:
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise FaceLibError(f"name={name!r}: expected a line of text")


def joined_pictures(people: Collection[Person]) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of everybody, float32 (n, D), and whose they are: rows of ``people``, (n,). Somebody must be there."""
    counts = [len(person) for person in people]
    return np.concatenate([person.vectors for person in people]), np.repeat(np.arange(len(counts)), counts)


def as_rows(embeddings: Any, what: str, size: int | None) -> np.ndarray:
    """(N, D) from (N, D) or (D,), checked."""
    array = as_array(embeddings)
    return checked(array[None] if array.ndim == 1 else array, what, size)
