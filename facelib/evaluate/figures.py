"""Figures of verification and identification: scores, ROC, DET, CMC, and who looks like whom.

Each function takes arrays, draws on Matplotlib axes, its own or those given, and returns them, so that curves can be
laid over each other and a test can ask what was drawn::

    ax = figures.roc(scores, same, label="mine")
    figures.roc(other_scores, same, ax, label="theirs")

Curves are exact: every threshold that makes a difference is a step, and nothing is drawn between two steps that no
threshold reaches. Bands are Wilson's 95 % intervals, point by point, as if the pairs were independent.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from .. import plot
from ..errors import FaceLibError
from .identify import Identification
from .ranking import Ranking, wilson
from .rates import ENOUGH

SAME, DIFFERENT = plot.BLUE, plot.RED
DET_TICKS = (0.0001, 0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99)
_probit = np.vectorize(NormalDist().inv_cdf, otypes=[float])
_wilson = np.vectorize(wilson, otypes=[float, float])


def similarity_matrix(embeddings: Any, people: Any, ax: Axes | None = None, title: str = "") -> Axes:
    """Cosines of all pictures with all, sorted by person: bright squares on the diagonal, dark elsewhere, one hopes.

    Parameters
    ----------
    embeddings : (N, D)
        Of any length but 0.
    people : (N,)
        Who is in each picture: names or numbers, which become the labels.

    Raises
    ------
    FaceLibError
        Shapes that do not fit, or an embedding of length 0.
    """
    vectors, people = np.asarray(embeddings, np.float64), np.asarray(people)
    if vectors.ndim != 2 or people.shape != (len(vectors),) or not len(vectors):
        raise FaceLibError(f"embeddings {vectors.shape} and people {people.shape}: expected (N, D) and (N,)")
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(length) & (length > 0)).all():
        raise FaceLibError("an embedding has length 0 or is not finite: the network or its input is broken")
    order = np.argsort(people, kind="stable")
    unit = (vectors / length)[order]
    names, first, count = np.unique(people[order], return_index=True, return_counts=True)
    ax = _axes(ax, (8, 7))
    drawn = ax.imshow(unit @ unit.T, cmap="cividis", vmax=1)
    for start in first[1:] - 0.5:
        ax.axhline(start, color="white", linewidth=0.5)
        ax.axvline(start, color="white", linewidth=0.5)
    size = 9 if len(names) <= 12 else 7
    ax.set_xticks(first + (count - 1) / 2, [str(name) for name in names], rotation=90, fontsize=size)
    ax.set_yticks(first + (count - 1) / 2, [str(name) for name in names], fontsize=size)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(title)
    ax.figure.colorbar(drawn, ax=ax, shrink=0.7, label="cosine")
    return ax


def score_histogram(
    scores: Any, same: Any, threshold: float | None = None, ax: Axes | None = None, bins: int = 60
) -> Axes:
    """Scores of same and of different pairs, each kind as shares of its own, over common bins.

    Parameters
    ----------
    scores : (N,)
    same : bool (N,)
    threshold : float, optional
        Drawn as a line; what lies on its wrong side is an error.
    bins : int
    """
    ranking = _ranking(scores, same)
    ax = _axes(ax, (8, 4))
    edges = np.histogram_bin_edges(ranking.scores, bins)
    kinds = (("different people", ~ranking.same, DIFFERENT, "\\\\\\"), ("same person", ranking.same, SAME, "///"))
    for name, rows, colour, hatch in kinds:
        share = np.full(rows.sum(), 1 / rows.sum())
        ax.hist(ranking.scores[rows], edges.tolist(), weights=share, histtype="stepfilled", facecolor=(colour, 0.35),
                edgecolor=colour, hatch=hatch, linewidth=1.5, label=f"{name} ({rows.sum():,})")  # fmt: skip
    if threshold is not None and np.isfinite(threshold):
        ax.axvline(threshold, color=_ink(ax), linestyle="--", label=f"threshold {threshold:.3f}")
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.set(xlabel="score", ylabel="share of its pairs")
    ax.legend(fontsize="small", loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderpad=0)  # clear of the bars
    return ax


def roc(scores: Any, same: Any, ax: Axes | None = None, label: str = "", band: bool = True, few: bool = True) -> Axes:
    """True accept rate over false accept rate, the latter on a logarithmic axis.

    The leftmost stretch is the rate without any false accept, for which a logarithm has no place.

    Parameters
    ----------
    scores : (N,)
    same : bool (N,)
    label : str
        For a legend, which is drawn when there is one.
    band : bool
        Shade Wilson's interval of the true accept rate.
    few : bool
        Shade the rates that fewer than ten false accepts decide.
    """
    ranking = _ranking(scores, same)
    far, tar = _steps(ranking)
    ax = _axes(ax, (8, 4.5))
    (line,) = ax.plot(far, tar, drawstyle="steps-post", label=label or None)
    if band:
        low, high = _wilson(tar, int(ranking.same.sum()))
        ax.fill_between(far, low, high, step="post", color=line.get_color(), alpha=0.25, linewidth=0)
    ax.set_xscale("log")
    left = min(np.asarray(line.get_xdata())[0] for line in ax.lines)
    ax.set(xlabel="false accept rate", ylabel="true accept rate", xlim=(left, 1))
    if few:
        _shade_few(ax, far[0], ENOUGH / (~ranking.same).sum(), 0.02 if tar[0] > 0.5 else 0.94)
    ax.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    if label:
        ax.legend(fontsize="small", loc="lower right")
    return ax


def det(scores: Any, same: Any, ax: Axes | None = None, label: str = "", band: bool = True) -> Axes:
    """False reject over false accept rate, both on axes of normal deviates (Martin et al. 1997).

    Where both kinds of scores are normally distributed the curve is straight, and its slope is the ratio of their
    deviations. What is drawn are the deviates: a rate of 50 % lies at 0. The dot is the equal error rate.

    Parameters
    ----------
    scores : (N,)
    same : bool (N,)
    label : str
        For a legend, which is drawn when there is one.
    band : bool
        Shade Wilson's interval of the false reject rate.
    """
    ranking = _ranking(scores, same)
    far, tar = _steps(ranking)
    n_same, n_different = int(ranking.same.sum()), int((~ranking.same).sum())
    x, y = deviates(far, n_different), deviates(1 - tar, n_same)
    ax = _axes(ax, (5.5, 5))
    new = not ax.lines
    (line,) = ax.plot(x, y, drawstyle="steps-post", label=label or None)
    if band:
        low, high = _wilson(tar, n_same)
        edges = deviates(1 - high, n_same), deviates(1 - low, n_same)
        ax.fill_between(x, *edges, step="post", color=line.get_color(), alpha=0.2, linewidth=0)
    eer = ranking.curve().eer
    middle = deviates(np.array([eer]), min(n_same, n_different))
    ax.plot(middle, middle, "o", color=line.get_color(), markersize=6)
    lowest = float(deviates(np.zeros(1), max(n_same, n_different))[0])
    highest = float(_probit(0.6 if eer < 0.3 else 0.995))
    limits = ax.get_xlim()
    ends = (lowest, highest) if new else (min(lowest, limits[0]), max(highest, limits[1]))
    ticks = [rate for rate in DET_TICKS if ends[0] <= _probit(rate) <= ends[1]]
    names = [f"{100 * rate:g} %" for rate in ticks]
    ax.set_xticks(_probit(ticks), names)
    ax.set_yticks(_probit(ticks), names)
    ax.set(xlabel="false accept rate", ylabel="false reject rate", xlim=ends, ylim=ends)
    ax.grid(alpha=0.3)
    ax.set_aspect("equal")
    if label:
        ax.legend(fontsize="small")
    return ax


def cmc(found: Identification, ax: Axes | None = None, label: str = "", band: bool = True, ranks: int = 20) -> Axes:
    """Cumulative match characteristic: share of known probes whose person is among the first k.

    Parameters
    ----------
    found : Identification
    label : str
        For a legend, which is drawn when there is one.
    band : bool
        Shade Wilson's interval.
    ranks : int
        How far to go.
    """
    share = found.cmc[:ranks]
    places = np.arange(1, len(share) + 1)
    ax = _axes(ax, (8, 4))
    (line,) = ax.plot(places, share, marker="o", markersize=4, label=label or None)
    if band:
        low, high = _wilson(share, int(found.mated.sum()))
        ax.fill_between(places, low, high, color=line.get_color(), alpha=0.25, linewidth=0)
    ax.set(xlabel="rank", ylabel="known probes found", xlim=(0.5, max(2, len(share)) + 0.5))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    if label:
        ax.legend(fontsize="small", loc="lower right")
    return ax


def open_det(found: Identification, ax: Axes | None = None, label: str = "", band: bool = True) -> Axes:
    """False negative over false positive identification rate, both for the first place alone, on axes of deviates.

    A known probe counts as missed also where somebody else is ahead of its own person, so to the right the curve ends
    at 1 - rank-1 and not at 0.

    Parameters
    ----------
    found : Identification
        With strangers among its probes.
    label : str
        For a legend, which is drawn when there is one.
    band : bool
        Shade Wilson's interval of the false negative rate.
    """
    _, fpir, fnir = found.det(rank=1)
    known, strangers = int(found.mated.sum()), int((~found.mated).sum())
    last = np.append(fpir[1:] != fpir[:-1], True)  # of points above each other
    fpir, fnir = fpir[last], fnir[last].clip(0, 1)
    x, y = deviates(fpir, strangers), deviates(fnir, known)
    ax = _axes(ax, (5.5, 5))
    (line,) = ax.plot(x, y, drawstyle="steps-post", label=label or None)
    if band:
        lower, upper = (deviates(end, known) for end in _wilson(fnir, known))
        ax.fill_between(x, lower, upper, step="post", color=line.get_color(), alpha=0.2, linewidth=0)
    for name, axis, count, worst in (("x", ax.xaxis, strangers, 0.995), ("y", ax.yaxis, known, float(fnir.max()))):
        ends = float(deviates(np.zeros(1), count)[0]), float(_probit(min(0.995, max(worst, 0.5))))
        ticks = [rate for rate in DET_TICKS if ends[0] <= _probit(rate) <= ends[1]]
        axis.set_ticks(_probit(ticks), [f"{100 * rate:g} %" for rate in ticks])
        ax.set(**{f"{name}lim": ends})
    ax.set(xlabel="false positive identification rate", ylabel="false negative identification rate")
    ax.grid(alpha=0.3)
    if label:
        ax.legend(fontsize="small")
    return ax


def deviates(rates: np.ndarray, count: int) -> np.ndarray:
    """Normal deviates of rates among ``count``; 0 and 1 have none and are taken as half a case from the end."""
    return _probit(np.clip(rates, 0.5 / count, 1 - 0.5 / count))


def _steps(ranking: Ranking) -> tuple[np.ndarray, np.ndarray]:
    """FAR and TAR of a curve to be drawn as steps: from each FAR on, the greatest TAR that it allows."""
    curve = ranking.curve()
    last = np.append(curve.far[1:] != curve.far[:-1], True)  # of points above each other
    far = curve.far[last]
    far[0] = 0.5 / (~ranking.same).sum()
    return far, curve.tar[last]


def _ranking(scores: Any, same: Any) -> Ranking:
    scores, same = np.asarray(scores, np.float64), np.asarray(same, bool)
    if scores.ndim != 1 or scores.shape != same.shape or not np.isfinite(scores).all():
        raise FaceLibError(f"scores {scores.shape} and same {same.shape}: expected (N,) twice, and finite scores")
    if same.all() or not same.any():
        raise FaceLibError(f"{len(same)} pairs of one kind: a figure needs same and different ones")
    return Ranking(scores, same)


def _shade_few(ax: Axes, start: float, end: float, height: float) -> None:
    """Of several curves the shade is that of the first."""
    if start < end < 1 and not ax.patches:
        ax.axvspan(start / 10, end, color="grey", alpha=0.15, linewidth=0, zorder=0)
        x = np.sqrt(start * end)
        ax.text(
            x, height, f"fewer than {ENOUGH} false accepts", transform=ax.get_xaxis_transform(), ha="center", size=8
        )


def _ink(ax: Axes) -> Any:
    return ax.xaxis.label.get_color()


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    return plt.subplots(figsize=size)[1] if ax is None else ax
