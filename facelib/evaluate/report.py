"""A page that shows an evaluation: figures, curves, who looks like whom, and the worst pairs.

``write_report`` makes a folder: ``index.html``, the same figures as PNG files, and ``report.json``. The page is whole
in itself: styles and pictures are inside, it holds no script and asks for nothing from anywhere. Every figure is there
twice, for light and for dark screens.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FaceLibError
from ..folders.files import make_folder, write_atomically
from . import figures, report_people, report_templates
from .judged import Matrix, Result, Shown, distance, to_json
from .judged_people import Identified
from .judged_templates import Compared
from .page import (
    Drawing,
    about_section,
    beware,
    figures_table,
    plots,
    render,
    slug,
    two_pictures,
    whole_page,
)


def write_report(
    out: str | os.PathLike[str],
    results: Sequence[Result],
    about: Mapping[str, Any],
    matrix: Matrix | None = None,
    identified: Sequence[Identified] = (),
    compared: Sequence[Compared] = (),
) -> Path:
    """Write the page and what lies beside it. The page comes last: it is whole, or that of an earlier run.

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
    identified : sequence of Identified
        Crowds in which people were looked for; a section each, below those of pairs.
    compared : sequence of Compared
        IJB-B and IJB-C; a section each, below those of crowds.

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
    drawings = [_drawings(result, with_matrix=not shared) for result in results]
    crowds = [report_people.drawings(each) for each in identified]
    templates = [report_templates.drawings(each) for each in compared]
    try:
        make_folder(folder)  # before the figures, which take a while
        pictures = {each.name: render(each) for part in (shared, *drawings, *crowds, *templates) for each in part}
        for name, (light, _) in pictures.items():
            write_atomically(folder / f"{name}.png", light)
        write_atomically(folder / "report.json", to_json(results, about, identified, compared).encode())
        body = [_head(results, about, identified)]
        body += [_section(result, part, pictures) for result, part in zip(results, drawings, strict=True)]
        body += [report_people.section(each, part, pictures) for each, part in zip(identified, crowds, strict=True)]
        body += [report_templates.section(each, part, pictures)
                 for each, part in zip(compared, templates, strict=True)]  # fmt: skip
        if shared:
            body.append(f"<section><h2>Who looks like whom</h2>{plots(shared, pictures)}</section>")
        body.append(about_section(about))
        write_atomically(folder / "index.html", whole_page(_title(about, results, identified), body).encode())
    except OSError as error:
        raise FaceLibError(f"{folder}: cannot be written ({error.strerror or error}); choose another folder") from error
    return folder / "index.html"


def _title(about: Mapping[str, Any], results: Sequence[Result], identified: Sequence[Identified]) -> str:
    kind = "Verification" if results else "Identification" if identified else "Evaluation"
    return f"{kind} of {about['model']['name']}"


def _head(results: Sequence[Result], about: Mapping[str, Any], identified: Sequence[Identified]) -> str:
    said = f"<header><h1>{escape(_title(about, results, identified))}</h1>"
    if results:
        said += """
<p class="faint">Do two pictures show one person? Yes, where the cosine of their embeddings is above a threshold.
Accuracy on each fold uses the threshold that is best on all the others; ± is the standard deviation over
folds.</p>"""
    if identified:
        said += f'\n<p class="faint">{report_people.ABOUT}</p>'
    said += f"</header>\n<main>{beware(about.get('warnings', []))}\n"
    for kind in (results, identified):
        if kind:
            said += figures_table([each.name for each in kind], [each.lines() for each in kind]) + "\n"
    return said


def _section(result: Result, drawings: Sequence[Drawing], pictures: Mapping[str, tuple[bytes, bytes]]) -> str:
    found = result.verification
    folds = zip(found.accuracies, found.thresholds, np.bincount(found.fold), strict=True)
    rows = "".join(
        f'<tr><th scope="row">{k}</th><td>{count:,}</td><td>{100 * share:.2f} %</td><td>{level:.4f}</td>'
        f"<td>{distance(level):.4f}</td></tr>"
        for k, (share, level, count) in enumerate(folds, 1)
    )
    return f"""<section id="{slug(result.name)}"><h2>{escape(result.name)}</h2>
<p class="faint">From {escape(result.source)}.</p>{beware(result.warnings)}
{plots(drawings, pictures)}
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


def _pair(shown: Shown) -> str:
    who = "one person" if shown.same else "two people"
    alts = [f"{title}, one of a pair of {who}" for title in shown.titles]
    verdict = '<span class="right">right</span>' if shown.right else '<span class="wrong">wrong</span>'
    names = " and ".join(escape(title) for title in shown.titles)
    return two_pictures(shown.images, alts, f"{shown.score:.3f} {verdict}", names)


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


def _wrong(shown: Sequence[Shown]) -> str:
    wrong = sum(not each.right for each in shown)
    return f"{wrong} of these {len(shown)} are wrong." if shown else ""
