"""A gallery of known people::

    gallery = facelib.Gallery(embed)
    gallery.enrol("Ada", embed(crops))          # several pictures a person are welcome, now or later
    gallery.calibrate(far=1e-3)                 # a threshold, from how alike different people are
    gallery.identify(embed(crop))               # ["Ada"], or [None] for a stranger
    gallery.save("people.npz")

A person is one unit vector, the *template*: the mean of the pictures' directions, weighted by quality if it is known::

    t = u / |u|,    u = sum over pictures i of q(i) x(i) / |x(i)|

The pictures' vectors are kept, so that pictures can be added and a person can be removed with everything.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FaceLibError
from ..evaluate.vectors import as_array, unit
from .calibration import Calibration, calibrate, from_scores
from .index import Exact, Faiss, build, settings_of
from .network import compare, name_of, seen_by
from .person import Enrolled, Person, as_rows, joined_pictures, make_person
from .store import Stored, read, write


class Gallery:
    """Names and templates, searched by cosine.

    Parameters
    ----------
    embedder : str or Embedder
        The network whose vectors are enrolled: vectors of two networks cannot be compared, nor of one that sees
        other pixels. Its name is kept, and of an Embedder what it wants to see (``preprocess``), which ``check``
        compares; of a name alone that is not known, None, and not compared.
    index : "exact", "flat", "hnsw" or "ivf"
        How to search. "exact" looks at everybody and needs nothing else; so does "flat", with FAISS. For very many
        people there are "hnsw", a graph, and "ivf", lists of short codes, of FAISS too: they may miss somebody.
        ``benchmarks/search.py`` measures how often, and how fast all are. Scores are exact cosines with any of them.
    settings : dict
        Of the index, see ``facelib.gallery.index.SETTINGS``.

    Notes
    -----
    The index is made at the first search after a change, which takes a while with "ivf" and long with "hnsw": add many
    people before searching. Memory is 4 D bytes a picture, as much a person again for the template, and once more for
    "flat", "hnsw" and "ivf" without ``bytes``. There is no lock: one process at a time may change a file.

    Examples
    --------
    >>> import facelib
    >>> gallery = facelib.Gallery()
    >>> gallery.enrol("Ada", [[1.0, 0.0], [0.8, 0.6]]), gallery.enrol("Grace", [0.0, 1.0])
    (2, 1)
    >>> names, scores = gallery.search([0.0, 1.0], k=2)
    >>> names, [f"{score:.2f}" for score in scores]
    (['Grace', 'Ada'], ['1.00', '0.32'])
    """

    def __init__(self, embedder: Any = "", index: str = "exact", settings: Mapping[str, int] | None = None) -> None:
        self.embedder, self.preprocess = name_of(embedder), seen_by(embedder)
        self.index, self.settings = index, settings_of(index, settings)
        self.threshold: float | None = None
        self.calibration: Calibration | None = None
        self._people: dict[str, Person] = {}
        self._made: tuple[list[str], Exact | Faiss] | None = None  # names and index, until somebody comes or goes

    @property
    def names(self) -> list[str]:
        """Everybody, in the order of enrolment."""
        return list(self._people)

    @property
    def size(self) -> int | None:
        """D, known once somebody is enrolled."""
        person = next(iter(self._people.values()), None)
        return None if person is None else person.vectors.shape[1]

    @property
    def templates(self) -> np.ndarray:
        """Unit float32 (P, D), in the order of ``names``."""
        return self._index()[1].rows

    def people(self) -> list[Enrolled]:
        """Everybody with number and sources of pictures, in the order of enrolment."""
        return [Enrolled(name, len(person), person.sources) for name, person in self._people.items()]

    def enrol(self, name: str, embeddings: Any, quality: Any = None, sources: Sequence[str] | None = None) -> int:
        """Add pictures of a person, new or known already.

        A picture that this person has already, number for number, is not taken twice: enrolling a folder again
        changes nothing.

        Parameters
        ----------
        name : str
        embeddings : (N, D) or (D,)
            Of any length but 0; directions count.
        quality : (N,) or a number
            Weights above 0: the detector's score, or the norm of MagFace's embedding. 1 if left out.
        sources : N of str
            Files the pictures came from.

        Returns
        -------
        int
            Pictures added.

        Raises
        ------
        FaceLibError
            Then nothing was added: shapes that do not fit, NaN, quality not above 0, no name, or pictures that cancel.
        """
        new = make_person(name, embeddings, quality, sources, self.size)
        old = self._people.get(name, Person(name, new.vectors[:0], new.quality[:0], ()))
        joined = old.joined(new)
        added = len(joined) - len(old)
        if added:
            _ = joined.template  # or an error, before anything is changed
            self._people[name], self._made = joined, None
        return added

    def remove(self, name: str) -> None:
        """Forget a person with all pictures.

        Raises
        ------
        FaceLibError
            Nobody has this name.
        """
        if name not in self._people:
            raise FaceLibError(f"{name!r} is not enrolled; {len(self)} people are")
        del self._people[name]
        self._made = None

    def search(self, embeddings: Any, k: int = 1) -> tuple[list[Any], np.ndarray]:
        """The ``k`` people most like each probe, or all if they are fewer.

        Parameters
        ----------
        embeddings : (N, D) or (D,)
        k : int

        Returns
        -------
        names : list of N lists of names
            Most like first, of equal scores who was enrolled first. None where an index found fewer than ``k``.
        scores : float32 (N, k)
            Cosines, -inf where nobody was found. For one probe (D,), a list of names and (k,).

        Raises
        ------
        FaceLibError
            Shapes that do not fit, NaN, FAISS is missing.
        """
        if k < 1:
            raise FaceLibError(f"k={k}: ask for at least one")
        rows = as_rows(embeddings, "embeddings", self.size)
        known, index = self._index()
        scores, places = index.search(unit(rows), min(k, len(known)))
        names: list[Any] = [[known[place] if place >= 0 else None for place in line] for line in places.tolist()]
        return (names[0], scores[0]) if as_array(embeddings).ndim == 1 else (names, scores)

    def identify(self, embeddings: Any) -> Any:
        """The name of whoever is most like a probe, if the cosine is above ``threshold``, else None.

        Returns
        -------
        list of N, or for one probe (D,) a single name or None

        Raises
        ------
        FaceLibError
            No threshold yet, and what ``search`` raises.
        """
        if self.threshold is None:
            raise FaceLibError(
                "no threshold yet, above which a face is known: call calibrate(far=...), or set threshold"
            )
        names, scores = self.search(as_rows(embeddings, "embeddings", self.size))
        best = zip(names, scores, strict=True)
        found = [name[0] if name and score[0] > self.threshold else None for name, score in best]
        return found[0] if as_array(embeddings).ndim == 1 else found

    def calibrate(self, far: float = 1e-3, impostors: Any = None, most: int = 10**8, seed: int = 0) -> Calibration:
        """Set ``threshold`` so that a comparison of two different people is above it with a chance of ``far``.

        A stranger is compared with everybody, so a search is wrong more often than a comparison: see
        ``Calibration.false_positives``. Enrolling more people later does not move the threshold.

        Parameters
        ----------
        far : float
            False match rate per comparison.
        impostors : (M,) or (M, D)
            Cosines of different people, or embeddings of strangers, who are compared with everybody. Left out: the
            pictures of those enrolled are compared with the templates of all others.
        most, seed : int
            No more comparisons than that are made; if there are more, pictures are drawn, from this seed.

        Raises
        ------
        FaceLibError
            Fewer than 10 / far comparisons: then a rate of ``far`` would be a guess.
        """
        given = None if impostors is None else as_array(impostors)
        if given is not None and given.ndim == 1:
            found = from_scores(far, given)
        elif not self._people:
            raise FaceLibError("nobody is enrolled: enrol people first, or pass scores as impostors")
        elif given is not None:
            found = calibrate(far, unit(as_rows(given, "impostors", self.size)), None, self.templates, most, seed)
        else:
            found = calibrate(far, *joined_pictures(self._people.values()), self.templates, most, seed)
        self.calibration, self.threshold = found, found.threshold
        return found

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to a file of plain arrays, whole or not at all: a killed save leaves the old file.

        Where ``path`` is a link, it stays one, and the file it leads to is replaced.

        Raises
        ------
        FaceLibError
            A threshold that ``load`` would refuse. Nothing is written then.
        OSError
            Disk full, no permission, ...
        """
        write(Path(path), Stored(self.embedder, self.preprocess, self.index, self.settings, self.threshold,
                                 self.calibration, list(self._people.values())))  # fmt: skip

    @classmethod
    def load(cls, path: str | os.PathLike[str], embedder: Any = None, size: int | None = None) -> Gallery:
        """Read a file that ``save`` wrote. Nothing in it is executed.

        Parameters
        ----------
        path
        embedder : str or Embedder
            What probes will come from: see ``check``.
        size : int
            D of these probes.

        Raises
        ------
        FaceLibError
            No such file, another kind of file, a damaged one, another embedder or size.
        """
        stored = read(Path(path))
        gallery = cls(stored.embedder, stored.index, stored.settings)
        gallery._people, gallery.preprocess = {person.name: person for person in stored.people}, stored.preprocess
        gallery.threshold, gallery.calibration = stored.threshold, stored.calibration
        try:
            gallery.check(embedder, size)
        except FaceLibError as error:
            raise FaceLibError(f"{path}: {error}") from error
        return gallery

    def check(self, embedder: Any = None, size: int | None = None) -> None:
        """Is this the network whose vectors are enrolled, and does it see pictures as it did then?

        Parameters
        ----------
        embedder : str or Embedder
            Of a name, only the name is compared. What is not known of the gallery is not compared either.
        size : int
            D of its vectors.

        Raises
        ------
        FaceLibError
            Another name, another preprocessing (size, colour, mean, std, template), or another D.
        """
        compare(self, embedder, size)

    def _index(self) -> tuple[list[str], Exact | Faiss]:
        if self._made is None:
            templates = [person.template for person in self._people.values()]
            rows = np.stack(templates) if templates else np.empty((0, self.size or 0), dtype=np.float32)
            self._made = self.names, build(self.index, rows, self.settings)
        return self._made

    def __len__(self) -> int:
        return len(self._people)

    def __contains__(self, name: object) -> bool:
        return name in self._people

    def __repr__(self) -> str:
        pictures = sum(len(person) for person in self._people.values())
        bar = "no threshold" if self.threshold is None else f"threshold {self.threshold:.4f}"
        return f"<Gallery of {len(self)} people, {pictures} pictures, {bar}>"
