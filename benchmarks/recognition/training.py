"""A recogniser small enough to be trained many times on two cores; ``learn``, ``transfer`` and ``margins`` share it.

A residual network of 0.6 million weights for pictures of 56 pixels (crops of 112, every 2 x 2 pixels averaged),
CosFace (``margins`` puts other heads in its place), stochastic gradient descent with a cosine schedule. Everything is
counted in pictures, not in minutes, so that a busy machine changes no result.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from facelib import CosFace

SIDE = 56


@dataclass(frozen=True)
class Training:
    """How one network is trained.

    pictures : how many are shown, repetitions counted. augmentation : "none", "flip", "mild" or "strong".
    colour : False trains and judges on grey pictures. side : of the pictures in pixels. half : bfloat16 arithmetic.
    """

    pictures: int = 64_000
    batch: int = 64
    rate: float = 0.1
    scale: float = 24.0
    margin: float = 0.25
    widths: tuple[int, ...] = (16, 16, 32, 64, 128)
    augmentation: str = "mild"
    colour: bool = True
    side: int = SIDE
    half: bool = True

    def but(self, **changes: object) -> Training:
        """The same with some settings changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


class Block(nn.Module):
    """Two convolutions and a shortcut; the second halves the sides."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            nn.BatchNorm2d(inside),
            nn.Conv2d(inside, outside, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outside),
            nn.ReLU(inplace=True),
            nn.Conv2d(outside, outside, 3, 2, 1, bias=False),
            nn.BatchNorm2d(outside),
        )
        self.shortcut = nn.Sequential(nn.Conv2d(inside, outside, 1, 2, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x: Tensor) -> Tensor:
        return self.path(x) + self.shortcut(x)


def network(widths: tuple[int, ...], side: int = SIDE, embedding: int = 128) -> nn.Sequential:
    """(B, 3, side, side) -> (B, embedding), not normalised."""
    blocks = [Block(a, b) for a, b in zip(widths, widths[1:], strict=False)]
    last = math.ceil(side / 2 ** len(blocks))
    return nn.Sequential(
        nn.Conv2d(3, widths[0], 3, 1, 1, bias=False),
        nn.BatchNorm2d(widths[0]),
        nn.ReLU(inplace=True),
        *blocks,
        nn.BatchNorm2d(widths[-1]),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(widths[-1] * last * last, embedding),
        nn.BatchNorm1d(embedding),
    )


def to_input(images: np.ndarray, side: int = SIDE) -> Tensor:
    """uint8 (N, 112, 112, 3) -> float (N, 3, side, side) in -1..1, shrunk by averaging."""
    parts = []
    for start in range(0, len(images), 512):
        part = torch.from_numpy(np.ascontiguousarray(images[start : start + 512])).permute(0, 3, 1, 2).float()
        parts.append((F.interpolate(part, size=(side, side), mode="area") - 127.5) / 127.5)
    return torch.cat(parts).contiguous(memory_format=torch.channels_last)


def augment(x: Tensor, how: str, generator: torch.Generator) -> Tensor:
    """Changes that leave the person the same: mirror, small moves and turns, brightness; "strong" adds a camera's."""
    n = len(x)

    def normal(*shape: int) -> Tensor:
        return torch.randn(n, *shape, generator=generator)

    if how == "none":
        return x
    x = torch.where((torch.rand(n, generator=generator) < 0.5)[:, None, None, None], x.flip(3), x)
    if how == "flip":
        return x
    strong = how == "strong"
    turn, zoom, move = normal() * (0.12 if strong else 0.05), normal() * (0.10 if strong else 0.04), normal(2)
    zoom, move = zoom.exp(), move * (0.07 if strong else 0.04)
    rows = [
        torch.stack([turn.cos() * zoom, -turn.sin() * zoom, move[:, 0]], 1),
        torch.stack([turn.sin() * zoom, turn.cos() * zoom, move[:, 1]], 1),
    ]
    grid = F.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    x = F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
    amount = 1.6 if strong else 1.0
    x = x * torch.exp(0.2 * amount * normal(1, 1, 1)) + 0.12 * amount * normal(1, 1, 1)
    if strong:
        x = _camera(x, normal, generator)
    return x.clamp(-1, 1).contiguous(memory_format=torch.channels_last)


def _camera(x: Tensor, normal: Callable[..., Tensor], generator: torch.Generator) -> Tensor:
    """Gamma, white balance, saturation, uneven light, low resolution, noise and a covered patch."""
    n, side = len(x), x.shape[-1]
    uniform = torch.rand(n, 8, generator=generator)
    x = ((x + 1) / 2).clamp(1e-3, 1) ** torch.exp(0.25 * normal(1, 1, 1)) * 2 - 1
    x = x * torch.exp(0.08 * normal(3, 1, 1))
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * (1.6 * uniform[:, 0] - 0.2).clamp(min=0)[:, None, None, None]
    light = F.interpolate(0.25 * normal(1, 3, 3), size=(side, side), mode="bicubic", align_corners=True)
    x = (x + 1) * torch.exp(light) - 1
    for low, high, share in ((0.0, 0.12, 0.3), (0.12, 0.27, 0.45), (0.27, 0.4, 0.65)):
        rows = ((uniform[:, 1] >= low) & (uniform[:, 1] < high)).nonzero().squeeze(1)
        if len(rows):
            small = F.interpolate(x[rows], size=(int(side * share),) * 2, mode="area")
            large = F.interpolate(small, size=(side, side), mode="bilinear", align_corners=False)
            x = x.index_copy(0, rows, large)
    x = x + 0.08 * uniform[:, 2, None, None, None] * normal(3, side, side)
    at = torch.arange(side) / side
    across = (at - uniform[:, 3:4]).abs() < 0.05 + 0.15 * uniform[:, 5:6]
    down = (at - uniform[:, 4:5]).abs() < 0.05 + 0.15 * uniform[:, 6:7]
    covered = across[:, None, :] & down[:, :, None] & (uniform[:, 7] < 0.3)[:, None, None]
    return torch.where(covered[:, None], normal(1, 1, 1).clamp(-1, 1), x)


class CosFaceHead(nn.Module):
    """The recipe's centres and loss: embeddings (B, 128), labels (B,) and how far the training is (0 to 1) -> loss."""

    def __init__(self, classes: int, how: Training) -> None:
        super().__init__()
        self.weight, self.how = nn.Parameter(0.05 * torch.randn(classes, 128)), how

    def forward(self, embedded: Tensor, labels: Tensor, done: float) -> Tensor:
        cosine = F.normalize(embedded) @ F.normalize(self.weight).T
        m = self.how.margin * min(1.0, done / 0.3)  # a margin from the start stalls
        return F.cross_entropy(CosFace(s=self.how.scale, m=m)(cosine, labels), labels)


def train(
    x: Tensor,
    labels: Tensor,
    how: Training,
    seed: int = 0,
    quiet: bool = False,
    head: Callable[[int, Training], nn.Module] = CosFaceHead,
) -> nn.Sequential:
    """Train a new network on pictures (N, 3, side, side) of the people labels (N,); ready to be judged.

    ``head`` makes the head for a number of classes; it is called as ``CosFaceHead`` is.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed + 1)
    net = network(how.widths, how.side).to(memory_format=torch.channels_last)
    made = head(int(labels.max()) + 1, how)
    weights = [*net.parameters(), *made.parameters()]
    optimiser = torch.optim.SGD(weights, lr=how.rate, momentum=0.9, weight_decay=5e-4, nesterov=True)
    steps, order = how.pictures // how.batch, torch.empty(0, dtype=torch.int64)
    with tqdm(total=steps * how.batch, unit="pictures", disable=quiet, mininterval=2) as bar:
        for step in range(steps):
            if len(order) < how.batch:
                order = torch.randperm(len(x), generator=generator)
            rows, order = order[: how.batch], order[how.batch :]
            done = step / steps
            for group in optimiser.param_groups:
                group["lr"] = how.rate * min(1, done / 0.05) * (1 + math.cos(math.pi * done)) / 2 + 1e-5
            shown = _grey(augment(x[rows], how.augmentation, generator), how)
            with torch.autocast("cpu", torch.bfloat16, enabled=how.half):
                embedded = net(shown)
            loss = made(embedded.float(), labels[rows], done)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 5)
            optimiser.step()
            bar.update(how.batch)
    return net.eval()


def _grey(x: Tensor, how: Training) -> Tensor:
    return x if how.colour else x.mean(1, keepdim=True).expand(-1, 3, -1, -1)


@torch.inference_mode()
def embed(net: nn.Module, x: Tensor, how: Training) -> np.ndarray:
    """Unit vectors (N, 128); each picture and its mirror image are summed."""
    parts = []
    for start in range(0, len(x), 256):
        part = _grey(x[start : start + 256], how)
        parts.append(F.normalize(net(part) + net(part.flip(3))))
    return torch.cat(parts).numpy()
