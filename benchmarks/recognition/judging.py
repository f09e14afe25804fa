"""How the scripts judge embeddings: ten folds, the area under the ROC curve, real pairs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from facelib import MTCNN, align, load_image
from facelib.evaluate.ranking import wilson
from facelib.synth import load_dataset, make_pairs
from facelib.synth.pairs import RULE


def resume(path: Path) -> dict[str, Any]:
    """The record so far, with rows to add to; refused where its hard pairs were drawn by another rule than today's."""
    record = json.loads(path.read_text()) if path.exists() else {"rows": [], "rule of hard pairs": RULE}
    if (rule := record.get("rule of hard pairs", 1)) != RULE:
        raise SystemExit(
            f"{path}: hard pairs by rule {rule}, today's is {RULE} (facelib/synth/pairs.py), and its rows would not"
            " compare with new ones; name another --results, or delete it to run all again"
        )
    return record


def accuracy(score: np.ndarray, same: np.ndarray, fold: np.ndarray) -> float:
    """Mean accuracy over the folds, each judged with the threshold that is best on all the others."""
    shares = []
    for k in np.unique(fold):
        rest = fold != k
        order = np.argsort(score[rest])
        ordered, truth = score[rest][order], same[rest][order]
        right = np.concatenate([[truth.sum()], truth.sum() + np.cumsum(1 - 2 * truth.astype(int))])
        best = int(right.argmax())  # so many of the lowest scores are called different
        edges = np.concatenate([[ordered[0] - 1], ordered, [ordered[-1] + 1]])
        threshold = (edges[best] + edges[best + 1]) / 2
        shares.append(((score[~rest] > threshold) == same[~rest]).mean())
    return float(np.mean(shares))


def area(score: np.ndarray, same: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a same pair scores above a different one; ties count half."""
    _, where, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[where]
    positive, negative = same.sum(), (~same).sum()
    return float((rank[same].sum() - positive * (positive + 1) / 2) / (positive * negative))


def area_of_all(embeddings: np.ndarray, names: np.ndarray) -> float:
    """The same over all pairs of N pictures."""
    above = np.triu_indices(len(names), 1)
    return area((embeddings @ embeddings.T)[above], (names[:, None] == names[None])[above])


def pixels(images: np.ndarray) -> np.ndarray:
    """The floor: pictures (N, 112, 112, 3) as unit vectors, nothing learned."""
    flat = images.reshape(len(images), -1).astype(np.float32) - 127.5
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


class RealPairs:
    """LFW's development test from a folder with ``pairsDevTest.txt`` and ``images/Name/Name_0001.jpg``.

    Faces are found and aligned by facelib once; the crops are kept in the temporary folder of the machine.
    """

    def __init__(self, folder: Path) -> None:
        rows = [line.split("\t") for line in (folder / "pairsDevTest.txt").read_text().splitlines()[1:]]
        ends = [((p[0], p[1]), (p[0], p[2])) if len(p) == 3 else ((p[0], p[1]), (p[2], p[3])) for p in rows]
        pictures = sorted({end for pair in ends for end in pair})
        place = {end: k for k, end in enumerate(pictures)}
        self.a, self.b = np.array([[place[a], place[b]] for a, b in ends]).T
        self.same = np.array([len(p) == 3 for p in rows])
        self.names = np.array([name for name, _ in pictures])
        self.fold = np.random.default_rng(0).permutation(len(rows)) % 10  # the file lists same pairs first
        self.crops = self._crops([folder / "images" / n / f"{n}_{int(k):04d}.jpg" for n, k in pictures])

    @staticmethod
    def _crops(files: list[Path]) -> np.ndarray:
        kept = Path(tempfile.gettempdir()) / f"facelib_real_pairs_{len(files)}.npy"
        if kept.exists():
            return np.load(kept)
        mtcnn, crops = MTCNN(), []
        for file in files:
            picture = load_image(file)
            faces = mtcnn.detect(picture)
            # Who is meant stands in the middle of an LFW picture.
            centre = np.array(picture.shape[1::-1]) / 2
            middle = np.abs((faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2 - centre).sum(1)
            found = faces.landmarks[middle.argmin()][None] if len(faces) else None
            crops.append(align(picture, found)[0] if found is not None else cv2.resize(picture, (112, 112)))
        np.save(kept, np.stack(crops))
        return np.stack(crops)

    def __len__(self) -> int:
        return len(self.same)

    def judge(self, embeddings: np.ndarray) -> dict[str, float]:
        """Accuracy and areas, in percent."""
        score = (embeddings[self.a] * embeddings[self.b]).sum(1)
        return {
            "real": round(100 * accuracy(score, self.same, self.fold), 2),
            "real area": round(100 * area(score, self.same), 2),
            "real area of all pairs": round(100 * area_of_all(embeddings, self.names), 2),
        }


class Unseen:
    """100 synthetic people of the test split: pairs drawn at random, and hard ones between shaved look-alikes."""

    def __init__(self) -> None:
        self.easy, self.hard = (load_dataset("mini", "test", hide_hair=shaved) for shaved in (False, True))
        self.pairs = make_pairs(self.easy), make_pairs(self.hard, hard=True)

    def judge(self, embed_images: Callable[[np.ndarray], np.ndarray]) -> dict[str, float]:
        """Accuracy in percent on both sets of pairs."""
        result = {}
        for name, data, pairs in zip(("easy", "hard"), (self.easy, self.hard), self.pairs, strict=True):
            vectors = embed_images(data.images)
            score = (vectors[pairs.a] * vectors[pairs.b]).sum(1)
            result[f"unseen {name}"] = round(100 * accuracy(score, pairs.same, pairs.fold), 2)
        return result


def judge_all(vectors: Callable[[np.ndarray], np.ndarray], real: RealPairs | None, unseen: Unseen) -> dict[str, Any]:
    """Figures on both sets in percent, each accuracy with its 95 % Wilson interval over pairs."""
    row: dict[str, Any] = unseen.judge(vectors)
    counts = {f"unseen {name}": len(pairs.same) for name, pairs in zip(("easy", "hard"), unseen.pairs, strict=True)}
    if real:
        row |= real.judge(vectors(real.crops))
        counts["real"] = len(real)
    for name, count in counts.items():
        row[f"{name} interval"] = [round(100 * end, 1) for end in wilson(row[name] / 100, count)]
    return row
