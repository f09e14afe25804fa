"""MobileFaceNet: under a million weights, made for phones (Chen et al. 2018).

Its blocks are those of MobileNetV2 with PReLU: a 1 x 1 convolution widens, a depthwise 3 x 3 mixes neighbours, a 1 x 1
narrows again without an activation. Its own idea is the end: instead of the average over the last 7 x 7 map,
which counts a corner as much as an eye, a depthwise convolution over the whole map learns how much each place
matters in each channel.
"""

from __future__ import annotations

from torch import Tensor, nn

STAGES = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
"""Widening, channels, blocks and stride of the first block: table 1 of the paper."""


def convolution(
    inside: int,
    outside: int,
    kernel: int,
    stride: int = 1,
    groups: int = 1,
    padding: int | None = None,
    act: bool = True,
) -> nn.Sequential:
    """Convolution, batch normalisation and, with ``act``, PReLU."""
    padding = kernel // 2 if padding is None else padding
    layers = [nn.Conv2d(inside, outside, kernel, stride, padding, groups=groups, bias=False), nn.BatchNorm2d(outside)]
    return nn.Sequential(*layers, *([nn.PReLU(outside)] if act else []))


class Bottleneck(nn.Module):
    """Widen, mix neighbours, narrow; with a shortcut where the shape stays the same."""

    def __init__(self, inside: int, outside: int, stride: int, widening: int) -> None:
        super().__init__()
        wide = inside * widening
        self.path = nn.Sequential(
            convolution(inside, wide, 1),
            convolution(wide, wide, 3, stride, groups=wide),
            convolution(wide, outside, 1, act=False),
        )
        self.shortcut = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        return self.path(x) + x if self.shortcut else self.path(x)


class MobileFaceNet(nn.Module):
    """(B, 3, size, size) -> (B, embedding); 1.0 million weights at 112 pixels and 128 numbers.

    ``width`` multiplies all channels. Sides are divided by 16, rounded up.
    """

    def __init__(self, embedding: int = 128, size: int = 112, dropout: float = 0.0, width: float = 1.0) -> None:
        super().__init__()
        self.size = size
        first, last = round(64 * width), round(512 * width)
        self.stem = nn.Sequential(convolution(3, first, 3, 2), convolution(first, first, 3, groups=first))
        blocks: list[nn.Module] = []
        inside = first
        for widening, channels, count, stride in STAGES:
            for k in range(count):
                outside = round(channels * width)
                blocks.append(Bottleneck(inside, outside, stride if k == 0 else 1, widening))
                inside = outside
        self.blocks = nn.Sequential(*blocks)
        self.widen = convolution(inside, last, 1)
        self.everywhere = convolution(last, last, -(-size // 16), groups=last, padding=0, act=False)
        self.embed = nn.Sequential(
            nn.Flatten(), nn.Dropout(dropout), nn.Linear(last, embedding, bias=False), nn.BatchNorm1d(embedding)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.stem(x))  # B, 128, size / 16, size / 16
        return self.embed(self.everywhere(self.widen(x)))
