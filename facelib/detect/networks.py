"""The three networks of MTCNN (Zhang et al. 2016, figure 2), written to be read next to the figure.

Lesson 01 slides P-Net over a picture; lesson 02 reads R-Net and O-Net layer by layer.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from ..errors import WeightsError

Network = TypeVar("Network", "PNet", "RNet", "ONet")


def _conv(channels_in: int, channels_out: int, size: int) -> list[nn.Module]:
    return [nn.Conv2d(channels_in, channels_out, size), nn.PReLU(channels_out)]


def _pool(size: int) -> nn.MaxPool2d:
    return nn.MaxPool2d(size, stride=2, ceil_mode=True)  # the published weights count a last, partial window


def _flatten(x: torch.Tensor) -> torch.Tensor:
    # Width, height, channels: the original exchanged height and width, the conversion to Python put channels last.
    return x.permute(0, 3, 2, 1).flatten(1)  # equation 2.4


class PNet(nn.Module):
    """Proposal network: is there a face in this 12 x 12 window, and where exactly? 6,632 weights.

    Fully convolutional: on a larger picture it answers for every window at a stride of 2 pixels.

    ``forward(x)``: float (N, 3, H, W) in [-1, 1] -> probability (N, H', W'), offsets (N, 4, H', W'),
    with H' = ceil((H - 2) / 2) - 4, so 1 for H = 12. Offsets are (dx1, dy1, dx2, dy2) in units of the window's side.
    """

    size = 12
    stride = 2

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(*_conv(3, 10, 3), _pool(2), *_conv(10, 16, 3), *_conv(16, 32, 3))
        self.face = nn.Conv2d(32, 2, 1)
        self.box = nn.Conv2d(32, 4, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.features(x)  # N, 32, H', W'
        return self.face(x).softmax(1)[:, 1], self.box(x)


class RNet(nn.Module):
    """Refinement network: looks again at every proposal, at 24 x 24. 100,178 weights.

    ``forward(x)``: float (N, 3, 24, 24) -> probability (N,), offsets (N, 4).
    """

    size = 24

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(*_conv(3, 28, 3), _pool(3), *_conv(28, 48, 3), _pool(3), *_conv(48, 64, 2))
        self.dense = nn.Sequential(nn.Linear(576, 128), nn.PReLU(128))
        self.face = nn.Linear(128, 2)
        self.box = nn.Linear(128, 4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.features(x)  # N, 64, 3, 3
        x = self.dense(_flatten(x))  # N, 128
        return self.face(x).softmax(1)[:, 1], self.box(x)


class ONet(nn.Module):
    """Output network: the final word at 48 x 48, and five landmarks. 389,040 weights.

    ``forward(x)``: float (N, 3, 48, 48) -> probability (N,), offsets (N, 4), landmarks (N, 5, 2) as
    fractions (x, y) of the window.
    """

    size = 48

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_conv(3, 32, 3), _pool(3), *_conv(32, 64, 3), _pool(3), *_conv(64, 64, 3), _pool(2), *_conv(64, 128, 2)
        )
        self.dense = nn.Sequential(nn.Linear(1152, 256), nn.PReLU(256))
        self.face = nn.Linear(256, 2)
        self.box = nn.Linear(256, 4)
        self.landmarks = nn.Linear(256, 10)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        x = self.features(x)  # N, 128, 3, 3
        x = self.dense(_flatten(x))  # N, 256
        landmarks = self.landmarks(x).unflatten(1, (2, 5)).transpose(1, 2)  # stored as five x, then five y
        return self.face(x).softmax(1)[:, 1], self.box(x), landmarks


def weights_folder() -> Path:
    """Where facenet-pytorch keeps pnet.pt, rnet.pt and onet.pt. The package is located, not imported.

    Raises
    ------
    WeightsError
        When facenet-pytorch is not installed.
    """
    spec = importlib.util.find_spec("facenet_pytorch")
    if spec is None or spec.origin is None:
        raise WeightsError(
            "the detector's weights come from the package facenet-pytorch, which is not installed;"
            ' run: pip install "facenet-pytorch>=2.5.3,<2.6"'
        )
    return Path(spec.origin).parent / "data"


def load_weights(network: Network) -> Network:
    """Fill a network with its published weights, ready for inference.

    The files name their layers after the original Caffe model, ours say what a layer is for; both list them
    in the same order, so they are matched by position and every shape is checked.

    Raises
    ------
    WeightsError
        When the file is missing, unreadable or of another shape.
    """
    path = weights_folder() / f"{type(network).__name__.lower()}.pt"
    try:
        published = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise WeightsError(f"{path}: cannot be read ({error}); reinstall facenet-pytorch 2.5.3") from error
    ours = network.state_dict()
    shapes = [tuple(value.shape) for value in ours.values()]
    if [tuple(value.shape) for value in published.values()] != shapes:
        raise WeightsError(f"{path}: does not hold the weights of {type(network).__name__}; expected {shapes}")
    network.load_state_dict(dict(zip(ours, published.values(), strict=True)))
    return network.eval().requires_grad_(False)
