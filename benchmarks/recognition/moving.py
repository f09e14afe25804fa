"""What ``factors.py`` moves, one thing at a time: in the scene, in the person, or in the finished crop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch

NO, CLEAR, DARK = range(3)  # glasses
DEGREE = np.pi / 180


class Factor(NamedTuple):
    """One thing that is moved. ``scene``, ``person`` or ``picture`` says what a level does; the first is reference.

    ``both`` draws A at each level, too, so that genuine pairs can share it.
    """

    meaning: str
    levels: Sequence[Any]
    scene: Callable[[Any], dict[str, Any]] | None = None
    person: str = ""
    picture: Callable[[np.ndarray, Any], np.ndarray] | None = None
    both: bool = False


def lamp(azimuth: float) -> dict[str, Any]:
    """One strong lamp at this angle from the camera, 25 degrees up; little else."""
    directions = [[np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)]
                  for a, e in ((azimuth * DEGREE, 0.44), (-40 * DEGREE, 0.09), (170 * DEGREE, 0.35))]  # fmt: skip
    powers = torch.tensor([1.0, 0.05, 0.0])[:, None].expand(3, 3)
    return {"light_direction": torch.tensor(directions), "light_colour": powers, "ambient": 0.12, "shadow": 0.9}


def shrunk(crop: np.ndarray, side: int) -> np.ndarray:
    small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, crop.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def jpeg(crop: np.ndarray, quality: int) -> np.ndarray:
    data = cv2.imencode(".jpg", crop[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]


def covered(crop: np.ndarray, share: float) -> np.ndarray:
    """Grey over the lower share of the crop; a negative share counts from above."""
    rows, crop = round(abs(share) * len(crop)), crop.copy()
    crop[slice(len(crop) - rows, None) if share > 0 else slice(0, rows)] = 127
    return crop


def blurred(crop: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(crop, (0, 0), sigma) if sigma else crop


FACTORS = {
    "yaw": Factor("the head turned to the right, degrees", (0, 15, 30, 45, 60, 75),
                  lambda x: {"yaw": x * DEGREE}, both=True),
    "pitch": Factor("the head lowered or raised, degrees", (0, -40, -30, -20, -10, 10, 20, 30, 40),
                    lambda x: {"pitch": x * DEGREE}),
    "light": Factor("one lamp, by its angle from the camera, degrees", (0, 30, 60, 90, 120), lamp, both=True),
    "exposure": Factor("light on the sensor, times the right amount", (1, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 2, 4),
                       lambda x: {"exposure": float(x)}),
    "worn": Factor("what is worn", ("nothing", "glasses", "sunglasses", "face mask"),
                   lambda x: {"glasses": {"glasses": CLEAR, "sunglasses": DARK}.get(x, NO),
                              "occluder": 2 * (x == "face mask")}, both=True),
    "age": Factor("the person older, A stays young; 0..1 of the renderer", (0.1, 0.3, 0.5, 0.7, 0.9), person="age"),
    "melanin": Factor("everybody's skin at one tone, in both pictures; 0 (light) to 4 (dark)", (0.5, 1.5, 2.5, 3.5),
                      person="melanin"),
    "blur": Factor("Gaussian blur, pixels of 112", (0, 1, 2, 3, 4, 6), picture=blurred),
    "resolution": Factor("pixels across the crop", (112, 56, 28, 20, 14, 10, 7), picture=shrunk),
    "jpeg": Factor("JPEG quality of the crop", (95, 50, 25, 10, 5, 2), picture=jpeg),
    "covered below": Factor("share of the crop that is grey from below", (0, 0.2, 0.3, 0.4, 0.5, 0.6), picture=covered),
    "covered above": Factor("share of the crop that is grey from above", (0, -0.2, -0.3, -0.4, -0.5, -0.6),
                            picture=covered),
}  # fmt: skip
