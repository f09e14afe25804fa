"""Every probe against every person of a gallery, a block at a time, so that a million rows need no table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import FaceLibError
from .vectors import BLOCK, checked, named, unit

CELLS = 1 << 22
"""Products that are held at once: 16 MB."""


@dataclass(frozen=True)
class Block:
    """Some people of the gallery, one after the other.

    rows: unit float32 (n, D); starts: first row of each person, or None where all have one; first: number of the first.
    """

    rows: np.ndarray
    starts: np.ndarray | None
    first: int

    def __len__(self) -> int:
        return len(self.rows) if self.starts is None else len(self.starts)

    def scores(self, probes: np.ndarray) -> np.ndarray:
        """float32 (P, people): the best cosine of each probe with the pictures of each person."""
        cosine = probes @ self.rows.T  # (P, n)
        return cosine if self.starts is None else np.maximum.reduceat(cosine, self.starts, axis=1)


class People:
    """The gallery: rows brought together by person, distractors behind them as people of their own."""

    def __init__(self, rows: Any, ids: Any, distractors: Any, templates: str) -> None:
        if templates not in ("best", "mean"):
            raise FaceLibError(f'templates={templates!r}: choose "best" or "mean"')
        self.rows = checked(rows, "gallery")
        if not len(self.rows):
            raise FaceLibError("gallery: no rows, nobody can be found in it")
        size = self.rows.shape[1]
        self.distractors = np.empty((0, size)) if distractors is None else checked(distractors, "distractors", size)
        self.names, who = np.unique(named(ids, len(self.rows), "gallery_ids"), return_inverse=True)
        self.order = np.argsort(who, kind="stable")
        self.ends = np.cumsum(np.bincount(who))  # pictures of person k: order[ends[k - 1] : ends[k]]
        self.mean = templates == "mean"

    def numbers(self, ids: np.ndarray) -> np.ndarray:
        """int64 (P,): place of each in ``names``, -1 for strangers."""
        if ids.dtype.kind != self.names.dtype.kind:
            kinds = ["numbers" if array.dtype.kind == "i" else "names" for array in (self.names, ids)]
            raise FaceLibError(f"gallery_ids are {kinds[0]} and probe_ids are {kinds[1]}: nobody would be found")
        place = np.searchsorted(self.names, ids).clip(max=len(self.names) - 1)
        return np.where(self.names[place] == ids, place, -1)

    def blocks(self) -> Iterator[Block]:
        """All people in order, in blocks of some 8192 rows, or of one person who has more."""
        first, begin = 0, 0
        while first < len(self.names):
            last = max(first + 1, int(np.searchsorted(self.ends, begin + BLOCK, side="right")))
            end = int(self.ends[last - 1])
            rows = unit(self.rows[self.order[begin:end]])
            starts = np.append(0, self.ends[first : last - 1] - begin)
            if self.mean:
                yield Block(self._means(rows, starts, first), None, first)
            else:
                yield Block(rows, None if len(starts) == len(rows) else starts, first)
            first, begin = last, end
        for begin in range(0, len(self.distractors), BLOCK):
            yield Block(unit(self.distractors[begin : begin + BLOCK]), None, len(self.names) + begin)

    def _means(self, rows: np.ndarray, starts: np.ndarray, first: int) -> np.ndarray:
        sums = np.add.reduceat(rows.astype(np.float64), starts, axis=0)
        empty = np.flatnonzero((np.abs(sums) < 1e-6).all(1))
        if len(empty):
            raise FaceLibError(f"gallery: the pictures of {self.names[first + empty[0]]} cancel out: no mean direction")
        return unit(sums)


def search_people(
    gallery: Any, gallery_ids: Any, probes: Any, probe_ids: Any, distractors: Any, templates: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
    """The fields of ``Identification``, in their order."""
    people = People(gallery, gallery_ids, distractors, templates)
    probes = checked(probes, "probes", people.rows.shape[1])
    ids = named(probe_ids, len(probes), "probe_ids")
    if not len(probes):
        raise FaceLibError("probes: no rows, nothing to look for")
    mate = people.numbers(ids)
    if (mate < 0).all():
        raise FaceLibError("no probe shows anybody of the gallery: do gallery_ids and probe_ids name people alike?")
    probes = np.concatenate([unit(probes[start : start + BLOCK]) for start in range(0, len(probes), BLOCK)])
    own = _own_scores(people, probes, mate)
    ahead, best, who = _all_scores(people, probes, mate, own)
    mated = mate >= 0
    scores = np.where(mated, own, np.nan).astype(np.float64)
    who = np.where(who < len(people.names), who, -1)
    ranks = np.where(mated, ahead + 1, 0)
    return ids, mated, scores, ranks, best.astype(np.float64), who, people.names, len(people.distractors)


def _own_scores(people: People, probes: np.ndarray, mate: np.ndarray) -> np.ndarray:
    """float32 (P,): each mated probe with its own person; infinite for strangers, whom nobody is ahead of."""
    own = np.full(len(probes), np.inf, dtype=np.float32)
    for block in people.blocks():
        theirs = np.flatnonzero((mate >= block.first) & (mate < block.first + len(block)))
        for some in _parts(theirs, block):
            scores = block.scores(probes[some])
            own[some] = scores[np.arange(len(some)), mate[some] - block.first]
        if block.first + len(block) >= len(people.names):
            break  # behind them are distractors
    return own


def _all_scores(
    people: People, probes: np.ndarray, mate: np.ndarray, own: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each probe: how many others are as near as the own person or nearer, the best score, and whose that is."""
    ahead = np.zeros(len(probes), dtype=np.int64)
    best = np.full(len(probes), -np.inf, dtype=np.float32)
    who = np.zeros(len(probes), dtype=np.int64)
    for block in people.blocks():
        for some in _parts(np.arange(len(probes)), block):
            scores = block.scores(probes[some])
            top = scores.argmax(1)
            value = scores[np.arange(len(some)), top]
            better = value > best[some]
            best[some[better]], who[some[better]] = value[better], top[better] + block.first
            local = mate[some] - block.first
            here = np.flatnonzero((mate[some] >= 0) & (local >= 0) & (local < len(block)))
            scores[here, local[here]] = -np.inf  # the own person is not ahead of itself
            ahead[some] += (scores >= own[some][:, None]).sum(1)
    return ahead, best, who


def _parts(probes: np.ndarray, block: Block) -> Iterator[np.ndarray]:
    """Rows of probes, so many at a time that their products with the block's rows fit."""
    step = max(1, CELLS // len(block.rows))
    for start in range(0, len(probes), step):
        yield probes[start : start + step]
