"""How many synthetic people are drawn in a second.

    python benchmarks/render.py            prints a table and writes benchmarks/results/render.json

Aligned crops of 112 pixels as a training run wants them, crops drawn at twice the size and shrunk, and photos of 300
pixels. The figure is pictures a second, the median of several batches; memory is the peak of the whole process.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from facelib.synth import People

RESULTS = Path(__file__).parent / "results" / "render.json"
CASES: dict[str, dict[str, Any]] = {
    "aligned crops, 112 px": {"supersample": 1},
    "aligned crops, 112 px, supersampled": {"supersample": 2},
    "photos, 300 px": {"size": 300, "aligned": False, "supersample": 1},
}


def pictures_per_second(people: People, batch: int, rounds: int, **options: Any) -> float:
    generator = torch.Generator(device=people.device).manual_seed(0)
    rates = []
    for i in range(rounds + 1):  # the first warms up
        ids = [(i * batch + k) % len(people) for k in range(batch)]
        start = time.perf_counter()
        people.render(ids, generator, **options)  # ends on the CPU, so nothing is left running
        rates.append(batch / (time.perf_counter() - start))
    return statistics.median(rates[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="batches of each case (default: 5)")
    parser.add_argument("--batch", type=int, default=32, help="pictures a batch (default: 32)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="CPU threads (default: 1 2)")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    people, rows = People(10_000, seed=0, device=options.device), []
    for threads in tqdm(options.threads, unit="setting"):
        torch.set_num_threads(threads)
        for name, case in CASES.items():
            rate = pictures_per_second(people, options.batch, options.rounds, **case)
            rows.append({"case": name, "threads": threads, "pictures/s": round(rate, 1)})
    record = {
        "device": options.device,
        "batch": options.batch,
        "rounds": options.rounds,
        "peak memory (MB)": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "rows": rows,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    print(f"peak memory {record['peak memory (MB)']} MB")


if __name__ == "__main__":
    main()
