"""What exporting costs and saves: size, time and accuracy of the shipped network as ONNX in 32, 16 and 8 bits.

    python benchmarks/export.py --lfw lfw_devtest        writes facelib/records/export.json

Time is that of one crop at a time and of batches of 32, on one thread, from preprocessed pixels to the embedding. The
networks take turns, round after round, so that a busy moment hits all of them; figures are medians, and the ones to
read are their ratios to PyTorch. Accuracy is judged as in ``weights.py``, with 95 % intervals over pairs. Processors
that multiply many whole numbers at once (VNNI on x86) gain more from eight bits; the record says whether this one does.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from recognition.judging import RealPairs, Unseen, judge_all
from tqdm import tqdm

from facelib import Embedder, export, records
from facelib.export.quantise import entry_of
from facelib.synth.dataset import VERSION
from facelib.synth.pairs import RULE

RESULTS = Path(records.__file__).parent / "export.json"
NAME, BATCH = "mobilefacenet-synth", 32
Forward = Callable[[np.ndarray], Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lfw", type=Path, help="folder with pairsDevTest.txt and images/")
    parser.add_argument("--rounds", type=int, default=15, help="how often each is timed (default: 15)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where to write (default: %(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    real, unseen = RealPairs(options.lfw) if options.lfw else None, Unseen()
    with tempfile.TemporaryDirectory() as folder:
        files = {p: Path(folder) / f"{p}.onnx" for p in export.LIMITS}
        made = {p: export.export_embedder(NAME, file, p) for p, file in files.items()}
        embedders = {"PyTorch": Embedder.load(NAME)} | {p: Embedder.load(file) for p, file in files.items()}
        forwards: dict[str, Forward] = {"PyTorch": embedders["PyTorch"].forward}
        forwards |= {precision: on_one_thread(file) for precision, file in files.items()}
    pixels = embedders["PyTorch"].preprocess(unseen.easy.images[:BATCH])
    alone = times(forwards, pixels[:1], options.rounds)
    together = times(forwards, pixels, options.rounds)
    rows = []
    for name, embed in embedders.items():
        row: dict[str, Any] = {"name": name, "MB": round(weight(made, name) / 1e6, 3)}
        row |= {"ms alone": round(alone[name], 2), "ms in a batch": round(together[name] / BATCH, 2)}
        row |= {"times PyTorch": round(alone["PyTorch"] / alone[name], 2),
                "times PyTorch in a batch": round(together["PyTorch"] / together[name], 2)}  # fmt: skip
        if name in made:
            row |= {
                "lowest cosine": round(made[name].parity.lowest, 5),
                "pairs move": round(made[name].parity.pairs, 5),
            }
        rows.append(row | judge_all(embed, real, unseen))
        print(rows[-1])
    record = {
        "renderer": VERSION, "rule of hard pairs": RULE, "batch": BATCH, "rounds": options.rounds, "threads": 1,
        "VNNI": vnni(), "torch": torch.__version__, "onnxruntime": onnxruntime.__version__,
        "python": platform.python_version(), "rows": rows,
    }  # fmt: skip
    options.results.write_text(json.dumps(record, indent=1) + "\n")


def weight(made: dict[str, export.Exported], name: str) -> int:
    """Bytes of the file; for PyTorch those of the weights that the package carries."""
    from facelib.embedder import place

    if name in made:
        return made[name].size
    with place(NAME) as path:
        return path.stat().st_size


def on_one_thread(file: Path) -> Forward:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    entry = entry_of(file.read_bytes())
    return lambda pixels: session.run(None, {entry: pixels})


def times(forwards: dict[str, Forward], pixels: np.ndarray, rounds: int) -> dict[str, float]:
    """Median milliseconds of a call."""
    seen: dict[str, list[float]] = {name: [] for name in forwards}
    for number in tqdm(range(rounds + 2), desc=f"{len(pixels)} at a time", unit="round"):
        for name, forward in forwards.items():
            start = time.perf_counter()
            forward(pixels)
            if number >= 2:  # the first two warm up
                seen[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in seen.items()}


def vnni() -> bool | None:
    """Whether the processor says that it multiplies whole numbers of eight bits many at a time; None if unknown."""
    try:
        return "vnni" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return None


if __name__ == "__main__":
    main()
