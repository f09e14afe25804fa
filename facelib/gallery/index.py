"""Which rows are most like a probe: by looking at all of them, or with FAISS at those that matter."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import FaceLibError

ROWS, PROBES = 8192, 512
"""Rows and probes that are multiplied at once: 16 MB of products."""

GATHERED = 1 << 24
"""Numbers of candidates that are compared exactly at once: 64 MB."""

SETTINGS: dict[str, dict[str, int]] = {
    "exact": {},
    "flat": {},
    "hnsw": {"links": 32, "build": 80, "search": 256},
    "ivf": {"lists": 64, "probes": 64, "bytes": 32, "rerank": 64},
}
"""Kinds of index and what can be set, with defaults.

hnsw: neighbours of each row in the graph, and how many candidates are kept while building and while searching.
ivf: lists that the rows are sorted into, how many of them are looked at, bytes that stand for a row while lists are
looked through (a product quantiser's code; 0: the row itself), and how many of the best codes are compared exactly.
Faces of strangers lie in all directions, so lists left out cost recall soon, while short codes for everybody cost
little: that is why the default looks at all lists. ``benchmarks/search.py`` measures both.
"""

LIMITS = {"links": (2, 1 << 10), "bytes": (0, 1 << 20)}
"""Least and most of a setting, 1 and 2^20 of those not named here: beyond that FAISS ends the process or the memory."""

FEW = 40
"""Fewer rows than that are looked through, whatever the index: there is nothing to learn lists or codes from."""

Found = tuple[np.ndarray, np.ndarray]


def settings_of(kind: str, changes: Mapping[str, int] | None) -> dict[str, int]:
    """All settings of a kind of index, checked."""
    if kind not in SETTINGS:
        raise FaceLibError(f"index={kind!r}: choose {', '.join(SETTINGS)}")
    changes = dict(changes or {})
    for name, value in changes.items():
        if name not in SETTINGS[kind]:
            known = ", ".join(SETTINGS[kind]) or "none"
            raise FaceLibError(f'settings: index="{kind}" has no {name!r}; known are: {known}')
        least, most = LIMITS.get(name, (1, 1 << 20))
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise FaceLibError(f"settings: {name}={value!r} is no count from {least} to {most:,}")
    return {**SETTINGS[kind], **changes}


def build(kind: str, rows: np.ndarray, settings: Mapping[str, int]) -> Exact | Faiss:
    """An index of unit float32 (P, D) for searching."""
    return Exact(rows) if kind == "exact" or len(rows) < FEW else Faiss(kind, rows, settings)


class Exact:
    """Every probe is multiplied with every row. Of equal scores the earlier row comes first."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows

    def search(self, probes: np.ndarray, k: int) -> Found:
        """Scores float32 (N, k), falling, and rows int64 (N, k); ``k`` at most the number of rows."""
        parts = [self._some(probes[start : start + PROBES], k) for start in range(0, len(probes), PROBES)]
        if not parts:
            return np.empty((0, k), dtype=np.float32), np.empty((0, k), dtype=np.int64)
        scores, rows = (np.concatenate(part) for part in zip(*parts, strict=True))
        return scores, rows

    def _some(self, probes: np.ndarray, k: int) -> Found:
        count = len(probes)
        best = np.full((count, k), -np.inf, dtype=np.float32)
        where = np.full((count, k), len(self.rows), dtype=np.int64)  # after all rows, until one is found
        for start in range(0, len(self.rows) if k else 0, ROWS):
            scores = probes @ self.rows[start : start + ROWS].T
            bar = best[:, -1]
            if scores.shape[1] > k and np.isneginf(bar).any():
                bar = np.maximum(bar, np.partition(scores, -k, axis=1)[:, -k])
            probe, column = np.nonzero(scores >= bar[:, None])
            probe_all = np.concatenate([np.repeat(np.arange(count), k), probe])
            score_all = np.concatenate([best.ravel(), scores[probe, column]])
            row_all = np.concatenate([where.ravel(), column + start])
            order = np.lexsort((row_all, -score_all, probe_all))
            first = np.searchsorted(probe_all[order], np.arange(count))  # each probe has at least its k old ones
            keep = order[first[:, None] + np.arange(k)]
            best, where = score_all[keep], row_all[keep]
        return best, where


class Faiss:
    """FAISS finds candidates; their scores are then computed exactly and ordered as ``Exact`` does."""

    def __init__(self, kind: str, rows: np.ndarray, settings: Mapping[str, int]) -> None:
        faiss = load_faiss()
        self.rows, size = rows, rows.shape[1]
        self.rerank = 0
        if kind == "flat":
            self.index = faiss.IndexFlatIP(size)
        elif kind == "hnsw":
            self.index = faiss.IndexHNSWFlat(size, settings["links"], faiss.METRIC_INNER_PRODUCT)
            self.index.hnsw.efConstruction, self.index.hnsw.efSearch = settings["build"], settings["search"]
        else:
            self.index = self._inverted(faiss, settings)
        self.index.add(rows)

    def _inverted(self, faiss: Any, settings: Mapping[str, int]) -> Any:
        count, size = self.rows.shape
        lists = min(settings["lists"], count // FEW)
        coarse, metric = faiss.IndexFlatIP(size), faiss.METRIC_INNER_PRODUCT
        if settings["bytes"]:
            # Pieces of a row, of four bits each, all as long.
            pieces = next(pieces for pieces in range(min(2 * settings["bytes"], size), 0, -1) if size % pieces == 0)
            index = faiss.IndexIVFPQFastScan(coarse, size, lists, pieces, 4, metric)
            self.rerank = settings["rerank"]
        else:
            index = faiss.IndexIVFFlat(coarse, size, lists, metric)
        index.own_fields = False
        self.coarse = coarse  # FAISS does not keep it alive
        index.cp.niter, index.cp.max_points_per_centroid, index.cp.min_points_per_centroid = 10, 64, 1
        index.train(self.rows)
        index.nprobe = min(settings["probes"], lists)
        return index

    def search(self, probes: np.ndarray, k: int) -> Found:
        """As of ``Exact``; where fewer rows are found, scores -inf and row -1 stand at the end."""
        scores = np.empty((len(probes), k), dtype=np.float32)
        rows = np.empty((len(probes), k), dtype=np.int64)
        candidates = min(max(k, self.rerank), len(self.rows))
        step = max(1, GATHERED // (candidates * self.rows.shape[1]))
        for start in range(0, len(probes), step):
            some = slice(start, start + step)
            part = probes[some]
            found = self.index.search(part, candidates)[1]
            exact = np.einsum("nd,nkd->nk", part, self.rows[found.clip(min=0)])
            exact[found < 0] = -np.inf
            order = np.lexsort((found, -exact))[:, :k]
            scores[some] = np.take_along_axis(exact, order, 1)
            rows[some] = np.take_along_axis(found, order, 1)
        return scores, rows


def load_faiss() -> Any:
    """The module, or an error that says how to get it."""
    try:
        return importlib.import_module("faiss")
    except ImportError as error:
        raise FaceLibError(
            'this index needs FAISS; run: pip install "facelib[search]" or take index="exact"'
        ) from error
