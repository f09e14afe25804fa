"""What an evaluation finds of a crowd: who is found in a gallery of some of them, and who is taken for somebody else.

In short::

    found = judge_people(open_crowd("VGGFace2/test"), embed, enrol=1, unknown=0.5)
    print(table([found]))                       # of facelib.evaluate.judged

The first pictures of each person are enrolled and averaged, the others are probes. Some people, drawn by a seed, are
never enrolled: all their pictures are probes of strangers, as in life, where most who pass a camera are in no gallery.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import FaceLibError
from ..folders.words import counted
from .crops import Progress, centre_crop
from .identify import SAME_PICTURE, Identification, identification
from .judged import some
from .people import Crowd, embed_crowd
from .rates import Lines, OpenSet, intervals_of
from .vectors import unit

if TYPE_CHECKING:
    from ..embedder import Embedder


@dataclass(frozen=True)
class Mistaken:
    """A probe whose best answer is somebody else: its crop, a picture of the answer, their titles, and what was found.

    own : cosine with the own person, None of strangers; rank : the own person's place, 0 of strangers.
    """

    images: tuple[np.ndarray, np.ndarray]
    titles: tuple[str, str]
    score: float
    own: float | None
    rank: int


@dataclass(frozen=True, eq=False)
class Identified(OpenSet):
    """Figures of one crowd, beside those of every ``OpenSet``.

    Attributes
    ----------
    settings : dict
        "enrol", the pictures averaged for each person; "unknown", the share of people who are not enrolled; "seed".
    counts : dict
        "people", "enrolled", "distractors", "pictures", and of those "unreadable" and "faceless"; "without a probe"
        are enrolled people with no picture left over.
    worst_known, worst_strangers : list of Mistaken
        Probes that are more like somebody else than like their own person, by the difference, and the strangers with
        the highest scores; worst first.
    warnings : list of str
    """

    name: str
    source: str
    settings: dict[str, Any]
    counts: dict[str, int]
    worst_known: list[Mistaken]
    worst_strangers: list[Mistaken]
    warnings: list[str]

    def to_dict(self) -> dict[str, Any]:
        """For JSON. A rate for which there are too few strangers is None, with the reason."""
        return {
            "name": self.name, "source": self.source, **self.settings, **self.counts, **self.rates(),
            "cmc": self.found.cmc[:20].tolist(), "warnings": self.warnings,
        }  # fmt: skip

    def lines(self) -> Lines:
        """What the printed table and the page say: labels, indented below what they belong to, and texts."""
        counts = self.counts
        return [
            ("gallery", f"{counts['enrolled']:,} people"),
            ("  enrolled", f"{pictures_each(self.settings['enrol'])} each"),
            ("  distractors", f"{counts['distractors']:,}"),
            ("known probes", f"{self.found.mated.sum():,}"),
            ("strangers' probes", f"{self.strangers:,}"),
            ("  people", f"{counts['people'] - counts['enrolled']:,}"),
            ("pictures", f"{counts['pictures']:,}"),
            ("  unreadable", f"{counts['unreadable']:,}"),
            ("  without a face", f"{counts['faceless']:,}"),
            *self.rate_lines(),
        ]


def judge_people(
    crowd: Crowd,
    embed: Embedder,
    enrol: int = 1,
    unknown: float = 0.5,
    seed: int = 0,
    distractors: Crowd | None = None,
    flip: bool = True,
    ccrop: bool = False,
    batch: int = 64,
    worst: int = 8,
    progress: Callable[[int], Progress] = lambda total: lambda done: None,
) -> Identified:
    """Embed a crowd, enrol some, look for the others, and keep what a report shows of it.

    Parameters
    ----------
    crowd : Crowd
    embed : Embedder
    enrol : int
        Pictures of each person, the first that can be read, whose unit vectors' mean is enrolled.
    unknown : float
        Share of people who are not enrolled: the last of them, in an order drawn with ``seed``.
    distractors : Crowd, optional
        Pictures of further people, who all join the gallery. None of them may be in ``crowd``.
    flip, ccrop, batch
        As of ``embed_pictures``.
    worst : int
        Probes of each kind in the failure gallery.
    progress : callable
        Gets the number of pictures to embed and returns a function that is told how many are done.

    Raises
    ------
    FaceLibError
        Nobody, or nobody with more than ``enrol`` pictures, is left on a side.
    """
    total = len(crowd.people) + (len(distractors.people) if distractors else 0)
    done = progress(total)
    vectors, rows = embed_crowd(crowd, embed, flip, ccrop, batch, done)
    others = embed_crowd(distractors, embed, flip, ccrop, batch, done) if distractors else None
    people = crowd.people[rows]
    enrolled, known = choose_gallery(people, enrol, unknown, seed, crowd.source)
    found = identification(vectors[enrolled], people[enrolled], vectors[~enrolled], people[~enrolled],
                           distractors=None if others is None else others[0], templates="mean")  # fmt: skip
    counts = {
        "people": len(np.unique(people)), "enrolled": len(known), "distractors": found.distractors,
        "without a probe": len(known) - len(np.unique(found.probe_ids[found.mated])),
        "pictures": len(crowd.people), "unreadable": len(crowd.unreadable), "faceless": len(crowd.faceless),
    }  # fmt: skip
    settings = {"enrol": enrol, "unknown": unknown, "seed": seed}
    warnings = _warnings(crowd, distractors, found, counts)  # before pictures are read again, to be shown
    gallery = rows[enrolled], vectors[enrolled]
    shown = _Shown(crowd, distractors, found, vectors[~enrolled], rows[~enrolled], gallery, others, ccrop)
    known_wrong, strangers = worst_probes(found, worst)
    result = Identified(found, intervals_of(found), crowd.name, crowd.source, settings, counts, shown(known_wrong),
                        shown(strangers), warnings)  # fmt: skip
    warnings.extend(result.too_few())
    return result


def pictures_each(count: int) -> str:
    """So many pictures, in words."""
    return "one picture" if count == 1 else f"{count:,} pictures"


def choose_gallery(
    people: np.ndarray, enrol: int, unknown: float, seed: int, source: str = "people"
) -> tuple[np.ndarray, np.ndarray]:
    """Which of M pictures are enrolled, bool (M,), and the names of the people who are, sorted.

    People are put into an order that ``seed`` decides; the last ``unknown`` of them, rounded and at least one unless
    0, stay strangers. Of the others the first ``enrol`` pictures are enrolled.
    """
    if enrol < 1 or not 0 <= unknown < 1:
        raise FaceLibError(f"enrol={enrol}, unknown={unknown}: expected at least 1 picture and a share below 1")
    names, who = np.unique(people, return_inverse=True)
    strangers = max(1, round(unknown * len(names))) if unknown else 0
    if strangers >= len(names):
        few = counted(len(names), "person", "people")
        raise FaceLibError(f"{source}: {few}, too few to leave out a share of {unknown:g} as unknown")
    known = np.sort(np.random.default_rng(seed).permutation(len(names))[: len(names) - strangers])
    order = np.argsort(who, kind="stable")
    first = np.cumsum(np.bincount(who)) - np.bincount(who)
    place = np.empty(len(who), np.int64)  # of each picture among its person's
    place[order] = np.arange(len(who)) - first[who[order]]
    enrolled = (place < enrol) & np.isin(who, known)
    if not (np.isin(who, known) & ~enrolled).any():
        raise FaceLibError(
            f"{source}: none of the {len(known)} people to enrol has more than {pictures_each(enrol)}, so nobody is"
            " left to be looked for; give more pictures a person, or enrol fewer"
        )
    return enrolled, names[known]


def worst_probes(found: Identification, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the probes that go most wrong: known people who are more like somebody else, and strangers."""
    wrong = np.flatnonzero(found.mated & (found.ranks > 1))
    ahead = found.best_scores[wrong] - found.scores[wrong]
    strangers = np.flatnonzero(~found.mated)
    by_score = np.argsort(-found.best_scores[strangers], kind="stable")
    return wrong[np.argsort(-ahead, kind="stable")][:count], strangers[by_score][:count]


def _warnings(crowd: Crowd, distractors: Crowd | None, found: Identification, counts: dict[str, int]) -> list[str]:
    said = []
    if counts["faceless"]:
        said.append(f"no face was found in {counts['faceless']:,} of {counts['pictures']:,} pictures; their middle was"
                    f" taken: {some(crowd.faceless)}; if all are crops already, say --aligned")  # fmt: skip
    if counts["unreadable"]:
        said.append(f"{counts['unreadable']:,} pictures could not be read and were left out: {some(crowd.unreadable)}")
    if distractors and distractors.unreadable:
        said.append(f"{len(distractors.unreadable):,} distractors could not be read: {some(distractors.unreadable)}")
    if distractors and (both := np.intersect1d(crowd.people, distractors.people)).size:
        said.append(f"{len(both):,} people are named alike among the distractors: {some(both.tolist())}; if they are"
                    " the same, their probes are counted as wrong where they find themselves")  # fmt: skip
    copies = int((found.scores[found.mated] > SAME_PICTURE).sum())
    if copies:
        said.append(f"{copies:,} probes are the very picture that was enrolled: figures are too good")
    return said


class _Shown:
    """Makes what a failure gallery shows of probes: pictures are read again, one by one."""

    def __init__(self, crowd: Crowd, distractors: Crowd | None, found: Identification, vectors: np.ndarray,
                 rows: np.ndarray, gallery: tuple[np.ndarray, np.ndarray],
                 others: tuple[np.ndarray, np.ndarray] | None, ccrop: bool) -> None:  # fmt: skip
        self.crowd, self.distractors, self.found, self.ccrop = crowd, distractors, found, ccrop
        self.vectors, self.rows, self.enrolled, self.others = vectors, rows, gallery[0], others

    def __call__(self, probes: Sequence[int] | np.ndarray) -> list[Mistaken]:
        return [self._one(int(probe)) for probe in probes]

    def _one(self, probe: int) -> Mistaken:
        found = self.found
        answer = int(found.best[probe])
        if answer >= 0:
            person = found.people[answer]
            row = next(row for row in self.enrolled if self.crowd.people[row] == person)
            match, crop = self.crowd.titles[row], self._crop(self.crowd, int(row))
        else:
            assert self.others is not None and self.distractors is not None
            nearest = int((unit(self.others[0]) @ unit(self.vectors[probe : probe + 1])[0]).argmax())
            row = int(self.others[1][nearest])
            match, crop = f"distractor {self.distractors.titles[row]}", self._crop(self.distractors, row)
        row = int(self.rows[probe])
        own = float(found.scores[probe]) if found.mated[probe] else None
        images = self._crop(self.crowd, row), crop
        return Mistaken(images, (self.crowd.titles[row], match), float(found.best_scores[probe]), own,
                        int(found.ranks[probe]))  # fmt: skip

    def _crop(self, crowd: Crowd, row: int) -> np.ndarray:
        (crop,) = crowd.crops([row])
        if crop is None:
            raise FaceLibError(f"{crowd.source}: {crowd.titles[row]} could be read before, and cannot any more")
        return centre_crop(crop[None])[0] if self.ccrop else crop
