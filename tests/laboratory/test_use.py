"""The boundary laboratory in use: by key, mouse and finger, its address, its voice, its fallback, its prose."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from tests import pages
from tests.browsing import DESKTOP, PHONE, luminance, open_page
from tests.laboratory.page import PAGE, angles, drawing, number, settle, value
from tests.laboratory.truth import PRESETS, expected

pytestmark = [pytest.mark.browser, pytest.mark.course, pytest.mark.slow]


def test_probe_moves_by_key_and_by_mouse(lab: Any) -> None:
    plane, disc = lab.locator(".lab-plane .lab-probe"), lab.locator(".lab-disc .lab-probe")
    shown = [plane.get_attribute("transform"), disc.get_attribute("transform"), drawing(lab, "plane-shift")]
    plane.focus()
    lab.keyboard.press("Shift+ArrowUp")
    lab.keyboard.press("ArrowRight")
    assert angles(lab) == pytest.approx([33, 58], abs=0.11)
    assert plane.get_attribute("transform") != shown[0]
    assert disc.get_attribute("transform") != shown[1]
    assert drawing(lab, "plane-shift") != shown[2]
    assert "33.0°" in plane.get_attribute("aria-valuetext")
    assert plane.get_attribute("aria-valuenow") == "33"
    lab.keyboard.press("Tab")
    ring = "getComputedStyle(document.querySelector('.lab-plane .lab-focus')).stroke"
    assert lab.evaluate(ring) == "none"
    plane.focus()
    lab.keyboard.press("ArrowDown")
    assert lab.evaluate(ring) != "none", "the focus is seen"

    box = lab.locator(".lab-disc").bounding_box()
    lab.locator(".lab-disc").scroll_into_view_if_needed()
    box = lab.locator(".lab-disc").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] * 217 / 434
    lab.mouse.move(*middle)
    lab.mouse.down()
    lab.mouse.up()
    assert angles(lab) == pytest.approx([90, 90], abs=1), "the middle of the disc stands upright on the plane"
    head = disc.bounding_box()
    lab.mouse.move(head["x"] + head["width"] / 2, head["y"] + head["height"] / 2)
    lab.mouse.down()
    lab.mouse.move(middle[0], middle[1] - box["height"], steps=4)
    lab.mouse.up()
    assert angles(lab) == pytest.approx([40, 40], abs=0.6), "dragged out of the disc it stays on the rim"


def test_probe_moves_by_finger(chromium: Any, address: str) -> None:
    context = chromium.new_context(viewport=PHONE, has_touch=True, is_mobile=True, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{address}/{PAGE}")
    page.wait_for_selector("#laboratory:not([hidden])")
    disc = page.locator(".lab-disc")
    disc.scroll_into_view_if_needed()
    box = disc.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    found = angles(page)
    touch = page.evaluate("getComputedStyle(document.querySelector('.lab-disc .lab-grip')).touchAction")
    around = page.evaluate("getComputedStyle(document.querySelector('.lab-disc')).touchAction")
    context.close()
    assert found == pytest.approx([90, 90], abs=1.5)
    assert (touch, around) == ("none", "auto"), "a finger drags the probe and scrolls everywhere else"


def test_state_lives_in_the_address(lab: Any) -> None:
    lab.locator("input[name=m3]").fill("0.2")
    lab.select_option("select[name=beyond]", "clamp")
    lab.wait_for_function("location.hash.includes('m3=0.2') && location.hash.includes('beyond=clamp')")
    address, shown = lab.evaluate("location.href"), value(lab, "logit")
    lab.goto("about:blank")
    lab.goto(address)
    lab.wait_for_selector("#laboratory:not([hidden])")
    assert value(lab, "logit") == shown
    assert lab.input_value("select[name=beyond]") == "clamp"
    lab.evaluate("location.hash = 'm2=99&s=abc&angle=-5&beyond=constructor&gradient=detached'")
    settle(lab)
    read = {name: lab.input_value(f"[name={name}]") for name in ("m2", "s", "angle", "beyond")}
    assert read == {"m2": "1", "s": "16", "angle": "10", "beyond": "linear"}, "nonsense is held in range or left out"
    assert lab.is_checked("input[value=detached]")
    lab.locator("[data-reset]").press("Enter")
    lab.wait_for_function("location.hash === ''")
    assert lab.input_value("input[name=m2]") == "0.5"
    assert number(lab, "logit") == pytest.approx(7.84)


def test_values_are_spoken_once_the_hand_rests(lab: Any) -> None:
    assert lab.get_attribute("#laboratory [role=status]", "aria-live") in (None, "polite")  # a status is polite
    lab.locator("input[name=m2]").fill("0.3")
    lab.wait_for_function(
        "document.querySelector('#laboratory [role=status]').textContent.includes('Margin band 17.2°')"
    )
    text = lab.text_content("#laboratory [role=status]")
    for word in ("θ₁ 32.0°", "Cosine 0.848", "target logit", "probability", "loss", "gradient"):
        assert word in text


def test_motion_only_where_it_is_wanted(chromium: Any, address: str) -> None:
    seen = {}
    for motion in ("reduce", "no-preference"):
        context = chromium.new_context(viewport=DESKTOP, reduced_motion=motion)
        page = context.new_page()
        page.goto(f"{address}/{PAGE}")
        page.wait_for_selector("#laboratory:not([hidden])")
        page.evaluate("document.querySelector('[data-preset=NormFace]').click()")
        settle(page)
        seen[motion] = page.input_value("input[name=m2]")
        page.wait_for_function("document.querySelector('input[name=m2]').value === '0'")
        context.close()
    assert seen["reduce"] == "0"
    assert float(seen["no-preference"]) > 0.2


LOOK = """() => {
  const all = (what) => [...document.querySelector("#laboratory").querySelectorAll(what)];
  const labels = (e) => [...(e.labels ?? [])].map((label) => label.textContent).join(" ");
  const named = (e) => (e.getAttribute("aria-label") || labels(e) || e.textContent).trim();
  const paint = (e) => getComputedStyle(e)[e.tagName === "text" ? "fill" : "color"];
  const rgb = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const controls = all("button, select, input, svg[role], [tabindex]");
  const text = all("svg text, figcaption, dt, dd, li").filter((e) => e.getClientRects().length);
  const root = document.documentElement;
  return {
    controls: controls.length,
    unnamed: controls.filter((e) => !named(e)).map((e) => e.outerHTML),
    colours: [...new Set(text.map(paint))].map(rgb),
    back: rgb(getComputedStyle(document.body).backgroundColor),
    wide: root.scrollWidth - root.clientWidth,
    out: all("*:not(svg *)").filter((e) => e.getBoundingClientRect().right > innerWidth + 1).length,
    fallback: document.querySelector(".lab-fallback").offsetHeight,
    broken: all("svg *").filter((e) => /NaN|Infinity|undefined/.test(e.outerHTML)).map((e) => e.outerHTML),
  };
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desk", "phone"])
def test_page_is_sound(scheme: str, size: dict[str, int], chromium: Any, address: str) -> None:
    context = chromium.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
    page, visit = open_page(context, address, PAGE)
    for name in [*PRESETS, "NormFace"]:  # draws every shape once; the last has no band at all
        page.locator(f'[data-preset="{name}"]').click()
        for angle in ("10", "170", "80"):
            page.locator("input[name=angle]").fill(angle)
            settle(page)
    for button in page.locator("button[data-set]").all():
        button.click()
    settle(page)
    found = page.evaluate(LOOK)
    context.close()
    assert (visit.messages, visit.outside, visit.failed) == ([], [], [])
    assert found["broken"] == []
    assert found["controls"] >= 20
    assert found["unnamed"] == []
    assert (found["wide"], found["fallback"], found["out"]) == (0, 0, 0)
    for colour in found["colours"]:
        low, high = sorted((luminance(colour), luminance(found["back"])))
        assert (high + 0.05) / (low + 0.05) >= 4.5, f"{colour} on {found['back']}"


def test_without_scripts_a_picture_and_the_text_stand_in(chromium: Any, address: str) -> None:
    context = chromium.new_context(viewport=PHONE, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/{PAGE}")
    picture = page.locator(".lab-fallback img")
    assert picture.is_visible()
    assert picture.bounding_box()["height"] > 100
    assert len(picture.get_attribute("alt").split()) > 20
    assert not page.locator("#laboratory").is_visible()
    assert not page.locator(".lab-go button").first.is_visible()
    assert page.get_by_role("heading", name="What to see").is_visible()
    assert page.locator("details.predict").count() >= 3
    context.close()


# ---- the prose and the picture


def test_numbers_in_the_experiments_are_computed() -> None:
    text = " ".join((pages.ROOT / "book" / "laboratory.md").read_text("utf-8").split())
    none = {"m1": 1.0, "m2": 0.0, "m3": 0.0, "beyond": "linear"}
    arc = none | {"m2": 0.5}
    right = math.radians(80)
    assert f"{math.degrees(math.acos(1 - 0.35)):.1f}° apart" in text
    assert f"0.5 rad = {math.degrees(0.5):.1f}°" in text
    at_rest = {s: expected(1e-9, right, none, s, "exact") for s in (1, 4, 16)}
    assert f"the loss is {at_rest[1]['loss']:.3f} and the probability {at_rest[1]['probability']:.3f}" in text
    assert f"With s = 4 the loss is {at_rest[4]['loss']:.3f}" in text
    assert 1.5e-6 < at_rest[16]["loss"] < 2.5e-6
    past = expected(math.radians(170), math.radians(90), arc | {"beyond": "none"}, 16, "exact")["pull"]
    assert f"d loss / d θ₁ is −{-past:.2f}" in text
    for rule in ("linear", "fold"):
        assert expected(math.radians(170), math.radians(90), arc | {"beyond": rule}, 16, "exact")["pull"] > 0
    pulls = [expected(math.radians(10), math.radians(30), arc, 16, kind)["pull"] for kind in ("exact", "detached")]
    assert f"The exact one, {pulls[0]:.2f} against {pulls[1]:.2f}" in text
    assert f"an angle of {10 + math.degrees(0.5):.1f}°" in text


def test_experiments_are_set_up_as_told(lab: Any) -> None:
    buttons = lab.locator("button[data-set]")
    told = [json.loads(button.get_attribute("data-set")) for button in buttons.all()]
    assert len(told) == 4
    seen = []
    for button in buttons.all():
        button.click()
        seen.append((angles(lab), value(lab, "pull")))
    assert [pair for pair, _ in seen] == [[0, 80], [0, 80], [170, 90], [10, 30]]
    assert (seen[2][1], seen[3][1]) == ("−5.116", "7.952")
