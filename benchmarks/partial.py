"""Time and memory of one training step of the head: dense, in class blocks, and PartialFC with a tenth of the classes.

    python benchmarks/partial.py           prints a table and writes benchmarks/results/partial.json

The step is forward and backward of ArcFace (s = 64, m = 0.5) for 256 embeddings of 512 numbers, and then SGD with
momentum and weight decay on the centres: a sample of the classes saves in both. Each measurement is a process of its
own; the three take turns, so that a busy moment of the machine hits all of them, and the figures to read are the
ratios of the medians. First it is checked that a sample of all classes takes the same step as the other two.

Memory is what a step needs beyond the centres and their momentum, which all three keep: the largest resident size of
the process (getrusage) minus that before the first step (interpreter, libraries, centres, momentum, embeddings, a
warm-up on a few classes). So the gradient of the centres counts here, unlike in benchmarks/heads.py. A process that
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
from recognition.processes import in_turns
from torch import Tensor
from tqdm import tqdm

import facelib
from facelib.heads import by_rows, draw_classes, parameter_groups

RESULTS = Path(__file__).parent / "results" / "partial.json"
BATCH, SIZE, RATE = 256, 512, 0.1
KINDS = ("dense", "chunked", "partial")
STEPS = {100_000: 3, 1_000_000: 1}  # timed in each process


class Training:
    """Centres, their optimiser with its momentum in memory, and a batch."""

    def __init__(self, kind: str, classes: int, rate: float = RATE) -> None:
        seeded = torch.Generator().manual_seed(0)
        self.kind, self.margin = kind, facelib.ArcFace(s=64, m=0.5)
        self.head = facelib.PartialFC(SIZE, classes, rate if kind == "partial" else 1, seeded)
        self.optimizer = by_rows(torch.optim.SGD(parameter_groups(self.head), lr=0.1, momentum=0.9))
        momentum = torch.empty_like(self.head.weight, requires_grad=False).fill_(0)  # written to, so that it is there
        self.optimizer.state[self.head.weight]["momentum_buffer"] = momentum
        self.x = torch.randn(BATCH, SIZE, generator=seeded).requires_grad_()
        self.labels = torch.randint(classes, (BATCH,), generator=seeded)
        self.draws = torch.Generator().manual_seed(1)

    def loss(self) -> Tensor:
        if self.kind == "dense":
            return torch.nn.functional.cross_entropy(self.margin(self.head(self.x), self.labels), self.labels)
        centres, places = self.head.draw(self.labels, self.draws)
        return facelib.chunked_cross_entropy(self.x, centres, places, self.margin)[0]

    def step(self) -> tuple[float, float]:
        """Seconds of forward and backward, starting without gradients, and of the optimiser."""
        self.optimizer.zero_grad()
        self.x.grad = None
        start = time.perf_counter()
        self.loss().backward()
        middle = time.perf_counter()
        self.optimizer.step()
        return middle - start, time.perf_counter() - middle


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measure(kind: str, classes: int, limit: float) -> dict[str, float]:
    """In a process of its own: megabytes beyond centres and momentum, and the seconds of a warm step."""
    resource.setrlimit(resource.RLIMIT_DATA, (int(limit * 1e9), -1))
    Training(kind, 1000).step()
    training = Training(kind, classes)
    before = peak()
    training.step()
    beyond = peak() - before
    loss, optimiser = (
        min(times) for times in zip(*(training.step() for _ in range(STEPS.get(classes, 1))), strict=True)
    )
    found = {"beyond (MB)": beyond / 1e6, "loss, s": loss, "optimiser, s": optimiser, "s": loss + optimiser}
    return found | ({"draw, s": fastest(lambda: draw(training, classes))} if kind == "partial" else {})


def draw(training: Training, classes: int) -> Tensor:
    return draw_classes(training.labels, classes, round(RATE * classes), training.draws)


def fastest(run: Callable[[], object]) -> float:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def check_same_work() -> None:
    """A sample of all classes, dense and chunked: after two steps the same centres."""
    found = []
    for kind in KINDS:
        training = Training(kind, 3000, rate=1)
        training.step(), training.step()
        found.append(training.head.weight.detach())
    for other in found[1:]:
        assert (other - found[0]).norm() < 1e-4 * found[0].norm(), "not the same work"


def compare(classes: int, options: argparse.Namespace, bar: tqdm) -> dict[str, object]:
    arguments = ["--threads", options.threads, "--limit", options.limit]
    results = in_turns(__file__, options.kinds, classes, options.rounds, arguments, bar.update)
    row: dict[str, object] = {"classes": classes, "rounds": options.rounds}
    median: dict[tuple[str, str], float] = {}
    for kind, found in results.items():
        for name in found[0] if found else ():
            median[kind, name] = statistics.median(result[name] for result in found)
            row[f"{kind}, {name}"] = round(median[kind, name], 0 if "MB" in name else 4)
        if not found:
            row[kind] = f"more than {options.limit:g} GB"
    for one, other in (("partial", "chunked"), ("partial", "dense"), ("chunked", "dense")):
        for word, key in (("time", "s"), ("time of loss", "loss, s"), ("memory", "beyond (MB)")):
            if (one, key) in median and (other, key) in median:
                row[f"{word}, {one} / {other}"] = round(median[one, key] / median[other, key], 3)
    return row


def write(rows: list[dict[str, object]], threads: int) -> None:
    """The record; rows of other numbers of classes stay, if they were measured in the same way."""
    record = {
        "threads": threads, "device": "cpu", "batch": BATCH, "size": SIZE, "rate": RATE,
        "torch": torch.__version__, "python": platform.python_version(),
    }  # fmt: skip
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    kept = before.pop("rows", [])
    if before != record:
        kept = []
    counts = {row["classes"] for row in rows}
    rows = [*(row for row in kept if row["classes"] not in counts), *rows]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(record | {"rows": rows}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, nargs="+", default=list(STEPS))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--rounds", type=int, default=3, help="processes for each figure (default: 3)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: 2)")
    parser.add_argument("--limit", type=float, default=20, help="GB that one process may allocate (default: 20)")
    parser.add_argument("--one", nargs=2, metavar=("KIND", "CLASSES"), help="one measurement in this process")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.one:
        print(json.dumps(measure(options.one[0], int(options.one[1]), options.limit)))
        return
    check_same_work()
    with tqdm(total=len(options.classes) * options.rounds * len(options.kinds), unit="process") as bar:
        rows = [compare(classes, options, bar) for classes in options.classes]
    write(rows, options.threads)
    for row in rows:
        print("\n".join(f"{key}: {value}" for key, value in row.items()), end="\n\n")


if __name__ == "__main__":
    main()
