"""Checks of lesson 09 recognise the typical wrong answers and say what is wrong with each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from facelib.checks import lesson_09 as check


def bill(kernel: int, inside: int, outside: int, side: int, stride: int, groups: int) -> Any:
    weights = kernel**2 * (inside // groups) * outside
    return weights, weights * (-(-side // stride)) ** 2


def window(layers: Any, i: int) -> Any:
    first = last = i
    for kernel, stride, padding in reversed(layers):
        first, last = stride * first - padding, stride * last - padding + kernel - 1
    return first, last


def window_in_place(layers: Any, i: int) -> Any:
    layers.reverse()
    return window(layers[::-1], i)


def fold(weight: Any, gamma: Any, beta: Any, mean: Any, variance: Any, eps: float) -> Any:
    scale = gamma / np.sqrt(variance + eps)
    return weight * scale[:, None, None, None], beta - scale * mean


def fold_in_place(weight: Any, *rest: Any) -> Any:
    folded, bias = fold(weight, *rest)
    weight[:] = folded
    return weight, bias


def transformer(side: int, patch: int, width: int, depth: int) -> int:
    patches = (side // patch) ** 2
    tokens = patches + 1
    return patches * 3 * patch**2 * width + depth * (12 * tokens * width**2 + 2 * tokens**2 * width)


def smallest(side: int, width: int, depth: int, budget: int) -> Any:
    divisors = [patch for patch in range(1, side + 1) if side % patch == 0]
    return next((patch for patch in divisors if transformer(side, patch, width, depth) <= budget), None)


def test_right_answers_pass() -> None:
    for verdict in (
        check.bill(bill),
        check.window(window),
        check.fold(fold),
        check.transformer(transformer, smallest),
    ):
        assert verdict, verdict


def test_right_answers_are_what_torch_does() -> None:
    layer, x = nn.Conv2d(8, 16, 5, 2, 2, groups=4, bias=False), torch.zeros(1, 8, 15, 15)
    assert bill(5, 8, 16, 15, 2, 4) == (layer.weight.numel(), layer.weight.numel() * layer(x)[0, 0].numel())
    torch.manual_seed(0)
    layer, norm = nn.Conv2d(3, 4, 3, bias=False).double(), nn.BatchNorm2d(4).double()
    x = torch.randn(8, 3, 9, 9, dtype=torch.double)
    norm(layer(x))  # moves the running averages
    norm.weight.data.uniform_(0.5, 2)
    statistics = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    weight, bias = fold(layer.weight.detach().numpy(), *(t.detach().numpy() for t in statistics), norm.eps)  # type: ignore[union-attr]
    folded = torch.nn.functional.conv2d(x, torch.tensor(weight), torch.tensor(bias))
    assert torch.allclose(norm.eval()(layer(x)), folded)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda k, i, o, s, st, g: (k * k * i * o, k * k * i * o * (-(-s // st)) ** 2), "of its group"),
        (lambda k, i, o, s, st, g: (k * k * i * o // g**2, bill(k, i, o, s, st, g)[1]), "divided by the groups twice"),
        (lambda k, i, o, s, st, g: (bill(k, i, o, s, st, g)[0], bill(k, i, o, s, 1, g)[1]), "fewer places"),
        (lambda k, i, o, s, st, g: (bill(k, i, o, s, st, g)[0], k * k * i * o // g * (s // st) ** 2), "rounded up"),
        (lambda *case: (bill(*case)[0], 2 * bill(*case)[1]), "one multiply-add"),
        (lambda *case: bill(*case)[0], "two things"),
        (lambda *_: ..., "still open"),
    ],
)
def test_wrong_bills(answer: Any, hint: str) -> None:
    verdict = check.bill(answer)
    assert not verdict and hint in verdict.message


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda layers, i: window(layers[::-1], i), "from the first to the last"),
        (lambda layers, i: window([(k, s, 1) for k, s, _ in layers], i), "without padding"),
        (lambda layers, i: (window(layers, i)[0], window(layers, i)[1] + 1), "one too far"),
        (lambda layers, i: tuple(max(0, end) for end in window(layers, i)), "negative"),
        (window_in_place, "came back changed"),
        (lambda *_: 3, "two things"),
        (lambda *_: ..., "still open"),
    ],
)
def test_wrong_windows(answer: Any, hint: str) -> None:
    verdict = check.window(answer)
    assert not verdict and hint in verdict.message


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda w, g, b, m, v, e: (w * (g / np.sqrt(v + e))[:, None, None], 0), "each input channel"),
        (lambda w, g, b, m, v, e: (w * g / np.sqrt(v + e), 0), "last axis"),
        (lambda w, g, b, m, v, e: fold(w, g, b, m, v, 0), "eps was left out"),
        (lambda w, g, b, m, v, e: (w * (g / (v + e))[:, None, None, None], 0), "by its root"),
        (lambda w, g, b, m, v, e: (fold(w, g, b, m, v, e)[0], b - m), "mean is scaled"),
        (lambda w, g, b, m, v, e: (fold(w, g, b, m, v, e)[0], b), "the bias"),
        (fold_in_place, "afterwards"),
        (lambda *_: ..., "still open"),
    ],
)
def test_wrong_foldings(answer: Any, hint: str) -> None:
    verdict = check.fold(answer)
    assert not verdict and hint in verdict.message


def without_attention(side: int, patch: int, width: int, depth: int) -> int:
    return transformer(side, patch, width, depth) - depth * 2 * ((side // patch) ** 2 + 1) ** 2 * width


def without_class(side: int, patch: int, width: int, depth: int) -> int:
    patches = (side // patch) ** 2
    return patches * 3 * patch**2 * width + depth * (12 * patches * width**2 + 2 * patches**2 * width)


def without_patches(side: int, patch: int, width: int, depth: int) -> int:
    return transformer(side, patch, width, depth) - 3 * side**2 * width


@pytest.mark.parametrize(
    ("answer", "chosen", "hint"),
    [
        (without_attention, smallest, "attention is missing"),
        (without_class, smallest, "one vector more"),
        (without_patches, smallest, "vectors of patches"),
        (lambda *case: 2 * transformer(*case), smallest, "one multiply-add"),
        (transformer, lambda *_: 16, "smallest patch"),
        (transformer, lambda *given: smallest(*given) or 112, "no patch fits"),
        (transformer, lambda *_: ..., "still open"),
        (lambda *_: ..., smallest, "still open"),
    ],
)
def test_wrong_transformers(answer: Any, chosen: Any, hint: str) -> None:
    verdict = check.transformer(answer, chosen)
    assert not verdict and hint in verdict.message
