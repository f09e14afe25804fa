"""Parts of a page of an evaluation: its style, figures for light and dark screens, tables, warnings."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import plot
from ..folders.files import encode

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


def render(drawing: Drawing) -> tuple[bytes, bytes]:
    """PNG of a figure for light and for dark screens."""
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


def whole_page(title: str, body: Sequence[str]) -> str:
    """The file, from its type to its last tag."""
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


def about_section(about: Mapping[str, Any]) -> str:
    """What was evaluated, and with what; closes the main part of the page."""
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


def plots(drawings: Sequence[Drawing], pictures: Mapping[str, tuple[bytes, bytes]]) -> str:
    """Figures side by side, each once for either kind of screen."""
    items = []
    for drawing in drawings:
        light, dark = (uri(data, "png") for data in pictures[drawing.name])
        items.append(
            f'<figure><picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
            f'<img src="{light}" alt="{escape(drawing.alt)}"></picture>'
            f"<figcaption>{escape(drawing.caption)}</figcaption></figure>"
        )
    return f'<div class="plots">{"".join(items)}</div>'


def beware(warnings: Sequence[str]) -> str:
    """A box of warnings, nothing where there are none."""
    items = "".join(f"<li>{escape(text)}</li>" for text in warnings)
    return f'<div class="beware" role="note"><ul>{items}</ul></div>' if items else ""


def nice(text: str) -> str:
    """Text of the terminal as text of a page."""
    return escape(text).replace("+-", "±")


def sub(label: str) -> str:
    """The class of a label that belongs to the one above it."""
    return ' class="sub"' if label.startswith(" ") else ""


def slug(name: str) -> str:
    """What a set is called in names of files and in links."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "set"


def uri(data: bytes, kind: str) -> str:
    """Bytes as an address that holds them."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def figures_table(columns: Sequence[str], cells: Sequence[Sequence[tuple[str, str]]]) -> str:
    """A line for each figure and a column, which leads to its section, for each set."""
    rows = "".join(
        f'<tr><th scope="row"{sub(line[0][0])}>{nice(line[0][0].strip())}</th>'
        + "".join(f"<td>{nice(text)}</td>" for _, text in line)
        + "</tr>"
        for line in zip(*cells, strict=True)
    )
    names = "".join(f'<th scope="col"><a href="#{slug(name)}">{escape(name)}</a></th>' for name in columns)
    return (f'<div class="scroll"><table><thead><tr><th scope="col">figure</th>{names}</tr></thead><tbody>{rows}'
            "</tbody></table></div>")  # fmt: skip


def two_pictures(images: Sequence[np.ndarray], alts: Sequence[str], score: str, below: str) -> str:
    """Two crops of a failure gallery; ``score`` and ``below`` are HTML already."""
    shown = "".join(
        f'<img src="{uri(encode(image, ".jpg", 92), "jpeg")}" alt="{escape(alt)}">'
        for image, alt in zip(images, alts, strict=True)
    )
    return (f'<figure><div class="pair">{shown}</div><figcaption><span class="score">{score}</span>{below}'
            "</figcaption></figure>")  # fmt: skip
