"""What a backbone costs: weights, operations, milliseconds."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Cost:
    """weights: trainable numbers; operations: multiplications and additions of one crop; milliseconds: of one crop."""

    weights: int
    operations: int
    milliseconds: float


def cost(network: nn.Module, size: int = 112, batch: int = 1, device: str = "cpu", repeats: int = 5) -> Cost:
    """Measure a network in evaluation mode: the median of ``repeats`` timed batches after one to warm up."""
    network = network.to(device).eval()
    crops = torch.zeros(batch, 3, size, size, device=device)
    with torch.inference_mode():
        counter = FlopCounterMode(display=False)
        with sdpa_kernel(SDPBackend.MATH), counter:  # the counter does not know fused attention on a CPU
            network(crops)
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            network(crops)
            if crops.is_cuda:
                torch.cuda.synchronize(device)
            times.append(time.perf_counter() - start)
    weights = sum(parameter.numel() for parameter in network.parameters())
    return Cost(weights, counter.get_total_flops() // batch, 1000 * statistics.median(times) / batch)
