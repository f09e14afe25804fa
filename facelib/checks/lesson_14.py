"""Checks of lesson 14, export: folding, scales of eight bits, what a threshold feels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import NotYet, exercise, expect, numbers, parts, turned


@exercise("14.1")
def fold(answer: Callable[..., Any]) -> str:
    """``answer(weight, bias, mean, variance, gamma, beta, eps)``: weight and bias of one layer, equation 14.1."""
    one = [np.array([[2.0]]), np.array([1.0]), np.array([3.0]), np.array([4.0]), np.array([6.0]), np.array([5.0])]
    got = parts(answer(*(x.copy() for x in one), 0.0), 2, "two arrays are wanted, a weight and a bias")
    weight, bias = numbers(got[0]), numbers(got[1])
    if np.allclose(weight, 3.0):
        raise NotYet("the weight was divided by the variance; divide by its square root")
    expect(weight, [[6.0]], "weight of one number: 2 * 6 / sqrt(4)")
    if np.allclose(bias, 5 - 9.0):
        raise NotYet("the old bias was lost; the mean is taken from it before scaling")
    if np.allclose(bias, 5 + 3 - 3.0):
        raise NotYet("the mean stands before the scale: beta + scale * (bias - mean)")
    expect(bias, [5 + 3 * (1 - 3.0)], "bias of one number")
    random = np.random.default_rng(14)
    weight, x = random.normal(size=(6, 4)), random.normal(size=(9, 4))
    bias, mean, gamma, beta = random.normal(size=(4, 6))
    variance = random.uniform(0.01, 2, 6)
    new, shift = answer(weight.copy(), bias, mean, variance, gamma, beta, 0.1)
    want = (x @ weight.T + bias - mean) / np.sqrt(variance + 0.1) * gamma + beta
    expect(x @ numbers(new).T + numbers(shift), want, "what the one layer makes of nine inputs, eps = 0.1")
    return "right: one layer, the same answer"


@exercise("14.2")
def activation_range(answer: Callable[..., Any]) -> str:
    """``answer(low, high)``: scale and zero point of 0..255."""
    for low, high in ((-1.0, 1.55), (0.0, 5.1), (-2.55, 0.0), (-3.0, 21.0)):
        got = parts(answer(low, high), 2, "two numbers are wanted, the scale and the zero point")
        scale, zero = numbers(got[0]), numbers(got[1])
        if np.allclose(scale, (high - low) / 256):
            raise NotYet("256 numbers have 255 steps between them")
        expect(scale, (high - low) / 255, f"scale of {low} to {high}")
        if zero.shape == () and not float(zero).is_integer():
            raise NotYet("the zero point is a whole number: round it, or 0 is not met exactly")
        expect(zero, round(-low * 255 / (high - low)), f"zero point of {low} to {high}")
    for low, high, want, why in (
        (1.0, 5.1, (0.02, 0), "the range has to hold 0: begin at 0 where all is above"),
        (-5.1, -1.0, (0.02, 255), "the range has to hold 0: end at 0 where all is below"),
    ):
        scale, zero = answer(low, high)
        if not np.allclose([float(scale), float(zero)], want):
            raise NotYet(f"{low} to {high}: {why}")
    scale, zero = answer(0.0, 0.0)
    if not (np.isfinite(float(scale)) and float(scale) > 0 and float(zero) == 0):
        raise NotYet("a layer that was always 0: any scale above 0 will do, and the zero point is 0")
    return "right: and 0 is met exactly in all of them"


@exercise("14.3")
def channels(answer: Callable[..., Any]) -> str:
    """``answer(weight, bits)``: weights after a round trip, a scale for each channel."""
    weight = np.array([[[1.0, -0.4]], [[0.01, 0.006]]])  # (2, 1, 2)
    got = numbers(answer(weight.copy(), 2))  # whole numbers -1, 0, 1
    if got.shape == weight.shape and np.allclose(got, [[[1, 0]], [[0, 0]]]):
        raise NotYet("the second channel vanished: it has the first one's scale; give each its own")
    expect(got, [[[1, 0]], [[0.01, 0.01]]], "two channels at two bits")
    random = np.random.default_rng(14)
    weight = random.normal(size=(5, 3, 3, 3)) * np.array([1, 10, 0.1, 1e-4, 0]).reshape(5, 1, 1, 1)
    kept = weight.copy()
    for bits in (8, 4):
        largest = 2 ** (bits - 1) - 1
        got = numbers(answer(weight, bits))
        if np.isnan(got).any():
            raise NotYet("a channel of zeros became NaN: it has no scale, and stays 0")
        size = np.abs(weight).reshape(5, -1).max(1).reshape(5, 1, 1, 1)
        steps = size / (largest + 1)
        wrong = np.round(np.divide(weight, steps, where=steps > 0, out=np.zeros_like(weight))) * steps
        if got.shape == weight.shape and np.allclose(got, wrong):
            raise NotYet(f"the largest whole number of {bits} bits with a sign is {largest}, not {largest + 1}")
        scale = np.where(size > 0, size, 1) / largest
        expect(got, np.round(weight / scale) * scale, f"five channels at {bits} bits")
    expect(weight, kept, "`weight` afterwards, which should stay as it was,")
    return "right: and no channel pays for another"


@exercise("14.4")
def felt(answer: Callable[..., Any]) -> str:
    """``answer(a, b, threshold)``: the largest change of a pair's cosine, and the share of pairs that change sides."""

    a, b = turned(0, 30, 90), turned(10, 40, 100)
    got = parts(answer(a.copy(), b.copy(), 0.5), 2, "two numbers are wanted, the largest change and the share")
    if not np.allclose([numbers(got[0]), numbers(got[1])], 0):
        raise NotYet("all three were turned by the same angle: no pair has changed; compare a with a and b with b")
    a, b = turned(0, 30, 90), turned(0, 30, 70)
    got = answer(a, b, 0.7)
    expect(got[0], np.cos(np.radians(70)), "the largest change, one of three turned")
    share = numbers(got[1])
    if np.allclose(share, 1):
        raise NotYet("a share of pairs is wanted, not their number")
    if np.allclose(share, 2 / 9) or np.allclose(share, 1 / 6):
        raise NotYet("every pair counts once, and a crop is no pair with itself")
    expect(share, 1 / 3, "the share that changes sides at 0.7")
    random = np.random.default_rng(14)
    a = random.normal(size=(20, 8))
    b = a + 0.3 * random.normal(size=(20, 8))
    a, b = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (a, b))
    pairs = [(i, j) for i in range(20) for j in range(i)]
    x, y = (np.array([rows[i] @ rows[j] for i, j in pairs]) for rows in (a, b))
    expect(answer(a, b, 0.1), (np.abs(x - y).max(), ((x > 0.1) != (y > 0.1)).mean()), "twenty crops")
    return "right: this is what decides whether a threshold may stay"
