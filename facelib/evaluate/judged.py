"""What an evaluation finds of a set of pairs: figures, their intervals, the worst pairs, and what to beware of.

In short::

    result = judge(open_pairs("lfw.bin"), embed)
    print(table([result]))
    write_report("out", [result], about)        # in facelib.evaluate.report
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .crops import Progress, centre_crop, embed_pictures
from .pictures import PairSet
from .ranking import Interval
from .rates import Lines, ends, enough, few_pairs, tar_lines, tars
from .verify import Verification, verification

if TYPE_CHECKING:
    from ..embedder import Embedder
    from .judged_people import Identified
    from .judged_templates import Compared

FARS = (1e-1, 1e-2, 1e-3)
COLUMNS = 3  # sets side by side in a printed table


@dataclass(frozen=True)
class Shown:
    """A pair of the failure gallery: two crops as the network saw them, their names, and whether the answer was right.

    The answer is that of the threshold of the pair's fold, which was found without the pair.
    """

    images: tuple[np.ndarray, np.ndarray]
    titles: tuple[str, str]
    same: bool
    score: float
    right: bool


@dataclass(frozen=True, eq=False)
class Matrix:
    """Embeddings (K, D) and people (K,) of a similarity matrix, and whether the people are known by name."""

    vectors: np.ndarray
    people: np.ndarray
    source: str
    named: bool = True


@dataclass(frozen=True, eq=False)
class Result:
    """Figures of one set.

    Attributes
    ----------
    verification : Verification
    intervals : dict
        Bootstrap intervals of "auc" and "eer", of people where they are known, else of pairs.
    fars : tuple of float
    counts : dict
        "pictures", and of those "unreadable" and "faceless"; "left out" are pairs.
    worst_same, worst_different : list of Shown
        The least alike pairs of one person, and the most alike of two, worst first.
    warnings : list of str
    """

    name: str
    source: str
    verification: Verification
    intervals: dict[str, Interval]
    fars: tuple[float, ...]
    counts: dict[str, int]
    worst_same: list[Shown]
    worst_different: list[Shown]
    matrix: Matrix | None
    warnings: list[str]

    @property
    def different(self) -> int:
        """Number of pairs of two people."""
        return int((~self.verification.same).sum())

    def enough(self, far: float) -> bool:
        """Whether there are different pairs enough for a TAR at this FAR: ten false accepts."""
        return enough(self.different, far)

    def to_dict(self) -> dict[str, Any]:
        """For JSON. A TAR for which there are too few pairs is None, with the reason."""
        found = self.verification
        folds = zip(found.accuracies.tolist(), found.thresholds.tolist(), np.bincount(found.fold).tolist(), strict=True)
        return {
            "name": self.name,
            "source": self.source,
            "pairs": len(found.same),
            "same": len(found.same) - self.different,
            "different": self.different,
            **self.counts,
            "accuracy": found.accuracy,
            "std": found.std,
            "accuracy_interval": found.accuracy_interval,
            "auc": found.auc,
            "auc_interval": self.intervals["auc"],
            "eer": found.eer,
            "eer_interval": self.intervals["eer"],
            "threshold": found.threshold,
            "tar_at_far": tars(found, self.different, self.fars),
            "folds": [{"accuracy": share, "threshold": level, "pairs": count} for share, level, count in folds],
            "warnings": self.warnings,
        }

    def lines(self) -> Lines:
        """What the printed table and the page say: labels, indented below what they belong to, and texts."""
        found, counts = self.verification, self.counts
        return [
            ("pairs", f"{len(found.same):,} ({len(found.same) - self.different:,} same)"),
            ("  left out", f"{counts['left out']:,}"),
            ("pictures", f"{counts['pictures']:,}"),
            ("  unreadable", f"{counts['unreadable']:,}"),
            ("  without a face", f"{counts['faceless']:,}"),
            ("accuracy +- spread", f"{100 * found.accuracy:.2f} +- {100 * found.std:.2f} %"),
            ("  95 % interval", ends(found.accuracy_interval)),
            ("area under ROC", f"{100 * found.auc:.2f} %"),
            ("  95 % interval", ends(self.intervals["auc"])),
            ("equal error rate", f"{100 * found.eer:.2f} %"),
            ("  95 % interval", ends(self.intervals["eer"])),
            *tar_lines(found, self.different, self.fars),
            ("threshold (cosine)", f"{found.threshold:.4f}"),
            ("  as a distance", f"{distance(found.threshold):.4f}"),
        ]


def judge(
    pairs: PairSet,
    embed: Embedder,
    flip: bool = True,
    ccrop: bool = False,
    fars: Sequence[float] = FARS,
    batch: int = 64,
    worst: int = 8,
    people: int = 20,
    shots: int = 20,
    progress: Callable[[int], Progress] = lambda total: lambda done: None,
) -> Result:
    """Embed a set, score its pairs, and keep what a report shows of it.

    Parameters
    ----------
    pairs : PairSet
    embed : Embedder
    flip, ccrop, batch
        As of ``embed_pictures``.
    fars : sequence of float
    worst : int
        Pairs of each kind in the failure gallery.
    people, shots : int
        Size of the similarity matrix: people with the most pictures, and at most so many pictures of each.
    progress : callable
        Gets the number of pictures to embed and returns a function that is told how many are done.
    """
    square = chosen_people(pairs.people, people, shots)
    rows = np.union1d(pairs.pictures, square)
    vectors = embed_pictures(embed, pairs.images, flip, ccrop, batch, rows, progress(len(rows)))
    place = np.searchsorted(rows, np.stack([pairs.a, pairs.b]))  # rows are sorted
    found = verification(vectors[place[0]], vectors[place[1]], pairs.same, fold=pairs.fold)
    who = pairs.people[pairs.a], pairs.people[pairs.b]
    consistent = pairs.named and np.array_equal(who[0] == who[1], pairs.same)
    intervals = found.bootstrap(identities=who if consistent else None)
    right = (found.scores > found.thresholds[found.fold]) == found.same
    order = np.argsort(found.scores, kind="stable")
    kinds = order[found.same[order]][:worst], order[~found.same[order]][::-1][:worst]

    def show(row: int) -> Shown:
        both = pairs.a[row], pairs.b[row]
        crops = pairs.images[list(both)]
        first, second = centre_crop(crops) if ccrop else crops
        titles = pairs.titles[both[0]], pairs.titles[both[1]]
        return Shown((first, second), titles, bool(pairs.same[row]), float(found.scores[row]), bool(right[row]))

    seen = vectors[np.searchsorted(rows, square)]
    matrix = Matrix(seen, pairs.people[square], pairs.source, pairs.named) if len(square) else None
    counts = {
        "pictures": pairs.listed or len(pairs.pictures),
        "unreadable": len(pairs.unreadable),
        "faceless": len(pairs.faceless),
        "left out": pairs.left_out,
    }
    same, different = ([show(int(row)) for row in kind] for kind in kinds)
    result = Result(pairs.name, pairs.source, found, intervals, tuple(fars), counts, same, different, matrix, [])
    result.warnings.extend(_warnings(result, pairs, consistent, embed.preprocess.size))
    return result


def chosen_people(people: np.ndarray, count: int, shots: int) -> np.ndarray:
    """Rows of the people with the most pictures, none with only one, and at most ``shots`` of each; "" is nobody."""
    names, sizes = np.unique(people, return_counts=True)
    often = [name for name in names[np.argsort(-sizes, kind="stable")] if name != "" and sizes[names == name] > 1]
    rows = [np.flatnonzero(people == name)[:shots] for name in sorted(often[:count])]
    return np.concatenate(rows) if len(rows) > 1 else np.empty(0, np.int64)


def _warnings(result: Result, pairs: PairSet, by_people: bool, size: int) -> list[str]:
    counts, said = result.counts, few_pairs(result.different, result.fars)
    if counts["faceless"]:
        said.append(
            f"no face was found in {counts['faceless']:,} of {counts['pictures']:,} pictures; their middle was taken:"
            f" {some(pairs.faceless)}"
        )
    if counts["unreadable"]:
        said.append(
            f"{counts['unreadable']:,} pictures could not be read, and {counts['left out']:,} pairs with them were"
            f" left out; the figures are those of the others: {some(pairs.unreadable)}"
        )
    side = pairs.images.shape[1]
    if side != size:
        said.append(f"crops of {side} pixels were resized to the {size} that the network wants")
    if not by_people:
        said.append("who is in the pictures is not known: intervals take the pairs for independent and are too narrow"
                    " if a person is in many")  # fmt: skip
    return said


def some(items: Sequence[str], shown: int = 5) -> str:
    """The first of many names, and how many more there are."""
    return ", ".join(items[:shown]) + (f" and {len(items) - shown:,} more" if len(items) > shown else "")


def distance(cosine: float) -> float:
    """Euclidean distance of two unit vectors with this cosine, sqrt(2 - 2 cos); where it is not finite, so here."""
    return float(np.sqrt(2 - 2 * cosine)) if np.isfinite(cosine) else -cosine


def table(results: Sequence[Any]) -> str:
    """A line for each figure and a column for each set, three sets at a time; all results of one kind."""
    blocks = []
    for start in range(0, len(results), COLUMNS):
        part = results[start : start + COLUMNS]
        block = [" " * 20 + "".join(f"{result.name[:20]:<22}" for result in part)]
        for cells in zip(*(result.lines() for result in part), strict=True):
            block.append(f"{cells[0][0]:<20}" + "".join(f"{text:<22}" for _, text in cells))
        blocks.append("\n".join(line.rstrip() for line in block))
    return "\n\n".join(blocks)


def to_json(
    results: Sequence[Result],
    about: Mapping[str, Any],
    identified: Sequence[Identified] = (),
    compared: Sequence[Compared] = (),
) -> str:
    """``about`` as it is and the figures of each set; what is not finite, such as a threshold of nothing, is null."""
    found = {**about, "sets": [each.to_dict() for each in results]}
    if identified:
        found["identification"] = [each.to_dict() for each in identified]
    if compared:
        found["ijb"] = [each.to_dict() for each in compared]
    return json.dumps(_finite(found), indent=1, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
