"""What sorted scores can say: thresholds that make a difference, the ROC curve through them, and its figures."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..errors import FaceLibError

Interval = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Curve:
    """An ROC curve: T distinct scores make T + 1 points, from accepting nothing, (0, 0), to accepting all, (1, 1).

    Attributes
    ----------
    thresholds : float64 (T + 1,)
        Falling from inf to -inf, each halfway between two neighbouring scores. A pair is accepted above it.
    far, tar : float64 (T + 1,)
        Share of the different and of the same pairs that are accepted.
    """

    thresholds: np.ndarray
    far: np.ndarray
    tar: np.ndarray

    @property
    def auc(self) -> float:
        """Area under the straight lines between the points; so equal scores count half (lesson 11, eq. 11.3)."""
        return float(np.diff(self.far) @ (self.tar[1:] + self.tar[:-1]) / 2)

    @property
    def eer(self) -> float:
        """FAR where FAR = 1 - TAR, on the straight line between the two points around it."""
        excess = self.far + self.tar - 1  # rises from -1 to 1
        k = int(np.searchsorted(excess, 0))
        part = -excess[k - 1] / (excess[k] - excess[k - 1])
        return float(self.far[k - 1] + part * (self.far[k] - self.far[k - 1]))

    def at(self, far: float) -> int:
        """Number of the last point whose FAR is at most ``far``."""
        if not 0 <= far <= 1:
            raise FaceLibError(f"far={far}: a false accept rate is a fraction, from 0 to 1")
        return int(np.searchsorted(self.far, far, side="right")) - 1


class Ranking:
    """N pairs in the order of falling scores, sorted once.

    ``scores`` float64 (N,) without NaN, ``same`` bool (N,) with both kinds. Equal scores stay together: between them
    no threshold can stand.
    """

    def __init__(self, scores: np.ndarray, same: np.ndarray) -> None:
        self.order = np.argsort(-scores)
        self.scores, self.same = scores[self.order], same[self.order]
        self.ends = _ends(self.scores)

    def curve(self, weights: np.ndarray | None = None) -> Curve:
        """The ROC curve; with ``weights`` (N,), each pair counts as often as they say."""
        count = np.ones(len(self.same)) if weights is None else weights[self.order]
        tar, far = (np.append(0.0, np.cumsum(np.where(kind, count, 0))[self.ends]) for kind in (self.same, ~self.same))
        return Curve(_thresholds(self.scores, self.ends), far / far[-1], tar / tar[-1])

    def best_threshold(self, among: np.ndarray | None = None) -> float:
        """The threshold with the greatest accuracy, the lowest of several; ``among`` (N,) bool: seen by these alone."""
        if among is None:
            scores, same, ends = self.scores, self.same, self.ends
        else:
            scores, same = (values[among[self.order]] for values in (self.scores, self.same))
            ends = _ends(scores)
        gain = np.append(0, np.cumsum(np.where(same, 1, -1))[ends])  # right answers beyond those of rejecting all
        best = len(gain) - 1 - int(gain[::-1].argmax())
        return float(_thresholds(scores, ends)[best])


def _ends(falling: np.ndarray) -> np.ndarray:
    """Place of the last of each run of equal scores."""
    return np.flatnonzero(np.append(falling[1:] != falling[:-1], True))


def _thresholds(falling: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """inf, what lies between neighbouring distinct scores, -inf. Above each are exactly the scores before it."""
    distinct = falling[ends]
    upper, lower = distinct[:-1], distinct[1:]
    middle = upper / 2 + lower / 2
    middle = np.where((middle >= lower) & (middle < upper), middle, lower)  # where no number lies between the two
    return np.concatenate([[np.inf], middle, [-np.inf]])


def wilson(share: float, count: int) -> Interval:
    """Wilson's 95 % interval of a share of ``count`` independent trials.

    (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n) with z = 1.96 (Wilson 1927; lesson 11,
    eq. 11.4). Unlike p +- z sqrt(p (1 - p) / n), it is not empty where all trials agree.

    >>> low, high = wilson(1.0, 100)
    >>> round(low, 3), round(high, 3)
    (0.963, 1.0)
    """
    z = 1.959964
    half = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    middle, width = share + z**2 / (2 * count), 1 + z**2 / count
    return min(share, max(0.0, (middle - half) / width)), max(share, min(1.0, (middle + half) / width))
