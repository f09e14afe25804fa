"""Place: five landmarks -> a similarity transform -> a crop in which eyes, nose and mouth always stand alike."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike

from .errors import FaceLibError, LandmarkError
from .faces import Faces
from .image import ImageSource, load_image

TEMPLATE_112 = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
"""float64 (5, 2): where ArcFace expects left eye, right eye, nose and mouth corners (x, y) in 112 x 112 pixels."""
TEMPLATE_112.flags.writeable = False


def estimate_similarity(landmarks: ArrayLike, template: ArrayLike = TEMPLATE_112, size: int = 112) -> np.ndarray:
    """Similarity transform (scale, rotation, shift; no reflection) that best takes landmarks to the template.

    Minimises sum_k |s R p_k + t - q_k|^2 over s >= 0, rotation R and shift t (Umeyama 1991, eq. 40-42, for a
    proper rotation). In the plane a similarity is z -> a z + b in complex numbers, an ordinary least-squares
    problem: with centred points p, q, a = sum(conj(p) q) / sum(|p|^2). A reflection cannot be written that way,
    so none can come out. Lesson 04 derives both forms.

    Parameters
    ----------
    landmarks : (..., K, 2)
        Points (x, y) in pixels, K >= 2; any number of leading dimensions.
    template : (K, 2) or (..., K, 2)
        Where they should go, for a crop of 112 pixels.
    size : int
        Side of the crop: the template is multiplied by size / 112.

    Returns
    -------
    float64 (..., 2, 3)
        Matrices M with [x', y'] = M @ [x, y, 1].

    Raises
    ------
    LandmarkError
        When points are not finite, fewer than two, all in one place, or so arranged that no scale above 0 fits.
    """
    source, target = np.broadcast_arrays(_points(landmarks, "landmarks"), _points(template, "template"))
    p, q = _complex(source), _complex(target * (size / 112))
    p_mean, q_mean = p.mean(-1, keepdims=True), q.mean(-1, keepdims=True)
    p, q = p - p_mean, q - q_mean
    variance = (abs(p) ** 2).sum(-1)
    covariance = (p.conj() * q).sum(-1)
    spread = abs(p_mean[..., 0]) + 1  # what rounding in float32 pixels can fake scales with the position
    # Equal points, or mirrored ones, for which every rotation fits equally badly.
    bad = (variance <= (1e-6 * spread) ** 2) | (abs(covariance) <= 1e-9 * np.sqrt(variance * (abs(q) ** 2).sum(-1)))
    if bad.any():
        raise LandmarkError(
            f"landmarks {_where(bad)}: all in one point, or so mirrored that no rotation brings them to the template;"
            " check the detection that made them"
        )
    a = covariance / variance
    b = q_mean[..., 0] - a * p_mean[..., 0]
    return np.stack([np.stack([a.real, -a.imag, b.real], -1), np.stack([a.imag, a.real, b.imag], -1)], -2)


def align(image: ImageSource, landmarks: ArrayLike, size: int = 112) -> np.ndarray:
    """Crops in which the landmarks stand where the template wants them.

    Bilinear, black beyond the picture's edge. Pixel (2 i, 2 j) of a crop of 224 is pixel (i, j) of the crop of 112.

    Parameters
    ----------
    image : (H, W, 3) uint8 RGB, or whatever ``load_image`` reads
    landmarks : (N, 5, 2), or (5, 2) for one face
        In pixels of the picture, in the template's order.
    size : int
        Side of the crops in pixels.

    Returns
    -------
    uint8 (N, size, size, 3), or (size, size, 3) for one face

    Raises
    ------
    LandmarkError
        See ``estimate_similarity``.
    ImageError
        See ``load_image``.
    FaceLibError
        When ``size`` is no whole number of pixels.
    """
    if not isinstance(size, (int, np.integer)) or size < 1:
        raise FaceLibError(f"size={size!r}: the side of the crop is a whole number of pixels, at least 1")
    points = _points(landmarks, "landmarks")
    if points.ndim not in (2, 3) or points.shape[-2] != 5:
        raise LandmarkError(f"landmarks: expected shape (N, 5, 2) or (5, 2), got {points.shape}")
    picture = load_image(image)
    if points.ndim == 3 and len(points) == 0:
        return np.zeros((0, size, size, 3), np.uint8)
    matrices = estimate_similarity(points, size=size)
    crops = [warp(picture, matrix, size) for matrix in matrices.reshape(-1, 2, 3)]
    return np.stack(crops) if points.ndim == 3 else crops[0]


def warp(image: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """One bilinear warp: uint8 (H, W, 3) and a (2, 3) matrix from picture to crop -> uint8 (size, size, 3)."""
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderValue=0)


def _points(values: ArrayLike, name: str) -> np.ndarray:
    if isinstance(values, Faces):
        raise LandmarkError(f"{name}: got Faces; pass faces.landmarks")
    try:
        points = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise LandmarkError(f"{name}: are no array of numbers ({error}); pass the landmarks of Faces") from error
    if points.ndim < 2 or points.shape[-1] != 2 or points.shape[-2] < 2:
        raise LandmarkError(f"{name}: expected shape (..., K, 2) with K >= 2, got {points.shape}")
    if not np.isfinite(points).all():
        raise LandmarkError(f"{name}: contain NaN or infinity; the detection that made them failed")
    return points


def _complex(points: np.ndarray) -> np.ndarray:
    return points[..., 0] + 1j * points[..., 1]


def _where(bad: np.ndarray) -> str:
    return "" if bad.ndim == 0 else f"of face {', '.join(map(str, np.flatnonzero(bad)[:5]))}"
