"""Checks of lesson 14 recognise the typical wrong answers and say what is wrong with each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from facelib.checks import lesson_14 as check


def fold(weight: Any, bias: Any, mean: Any, variance: Any, gamma: Any, beta: Any, eps: float = 1e-5) -> Any:
    scale = gamma / np.sqrt(variance + eps)
    return weight * scale[:, None], beta + scale * (bias - mean)


def fold_with(scale_of: Any, bias_of: Any) -> Any:
    def answer(weight: Any, bias: Any, mean: Any, variance: Any, gamma: Any, beta: Any, eps: float = 1e-5) -> Any:
        scale = scale_of(gamma, variance, eps)
        return weight * scale[:, None], bias_of(scale, bias, mean, beta)

    return answer


def root(gamma: Any, variance: Any, eps: float) -> Any:
    return gamma / np.sqrt(variance + eps)


def scales(low: float, high: float) -> Any:
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255 or 1.0
    return scale, round(-low / scale)


def channels(weight: Any, bits: int) -> Any:
    largest = 2 ** (bits - 1) - 1
    rows = weight.reshape(len(weight), -1)
    scale = np.abs(rows).max(1, keepdims=True) / largest
    scale = np.where(scale > 0, scale, 1)
    return (np.round(rows / scale) * scale).reshape(weight.shape)


def one_scale(weight: Any, bits: int) -> Any:
    scale = np.abs(weight).max() / (2 ** (bits - 1) - 1)
    return np.round(weight / scale) * scale


def too_many(weight: Any, bits: int) -> Any:
    largest = 2 ** (bits - 1) - (1 if bits == 2 else 0)
    rows = weight.reshape(len(weight), -1)
    scale = np.abs(rows).max(1, keepdims=True) / largest
    scale = np.where(scale > 0, scale, 1)
    return (np.round(rows / scale) * scale).reshape(weight.shape)


def with_nan(weight: Any, bits: int) -> Any:
    scale = np.abs(weight).reshape(len(weight), -1).max(1) / (2 ** (bits - 1) - 1)
    scale = scale.reshape(-1, *[1] * (weight.ndim - 1))
    with np.errstate(invalid="ignore"):
        return np.round(weight / scale) * scale


def in_place(weight: Any, bits: int) -> Any:
    weight[...] = channels(weight, bits)
    return weight


def felt(a: Any, b: Any, threshold: float) -> Any:
    pairs = np.triu_indices(len(a), 1)
    x, y = (a @ a.T)[pairs], (b @ b.T)[pairs]
    return np.abs(x - y).max(), ((x > threshold) != (y > threshold)).mean()


def felt_twice(a: Any, b: Any, threshold: float) -> Any:
    x, y = a @ a.T, b @ b.T
    return np.abs(x - y).max(), ((x > threshold) != (y > threshold)).mean()


def felt_across(a: Any, b: Any, threshold: float) -> Any:
    return 1 - (a * b).sum(1).min(), 0.0


def felt_count(a: Any, b: Any, threshold: float) -> Any:
    change, share = felt(a, b, threshold)
    return change, share * len(a) * (len(a) - 1) / 2


@pytest.mark.parametrize(
    ("checked", "answer"),
    [(check.fold, fold), (check.activation_range, scales), (check.channels, channels), (check.felt, felt)],
)
def test_right_answers(checked: Any, answer: Any) -> None:
    verdict = checked(answer)
    assert verdict, verdict


@pytest.mark.parametrize(
    ("checked", "answer", "said"),
    [
        (check.fold, lambda *x: (x[0],), "two arrays are wanted"),
        (check.fold, fold_with(lambda g, v, e: g / (v + e), lambda s, b, m, t: t + s * (b - m)), "square root"),
        (check.fold, fold_with(root, lambda s, b, m, t: t - s * m), "the old bias was lost"),
        (check.fold, fold_with(root, lambda s, b, m, t: t + s * b - m), "before the scale"),
        (check.fold, fold_with(lambda g, v, e: g / np.sqrt(v), lambda s, b, m, t: t + s * (b - m)), "eps = 0.1"),
        (check.activation_range, lambda low, high: ((high - low) / 255,), "two numbers are wanted"),
        (check.activation_range, lambda low, high: ((high - low) / 256, 0), "255 steps"),
        (check.activation_range, lambda low, high: ((high - low) / 255, -low * 255 / (high - low)), "whole number"),
        (
            check.activation_range,
            lambda low, high: ((high - low) / 255, round(-low * 255 / (high - low))),
            "has to hold 0",
        ),
        (check.activation_range, lambda low, high: scales(low, high) if high > low else (0.0, 0), "always 0"),
        (check.channels, one_scale, "the second channel vanished"),
        (check.channels, too_many, "the largest whole number of 8 bits with a sign is 127"),
        (check.channels, with_nan, "became NaN"),
        (check.channels, in_place, "should stay as it was"),
        (check.felt, felt_across, "no pair has changed"),
        (check.felt, felt_twice, "no pair with itself"),
        (check.felt, felt_count, "a share of pairs"),
        (check.felt, lambda a, b, t: (felt(a, b, t)[0], 0.0), "the share that changes sides"),
    ],
)
def test_wrong_answers_are_told_apart(checked: Any, answer: Any, said: str) -> None:
    verdict = checked(answer)
    assert not verdict and said in verdict.message, verdict


@pytest.mark.parametrize("checked", [check.fold, check.activation_range, check.channels, check.felt])
def test_open_answers(checked: Any) -> None:
    verdict = checked(lambda *_: ...)
    assert not verdict and "still open" in verdict.message, verdict
