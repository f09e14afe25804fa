"""Checks of lesson 01, detection by sliding a tiny network."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torchvision.ops import box_iou

from ..detect.pyramid import pyramid_scales
from . import NotYet, exercise, expect


@exercise("1.1")
def output_size(answer: Callable[[int], int]) -> str:
    """``answer(side)`` is the side of P-Net's output for a level of ``side`` pixels, 12 or more."""
    expect(answer(12), 1, "side 12, a single window")
    expect(answer(14), 2, "side 14, two pixels further")
    for side in range(12, 60, 2):
        expect(answer(side), side // 2 - 5, f"side {side}, even")
    for side in range(13, 60, 2):
        got = answer(side)
        if got == (side - 1) // 2 - 5:
            raise NotYet(
                f"side {side}, odd: {got} is right for windows that lie inside; pooling in ceil mode adds one more"
            )
        expect(got, (side + 1) // 2 - 5, f"side {side}, odd")
    return "right for even and odd sides: an odd level has one window more, and that one sees only 11 pixels"


@exercise("1.2")
def count_levels(answer: Callable[[int, int, float, float], int]) -> str:
    """``answer(height, width, min_face, factor)`` is the number of pyramid levels."""
    cases = [(720, 1280, 20, 0.709), (512, 512, 40, 0.709), (300, 200, 20, 0.5), (1080, 1920, 15, 0.8)]
    for case in [*cases, (90, 33, 30, 0.709), (480, 640, 24, 0.9)]:
        expect(answer(*case), len(pyramid_scales(*case)), f"height, width, min_face, factor = {case}")
    expect(answer(30, 100, 31, 0.709), 0, "a picture lower than min_face, which cannot hold such a face,")
    return "right: levels grow with the logarithm of the picture, so twice the side costs two levels, not twice as many"


@exercise("1.3")
def iou_matrix(answer: Callable[[torch.Tensor, torch.Tensor], Any]) -> str:
    """``answer(a, b)`` is the IoU of every box of a (N, 4) with every box of b (M, 4): (N, M)."""
    a = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10]])
    b = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5], [20, 20, 30, 30]])
    expect(answer(a, b), [[1, 0.5, 0], [1 / 3, 0.2, 0]], "three simple boxes", 1e-5)
    apart = torch.tensor([[20.0, 20, 30, 30]])
    expect(answer(a[:1], apart), [[0]], "boxes apart in x and in y (two negative sides make a positive area)", 1e-5)
    generator = torch.Generator().manual_seed(1)
    corner = 50 * torch.rand(40, 2, generator=generator)
    boxes = torch.cat([corner, corner + 1 + 40 * torch.rand(40, 2, generator=generator)], 1)
    expect(answer(boxes[:25], boxes[25:]), box_iou(boxes[:25], boxes[25:]), "40 random boxes, 25 against 15", 1e-5)
    return "right: (N, 1, 2) against (1, M, 2) broadcasts to every pair, which is how NMS and evaluation compare boxes"


@exercise("1.4")
def where_to_look(answer: Callable[[Any, Any], Any]) -> str:
    """``answer(box, scales)`` is (level, i, j): the window closest to a face's box in size, then in place."""
    scales = pyramid_scales(720, 1280, 20)
    for level, i, j in ((0, 0, 0), (3, 7, 12), (6, 2, 30), (10, 0, 1)):
        corner = 2 * np.array([j, i]) / scales[level]
        box = np.concatenate([corner, corner + 12 / scales[level]])
        expect(answer(box, scales), (level, i, j), f"the exact window of level {level}, cell ({i}, {j})")
        moved = box + 0.8 / scales[level] * np.array([1, -1, 1, -1])
        expect(answer(moved, scales), (level, i, j), f"that window moved by 0.8 pixels of level {level}")
    between = 12 / scales[0] / math.sqrt(0.709)  # as far from level 0 as from level 1, by ratio
    box = np.array([100, 100, 100 + between + 0.1, 100 + between + 0.1])
    chosen = np.asarray(answer(box, scales))[:1]
    expect(chosen, [1], "a box between two levels, of which the closer by ratio counts: the level")
    tall = np.array([200.0, 100.0, 230.0, 160.0])  # side sqrt(30 * 60), about 42
    expect(answer(tall, scales), _nearest(tall, scales), "a box twice as high as wide")
    return "right: with a factor of 0.709 no face is further than a factor of 1.19 in size from some level's window"


def _nearest(box: np.ndarray, scales: list[float]) -> tuple[int, int, int]:
    side = math.sqrt((box[2] - box[0]) * (box[3] - box[1]))
    level = int(np.argmin([abs(math.log(side * scale / 12)) for scale in scales]))
    x, y = (box[:2] + box[2:]) / 2 * scales[level]
    return level, round((y - 6) / 2), round((x - 6) / 2)
