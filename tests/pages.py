"""Shared by the tests of the book: build it once, read its pages, say what is wrong with them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("_config.yml", "_toc.yml", "book", "images", "notebooks", "facelib/weights")
RELS = {"stylesheet", "icon", "preload", "prefetch", "modulepreload", "manifest", "apple-touch-icon"}
FETCHED = {  # which attributes of which elements make a browser ask for something
    "script": ("src",),
    "img": ("src", "srcset"),
    "source": ("src", "srcset"),
    "iframe": ("src",),
    "video": ("src", "poster"),
    "audio": ("src",),
    "track": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "input": ("src",),
    "image": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
}
CSS_URL = re.compile(r"""(?:url\(\s*|@import\s+)["']?([^"')\s;]+)""")


@dataclass
class Built:
    """A built book: where its pages are, what the build printed, how it ended."""

    html: Path
    log: str
    code: int


def build(folder: Path, sources: Path = ROOT) -> Built:
    """Build the book in ``folder`` from a copy of the sources, strictly, with the notebooks' stored outputs."""
    unwanted = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for name in SOURCES:
        if (sources / name).is_dir():
            shutil.copytree(sources / name, folder / name, ignore=unwanted)
        else:
            shutil.copy(sources / name, folder / name)
    config = folder / "_config.yml"
    text, count = re.subn(r"execute_notebooks:.*", 'execute_notebooks: "off"', config.read_text("utf-8"))
    assert count == 1, "_config.yml: one line execute_notebooks expected"
    config.write_text(text, "utf-8")
    program = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    done = subprocess.run(
        [*program, "build", ".", "-W", "--keep-going", "-n"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(sources), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    return Built(folder / "_build" / "html", done.stdout, done.returncode)


def build_once(factory: pytest.TempPathFactory) -> Built:
    """Build the book once for all test processes of a run; whoever comes second waits for the first."""
    from filelock import FileLock

    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "book"
    with FileLock(shared / "book.lock"):
        log, code = folder / "build.log", folder / "build.code"
        if not code.exists():
            folder.mkdir(exist_ok=True)
            built = build(folder)
            log.write_text(built.log, "utf-8")
            code.write_text(str(built.code), "utf-8")
    return Built(folder / "_build" / "html", log.read_text("utf-8"), int(code.read_text("utf-8")))


@dataclass
class Page:
    """What one HTML page holds, as far as the tests ask."""

    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    resources: list[str] = field(default_factory=list)
    images: list[tuple[str, str | None]] = field(default_factory=list)  # source, alternative text


class Reader(HTMLParser):
    """Collects a Page."""

    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self.in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        page = self.page
        page.ids.update(values[name] for name in ("id", "name") if name in values)
        page.resources += CSS_URL.findall(values.get("style", ""))
        for name in FETCHED.get(tag, ()):
            if name in values:
                parts = values[name].split(",") if name == "srcset" else [values[name]]
                page.resources += [part.split()[0] for part in parts if part.strip()]
        if tag == "link" and RELS & set(values.get("rel", "").lower().split()):
            page.resources.append(values.get("href", ""))
        if tag == "a" and "href" in values:
            page.links.append(values["href"])
        if tag == "img":
            page.images.append((values.get("src", ""), values.get("alt")))
        self.in_style = tag == "style"

    def handle_data(self, data: str) -> None:
        if self.in_style:
            self.page.resources += CSS_URL.findall(data)

    def handle_endtag(self, tag: str) -> None:
        self.in_style = False


def read(html: str) -> Page:
    """Return what one page holds."""
    reader = Reader()
    reader.feed(html)
    return reader.page


def read_site(folder: Path) -> dict[str, Page]:
    """Return every page of a folder, by its path within."""
    found = sorted(folder.rglob("*.html"))
    pages = [path for path in found if "_static" not in path.parts and "_sources" not in path.parts]
    return {path.relative_to(folder).as_posix(): read(path.read_text("utf-8")) for path in pages}


def is_outside(address: str) -> bool:
    """Say whether a browser would ask another host for it."""
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme in ("http", "https", "ftp", "ws", "wss")


def outside(folder: Path) -> list[str]:
    """Return one line for each thing that a page or style sheet would fetch from another host."""
    lines = [
        f"{name}: {address}"
        for name, page in read_site(folder).items()
        for address in page.resources
        if is_outside(address)
    ]
    for path in sorted(folder.rglob("*.css")):
        found = CSS_URL.findall(path.read_text("utf-8", errors="replace"))
        lines += [f"{path.relative_to(folder).as_posix()}: {address}" for address in found if is_outside(address)]
    return lines


def dead_links(folder: Path) -> list[str]:
    """Return one line for each link or resource within the book that leads to no file or to no anchor."""
    site, lines = read_site(folder), []
    for name, page in site.items():
        for address in page.links + page.resources:
            for fault in _fault(folder, site, name, address):
                lines.append(f"{name}: {address} ({fault})")
    return lines


def _fault(folder: Path, site: dict[str, Page], name: str, address: str) -> Iterator[str]:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return
    target = name
    if parts.path:
        path = (folder / name).parent / unquote(parts.path)
        path = Path(os.path.normpath(path / "index.html" if path.is_dir() else path))
        if not path.is_relative_to(folder) or not path.is_file():
            yield "no such file"
            return
        target = path.relative_to(folder).as_posix()
    if parts.fragment and target in site and unquote(parts.fragment) not in site[target].ids:
        yield "no such anchor"


def without_alt(folder: Path) -> list[str]:
    """Return one line for each picture without an alternative text, or with a file name in its place."""
    return [
        f"{name}: {source}"
        for name, page in read_site(folder).items()
        for source, alt in page.images
        if alt is None or not alt.strip() or re.search(r"\.(png|svg|jpe?g)$", alt) or alt.startswith("_images/")
    ]
