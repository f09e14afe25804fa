"""The book: builds without a warning, asks no other host for anything, links lead somewhere, nothing is left out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests import pages

pytestmark = [pytest.mark.course, pytest.mark.slow]

ROOT = pages.ROOT
PICTURES = {".png", ".svg", ".jpg", ".jpeg", ".webp", ".gif"}


def lessons(ready: bool) -> list[dict[str, object]]:
    rows = json.loads((ROOT / "facelib" / "lessons.json").read_text("utf-8"))
    return [row for row in rows if row["ready"] is ready]


def image_cells(notebook: dict[str, object]) -> list[tuple[int, str]]:
    """Number and alternative text of each cell whose outputs hold a picture."""
    found = []
    for number, cell in enumerate(notebook["cells"]):  # type: ignore[arg-type]
        kinds = {kind for output in cell.get("outputs", []) for kind in output.get("data", {})}
        if any(kind.startswith("image/") for kind in kinds):
            found.append((number, cell["metadata"].get("mystnb", {}).get("image", {}).get("alt", "")))
    return found


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> pages.Built:
    return pages.build_once(tmp_path_factory)


def test_book_builds_without_a_warning(book: pages.Built) -> None:
    noted = [line for line in book.log.splitlines() if re.search("WARNING|ERROR|Traceback", line)]
    assert not noted, "\n".join(noted)
    assert book.code == 0, book.log[-3000:]


def test_nothing_comes_from_another_host(book: pages.Built) -> None:
    found = pages.outside(book.html)
    assert not found, "\n".join(found)


def test_every_link_leads_somewhere(book: pages.Built) -> None:
    found = pages.dead_links(book.html)
    assert not found, "\n".join(found)


def test_every_picture_has_an_alternative_text(book: pages.Built) -> None:
    found = pages.without_alt(book.html)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_figure_of_a_lesson_is_described(path: Path) -> None:
    cells = image_cells(json.loads(path.read_text("utf-8")))
    short = [f"cell {number}: {alt!r}" for number, alt in cells if len(alt.split()) < 4]
    assert not short, f"{path.name}: cell metadata mystnb.image.alt says what the figure shows\n" + "\n".join(short)


def test_an_undescribed_figure_is_seen() -> None:
    picture = {"outputs": [{"data": {"image/png": "..."}}], "metadata": {}}
    described = picture | {"metadata": {"mystnb": {"image": {"alt": "Boxes on two faces"}}}}
    text = {"outputs": [{"data": {"text/plain": "1"}}], "metadata": {}}
    found = image_cells({"cells": [text, picture, described, {"metadata": {}}]})
    assert found == [(1, ""), (2, "Boxes on two faces")]


def test_ready_lessons_are_chapters_in_order() -> None:
    toc = (ROOT / "_toc.yml").read_text("utf-8")
    chapters = re.findall(r"file: notebooks/(\S+)", toc)
    assert chapters == [row["file"] for row in lessons(ready=True)]


def test_the_map_names_every_lesson_and_links_the_ready_ones(book: pages.Built) -> None:
    text = (ROOT / "book" / "index.md").read_text("utf-8")
    rows = re.findall(r"^\| ([^|]+) \| \[(\d\d) ([^\]]+)\](\(\S+\)|\{\.soon\}) \|(.*)\|$", text, re.MULTILINE)
    wanted = [
        (row["part"], row["number"], row["title"], row["ready"])
        for row in json.loads((ROOT / "facelib" / "lessons.json").read_text("utf-8"))
    ]
    assert [(part, number, title, end != "{.soon}") for part, number, title, end, _ in rows] == wanted
    assert all(("in preparation" in outcome) == (end == "{.soon}") for *_, end, outcome in rows)
    linked = set(pages.read((book.html / "book" / "index.html").read_text("utf-8")).links)
    assert {f"../notebooks/{row['file']}.html" for row in lessons(ready=True)} <= linked


def test_each_picture_is_listed_with_origin_and_licence() -> None:
    text = (ROOT / "images" / "README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([^`]+)` \|(.*)\|$", text, re.MULTILINE))
    there = {path.name for path in (ROOT / "images").iterdir() if path.suffix.lower() in PICTURES}
    assert set(rows) == there
    for name, rest in rows.items():
        shown, origin, licence = (cell.strip() for cell in rest.split("|"))
        assert shown and origin and licence, name


def test_mathjax_comes_with_its_licence(book: pages.Built) -> None:
    mathjax = book.html / "_static" / "mathjax"
    assert "Apache License" in (mathjax / "LICENSE").read_text("utf-8")
    assert (mathjax / "tex-mml-chtml.js").is_file()
    assert list((mathjax / "output" / "chtml" / "fonts" / "woff-v2").glob("*.woff"))


GOOD = '<h1 id="top">x</h1><img src="a.png" alt="two faces"><a href="https://example.org">x</a><a href="#top">x</a>'


@pytest.mark.parametrize(
    ("check", "html", "named"),
    [
        (pages.outside, '<img src="https://example.org/a.png" alt="x y">', "https://example.org/a.png"),
        (pages.outside, '<script src="//cdn.example.org/a.js"></script>', "//cdn.example.org/a.js"),
        (pages.outside, '<link rel="stylesheet" href="http://example.org/a.css">', "http://example.org/a.css"),
        (pages.outside, '<img srcset="a.png 1x, https://example.org/b.png 2x" alt="x y">', "b.png"),
        (pages.outside, "<style>@font-face{src:url('https://example.org/f.woff2')}</style>", "f.woff2"),
        (pages.outside, '<p style="background: url(https://example.org/b.png)">x</p>', "b.png"),
        (pages.outside, '<link rel="stylesheet" href="bad.css">', "bad.css: https://example.org/font"),
        (pages.dead_links, '<a href="#nowhere">x</a>', "#nowhere (no such anchor)"),
        (pages.dead_links, '<a href="other.html#gone">x</a>', "other.html#gone (no such anchor)"),
        (pages.dead_links, '<a href="missing.html">x</a>', "missing.html (no such file)"),
        (pages.dead_links, '<a href="../secret.html">x</a>', "../secret.html (no such file)"),
        (pages.dead_links, '<img src="gone.png" alt="x y">', "gone.png (no such file)"),
        (pages.without_alt, '<img src="a.png">', "a.png"),
        (pages.without_alt, '<img src="a.png" alt="">', "a.png"),
        (pages.without_alt, '<img src="a.png" alt="_images/a.png">', "a.png"),
    ],
)
def test_a_bad_page_is_seen(check, html: str, named: str, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (tmp_path / "secret.html").write_text("x", "utf-8")
    (site / "a.png").write_bytes(b"")
    (site / "other.html").write_text('<p id="here">x</p>', "utf-8")
    (site / "page.html").write_text(GOOD + '<a href="other.html#here">x</a>', "utf-8")
    assert check(site) == []
    if "bad.css" in html:
        (site / "bad.css").write_text("@import 'https://example.org/font';", "utf-8")
    (site / "page.html").write_text(GOOD + html, "utf-8")
    assert len(check(site)) == 1
    assert named in check(site)[0]


def test_a_bad_source_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "sources" / "book").mkdir(parents=True)
    for name in ("images", "notebooks", "facelib/weights"):
        (tmp_path / "sources" / name).mkdir(parents=True)
    (tmp_path / "sources" / "_config.yml").write_text("execute:\n  execute_notebooks: cache\n", "utf-8")
    (tmp_path / "sources" / "_toc.yml").write_text("format: jb-book\nroot: book/index\n", "utf-8")
    (tmp_path / "sources" / "book" / "index.md").write_text("# Title\n\n[gone](gone.md)\n", "utf-8")
    (tmp_path / "copy").mkdir()
    built = pages.build(tmp_path / "copy", tmp_path / "sources")
    assert built.code != 0
    assert "WARNING" in built.log
