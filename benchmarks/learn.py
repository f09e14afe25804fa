"""What ten minutes of two cores teach: a small network trained on ``standard``, judged on people it has not seen.

    python benchmarks/learn.py --lfw lfw_devtest        writes facelib/records/learn.json

The data set (1,000 people, 24 pictures each) is drawn on the first run, in about ten minutes, and kept. Judged are 100
synthetic people of the test split (easy and hard pairs) and, where ``--lfw`` names a folder with LFW's
``pairsDevTest.txt`` and ``images/``, real pairs, found and aligned by facelib, with a 95 % Wilson interval. Raw pixels
are the floor. Each seed is another network.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path

import numpy as np
import torch
from recognition.judging import RealPairs, Unseen, interval, pixels
from recognition.training import Training, embed, network, to_input, train

from facelib import records
from facelib.synth import load_dataset
from facelib.synth.dataset import VERSION

RESULTS = Path(records.__file__).parent / "learn.json"  # lesson 08 shows it
RECIPE = Training(pictures=240_000, widths=(24, 24, 48, 96, 160), augmentation="strong")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lfw", type=Path, help="folder with pairsDevTest.txt and images/")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="one network for each (default: 0 1)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: 2)")
    parser.add_argument("--pictures", type=int, default=RECIPE.pictures, help="shown in all (default: %(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    how, unseen = RECIPE.but(pictures=options.pictures), Unseen()
    real = RealPairs(options.lfw) if options.lfw else None
    data = load_dataset("standard")
    x, labels = to_input(data.images, how.side), torch.from_numpy(data.labels)

    def judge(vectors, seconds: float | None = None) -> dict[str, object]:  # type: ignore[no-untyped-def]
        row: dict[str, object] = {**unseen.judge(vectors)} | ({"seconds": round(seconds)} if seconds else {})
        if real:
            row |= real.judge(vectors(real.crops))
            row["real interval"] = [round(100 * end, 1) for end in interval(float(row["real"]) / 100, len(real))]  # type: ignore[arg-type]
        return row

    rows = []
    for seed in options.seeds:
        start = time.perf_counter()
        net = train(x, labels, how, seed)
        seconds = time.perf_counter() - start

        def vectors(images: np.ndarray, net: torch.nn.Module = net) -> np.ndarray:
            return embed(net, to_input(images, how.side), how)

        rows.append({"seed": seed, **judge(vectors, seconds)})
        print(rows[-1], flush=True)
    record = {
        "people": data.people, "pictures": len(data), "shown": how.pictures, "renderer": VERSION,
        "weights": sum(p.numel() for p in network(how.widths, how.side).parameters()),
        "threads": options.threads, "torch": torch.__version__, "python": platform.python_version(),
        "floor": judge(pixels), "rows": rows,
    }  # fmt: skip
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
