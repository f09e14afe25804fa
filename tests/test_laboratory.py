"""The page of the boundary laboratory in a real browser: its controls, drawings, address, fallback, prose."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from facelib import margins
from tests import pages
from tests.test_browser import ARGUMENTS, DESKTOP, PHONE, luminance, open_page, served
from tests.test_laboratory_formulas import RULES, expected
from tools import browser as browsers

pytestmark = [pytest.mark.browser, pytest.mark.course, pytest.mark.slow]

PAGE = "book/laboratory.html"
START = {"m1": 1.0, "m2": 0.5, "m3": 0.0, "s": 16.0, "beyond": "linear", "gradient": "exact"}
PRESETS = {
    "NormFace": margins.NormFace(s=16),
    "SphereFace 1.35": margins.SphereFace(s=16, m=1.35),
    "SphereFace 4": margins.SphereFace(s=16, m=4),
    "CosFace": margins.CosFace(s=16, m=0.35),
    "ArcFace": margins.ArcFace(s=16, m=0.5),
    "Combined": margins.Combined(s=16, m1=1, m2=0.3, m3=0.2),
}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = browsers.find_browser()
    assert path, browsers.HOW
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    built = pages.build_once(tmp_path_factory)
    assert (built.html / PAGE).exists(), built.log[-3000:]
    with served(built.html) as address:
        yield address


@pytest.fixture
def lab(chromium: Any, site: str) -> Iterator[Any]:
    """The page at rest, without motion: what is set shows at the next frame."""
    context = chromium.new_context(viewport=DESKTOP, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{site}/{PAGE}")
    page.wait_for_selector("#laboratory:not([hidden])")
    yield page
    context.close()


def settle(page: Any) -> None:
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def value(page: Any, name: str) -> str:
    settle(page)
    return page.text_content(f'[data-value="{name}"]')


def number(page: Any, name: str) -> float:
    return float(re.findall(r"-?\d+(?:\.\d+)?", value(page, name).replace("−", "-"))[0])


def angles(page: Any) -> list[float]:
    return [float(x) for x in re.findall(r"\d+\.\d", value(page, "angles"))]


def drawing(page: Any, part: str) -> str:
    settle(page)
    return page.locator(f"[data-part={part}]").evaluate("e => e.getAttribute('d') ?? e.innerHTML")


PARTS = ["plane-class-1", "plane-class-2", "plane-boundary-1", "plane-boundary-2", "disc-class-1", "disc-class-2"]


@pytest.mark.parametrize("name", ["m1", "m2", "m3", "s", "angle"])
def test_a_slider_moved_by_key_redraws_and_rewrites(name: str, lab: Any) -> None:
    before = {part: drawing(lab, part) for part in [*PARTS, "disc-ring", "logit-curve", "chance-curve", "pull-exact"]}
    texts = {key: value(lab, key) for key in ("logit", "probability", "loss", "pull", "band", "angles")}
    slider = lab.locator(f"#laboratory input[name={name}]")
    slider.focus()
    start = float(slider.input_value())
    lab.keyboard.press("ArrowRight")
    settle(lab)
    step = {"s": 1, "angle": 1}.get(name, 0.01)
    assert float(slider.input_value()) == pytest.approx(start + step)
    for _ in range(2):
        lab.keyboard.press("PageUp")
    settle(lab)
    now = float(slider.input_value())
    assert now > start + 5 * step
    after = {part: drawing(lab, part) for part in before}
    same = {part for part in before if before[part] == after[part]}
    if name == "s":
        assert same == {*PARTS, "disc-ring", "logit-curve"}, "the boundary does not depend on s"
    elif name == "angle":
        assert set(PARTS[:4]) <= same, "the plane's boundaries do not depend on where the centres are"
        assert not same & {"disc-class-1", "chance-curve"}
        assert "disc-ring" in same, "on the circle ArcFace's band is as wide between any two centres"
    else:
        assert not same
        assert texts["band"] != value(lab, "band")
    assert texts["logit"] != value(lab, "logit")
    assert texts["loss"] != value(lab, "loss")
    if name != "angle":
        setting = START | {name: now}
        s, gradient = setting.pop("s"), setting.pop("gradient")
        theta1, theta2 = np.radians([32, 48])
        true = expected(theta1, theta2, setting, s, gradient)  # type: ignore[arg-type]
        assert number(lab, "logit") == pytest.approx(true["logit"], abs=0.006)
        assert number(lab, "loss") == pytest.approx(true["loss"], abs=0.006)
        assert number(lab, "pull") == pytest.approx(true["pull"], abs=0.06)
    output = lab.locator(f"#laboratory label:has(input[name={name}]) .lab-now").text_content()
    assert output.startswith(f"{now:g}" if name in ("s", "angle") else f"{now:.2f}")


def test_cosface_band_on_the_circle_depends_on_the_centres(lab: Any) -> None:
    lab.locator("[data-preset=CosFace]").click()
    before = drawing(lab, "disc-ring")
    lab.locator("input[name=angle]").press("PageUp")
    assert drawing(lab, "disc-ring") != before


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_the_class_of_that_name(name: str, lab: Any) -> None:
    button = lab.locator(f'[data-preset="{name}"]')
    button.press("Enter")
    settle(lab)
    assert button.get_attribute("aria-pressed") == "true"
    assert lab.locator('[data-preset][aria-pressed="true"]').count() == 1
    for probe in (8, 60, 170):
        lab.locator("input[name=direction]").fill(str(probe))
        settle(lab)
        theta1, theta2 = np.radians(angles(lab))
        logits = PRESETS[name](torch.tensor([[math.cos(theta1), math.cos(theta2)]]).double(), torch.tensor([0]))
        assert number(lab, "logit") == pytest.approx(logits[0, 0].item(), abs=0.05)


@pytest.mark.parametrize("name", PRESETS)
def test_what_is_drawn_is_the_rule(name: str, lab: Any) -> None:
    """Boundaries and regions, read back from the coordinates of the drawing."""
    lab.locator(f'[data-preset="{name}"]').click()
    settle(lab)
    box = lab.locator(".lab-plane .lab-frame")
    left, top, side = (float(box.get_attribute(key)) for key in ("x", "y", "width"))
    for line in ("plane-boundary-1", "plane-boundary-2"):
        points = np.array(re.findall(r"([\d.]+),([\d.]+)", drawing(lab, line)), dtype=float)
        theta = [(points[:, 0] - left) / side * np.pi, (top + side - points[:, 1]) / side * np.pi]
        own, other = theta if line.endswith("1") else theta[::-1]
        inside = (other < np.pi - 0.01) & (other > 0.01)
        assert inside.sum() > 40
        target = PRESETS[name].target(torch.tensor(np.cos(own[inside]))).numpy()
        assert target == pytest.approx(np.cos(other[inside]), abs=0.006)

    rng = np.random.default_rng(0)
    theta1, theta2 = rng.uniform(0.02, np.pi - 0.02, (2, 300))
    spots = np.stack([left + theta1 / np.pi * side, top + side - theta2 / np.pi * side], 1)
    assert differences(painted(lab, "plane", spots), won(name, theta1, theta2)) <= 3  # on the line: pixels

    vectors = rng.normal(size=(300, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    half = np.radians(40)  # centres 80 degrees apart, centre 1 on the left
    away = [np.arccos(vectors[:, :2] @ [np.sin(sign * half), np.cos(half)]) for sign in (-1, 1)]
    middle = [float(lab.locator(".lab-disc .lab-rim").get_attribute(key)) for key in ("cx", "cy", "r")]
    spots = np.array(middle[:2]) + middle[2] * vectors[:, :2] * [1, -1]
    assert differences(painted(lab, "disc", spots), won(name, *away)) <= 3


def painted(page: Any, picture: str, spots: np.ndarray) -> list[list[int]]:
    """For each spot, 1 where the drawn region of class 1 (then class 2) covers it."""
    script = """([parts, spots]) => parts.map(part => {
      const area = document.querySelector(`[data-part=${part}]`);
      return spots.map(([x, y]) => area.isPointInFill(new DOMPoint(x, y)) ? 1 : 0);
    })"""
    return page.evaluate(script, [[f"{picture}-class-1", f"{picture}-class-2"], spots.tolist()])


def differences(one: list[list[int]], other: list[list[int]]) -> int:
    assert 0 < np.sum(one) < np.size(one)
    return int((np.array(one) != np.array(other)).sum())


def won(name: str, theta1: np.ndarray, theta2: np.ndarray) -> list[list[int]]:
    """For each point, 1 where class 1 (then class 2) meets its margin, by facelib."""
    cosine = torch.tensor(np.stack([theta1, theta2], 1)).cos()
    labels = [torch.full((len(theta1),), label) for label in (0, 1)]
    return [(PRESETS[name](cosine, label).argmax(1) == label).int().tolist() for label in labels]


@pytest.mark.parametrize("beyond", RULES)
@pytest.mark.parametrize("gradient", ["exact", "detached"])
def test_rule_and_gradient_can_be_chosen(beyond: str, gradient: str, lab: Any) -> None:
    lab.select_option("select[name=beyond]", beyond)
    lab.check(f"input[value={gradient}]")
    lab.locator("input[name=direction]").fill("-130")
    assert angles(lab) == [170, 90]
    true = expected(math.radians(170), math.radians(90), {"m1": 1, "m2": 0.5, "m3": 0, "beyond": beyond}, 16, gradient)
    for name in ("logit", "loss", "pull", "slope"):
        assert number(lab, name) == pytest.approx(true[name], abs=0.006), name
    weak = "pull-detached" if gradient == "exact" else "pull-exact"
    assert lab.locator(".lab-pull .lab-weak").get_attribute("data-part") == weak


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


def test_probe_moves_by_finger(chromium: Any, site: str) -> None:
    context = chromium.new_context(viewport=PHONE, has_touch=True, is_mobile=True, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{site}/{PAGE}")
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


def test_state_lives_in_the_address(lab: Any, site: str) -> None:
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


def test_motion_only_where_it_is_wanted(chromium: Any, site: str) -> None:
    seen = {}
    for motion in ("reduce", "no-preference"):
        context = chromium.new_context(viewport=DESKTOP, reduced_motion=motion)
        page = context.new_page()
        page.goto(f"{site}/{PAGE}")
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
def test_page_is_sound(scheme: str, size: dict[str, int], chromium: Any, site: str) -> None:
    context = chromium.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
    page, visit = open_page(context, site, PAGE)
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


def test_without_scripts_a_picture_and_the_text_stand_in(chromium: Any, site: str) -> None:
    context = chromium.new_context(viewport=PHONE, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/{PAGE}")
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
