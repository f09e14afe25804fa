"""Every page of the book in a real browser: no error, no outside request, maths, dark mode, phone, folded cards."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

from tests import pages
from tools import browser as browsers

pytestmark = [pytest.mark.browser, pytest.mark.course, pytest.mark.slow]

# The last one lets no name resolve: a request to another host is seen and leads nowhere, network or not.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}

# Runs in the page when it has settled. Text of code, formulas and scripts is no prose.
LOOK = r"""
async () => {
  if (window.MathJax && MathJax.startup && MathJax.startup.promise) await MathJax.startup.promise;
  const images = [...document.images];
  for (const image of images) image.loading = "eager";
  await Promise.all(images.map(image => image.decode().catch(() => null)));
  const raw = [];
  const skip = "pre, code, script, style, mjx-container, kbd, samp, textarea";
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode())
    if (!node.parentElement.closest(skip) && /\$\$|\\[([]|\\[a-zA-Z]{2,}/.test(node.data)) raw.push(node.data.trim());
  const cards = [...document.querySelectorAll("details")].map(card => {
    const before = card.open, low = card.getBoundingClientRect().height;
    card.querySelector("summary").click();
    const after = card.open, high = card.getBoundingClientRect().height;
    card.querySelector("summary").click();
    return { turned: after !== before && card.open === before, grew: before ? high < low : high > low };
  });
  const cut = [...document.querySelectorAll("div.math")].filter(box => {  // no scrolling gets there
    const left = box.getBoundingClientRect().left - 2;
    return [...box.querySelectorAll("mjx-mi, mjx-mo, mjx-mn, mjx-mtext")].some(e => {
      const r = e.getBoundingClientRect();
      return r.width > 0 && r.left < left;
    });
  });
  const root = document.documentElement;
  return {
    ids: [...document.querySelectorAll("[id], a[name]")].map(e => e.id || e.name),
    links: [...document.querySelectorAll("a[href]")].map(e => e.href),
    wanted: document.querySelectorAll(".math").length,
    typeset: document.querySelectorAll("mjx-container").length,
    wrong: [...document.querySelectorAll("mjx-merror, [data-mjx-error], mjx-assistive-mml mtext[mathcolor=red]")]
      .map(e => e.textContent),  // the last: a command MathJax does not know
    raw: raw,
    cut: cut.length,
    unloaded: images.filter(e => !(e.complete && e.naturalWidth > 0)).map(e => e.src),
    cards: cards,
    overflow: root.scrollWidth - root.clientWidth,
  };
}
"""


@dataclass
class Visit:
    """What one page did and showed at one window size."""

    name: str
    messages: list[str] = field(default_factory=list)  # console errors and warnings, page errors
    outside: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)  # requests without an answer, or with a status of 400 and above
    seen: dict[str, Any] = field(default_factory=dict)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *values: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on a free port of 127.0.0.1; give its address."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def open_page(context: Any, address: str, name: str) -> tuple[Any, Visit]:
    """Open one page, let it settle, and look."""
    page, visit = context.new_page(), Visit(name)
    host = urlsplit(address).netloc

    def request(request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob", "about") and parts.netloc != host:
            visit.outside.append(request.url)

    def message(message: Any) -> None:
        if message.type in ("error", "warning"):
            visit.messages.append(f"{message.type}: {message.text}")

    page.on("request", request)
    page.on("console", message)
    page.on("pageerror", lambda error: visit.messages.append(f"page error: {error}"))
    page.on("requestfailed", lambda request: visit.failed.append(request.url))
    page.on("response", lambda reply: reply.status >= 400 and visit.failed.append(f"{reply.status} {reply.url}"))
    page.goto(f"{address}/{name}", wait_until="load")
    visit.seen = page.evaluate(LOOK)
    return page, visit


def tour(chromium: Any, address: str, names: list[str], size: dict[str, int]) -> dict[str, Visit]:
    """Open every page at one window size."""
    context = chromium.new_context(viewport=size)
    visits = {}
    for name in names:
        page, visits[name] = open_page(context, address, name)
        page.close()
    context.close()
    return visits


def faults(visits: dict[str, Visit], address: str) -> list[str]:
    """Return one line for each thing that is wrong with the pages."""
    anchors = {name: {unquote(i) for i in visit.seen["ids"]} for name, visit in visits.items()}
    lines = []
    for name, visit in visits.items():
        seen = visit.seen
        found = [f"console: {text}" for text in visit.messages]
        found += [f"outside request: {url}" for url in visit.outside]
        found += [f"failed request: {url}" for url in visit.failed]
        found += [f"picture not loaded: {url}" for url in seen["unloaded"]]
        found += [f"formula with an error: {text}" for text in seen["wrong"]]
        found += [f"formula not typeset: {text}" for text in seen["raw"]]
        found += ["formula cut off at the left"] * seen["cut"]
        if seen["typeset"] < seen["wanted"]:
            found.append(f"maths: {seen['typeset']} of {seen['wanted']} formulas typeset")
        found += ["card does not fold" for card in seen["cards"] if not (card["turned"] and card["grew"])]
        if seen["overflow"] > 0:
            found.append(f"page {seen['overflow']} px wider than the window")
        for link in seen["links"]:
            page, anchor = urldefrag(link)
            inside = unquote(page.removeprefix(address + "/"))
            if page.startswith(address) and inside in anchors and anchor and unquote(anchor) not in anchors[inside]:
                found.append(f"dead anchor: {link}")
            elif page.startswith(address) and inside.endswith(".html") and inside not in {"index.html", *anchors}:
                found.append(f"dead link: {link}")
        lines += [f"{name}: {text}" for text in dict.fromkeys(found)]
    return lines


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = browsers.find_browser()
    assert path, browsers.HOW
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """Address of the built book, and its pages; index.html only leads on to the first of them."""
    built = pages.build_once(tmp_path_factory)
    names = [name for name in sorted(pages.read_site(built.html)) if name != "index.html"]
    assert "book/index.html" in names, built.log[-3000:]
    with served(built.html) as address:
        yield address, names


@pytest.fixture(scope="session")
def desktop(chromium: Any, book: tuple[str, list[str]]) -> dict[str, Visit]:
    return tour(chromium, *book, DESKTOP)


@pytest.fixture(scope="session")
def phone(chromium: Any, book: tuple[str, list[str]]) -> dict[str, Visit]:
    return tour(chromium, *book, PHONE)


def test_pages_are_right_on_a_desk(desktop: dict[str, Visit], book: tuple[str, list[str]]) -> None:
    found = faults(desktop, book[0])
    assert not found, "\n".join(found)


def test_pages_are_right_on_a_phone(phone: dict[str, Visit], book: tuple[str, list[str]]) -> None:
    found = faults(phone, book[0])
    assert not found, "\n".join(found)


def test_the_address_leads_to_the_first_page(chromium: Any, book: tuple[str, list[str]]) -> None:
    page = chromium.new_page()
    page.goto(book[0])
    page.wait_for_url("**/book/index.html", timeout=5000)
    page.close()


def test_the_tour_met_what_it_judges(desktop: dict[str, Visit]) -> None:
    lessons = [visit.seen for name, visit in desktop.items() if name.startswith("notebooks/")]
    assert len(lessons) >= 4
    assert sum(seen["typeset"] for seen in lessons) > 0
    assert sum(len(seen["cards"]) for seen in lessons) > 0


COLOURS = """() => {
  const back = getComputedStyle(document.body).backgroundColor;
  const text = getComputedStyle(document.querySelector("article p, .bd-article p")).color;
  return [back, text].map(colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number));
}"""


def luminance(colour: list[float]) -> float:
    """Relative luminance of sRGB 0..255, as WCAG 2 defines it."""
    linear = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("system", ["light", "dark"])
def test_dark_mode_switches(system: str, chromium: Any, book: tuple[str, list[str]]) -> None:
    context = chromium.new_context(viewport=DESKTOP, color_scheme=system)
    page = context.new_page()
    page.goto(f"{book[0]}/book/index.html")
    states = [page.evaluate(COLOURS)]
    for _ in range(3):  # the switch goes round: system, light, dark
        page.locator("button.theme-switch-button:visible").first.click()
        page.wait_for_timeout(400)
        states.append(page.evaluate(COLOURS))
    context.close()
    backs = [luminance(back) for back, _ in states]
    assert (backs[0] > 0.8) == (system == "light"), "the page opens as the system prefers"
    assert max(backs) > 0.8 and min(backs) < 0.05
    for back, text in states:
        light, dark = sorted((luminance(back), luminance(text)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 7, f"text {text} on {back}"


def test_lesson_figures_keep_their_colours_in_the_dark(chromium: Any, book: tuple[str, list[str]]) -> None:
    context = chromium.new_context(viewport=DESKTOP, color_scheme="dark")
    page = context.new_page()
    styles = []
    for name in (name for name in book[1] if name.startswith("notebooks/")):
        page.goto(f"{book[0]}/{name}")
        styles += page.evaluate(
            """() => [...document.querySelectorAll(".cell_output img")].map(e => {
              const s = getComputedStyle(e);
              return [s.filter, s.mixBlendMode, s.opacity, parseFloat(s.borderRadius) > 0];
            })"""
        )
    context.close()
    assert styles
    assert all(style == ["none", "normal", "1", True] for style in styles)


def test_print_opens_every_card(chromium: Any, book: tuple[str, list[str]]) -> None:
    context = chromium.new_context(viewport=DESKTOP)
    page = context.new_page()
    page.goto(f"{book[0]}/book/index.html")
    count = "document.querySelectorAll('details:not([open])').length"
    folded = page.evaluate(count)
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    during = page.evaluate(count)
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    after = page.evaluate(count)
    page.emulate_media(media="print")
    shown = page.evaluate(
        "[...document.querySelectorAll('.bd-sidebar-primary, .bd-header-article')].map(e => e.offsetHeight)"
    )
    context.close()
    assert folded > 0
    assert (during, after) == (0, folded)
    assert not any(shown)


HEAD = '<head><meta charset="utf-8"><title>x</title><link rel="icon" href="data:,"></head>'
MATHS = '<script src="mathjax/tex-mml-chtml.js"></script><p><span class="math">\\({}\\)</span></p>'


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ('<h1 id="a">fine</h1><a href="#a">x</a><details><summary>s</summary>t</details>', None),
        (MATHS.format("x^2"), None),
        ('<img src="https://example.org/a.png" alt="">', "outside request"),
        ("<script>fetch('https://example.org/x').catch(() => 0)</script>", "outside request"),
        ('<script>console.error("oh")</script>', "console: error: oh"),
        ("<script>setTimeout(() => { throw new Error('oh') }, 0)</script>", "console: page error"),
        ('<img src="gone.png" alt="">', "picture not loaded"),
        ('<script src="gone.js"></script>', "failed request: 404"),
        ('<a href="#nowhere">x</a>', "dead anchor"),
        ('<a href="gone.html">x</a>', "dead link"),
        (MATHS.format("\\frac{1}{2"), "formula"),
        (MATHS.format("\\nosuchcommand"), "formula"),
        ('<p><span class="math">x</span></p>', "maths: 0 of 1"),
        (f'<div class="math" style="text-indent: -20px">{MATHS.format("x")}</div>', "formula cut off at the left"),
        ("<p>half a formula $$ x = 1</p>", "formula not typeset"),
        ('<p style="width: 3000px">wide</p>', "wider than the window"),
        ('<details><summary onclick="return false">s</summary>t</details>', "card does not fold"),
    ],
)
def test_a_bad_page_is_seen(body: str, named: str | None, chromium: Any, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(f'<!doctype html><html lang="en">{HEAD}<body>{body}</body></html>', "utf-8")
    (tmp_path / "mathjax").symlink_to(pages.ROOT / "book" / "_static" / "mathjax")
    with served(tmp_path) as address:
        found = faults(tour(chromium, address, ["page.html"], PHONE), address)
    if named is None:
        assert found == []
    else:
        assert any(named in line for line in found), found
