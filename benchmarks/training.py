"""What a training step costs: pictures a second by network, precision, memory format and compiler, and what waits.

    python benchmarks/training.py                      a first look on a CPU, two minutes
    python benchmarks/training.py --device cuda        all settings, at the batch and with the people of VGGFace2
    python benchmarks/training.py --device cuda --packed packed/train --workers 12

The step is that of ``facelib train``: forward, ArcFace over --classes people, backward, gradient clipped, SGD with
momentum, with the model as ``facelib.train`` builds it. Results go to benchmarks/results/training.json.

The table of settings has the crops on the device already, so it is about computing alone. "operations" are
multiplications and additions of one picture, forward and backward, counted by PyTorch as ``facelib bench backbones``
counts them: what convolutions and matrix products ask for, whatever the hardware does. On a GPU their rate is held
against the peak for bfloat16 that the maker states (dense, no sparsity; --peak for a GPU that is not in the table), and
memory is the allocator's peak. Times are the median of --rounds blocks of --steps steps; compiling and warming up are
not counted.

The second table feeds the same step from a packed data set through ``facelib.train``'s own loader with --workers
processes. Here the device finishes each step before the next batch is asked for, so that the time until it arrives is
time in which the device has nothing to do; "waiting" is its share of the whole. A training run does not stop after each
step and can only be better. --packed names a set made by ``facelib pack``; without it one is made of rendered people.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from loader import make_pictures
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from facelib.data import open_source, pack
from facelib.data.augment import Augment
from facelib.train.distributed import World, usable
from facelib.train.model import Recogniser
from facelib.train.order import Order, generator
from facelib.train.pictures import batches
from facelib.train.recipe import Recipe
from facelib.train.state import State, clip
from facelib.train.validate import PRECISION

RESULTS = Path(__file__).parent / "results" / "training.json"
FORMATS = {"channels last": torch.channels_last, "contiguous": torch.contiguous_format}

# Dense bfloat16 in 10^12 operations a second, from NVIDIA's data sheets of A100, H100 and H200. Those of H100 and H200
# print twice as much, "with sparsity". The first whose words are in the device's name counts.
PEAK = {"H100 PCIe": 756, "H100 NVL": 835, "H100": 989, "H200 NVL": 836, "H200": 989, "A100": 312}


class Step:
    """One training step of a setting."""

    def __init__(self, recipe: Recipe, classes: int, device: torch.device, form: str, compiled: bool) -> None:
        self.recipe, self.device, self.form = recipe, device, FORMATS[form]
        self.state = State(recipe, classes, 1, World(0, 1, device))
        self.state.model.to(memory_format=self.form).train()
        if compiled:
            self.state.model.network.compile()
        self.dtype = PRECISION[recipe.precision]

    def __call__(self, crops: Tensor, labels: Tensor) -> Tensor:
        """As ``facelib.train.loop.Run.update``; returns the loss."""
        state = self.state
        state.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None):
            loss, _ = state.wrapped(crops.contiguous(memory_format=self.form), labels)
        state.scaler.scale(loss).backward()
        state.scaler.unscale_(state.optimizer)
        clip(state.model, self.recipe.clip)
        state.scaler.step(state.optimizer)
        state.scaler.update()
        return loss.detach()


def operations(recipe: Recipe, classes: int) -> int:
    """Multiplications and additions of one picture, forward and backward, counted on a batch of two."""
    model = Recogniser(recipe, classes)
    crops, labels = torch.zeros(2, 3, recipe.size, recipe.size), torch.zeros(2, dtype=torch.long)
    # The counter knows attention as the two matrix products it is, not as the fused kernels of every device.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(crops, labels)[0].backward()
    return counter.get_total_flops() // 2


def finished(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(run: Callable[[], object], device: torch.device) -> float:
    finished(device)
    start = time.perf_counter()
    run()
    finished(device)
    return time.perf_counter() - start


def measure(step: Step, batch: int, classes: int, options: argparse.Namespace) -> dict[str, Any]:
    """Pictures a second with crops that are there, and the allocator's peak."""
    device, size = step.device, step.recipe.size
    chance = torch.Generator().manual_seed(0)
    crops = (2 * torch.rand(batch, 3, size, size, generator=chance) - 1).to(device)
    labels = torch.randint(classes, (batch,), generator=chance).to(device)
    for _ in range(options.warmup):
        loss = step(crops, labels)
    assert loss.isfinite(), "the loss is no number"
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    times = [
        seconds(lambda: [step(crops, labels) for _ in range(options.steps)], device) for _ in range(options.rounds)
    ]
    row: dict[str, Any] = {"pictures/s": round(batch * options.steps / statistics.median(times), 1)}
    if device.type == "cuda":
        row["memory (GB)"] = round(torch.cuda.max_memory_allocated(device) / 1e9, 2)
    return row


def feed(step: Step, folder: Path, batch: int, options: argparse.Namespace) -> dict[str, Any]:
    """The same step fed from a packed set: pictures a second, and the share of the time spent waiting for a batch."""
    source, total = open_source(folder), options.warmup + options.rounds * options.steps
    order = Order(len(source), batch, 0, steps=total)
    loader = iter(batches(source, step.recipe.size, order, 0, options.workers, step.device.type == "cuda"))
    augment, waited, worked = Augment.preset(step.recipe.augmentation), 0.0, 0.0
    for number in range(total):
        start = time.perf_counter()
        images, labels, faults = next(loader)
        arrived = time.perf_counter()
        assert not faults, faults[0]
        drawn = augment.draw(batch, generator(0, number))
        images, labels = (x.to(step.device, non_blocking=True) for x in (images, labels))
        step(augment(images, drawn), labels)
        finished(step.device)
        if number >= options.warmup:
            waited, worked = waited + arrived - start, worked + time.perf_counter() - arrived
    shown = batch * (total - options.warmup)
    return {
        "workers": options.workers,
        "pictures/s": round(shown / (waited + worked), 1),
        "waiting (%)": round(100 * waited / (waited + worked), 1),
    }


def settings(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for backbone, precision, form, compiled in itertools.product(
        options.backbones, options.precisions, options.formats, options.compiled
    ):
        yield {"backbone": backbone, "precision": precision, "format": form, "compiled": compiled == "yes"}


def peak_of(options: argparse.Namespace, device: torch.device) -> float | None:
    """10^12 operations a second of this GPU in bfloat16, where it is known."""
    if options.peak or device.type != "cuda":
        return options.peak
    name = torch.cuda.get_device_name(device)
    return next((peak for known, peak in PEAK.items() if all(word in name for word in known.split())), None)


def rows_of(options: argparse.Namespace, device: torch.device) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The table of settings, and the table of what waits: each network at its fastest setting."""
    peak, rows, fed = peak_of(options, device), [], []
    recipes = {
        name: Recipe(backbone=name, metric="arcface", embedding=512, batch=options.batch) for name in options.backbones
    }
    counts = {name: operations(recipe, options.classes) for name, recipe in recipes.items()}
    for setting in tqdm(list(settings(options)), unit="setting"):
        recipe = Recipe(**{**recipes[setting["backbone"]].to_dict(), "precision": setting["precision"]})
        torch.compiler.reset()
        step = Step(recipe, options.classes, device, setting["format"], setting["compiled"])
        row = {**setting, **measure(step, options.batch, options.classes, options)}
        count = counts[setting["backbone"]]
        row["operations (10^9)"] = round(count / 1e9, 2)
        row["10^12 operations/s"] = round(count * row["pictures/s"] / 1e12, 3)
        if peak and setting["precision"] == "bf16":
            row["share of peak (%)"] = round(100 * row["10^12 operations/s"] / peak, 1)
        rows.append(row)
        del step
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.packed or packed_people(Path(temporary), options)
        for name in tqdm(options.backbones, unit="network"):
            best = max((row for row in rows if row["backbone"] == name), key=lambda row: row["pictures/s"])
            recipe = Recipe(**{**recipes[name].to_dict(), "precision": best["precision"]})
            step = Step(recipe, options.classes, device, best["format"], best["compiled"])
            fed.append({**{key: best[key] for key in setting}, **feed(step, folder, options.batch, options)})
    return rows, fed


def packed_people(folder: Path, options: argparse.Namespace) -> Path:
    """A packed set of rendered people, of ten batches or more."""
    pack(make_pictures(folder / "loose", max(320, 10 * options.batch)), folder / "packed")
    return folder / "packed"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--backbones", nargs="+", default=["iresnet50", "mobilefacenet"])
    parser.add_argument("--precisions", nargs="+", default=["fp32", "bf16"], choices=PRECISION)
    parser.add_argument("--formats", nargs="+", default=list(FORMATS), choices=FORMATS)
    parser.add_argument("--compiled", nargs="+", choices=("no", "yes"), help="default: no; on a GPU both")
    parser.add_argument("--classes", type=int, default=8631, help="people in the head (default: 8631, as VGGFace2)")
    parser.add_argument("--batch", type=int, help="pictures in a step (default: 4; on a GPU 256)")
    parser.add_argument("--warmup", type=int, help="steps before the clock starts (default: 1; on a GPU 10)")
    parser.add_argument("--steps", type=int, help="steps in a block (default: 1; on a GPU 20)")
    parser.add_argument("--rounds", type=int, default=3, help="blocks (default: 3)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: 2)")
    parser.add_argument("--packed", type=Path, help="folder of a packed set; rendered people by default")
    parser.add_argument("--workers", type=int, help="processes that read and decode (default: 1; on a GPU 8)")
    parser.add_argument("--peak", type=float, help="10^12 operations/s of the device in bfloat16")
    options = parser.parse_args()
    gpu = options.device.startswith("cuda")
    for name, (small, large) in {"batch": (4, 256), "warmup": (1, 10), "steps": (1, 20), "workers": (1, 8),
                                 "compiled": (["no"], ["no", "yes"])}.items():  # fmt: skip
        if getattr(options, name) is None:
            setattr(options, name, large if gpu else small)
    return options


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    device = usable(options.device)
    rows, fed = rows_of(options, device)
    record = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else options.device,
        "threads": options.threads, "batch": options.batch, "classes": options.classes, "size": 112,
        "steps": options.steps, "rounds": options.rounds, "peak (10^12 operations/s)": peak_of(options, device),
        "torch": torch.__version__, "python": platform.python_version(), "rows": rows, "fed from a packed set": fed,
    }  # fmt: skip
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")
    for row in rows + fed:
        print("  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
