"""The boundary laboratory in a real browser: every control redraws, and what is drawn is facelib's rule."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import torch

from tests.laboratory.page import angles, drawing, number, settle, value
from tests.laboratory.truth import PRESETS, RULES, expected

pytestmark = [pytest.mark.browser, pytest.mark.course, pytest.mark.slow]

START = {"m1": 1.0, "m2": 0.5, "m3": 0.0, "s": 16.0, "beyond": "linear", "gradient": "exact"}
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
