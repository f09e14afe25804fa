"""Time of verification: facelib's sorted scores against a grid of thresholds, on LFW's protocol.

    python benchmarks/verify.py            prints the figures and writes benchmarks/results/verify.json

Both get the embeddings of 6,000 pairs in ten folds and give what such evaluations report: the accuracy of each fold
with the threshold that is best on the other nine, the ROC curve and its area, and the true accept rate at a false
accept rate of 1e-3. facelib sorts the scores and tries every threshold that makes a difference. The grid is what the
protocol's description suggests and what is widely done: squared Euclidean distances of unit vectors lie in 0 ... 4, so
400 thresholds 0.01 apart are tried for accuracy and curve, and 4,000 thresholds 0.001 apart for the rate, each on the
nine folds that are not tested.

The two take turns; figures are medians of processor time of one thread, which another process hardly lengthens. What
scores cost (ours in float64) and what judging them costs is given apart. First it is checked that both find the same
figures, up to what a grid misses.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # before NumPy is imported

import numpy as np  # noqa: E402

from facelib.evaluate import cosine_scores, verify_scores  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "verify.json"
FAR = 1e-3


def made_up(pairs: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings whose scores overlap a little, folds of 300 same and 300 different pairs as in LFW's list."""
    random = np.random.default_rng(0)
    a, noise = random.normal(size=(2, pairs, size)).astype(np.float32)
    same = np.arange(pairs) % (pairs // 10) < pairs // 20
    share = np.where(same, random.normal(0.55, 0.2, pairs), 0.0)[:, None].astype(np.float32)
    b = share * a + np.sqrt(np.clip(1 - share**2, 0, 1)) * noise
    return tuple(x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b)) + (same,)  # type: ignore[return-value]


def ours(a: np.ndarray, b: np.ndarray, same: np.ndarray) -> list[float]:
    """Accuracy, its deviation, area under the curve, rate."""
    return judged(cosine_scores(a, b), same)


def judged(scores: np.ndarray, same: np.ndarray) -> list[float]:
    report = verify_scores(scores, same, folds=10)
    return [report.accuracy, report.std, report.auc, report.tar_at(FAR)]


def grid(a: np.ndarray, b: np.ndarray, same: np.ndarray) -> list[float]:
    """The same, by trying thresholds."""
    return tried(((a - b) ** 2).sum(1), same)


def tried(distance: np.ndarray, same: np.ndarray) -> list[float]:
    fold = np.arange(len(same)) * 10 // len(same)
    coarse, fine = np.arange(0, 4, 0.01), np.arange(0, 4, 0.001)
    accuracies, rates, curve = [], [], np.zeros((2, len(coarse)))
    for k in range(10):
        d, truth = distance[fold != k], same[fold != k]
        best = coarse[int(np.argmax([((d < threshold) == truth).mean() for threshold in coarse]))]
        allowed = max(threshold for threshold in fine if (d[~truth] < threshold).mean() <= FAR)
        d, truth = distance[fold == k], same[fold == k]
        accuracies.append(((d < best) == truth).mean())
        rates.append((d[truth] < allowed).mean())
        curve += [[(d[kind] < threshold).mean() / 10 for threshold in coarse] for kind in (~truth, truth)]
    area = float(np.trapezoid(curve[1], curve[0]))
    return [float(np.mean(accuracies)), float(np.std(accuracies)), area, float(np.mean(rates))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=6000)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    data = made_up(options.pairs, options.size)
    found, expected = ours(*data), grid(*data)
    assert np.allclose(found, expected, atol=(0.002, 0.002, 0.002, 0.03)), (found, expected)
    scores, distance = cosine_scores(*data[:2]), ((data[0] - data[1]) ** 2).sum(1)
    kinds = {
        "facelib": lambda: ours(*data),
        "facelib, scores given": lambda: judged(scores, data[2]),
        "grid": lambda: grid(*data),
        "grid, distances given": lambda: tried(distance, data[2]),
    }
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(options.rounds):
        for kind, run in kinds.items():
            start = time.process_time()
            run()
            seconds[kind].append(time.process_time() - start)
    medians = {kind: statistics.median(values) for kind, values in seconds.items()}
    names = ("accuracy", "deviation", "area under ROC", f"TAR at FAR {FAR:g}")
    record = {
        "pairs": options.pairs, "size": options.size, "folds": 10, "threads": 1, "rounds": options.rounds,
        "numpy": np.__version__, "python": platform.python_version(),
        "facelib": {name: round(value, 5) for name, value in zip(names, found, strict=True)},
        "grid": {name: round(value, 5) for name, value in zip(names, expected, strict=True)},
        "ms": {kind: round(1000 * value, 2) for kind, value in medians.items()},
        "fastest, ms": {kind: round(1000 * min(values), 2) for kind, values in seconds.items()},
        "times as fast as the grid": round(medians["grid"] / medians["facelib"], 1),
        "times as fast, scores given": round(medians["grid, distances given"] / medians["facelib, scores given"], 1),
    }  # fmt: skip
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
