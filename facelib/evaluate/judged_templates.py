"""What an evaluation finds of IJB-B or IJB-C: templates compared by pairs, and looked for in two galleries.

In short::

    result = judge_ijb("IJBC", embed)           # a folder with meta and loose_crop
    print(table([result]))                      # of facelib.evaluate.judged

Pictures are aligned by the landmarks of the lists, a batch at a time. Of all of them only unit vectors are kept: for
the 469,375 of IJB-C, of 512 numbers each, 0.96 GB, in one array that is there from the first batch on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..alignment import align
from ..data import decode
from ..errors import FaceLibError
from .crops import Progress
from .ijb import Ijb, Pairs, read_ijb
from .judged import some
from .people import Crops, Crowd, embed_crowd
from .rates import Lines, OpenSet, enough, few_pairs, intervals_of, tar_lines, tars
from .templates import TemplateVerification, pool, template_identification, template_verification
from .vectors import BLOCK, unit

if TYPE_CHECKING:
    from ..embedder import Embedder

FARS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
Subjects = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Searched(OpenSet):
    """What the probes found in one gallery, and how many templates of either could not be used.

    ``lost`` are templates of the gallery without a picture, and ``lost_probes`` probes that have none or whose person
    is no longer in the gallery.
    """

    lost: int
    lost_probes: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON. A rate for which there are too few strangers is None, with the reason."""
        return {"people": len(self.found.people), "lost": self.lost, "lost probes": self.lost_probes, **self.rates()}

    def lines(self) -> Lines:
        """Lines of a table, all indented below the gallery's name."""
        probes = [("known probes", f"{self.found.mated.sum():,}"), ("strangers' probes", f"{self.strangers:,}")]
        return [(f"  {label}", text) for label, text in [*probes, *self.rate_lines(thresholds=False)]]


@dataclass(frozen=True, eq=False)
class Compared:
    """Figures of IJB-B or IJB-C.

    Attributes
    ----------
    verification : TemplateVerification
    galleries : dict
        Name of each gallery -> Searched.
    counts : dict
        "pictures", of those "unreadable"; "templates", of those "without a picture"; pairs "left out" with them.
    warnings : list of str
    """

    name: str
    source: str
    verification: TemplateVerification
    galleries: dict[str, Searched]
    counts: dict[str, int]
    warnings: list[str]

    @property
    def different(self) -> int:
        """Number of pairs of two people."""
        return len(self.verification.impostor)

    def enough(self, far: float) -> bool:
        """Whether there are different pairs enough for a TAR at this FAR: ten false accepts."""
        return enough(self.different, far)

    def to_dict(self) -> dict[str, Any]:
        """For JSON. A TAR for which there are too few pairs is None, with the reason."""
        found = self.verification
        return {
            "name": self.name, "source": self.source, **self.counts, "pairs": len(found.same),
            "same": len(found.genuine), "different": self.different, "tar_at_far": tars(found, self.different, FARS),
            "galleries": {name: each.to_dict() for name, each in self.galleries.items()}, "warnings": self.warnings,
        }  # fmt: skip

    def lines(self) -> Lines:
        """What the printed table and the page say: labels, indented below what they belong to, and texts."""
        found, counts = self.verification, self.counts
        lines = [
            ("pictures", f"{counts['pictures']:,}"),
            ("  unreadable", f"{counts['unreadable']:,}"),
            ("templates", f"{counts['templates']:,}"),
            ("  without a picture", f"{counts['without a picture']:,}"),
            ("pairs", f"{len(found.same):,} ({len(found.genuine):,} same)"),
            ("  left out", f"{counts['left out']:,}"),
            *tar_lines(found, self.different, FARS),
        ]
        for name, each in self.galleries.items():
            lines.append((f"gallery {name}", f"{len(each.found.people):,} people"))
            lines += each.lines()
        return lines


def judge_ijb(
    folder: str | os.PathLike[str],
    embed: Embedder,
    name: str = "",
    flip: bool = True,
    ccrop: bool = False,
    batch: int = 64,
    progress: Callable[[int], Progress] = lambda total: lambda done: None,
) -> Compared:
    """Embed the pictures, pool them by templates, score the pairs, and look for the probes in each gallery.

    Parameters
    ----------
    folder : path
        ``meta`` of ``read_ijb``, or what contains it; ``loose_crop`` lies beside the lists or beside ``meta``.
    embed : Embedder
    name : str
        "ijbb" or "ijbc" if left out.
    flip, ccrop, batch
        As of ``embed_pictures``.
    progress : callable
        Gets the number of pictures to embed and returns a function that is told how many are done.

    Raises
    ------
    FaceLibError
        No lists, no pictures, lists that are broken, or nothing left to judge.

    Notes
    -----
    Unit vectors are pooled by media, with the detector's scores as weights, as by ``pool``. Pictures that cannot be
    read are left out; so are templates that have none left, with their pairs. Probes whose person is in a gallery by
    the lists, but has lost all templates there, are no strangers: they are left out of that gallery's figures.
    """
    lists = read_ijb(folder)
    _ = lists.pairs, lists.galleries, lists.probes  # a broken list is better found before hours of work
    crowd = open_loose_crops(lists, embed.preprocess.size)
    vectors, rows = embed_crowd(crowd, embed, flip, ccrop, batch, progress(len(lists.names)))
    for start in range(0, len(vectors), BLOCK):
        vectors[start : start + BLOCK] = unit(vectors[start : start + BLOCK])
    pooled, ids = pool(vectors, lists.templates[rows], lists.media[rows], lists.scores[rows])
    pairs, left_out = _pairs_left(lists.pairs, ids)
    galleries = {}
    for gallery, enrolled in lists.galleries.items():
        kept, probes = _subjects_left(enrolled, lists.probes, ids)
        found = template_identification(pooled, ids, kept, probes)
        lost = len(enrolled[0]) - len(kept[0]), len(lists.probes[0]) - len(probes[0])
        galleries[gallery] = Searched(found, intervals_of(found), *lost)
    named = lists.templates, *lists.pairs[:2], lists.probes[0], *(each for each, _ in lists.galleries.values())
    listed = np.unique(np.concatenate([np.unique(each) for each in named]))
    counts = {
        "pictures": len(lists.names), "unreadable": len(crowd.unreadable), "templates": len(listed),
        "without a picture": len(listed) - len(ids), "left out": left_out,
    }  # fmt: skip
    verified = template_verification(pooled, ids, *pairs)
    result = Compared(name or lists.prefix, os.fspath(folder), verified, galleries, counts, [])
    result.warnings.extend(_warnings(result, crowd.unreadable))
    return result


def open_loose_crops(lists: Ijb, size: int = 112) -> Crowd:
    """The pictures of the lists, whose crops are aligned by the landmarks of the lists; nothing is detected."""
    places = [lists.folder / "loose_crop", lists.folder.parent / "loose_crop"]
    root = next((place for place in places if place.is_dir()), None)
    if root is None:
        raise FaceLibError(f"{lists.folder}: no folder loose_crop in it or beside it; put the pictures there")
    unreadable: list[str] = []

    def crops(rows: Sequence[int]) -> Crops:
        return [_crop(root / lists.names[row], lists.landmarks[row], size, unreadable) for row in rows]

    return Crowd(lists.prefix, str(root), lists.templates, lists.names, crops, unreadable)


def _crop(path: Path, landmarks: np.ndarray, size: int, unreadable: list[str]) -> np.ndarray | None:
    try:
        return align(decode(path.read_bytes(), str(path)), landmarks, size)
    except FaceLibError as error:
        unreadable.append(str(error) if str(path) in str(error) else f"{path}: {error}")
    except OSError as error:
        unreadable.append(f"{path}: {error.strerror or error}")
    return None


def _pairs_left(pairs: Pairs, ids: np.ndarray) -> tuple[Pairs, int]:
    """Pairs whose templates both have a vector, and the number of the others."""
    first, second, same = pairs
    kept = np.isin(first, ids) & np.isin(second, ids)
    if kept.all():
        return pairs, 0  # without a copy of millions
    return (first[kept], second[kept], same[kept]), int((~kept).sum())


def _subjects_left(gallery: Subjects, probes: Subjects, ids: np.ndarray) -> tuple[Subjects, Subjects]:
    """Templates that have a vector; of the probes not those whose person was in the gallery and is no longer."""
    kept = np.isin(gallery[0], ids)
    gone = np.setdiff1d(gallery[1], gallery[1][kept])
    stay = np.isin(probes[0], ids) & ~np.isin(probes[1], gone)
    return (gallery[0][kept], gallery[1][kept]), (probes[0][stay], probes[1][stay])


def _warnings(result: Compared, unreadable: list[str]) -> list[str]:
    counts, said = result.counts, []
    if unreadable:
        said.append(f"{len(unreadable):,} of {counts['pictures']:,} pictures could not be read or aligned and were"
                    f" left out: {some(unreadable)}")  # fmt: skip
    if counts["without a picture"]:
        said.append(
            f"{counts['without a picture']:,} of {counts['templates']:,} templates have no picture left;"
            f" {counts['left out']:,} pairs with them were left out; figures are those of the others"
        )
    for name, each in result.galleries.items():
        if each.lost or each.lost_probes:
            said.append(f"gallery {name}: left out were {each.lost:,} of its templates and {each.lost_probes:,} of the"
                        " probes")  # fmt: skip
        said += [f"gallery {name}: {few}" for few in each.too_few()]
    return said + few_pairs(result.different, FARS)
