"""More people, or more pictures of each: what a small network learns from subsets of ``standard``, at the same budget.

    python benchmarks/scaling.py --lfw lfw_devtest        writes facelib/records/scaling.json, in half an hour of a core

50 to 800 people with 16 pictures each, and 200 people with 4 to 24 pictures each. Every network is shown the same
number of pictures, so a small subset is repeated more often; a larger one holds the smaller ones. Judged are 100
synthetic people of the test split (easy and hard pairs) and, where ``--lfw`` names a folder with LFW's
``pairsDevTest.txt`` and ``images/``, real pairs, found and aligned by facelib. Raw pixels are the floor. Accuracy is
that of the ten-fold protocol; the area under the curve counts all pairs of all faces and moves less by chance. Each
seed is another network on the same pictures; runs that are in the record are not repeated.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recognition.judging import RealPairs, Unseen, area_of_all, pixels, resume
from recognition.training import Training, embed, to_input, train

from facelib import records
from facelib.synth import Dataset, load_dataset
from facelib.synth.dataset import VERSION

RESULTS = Path(records.__file__).parent / "scaling.json"  # lesson 10 shows it
PEOPLE, SHOTS = (50, 100, 200, 400, 800), (4, 8, 16, 24)
POINTS = [(people, 16) for people in PEOPLE] + [(200, shots) for shots in SHOTS if shots != 16]
BUDGET = 32_000


def subset(data: Dataset, people: int, shots: int) -> np.ndarray:
    """Rows of the first ``shots`` pictures of the first ``people`` people."""
    each = len(data) // data.people
    return np.flatnonzero((data.labels < people) & (np.arange(len(data)) % each < shots))


def judge(vectors: Callable[[np.ndarray], np.ndarray], real: RealPairs | None, unseen: Unseen) -> dict[str, float]:
    """Figures in percent."""
    row = unseen.judge(vectors)
    for name, data in (("easy", unseen.easy), ("hard", unseen.hard)):
        row[f"{name} area of all pairs"] = round(100 * area_of_all(vectors(data.images), data.labels), 2)
    return row | (real.judge(vectors(real.crops)) if real else {})


def run(data: Dataset, rows: np.ndarray, how: Training, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    """Train one network; pictures -> unit vectors."""
    net = train(to_input(data.images[rows], how.side), torch.from_numpy(data.labels[rows]), how, seed)
    return lambda pictures: embed(net, to_input(pictures, how.side), how)


def settings(how: Training, real: RealPairs | None, unseen: Unseen) -> dict[str, Any]:
    """What all runs share: the budget, the versions, the floor, and how many pairs each figure counts."""
    pairs = {"unseen easy": len(unseen.pairs[0].same), "unseen hard": len(unseen.pairs[1].same)}
    return {
        "shown": how.pictures, "batch": how.batch, "renderer": VERSION, "torch": str(torch.__version__),
        "python": platform.python_version(), "pairs": pairs | ({"real": len(real)} if real else {}),
        "floor": judge(pixels, real, unseen),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lfw", type=Path, help="folder with pairsDevTest.txt and images/")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="one network for each (default: 0 1)")
    parser.add_argument("--pictures", type=int, default=BUDGET, help="shown to each network (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads; results do not depend on them much")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where to write (default: %(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    how = Training(pictures=options.pictures)
    real, unseen, data = RealPairs(options.lfw) if options.lfw else None, Unseen(), load_dataset("standard")
    record = resume(options.results)
    if record.get("shown", how.pictures) != how.pictures:
        parser.error(f"{options.results} is of {record['shown']} pictures a network; name another --results")
    record |= settings(how, real, unseen)
    done = {(row["people"], row["pictures of each"], row["seed"]) for row in record["rows"]}
    for seed in options.seeds:
        for people, shots in POINTS:
            if (people, shots, seed) in done:
                continue
            vectors = run(data, subset(data, people, shots), how, seed)
            row = {"people": people, "pictures of each": shots, "seed": seed} | judge(vectors, real, unseen)
            record["rows"].append(row)
            options.results.write_text(json.dumps(record, indent=1) + "\n")
            print(row, flush=True)


if __name__ == "__main__":
    main()
