"""Checks of lesson 05, from softmax to the sphere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from . import NotYet, exercise, expect


@exercise("5.1")
def log_softmax(answer: Callable[[Tensor], Tensor]) -> str:
    """``answer(z)``: (B, C) logits to log probabilities, also for logits of +-1000."""
    z = torch.tensor([[2.0, 1.0, 0.0], [0.0, 0.5, -1.0]], dtype=torch.float64)
    want, got = torch.log_softmax(z, dim=1), answer(z.clone())
    if isinstance(got, Tensor) and got.shape == z.shape:
        if torch.allclose(got, want.exp()):
            raise NotYet("these are the probabilities; their logarithms are wanted")
        if torch.allclose(got, torch.log_softmax(z, dim=0)):
            raise NotYet("the sum ran over the rows, so pictures competed; it belongs over the classes, dim=1")
    expect(got, want, "two rows of small logits")
    large = torch.tensor([[1000.0, 999.0, -1000.0], [-1000.0, -1001.0, -1000.0]])
    got = answer(large.clone())
    if isinstance(got, Tensor) and not torch.isfinite(got).all():
        raise NotYet("right for small logits, but at 1000 or -1000 something became infinite or not a number")
    expect(got, torch.log_softmax(large, dim=1), "logits of 1000 and -1000", 1e-3)
    return "right, and one subtraction is all that the library functions do more than equation 5.1"


@exercise("5.2")
def scale_for_loss(answer: Callable[[int, float], float]) -> str:
    """``answer(classes, loss)``: smallest s whose floor, equation 5.8, is ``loss``."""
    classes, loss = 10, 0.1
    odds = np.log((classes - 1) / np.expm1(loss))
    exact = (classes - 1) / classes * odds
    mistaken = {
        odds: "almost: the exponent of 5.8 is s C / (C - 1), since the rivals' cosines are below 0",
        (classes - 1) / classes * np.log((classes - 1) * loss / (1 - loss)): (
            "the loss was taken for the probability; a loss of L is a probability of exp(-L)"
        ),
        -exact: "the sign is wrong: a smaller loss must ask for a larger s",
    }
    got = answer(classes, loss)
    for value, message in mistaken.items():
        if got is not None and got is not ... and np.allclose(got, value, atol=1e-3):
            raise NotYet(message)
    expect(got, exact, "10 classes, a loss of 0.1", 1e-4)
    for classes, loss in ((2, 0.5), (1_000, 1e-6), (85_742, 0.1)):
        s = float(answer(classes, loss))
        reached = np.log1p((classes - 1) * np.exp(-s * classes / (classes - 1)))
        expect(reached / loss, 1, f"the floor at your s over the loss asked for, {classes:,} classes, {loss:g},", 1e-4)
    return f"right: 85,742 people and a loss of 0.1 ask for s of at least {float(answer(85_742, 0.1)):.1f}"


@exercise("5.3")
def through_length(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """``answer(x, g)``: gradient with respect to x, (B, D), from that with respect to x / |x|."""
    x, g = torch.tensor([[3.0, 4.0]], dtype=torch.float64), torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    want, got = torch.tensor([[0.128, -0.096]], dtype=torch.float64), answer(x.clone(), g.clone())
    if isinstance(got, Tensor) and got.shape == x.shape:
        if torch.allclose(got, g / 5):
            raise NotYet("divided by the length, but the part of g along x is still in it")
        if torch.allclose(got, 5 * want):
            raise NotYet("at a right angle to x, as it must be, but not divided by the length")
        if torch.allclose(got, -want):
            raise NotYet("the sign is wrong: the part of g across x stays as it is")
        if abs(float((got * x).sum())) < 1e-9 and not torch.allclose(got, want):
            times = float(got[0, 0] / want[0, 0])
            raise NotYet(f"at a right angle to x, but {times:.3g} times too long; how many |x| divide?")
    expect(got, want, "x = (3, 4), g = (1, 0)")
    generator = torch.Generator().manual_seed(5)
    many, slope = torch.randn(2, 7, 5, generator=generator, dtype=torch.float64)
    leaf = many.clone().requires_grad_()
    (F.normalize(leaf) * slope).sum().backward()
    expect(answer(many, slope), leaf.grad, "seven rows of five numbers, against autograd", 1e-9)
    return "right, the same as autograd: nothing along x, and half as much for twice the length"


@exercise("5.4")
def s_on_circle(answer: Callable[[int, float], Any]) -> str:
    """``answer(classes, p)``: smallest s with probability p at the centres of a regular polygon."""

    def probability(classes: int, s: float) -> float:
        around = np.cos(2 * np.pi * np.arange(classes) / classes)
        return float(1 / np.exp(s * (around - 1)).sum())

    got = answer(2, 0.9)
    expect(got, np.log(9) / 2, "two classes, where the circle is no narrower than any sphere: log(9) / 2,", 1e-4)
    simplex = 9 / 10 * np.log(9 * 0.9 / 0.1)
    if np.isclose(float(answer(10, 0.9)), simplex, atol=1e-3):
        raise NotYet("this is equation 5.9, for which ten classes would need nine dimensions; a circle has two")
    for classes, p in ((3, 0.5), (10, 0.9), (100, 0.9)):
        s = float(answer(classes, p))
        if not (np.isfinite(s) and s > 0):
            raise NotYet(f"{classes} classes, p = {p}: s came out as {s}; is an exponential too large?")
        expect(probability(classes, s), p, f"the probability at your s for {classes} classes and p = {p},", 1e-5)
    ratio = float(answer(100, 0.9)) / float(answer(50, 0.9))
    return f"right: 50 classes to 100 make s {ratio:.1f} times as large; (5.9) would add less than 1"
