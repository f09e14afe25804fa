"""A page that shows an evaluation: figures, curves, who looks like whom, and the worst pairs.

``write_report`` makes a folder: ``index.html``, the same figures as PNG files, and ``report.json``. The page is whole
in itself: styles and pictures are inside, it holds no script and asks for nothing from anywhere. Every figure is there
twice, for light and for dark screens.
"""

from __future__ import annotations

import base64
import io
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import plot
from ..errors import FaceLibError
from ..folders.files import encode, write_atomically
from . import figures
from .judged import Matrix, Result, Shown, distance, lines_of, to_json

THEMES = ("light", "dark")
DPI = 180

STYLE = """
:root { color-scheme: light dark; --paper: #fbfbf9; --ink: #1f2328; --faint: #59636e; --line: #d1d5da;
        --card: #f1f2ef; --good: #005f44; --bad: #a33c00; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #1b1f24; --ink: #e6e8ea; --faint: #a0a8b0; --line: #3d444d; --card: #252a31;
          --good: #4fd1a5; --bad: #ff9a5c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 72rem; background: var(--paper); color: var(--ink);
       font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.3rem; margin: 3rem 0 .75rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p, ul { max-width: 44rem; }
.faint, figcaption { color: var(--faint); font-size: .875rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; font-weight: normal; padding: .2rem 1.25rem .2rem 0; vertical-align: top;
         border-bottom: 1px solid var(--line); }
thead th { font-weight: 600; }
th.sub { padding-left: 1rem; color: var(--faint); }
td.long { overflow-wrap: anywhere; }
.beware { background: var(--card); border-left: 4px solid var(--bad); padding: .5rem 1rem; margin: 1rem 0;
          max-width: 50rem; }
.beware ul { margin: 0; padding-left: 1.1rem; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem), 1fr)); gap: 1.5rem; }
figure { margin: 0; min-width: 0; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 0 2rem; }
.plots img { width: 100%; height: auto; border-radius: 4px; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 14.5rem), 1fr)); gap: 1rem; }
.gallery figure { background: var(--card); padding: .6rem; border-radius: 6px; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .4rem; }
.pair img { width: 100%; height: auto; border-radius: 3px; }
.score { display: block; color: var(--ink); margin-top: .3rem; }
.right { color: var(--good); font-weight: 600; } .wrong { color: var(--bad); font-weight: 600; }
"""


@dataclass(frozen=True)
class Drawing:
    """A figure to be made in each theme: name of its file, size in inches, function of the axes, caption, alt text."""

    name: str
    size: tuple[float, float]
    draw: Callable[[Axes], object]
    caption: str
    alt: str


def write_report(
    out: str | os.PathLike[str], results: Sequence[Result], about: Mapping[str, Any], matrix: Matrix | None = None
) -> Path:
    """Write the page and what lies beside it.

    Parameters
    ----------
    out : path of a folder
        Made if it is not there; files of an earlier report with the same names are replaced.
    results : sequence of Result
    about : dict
        "model", "preprocess", "settings", "versions": name -> text or number, each a table of the page; "warnings",
        a list.
    matrix : Matrix, optional
        Shown once instead of a matrix of each set.

    Returns
    -------
    The path of index.html.

    Raises
    ------
    FaceLibError
        When the folder cannot be written.
    """
    folder = Path(out)
    shared = [_matrix(matrix, "matrix")] if matrix else []
    drawings = {result.name: _drawings(result, with_matrix=not shared) for result in results}
    try:
        folder.mkdir(parents=True, exist_ok=True)  # before the figures, which take a while
        pictures = {each.name: _render(each) for part in (shared, *drawings.values()) for each in part}
        for name, (light, _) in pictures.items():
            write_atomically(folder / f"{name}.png", light)
        write_atomically(folder / "report.json", to_json(results, about).encode())
        body = [_head(results, about)]
        body += [_section(result, drawings[result.name], pictures) for result in results]
        if shared:
            body.append(f"<section><h2>Who looks like whom</h2>{_plots(shared, pictures)}</section>")
        body.append(_about(about))
        write_atomically(folder / "index.html", _page(f"Verification of {about['model']['name']}", body).encode())
    except OSError as error:
        raise FaceLibError(f"{folder}: cannot be written ({error.strerror or error}); choose another folder") from error
    return folder / "index.html"


def _page(title: str, body: Sequence[str]) -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
{"".join(body)}
</body>
</html>
"""


def _head(results: Sequence[Result], about: Mapping[str, Any]) -> str:
    rows = "".join(
        f'<tr><th scope="row"{_sub(cells[0][0])}>{_nice(cells[0][0].strip())}</th>'
        + "".join(f"<td>{_nice(text)}</td>" for _, text in cells)
        + "</tr>"
        for cells in zip(*map(lines_of, results), strict=True)
    )
    names = "".join(f'<th scope="col"><a href="#{slug(each.name)}">{escape(each.name)}</a></th>' for each in results)
    return f"""<header><h1>Verification of {escape(about["model"]["name"])}</h1>
<p class="faint">Do two pictures show one person? Yes, where the cosine of their embeddings is above a threshold.
Accuracy on each fold uses the threshold that is best on all the others; ± is the standard deviation over
folds.</p></header>
<main>{_beware(about.get("warnings", []))}
<div class="scroll"><table><thead><tr><th scope="col">figure</th>{names}</tr></thead><tbody>{rows}</tbody></table></div>
"""


def _section(result: Result, drawings: Sequence[Drawing], pictures: Mapping[str, tuple[bytes, bytes]]) -> str:
    found = result.verification
    folds = zip(found.accuracies, found.thresholds, np.bincount(found.fold), strict=True)
    rows = "".join(
        f'<tr><th scope="row">{k}</th><td>{count:,}</td><td>{100 * share:.2f} %</td><td>{level:.4f}</td>'
        f"<td>{distance(level):.4f}</td></tr>"
        for k, (share, level, count) in enumerate(folds, 1)
    )
    return f"""<section id="{slug(result.name)}"><h2>{escape(result.name)}</h2>
<p class="faint">From {escape(result.source)}.</p>{_beware(result.warnings)}
{_plots(drawings, pictures)}
<h3>The least alike pairs of one person</h3>
<p class="faint">{_wrong(result.worst_same)} "Wrong" is said by the threshold of the pair's own fold.</p>
<div class="gallery">{"".join(map(_pair, result.worst_same))}</div>
<h3>The most alike pairs of two people</h3>
<p class="faint">{_wrong(result.worst_different)}</p>
<div class="gallery">{"".join(map(_pair, result.worst_different))}</div>
<h3>Folds</h3>
<div class="scroll"><table><thead><tr><th scope="col">fold</th><th scope="col">pairs</th><th scope="col">accuracy</th>
<th scope="col">threshold</th><th scope="col">as a distance</th></tr></thead><tbody>{rows}</tbody></table></div>
</section>
"""


def _about(about: Mapping[str, Any]) -> str:
    parts = []
    for title in ("model", "preprocess", "settings", "versions"):
        rows = "".join(
            f'<tr><th scope="row">{escape(str(name))}</th><td class="long">{escape(_text(value))}</td></tr>'
            for name, value in about.get(title, {}).items()
        )
        parts.append(f"<div><h3>{title.capitalize()}</h3><table><tbody>{rows}</tbody></table></div>")
    return f"""<section><h2>What was evaluated</h2><div class="facts">{"".join(parts)}</div></section></main>
<footer><p class="faint">This page holds crops of the pictures that were evaluated. Pass it on only where you may pass
on those.</p></footer>"""


def _plots(drawings: Sequence[Drawing], pictures: Mapping[str, tuple[bytes, bytes]]) -> str:
    items = []
    for drawing in drawings:
        light, dark = (_uri(data, "png") for data in pictures[drawing.name])
        items.append(
            f'<figure><picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
            f'<img src="{light}" alt="{escape(drawing.alt)}"></picture>'
            f"<figcaption>{escape(drawing.caption)}</figcaption></figure>"
        )
    return f'<div class="plots">{"".join(items)}</div>'


def _pair(shown: Shown) -> str:
    who = "one person" if shown.same else "two people"
    images = "".join(
        f'<img src="{_uri(encode(image, ".jpg", 92), "jpeg")}" alt="{escape(f"{title}, one of a pair of {who}")}">'
        for image, title in zip(shown.images, shown.titles, strict=True)
    )
    verdict = '<span class="right">right</span>' if shown.right else '<span class="wrong">wrong</span>'
    names = " and ".join(escape(title) for title in shown.titles)
    return (
        f'<figure><div class="pair">{images}</div><figcaption><span class="score">{shown.score:.3f} {verdict}</span>'
        f"{names}</figcaption></figure>"
    )


def _drawings(result: Result, with_matrix: bool) -> list[Drawing]:
    found, stem = result.verification, slug(result.name)
    scores, same = found.scores, found.same
    means = scores[same].mean(), scores[~same].mean()
    made = [
        Drawing(
            f"{stem}-scores", (5.6, 3.8), lambda ax: figures.score_histogram(scores, same, found.threshold, ax),
            "Scores of both kinds of pairs. What lies on the wrong side of the threshold is an error.",
            f"Histograms of the scores of {result.name}: same pairs around {means[0]:.2f}, different ones around"
            f" {means[1]:.2f}, the threshold at {found.threshold:.2f}.",
        ),
        Drawing(
            f"{stem}-roc", (5.6, 3.8), lambda ax: figures.roc(scores, same, ax),
            "ROC curve with 95 % intervals. Every step is a threshold; at the left end nothing is accepted falsely.",
            f"ROC curve of {result.name}: area {100 * found.auc:.2f} %, true accept rate"
            f" {100 * found.tar_at(0):.1f} % without a false accept and {100 * found.tar_at(0.1):.1f} % at a false"
            " accept rate of 10 %.",
        ),
        Drawing(
            f"{stem}-det", (5, 4.6), lambda ax: figures.det(scores, same, ax),
            "Detection error trade-off, on axes on which normal distributions give straight lines. The dot is the equal"
            " error rate.",
            f"DET curve of {result.name}: false reject over false accept rate, equal at {100 * found.eer:.2f} %.",
        ),
    ]  # fmt: skip
    return made + ([_matrix(result.matrix, f"{stem}-matrix")] if with_matrix and result.matrix else [])


def _matrix(matrix: Matrix, name: str) -> Drawing:
    names, counts = np.unique(matrix.people, return_counts=True)
    unit = matrix.vectors / np.linalg.norm(matrix.vectors, axis=1, keepdims=True)
    cosines, alike = unit @ unit.T, matrix.people[:, None] == matrix.people
    other = cosines[~alike].mean() if len(names) > 1 else np.nan
    own = cosines[alike & ~np.eye(len(alike), dtype=bool)].mean()
    shots = f"{counts.min()} to {counts.max()}" if counts.min() < counts.max() else f"{counts.max()}"
    groups = "" if matrix.named else " A group is pictures that same pairs hold together; two may be one person."
    return Drawing(
        name, (6, 5.4), lambda ax: figures.similarity_matrix(matrix.vectors, matrix.people, ax),
        f"Cosines of all pictures of {len(names)} people with all, {shots} of each, from {matrix.source}.{groups}",
        f"Similarity matrix of {len(matrix.people)} pictures of {len(names)} people: {own:.2f} on average within the"
        f" squares of one person, {other:.2f} elsewhere.",
    )  # fmt: skip


def _render(drawing: Drawing) -> tuple[bytes, bytes]:
    made = []
    for theme in THEMES:
        with plt.rc_context():
            plot.use(theme)
            figure = Figure(figsize=drawing.size, layout="constrained")  # none of pyplot's, so no window anywhere
            drawing.draw(figure.subplots())
            file = io.BytesIO()
            figure.savefig(file, format="png", dpi=DPI)
        made.append(file.getvalue())
    return made[0], made[1]


def _wrong(shown: Sequence[Shown]) -> str:
    wrong = sum(not each.right for each in shown)
    return f"{wrong} of these {len(shown)} are wrong." if shown else ""


def _beware(warnings: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in warnings)
    return f'<div class="beware" role="note"><ul>{items}</ul></div>' if items else ""


def _nice(text: str) -> str:
    return escape(text).replace("+-", "±")


def _sub(label: str) -> str:
    return ' class="sub"' if label.startswith(" ") else ""


def slug(name: str) -> str:
    """What a set is called in names of files and in links."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "set"


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
