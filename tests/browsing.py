"""Shared by the tests that look at pages in a real browser: serve a folder, open its pages, say what is wrong."""

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


def luminance(colour: list[float]) -> float:
    """Relative luminance of sRGB 0..255, as WCAG 2 defines it."""
    linear = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
