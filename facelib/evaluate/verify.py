"""Verification: do two pictures show one person? Yes, where the cosine of their embeddings is above a threshold::

    report = facelib.evaluate.verification(e_a, e_b, same)    # (N, D), (N, D), (N,): pair i is e_a[i] and e_b[i]
    report.accuracy, report.std                               # over ten folds, as figures on LFW are published
    report.auc, report.eer, report.tar_at(1e-3)               # from all scores
    print(report)

Everything follows from sorted scores, exactly and in O(N log N): no grid of thresholds. Equal scores are never parted.
Lesson 11 derives it: rates (11.1), accuracy (11.2), folds, and the bootstrap over people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from ..errors import FaceLibError
from .ranking import Curve, Interval, Ranking, wilson
from .resampling import drawn_pairs, drawn_people
from .vectors import as_array

FARS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
"""False accept rates of the printed report, as far as there are enough different pairs to meet one."""

BLOCK = 64  # pairs whose float64 copies stay in the cache

PRINTED_BOOTSTRAP = 20_000
"""Up to so many pairs a printed report has bootstrap intervals too, which take a second there."""


@dataclass(frozen=True, eq=False, repr=False)
class Verification:
    """What N scored pairs say. All rates are fractions, all intervals 95 %.

    Attributes
    ----------
    scores : float64 (N,)
        Greater means more alike.
    same : bool (N,)
        The truth.
    fold : int64 (N,)
        Fold of each pair, 0 ... folds - 1.
    accuracies, thresholds : float64 (folds,)
        Accuracy on each fold, with the threshold that is best on all the others.
    ranking : Ranking
        The pairs in the order of their scores.
    """

    scores: np.ndarray
    same: np.ndarray
    fold: np.ndarray
    accuracies: np.ndarray
    thresholds: np.ndarray
    ranking: Ranking

    @property
    def accuracy(self) -> float:
        """Mean of the folds' accuracies."""
        return float(self.accuracies.mean())

    @property
    def std(self) -> float:
        """Standard deviation of the folds' accuracies (dividing by folds, not folds - 1), which papers print after +-.

        LFW's own rules ask for the standard error of the mean, ``std / sqrt(folds - 1)``, for ten folds a third of it.
        """
        return float(self.accuracies.std())

    @property
    def accuracy_interval(self) -> Interval:
        """Wilson's interval of the accuracy, as if the pairs were independent; see ``bootstrap`` where they are not."""
        return wilson(self.accuracy, len(self.same))

    @cached_property
    def curve(self) -> Curve:
        """The ROC curve through all thresholds that make a difference; 1 - TAR over FAR is the DET curve."""
        return self.ranking.curve()

    @property
    def threshold(self) -> float:
        """The threshold that is best on all pairs, for use on new ones. ``accuracy`` is not measured with it."""
        return self.ranking.best_threshold()

    @property
    def auc(self) -> float:
        """Area under the ROC curve, P(same > different) + P(same = different) / 2 for scores of two random pairs."""
        return self.curve.auc

    @property
    def eer(self) -> float:
        """Equal error rate, the FAR that equals 1 - TAR; between two points of the curve, on the straight line."""
        return self.curve.eer

    def tar_at(self, far: float) -> float:
        """True accept rate of the lowest threshold that accepts at most a share ``far`` of the different pairs.

        Nothing is interpolated: below 1 / (different pairs) this is the rate without any false accept.
        """
        return float(self.curve.tar[self.curve.at(far)])

    def tar_interval(self, far: float) -> Interval:
        """Wilson's interval of ``tar_at``, with the threshold taken as given."""
        return wilson(self.tar_at(far), int(self.same.sum()))

    def threshold_at(self, far: float) -> float:
        """The threshold of ``tar_at``: accepted is what scores above it. Infinite where nothing may be accepted."""
        return float(self.curve.thresholds[self.curve.at(far)])

    def bootstrap(
        self,
        resamples: int = 1000,
        seed: int = 0,
        far: Sequence[float] = (),
        identities: tuple[Any, Any] | None = None,
    ) -> dict[str, Interval]:
        """Percentile intervals: each figure computed again on pairs drawn with replacement.

        Parameters
        ----------
        resamples, seed : int
        far : sequence of float
            Rates at which ``tar_at`` is wanted as well.
        identities : (N,), (N,)
            Who is in the first and in the second picture of each pair. Then people are drawn, not pairs: the honest
            choice where a person is in many pairs, for these are not independent. Intervals become wider.

        Returns
        -------
        dict
            "accuracy", "auc", "eer", "tar@0.001" and so on -> (low, high). The folds' thresholds stay as they are.
        """
        if resamples < 40:
            raise FaceLibError(f"resamples={resamples}: the outer 5 % of them need at least 40; 1000 is common")
        random = np.random.default_rng(seed)
        draws = drawn_pairs(self.same, random) if identities is None else drawn_people(self.same, identities, random)
        right = (self.scores > self.thresholds[self.fold]) == self.same
        share = 1 / np.bincount(self.fold)[self.fold]  # so that all folds weigh the same
        rows = []
        for counts in islice(draws, resamples):
            curve = self.ranking.curve(counts)
            accuracy = counts @ (share * right) / (counts @ share)
            rows.append([accuracy, curve.auc, curve.eer, *(curve.tar[curve.at(rate)] for rate in far)])
        names = ["accuracy", "auc", "eer", *(f"tar@{rate:g}" for rate in far)]
        ends = np.quantile(rows, (0.025, 0.975), axis=0).T.tolist()
        return {name: (low, high) for name, (low, high) in zip(names, ends, strict=True)}

    def __repr__(self) -> str:
        return f"<Verification of {len(self.same)} pairs: accuracy {self.accuracy:.4f}>"

    def __str__(self) -> str:
        different = int((~self.same).sum())
        lines = [
            f"{len(self.same)} pairs, {len(self.same) - different} same, {different} different;"
            f" {len(self.accuracies)} folds; intervals of 95 %",
            f"accuracy          {_percent(self.accuracy, self.accuracy_interval)}  +- {100 * self.std:.2f} over folds",
        ]
        drawn = self.bootstrap() if len(self.same) <= PRINTED_BOOTSTRAP else {}
        lines += [
            f"area under ROC    {_percent(self.auc, drawn.get('auc'))}",
            f"equal error rate  {_percent(self.eer, drawn.get('eer'))}",
        ]
        for far in FARS:
            if far * different >= 1:
                lines.append(f"TAR at FAR {far:<6g} {_percent(self.tar_at(far), self.tar_interval(far))}")
        low, high = self.thresholds.min(), self.thresholds.max()
        lines.append(f"threshold         {self.threshold:.4f} on all pairs, {low:.4f} to {high:.4f} without a fold")
        return "\n".join(lines)


def _percent(share: float, interval: Interval | None) -> str:
    # Where no pair is wrong, the bootstrap draws no wrong one either: that is no interval.
    ends = (
        ""
        if interval is None or interval[0] == interval[1]
        else f"  [{100 * interval[0]:6.2f}, {100 * interval[1]:6.2f}]"
    )
    return f"{100 * share:6.2f} %{ends}"


def verification(e_a: Any, e_b: Any, same: Any, folds: int = 10, fold: Any = None) -> Verification:
    """Judge embeddings of pairs by their cosines, ``a @ b / (norm(a) * norm(b))``.

    Parameters
    ----------
    e_a, e_b : (N, D)
        Embeddings of the first and the second pictures, arrays or tensors, of any length but 0.
    same, folds, fold
        As of ``verify_scores``.

    Raises
    ------
    FaceLibError
        Shapes that do not fit, NaN or infinite numbers, vectors of length 0, and what ``verify_scores`` raises.
    """
    return verify_scores(cosine_scores(e_a, e_b), same, folds, fold)


def verify_scores(scores: Any, same: Any, folds: int = 10, fold: Any = None) -> Verification:
    """Judge pairs by scores of any kind; greater must mean more alike, so pass distances with a minus.

    Parameters
    ----------
    scores : (N,)
    same : bool (N,)
        Whether both pictures show one person.
    folds : int
        The pairs are cut into so many runs of neighbours, as in LFW's list, where every run is half same.
    fold : (N,)
        Which fold each pair belongs to, by any names; then ``folds`` is not looked at.

    Raises
    ------
    FaceLibError
        Shapes that do not fit, scores that are not finite, only one kind of pairs, fewer pairs than folds.
    """
    scores, same = as_array(scores).astype(np.float64), _truth(same)
    if scores.shape != same.shape or same.ndim != 1:
        raise FaceLibError(f"scores and same have shapes {scores.shape} and {same.shape}: expected (N,) and (N,)")
    bad = np.flatnonzero(~np.isfinite(scores))
    if len(bad):
        raise FaceLibError(f"{len(bad)} of {len(scores)} scores are not finite, the first is that of pair {bad[0]}")
    if same.all() or not same.any():
        missing = "different" if same.any() else "same"
        raise FaceLibError(f"{len(same)} pairs, no {missing} one among them: both kinds are needed")
    fold = _folds(len(same), folds) if fold is None else _named_folds(fold, len(same))
    ranking = Ranking(scores, same)
    accuracies, thresholds = [], []
    for k in range(int(fold.max()) + 1):
        rest = fold != k
        if same[rest].all() or not same[rest].any():
            raise FaceLibError(f"without fold {k} there are no pairs of both kinds: shuffle the pairs or pass fold=")
        thresholds.append(ranking.best_threshold(among=rest))
        accuracies.append(((scores[~rest] > thresholds[-1]) == same[~rest]).mean())
    return Verification(scores, same, fold, np.array(accuracies), np.array(thresholds), ranking)


def cosine_scores(e_a: Any, e_b: Any) -> np.ndarray:
    """Cosine of each pair, float64 (N,) in -1..1; computed in float64, few pairs at a time."""
    a, b = as_array(e_a), as_array(e_b)
    if a.ndim != 2 or a.shape != b.shape or not a.shape[1]:
        raise FaceLibError(f"embeddings have shapes {a.shape} and {b.shape}: expected (N, D) twice")
    scores, length = np.empty(len(a)), np.empty(len(a))
    for start in range(0, len(a), BLOCK):
        rows = slice(start, start + BLOCK)
        x, y = a[rows].astype(np.float64), b[rows].astype(np.float64)
        length[rows] = np.einsum("nd,nd->n", x, x) * np.einsum("nd,nd->n", y, y)
        scores[rows] = np.einsum("nd,nd->n", x, y)
    length = np.sqrt(length)
    bad = np.flatnonzero(~np.isfinite(length) | (length == 0))
    if len(bad):
        reason = "has length 0" if length[bad[0]] == 0 else "holds NaN or infinite numbers"
        raise FaceLibError(f"an embedding of pair {bad[0]} {reason}: the network or its input is broken")
    scores /= length
    return scores.clip(-1, 1)


def _truth(same: Any) -> np.ndarray:
    array = as_array(same)
    if not np.isin(array, (0, 1)).all():
        raise FaceLibError("same: expected True or False, 1 or 0, for each pair")
    return array.astype(bool)


def _folds(pairs: int, folds: int) -> np.ndarray:
    if not 2 <= folds <= pairs:
        raise FaceLibError(f"{folds} folds of {pairs} pairs: expected at least 2, and a pair in each")
    return np.repeat(np.arange(folds), pairs // folds + (np.arange(folds) < pairs % folds))


def _named_folds(fold: Any, pairs: int) -> np.ndarray:
    names = np.asarray(fold.cpu() if hasattr(fold, "cpu") else fold)
    if names.shape != (pairs,):
        raise FaceLibError(f"fold has shape {names.shape}: expected one entry for each of {pairs} pairs")
    known, numbers = np.unique(names, return_inverse=True)
    if len(known) < 2:
        raise FaceLibError("fold names one fold only: the threshold of a fold needs the others")
    return numbers
