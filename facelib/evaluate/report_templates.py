"""The section of the page on templates: DET of the pairs, and of the open set in each gallery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from matplotlib.axes import Axes

from . import figures
from .judged_templates import Compared, Searched
from .page import Drawing, beware, figures_table, plots, slug
from .ranking import wilson
from .rates import ENOUGH, FPIRS
from .templates import TemplateVerification

ABOUT = (
    "Templates: all pictures of one person from one occasion are one vector, the sum over media of the mean inside"
    " each, every picture weighted by the detector's score. TAR is the share of same pairs of templates above the"
    " threshold at which the FAR is met; its intervals take pairs for independent and are too narrow. FNIR at FPIR is"
    " that of first places in each gallery, to whose people those of the other are strangers; there intervals are"
    " drawn over people."
)
POINTS = 400
TICKS = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99)


def drawings(result: Compared) -> list[Drawing]:
    """A DET curve of the pairs, and one of each gallery that has strangers."""
    found, stem = result.verification, slug(result.name)
    enough = result.enough(0.1)
    rate = f", {100 * (1 - found.tar_at(0.1)):.1f} % at 10 %" if enough else ""
    made = [
        Drawing(
            f"{stem}-det", (5, 4.6), lambda ax: draw_det(found, ax),
            f"Detection error trade-off of {len(found.same):,} pairs of templates, with 95 % intervals, down to one"
            f" false accept; left of {100 * ENOUGH / len(found.impostor):.2g} % it rests on fewer than ten.",
            f"DET curve of {result.name}: false reject over false accept rate{rate}.",
        )
    ]  # fmt: skip
    return made + [_open(result, name, each) for name, each in result.galleries.items() if each.strangers]


def _open(result: Compared, name: str, each: Searched) -> Drawing:
    known = [f"{100 * each.found.fnir_at(fpir):.1f} % at {100 * fpir:g} %" for fpir in FPIRS if each.enough(fpir)]
    rates = f", {' and '.join(known)}" if known else ""
    few = "" if all(map(each.enough, FPIRS)) else " There are too few strangers for the left part of it."
    return Drawing(
        f"{slug(result.name)}-{slug(name)}-open", (5, 4.6), lambda ax: figures.open_det(each.found, ax),
        f"Gallery {name}, first places alone: on its right the curve ends at 1 - rank-1.{few}",
        f"DET curve of gallery {name} of {result.name}: false negative over false positive identification rate"
        f"{rates}.",
    )  # fmt: skip


def det_points(found: TemplateVerification, points: int = POINTS) -> tuple[np.ndarray, np.ndarray]:
    """Rates of false accepts and of false rejects, float64 (K,) each: at most ``points``, all exact, rising FAR.

    Numbers of false accepts are spaced evenly in their logarithm: of millions of steps no screen shows more.
    """
    count = len(found.impostor)
    accepts = np.unique(np.geomspace(1, count, points).round().astype(np.int64)) / count
    return accepts, np.array([1 - found.tar_at(far) for far in accepts.tolist()])


def draw_det(found: TemplateVerification, ax: Axes) -> Axes:
    """False reject over false accept rate on axes of deviates, as ``figures.det``, of any number of pairs."""
    far, frr = det_points(found)
    n_same, n_different = len(found.genuine), len(found.impostor)
    x, y = figures.deviates(far, n_different), figures.deviates(frr, n_same)
    (line,) = ax.plot(x, y)
    edges = np.array([wilson(rate, n_same) for rate in frr.tolist()]).T
    low, high = (figures.deviates(edge, n_same) for edge in edges)
    ax.fill_between(x, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    at = figures.deviates(np.array(TICKS), 10**9)
    names = [f"{100 * rate:g} %" for rate in TICKS]
    for axis, values in ((ax.xaxis, x[x < 0.2]), (ax.yaxis, y)):
        inside = (at >= values.min() - 0.05) & (at <= values.max() + 0.05)
        axis.set_ticks(at[inside], [name for name, keep in zip(names, inside, strict=True) if keep])
    right = float(figures.deviates(np.array([0.6]), n_different)[0])  # beyond, everything is accepted
    ax.set(xlabel="false accept rate", ylabel="false reject rate", xlim=(float(x.min()) - 0.1, right))
    ax.tick_params(axis="x", labelrotation=45)
    ax.grid(alpha=0.3)
    return ax


def section(result: Compared, made: Sequence[Drawing], pictures: Mapping[str, tuple[bytes, bytes]]) -> str:
    """HTML of one set of templates; its table is here, for galleries of two sets are not called alike."""
    return f"""<section id="{slug(result.name)}"><h2>{escape(result.name)}</h2>
<p class="faint">From {escape(result.source)}; crops were aligned by the landmarks of its lists. {ABOUT}</p>
{beware(result.warnings)}
{figures_table([result.name], [result.lines()])}
{plots(made, pictures)}
</section>
"""
