"""Checks of lesson 15 recognise the typical wrong answers and say what is wrong with each."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facelib import heads, records
from facelib.checks import lesson_15 as check

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"


def head_bytes(classes: int, batch: int, size: int, cards: int) -> Any:
    own = math.ceil(classes / cards)
    return 8 * own * size, 4 * own * max(size + 4 * batch, 5 * size)


def merge(first: Any, second: Any) -> Any:
    top = np.maximum(first[0], second[0])
    return top, first[1] * np.exp(first[0] - top) + second[1] * np.exp(second[0] - top)


def sample(labels: Any, classes: int, count: int, random: Any) -> Any:
    own = np.unique(labels)
    others = random.permutation(np.setdiff1d(np.arange(classes), own))[: max(0, count - len(own))]
    drawn = np.sort(np.concatenate([own, others]))
    return drawn, np.searchsorted(drawn, labels)


def break_even(batch: int, size: int) -> float:
    return batch * (12 * size + 40) / (8 * size)


def test_right_answers_pass() -> None:
    for verdict in (
        check.head_bytes(head_bytes),
        check.merge(merge),
        check.sample(sample),
        check.break_even(break_even),
    ):
        assert verdict, verdict


def test_right_answers_are_those_of_facelib() -> None:
    def of_facelib(labels: Any, classes: int, count: int, random: Any) -> Any:
        lots = torch.Generator().manual_seed(int(random.integers(2**31)))
        drawn = heads.draw_classes(torch.tensor(labels), classes, count, lots).numpy()
        return drawn, np.searchsorted(drawn, labels)

    verdict = check.sample(of_facelib)
    assert verdict, verdict


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda c, b, d, n: tuple(x / 4 for x in head_bytes(c, b, d, n)), "four"),
        (lambda c, b, d, n: (8 * c * d, 4 * c * (6 * d + 4 * b)), "not their sum"),
        (lambda c, b, d, n: (8 * c * d, 20 * c * d), "logits are the peak"),
        (lambda c, b, d, n: head_bytes(c, b, d, 1), "share the classes"),
        (lambda c, b, d, n: head_bytes(c, b // n, d, n), "not the batch"),
        (lambda c, b, d, n: head_bytes(c // n, b, d, 1), "251"),
        (lambda c, b, d, n: head_bytes(c, b, d, n)[0], "two numbers"),
        (lambda *_: ..., "still open"),
        (lambda *_: (..., ...), "still open"),
    ],
)
def test_wrong_bytes(answer: Any, hint: str) -> None:
    verdict = check.head_bytes(answer)
    assert not verdict and hint in verdict.message, verdict


def backwards(first: Any, second: Any) -> Any:
    top = np.maximum(first[0], second[0])
    return top, first[1] * np.exp(top - first[0]) + second[1] * np.exp(top - second[0])


def by_exponentials(first: Any, second: Any) -> Any:
    top = np.maximum(first[0], second[0])
    with np.errstate(all="ignore"):
        return top, (first[1] * np.exp(first[0]) + second[1] * np.exp(second[0])) / np.exp(top)


def second_is_larger(first: Any, second: Any) -> Any:
    return np.maximum(first[0], second[0]), second[1] + first[1] * np.exp(first[0] - second[0])


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda a, b: (np.maximum(a[0], b[0]), a[1] + b[1]), "different logits"),
        (lambda a, b: (merge(a, b)[0], merge(a, b)[1] * np.exp(merge(a, b)[0])), "themselves"),
        (backwards, "measured from the new largest"),
        (by_exponentials, "no number"),
        (second_is_larger, "measured from the new largest"),
        (lambda a, b: (a[0] + b[0], a[1] + b[1]), "largest of two rows"),
        (lambda a, b: merge(a, b)[0] + np.log(merge(a, b)[1]), "a pair"),
        (lambda *_: ..., "still open"),
        (lambda *_: (..., ...), "still open"),
    ],
)
def test_wrong_halves(answer: Any, hint: str) -> None:
    verdict = check.merge(answer)
    assert not verdict and hint in verdict.message, verdict


def by_lot(labels: Any, classes: int, count: int, random: Any) -> Any:
    drawn = np.sort(random.permutation(classes)[:count])
    return drawn, np.searchsorted(drawn, labels).clip(max=count - 1)


def one_by_one(labels: Any, classes: int, count: int, random: Any) -> Any:
    drawn = np.sort(np.concatenate([np.unique(labels), random.integers(0, classes, count - 3)]))
    return drawn, np.searchsorted(drawn, labels)


def too_many(labels: Any, classes: int, count: int, random: Any) -> Any:
    return sample(labels, classes, count + len(np.unique(labels)), random)


def in_no_order(labels: Any, classes: int, count: int, random: Any) -> Any:
    drawn = random.permutation(sample(labels, classes, count, random)[0])
    return drawn, np.searchsorted(drawn, labels).clip(max=count - 1)


def the_first(labels: Any, classes: int, count: int, random: Any) -> Any:
    own = np.unique(labels)
    drawn = np.sort(np.concatenate([own, np.setdiff1d(np.arange(classes), own)[: max(0, count - len(own))]]))
    return drawn, np.searchsorted(drawn, labels)


def cut_off(labels: Any, classes: int, count: int, random: Any) -> Any:
    drawn, _ = sample(labels, classes, count, random)
    drawn = drawn if len(np.unique(labels)) <= count else drawn[:count]
    return drawn, np.searchsorted(drawn, labels).clip(max=len(drawn) - 1)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (by_lot, "must be there always"),
        (one_by_one, "twice"),
        (too_many, "17 others"),
        (in_no_order, "rising order"),
        (the_first, "equally often"),
        (cut_off, "needs them all"),
        (lambda *a: (sample(*a)[0], sample(*a)[1][:2]), "places"),
        (lambda *a: sample(*a)[0], "two arrays"),
        (lambda *_: ..., "still open"),
    ],
)
def test_wrong_samples(answer: Any, hint: str) -> None:
    verdict = check.sample(answer)
    assert not verdict and hint in verdict.message, verdict


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda b, d: 1.5 * b, "40 bytes"),
        (lambda b, d: 8 * d / (b * (12 * d + 40)), "solve for C"),
        (lambda b, d: 7 / 8 * break_even(b, d), "batch of 1024"),
        (lambda *_: ..., "still open"),
    ],
)
def test_wrong_break_even(answer: Any, hint: str) -> None:
    verdict = check.break_even(answer)
    assert not verdict and hint in verdict.message, verdict


def test_the_record_is_a_reading_of_two_benchmarks() -> None:
    record = records.load("head_costs")
    for part, name in ((record, "heads"), (record["sample"], "partial")):
        measured = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
        shared = part.keys() & measured.keys() - {"rows"}
        assert {"device", "threads", "batch", "size"} <= shared and all(part[key] == measured[key] for key in shared)
        assert [row["classes"] for row in part["rows"]] == [row["classes"] for row in measured["rows"]]
        for row, whole in zip(part["rows"], measured["rows"], strict=True):
            assert len(row) >= 5 and row == {key: whole[key] for key in row}
