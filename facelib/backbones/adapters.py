"""Networks of torchvision and timm with an embedding block in place of their classifier."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import FaceLibError


class EmbeddingBlock(nn.Sequential):
    """BN, dropout, linear, BN: features (B, C, H, W) or (B, C) -> (B, embedding)."""

    def __init__(self, shape: tuple[int, ...], embedding: int, dropout: float = 0.0) -> None:
        norm = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
        super().__init__(
            norm(shape[0]),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(math.prod(shape), embedding),
            nn.BatchNorm1d(embedding),
        )


class Adapted(nn.Module):
    """A body without its classifier, and an embedding block on its features."""

    def __init__(self, body: nn.Module, embedding: int, size: int, dropout: float) -> None:
        super().__init__()
        self.size, self.body = size, body
        self.embed = EmbeddingBlock(_features(body, size), embedding, dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.embed(self.body(x))


def torchvision_resnet50(embedding: int, size: int, dropout: float) -> Adapted:
    """torchvision's ResNet-50, without pooling: 4 x 4 features of a 112-pixel crop."""
    from torchvision.models import resnet50

    return Adapted(nn.Sequential(*list(resnet50().children())[:-2]), embedding, size, dropout)


def torchvision_mobilenet_v2(embedding: int, size: int, dropout: float) -> Adapted:
    """torchvision's MobileNetV2, without pooling."""
    from torchvision.models import mobilenet_v2

    return Adapted(mobilenet_v2().features, embedding, size, dropout)


def timm_model(name: str, embedding: int, size: int, dropout: float) -> Adapted:
    """Any network of timm by its name, untrained; its pooling stays.

    Raises
    ------
    FaceLibError
        timm is not installed, does not know the name, or the network does not take crops of this size.
    """
    try:
        import timm
    except ImportError as error:
        raise FaceLibError('networks named "timm:..." need timm; run: pip install "facelib[train]"') from error
    if not timm.is_model(name):
        near = ", ".join(timm.list_models(f"*{name.split('_')[0]}*")[:5]) or "see timm.list_models()"
        raise FaceLibError(f"timm has no network {name!r}: {near}")
    options: dict[str, Any] = {"pretrained": False, "num_classes": 0}
    try:
        body = timm.create_model(name, **options, img_size=size)
    except TypeError:  # convolutional networks take any size and know no such option
        body = timm.create_model(name, **options)
    return Adapted(body, embedding, size, dropout)


@torch.no_grad()
def _features(body: nn.Module, size: int) -> tuple[int, ...]:
    """Shape of one crop's features, found by trying."""
    training = body.training
    try:
        shape = body.eval()(torch.zeros(1, 3, size, size)).shape[1:]
    except Exception as error:
        raise FaceLibError(f"this network does not take crops of {size} x {size} pixels ({error})") from error
    body.train(training)
    if len(shape) not in (1, 3) or 0 in shape:
        raise FaceLibError(f"this network's features have the shape {tuple(shape)}; expected (C,) or (C, H, W)")
    return tuple(shape)
