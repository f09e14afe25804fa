"""Draw images/laboratory.svg, the boundary laboratory at rest: python tools/laboratory_picture.py

The boundaries are those of ``facelib.margins``: wherever the target of class 1 beats the cosine of class 2.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Wedge
from matplotlib.patheffects import withStroke

from facelib import margins, plot

PICTURE = Path(__file__).resolve().parent.parent / "images" / "laboratory.svg"
RULES = {
    "NormFace": margins.NormFace(s=16),
    "CosFace, m = 0.35": margins.CosFace(s=16, m=0.35),
    "ArcFace, m = 0.5": margins.ArcFace(s=16, m=0.5),
}
BETWEEN = 80  # degrees from one centre to the other
HATCHES = {"class 1": "///", "class 2": "\\\\\\", "margin": ""}
COLOURS = {"class 1": plot.BLUE, "class 2": plot.ORANGE, "margin": "#9AA3A7"}


def boundary(rule: margins.Margin, theta: np.ndarray) -> np.ndarray:
    """The other angle at which an embedding ``theta`` from its own centre just meets the margin; radians.

    pi where no embedding meets it.
    """
    target = rule.target(torch.tensor(np.cos(theta))).numpy()
    return np.arccos(target.clip(-1, 1))


def regions(rule: margins.Margin, theta1: np.ndarray, theta2: np.ndarray) -> np.ndarray:
    """1 where class 1 meets its margin, 2 where class 2 does, 0 in the band between; same shape as the angles."""
    one, two = theta2 > boundary(rule, theta1), theta1 > boundary(rule, theta2)
    return np.where(one, 1, np.where(two, 2, 0))


def plane(ax: Axes, rule: margins.Margin, title: str) -> None:
    """Both boundaries in the plane of the two angles, in degrees."""
    theta = np.linspace(0, np.pi, 91)
    own, other = np.degrees(theta), np.degrees(boundary(rule, theta))
    for name, between in (("class 1", ax.fill_between), ("class 2", ax.fill_betweenx)):
        between(own, other, 180, facecolor=COLOURS[name], alpha=0.25, linewidth=0)
        between(own, other, 180, facecolor="none", hatch=HATCHES[name], edgecolor=COLOURS[name], linewidth=0)
    met = slice(np.count_nonzero(other < 180) + 1)  # up to where no embedding meets the margin any more
    ax.plot(own[met], other[met], color=plot.BLUE, linewidth=2)
    ax.plot(other[met], own[met], color=plot.ORANGE, linewidth=2, linestyle="--")
    halo = {"path_effects": [withStroke(linewidth=3, foreground=plt.rcParams["axes.facecolor"])]}
    ax.text(45, 135, "class 1", ha="center", weight="bold", **halo)
    ax.text(135, 45, "class 2", ha="center", weight="bold", **halo)
    if other[len(other) // 2] > 91:  # at theta1 = 90 degrees
        ax.text(90, 90, "margin", ha="center", va="center", rotation=45)
    ax.set(xlim=(0, 180), ylim=(0, 180), aspect="equal", title=title, xlabel="θ₁ in degrees")
    ax.set_xticks([0, 45, 90, 135, 180])
    ax.set_yticks([0, 45, 90, 135, 180])


def circle(ax: Axes, rule: margins.Margin) -> None:
    """The circle through both centres, its arcs by region."""
    step = 0.25  # degrees
    direction = np.arange(0, 360, step) + step / 2  # from the middle, towards centre 1
    away = [np.arccos(np.cos(np.radians(direction - centre))) for centre in (BETWEEN / 2, -BETWEEN / 2)]
    found = regions(rule, *away)
    first = np.flatnonzero(np.diff(found))[0] + 1  # begin where a region begins
    direction, found = np.append(direction[first:], direction[:first] + 360), np.roll(found, -first)
    for part in np.split(np.arange(len(direction)), np.flatnonzero(np.diff(found)) + 1):
        name = ("margin", "class 1", "class 2")[found[part[0]]]
        start, stop = 90 + direction[part[0]] - step / 2, 90 + direction[part[-1]] + step / 2
        look = {"facecolor": COLOURS[name], "edgecolor": plt.rcParams["axes.facecolor"], "hatch": HATCHES[name]}
        ax.add_patch(Wedge((0, 0), 1.0, start, stop, width=0.16, **look))
    half = np.radians(BETWEEN / 2)
    for centre, colour, name in ((half, plot.BLUE, "w₁"), (-half, plot.ORANGE, "w₂")):
        x, y = -np.sin(centre), np.cos(centre)
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 2, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (0.84 * x, 0.84 * y), (0, 0), arrowprops=arrow)
        ax.text(1.16 * x, 1.16 * y, name, ha="center", va="center", weight="bold")
    ax.set(xlim=(-1.15, 1.15), ylim=(-1.05, 1.1), aspect="equal")
    ax.axis("off")


def draw() -> None:
    plot.use("light")
    # Fixed names and no date: the same picture gives the same file.
    matplotlib.rcParams.update({"svg.hashsalt": "laboratory", "svg.fonttype": "none", "hatch.linewidth": 0.6})
    matplotlib.rcParams.update({"font.family": "sans-serif", "font.size": 10})
    figure, axes = plt.subplots(2, len(RULES), figsize=(9, 5.9))
    for (title, rule), (above, below) in zip(RULES.items(), axes.T, strict=True):
        plane(above, rule, title)
        circle(below, rule)
    axes[0, 0].set_ylabel("θ₂ in degrees")
    figure.savefig(PICTURE, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    draw()
    print(f"wrote images/{PICTURE.name}, {PICTURE.stat().st_size / 1024:.0f} KB")
