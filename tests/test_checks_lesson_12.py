"""Checks of lesson 12 recognise the typical wrong answers and say what is wrong with each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from facelib.checks import lesson_12 as check
from facelib.evaluate import identification, pool


def cmc(scores: Any, own: Any, strict: bool = False) -> Any:
    mine = scores[np.arange(len(scores)), own][:, None]
    ranks = 1 + (scores > mine).sum(1) if strict else (scores >= mine).sum(1)
    return np.cumsum(np.bincount(ranks, minlength=scores.shape[1] + 1)[1:]) / len(scores)


def fpir(f: float, people: int) -> Any:
    return -np.expm1(people * np.log1p(-f))


def needed(rate: float, people: int) -> Any:
    return -np.expm1(np.log1p(-rate) / people)


def recall(rows: Any, of: Any, centres: Any, probes: Any, lists: int, sign: int = -1) -> Any:
    near = np.argsort(sign * (probes @ centres.T), axis=1)[:, :lists]
    table = (of[None, :, None] == near[:, None, :]).any(2)
    scores = probes @ rows.T
    return (np.where(table, scores, -np.inf).argmax(1) == scores.argmax(1)).mean(), table.mean()


def template(rows: Any, media: Any, weights: Any) -> Any:
    u = sum((weights[:, None] * rows)[media == m].mean(0) for m in np.unique(media))
    return u / np.linalg.norm(u)


def template_of_all(rows: Any, media: Any, weights: Any) -> Any:
    return template(rows, np.arange(len(rows)), weights)


def template_by_weight(rows: Any, media: Any, weights: Any) -> Any:
    u = sum(np.average(rows[media == m], axis=0, weights=weights[media == m]) for m in np.unique(media))
    return u / np.linalg.norm(u)


def template_of_units(rows: Any, media: Any, weights: Any) -> Any:
    means = [(weights[:, None] * rows)[media == m].mean(0) for m in np.unique(media)]
    if np.allclose(weights, 1):
        means = [mean / np.linalg.norm(mean) for mean in means]
    return sum(means) / np.linalg.norm(sum(means))


def template_in_place(rows: Any, media: Any, weights: Any) -> Any:
    found = template(rows, media, weights)
    rows *= 2
    return found


def test_right_answers_pass() -> None:
    for verdict in (
        check.cmc(cmc),
        check.strict(fpir, needed),
        check.recall(recall),
        check.template(template),
    ):
        assert verdict, verdict


def test_right_answers_are_those_of_facelib() -> None:
    random = np.random.default_rng(0)
    gallery, probes, who = random.normal(size=(7, 4)), random.normal(size=(20, 4)), random.integers(0, 7, 20)
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (probes, gallery)]
    theirs = identification(gallery, np.arange(7), probes, who).cmc
    np.testing.assert_allclose(cmc(unit[0] @ unit[1].T, who), theirs, atol=1e-12)
    weights, media = random.uniform(0.1, 1, 20), random.integers(0, 5, 20)
    theirs = pool(probes, np.zeros(20, dtype=int), media, weights)[0][0]
    np.testing.assert_allclose(template(probes, media, weights), theirs, atol=1e-5)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda s, own: cmc(s, own, strict=True), "comes last"),
        (lambda s, own: np.diff(cmc(s, own), prepend=0), "adds them up"),
        (lambda s, own: cmc(s, own) * len(s), "divide by how many"),
        (lambda s, own: cmc(-s, own), "four probes"),
        (lambda s, own: cmc(s, own)[:2], "shape"),
        (lambda *_: ..., "still open"),
    ],
)
def test_wrong_curves(answer: Any, hint: str) -> None:
    verdict = check.cmc(answer)
    assert not verdict and hint in verdict.message, verdict


@pytest.mark.parametrize(
    ("predict", "inverse", "hint"),
    [
        (lambda f, n: f * n, needed, "upper bound"),
        (lambda f, n: (1 - f) ** n, needed, "no comparison is false"),
        (fpir, lambda rate, n: rate / n, "small rates alone"),
        (lambda f, n: 1 - (1 - f) ** n, needed, "log1p"),
        (fpir, lambda rate, n: 1 - (1 - rate) ** (1 / n), "log1p"),
        (fpir, fpir, "an FPIR of 0.5"),
        (lambda *_: ..., needed, "still open"),
        (fpir, lambda *_: ..., "still open"),
    ],
)
def test_wrong_rates(predict: Any, inverse: Any, hint: str) -> None:
    verdict = check.strict(predict, inverse)
    assert not verdict and hint in verdict.message, verdict


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda r, of, c, p, n: (1.0, recall(r, of, c, p, n)[1]), "not looked into"),
        (lambda r, of, c, p, n: (recall(r, of, c, p, n)[0], recall(r, of, c, p, n)[1] * len(r)), "number of rows"),
        (lambda r, of, c, p, n: recall(r, of, c, p, n, sign=1), "recall of three probes"),
        (lambda r, of, c, p, n: recall(r, of, c, p, 1), "all lists"),
        (lambda r, of, c, p, n: (recall(r, of, c, p, n)[0], n / len(c)), "two of eight"),
        (lambda r, of, c, p, n: recall(r, of, c, p, n)[0], "two numbers"),
        (lambda *_: ..., "still open"),
    ],
)
def test_wrong_recalls(answer: Any, hint: str) -> None:
    verdict = check.recall(answer)
    assert not verdict and hint in verdict.message, verdict


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (template_of_all, "three frames count three times"),
        (template_by_weight, "not by their weights"),
        (template_of_units, "short mean"),
        (lambda r, m, w: template(r, m, w) * 2**0.5, "divide by the length"),
        (lambda r, m, w: template(r, m, w * 0 + 1), "not by their weights"),
        (template_in_place, "afterwards"),
        (lambda *_: ..., "still open"),
    ],
)
def test_wrong_templates(answer: Any, hint: str) -> None:
    verdict = check.template(answer)
    assert not verdict and hint in verdict.message, verdict
