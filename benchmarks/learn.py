"""What ten minutes of two cores teach: a small network trained on ``standard``, judged on people it has not seen.

    python benchmarks/learn.py --lfw lfw_devtest        writes facelib/records/learn.json

The data set (1,000 people, 24 pictures each) is drawn on the first run, in about ten minutes, and kept. Judged are 100
synthetic people of the test split (easy and hard pairs) and, where ``--lfw`` names a folder with LFW's
``pairsDevTest.txt`` and ``images/``, real pairs, found and aligned by facelib, with a 95 % Wilson interval. Raw pixels
are the floor. Each seed is another network; runs that are in the record are not repeated. Time is that of the
processor: 20 minutes of one core are ten of two.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from recognition.judging import RealPairs, Unseen, judge_all, pixels, resume
from recognition.training import Training, embed, network, to_input, train

from facelib import records
from facelib.synth import load_dataset
from facelib.synth.dataset import VERSION

RESULTS = Path(records.__file__).parent / "learn.json"  # lesson 08 shows it
RECIPE = Training(pictures=440_000, widths=(24, 24, 48, 96, 160))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lfw", type=Path, help="folder with pairsDevTest.txt and images/")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="one network for each (default: 0 1)")
    parser.add_argument("--augmentation", nargs="+", default=["mild"], help="see recognition/training.py")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: 2)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where to write (default: %(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    real, unseen = RealPairs(options.lfw) if options.lfw else None, Unseen()
    data = load_dataset("standard")
    x, labels = to_input(data.images, RECIPE.side), torch.from_numpy(data.labels)
    record = resume(options.results)
    record |= {
        "people": data.people, "pictures": len(data), "shown": RECIPE.pictures, "renderer": VERSION,
        "weights": sum(p.numel() for p in network(RECIPE.widths, RECIPE.side).parameters()),
        "torch": torch.__version__, "python": platform.python_version(), "floor": judge_all(pixels, real, unseen),
    }  # fmt: skip
    done = {(row["augmentation"], row["seed"]) for row in record["rows"]}
    for how, seed in ((RECIPE.but(augmentation=name), seed) for seed in options.seeds for name in options.augmentation):
        if (how.augmentation, seed) in done:
            continue
        start = time.process_time()
        net = train(x, labels, how, seed)
        minutes = round((time.process_time() - start) / 60, 1)
        row = {"augmentation": how.augmentation, "seed": seed, "minutes of one core": minutes}
        record["rows"].append(row | judge_all(partial(vectors, net, how), real, unseen))
        options.results.write_text(json.dumps(record, indent=1) + "\n")
        print(record["rows"][-1], flush=True)


def vectors(net: torch.nn.Module, how: Training, images: np.ndarray) -> np.ndarray:
    """Unit vectors of crops."""
    return embed(net, to_input(images, how.side), how)


if __name__ == "__main__":
    main()
