"""Search among a million people: how often an index finds whom brute force finds, and how fast.

    python benchmarks/search.py                  a million rows, some 5 minutes; writes facelib/records/search.json
    python benchmarks/search.py --rows 50000     a quick proof; prints and writes nothing

The vectors are made like those of faces. A person is a random direction whose 512 coordinates have variances that fall
as 1 / (1 + i / 20), so that cosines of two people spread by 0.067, as with good networks; a probe is the person's
vector times c plus another random direction times sqrt(1 - c^2), with c from a normal distribution of mean 0.7 and
deviation 0.1. What comes out is in the results.

Brute force is matrix products of NumPy's BLAS. It comes in two kinds, and so does each ratio: one probe at a time, as
at a door, where the million vectors are read from memory for each; and all probes together, where products of matrices
read them once for many. The indexes are those of ``facelib.Gallery``, called as it calls them, exact comparison of the
candidates included. HNSW is built on --graph rows only: its graph takes minutes for a hundred thousand rows.

Times are processor time of one thread, so that what else the machine does counts little. Memory of an index is what its
codes, graph and centres take; the vectors themselves, which a gallery holds anyway, come on top.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # before NumPy is imported

import numpy as np  # noqa: E402

from facelib.evaluate.ranking import wilson  # noqa: E402
from facelib.gallery.index import build, load_faiss, settings_of  # noqa: E402

RECORD = Path(__file__).parents[1] / "facelib" / "records" / "search.json"
SIZE = 512
ALONE = 25  # probes that are searched one at a time

# Kind, settings, and the values that one of them takes in turn.
SWEEPS: list[tuple[str, dict[str, int], str, list[int]]] = [
    ("ivf", {"lists": 64, "bytes": 32}, "probes", [4, 8, 16, 24, 32, 40, 48, 64]),
    ("ivf", {"lists": 64, "bytes": 64}, "probes", [8, 16, 32, 48, 64]),
    ("ivf", {"lists": 256, "bytes": 0}, "probes", [4, 16, 64]),
]
GRAPH: list[tuple[str, dict[str, int], str, list[int]]] = [
    ("hnsw", {"links": 32, "build": 80}, "search", [16, 64, 256, 512]),
    ("ivf", {"lists": 64, "bytes": 64}, "probes", [16, 32, 48, 64]),
]


def directions(count: int, random: np.random.Generator) -> np.ndarray:
    """Unit float32 (count, 512), a block at a time."""
    spread = np.sqrt(1 / (1 + np.arange(SIZE, dtype=np.float32) / 20))
    rows = np.empty((count, SIZE), dtype=np.float32)
    for start in range(0, count, 8192):
        block = random.standard_normal((min(8192, count - start), SIZE), dtype=np.float32) * spread
        rows[start : start + 8192] = block / np.linalg.norm(block, axis=1, keepdims=True)
    return rows


def probes_of(rows: np.ndarray, random: np.random.Generator) -> np.ndarray:
    c = random.normal(0.7, 0.1, (len(rows), 1)).clip(0.1, 0.95).astype(np.float32)
    mixed = c * rows + np.sqrt(1 - c**2) * directions(len(rows), random)
    return mixed / np.linalg.norm(mixed, axis=1, keepdims=True)


def size_of(kind: str, index: Any) -> int:
    """Bytes of the index: copies or codes of the rows with their numbers, centres, neighbours."""
    inner = index.index
    if kind == "hnsw":
        return inner.ntotal * (4 * SIZE + 8) + 4 * inner.hnsw.neighbors.size()
    return inner.ntotal * (inner.code_size + 8) + 4 * SIZE * inner.nlist


def processor(run: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def timed(search: Callable[[np.ndarray], np.ndarray], probes: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Milliseconds a probe, alone (median) and together, and what was found."""
    search(probes[:2])
    alone = [1000 * processor(lambda k=k: search(probes[k : k + 1]))[0] for k in range(ALONE)]
    together, found = processor(lambda: search(probes))
    return statistics.median(alone), 1000 * together / len(probes), found


def brute_force(rows: np.ndarray, probes: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
    """One probe: a matrix times a vector. Many: blocks of the matrix times the probes, and the running best."""

    def search(some: np.ndarray) -> np.ndarray:
        if len(some) == 1:
            return (rows @ some[0]).argmax(keepdims=True)
        best, who = np.full(len(some), -np.inf, dtype=np.float32), np.zeros(len(some), dtype=np.int64)
        for start in range(0, len(rows), 8192):
            scores = some @ rows[start : start + 8192].T
            top = scores.argmax(1)
            value = scores[np.arange(len(some)), top]
            who[value > best] = top[value > best] + start
            best = np.maximum(best, value)
        return who

    alone, together, found = timed(search, probes)
    return {"alone, ms": round(alone, 3), "together, ms": round(together, 3)}, found


def sweep(
    case: tuple[str, dict[str, int], str, list[int]], rows: np.ndarray, probes: np.ndarray, brute: Any, truth: Any
) -> list[dict[str, Any]]:
    kind, settings, knob, values = case
    seconds, index = processor(lambda: build(kind, rows, settings_of(kind, {**settings, knob: values[-1]})))
    found = []
    for value in values:
        if kind == "hnsw":
            index.index.hnsw.efSearch = value
        else:
            index.index.nprobe = value
        alone, together, who = timed(lambda some: index.search(some, 1)[1][:, 0], probes)
        right = float((who == truth).mean())
        found.append({
            "index": kind, **settings, knob: value, "rows": len(rows),
            "recall@1": round(right, 4), "interval": [round(end, 4) for end in wilson(right, len(truth))],
            "alone, ms": round(alone, 3), "together, ms": round(together, 3),
            "times brute force alone": round(brute["alone, ms"] / alone, 1),
            "times brute force together": round(brute["together, ms"] / together, 1),
            "built in s": round(seconds, 1), "MB beyond the vectors": round(size_of(kind, index) / 1e6),
        })  # fmt: skip
        print(json.dumps(found[-1]), flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--graph", type=int, default=50_000, help="rows that HNSW is built on (default: 50000)")
    parser.add_argument("--probes", type=int, default=500)
    options = parser.parse_args()
    faiss, random = load_faiss(), np.random.default_rng(0)
    faiss.omp_set_num_threads(1)
    options.graph = min(options.graph, options.rows)
    rows = directions(options.rows, random)
    own = random.choice(options.graph, options.probes, replace=False)  # so that the small gallery has them, too
    probes = probes_of(rows[own], random)
    strangers = probes[:100] @ rows[-10_000:].T
    record: dict[str, Any] = {
        "rows": options.rows, "size": SIZE, "probes": options.probes, "threads": 1, "searched alone": ALONE,
        "cosine of a probe and its person": [round(float(x), 3) for x in _moments((probes * rows[own]).sum(1))],
        "cosine of strangers": [round(float(x), 3) for x in _moments(strangers)],
        "numpy": np.__version__, "faiss": faiss.__version__, "python": platform.python_version(), "brute force": [],
        "results": [],
    }  # fmt: skip
    for count, cases in ((options.rows, SWEEPS), (options.graph, GRAPH)):
        brute, truth = brute_force(rows[:count], probes)
        brute = {"rows": count, **brute, "finds the person": round(float((truth == own).mean()), 4)}
        print(json.dumps(brute), flush=True)
        record["brute force"].append(brute)
        for case in cases:
            record["results"] += sweep(case, rows[:count], probes, brute, truth)
    unit = 1 if sys.platform == "darwin" else 1024
    record["peak of the process, GB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9, 2)
    if options.rows >= 1_000_000:
        RECORD.parent.mkdir(exist_ok=True)
        RECORD.write_text(json.dumps(record, indent=1) + "\n")
    else:
        print(json.dumps({key: value for key, value in record.items() if key != "results"}, indent=1))


def _moments(values: np.ndarray) -> tuple[float, float]:
    return float(values.mean()), float(values.std())


if __name__ == "__main__":
    main()
