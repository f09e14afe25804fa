"""The same picture at many sizes, and any part of it at a fixed size: area resampling from an integral image.

A network that knows faces of 12 pixels finds larger ones in a smaller copy of the picture. Shrinking by the mean
over an area keeps every pixel's share. With the integral image S[y, x] = sum of all pixels above and left of
(x, y), the sum over any rectangle is four look-ups, so a pyramid level or a thousand crops cost as much as they
have output pixels, however large the input. Lesson 01 builds it on a toy of 4 x 4.
"""

from __future__ import annotations

import torch


def pyramid_scales(height: int, width: int, min_face: float = 20, factor: float = 0.709) -> list[float]:
    """Scales at which a face of ``min_face`` pixels and every larger one passes through 12 pixels.

    The first is 12 / min_face, each next one ``factor`` times the last (0.709 is about the square root of 1/2:
    half the area), as long as the shorter side keeps 12 pixels. Lesson 01, eq. 1.5, counts them.
    """
    scale = 12 / min_face
    shorter = min(height, width) * scale
    scales = []
    while shorter >= 12:
        scales.append(scale)
        scale, shorter = scale * factor, shorter * factor
    return scales


def integral_image(image: torch.Tensor) -> torch.Tensor:
    """uint8 (H, W, 3) -> int32 (H + 1, W + 1, 3), with S[y, x] the sum of image[:y, :x]; eq. 1.7.

    A sum may pass 2**31 and wrap; differences of two sums are exact all the same, modulo 2**32.
    """
    sums = image.to(torch.int32).cumsum(0, dtype=torch.int32).cumsum(1, dtype=torch.int32)
    return torch.nn.functional.pad(sums, (0, 0, 1, 0, 1, 0))


def resample(integral: torch.Tensor, boxes: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Every box of the picture as a crop of ``size`` (height, width), all in one call.

    Output pixel i of s averages the input pixels floor(i n / s) to ceil((i + 1) n / s), n being the box's side;
    lesson 02, eq. 2.3.

    Parameters
    ----------
    integral : int32 (H + 1, W + 1, 3)
    boxes : int64 (K, 4)
        x1, y1, x2, y2 within the picture, x2 and y2 excluded, none empty.

    Returns
    -------
    float32 (K, 3, height, width), values 0..255
        Channels last in memory, which convolutions on a CPU like best.
    """
    height, width = size
    y = _bins(boxes[:, 1], boxes[:, 3], height)  # 2, K, height
    x = _bins(boxes[:, 0], boxes[:, 2], width)  # 2, K, width
    corners = y[:, None, :, :, None] * integral.shape[1] + x[None, :, :, None, :]  # 2, 2, K, height, width
    sums = integral.view(-1, 3).index_select(0, corners.flatten()).view(*corners.shape, 3)
    sums = sums[1, 1] - sums[0, 1] - sums[1, 0] + sums[0, 0]  # K, height, width, 3
    areas = (y[1] - y[0])[:, :, None] * (x[1] - x[0])[:, None, :]  # K, height, width
    return (sums / areas[..., None]).permute(0, 3, 1, 2)  # K, 3, height, width


def _bins(start: torch.Tensor, stop: torch.Tensor, count: int) -> torch.Tensor:
    """First and last-plus-one input pixel of each of ``count`` bins over [start, stop): int64 (2, K, count)."""
    i = torch.arange(count, device=start.device)
    length = (stop - start)[:, None]
    first = start[:, None] + i * length // count
    last = start[:, None] - (-(i + 1) * length // count)  # ceiling division
    return torch.stack([first, last])


def normalise(pixels: torch.Tensor) -> torch.Tensor:
    """0..255 -> about [-1, 1], the range the published weights were trained on."""
    return (pixels - 127.5) / 128
