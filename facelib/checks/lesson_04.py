"""Checks of lesson 04, alignment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..alignment import TEMPLATE_112, estimate_similarity
from . import NotYet, exercise, expect

TURNED = np.array([(205.0, 102.0), (247.0, 104.0), (238.0, 129.0), (202.0, 139.0), (245.0, 142.0)])
"""A face whose nose points to the right, in pixels of a picture."""


def _similarity(scale: float, angle: float, shift: tuple[float, float]) -> np.ndarray:
    a = scale * np.exp(1j * angle)
    return np.array([[a.real, -a.imag, shift[0]], [a.imag, a.real, shift[1]]])


@exercise("4.1")
def worst_landmark(answer: Callable[[np.ndarray, np.ndarray], Any]) -> str:
    """Check a function (matrix, points) -> (index of the landmark that fits worst, its distance in crop pixels)."""
    for shifted in (2, 0, 4):
        points = TEMPLATE_112.copy()
        points[shifted] += (3, 4)
        got = answer(np.eye(2, 3), points)
        expect(got, (shifted, 5), f"identity matrix, landmark {shifted} moved by (3, 4)")
    matrix = estimate_similarity(TURNED)
    distances = np.linalg.norm(TURNED @ matrix[:, :2].T + matrix[:, 2] - TEMPLATE_112, axis=1)
    got = answer(matrix, TURNED)
    if np.allclose(got, (2, np.linalg.norm(TURNED - TEMPLATE_112, axis=1)[2])):
        raise NotYet("that is the distance before the transform; bring the points into the crop first")
    expect(got, (2, distances[2]), "a face turned to the right")
    return "the nose sticks out of the face, so turning the head moves it most; no map of the plane can undo that."


@exercise("4.2")
def scale_and_roll(answer: Callable[[np.ndarray], Any]) -> str:
    """Check a function (matrix) -> (scale, roll of the face in radians, > 0 clockwise on the screen)."""
    for scale, roll in ((2.0, 0.0), (1.0, 0.3), (0.8, -0.5), (0.25, 2.0)):
        got = answer(_similarity(scale, -roll, (7, -3)))
        where = f"scale {scale}, roll {roll}"
        if roll and np.allclose(got, (scale, -roll)):
            raise NotYet(f"{where}: right but for the sign: the transform has to undo the roll of the face")
        if roll and np.allclose(got, (scale, np.degrees(roll))):
            raise NotYet(f"{where}: angles are in radians here")
        expect(got, (scale, roll), where)
    return (
        "the scale and the roll of every face come free with its alignment: two cheap quality measures of a data set."
    )


@exercise("4.3")
def to_picture(answer: Callable[[np.ndarray, np.ndarray], Any]) -> str:
    """Check a function (matrix, points in the crop) -> points in the picture."""
    shift = np.eye(2, 3)
    shift[:, 2] = (10, -20)
    expect(answer(shift, TEMPLATE_112), TEMPLATE_112 - (10, -20), "a transform that only shifts", 1e-6)
    matrix = _similarity(0.5, 0.4, (-30, 12))
    inside = TURNED @ matrix[:, :2].T + matrix[:, 2]
    got = answer(matrix, inside)
    forgotten = inside @ np.linalg.inv(matrix[:, :2]).T - matrix[:, 2]
    if np.shape(got) == TURNED.shape and np.allclose(got, forgotten):
        raise NotYet("scale and rotation are undone, but the shift was the last step, so it has to be undone first")
    expect(got, TURNED, "there and back again", 1e-6)
    corners = np.array([(0.0, 0.0), (111.0, 0.0)])
    expect(answer(matrix, corners) @ matrix[:, :2].T + matrix[:, 2], corners, "two points instead of five", 1e-6)
    return "with it a landmark, a mask or the crop's outline found in the crop can be drawn into the photo."


@exercise("4.4")
def weighted_similarity(answer: Callable[[np.ndarray, np.ndarray, np.ndarray], Any]) -> str:
    """Check a function (source, target, weights) -> matrix (2, 3) of the weighted least-squares similarity."""
    plain = estimate_similarity(TURNED)
    expect(answer(TURNED, TEMPLATE_112, np.ones(5)), plain, "all weights 1", 1e-6)
    expect(answer(TURNED, TEMPLATE_112, np.full(5, 7.0)), plain, "all weights 7", 1e-6)
    rest = [0, 1, 3, 4]
    without = estimate_similarity(TURNED[rest], TEMPLATE_112[rest])
    got = answer(TURNED, TEMPLATE_112, np.array([1.0, 1, 0, 1, 1]))
    expect(got, without, "weight 0 for the nose is as if it were not there (weigh the means too)", 1e-6)
    twice = [0, 0, 1, 1, 2, 3, 4]
    doubled = estimate_similarity(TURNED[twice], TEMPLATE_112[twice])
    expect(
        answer(TURNED, TEMPLATE_112, np.array([2.0, 2, 1, 1, 1])),
        doubled,
        "weight 2 is as if the point came twice",
        1e-6,
    )
    return "weights let you trust the eyes more than a nose that leaves the plane, or drop a landmark that is hidden."
