"""What a detector returns: boxes, scores and landmarks of one picture, kept together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import FaceLibError

LANDMARK_NAMES = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")
"""Left and right as seen in the picture."""


@dataclass(frozen=True, eq=False)
class Faces:
    """The N faces of one picture, best score first. N may be 0.

    Indexing with a slice, a mask or an array of indices gives Faces; with an integer, Faces of length 1.

    Attributes
    ----------
    boxes : float32 (N, 4)
        x1, y1, x2, y2 in pixels of the original picture. May reach beyond its edges.
    scores : float32 (N,)
        The last network's probability that this is a face.
    landmarks : float32 (N, 5, 2)
        (x, y) in pixels, in the order of ``LANDMARK_NAMES``.

    Raises
    ------
    FaceLibError
        When the three have other shapes than these.
    """

    boxes: np.ndarray
    scores: np.ndarray
    landmarks: np.ndarray

    def __post_init__(self) -> None:
        count = np.shape(self.scores)[:1] or (1,)
        for name, tail in (("boxes", (4,)), ("scores", ()), ("landmarks", (5, 2))):
            value = np.asarray(getattr(self, name), dtype=np.float32)
            object.__setattr__(self, name, value)
            if value.shape != (*count, *tail):
                want = ", ".join(["N", *map(str, tail)])
                raise FaceLibError(f"Faces.{name}: expected shape ({want}), got {value.shape}")

    @classmethod
    def empty(cls) -> Faces:
        """No faces: a picture of a wall."""
        return cls(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2)))

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: Any) -> Faces:
        if isinstance(index, (int, np.integer)):
            index = [index]  # an IndexError beyond the end also ends iteration
        return Faces(self.boxes[index], self.scores[index], self.landmarks[index])

    def __iter__(self) -> Iterator[Faces]:
        return (self[i] for i in range(len(self)))

    @property
    def sizes(self) -> np.ndarray:
        """float32 (N,): geometric mean of width and height, in pixels."""
        width_height = np.maximum(self.boxes[:, 2:] - self.boxes[:, :2], 0)
        return np.sqrt(width_height.prod(axis=1))

    @property
    def eye_distances(self) -> np.ndarray:
        """float32 (N,): distance between the two eye landmarks, in pixels."""
        return np.linalg.norm(self.landmarks[:, 1] - self.landmarks[:, 0], axis=1)

    def largest(self) -> Faces:
        """The one face with the largest box, or no face where there is none."""
        return self[[int(self.sizes.argmax())]] if len(self) else self

    def to_dicts(self) -> list[dict[str, Any]]:
        """One JSON-ready dictionary a face; pixels rounded to 0.01."""
        return [
            {
                "box": np.round(box.astype(float), 2).tolist(),
                "score": round(float(score), 6),
                "landmarks": np.round(points.astype(float), 2).tolist(),
            }
            for box, score, points in zip(self.boxes, self.scores, self.landmarks, strict=True)
        ]
