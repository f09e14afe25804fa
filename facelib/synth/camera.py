"""From light to a file: exposure, tone curve, lens blur, sensor noise, low resolution and JPEG.

Everything is a tensor operation, JPEG too, so that a GPU never waits for a codec.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, interpolate, pad

from . import noise
from .light import facing_light
from .scene import Scene

BLUR_RADIUS, MOST_BLUR = 4, 24  # reach of the kernel in pixels: for crops of 112, and for any picture
SHARPEST = 0.50  # pixels: no real picture is sharper, after its colour filter was interpolated and it was made smaller
# Quantisation tables of the JPEG standard, annex K, at quality 50.
LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip
CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99), (18, 21, 26, 66, 99, 99, 99, 99), (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99), *(((99,) * 8,) * 4),
)  # fmt: skip


def develop(light: Tensor, scene: Scene, melanin: Tensor) -> Tensor:
    """Linear light (B, 3, H, W) -> display values in 0..1, exposed for the face as a camera would."""
    exposed = 0.33 * facing_light(scene)
    gain = 0.34 / (exposed * torch.exp(-0.27 * (melanin - 0.8)))
    gain = (gain * scene.exposure)[:, None] * scene.white
    x = (light * gain[:, :, None, None] * _falloff(light, scene)).clamp(min=1e-5)
    x = x / (1 + 0.12 * x)  # highlights roll off
    x = torch.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055).clamp(0, 1)
    curve = scene.contrast[:, None, None, None]
    x = x + curve * (x - 0.5) * 4 * x * (1 - x)  # an S: black and white stay
    grey = x.mean(1, keepdim=True)
    colourful = torch.where(scene.monochrome > 0, 0.0, scene.saturation)[:, None, None, None]
    return (grey + (x - grey) * colourful).clamp(0, 1)


def _falloff(light: Tensor, scene: Scene) -> Tensor:
    """Light that the lens loses towards the corners, (B, 1, H, W)."""
    height, width = light.shape[-2:]
    y = torch.linspace(-1, 1, height, device=light.device)[:, None]
    x = torch.linspace(-1, 1, width, device=light.device)
    return 1 - 0.5 * scene.vignette[:, None, None, None] * (x**2 + y**2)


def photograph(picture: Tensor, scene: Scene, scale: Tensor) -> Tensor:
    """Display values (B, 3, S, S) in 0..1 -> uint8 (B, S, S, 3), with the faults of a real camera and its file.

    scale (B,): how many times larger a face is than in a crop of 112 pixels; blur grows with it.
    """
    size = picture.shape[-1]
    x = _blur(picture, scene, scale)
    x = _lower(x, scene.detail)
    row = torch.arange(size, device=x.device) / noise.SIZE
    u = (row[None, None, :] + scene.grain[:, 0, None, None]).expand(len(x), size, size)
    v = (row[None, :, None] + scene.grain[:, 1, None, None]).expand(len(x), size, size)
    shades = [
        noise.sample(noise.GRAIN, (u + k * 0.37).flatten(), (v + k * 0.61).flatten()).view_as(u) for k in range(3)
    ]
    x = x + scene.noise[:, None, None, None] * torch.stack(shades, 1)
    return jpeg((x.clamp(0, 1) * 255).round(), scene.quality).permute(0, 2, 3, 1).to(torch.uint8)


def _blur(x: Tensor, scene: Scene, scale: Tensor) -> Tensor:
    """Gaussian lens blur and straight motion blur; both in pixels of a crop of 112."""
    batch, _, height, width = x.shape
    radius = min(MOST_BLUR, max(BLUR_RADIUS, BLUR_RADIUS * width // 112))  # the same for every picture of this size
    steps = torch.arange(-radius, radius + 1, device=x.device)
    for axis in (0, 1):
        spread = ((scene.blur**2 + scene.motion[:, axis] ** 2).sqrt() * scale).clamp(min=SHARPEST)
        kernel = torch.exp(-(steps**2) / (2 * spread[:, None] ** 2))
        kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(3, 0)
        shape = (1, 2 * radius + 1) if axis == 0 else (2 * radius + 1, 1)
        edge = (radius, radius, 0, 0) if axis == 0 else (0, 0, radius, radius)
        flat = pad(x.reshape(1, -1, height, width), edge, mode="replicate")
        x = conv2d(flat, kernel.view(3 * batch, 1, *shape), groups=3 * batch).view(batch, 3, height, width)
    return x


def _lower(x: Tensor, detail: Tensor) -> Tensor:
    """Pictures that were once smaller: shrunk and enlarged again, in three steps of size."""
    size = x.shape[-1]
    for share in (0.35, 0.5, 0.7):
        which = ((detail < share + 0.15) & (detail >= share)).nonzero().squeeze(1)
        if len(which):
            small = interpolate(x[which], size=(int(size * share),) * 2, mode="area")
            x = x.index_copy(0, which, interpolate(small, size=(size, size), mode="bilinear", align_corners=False))
    return x


def jpeg(x: Tensor, quality: Tensor) -> Tensor:
    """What JPEG does to pictures: (B, 3, H, W) in 0..255 in and out, rounded; quality (B,) from 1 to 100.

    Colours at half resolution, 8 x 8 cosine transforms, coefficients rounded to multiples of the table's entries.
    The lossless rest of the codec changes nothing, so it is left out.
    """
    height, width = x.shape[-2:]
    x = pad(x, (0, -width % 16, 0, -height % 16), mode="replicate")
    red, green, blue = x.unbind(1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    chroma = torch.stack([(blue - luma) * 0.564, (red - luma) * 0.713], 1)
    factor = torch.where(quality < 50, 50 / quality.clamp(min=1), 2 - quality / 50)[:, None, None]
    tables = [(x.new_tensor(t) * factor).round().clamp(1, 255) for t in (LUMINANCE, CHROMINANCE)]
    luma = _quantise(luma[:, None] - 128, tables[0])[:, 0] + 128
    chroma = interpolate(_quantise(avg_pool2d(chroma, 2), tables[1]), scale_factor=2, mode="nearest")
    b, r = chroma.unbind(1)
    colour = torch.stack([luma + 1.402 * r, luma - 0.344 * b - 0.714 * r, luma + 1.772 * b], 1)
    return colour[..., :height, :width].round().clamp(0, 255)


def _quantise(x: Tensor, table: Tensor) -> Tensor:
    """Round the cosine coefficients of each 8 x 8 block of (B, C, H, W) to multiples of the table (B, 8, 8)."""
    n = torch.arange(8, device=x.device, dtype=x.dtype)
    basis = torch.cos((2 * n + 1) * n[:, None] * (torch.pi / 16)) / 2
    basis = torch.cat([basis[:1] * 0.5**0.5, basis[1:]])
    batch, channels, height, width = x.shape
    blocks = x.view(batch, channels, height // 8, 8, width // 8, 8).permute(0, 1, 2, 4, 3, 5)
    step = table[:, None, None, None]
    coded = ((basis @ blocks @ basis.T) / step).round() * step
    return (basis.T @ coded @ basis).permute(0, 1, 2, 4, 3, 5).reshape(x.shape)
