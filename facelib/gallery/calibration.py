"""A threshold from scores of different people: how often a comparison may be wrong, and how many comparisons say so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import FaceLibError

LEAST = 10
"""So many false matches must be seen, or a rate is a guess: 10 / FAR comparisons at least."""

CELLS = 1 << 22
"""Products that are held at once: 16 MB."""


@dataclass(frozen=True)
class Calibration:
    """Where a threshold comes from.

    Attributes
    ----------
    threshold : float
        The lowest above which at most a share ``far`` of the comparisons lie, halfway between two of their scores.
    far : float
        The false match rate that was wanted: per comparison of one picture with one person.
    comparisons : int
        Different people compared. Few people make many comparisons, which are then far from independent.
    """

    threshold: float
    far: float
    comparisons: int

    def false_positives(self, people: int) -> float:
        """Share of strangers who are taken for somebody among so many people: 1 - (1 - FAR)^people (eq. 12.3).

        As if comparisons were independent; ``facelib.evaluate.identification`` measures it as FPIR.
        """
        return float(-np.expm1(people * np.log1p(-self.far)))

    def __str__(self) -> str:
        return (
            f"threshold {self.threshold:.4f} for a false match rate of {self.far:g},"
            f" from {self.comparisons:,} comparisons of different people"
        )


class Highest:
    """The highest of many scores that come in parts, as many as a rate needs."""

    def __init__(self, far: float, comparisons: int) -> None:
        if not 0 < far < 1:
            raise FaceLibError(f"far={far}: a false match rate to calibrate to lies between 0 and 1")
        if comparisons * far < LEAST * (1 - 1e-9):
            lower = f", or ask for far={LEAST / comparisons:.2g} or more" if comparisons > LEAST else ""
            raise FaceLibError(
                f"a false match rate of {far:g} needs at least {LEAST} / {far:g} = {LEAST / far:,.0f} comparisons of"
                f" different people, so that some {LEAST} false matches are seen; here are {comparisons:,}: enrol more"
                f" people or pass impostors{lower}"
            )
        self.far, self.comparisons = far, comparisons
        self.allowed = int(far * comparisons * (1 + 1e-12))
        self.kept = np.empty(0, dtype=np.float32)

    def add(self, scores: np.ndarray) -> None:
        self.kept = np.append(self.kept, scores.ravel())
        surplus = len(self.kept) - (self.allowed + 1)
        if surplus > 0:
            self.kept = np.partition(self.kept, surplus)[surplus:]

    def calibration(self) -> Calibration:
        falling = np.sort(self.kept)[::-1]
        first = falling[self.allowed]  # must not be accepted, nor what is equal to it
        above = falling[falling > first]
        threshold = (float(first) + float(above[-1])) / 2 if len(above) else float(first)
        return Calibration(threshold, float(self.far), self.comparisons)


def from_scores(far: float, scores: np.ndarray) -> Calibration:
    """From cosines (M,) of different people."""
    if not np.isfinite(scores).all():
        raise FaceLibError("impostors: scores that are not finite")
    highest = Highest(far, len(scores))
    highest.add(scores)
    return highest.calibration()


def calibrate(
    far: float, pictures: np.ndarray, owner: np.ndarray | None, templates: np.ndarray, most: int, seed: int
) -> Calibration:
    """Every picture against every person but its own.

    ``pictures`` unit (n, D); ``owner`` (n,) rows of ``templates``, or None for strangers; ``templates`` unit (P, D).
    More than ``most`` comparisons are not made: then pictures are drawn.
    """
    others = len(templates) - (owner is not None)
    enough = max(1, most // max(1, others))
    if len(pictures) > enough:
        chosen = np.sort(np.random.default_rng(seed).choice(len(pictures), enough, replace=False))
        pictures, owner = pictures[chosen], None if owner is None else owner[chosen]
    highest = Highest(far, len(pictures) * others)
    step = max(1, CELLS // len(templates))
    for start in range(0, len(pictures), step):
        scores = pictures[start : start + step] @ templates.T
        if owner is not None:
            keep = np.ones(scores.shape, dtype=bool)
            keep[np.arange(len(scores)), owner[start : start + step]] = False
            scores = scores[keep]
        highest.add(scores)
    return highest.calibration()
