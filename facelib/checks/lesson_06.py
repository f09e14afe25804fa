"""Checks of lesson 06, margins: SphereFace, CosFace, ArcFace."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..margins import ArcFace, CosFace
from . import NotYet, exercise, expect


@exercise("6.1")
def cosface_logits(answer: Callable[[Tensor, Tensor, float, float], Tensor]) -> str:
    """``answer(cosine, labels, s, m)``: (B, C) logits of CosFace."""
    cosine, labels = torch.tensor([[0.5, 0.25, -0.5], [0.0, 0.75, 0.5]]), torch.tensor([0, 2])
    kept = cosine.clone()
    got = answer(cosine, labels, 16.0, 0.25)
    if not torch.equal(cosine, kept):
        raise NotYet("the cosines of the caller were changed; work on a copy, or compute something new")
    if isinstance(got, Tensor) and got.shape == (2, 3):
        if torch.allclose(got, 16 * kept - 0.25):
            raise NotYet("every logit lost the margin, after the scale; only the right class pays, before the scale")
        if torch.allclose(got, 16 * (kept - 0.25)):
            raise NotYet("every class lost the margin, and softmax does not notice that; only the right one pays")
        if torch.allclose(got, 16 * kept - 0.25 * torch.tensor([[1.0, 0, 0], [0, 0, 1]])):
            raise NotYet("the margin was taken off after the scale: it is a difference of cosines")
        if torch.allclose(got, 16 * (kept + 0.25 * torch.tensor([[1.0, 0, 0], [0, 0, 1]]))):
            raise NotYet("the right class was favoured; a margin handicaps it")
    expect(got, [[4, 4, -8], [0, 12, 4]], "two rows of three cosines, labels 0 and 2, s = 16, m = 0.25")
    random = torch.rand(20, 7, generator=torch.Generator().manual_seed(0)) * 2 - 1
    many = torch.arange(20) % 7
    expect(answer(random, many, 64.0, 0.35), CosFace(s=64, m=0.35)(random, many), "twenty random rows", 1e-4)
    return "right, the same as facelib.CosFace: its gradient is that of the plain cosine, only p differs"


@exercise("6.2")
def arcface_linear(answer: Callable[[Tensor, float], Tensor]) -> str:
    """``answer(cosine, m)``: cos(theta + m), continued by cos(theta) - m sin(m)."""
    low = torch.tensor([0.9, 0.3, -0.5], dtype=torch.float64)
    expect(answer(low, 0.5), torch.cos(torch.acos(low) + 0.5), "angles far below 180 degrees", 1e-6)
    high = torch.cos(torch.tensor([160.0, 175.0], dtype=torch.float64).deg2rad())
    got = answer(high, 0.5)
    if isinstance(got, Tensor) and torch.allclose(got, torch.cos(torch.acos(high) + 0.5)):
        raise NotYet("at 160 and 175 degrees the logit rises again: that is the equation without a continuation")
    if isinstance(got, Tensor) and torch.allclose(got, high - 0.5):
        raise NotYet("beyond 180 degrees m was taken off the cosine; it is m sin(m)")
    expect(got, high - 0.5 * math.sin(0.5), "160 and 175 degrees with m = 0.5", 1e-6)
    grid = torch.linspace(-0.999, 0.999, 400, dtype=torch.float64)[:, None]
    for m in (0.0, 0.3, 0.5, 1.0):
        expect(answer(grid, m), ArcFace(m=m).target(grid), f"a grid of cosines, (400, 1), with m = {m}", 1e-6)
    return "right, the same as facelib.ArcFace: it falls everywhere, with one step where theta + m passes pi"


@exercise("6.3")
def closest(answer: Callable[[float, float], float]) -> str:
    """``answer(m2, m3)``: angle between two centres at which their classes have no region left."""
    got = answer(0.5, 0.0)
    if got is not None and got is not ... and np.isclose(float(got), 1.0):
        raise NotYet("two margins are needed for the whole gap, but a region ends when its own centre is lost")
    expect(got, 0.5, "ArcFace with m = 0.5", 1e-6)
    got = answer(0.0, 0.35)
    if np.isclose(float(got), 0.35):
        raise NotYet("CosFace's 0.35 is a difference of cosines, not an angle")
    if np.isclose(float(got), np.degrees(np.arccos(0.65))):
        raise NotYet("right, but in degrees; the exercise asks for radians")
    expect(got, np.arccos(0.65), "CosFace with m = 0.35", 1e-6)
    expect(answer(0.0, 0.0), 0.0, "no margin at all", 1e-6)
    expect(answer(0.3, 0.2), np.arccos(np.cos(0.3) - 0.2), "the combination of 0.3 and 0.2", 1e-6)
    return "right: ArcFace at its m; CosFace with 0.35 at 49 degrees; centres of look-alikes may come closer"


@exercise("6.4")
def steepness(answer: Callable[[Any, float], Any]) -> str:
    """``answer(theta, m)``: -dt/dtheta of SphereFace's t."""
    got = answer(0.2, 4)
    if got is not None and got is not ... and np.isclose(got, np.sin(0.8)):
        raise NotYet("the chain rule gives a factor: the angle is multiplied by m before the cosine")
    if got is not None and got is not ... and np.isclose(got, -4 * np.sin(0.8)):
        raise NotYet("this is the slope; the exercise asks how fast t falls, its negative")
    expect(got, 4 * np.sin(0.8), "theta = 0.2, m = 4, on the first piece", 1e-6)
    got = answer(1.0, 4)
    if np.asarray(got).size == 1 and float(got) < 0:
        raise NotYet("on the second piece your t rises: the flip by (-1)^k is missing")
    expect(got, 4 * abs(np.sin(4.0)), "theta = 1, m = 4, on the second piece", 1e-6)
    expect(answer(np.pi / 2, 4), 0, "90 degrees with m = 4", 1e-6)
    theta = np.linspace(0.01, 3.13, 200)
    for m in (1, 1.35, 3, 4):
        expect(answer(theta, m), m * np.abs(np.sin(m * theta)), f"200 angles in an array, m = {m}", 1e-6)
    return "right: never negative, so t never rises; and 0 at every corner, for m = 4 at 45, 90 and 135 degrees"
