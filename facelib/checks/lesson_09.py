"""Checks of lesson 09, backbones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import NotYet, answered, exercise, expect


def _pair(got: Any, what: str) -> tuple[Any, Any]:
    """An answer of two things.

    Raises
    ------
    NotYet
        Where it is still open, or something else.
    """
    answered(got)
    if not isinstance(got, tuple | list) or len(got) != 2:
        raise NotYet(f"two things are wanted, {what}")
    return got[0], got[1]


@exercise("9.1")
def bill(answer: Callable[..., Any]) -> str:
    """``answer(kernel, inside, outside, side, stride, groups)``: weights and multiply-adds of a convolution."""
    for case in (
        (3, 3, 64, 112, 1, 1),
        (1, 64, 128, 56, 1, 1),
        (3, 64, 64, 112, 2, 1),
        (3, 64, 64, 7, 2, 1),
        (3, 128, 128, 28, 1, 128),
        (5, 32, 64, 15, 2, 4),
    ):
        kernel, inside, outside, side, stride, groups = case
        weights, products = _pair(answer(*case), "weights and multiply-adds")
        right = kernel**2 * inside * outside // groups
        places = (-(-side // stride)) ** 2
        where = f"kernel {kernel}, {inside} to {outside} channels, side {side}, stride {stride}, groups {groups}"
        if groups > 1 and weights == right * groups:
            raise NotYet(f"{where}: an output channel sees only the {inside // groups} input channels of its group")
        if groups > 1 and weights * groups == right:
            raise NotYet(f"{where}: divided by the groups twice; every output channel is still there")
        expect(weights, right, f"weights for {where}")
        if stride > 1 and products == right * side**2:
            raise NotYet(f"{where}: the output has fewer places than the input, by the stride along each side")
        if stride > 1 and side % stride and products == right * (side // stride) ** 2:
            raise NotYet(f"{where}: the padding adds a last place, so the quotient is rounded up")
        if products == 2 * right * places:
            raise NotYet(f"{where}: these are operations; a multiplication and its addition are one multiply-add")
        expect(products, right * places, f"multiply-adds for {where}")
    return "right: the whole network is the sum of such bills"


@exercise("9.2")
def window(answer: Callable[..., Any]) -> str:
    """``answer(layers, i)``: first and last input pixel that output ``i`` sees; layers (kernel, stride, padding)."""
    for layers, i, want in (
        ([(3, 1, 1)], 5, (4, 6)),
        ([(3, 1, 0)], 5, (5, 7)),
        ([(3, 2, 1)], 5, (9, 11)),
    ):
        got = _pair(answer(list(layers), i), "the first and the last pixel")
        if layers[0][2] == 0 and got == (4, 6):
            raise NotYet("without padding the window of output i begins at i, not before it")
        if got == (want[0], want[1] + 1):
            raise NotYet("the last pixel is one too far: `kernel` pixels from `first` on end at first + kernel - 1")
        expect(got, want, f"one layer {layers[0]}, output {i}")
    chain = [(7, 2, 3), (3, 2, 1), (1, 1, 0), (3, 1, 1), (3, 2, 0)]
    given = list(chain)
    got = _pair(answer(given, 4), "the first and the last pixel")
    if given != chain:
        raise NotYet("`layers` came back changed; reversed(layers) leaves it as it is")
    want = _window(chain, 4)
    if tuple(got) == _window(chain[::-1], 4) != want:
        raise NotYet("the layers were walked from the first to the last; begin at the output, with the last")
    expect(got, want, "five layers, output 4")
    got = _pair(answer([(3, 2, 1), (3, 2, 1)], 0), "the first and the last pixel")
    if got[0] == 0:
        raise NotYet("output 0 of two padded layers sees pixels before the first; those count, with negative numbers")
    expect(got, (-3, 3), "two layers (3, 2, 1), output 0")
    return "right: and its width is the receptive field of (9.4)"


def _window(layers: list[tuple[int, int, int]], i: int) -> tuple[int, int]:
    first = last = i
    for kernel, stride, padding in reversed(layers):
        first, last = stride * first - padding, stride * last - padding + kernel - 1
    return first, last


@exercise("9.3")
def fold(answer: Callable[..., Any]) -> str:
    """``answer(weight, gamma, beta, mean, variance, eps)``: weight and bias of convolution and BN in one."""
    random = np.random.default_rng(9)
    weight = random.normal(size=(3, 3, 3, 3))  # all axes alike: the wrong one raises nothing
    gamma, beta, mean = random.normal(size=(3, 3))
    variance, eps = random.uniform(0.01, 2, 3), 0.1
    kept = weight.copy()
    got, bias = _pair(answer(weight, gamma, beta, mean, variance, eps), "weight and bias")
    expect(weight, kept, "`weight` afterwards, which should stay as it was,")
    scale = gamma / np.sqrt(variance + eps)
    got = np.asarray(got, dtype=float)
    wrong = {
        "each input channel was scaled; BN scales output channels, the first axis": kept * scale[None, :, None, None],
        "the last axis was scaled; stretch the scale to (O, 1, 1, 1), or numpy takes the last one": kept * scale,
        "eps was left out; it stands under the root": kept * (gamma / np.sqrt(variance))[:, None, None, None],
        "divided by the variance; BN divides by its root": kept * (gamma / (variance + eps))[:, None, None, None],
    }
    for message, values in wrong.items():
        if got.shape == values.shape and np.allclose(got, values):
            raise NotYet(message)
    expect(got, kept * scale[:, None, None, None], "the weight")
    if np.shape(bias) == (3,) and np.allclose(bias, beta - mean):
        raise NotYet("the mean is scaled too: BN subtracts it before it multiplies")
    expect(bias, beta - scale * mean, "the bias")
    return "right: one layer less in every exported network"


@exercise("9.4")
def transformer(answer: Callable[..., Any], smallest: Callable[..., Any]) -> str:
    """``answer(side, patch, width, depth)``: multiply-adds of a ViT; ``smallest``: the patch that fits a budget."""
    for case in ((112, 16, 192, 12), (112, 8, 384, 12), (224, 16, 768, 12)):
        got, want = answer(*case), _transformer(*case)
        where = "side {}, patch {}, width {}, depth {}".format(*case)
        side, patch, width, depth = case
        patches = (side // patch) ** 2
        if got == want - depth * (12 * width**2 + 2 * (2 * patches + 1) * width):
            raise NotYet(f"{where}: there is one vector more than there are patches")
        if got == want - depth * 2 * (patches + 1) ** 2 * width:
            raise NotYet(f"{where}: the attention is missing, which has no weights and works all the same")
        if got == want - patches * 3 * patch**2 * width:
            raise NotYet(f"{where}: making vectors of patches is missing")
        if got == 2 * want:
            raise NotYet(f"{where}: these are operations; a multiplication and its addition are one multiply-add")
        expect(got, want, where, 0.5)
    for budget, want_patch in ((5_000_000_000, 8), (500_000_000, 28), (30_000_000_000, 4), (1_000, None)):
        found = smallest(112, 384, 12, budget)
        if found is ...:
            raise NotYet("`smallest` is still open")
        if want_patch is None:
            if found is not None:
                raise NotYet("a budget that no patch fits: expected None")
        else:
            expect(found, want_patch, f"the smallest patch of 112 pixels, width 384, depth 12, within {budget:,}")
    return "right: the patch is a stride, and it decides about the price as a stride does"


def _transformer(side: int, patch: int, width: int, depth: int) -> int:
    patches = (side // patch) ** 2
    tokens = patches + 1
    return patches * 3 * patch**2 * width + depth * (12 * tokens * width**2 + 2 * tokens**2 * width)
