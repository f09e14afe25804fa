"""Checks of lesson 08 recognise the typical wrong answers and say what is wrong with each."""

from __future__ import annotations

import hashlib
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


def hashed(text: str, order: Any = "big", size: int = 8) -> float:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=size).digest(), order) / 2 ** (8 * size)


def in_validation(name: str, share: float, seed: int) -> bool:
    return hashed(f"{seed}\0{name}") < share


def similarities(vectors: Any, labels: Any, itself: bool = False, single: float = np.inf) -> Any:
    _, which, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.zeros((len(sizes), vectors.shape[1]))
    np.add.at(sums, which, vectors)
    others = sums[which] - (0 if itself else vectors)
    s = (vectors * others).sum(1) / np.maximum(np.linalg.norm(others, axis=1), 1e-12)
    s[sizes[which] == 1] = single
    return s


def suspects(vectors: Any, labels: Any, count: int) -> Any:
    return np.argsort(similarities(vectors, labels), kind="stable")[:count]


def suspects_unscaled(vectors: Any, labels: Any, count: int) -> Any:
    sums = np.stack([vectors[labels == label].sum(0) for label in labels]) - vectors
    alone = np.array([(labels == label).sum() == 1 for label in labels])
    return np.argsort(np.where(alone, np.inf, (vectors * sums).sum(1)))[:count]


def suspects_in_place(vectors: Any, labels: Any, count: int) -> Any:
    found = suspects(vectors, labels, count)
    vectors *= 2
    return found


def test_right_answers_pass() -> None:
    for verdict in (
        check.bend(bend),
        check.project(project, zoom),
        check.split_people(split),
        check.dyes(dyes),
        check.in_validation(in_validation),
        check.suspects(suspects),
    ):
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


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda name, share, seed: hash((name, seed)) / 2**64 + 0.5 < share, "Python's hash()"),
        (lambda name, share, seed: hashed(f"{seed}\0{name}", "little") < share, "most significant byte first"),
        (lambda name, share, seed: hashed(f"{seed}{name}") < share, "a zero"),
        (lambda name, share, seed: hashed(f"{seed}\0{name}", size=4) < share, "8 bytes"),
        (lambda name, share, seed: hashed(name) < share, "seed makes no difference"),
        (lambda name, share, seed: np.random.default_rng().random() < share, "second call"),
        (lambda name, share, seed: hashed(f"{seed}\0{name}") > share, "% of 2,000"),
        (lambda name, share, seed: hashed(f"{seed}\0{name}"), "True or False"),
        (lambda name, share, seed: hashed(f"{seed}\0{name}") < 0.2, "wrong side"),
        (lambda *_: ..., "still open"),
    ],
)
def test_wrong_sides(answer: Any, hint: str) -> None:
    verdict = check.in_validation(answer)
    assert not verdict and hint in verdict.message, verdict


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda v, y, n: np.argsort(-similarities(v, y, single=-np.inf))[:n], "smallest cosine"),
        (lambda v, y, n: np.argsort(similarities(v, y, itself=True))[:n], "vouched for itself"),
        (lambda v, y, n: np.argsort(similarities(v, y, single=0.0))[:n], "nothing to compare"),
        (lambda v, y, n: similarities(v, y)[:n], "row"),
        (lambda v, y, n: np.argsort(similarities(v, y))[: n + 1], "shape"),
        (suspects_unscaled, "row"),
        (suspects_in_place, "afterwards"),
        (lambda *_: ..., "still open"),
    ],
)
def test_wrong_suspects(answer: Any, hint: str) -> None:
    verdict = check.suspects(answer)
    assert not verdict and hint in verdict.message, verdict
