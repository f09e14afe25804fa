"""Identification: who is it, if it is anybody we know? Probes are looked for in a gallery of known people::

    report = facelib.evaluate.identification(gallery, gallery_ids, probes, probe_ids)
    report.rank1, report.rank1_interval, report.cmc           # probes whose person is in the gallery
    report.fnir_at(0.01), report.threshold_at(0.01)           # and with strangers among the probes
    print(report)

In the words of ISO/IEC 19795-1, a probe is *mated* if its person is in the gallery. With s(p, i) the score of probe p
and person i, and rank(p) the place of p's own person among all::

    CMC(k)     = share of mated probes with rank(p) <= k, the cumulative match characteristic; CMC(1) is "rank-1"
    FPIR(t)    = share of non-mated probes with max_i s(p, i) > t, the false positive identification rate
    FNIR(t, k) = share of mated probes with rank(p) > k or s(p, own) <= t, the false negative identification rate
    DIR(t, k)  = 1 - FNIR(t, k), the detection and identification rate, also called TPIR

Lesson 12 derives them (eq. 12.1 and 12.2). Every score counts and none is binned. Of equal scores the own person comes
last: who is only as near as somebody else is not found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import FaceLibError
from .ranking import Interval, Ranking, wilson
from .searching import search_people

FPIRS = (1e-1, 1e-2, 1e-3, 1e-4)
"""False positive identification rates of the printed report, as far as there are enough strangers to show one."""

SAME_PICTURE = 1 - 1e-6
"""Above this cosine a probe is taken for a picture of the gallery, which is no test."""


@dataclass(frozen=True, eq=False, repr=False)
class Identification:
    """What P probes found in a gallery. All rates are fractions, all intervals 95 %.

    Attributes
    ----------
    probe_ids : (P,)
        Who is in each probe.
    mated : bool (P,)
        Whether this person is in the gallery.
    scores : float64 (P,)
        Cosine of the probe and its own person; NaN where not mated.
    ranks : int64 (P,)
        Place of the own person, from 1; 0 where not mated.
    best_scores : float64 (P,)
        The greatest cosine of the probe and anybody.
    best : int64 (P,)
        Whose that is: a place in ``people``, or -1 for a distractor.
    people : (N,)
        Everybody in the gallery, sorted.
    distractors : int
        How many nobodies were added to them.
    """

    probe_ids: np.ndarray
    mated: np.ndarray
    scores: np.ndarray
    ranks: np.ndarray
    best_scores: np.ndarray
    best: np.ndarray
    people: np.ndarray
    distractors: int

    @property
    def cmc(self) -> np.ndarray:
        """float64 (N + distractors,): share of mated probes found among the first 1, 2, 3, ..."""
        size = len(self.people) + self.distractors
        return np.cumsum(np.bincount(self.ranks[self.mated], minlength=size + 1))[1:] / self.mated.sum()

    def rank(self, k: int) -> float:
        """Share of mated probes whose person is among the first ``k``; the k-th entry of ``cmc``."""
        if k < 1:
            raise FaceLibError(f"k={k}: ranks count from 1")
        return float((self.ranks[self.mated] <= k).mean())

    def rank_interval(self, k: int) -> Interval:
        """Wilson's interval of ``rank(k)``, as if probes were independent; see ``bootstrap`` where they are not."""
        return wilson(self.rank(k), int(self.mated.sum()))

    @property
    def rank1(self) -> float:
        """Share of mated probes that are more like their own person than like anybody else."""
        return self.rank(1)

    @property
    def rank1_interval(self) -> Interval:
        """Wilson's interval of ``rank1``."""
        return self.rank_interval(1)

    def threshold_at(self, fpir: float) -> float:
        """The lowest threshold above which at most a share ``fpir`` of the strangers find anybody."""
        curve = self._ranking.curve()
        return float(curve.thresholds[curve.at(fpir)])

    def fnir_at(self, fpir: float, rank: int | None = 1) -> float:
        """FNIR(t, rank) at t = ``threshold_at(fpir)``; ``rank=None`` asks for the score alone.

        Nothing is interpolated: below 1 / (strangers) this is the rate where no stranger finds anybody.
        """
        return self.rates(self.threshold_at(fpir), rank)[1]

    def fnir_interval(self, fpir: float, rank: int | None = 1) -> Interval:
        """Wilson's interval of ``fnir_at``, with the threshold taken as given."""
        return wilson(self.fnir_at(fpir, rank), int(self.mated.sum()))

    def dir_at(self, fpir: float, rank: int | None = 1) -> float:
        """Detection and identification rate, 1 - ``fnir_at``."""
        return 1 - self.fnir_at(fpir, rank)

    def dir_interval(self, fpir: float, rank: int | None = 1) -> Interval:
        """Wilson's interval of ``dir_at``, with the threshold taken as given."""
        low, high = self.fnir_interval(fpir, rank)
        return 1 - high, 1 - low

    def rates(self, threshold: float, rank: int | None = 1) -> tuple[float, float]:
        """(FPIR, FNIR) at a threshold of your own; FPIR is NaN without strangers."""
        strangers = self.best_scores[~self.mated]
        fpir = float((strangers > threshold).mean()) if len(strangers) else float("nan")
        return fpir, float(1 - self._found(threshold, rank)[self.mated].mean())

    def det(self, rank: int | None = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Thresholds, FPIR and FNIR, float64 (T + 1,) each: all points of the DET curve, from rejecting all."""
        curve = self._ranking.curve()
        allowed = self.mated if rank is None else self.mated & (self.ranks <= rank)
        rising = np.sort(self.scores[allowed])
        above = len(rising) - np.searchsorted(rising, curve.thresholds, side="right")
        return curve.thresholds, curve.far, 1 - above / self.mated.sum()

    def bootstrap(
        self, resamples: int = 1000, seed: int = 0, fpir: Sequence[float] = (), rank: int | None = 1
    ) -> dict[str, Interval]:
        """Percentile intervals: people are drawn with replacement, each with all probes; the gallery stays.

        The honest choice where a person has many probes, for these are not independent. Known people and strangers
        are drawn apart, so that there are as many of each as there were.

        Returns
        -------
        dict
            "rank1", and "fnir@0.01" and so on for the rates of ``fpir`` -> (low, high).
        """
        if resamples < 40:
            raise FaceLibError(f"resamples={resamples}: the outer 5 % of them need at least 40; 1000 is common")
        random = np.random.default_rng(seed)
        groups = []  # probes of one kind, who is in them, how many people these are
        for kind in (self.mated, ~self.mated):
            if kind.any():
                people, who = np.unique(self.probe_ids[kind], return_inverse=True)
                groups.append((np.flatnonzero(kind), who, len(people)))
        rows = []
        for _ in range(resamples):
            counts = np.zeros(len(self.mated))
            for probes, who, size in groups:
                counts[probes] = np.bincount(random.integers(size, size=size), minlength=size)[who]
            weights = counts * self.mated / (counts @ self.mated)
            row = [weights @ (self.ranks == 1)]
            if fpir:
                curve = self._ranking.curve(counts)
                row += [1 - weights @ self._found(curve.thresholds[curve.at(rate)], rank) for rate in fpir]
            rows.append(row)
        ends = np.quantile(rows, (0.025, 0.975), axis=0).T.tolist()
        names = ["rank1", *(f"fnir@{rate:g}" for rate in fpir)]
        return {name: (low, high) for name, (low, high) in zip(names, ends, strict=True)}

    @cached_property
    def _ranking(self) -> Ranking:
        """Own scores of mated probes and best scores of the others, sorted together: its FAR is our FPIR."""
        if self.mated.all():
            raise FaceLibError(f"all {len(self.mated)} probes show people of the gallery: FPIR is about strangers")
        return Ranking(np.where(self.mated, self.scores, self.best_scores), self.mated)

    def _found(self, threshold: float, rank: int | None) -> np.ndarray:
        """bool (P,): mated, near enough and far enough in front."""
        if rank is not None and rank < 1:
            raise FaceLibError(f"rank={rank}: ranks count from 1")
        found = self.mated & (self.scores > threshold)
        return found if rank is None else found & (self.ranks <= rank)

    def __repr__(self) -> str:
        return f"<Identification of {len(self.mated)} probes among {len(self.cmc)}: rank-1 {self.rank1:.4f}>"

    def __str__(self) -> str:
        known, strangers = int(self.mated.sum()), int((~self.mated).sum())
        others = f" and {self.distractors} distractors" if self.distractors else ""
        lines = [
            f"{len(self.people)} people{others}; {known} probes of theirs, {strangers} of strangers; intervals of 95 %",
            *(f"rank-{k:<3}            {_percent(self.rank(k), self.rank_interval(k))}" for k in (1, 5, 10)),
        ]
        for fpir in FPIRS:
            if fpir * strangers >= 1:
                rates = _percent(self.fnir_at(fpir), self.fnir_interval(fpir))
                lines.append(f"FNIR at FPIR {fpir:<6g}{rates}  above {self.threshold_at(fpir):.4f}")
        copies = int((self.scores[self.mated] > SAME_PICTURE).sum())
        if copies:
            lines.append(f"{copies} probes are pictures of the gallery: leave them out of one of the two")
        return "\n".join(lines)


def _percent(share: float, interval: Interval) -> str:
    return f"{100 * share:6.2f} %  [{100 * interval[0]:6.2f}, {100 * interval[1]:6.2f}]"


def identification(
    gallery: Any,
    gallery_ids: Any,
    probes: Any,
    probe_ids: Any,
    *,
    distractors: Any = None,
    templates: str = "best",
) -> Identification:
    """Look for every probe in the gallery, by cosine.

    Parameters
    ----------
    gallery : (G, D)
        Embeddings of known people, arrays or tensors, of any length but 0; several of one person are welcome.
    gallery_ids : (G,)
        Who they are: whole numbers or names.
    probes : (P, D)
    probe_ids : (P,)
        Who they are. Those whose person is not in the gallery are strangers, and FPIR is measured on them.
    distractors : (M, D)
        More rows of the gallery, each of somebody of whom there is no probe: how figures fall when the gallery grows.
    templates : "best" or "mean"
        Of several pictures of one person: the best score counts, or their unit vectors' mean is the person.

    Raises
    ------
    FaceLibError
        Shapes that do not fit, NaN, vectors of length 0, ids of two kinds, no probe of anybody in the gallery.

    Notes
    -----
    A block of the gallery is multiplied by a block of the probes, and of the products only places and maxima are kept.
    Beyond what is passed, that takes the probes once more as float32 and some 120 MB, however large the gallery is.
    Products are float32: scores that differ by less than 1e-6 may come in either order.
    """
    found = search_people(gallery, gallery_ids, probes, probe_ids, distractors, templates)
    return Identification(*found)
