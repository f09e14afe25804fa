"""IResNet: the residual network of face recognition, in which every block begins and ends with batch normalisation.

Three things set it apart from torchvision's ResNet. The first convolution keeps the resolution, since a crop has 112
pixels and not 224. Blocks run BN, convolution, BN, PReLU, convolution with the stride, BN, and nothing follows the sum
("improved residual unit" in arXiv:1801.07698v1, after Han et al. 2017). And the last feature map, 7 x 7, is not
averaged but flattened: in an aligned crop position means something.

Parameters carry the names of insightface's published ``backbone.pth`` files, which load key for key.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..errors import FaceLibError

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3)}
"""Blocks in each of the four layers, by the number of convolutions that gives the network its name."""

WIDTHS = (64, 128, 256, 512)


class Block(nn.Module):
    """(B, inside, H, W) -> (B, outside, H / stride, W / stride)."""

    def __init__(self, inside: int, outside: int, stride: int = 1) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inside)
        self.conv1 = nn.Conv2d(inside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.prelu = nn.PReLU(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outside)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inside != outside:
            self.downsample = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x: Tensor) -> Tensor:
        y = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        return self.bn3(self.conv2(y)) + self.downsample(x)


def layer(inside: int, outside: int, count: int) -> nn.Sequential:
    """Blocks at one resolution; the first halves the sides."""
    return nn.Sequential(Block(inside, outside, 2), *(Block(outside, outside) for _ in range(count - 1)))


class IResNet(nn.Module):
    """(B, 3, size, size) -> (B, embedding).

    Parameters
    ----------
    depth : 18, 34, 50 or 100
    embedding : int
    size : int
        Side of the crops in pixels.
    dropout : float
        Before the linear layer; 0.4 in the ArcFace paper, 0 in most later recipes.
    recompute : bool
        Keep only the inputs of blocks for the backward pass and compute the rest again: less memory, a third slower.
    """

    def __init__(
        self, depth: int = 50, embedding: int = 512, size: int = 112, dropout: float = 0.0, recompute: bool = False
    ) -> None:
        super().__init__()
        if depth not in BLOCKS:
            raise FaceLibError(f"IResNet has {', '.join(map(str, BLOCKS))} layers, not {depth}")
        self.size, self.recompute = size, recompute
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.prelu = nn.PReLU(WIDTHS[0])
        one, two, three, four = BLOCKS[depth]
        self.layer1 = layer(WIDTHS[0], WIDTHS[0], one)
        self.layer2 = layer(WIDTHS[0], WIDTHS[1], two)
        self.layer3 = layer(WIDTHS[1], WIDTHS[2], three)
        self.layer4 = layer(WIDTHS[2], WIDTHS[3], four)
        last = -(-size // 16)  # four strides, rounded up each time
        self.bn2 = nn.BatchNorm2d(WIDTHS[3])
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(WIDTHS[3] * last * last, embedding)
        self.features = nn.BatchNorm1d(embedding)
        # Lengths are divided out later; a learnt scale of each coordinate would only blur weight decay.
        self.features.weight.requires_grad = False
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.prelu(self.bn1(self.conv1(x)))  # B, 64, size, size
        for blocks in (self.layer1, self.layer2, self.layer3, self.layer4):  # each halves the sides
            for block in blocks:
                if self.recompute and torch.is_grad_enabled():
                    x = checkpoint(block, x, use_reentrant=False)
                else:
                    x = block(x)
        x = self.bn2(x)  # B, 512, size / 16, size / 16
        with torch.autocast(x.device.type, enabled=False):  # 25,088 products in one sum
            return self.features(self.fc(self.dropout(x.float().flatten(1))))
