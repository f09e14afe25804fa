"""Every figure the lessons share. Functions draw on Matplotlib axes and return them, so that a cell can check them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from .alignment import TEMPLATE_112
from .faces import LANDMARK_NAMES, Faces

BLUE, ORANGE, GREEN, PINK, YELLOW, SKY, RED = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#56B4E9", "#D55E00",
)  # fmt: skip
"""Okabe and Ito's colours, told apart by colour-blind readers too."""

_INK = {"light": ("#FBFBF9", "#1F2328"), "dark": ("#1B1F24", "#E6E8EA")}


def use(theme: str = "light") -> None:
    """Set Matplotlib's defaults for the lessons: "light" (readable in a dark book too, as a card) or "dark"."""
    if theme not in _INK:
        raise ValueError(f'theme must be "light" or "dark", not {theme!r}')
    paper, ink = _INK[theme]
    plt.rcParams.update(
        {
            "figure.facecolor": paper, "axes.facecolor": paper, "savefig.facecolor": paper,
            "text.color": ink, "axes.labelcolor": ink, "axes.edgecolor": ink, "axes.titlecolor": ink,
            "xtick.color": ink, "ytick.color": ink, "legend.frameon": False,
            "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": "medium",
            "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN, PINK, SKY, RED]),
            "figure.figsize": (8, 4), "figure.dpi": 100, "savefig.dpi": 100, "figure.constrained_layout.use": True,
        }
    )  # fmt: skip
    if "ipykernel" in sys.modules:  # in a notebook: photos as PNG would make it several times larger
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("jpeg", pil_kwargs={"quality": 92, "subsampling": 0, "optimize": True})


def image(picture: np.ndarray, title: str = "", ax: Axes | None = None, **options: Any) -> Axes:
    """A picture without axes: uint8 (H, W, 3), or (H, W) with ``cmap`` and friends."""
    ax = _axes(ax, picture.shape)
    ax.imshow(picture, **options)
    ax.autoscale(False)  # boxes that stick out must not shrink the picture
    ax.set_axis_off()
    if title:
        ax.set_title(title)
    return ax


def faces(picture: np.ndarray, found: Faces, title: str = "", ax: Axes | None = None, scores: bool = True) -> Axes:
    """A picture with boxes, scores and landmarks."""
    ax = image(picture, title, ax)
    boxes(ax, found.boxes, ORANGE, labels=[f"{s:.3f}" for s in found.scores] if scores else None)
    landmarks(ax, found.landmarks)
    return ax


def boxes(
    ax: Axes,
    corners: Any,
    colour: Any = ORANGE,
    labels: Sequence[str] | None = None,
    width: float = 1.5,
    **options: Any,
) -> LineCollection:
    """Boxes (N, 4) as outlines; one collection, so that thousands stay fast. ``colour`` may be N colours."""
    corners = np.asarray(corners, dtype=float).reshape(-1, 4)
    x1, y1, x2, y2 = corners.T
    outline = np.stack([x1, y1, x2, y1, x2, y2, x1, y2, x1, y1], axis=1).reshape(-1, 5, 2)
    lines = LineCollection(list(outline), colors=colour, linewidths=width, **options)
    ax.add_collection(lines)
    for (x, y, *_), label in zip(corners, labels or [], strict=False):
        ax.text(x, y - 2, label, color="black", size=8, va="bottom", bbox={"fc": ORANGE, "ec": "none", "pad": 1})
    return lines


def landmarks(
    ax: Axes, points: Any, size: float = 20, names: bool = False, colours: Sequence[str] | None = None
) -> None:
    """Landmarks (N, 5, 2) or (5, 2): one colour for each of the five, dark rimmed to read on any skin."""
    points = np.asarray(points, dtype=float).reshape(-1, 5, 2)
    for k, colour in enumerate(colours or (SKY, BLUE, YELLOW, PINK, RED)):
        label = LANDMARK_NAMES[k] if names else None
        x, y = points[:, k].T
        ax.scatter(x, y, size, color=colour, edgecolors="black", linewidths=0.5, zorder=3, label=label)


def template(ax: Axes, size: float = 112, colour: Any = "white") -> None:
    """Where the template wants the five landmarks in a crop of this size: crosses, dark rimmed."""
    x, y = (TEMPLATE_112 * size / 112).T
    ax.scatter(x, y, 60, color="black", marker="+", linewidths=2.5, zorder=2)
    ax.scatter(x, y, 45, color=colour, marker="+", linewidths=1.2, zorder=2)


def cascade(picture: np.ndarray, stages: Mapping[str, Any], columns: int = 3) -> np.ndarray:
    """One panel a stage: title -> boxes (N, 4) or Faces. Returns the array of axes."""
    axes = panels(len(stages), columns, picture.shape)
    for ax, (title, stage) in zip(axes.flat, stages.items(), strict=False):
        corners = stage.boxes if hasattr(stage, "boxes") else stage
        image(picture, f"{title}: {len(corners)}", ax)
        boxes(ax, corners, ORANGE, width=1 if len(corners) < 100 else 0.5)
        if isinstance(stage, Faces):
            landmarks(ax, stage.landmarks, size=6)
    return axes


def pyramid(levels: Sequence[np.ndarray], titles: Sequence[str] | None = None) -> Axes:
    """Pictures of falling size side by side at one scale, as a network sees them."""
    height, gap = levels[0].shape[0], max(4, levels[0].shape[1] // 50)
    width = sum(level.shape[1] for level in levels) + gap * (len(levels) - 1)
    _, ax = plt.subplots(figsize=(9, max(1.5, 9 * height / width + 0.4)))
    x = 0
    for level, title in zip(levels, titles or [""] * len(levels), strict=True):
        rows, columns = level.shape[:2]
        ax.imshow(level, extent=(x, x + columns, height, height - rows))
        ax.text(x, height - rows - gap / 3, title, size=7, va="bottom")
        x += columns + gap
    ax.set(xlim=(0, width), ylim=(height, -gap * 3))
    ax.set_axis_off()
    return ax


def heat_map(picture: np.ndarray, values: np.ndarray, title: str = "", ax: Axes | None = None, **sizes: int) -> Axes:
    """A picture in grey under a map of probabilities (H', W'); what is near 0 stays transparent.

    Each value is a square of ``stride=2`` pixels in the middle of the ``window=12`` pixels that it speaks for.
    """
    stride, window = sizes.get("stride", 2), sizes.get("window", 12)
    ax = image(picture.mean(2), title, ax, cmap="gray", vmin=-80, vmax=300)
    limits = {"xlim": ax.get_xlim(), "ylim": ax.get_ylim()}
    first = (window - stride) / 2 - 0.5  # pixel 0 reaches from -0.5 to 0.5
    bottom, right = (first + stride * count for count in values.shape)
    where = (first, right, bottom, first)
    ax.imshow(values, extent=where, cmap="plasma", vmin=0, vmax=1, alpha=np.clip(values * 1.5, 0, 1))
    ax.set(**limits)
    return ax


def before_after(picture: np.ndarray, found: Faces, crops: np.ndarray, template: bool = True) -> np.ndarray:
    """A picture with its faces on the left, the aligned crops on the right with the template's points."""
    figure = plt.figure(figsize=(9, 4))
    left, right = figure.subfigures(1, 2, width_ratios=(1.4, 1))  # type: ignore[misc]
    axes = [faces(picture, found, "before", left.subplots(), scores=False)]
    columns = int(np.ceil(np.sqrt(len(crops))))
    grid_axes = np.atleast_1d(right.subplots(int(np.ceil(len(crops) / columns)), columns))
    right.suptitle("after", size="medium")
    for ax in grid_axes.flat:
        ax.set_axis_off()
    for ax, crop in zip(grid_axes.flat, crops, strict=False):
        image(crop, ax=ax)
        if template:
            landmarks(ax, TEMPLATE_112 * len(crop) / 112, size=8)
        axes.append(ax)
    return np.array(axes)


def grid(crops: Any, titles: Sequence[str] | None = None, columns: int = 8, side: float = 1.1) -> np.ndarray:
    """Small pictures in rows. Returns the array of axes."""
    columns = min(columns, len(crops))
    rows = int(np.ceil(len(crops) / columns))
    extra = 0.22 if titles else 0
    _, axes = plt.subplots(rows, columns, squeeze=False, figsize=(side * columns, (side + extra) * rows))
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, crop, title in zip(axes.flat, crops, titles or [""] * len(crops), strict=False):
        image(crop, ax=ax)
        ax.set_title(title, size=8, pad=2)
    return axes


def matrix(values: Any, rows: Sequence[str], columns: Sequence[str], title: str = "", ax: Axes | None = None) -> Axes:
    """A matrix of similarities as colours with the numbers written in."""
    values = np.asarray(values)
    ax = _axes(ax, (len(rows), len(columns)), width=0.6 * len(columns) + 1.5)
    drawn = ax.imshow(values, cmap="cividis")
    middle = (drawn.norm.vmin + drawn.norm.vmax) / 2  # type: ignore[operator]
    for (i, j), value in np.ndenumerate(values):
        ax.text(j, i, f"{value:.2f}", ha="center", va="center", size=8, color="white" if value < middle else "black")
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(title)
    return ax


def bars(values: Mapping[str, float], unit: str, title: str = "", ax: Axes | None = None) -> Axes:
    """Horizontal bars with the number at their end."""
    ax = _axes(ax, (len(values), 6), width=7)
    drawn = ax.barh(list(values), list(values.values()), color=BLUE)
    ax.bar_label(drawn, fmt=f" %.3g {unit.replace('%', '%%')}")
    ax.invert_yaxis()
    ax.set(title=title, xlabel=unit)
    ax.margins(x=0.15)
    return ax


def curves(
    x: Any,
    lines: Mapping[str, Any],
    xlabel: str = "",
    ylabel: str = "",
    ax: Axes | None = None,
    degrees: bool = False,
) -> Axes:
    """Named lines over one x, told apart by colour and by stroke. With ``degrees`` the x axis runs from 0 to 180."""
    ax = _axes(ax, (4, 7))
    strokes = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 2)))
    for k, (name, y) in enumerate(lines.items()):
        ax.plot(x, y, linestyle=strokes[k % len(strokes)], label=name)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if degrees:
        ax.set_xticks(range(0, 181, 45), [f"{tick}°" for tick in range(0, 181, 45)])
    ax.legend(fontsize="small")
    return ax


def regions(ax: Axes, x: Any, y: Any, leads: Sequence[Any], names: Sequence[str] = ()) -> list[np.ndarray]:
    """Regions of a plane where each lead (H, W) is above 0, tinted and hatched; grey is what belongs to none.

    Returns the drawn border of each, points (K, 2) in the units of x and y.
    """
    ax.set_facecolor("#DDDDDD")
    borders = []
    for lead, colour, hatch in zip(leads, (BLUE, ORANGE, GREEN), ("//", "\\\\", ".."), strict=False):
        ax.contourf(x, y, lead, levels=[0, np.inf], colors="white")
        filled = ax.contourf(x, y, lead, levels=[0, np.inf], colors=[colour], alpha=0.3, hatches=[hatch])
        filled.set_edgecolor(colour)
        filled.set_linewidth(0)
        line = ax.contour(x, y, lead, levels=[0], colors=[colour], linewidths=2)
        borders.append(np.concatenate([np.empty((0, 2)), *line.allsegs[0]]))
    for lead, name in zip(leads, names, strict=False):
        own = np.asarray(lead) > 0
        if own.mean() > 0.05:
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8}
            ax.text(np.mean(np.asarray(x)[own]), np.mean(np.asarray(y)[own]), name, ha="center", size=8, bbox=box)
    return borders


def cloud(points: Any, labels: Any, names: Sequence[str] = "0123456789", ax: Axes | None = None) -> Axes:
    """Points of the plane (N, 2), each drawn as the sign of its class and in its colour; labels (N,) from 0."""
    points, labels = np.asarray(points), np.asarray(labels)
    ax = _axes(ax, (6, 6))
    for label in np.unique(labels):
        colour = (BLUE, ORANGE, GREEN, PINK, SKY, RED, "#666666")[label % 7]
        x, y = points[labels == label].T
        ax.scatter(x, y, 28, marker=f"${names[label]}$", color=colour, linewidths=0.2)
    return ax


def thumbnails(ax: Axes, points: Any, pictures: Any, labels: Any, zoom: float = 0.8) -> None:
    """Small pictures at points of the plane (N, 2), framed in the colour of their class; labels (N,) from 0."""
    points = np.asarray(points)
    ax.scatter(points[:, 0], points[:, 1], s=0)  # sets the limits
    ax.margins(0.1)
    for point, picture, label in zip(points, pictures, labels, strict=True):
        colour = (BLUE, ORANGE, GREEN, PINK, YELLOW, RED, SKY)[int(label) % 7]
        frame = {"edgecolor": colour, "linewidth": 2}
        ax.add_artist(AnnotationBbox(OffsetImage(picture, zoom=zoom), point, pad=0, bboxprops=frame))


def intervals(rows: Mapping[str, Any], xlabel: str = "", ax: Axes | None = None, dots: Sequence[Any] = ()) -> Axes:
    """A row for each name with its (low, middle, high) as a line and a mark, first on top; ``dots`` are its runs."""
    ax = _axes(ax, (len(rows), 12))
    for y, (low, middle, high) in enumerate(rows.values()):
        ax.plot([low, high], [y, y], color=ORANGE, linewidth=2.5)
        ax.plot(middle, y, "|", color=ORANGE, markersize=12, markeredgewidth=3)
    for y, runs in enumerate(dots):
        ax.plot(runs, [y] * len(runs), "o", color=BLUE, alpha=0.5, markersize=4)
    ax.set(xlabel=xlabel, yticks=range(len(rows)), yticklabels=list(rows), ylim=(len(rows) - 0.5, -0.5))
    return ax


def panels(count: int, columns: int, shape: tuple[int, ...], width: float = 9) -> np.ndarray:
    """Empty axes for ``count`` pictures of one shape, flat enough for a page."""
    columns = min(columns, count)
    rows = int(np.ceil(count / columns))
    height = width / columns * shape[0] / shape[1] * rows + 0.35 * rows
    _, axes = plt.subplots(rows, columns, squeeze=False, figsize=(width, height))
    for ax in axes.flat:
        ax.set_axis_off()
    return axes


def _axes(ax: Axes | None, shape: tuple[int, ...], width: float = 7) -> Axes:
    if ax is None:
        _, ax = plt.subplots(figsize=(width, min(7.0, width * shape[0] / shape[1] + 0.4)))
    return ax
