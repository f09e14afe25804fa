"""Every page of the book in a real browser: no error, no outside request, maths, dark mode, phone, folded cards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import pages
from tests.browsing import DESKTOP, PHONE, Visit, faults, luminance, served, tour

pytestmark = [pytest.mark.browser, pytest.mark.course, pytest.mark.slow]


@pytest.fixture(scope="module")
def desktop(chromium: Any, site: tuple[str, list[str]]) -> dict[str, Visit]:
    return tour(chromium, *site, DESKTOP)


@pytest.fixture(scope="module")
def phone(chromium: Any, site: tuple[str, list[str]]) -> dict[str, Visit]:
    return tour(chromium, *site, PHONE)


def test_pages_are_right_on_a_desk(desktop: dict[str, Visit], site: tuple[str, list[str]]) -> None:
    found = faults(desktop, site[0])
    assert not found, "\n".join(found)


def test_pages_are_right_on_a_phone(phone: dict[str, Visit], site: tuple[str, list[str]]) -> None:
    found = faults(phone, site[0])
    assert not found, "\n".join(found)


def test_the_address_leads_to_the_first_page(chromium: Any, site: tuple[str, list[str]]) -> None:
    page = chromium.new_page()
    page.goto(site[0])
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


@pytest.mark.parametrize("system", ["light", "dark"])
def test_dark_mode_switches(system: str, chromium: Any, site: tuple[str, list[str]]) -> None:
    context = chromium.new_context(viewport=DESKTOP, color_scheme=system)
    page = context.new_page()
    page.goto(f"{site[0]}/book/index.html")
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


def test_lesson_figures_keep_their_colours_in_the_dark(chromium: Any, site: tuple[str, list[str]]) -> None:
    context = chromium.new_context(viewport=DESKTOP, color_scheme="dark")
    page = context.new_page()
    styles = []
    for name in (name for name in site[1] if name.startswith("notebooks/")):
        page.goto(f"{site[0]}/{name}")
        styles += page.evaluate(
            """() => [...document.querySelectorAll(".cell_output img")].map(e => {
              const s = getComputedStyle(e);
              return [s.filter, s.mixBlendMode, s.opacity, parseFloat(s.borderRadius) > 0];
            })"""
        )
    context.close()
    assert styles
    assert all(style == ["none", "normal", "1", True] for style in styles)


def test_print_opens_every_card(chromium: Any, site: tuple[str, list[str]]) -> None:
    context = chromium.new_context(viewport=DESKTOP)
    page = context.new_page()
    page.goto(f"{site[0]}/book/index.html")
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
