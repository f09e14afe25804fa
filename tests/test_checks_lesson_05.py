"""Checks of lesson 05 recognise the typical wrong answers and say what is wrong with each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from facelib.checks import lesson_05 as check


def log_softmax(z: Any) -> Any:
    z = z - z.max(dim=1, keepdim=True).values
    return z - z.exp().sum(dim=1, keepdim=True).log()


def scale(classes: int, loss: float) -> Any:
    return (classes - 1) / classes * np.log((classes - 1) / np.expm1(loss))


def through_length(x: Any, g: Any) -> Any:
    length = x.norm(dim=1, keepdim=True)
    unit = x / length
    return (g - (g * unit).sum(dim=1, keepdim=True) * unit) / length


def on_circle(classes: int, p: float) -> float:
    around = np.cos(2 * np.pi * np.arange(classes) / classes)
    low, high = 0.0, 1e6
    for _ in range(100):
        middle = (low + high) / 2
        enough = 1 / np.exp(middle * (around - 1)).sum() >= p
        low, high = (low, middle) if enough else (middle, high)
    return high


def test_right_answers_pass() -> None:
    verdicts = [
        check.log_softmax(log_softmax),
        check.scale_for_loss(scale),
        check.through_length(through_length),
        check.s_on_circle(on_circle),
    ]
    for verdict in verdicts:
        assert verdict, verdict


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda z: z.exp() / z.exp().sum(1, keepdim=True), "logarithms are wanted"),
        (lambda z: torch.log_softmax(z, dim=0), "dim=1"),
        (lambda z: z - z.exp().sum(1, keepdim=True).log(), "infinite"),
        (lambda z: torch.softmax(z, dim=1).log(), "infinite"),
        (lambda z: z, "differs|expected"),
        (lambda z: ..., "still open"),
    ],
)
def test_wrong_softmaxes(answer: Any, hint: str) -> None:
    verdict = check.log_softmax(answer)
    assert not verdict and any(word in verdict.message for word in hint.split("|"))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda c, loss: np.log((c - 1) / np.expm1(loss)), "almost"),
        (lambda c, loss: (c - 1) / c * np.log((c - 1) * loss / (1 - loss)), "taken for the probability"),
        (lambda c, loss: -scale(c, loss), "sign"),
        (lambda c, loss: 64.0, "expected"),
        (lambda c, loss: scale(10, loss), "2 classes"),
        (lambda c, loss: ..., "still open"),
    ],
)
def test_wrong_scales(answer: Any, hint: str) -> None:
    verdict = check.scale_for_loss(answer)
    assert not verdict and hint in verdict.message


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda x, g: g / x.norm(dim=1, keepdim=True), "along x is still in it"),
        (lambda x, g: through_length(x, g) * x.norm(dim=1, keepdim=True), "not divided"),
        (lambda x, g: through_length(x, g) / x.norm(dim=1, keepdim=True), "too long"),
        (lambda x, g: -through_length(x, g), "sign"),
        (lambda x, g: through_length(x, g) if len(x) == 1 else g, "seven rows"),
        (lambda x, g: ..., "still open"),
    ],
)
def test_wrong_gradients(answer: Any, hint: str) -> None:
    verdict = check.through_length(answer)
    assert not verdict and hint in verdict.message


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda c, p: (c - 1) / c * np.log((c - 1) * p / (1 - p)), "two"),
        (lambda c, p: 10.0, "two classes"),
        (lambda c, p: on_circle(c, p) if c < 50 else float("inf"), "exponential"),
        (lambda c, p: on_circle(c, 0.9), "3 classes"),
        (lambda c, p: ..., "still open"),
    ],
)
def test_wrong_circles(answer: Any, hint: str) -> None:
    verdict = check.s_on_circle(answer)
    assert not verdict and hint in verdict.message
