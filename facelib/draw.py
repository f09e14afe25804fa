"""Faces drawn onto the picture itself, for files; figures of the lessons are in ``facelib.plot``."""

from __future__ import annotations

import cv2
import numpy as np

from .faces import Faces

BOX = (0, 158, 115)
LANDMARK = (240, 228, 66)
INK, PAPER = (0, 0, 0), (255, 255, 255)
"""RGB; told apart by colour-blind readers too, and each laid over a darker outline."""


def draw_faces(image: np.ndarray, faces: Faces, scores: bool = True) -> np.ndarray:
    """Boxes, scores and landmarks on a copy of the picture.

    Parameters
    ----------
    image : uint8 (H, W, 3), RGB
    faces : Faces
        In pixels of that picture.
    scores : bool
        Write each score at its box.

    Returns
    -------
    uint8 (H, W, 3), RGB. Lines are about 1/400 of the longer side wide, and never below one pixel.
    """
    drawn = np.ascontiguousarray(image).copy()
    width = max(1, round(max(drawn.shape[:2]) / 400))
    for box, score, landmarks in zip(faces.boxes, faces.scores, faces.landmarks, strict=True):
        x1, y1, x2, y2 = np.rint(box).astype(int).tolist()
        for colour, line in ((INK, width + 2), (BOX, width)):
            cv2.rectangle(drawn, (x1, y1), (x2, y2), colour, line, cv2.LINE_AA)
        for x, y in np.rint(landmarks).astype(int).tolist():
            cv2.circle(drawn, (x, y), width + 2, INK, cv2.FILLED, cv2.LINE_AA)
            cv2.circle(drawn, (x, y), width + 1, LANDMARK, cv2.FILLED, cv2.LINE_AA)
        if scores:
            write_label(drawn, f"{score:.3f}", (x1, y1), width)
    return drawn


def write_label(image: np.ndarray, text: str, corner: tuple[int, int], width: int) -> None:
    """Text on a dark ground above the corner, or below it where the picture ends."""
    scale = 0.35 + 0.15 * width
    (w, h), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, width)
    x = min(max(corner[0], 0), max(image.shape[1] - w, 0))
    y = corner[1] - base - width if corner[1] - h - base - width > 0 else max(corner[1], 0) + h + 2 * width
    cv2.rectangle(image, (x, y - h - width), (x + w, y + base), INK, cv2.FILLED)
    cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, PAPER, width, cv2.LINE_AA)
