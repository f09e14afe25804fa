"""Checks of lesson 08 recognise the typical wrong answers and say what is wrong with each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from facelib.checks import lesson_08 as check
from facelib.checks.lesson_08 import BLOOD, TONES


def bend(mean: Any, plus: Any, minus: Any, values: Any) -> Any:
    up, down = np.maximum(values, 0), np.maximum(-values, 0)
    return mean + np.tensordot(up, plus, axes=1) + np.tensordot(down, minus, axes=1)


def bend_in_place(mean: Any, plus: Any, minus: Any, values: Any) -> Any:
    mean += bend(0 * mean, plus, minus, values)
    return mean


def project(points: Any, distance: float, focal: float, centre: Any) -> Any:
    return np.array(centre) + points[:, :2] * [1, -1] * (focal / (distance - points[:, 2:]))


def zoom(distance: float, focal: float, new_distance: float) -> float:
    return focal * new_distance / distance


def split(labels: Any, share: float, seed: int) -> Any:
    people = np.random.default_rng(seed).permutation(np.unique(labels))
    tested = np.isin(labels, people[: round(share * len(people))])
    return np.flatnonzero(~tested), np.flatnonzero(tested)


def split_rows(labels: Any, share: float, seed: int) -> Any:
    rows = np.random.default_rng(seed).permutation(len(labels))
    return rows[round(share * len(rows)) :], rows[: round(share * len(rows))]


def split_masks(labels: Any, share: float, seed: int) -> Any:
    test = np.isin(np.arange(len(labels)), split(labels, share, seed)[1])
    return ~test, test


def dyes(colours: Any, base: Any, melanin: Any, blood: Any) -> Any:
    columns = np.stack([melanin, blood, np.ones(3)], 1)
    return np.linalg.solve(columns, np.log(base / colours).T)[:2].T


def dyes_in_known_light(colours: Any, base: Any, melanin: Any, blood: Any) -> Any:
    return np.linalg.lstsq(np.stack([melanin, blood], 1), np.log(base / colours).T, rcond=None)[0].T


def test_right_answers_pass() -> None:
    for verdict in (check.bend(bend), check.project(project, zoom), check.split_people(split), check.dyes(dyes)):
        assert verdict, verdict


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda m, p, n, w: m + np.tensordot(w, p, axes=1), "drawing of its own"),
        (
            lambda m, p, n, w: m + np.tensordot(w.clip(0), p, axes=1) + np.tensordot(w.clip(None, 0), n, axes=1),
            "not -0",
        ),
        (bend_in_place, "afterwards"),
        (lambda *_: ..., "still open"),
    ],
)
def test_wrong_heads(answer: Any, hint: str) -> None:
    verdict = check.bend(answer)
    assert not verdict and hint in verdict.message


@pytest.mark.parametrize(
    ("answer", "zoomed", "hint"),
    [
        (lambda p, d, f, c: np.array(c) + p[:, :2] * f / (d - p[:, 2:]), zoom, "downwards"),
        (lambda p, d, f, c: np.array(c) + p[:, :2] * [1, -1] * f / (d + p[:, 2:]), zoom, "shortens"),
        (lambda p, d, f, c: np.array(c) + p[:, :2] * [1, -1] * f / d, zoom, "nearer to the camera"),
        (project, lambda d, f, new: f, "zoom"),
        (lambda *_: ..., zoom, "still open"),
    ],
)
def test_wrong_projections(answer: Any, zoomed: Any, hint: str) -> None:
    verdict = check.project(answer, zoomed)
    assert not verdict and hint in verdict.message


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (split_rows, "in both parts"),
        (split_masks, "mask"),
        (lambda labels, share, seed: split(labels, 0.5, seed), "people in the test"),
        (lambda labels, share, seed: split(labels, share, 0), "no difference"),
        (lambda labels, share, seed: split(labels, share, int(np.random.default_rng().integers(10**6))), "same seed"),
        (lambda labels, share, seed: split(labels[: len(labels) // 2], share, seed), "all rows"),
        (lambda *_: ..., "still open"),
    ],
)
def test_wrong_splits(answer: Any, hint: str) -> None:
    verdict = check.split_people(answer)
    assert not verdict and hint in verdict.message


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (dyes_in_known_light, "third unknown"),
        (lambda *given: -dyes(*given), "negative"),
        (lambda *given: dyes(*given)[:, ::-1], "before melanin"),
        (lambda *_: ..., "still open"),
    ],
)
def test_wrong_dyes(answer: Any, hint: str) -> None:
    verdict = check.dyes(answer)
    assert not verdict and hint in verdict.message


def test_the_dyes_of_the_exercise_can_be_told_apart() -> None:
    columns = np.stack([np.log(np.array(TONES[0]) / np.array(TONES[1])), -np.array(BLOOD), np.ones(3)], 1)
    assert np.linalg.cond(columns) < 100
