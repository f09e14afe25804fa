"""The formulas of the boundary laboratory, called in a real browser, against facelib.margins and plain geometry."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from facelib import margins
from tests import pages
from tests.browsing import served
from tests.laboratory.truth import RULES, expected
from tools import laboratory_picture

pytestmark = [pytest.mark.browser, pytest.mark.course]

STATIC = pages.ROOT / "book" / "_static"


@pytest.fixture(scope="module")
def formulas(chromium: Any) -> Iterator[Any]:
    """call(name, rows): a function of laboratory_formulas.js on each row of arguments."""
    with served(STATIC) as address:
        page = chromium.new_page()
        page.goto(f"{address}/favicon.svg")

        def call(name: str, rows: list[list[Any]]) -> list[Any]:
            script = """async ([address, name, rows]) => {
              const module = await import(address + "/laboratory_formulas.js");
              return rows.map((row) => module[name](...row));
            }"""
            return page.evaluate(script, [address, name, rows])

        yield call
        page.close()


def random_margin(rng: np.random.Generator, i: int) -> dict[str, Any]:
    """Presets and free values in turn; every rule for angles past pi."""
    fixed = [(1, 0, 0), (1.35, 0, 0), (4, 0, 0), (1, 0, 0.35), (1, 0.5, 0), (1, 0.3, 0.2)]
    free = (rng.uniform(1, 4), rng.uniform(0, 1), rng.uniform(0, 0.8))
    m1, m2, m3 = map(float, free if i % 2 else fixed[i // 2 % len(fixed)])
    return {"m1": m1, "m2": m2, "m3": m3, "beyond": RULES[int(rng.integers(len(RULES)))]}


def cases(count: int, seed: int) -> list[tuple[float, float, dict[str, Any], float, str]]:
    """Angles, margin, s, gradient; none closer than 1e-4 to a step or kink, where rounding decides the side."""
    rng, found = np.random.default_rng(seed), []
    while len(found) < count:
        theta1, theta2 = (float(theta) for theta in rng.uniform(0.01, np.pi - 0.01, 2))
        margin = random_margin(rng, len(found))
        phi = margin["m1"] * theta1 + margin["m2"]
        if min(abs(phi / np.pi - round(phi / np.pi)), abs(theta1 - np.pi / 2)) > 1e-4:
            found.append((theta1, theta2, margin, float(rng.uniform(1, 64)), ["exact", "detached"][len(found) % 2]))
    return found


def test_formulas_agree_with_facelib(formulas: Any) -> None:
    points = cases(600, seed=0)
    found = formulas("evaluate", [list(point) for point in points])
    assert {(point[2]["beyond"], point[4]) for point in points} == {
        (r, g) for r in RULES for g in ("exact", "detached")
    }
    past = sum(point[2]["m1"] * point[0] + point[2]["m2"] > np.pi for point in points)
    assert 150 < past < 450, "points on both sides of pi"
    for point, values in zip(points, found, strict=True):
        # cross-entropy is a difference of logits: below 1e-12 s it is rounding
        assert values == pytest.approx(expected(*point), rel=1e-6, abs=1e-12 * point[3]), point


def test_regions_are_those_of_the_logits(formulas: Any) -> None:
    points = cases(300, seed=1)
    found = formulas("region", [list(point[:3]) for point in points])
    for (theta1, theta2, margin, s, _), region in zip(points, found, strict=True):
        rule = margins.Combined(s=s, **margin)
        cosine = torch.tensor([[theta1, theta2]] * 2, dtype=torch.float64).cos()
        logits = rule(cosine, torch.tensor([0, 1]))
        won = logits.argmax(1) == torch.tensor([0, 1])
        assert region == int(won[0]) + 2 * int(won[1])
    assert set(found) == {0, 1, 2, 3}


def test_boundary_is_where_both_logits_are_equal(formulas: Any) -> None:
    points = cases(300, seed=2)
    found = formulas("boundary", [[point[0], point[2]] for point in points])
    met = [(point, theta2) for point, theta2 in zip(points, found, strict=True) if theta2 is not None]
    assert 100 < len(met) < 300
    for (theta1, _, margin, _, _), theta2 in met:
        values = expected(theta1, theta2, margin, 1, "exact")
        assert values["logit"] == pytest.approx(values["other"], abs=1e-9)
    for (theta1, theta2, margin, _, _), other in zip(points, found, strict=True):
        if other is None:
            assert abs(expected(theta1, theta2, margin, 1, "exact")["cosine"]) > 1


def test_boundary_on_the_arc(formulas: Any) -> None:
    names = {"linear": (1, 0.5, 0), "fold": (1.35, 0, 0), "none": (1, 0, 0.35)}
    rows = [
        [math.radians(between), {"m1": m1, "m2": m2, "m3": m3, "beyond": beyond}]
        for beyond, (m1, m2, m3) in names.items()
        for between in (20, 40, 80, 160)
    ]
    for (between, margin), own in zip(rows, formulas("boundaryOnArc", rows), strict=True):
        at_centre = expected(1e-9, between, margin, 1, "exact")
        if at_centre["logit"] <= at_centre["other"]:
            assert own == -1
        else:
            values = expected(own, between - own, margin, 1, "exact")
            assert values["logit"] == pytest.approx(values["other"], abs=1e-6)


def test_angles_are_those_of_vectors_in_space(formulas: Any) -> None:
    rng = np.random.default_rng(3)
    rows = [[rng.uniform(-np.pi, np.pi), rng.uniform(0, np.pi / 2), rng.uniform(0.2, 2.9)] for _ in range(200)]
    for (direction, tilt, between), found in zip(rows, formulas("anglesOf", rows), strict=True):
        x = [np.cos(tilt) * np.cos(direction), np.cos(tilt) * np.sin(direction), np.sin(tilt)]
        centres = [[np.cos(side * between / 2), np.sin(side * between / 2), 0] for side in (1, -1)]
        assert found == pytest.approx(np.arccos(np.array(centres) @ x).tolist(), abs=1e-7)
        cosines = np.cos(found)
        (shadow,) = formulas("shadowOf", [[*cosines.tolist(), between]])
        assert shadow == pytest.approx(x[:2], abs=1e-6)
        (back,) = formulas("reachable", [[*found, between]])
        assert back == pytest.approx(found, abs=1e-9), "what a vector has is reachable"


def test_every_reachable_pair_has_a_vector(formulas: Any) -> None:
    rng = np.random.default_rng(4)
    rows = [[*rng.uniform(-0.5, np.pi + 0.5, 2), rng.uniform(0.2, 2.9)] for _ in range(200)]
    for (_, _, between), (a, b) in zip(rows, formulas("reachable", rows), strict=True):
        (shadow,) = formulas("shadowOf", [[math.cos(a), math.cos(b), between]])
        assert math.hypot(*shadow) <= 1 + 1e-9
        (probe,) = formulas("probeOf", [shadow])
        (angles,) = formulas("anglesOf", [[probe["direction"], probe["tilt"], between]])
        assert angles == pytest.approx([a, b], abs=1e-5)


def test_picture_shows_the_same_regions(formulas: Any) -> None:
    points = cases(200, seed=5)
    for rule, setting in (
        ("CosFace, m = 0.35", (1, 0, 0.35)),
        ("ArcFace, m = 0.5", (1, 0.5, 0)),
        ("NormFace", (1, 0, 0)),
    ):
        margin = dict(zip(("m1", "m2", "m3"), setting, strict=True)) | {"beyond": "linear"}
        theta1, theta2 = np.array([point[:2] for point in points]).T
        shown = laboratory_picture.regions(laboratory_picture.RULES[rule], theta1, theta2)
        assert shown.tolist() == formulas("region", [[point[0], point[1], margin] for point in points])
