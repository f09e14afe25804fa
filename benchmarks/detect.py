"""facelib's MTCNN against facenet-pytorch's: same weights, settings, pictures and machine, in turns.

    python benchmarks/detect.py            prints a table and writes benchmarks/results/detect.json

Both detectors see the same RGB arrays, with their own best way of taking several at once: facenet-pytorch wants
pictures of one size, facelib any. They run in alternation, so that a busy moment of the machine hits both; the
figure to read is the ratio of the medians.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import facenet_pytorch
import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from facelib import MTCNN, samples

RESULTS = Path(__file__).parent / "results" / "detect.json"


def cases() -> dict[str, list[np.ndarray]]:
    """Name -> pictures handed over in one call."""
    group, astronaut = samples.group(), samples.astronaut()
    return {
        "astronaut, 512 x 512": [astronaut],
        "group, 1280 x 720": [group],
        "group, 1920 x 1080": [cv2.resize(group, (1920, 1080), interpolation=cv2.INTER_CUBIC)],
        "batch of 12, 300 x 300": [picture for _, picture in samples.people()],
    }


def seconds(run: Callable[[], object]) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(rounds: int, device: str) -> list[dict[str, object]]:
    ours = MTCNN(device=device)
    theirs = facenet_pytorch.MTCNN(keep_all=True, min_face_size=20, post_process=False, device=device)
    rows = []
    for name, pictures in tqdm(cases().items(), unit="case"):
        pil = [Image.fromarray(picture) for picture in pictures]
        found, expected = ours.detect_batch(pictures), theirs.detect(pil, landmarks=True)[0]
        assert [len(faces) for faces in found] == [len(boxes) for boxes in expected], "not the same work"
        times: dict[str, list[float]] = {"facelib": [], "facenet-pytorch": []}
        for _ in range(rounds):
            times["facelib"].append(seconds(lambda: ours.detect_batch(pictures)))  # noqa: B023
            times["facenet-pytorch"].append(seconds(lambda: theirs.detect(pil, landmarks=True)))  # noqa: B023
        medians = {who: statistics.median(values) for who, values in times.items()}
        rows.append(
            {
                "case": name,
                "faces": sum(map(len, found)),
                **{f"{who} (ms)": round(1000 * value, 1) for who, value in medians.items()},
                "ratio": round(medians["facenet-pytorch"] / medians["facelib"], 2),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="repetitions of each case (default: 15)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: 2)")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = measure(options.rounds, options.device)
    record = {
        "threads": options.threads, "device": options.device, "rounds": options.rounds,
        "torch": torch.__version__, "python": platform.python_version(), "rows": rows,
    }  # fmt: skip
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
