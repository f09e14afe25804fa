"""Sphinx extension of this book: prose docstrings that link to lessons, no badge pictures, the commands' help, the
pipeline in the reader's browser."""

from __future__ import annotations

import importlib
import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

LITERAL = re.compile(r"(``.*?``|`[^`]*`)")
LESSON = re.compile(r"\b([Ll]essons? (\d\d))\b")


def plain_text(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are prose: |x| is an absolute value, not a substitution, and a colon ends no type.

    Of a constant or property, napoleon takes what stands before the first colon for its type, unless the first
    line has none; an escaped space is such a line and prints nothing.
    """
    if what in ("attribute", "data", "property") and lines:
        lines.insert(0, r"\ ")
    for i, line in enumerate(lines):
        if "|" in line and not line.lstrip().startswith((">>>", "...")):
            parts = LITERAL.split(line)
            parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
            lines[i] = "".join(parts)


def link_lessons(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """ "Lesson 04" in a docstring leads to that lesson, if it is in the book."""
    pages = {page.split("/")[-1][:2]: page for page in app.env.found_docs if page.startswith("notebooks/")}

    def link(match: re.Match[str]) -> str:
        page = pages.get(match[2])
        return f":doc:`{match[1]} </{page}>`" if page else match[1]

    lines[:] = [LESSON.sub(link, line) for line in lines]


def badge_to_text(app: Sphinx, doctree: nodes.document) -> None:
    """A lesson's Colab badge is a picture from another host; in the book it becomes a link in words."""
    for image in list(doctree.findall(nodes.image)):
        if "colab-badge" in image["uri"] or "img.shields.io" in image["uri"]:
            label = image.get("alt") or "Open in Colab"
            image.replace_self(nodes.inline(label, label, classes=["badge-link"]))


def keep_tags(app: Sphinx, doctree: nodes.document) -> None:
    r"""Sphinx wraps a display with \\ in ``split``, which takes no \tag; such a display stands as it was written."""
    for display in doctree.findall(nodes.math_block):
        text = display.astext()
        if r"\tag" in text and r"\\" in text and not display.get("nowrap"):
            display["nowrap"] = True
            display.children = [nodes.Text(rf"\[{text}\]")]


class ClickHelp(Directive):
    """``{click-help} facelib.cli:main detect``: what ``facelib detect --help`` prints, at build time."""

    required_arguments = 1
    optional_arguments = 8
    has_content = False

    def run(self) -> list[nodes.Node]:
        import click

        module, _, attribute = self.arguments[0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        context = click.Context(command, info_name="facelib", max_content_width=88, terminal_width=88)
        for name in self.arguments[1:]:
            command = command.get_command(context, name)
            context = click.Context(command, info_name=name, parent=context)
            context.max_content_width = context.terminal_width = 88
        text = command.get_help(context)
        return [nodes.literal_block(text, text, language="text")]


SITE = "_static/browser"
NEEDED = ("onnx", "onnxruntime")
FRAME = """
<link rel="stylesheet" href="{0}/style.css">
<section id="pipeline" class="fl" aria-label="The pipeline in your browser" hidden></section>
<script type="module" src="{0}/page.js"></script>
"""


class InBrowser(Directive):
    """``{in-browser}``: the page of ``facelib.export.write_page``, or how to get it where onnx is not installed."""

    def run(self) -> list[nodes.Node]:
        env = self.state.document.settings.env
        env.note_reread()  # another build may have onnx
        if all(map(find_spec, NEEDED)):
            return [nodes.raw("", FRAME.format("../" * env.docname.count("/") + SITE), format="html")]
        why = nodes.Text("This copy of the book was built without the package onnx, so the page is not in it. Run ")
        how = nodes.literal("", 'pip install "facelib[export]"')
        return [nodes.note("", nodes.paragraph("", "", why, how, nodes.Text(" and build the book again.")))]


def copy_browser_page(app: Sphinx, error: Exception | None) -> None:
    """Put the page into the built book; it is written anew only when the library, its weights or the page changed."""
    if error or app.builder.format != "html" or not all(map(find_spec, NEEDED)):
        return
    from facelib.export.page import is_current, write_page

    kept = Path(app.outdir).parent / ".browser"
    if not is_current(kept):
        write_page(kept)
    target = Path(app.outdir, SITE)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(kept, target)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_config_value("comments_config", {}, "html")  # jupyter-book sets it whether comments are on or not
    app.connect("autodoc-process-docstring", plain_text, priority=400)
    app.connect("autodoc-process-docstring", link_lessons, priority=450)
    app.connect("doctree-read", badge_to_text)
    app.connect("doctree-read", keep_tags)
    app.connect("build-finished", copy_browser_page)
    app.add_directive("click-help", ClickHelp)
    app.add_directive("in-browser", InBrowser)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
