"""How many synthetic people are drawn in a second.

    python benchmarks/render.py                    prints a table and writes benchmarks/results/render.json
    python benchmarks/render.py --device cuda      the same on a GPU; benchmarks/results/render_cuda.json
    python benchmarks/render.py --compiled         the pixel arithmetic by torch.compile beside it as it is, in turns

Aligned crops of 112 pixels as a training run wants them, crops drawn at twice the size and shrunk, and photos of 300
pixels: person, scene and picture. The figure is pictures a second, the median of several
batches; memory is the peak of the whole process, on a GPU that of the allocator. On a GPU the pictures of the same
people in the same scenes are held against those of the CPU.

Compiled as a whole the renderer does not get done: what is drawn decides the shapes, and dynamo begins anew at each.
``--compiled`` therefore compiles its chains of pixel arithmetic only, ``FUSED``, with dynamic shapes.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from facelib.synth import People, noise, render
from facelib.synth.sampling import sample_scene

RESULTS = Path(__file__).parent / "results"
CASES: dict[str, dict[str, Any]] = {
    "aligned crops, 112 px": {"supersample": 1},
    "aligned crops, 112 px, supersampled": {"supersample": 2},
    "photos, 300 px": {"size": 300, "aligned": False, "supersample": 1},
}
COMPARED = 64  # pictures drawn on both devices
FUSED = (
    "backdrop._furniture", "backdrop.occlude", "camera.develop", "clothes._worn", "clothes._face_mask",
    "face_hair.beard_density", "face_hair.brow_density", "face_hair._roots", "geometry.vertex_normals", "hair.strands",
    "hair.shell", "light.shade", "raster._planes", "skin.skin_slopes", "skin._lid_crease", "skin.oiliness",
)  # fmt: skip


def draw(people: People, ids: np.ndarray, generator: torch.Generator, **case: Any) -> None:
    """Render, on a CPU in the small parts of ``People.render``; on a GPU all at once, as training does."""
    if people.device.type == "cpu":
        people.render(ids, generator, **case)
    else:
        who = people.identities(ids)
        render.render_scene(who, sample_scene(people.basis, who, generator), **case)


def compile_arithmetic() -> dict[str, tuple[Any, Any]]:
    """Of each function in FUSED: as it is, and compiled."""
    torch._dynamo.config.recompile_limit = 64
    noise._textures = torch._dynamo.assume_constant_result(noise._textures)
    found = {name: getattr(sys.modules[f"facelib.synth.{name.split('.')[0]}"], name.split(".")[1]) for name in FUSED}
    return {name: (function, torch.compile(function, dynamic=True)) for name, function in found.items()}


@contextmanager
def replaced(functions: dict[str, tuple[Any, Any]]) -> Iterator[None]:
    """The renderer with its arithmetic compiled, wherever a module of it has the function's name."""
    modules = [module for name, module in sys.modules.items() if name.startswith("facelib.synth.")]
    places = [
        (module, name.split(".")[1], plain, compiled)
        for name, (plain, compiled) in functions.items()
        for module in modules
        if getattr(module, name.split(".")[1], None) is plain
    ]
    for module, name, _, compiled in places:
        setattr(module, name, compiled)
    try:
        yield
    finally:
        for module, name, plain, _ in places:
            setattr(module, name, plain)


def pictures_per_second(people: People, batch: int, rounds: int, ways: dict[str, Any], case: Any) -> dict[str, float]:
    """Of each way of rendering, a context to draw in; they take turns on the same pictures."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for i in range(rounds + 2):  # the first two warm up
        for name, way in ways.items():
            generator = torch.Generator(device=people.device).manual_seed(i)
            with way():
                start = time.perf_counter()
                draw(people, (i * batch + np.arange(batch)) % len(people), generator, **case)
                if people.device.type == "cuda":
                    torch.cuda.synchronize(people.device)
            if i >= 2:
                rates[name].append(batch / (time.perf_counter() - start))
    return {name: round(statistics.median(values), 1) for name, values in rates.items()}


def difference(device: torch.device) -> dict[str, float]:
    """Grey levels between the same pictures by the CPU and by the device."""
    pictures, ids, where = [], np.arange(COMPARED), None
    for place in ("cpu", str(device)):
        people = People(COMPARED, seed=0, device=place)
        who = people.identities(ids)
        if where is None:
            where = sample_scene(people.basis, who, torch.Generator().manual_seed(0))
        pictures.append(render.render_scene(who, where.to(place)).images.cpu().float())
    gap = (pictures[0] - pictures[1]).abs()
    return {"mean": round(gap.mean().item(), 5), "worst picture's mean": round(gap.mean((1, 2, 3)).max().item(), 4),
            "largest": gap.max().item()}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="batches of each case (default: 5)")
    parser.add_argument("--batch", type=int, help="pictures a batch (default: 32; on a GPU 1024)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="CPU threads (default: 1 2)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compiled", action="store_true", help="torch.compile as well; its first batches take minutes")
    parser.add_argument(
        "--results", type=Path, help="where to write (default: benchmarks/results/render[_DEVICE].json)"
    )
    options = parser.parse_args()
    people, rows = People(10_000, seed=0, device=options.device), []
    gpu = people.device.type == "cuda"
    batch = options.batch or (1024 if gpu else 32)
    ways: dict[str, Any] = {"as it is": nullcontext}
    if options.compiled:
        ways["arithmetic compiled"] = partial(replaced, compile_arithmetic())
    for threads in [1] if gpu else options.threads:
        torch.set_num_threads(threads)
        for name, case in tqdm(CASES.items(), desc=f"{threads} threads", unit="case"):
            for way, rate in pictures_per_second(people, batch, options.rounds, ways, case).items():
                rows.append({"case": name, "threads": threads, "renderer": way, "pictures/s": rate})
    memory = (
        torch.cuda.max_memory_allocated() // 2**20
        if gpu
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    )
    record: dict[str, Any] = {
        "device": torch.cuda.get_device_name(people.device) if gpu else options.device, "batch": batch,
        "rounds": options.rounds, "peak memory (MB)": memory, "torch": torch.__version__,
        "python": platform.python_version(), "rows": rows,
    }  # fmt: skip
    if gpu:
        record["grey levels from the CPU's pictures"] = difference(people.device)
    results = options.results or RESULTS / (
        "render.json" if options.device == "cpu" else f"render_{people.device.type}.json"
    )
    results.parent.mkdir(exist_ok=True)
    results.write_text(json.dumps(record, indent=1) + "\n")
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    print({key: value for key, value in record.items() if key != "rows"})


if __name__ == "__main__":
    main()
