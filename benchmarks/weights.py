"""How good the weights are that facelib carries: on synthetic people they have not seen, and on photographs.

    python benchmarks/weights.py --lfw lfw_devtest

Judged are 100 synthetic people of the test split (easy and hard pairs) and, where ``--lfw`` names a folder with LFW's
``pairsDevTest.txt`` and ``images/``, real pairs, found and aligned by facelib; crops as they are, and with their mirror
images added. The network's row also names the cosine that one in a thousand pairs of strangers passes, over all pairs
of the synthetic people. Raw pixels and HOG are the floor. Intervals are Wilson's, 95 %, over pairs. Writes
facelib/records/weights.json, and the table of the model card, facelib/weights/README.md.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recognition.judging import RealPairs, Unseen, judge_all, pixels

from facelib import Embedder, records
from facelib.synth.dataset import VERSION
from facelib.synth.pairs import RULE

RESULTS = Path(records.__file__).parent / "weights.json"
CARD = Path(records.__file__).parent.parent / "weights" / "README.md"
TABLE = re.compile(r"(<!-- figures -->\n).*?(<!-- end -->)", re.DOTALL)
SETS = {"unseen easy": "synthetic, easy", "unseen hard": "synthetic, hard", "real": "LFW, development test"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lfw", type=Path, help="folder with pairsDevTest.txt and images/")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: 2)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where to write (default: %(default)s)")
    parser.add_argument("--card", type=Path, default=CARD, help="model card to bring up to date (default: %(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    real, unseen = RealPairs(options.lfw) if options.lfw else None, Unseen()
    network, hog = Embedder.load("mobilefacenet-synth"), Embedder.load("hog")
    judged: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "mobilefacenet-synth": network,
        "mobilefacenet-synth, mirror added": lambda crops: mirrored(network, crops),
        "HOG": hog,
        "raw pixels": pixels,
    }
    record = {
        "renderer": VERSION, "rule of hard pairs": RULE, "torch": torch.__version__,
        "python": platform.python_version(),
        "rows": [{"embedder": name} | judge_all(vectors, real, unseen) for name, vectors in judged.items()],
    }  # fmt: skip
    record["rows"][0]["threshold"] = threshold(network, unseen)
    options.results.write_text(json.dumps(record, indent=1) + "\n")
    options.card.write_text(TABLE.sub(lambda found: found[1] + table(record) + found[2], options.card.read_text()))
    print(table(record), end="")


def mirrored(embed: Embedder, crops: np.ndarray) -> np.ndarray:
    """Unit vectors of each crop and its mirror image together."""
    total = embed(crops) + embed(crops[:, :, ::-1])
    return total / np.linalg.norm(total, axis=1, keepdims=True)


def threshold(network: Embedder, unseen: Unseen, far: float = 1e-3) -> dict[str, Any]:
    """The lowest cosine above which no more than ``far`` of all pairs of different people lie."""
    data = unseen.easy
    vectors, (i, j) = network(data.images), np.triu_indices(len(data), 1)
    strangers = data.labels[i] != data.labels[j]
    scores = np.sort((vectors[i[strangers]] * vectors[j[strangers]]).sum(1))[::-1]
    place = int(far * len(scores))
    on = f"{len(scores):,} pairs of pictures of {len(np.unique(data.labels))} rendered people"
    return {"cosine": round(float(scores[place]), 4), "far": far, "on": on}


def table(record: dict[str, Any]) -> str:
    """The rows in Markdown."""
    there = {name: title for name, title in SETS.items() if name in record["rows"][0]}
    lines = ["| accuracy in % (95 % interval) | " + " | ".join(there.values()) + " |", "|---" * (1 + len(there)) + "|"]
    for row in record["rows"]:
        cells = [
            f"{row[name]:.1f} ({row[f'{name} interval'][0]:.1f} to {row[f'{name} interval'][1]:.1f})" for name in there
        ]
        lines.append(f"| {row['embedder']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
