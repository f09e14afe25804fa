"""One description of what a network wants to see, kept with its weights wherever they go."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import cv2
import numpy as np

from .errors import FaceLibError, ImageError

LARGEST = 4096  # pixels; no network for faces wants more, and a damaged file may ask for anything
NUMBER = (int, float, np.integer, np.floating)


@dataclass(frozen=True)
class Preprocess:
    """RGB uint8 crops -> normalised float tensors: y = (x / 255 - mean) / std for every colour.

    Attributes
    ----------
    size : int
        Side of the input in pixels; crops of another size are resized.
    colour : "RGB" or "BGR"
        Order of the channels the network was trained with.
    mean, std : three floats each
        In the network's colour order; one number counts for all three. The default, 0.5 and 0.5, maps 0..255 to
        [-1, 1].
    template, detector : str
        How the training crops were made, so that yours can be made alike.

    Raises
    ------
    FaceLibError
        For a size that is not from 1 to 4096, another order of colours, a mean or std that is not three finite
        numbers, and a std that is not above 0.
    """

    size: int = 112
    colour: str = "RGB"
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    template: str = "arcface-112"
    detector: str = "mtcnn"

    def __post_init__(self) -> None:
        if not isinstance(self.size, (int, np.integer)) or not 1 <= self.size <= LARGEST:
            raise FaceLibError(f"size {self.size!r}: expected pixels from 1 to {LARGEST}")
        if self.colour not in ("RGB", "BGR"):
            raise FaceLibError(f'colour {self.colour!r}: expected "RGB" or "BGR"')
        limits = np.finfo(np.float32)
        for name, least, kind in (
            ("mean", limits.min, "finite numbers"),
            ("std", limits.tiny, "finite numbers above 0"),
        ):
            given = getattr(self, name)
            values = tuple(given) if isinstance(given, (tuple, list, np.ndarray)) else (given,)
            values = values * 3 if len(values) == 1 else values
            known = all(isinstance(v, NUMBER) and float(least) <= v <= float(limits.max) for v in values)
            if len(values) != 3 or not known:
                raise FaceLibError(f"{name} {given!r}: expected three {kind}")
            object.__setattr__(self, name, tuple(float(v) for v in values))

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """uint8 (N, H, W, 3) -> float32 (N, 3, size, size)."""
        crops = np.asarray(crops)
        if crops.ndim != 4 or crops.shape[3] != 3 or crops.dtype != np.uint8:
            raise ImageError(
                f"crops: expected uint8 (N, H, W, 3), got {crops.dtype} {crops.shape}; facelib.align makes them"
            )
        if crops.shape[1:3] != (self.size, self.size):
            resized = [cv2.resize(crop, (self.size, self.size), interpolation=cv2.INTER_AREA) for crop in crops]
            crops = np.array(resized, np.uint8).reshape(-1, self.size, self.size, 3)
        if self.colour == "BGR":
            crops = crops[..., ::-1]
        scaled = (crops.astype(np.float32) / 255 - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))

    def to_dict(self) -> dict[str, Any]:
        """For JSON and checkpoint metadata; ``Preprocess.from_dict`` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Preprocess:
        """What ``to_dict`` gave, also after JSON has made lists of its tuples.

        Raises
        ------
        FaceLibError
            For anything else.
        """
        known = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or not values.keys() <= known:
            raise FaceLibError(f"preprocess {values!r}: expected no other names than {', '.join(sorted(known))}")
        own: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**own)


IMAGENET = Preprocess(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
"""What many published networks use: RGB with the ImageNet mean and deviation."""
