"""Checks of lesson 02, the cascade."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from .. import samples
from ..detect import MTCNN
from ..detect.boxes import overlap_min, square
from . import NotYet, exercise, expect


@exercise("2.1")
def cost_ratio(answer: Callable[..., float]) -> str:
    """``answer(windows, to_rnet, to_onet, c_p, c_r, c_o)``: the cascade's cost over that of O-Net everywhere."""
    got = answer(1000, 10, 1, 1, 30, 300)
    want = (1000 * 1 + 10 * 30 + 1 * 300) / (1000 * 300)
    if got is not None and got is not ... and np.isclose(got, 1 / want):
        raise NotYet("this is O-Net everywhere over the cascade; the exercise asks for the inverse")
    if got is not None and got is not ... and np.isclose(got, (990 * 1 + 10 * 30 + 1 * 300) / (1000 * 300)):
        raise NotYet("the windows that go on to R-Net have paid for P-Net, too")
    expect(got, want, "1000 windows, 10 to R-Net, 1 to O-Net, costs 1, 30, 300", 1e-9)
    expect(answer(50, 50, 50, 1, 30, 300), 331 / 300, "50 windows that all go through all three networks", 1e-9)
    expect(answer(40000, 150, 9, 5, 1500, 12900), 541100 / 516e6, "40000 windows, 150 and 9 go on", 1e-9)
    return "right: if every window went on, the cascade would cost more than O-Net alone; it lives on rejecting"


@exercise("2.2")
def make_square(answer: Callable[[np.ndarray], Any]) -> str:
    """``answer(boxes)``: boxes (K, 4) with the shorter side grown about the centre."""
    tall = np.array([[10.0, 20, 30, 60]])
    got = answer(tall.copy())
    if isinstance(got, np.ndarray) and got.shape == (1, 4):
        width, height = got[0, 2:] - got[0, :2]
        if width != height:
            raise NotYet(f"a box of 20 x 40 became {width:g} x {height:g}, which is not square")
        if width != 40:
            raise NotYet(f"a box of 20 x 40 should grow to 40 x 40; yours has the side {width:g}")
        if not np.allclose((got[0, 2:] + got[0, :2]) / 2, (20, 40)):
            raise NotYet("the side is right, but the centre has moved")
    expect(got, [[0, 20, 40, 60]], "a tall box")
    expect(answer(np.array([[0.0, 0, 50, 10]])), [[0, -20, 50, 30]], "a wide box (corners may become negative)")
    boxes = np.random.default_rng(2).uniform(-50, 50, (20, 4))
    boxes[:, 2:] = boxes[:, :2] + np.abs(boxes[:, 2:])
    kept = boxes.copy()
    expect(answer(boxes), square(torch.tensor(kept)).numpy(), "twenty random boxes")
    expect(boxes, kept, "the input, which should stay as it was,")
    return "right: the same as facelib.detect.boxes.square, and a square box comes back unchanged"


@exercise("2.3")
def iom(answer: Callable[[Any, Any], float]) -> str:
    """``answer(a, b)``: the intersection of two boxes over the smaller area, end pixels included."""
    inner, outer = (20, 20, 29, 29), (0, 0, 99, 99)
    got = answer(inner, outer)
    if got is not None and got is not ... and np.isclose(got, 0.01):
        raise NotYet("a box of 10 x 10 inside one of 100 x 100 gives 0.01, the ratio to the larger area or the union")
    expect(got, 1, "a box inside another", 1e-9)
    expect(answer(outer, inner), 1, "the same with the arguments exchanged", 1e-9)
    got = answer((0, 0, 9, 9), (5, 0, 14, 9))
    if got is not None and np.isclose(got, 4 / 9):
        raise NotYet("two boxes of 10 x 10 that share 5 columns give 0.444: the sides lack their last pixel (+ 1)")
    expect(got, 0.5, "two boxes of 10 x 10 pixels that share 5 columns", 1e-9)
    got = answer((0, 0, 9, 9), (50, 50, 59, 59))
    if got is not None and got > 0:
        raise NotYet("boxes that are apart in x and in y give more than 0: two negative sides were multiplied")
    expect(got, 0, "boxes that are apart in x and in y", 1e-9)
    expect(answer((0, 0, 9, 9), (50, 0, 59, 9)), 0, "boxes that are apart in x only", 1e-9)
    corners = np.random.default_rng(3).integers(0, 60, (30, 2, 2))
    boxes = torch.tensor(np.concatenate([corners[:, 0], corners[:, 0] + corners[:, 1] + 1], axis=1)).float()
    want = overlap_min(boxes, boxes)
    got_all = [[float(answer(a, b)) for b in boxes.tolist()] for a in boxes.tolist()]
    expect(got_all, want.numpy(), "thirty random boxes, each with each", 1e-5)
    return "right: never below the IoU, and equal to it only for boxes that are equal or do not touch"


@exercise("2.4")
def quarter_turns(answer: Callable[[np.ndarray, MTCNN], int]) -> str:
    """``answer(picture, detector)``: how many quarter turns bring the picture upright."""
    detector = MTCNN(min_face=40)
    cases = [("the astronaut", samples.astronaut()[:300, 80:380], turns) for turns in range(4)]
    # Some of these portraits are found on their side or upside down as well, with a lower score.
    cases += [(f"portrait {name}", samples.picture(name), turns) for name in ("p2a", "p6a") for turns in range(4)]
    for name, picture, turns in cases:
        got = answer(np.ascontiguousarray(np.rot90(picture, turns)), detector)
        expect(got, -turns % 4, f"{name}, turned by {turns} quarter turns: turns back")
    return "right, for three people in four positions: the best score tells, where merely finding a face would not"
