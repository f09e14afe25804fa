"""Augmentation: changes that leave the person the same, on whole batches of crops, on any device::

    augment = Augment.preset("mild")
    numbers = augment.draw(batch, generator)                  # on the CPU, for the batch of all processes together
    x = augment(images[rows], numbers[rows])                  # float32 (B, 3, H, W) in -1..1, on the images' device

All randomness is in ``numbers``, of which each sample has a row. So what happens to sample k of a step follows from
the generator's seed and k: devices, processes and the size of the batch change nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from ..errors import FaceLibError
from ..synth.camera import jpeg
from .pixels import along_axes, gaussian, luma, rectangle, smaller_and_back, turn_hue

Range = tuple[float, float]

OPERATIONS = ("flip", "move", "photometric", "grey", "blur", "low_resolution", "jpeg", "crop", "cutout")
"""In the order of their application. The face moves, the light changes, then the camera, the file, and what covers."""

NUMBERS = (*OPERATIONS, "zoom", "turn", "shift_x", "shift_y", "brightness", "contrast", "saturation", "hue", "sigma",
           "side", "quality", "crop_area", "crop_aspect", "crop_x", "crop_y", "cutout_area", "cutout_aspect",
           "cutout_x", "cutout_y")  # fmt: skip
"""What the columns of ``Augment.draw`` decide; always all of them, whatever is switched on."""


@dataclass(frozen=True)
class Augment:
    """Probabilities of the operations and how strong they are; without arguments, nothing but the normalisation.

    Attributes
    ----------
    flip : float
        Probability of mirroring left and right. So are the other eight names of ``OPERATIONS``.
    move : float
        One bilinear resampling: larger by ``zoom`` (smallest and largest factor), turned by up to +-``turn`` radians,
        moved by up to +-``shift`` of the side. Beyond the picture its edge is repeated.
    photometric : float
        Up to +-``brightness``, ``contrast`` and ``saturation`` around the factor 1, in this order, and a hue moved by
        up to +-``hue`` of the colour circle.
    grey : float
        Colours are lost.
    blur : float
        Gaussian, its ``sigma`` from .. to, in pixels.
    low_resolution : float
        Made smaller by averaging and larger again: ``side`` from .. to, as a share of the side before.
    jpeg : float
        ``quality`` from .. to, of 1 to 100, colours at half resolution.
    crop : float
        Only a rectangle of a share ``crop_area`` of the picture stays where it is, the rest is black.
    cutout : float
        A rectangle of a share ``cutout_area`` is covered by middle grey, which is 0 after the normalisation.
    """

    flip: float = 0.0
    move: float = 0.0
    zoom: Range = (1.0, 1.0)
    turn: float = 0.0
    shift: float = 0.0
    photometric: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    grey: float = 0.0
    blur: float = 0.0
    sigma: Range = (0.5, 2.0)
    low_resolution: float = 0.0
    side: Range = (0.2, 1.0)
    jpeg: float = 0.0
    quality: Range = (20.0, 90.0)
    crop: float = 0.0
    crop_area: Range = (0.2, 1.0)
    cutout: float = 0.0
    cutout_area: Range = (0.03, 0.2)

    @classmethod
    def preset(cls, name: str) -> Augment:
        """One of ``PRESETS`` by its name; change single settings with ``dataclasses.replace``."""
        if name not in PRESETS:
            raise FaceLibError(f"no augmentation {name!r}: choose one of {', '.join(PRESETS)}")
        return PRESETS[name]

    def __post_init__(self) -> None:
        for name in (*OPERATIONS, "brightness", "contrast", "saturation"):
            if not 0 <= getattr(self, name) <= 1:
                raise FaceLibError(f"{name}={getattr(self, name)}: expected 0 to 1")
        for name, most in (("turn", math.pi), ("shift", 1.0), ("hue", 0.5)):
            if not 0 <= getattr(self, name) <= most:
                raise FaceLibError(f"{name}={getattr(self, name)}: expected 0 to {most:.4g}")
        for name, least, most in (("zoom", 0.1, 10), ("sigma", 0.05, 50), ("quality", 1, 100)) + tuple(
            (name, 0.01, 1) for name in ("side", "crop_area", "cutout_area")
        ):
            low, high = getattr(self, name)
            if not least <= low <= high <= most:
                raise FaceLibError(f"{name}={(low, high)}: expected two numbers, {least} <= low <= high <= {most}")

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Random numbers of ``count`` samples: float32 (count, len(NUMBERS)) in 0..1, on the CPU.

        Draw them for the batch of all processes together, and give each the rows of its samples. A generator of
        another device is refused: its numbers would differ from a CPU's.
        """
        if generator.device.type != "cpu":
            raise FaceLibError(f"a generator on {generator.device}: the numbers must come from one on the CPU")
        return torch.rand(count, len(NUMBERS), generator=generator)

    @torch.no_grad()
    def __call__(self, images: Tensor, numbers: Tensor) -> Tensor:
        """Crops with what their rows of ``numbers`` say, normalised.

        Parameters
        ----------
        images : (B, 3, H, W)
            RGB, uint8 or floating, 0..255. Left as they are.
        numbers : (B, len(NUMBERS))
            Rows of ``draw``. Leave them on the CPU: it then knows, without waiting for a GPU, who gets what.

        Returns
        -------
        float32 (B, 3, H, W)
            (x - 127.5) / 127.5, in -1..1. A sample that no operation chose is exactly that of its pixels.

        Raises
        ------
        FaceLibError
            Wrong shapes, or, seen on a CPU only, values that are not 0..255.
        """
        _check(images, numbers)
        operations = (self._flip, self._move, self._photometric, self._grey, self._blur, self._low_resolution,
                      self._jpeg, self._crop, self._cutout)  # fmt: skip
        x = images.to(torch.float32, memory_format=torch.contiguous_format, copy=True)
        with torch.autocast(x.device.type, enabled=False):
            for column, (name, operation) in enumerate(zip(OPERATIONS, operations, strict=True)):
                rows = (numbers[:, column] < getattr(self, name)).nonzero()[:, 0]
                if len(rows):
                    own = numbers[rows].to(x.device, torch.float32).T[..., None, None, None]
                    rows = rows.to(x.device)
                    x[rows] = operation(x[rows], dict(zip(NUMBERS, own, strict=True)))
        return x.sub_(127.5).div_(127.5).clamp_(-1, 1)

    # Each takes the chosen samples (B, 3, H, W) in 0..255 and their numbers, name -> (B, 1, 1, 1).

    def _flip(self, x: Tensor, u: dict[str, Tensor]) -> Tensor:
        return x.flip(3)

    def _move(self, x: Tensor, u: dict[str, Tensor]) -> Tensor:
        height, width = x.shape[-2:]
        u = {name: u[name].flatten() for name in ("zoom", "turn", "shift_x", "shift_y")}
        low, high = self.zoom
        zoom, turn = low * (high / low) ** u["zoom"], _around(0, self.turn, u["turn"])
        right, down = (_around(0, 2 * self.shift, u[name]) for name in ("shift_x", "shift_y"))  # the side is 2 long
        # A point of the new picture comes from the old one's at R^-1 (point - shift) / zoom.
        cos, sin = turn.cos() / zoom, turn.sin() / zoom
        across, along = sin * height / width, -sin * width / height
        rows = [[cos, across, -cos * right - across * down], [along, cos, -along * right - cos * down]]
        matrix = torch.stack([torch.stack(row, 1) for row in rows], 1)
        grid = affine_grid(matrix, list(x.shape), align_corners=False)
        return grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)

    def _photometric(self, x: Tensor, u: dict[str, Tensor]) -> Tensor:
        if self.brightness:
            x = (x * _around(1, self.brightness, u["brightness"])).clamp(0, 255)
        if self.contrast:
            mean = luma(x).mean((2, 3), keepdim=True)
            x = (mean + (x - mean) * _around(1, self.contrast, u["contrast"])).clamp(0, 255)
        if self.saturation:
            grey = luma(x)
            x = (grey + (x - grey) * _around(1, self.saturation, u["saturation"])).clamp(0, 255)
        return turn_hue(x, _around(0, self.hue, u["hue"])[:, 0]) if self.hue else x

    def _grey(self, x: Tensor, u: dict[str, Tensor]) -> Tensor:
        return luma(x).expand_as(x)

    def _blur(self, x: Tensor, u: dict[str, Tensor]) -> Tensor:
        sigma = _between(self.sigma, u["sigma"])[:, 0]
        return along_axes(x, *(gaussian(side, sigma) for side in x.shape[-2:]))

    def _low_resolution(self, x: Tensor, u: dict[str, Tensor]) -> Tensor:
        share = _between(self.side, u["side"])[:, 0]
        return along_axes(x, *(smaller_and_back(side, share) for side in x.shape[-2:]))

    def _jpeg(self, x: Tensor, u: dict[str, Tensor]) -> Tensor:
        return jpeg(x.round(), _between(self.quality, u["quality"]).flatten().round())

    def _crop(self, x: Tensor, u: dict[str, Tensor]) -> Tensor:
        return torch.where(self._rectangle(x, "crop", u), x, 0.0)

    def _cutout(self, x: Tensor, u: dict[str, Tensor]) -> Tensor:
        return torch.where(self._rectangle(x, "cutout", u), 127.5, x)

    def _rectangle(self, x: Tensor, name: str, u: dict[str, Tensor]) -> Tensor:
        share = _between(getattr(self, f"{name}_area"), u[f"{name}_area"])
        aspect = (4 / 3) ** _around(0, 1, u[f"{name}_aspect"])
        return rectangle(x, share, aspect, u[f"{name}_x"], u[f"{name}_y"])


PRESETS: dict[str, Augment] = {
    "none": Augment(),
    "flip": Augment(flip=0.5),
    "mild": Augment(
        flip=0.5, move=1.0, zoom=(0.93, 1.07), turn=0.085, shift=0.035, photometric=1.0, brightness=0.2, contrast=0.2
    ),
    "adaface": Augment(
        flip=0.5, crop=0.2, low_resolution=0.2, photometric=0.2, brightness=0.5, contrast=0.5, saturation=0.5
    ),
    "keras": Augment(
        flip=0.5, move=1.0, zoom=(8 / 7, 8 / 7), shift=1 / 14, photometric=1.0, brightness=0.1, contrast=0.1,
        saturation=0.1, hue=0.03, grey=0.5, blur=0.1, sigma=(0.5, 1.0),
    ),
    "strong": Augment(
        flip=0.5, move=1.0, zoom=(0.84, 1.19), turn=0.2, shift=0.06, photometric=0.8, brightness=0.4, contrast=0.4,
        saturation=0.5, hue=0.03, grey=0.1, blur=0.2, low_resolution=0.3, side=(0.2, 0.7), jpeg=0.3, cutout=0.3,
    ),
}  # fmt: skip
"""``adaface`` is that of Kim et al. 2022, three operations with probability 0.2 each, as strong as in their code.
``keras`` follows face_recognition_tf2, a Keras system (a window of 112 pixels anywhere in a crop of 128, weak changes
of colour, every second picture grey); that a tenth is blurred, and how much, is our choice. ``mild`` and ``strong`` are
ours throughout."""


def _check(images: Tensor, numbers: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or numbers.shape != (len(images), len(NUMBERS)):
        shapes = tuple(images.shape), tuple(numbers.shape)
        raise FaceLibError(f"images, numbers: expected (B, 3, H, W) and (B, {len(NUMBERS)}) of draw(), got {shapes}")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise FaceLibError(f"images of {images.dtype}: expected uint8 or floating numbers in 0..255")
    if images.is_floating_point() and images.device.type == "cpu" and images.numel():
        low, high = float(images.min()), float(images.max())
        if not (low >= 0 and high <= 255) or 0 < high <= 1:  # "not" catches NaN too
            raise FaceLibError(f"images from {low:.3g} to {high:.3g}: expected 0..255, before any normalisation")


def _between(ends: Range, u: Tensor) -> Tensor:
    return ends[0] + (ends[1] - ends[0]) * u


def _around(middle: float, reach: float, u: Tensor) -> Tensor:
    return middle + reach * (2 * u - 1)
