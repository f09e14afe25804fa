"""Time and memory of one training step of the head: dense, in class blocks, and pytorch-metric-learning's ArcFaceLoss.

    python benchmarks/heads.py             prints a table and writes benchmarks/results/heads.json

The step is forward and backward of ArcFace (s = 64, m = 0.5) for 256 embeddings of 512 numbers, to the gradients of
embeddings and centres. Each measurement is a process of its own; the three take turns, so that a busy moment of the
machine hits all of them, and the figures to read are the ratios of the medians. First it is checked that
all three compute the same loss and gradients.

Memory is what a step needs beyond centres and their gradient, which no head can do without: on a CPU the largest
resident size of the process (getrusage) minus that before the first step (interpreter, libraries, centres, embeddings,
a warm-up on a few classes) minus the bytes of the gradient; on a GPU the same of the allocator's peak. A process that
asks for more than --limit GB counts as not fitting.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from pytorch_metric_learning.losses import ArcFaceLoss
from recognition.processes import in_turns
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

import facelib

RESULTS = Path(__file__).parent / "results" / "heads.json"
BATCH, SIZE = 256, 512
KINDS = ("dense", "chunked", "pytorch-metric-learning")
STEPS = {10_000: 9, 100_000: 3, 1_000_000: 1}  # timed in each process


def make(kind: str, classes: int, device: str) -> tuple[Tensor, Callable[[Tensor, Tensor], Tensor]]:
    """The centres and the loss of embeddings and labels."""
    if kind == "pytorch-metric-learning":
        # 28.6479 degrees are 0.5 radians.
        loss = ArcFaceLoss(num_classes=classes, embedding_size=SIZE, margin=28.64788975654116, scale=64).to(device)
        return loss.W, loss
    with torch.device(device):
        head = facelib.CosineClassifier(SIZE, classes)
    margin = facelib.ArcFace(s=64, m=0.5)
    if kind == "dense":
        return head.weight, lambda x, labels: F.cross_entropy(margin(head(x), labels), labels)
    return head.weight, lambda x, labels: facelib.chunked_cross_entropy(x, head.weight, labels, margin)[0]


def batch(classes: int, device: str) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(BATCH, SIZE, generator=generator).to(device).requires_grad_()
    return x, torch.randint(classes, (BATCH,), generator=generator).to(device)


def peak(device: str) -> int:
    if device == "cpu":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return torch.cuda.max_memory_allocated()


def step(weight: Tensor, x: Tensor, run: Callable[[], Tensor]) -> float:
    """Seconds of one forward and backward pass, starting without gradients as after ``zero_grad()``."""
    weight.grad = x.grad = None
    if weight.is_cuda:
        torch.cuda.synchronize()
    start = time.perf_counter()
    run().backward()
    if weight.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(kind: str, classes: int, device: str, limit: float) -> dict[str, float]:
    """In a process of its own: megabytes beyond centres and gradient, in all, and the seconds of a warm step."""
    if device == "cpu":
        resource.setrlimit(resource.RLIMIT_DATA, (int(limit * 1e9), -1))
    warm_up(kind, device)
    weight, loss = make(kind, classes, device)
    x, labels = batch(classes, device)
    before = peak(device)
    step(weight, x, lambda: loss(x, labels))
    beyond = max(0, peak(device) - before - weight.nbytes)  # 0: it fitted into what the warm-up had left
    seconds = [step(weight, x, lambda: loss(x, labels)) for _ in range(STEPS.get(classes, 1))]
    return {"beyond (MB)": beyond / 1e6, "in all (MB)": (beyond + 2 * weight.nbytes) / 1e6, "s": min(seconds)}


def warm_up(kind: str, device: str) -> None:
    weight, loss = make(kind, 1000, device)
    x, labels = batch(1000, device)
    step(weight, x, lambda: loss(x, labels))


def check_same_work() -> None:
    """The same loss and gradients from all three, at 3,000 classes."""
    found = []
    start = torch.randn(3000, SIZE, generator=torch.Generator().manual_seed(1))
    for kind in KINDS:
        weight, loss = make(kind, 3000, "cpu")
        x, labels = batch(3000, "cpu")
        ours = kind != "pytorch-metric-learning"
        weight.data = start.clone() if ours else start.T.clone()
        value = loss(x, labels)
        value.backward()
        found.append((value, x.grad, weight.grad if ours else weight.grad.T))
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            assert (a - b).norm() < 1e-4 * a.norm(), "not the same work"


def compare(classes: int, options: argparse.Namespace, bar: tqdm) -> dict[str, object]:
    arguments = ["--device", options.device, "--threads", options.threads, "--limit", options.limit]
    results = in_turns(__file__, KINDS, classes, options.rounds, arguments, bar.update)
    row: dict[str, object] = {"classes": classes}
    median = {}
    for kind, found in results.items():
        for name in ("s", "beyond (MB)", "in all (MB)"):
            if found:
                median[kind, name] = statistics.median(result[name] for result in found)
                row[f"{kind}, {name}"] = round(median[kind, name], 3 if name == "s" else 0)
            else:
                row[f"{kind}, {name}"] = f"more than {options.limit:g} GB"
    for name, one, other, key in [
        ("memory, chunked / dense", "chunked", "dense", "beyond (MB)"),
        ("time, chunked / dense", "chunked", "dense", "s"),
        ("time, dense / pytorch-metric-learning", "dense", "pytorch-metric-learning", "s"),
        ("memory, dense / pytorch-metric-learning", "dense", "pytorch-metric-learning", "beyond (MB)"),
    ]:
        both = (one, key) in median and (other, key) in median
        row[name] = round(median[one, key] / median[other, key], 3) if both and median[other, key] else None
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, nargs="+", default=list(STEPS))
    parser.add_argument("--rounds", type=int, default=3, help="processes for each figure (default: 3)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: 2)")
    parser.add_argument("--limit", type=float, default=20, help="GB that one process may allocate (default: 20)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--one", nargs=2, metavar=("KIND", "CLASSES"), help="one measurement in this process")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.one:
        print(json.dumps(measure(options.one[0], int(options.one[1]), options.device, options.limit)))
        return
    check_same_work()
    with tqdm(total=len(options.classes) * options.rounds * len(KINDS), unit="process") as bar:
        rows = [compare(classes, options, bar) for classes in options.classes]
    record = {
        "threads": options.threads, "device": options.device, "rounds": options.rounds, "batch": BATCH, "size": SIZE,
        "torch": torch.__version__, "python": platform.python_version(), "rows": rows,
    }  # fmt: skip
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")
    for row in rows:
        print("\n".join(f"{key}: {value}" for key, value in row.items()), end="\n\n")


if __name__ == "__main__":
    main()
