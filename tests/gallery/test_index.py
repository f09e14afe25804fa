"""The nearest people against a sorted list of all, searched one by one and with faiss."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from facelib import FaceLibError, Gallery
from facelib.evaluate import identification
from facelib.gallery import index
from tests.gallery.helpers import crowd, enrolled, template


@pytest.mark.parametrize("k", [1, 2, 5, 20, 50])
def test_search_sorts_everybody(k, monkeypatch):
    monkeypatch.setattr(index, "ROWS", 6)
    monkeypatch.setattr(index, "PROBES", 4)
    vectors = crowd(1)
    gallery, probes = enrolled(vectors), np.random.default_rng(2).normal(size=(11, 16))
    names, scores = gallery.search(probes, k)
    assert scores.shape == (11, min(k, 20)) and scores.dtype == np.float32
    for row, probe in enumerate(probes):
        unit = probe / math.sqrt(sum(probe**2))
        cosine = {f"person {p}": sum(unit * template(vectors[p], [1, 1, 1])) for p in range(20)}
        order = sorted(cosine, key=lambda name: -cosine[name])[:k]
        assert names[row] == order and np.allclose(scores[row], [cosine[name] for name in order], atol=1e-6)
    single, score = gallery.search(probes[3], k)
    assert single == names[3] and np.allclose(score, scores[3], atol=1e-6)


@pytest.mark.parametrize("rows", [3, 8192])
def test_of_equal_scores_who_came_first_is_first(rows, monkeypatch):
    monkeypatch.setattr(index, "ROWS", rows)
    gallery = Gallery()
    for k in range(9):
        gallery.enrol(f"p{k}", np.eye(4)[k % 3])
    names, scores = gallery.search(np.eye(4), k=5)
    assert names == [
        ["p0", "p3", "p6", "p1", "p2"],
        ["p1", "p4", "p7", "p0", "p2"],
        ["p2", "p5", "p8", "p0", "p1"],
        ["p0", "p1", "p2", "p3", "p4"],
    ]
    assert scores[0].tolist() == [1, 1, 1, 0, 0]


def test_search_is_that_of_identification():
    """The nearest of the gallery is the nearest of the report, templates being means."""
    vectors = crowd(3, pictures=5)
    gallery = enrolled(vectors[:, :3])
    probes, ids = vectors[:, 3:].reshape(-1, 16), np.repeat(np.arange(20), 2)
    report = identification(vectors[:, :3].reshape(-1, 16), np.repeat(np.arange(20), 3), probes, ids, templates="mean")
    names, scores = gallery.search(probes)
    assert [name for (name,) in names] == [f"person {k}" for k in report.best]
    assert np.allclose(scores[:, 0], report.best_scores, atol=1e-6)


def test_odd_searches():
    gallery = enrolled(crowd(0))
    for probes, words in (
        (np.full(16, np.nan), "holds NaN"),
        (np.zeros((1, 16)), "length 0"),
        (np.ones(3), "rows of 3"),
    ):
        with pytest.raises(FaceLibError, match=f"embeddings: .*{words}"):
            gallery.search(probes)
    with pytest.raises(FaceLibError, match="k=0"):
        gallery.search(np.ones(16), k=0)
    for options, words in (
        ({"index": "tree"}, "index='tree': choose exact, flat, hnsw, ivf"),
        ({"index": "hnsw", "settings": {"lists": 3}}, "index=\"hnsw\" has no 'lists'; known are: links, build, search"),
        ({"settings": {"lists": 3}}, "known are: none"),
        ({"index": "ivf", "settings": {"probes": 0}}, "probes=0 is no count"),
        ({"index": "ivf", "settings": {"bytes": 1.5}}, "bytes=1.5 is no count"),
        ({"index": "ivf", "settings": {"bytes": -1}}, "bytes=-1 is no count from 0 to 1,048,576"),
        ({"index": "hnsw", "settings": {"links": 1}}, "links=1 is no count from 2 to 1,024"),
        ({"index": "hnsw", "settings": {"links": 1025}}, "links=1025 is no count from 2 to 1,024"),
    ):
        with pytest.raises(FaceLibError, match=words):
            Gallery(**options)


def test_faiss_is_asked_for_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)  # what an import of a missing module looks like
    gallery = enrolled(crowd(0, people=50), index="flat")
    with pytest.raises(FaceLibError, match=r'pip install "facelib\[search\]" or take index="exact"'):
        gallery.search(np.ones(16))
    assert enrolled(crowd(0)).search(np.ones(16))[1].shape == (1,)


SETTINGS = [
    ("flat", {}),
    ("hnsw", {"search": 300}),
    ("ivf", {"lists": 8, "probes": 8, "bytes": 0}),
    ("ivf", {"lists": 4, "probes": 4, "bytes": 2, "rerank": 300}),
    ("ivf", {}),
]


@pytest.mark.parametrize(("kind", "settings"), SETTINGS)
def test_faiss_finds_whom_the_loop_finds(kind, settings):
    """With settings that look at everybody; those of the last row must find the person, who is near."""
    vectors = crowd(14, people=300, pictures=4)
    gallery = enrolled(vectors[:, :3], index=kind, settings=settings)
    exact = enrolled(vectors[:, :3])
    probes = vectors[:70, 3]
    k = 5 if settings else 1
    names, scores = gallery.search(probes, k)
    expected, cosines = exact.search(probes, k)
    agree = np.mean([a == b for a, b in zip(names, expected, strict=True)])
    assert agree == 1 if settings else agree > 0.95
    assert np.allclose(scores[scores == cosines], cosines[scores == cosines])
    if settings:
        assert np.allclose(scores, cosines, atol=1e-6)
    gallery.remove(expected[0][0])
    assert expected[0][0] not in gallery.search(probes[0], k)[0]


def test_faiss_orders_equal_scores_and_tells_when_it_finds_few():
    gallery = Gallery(index="ivf", settings={"lists": 2, "probes": 1, "bytes": 0})
    for k in range(80):  # two heaps; in each, two pictures are the same
        gallery.enrol(f"p{k}", np.eye(2)[k % 2] if k < 4 else np.eye(2)[k % 2] + 0.001 * k * np.ones(2))
    names, scores = gallery.search(np.eye(2), k=80)
    assert names[0][:2] == ["p0", "p2"] and names[1][:2] == ["p1", "p3"]
    assert names[0][40:] == [None] * 40 and np.isneginf(scores[0, 40:]).all() and np.isfinite(scores[0, :40]).all()
    gallery.threshold = 0.5
    assert gallery.identify(np.eye(2)) == ["p0", "p1"]


@pytest.mark.parametrize("size", [12, 17, 64])
def test_codes_fit_rows_of_any_length(size):
    """17 is prime: one piece, a code of four bits, and all is left to the exact comparison."""
    vectors = crowd(16, people=90, pictures=1, size=size)[:, 0]
    gallery = enrolled(vectors[:, None], index="ivf", settings={"rerank": 90})
    assert gallery.search(vectors)[0] == [[f"person {k}"] for k in range(90)]


def test_few_people_need_no_index():
    for kind in ("flat", "hnsw", "ivf"):
        gallery = enrolled(crowd(0, people=1), index=kind)
        assert gallery.search(crowd(0, people=1)[0, 0], k=3)[0] == ["person 0"]


def test_an_index_survives_the_file(tmp_path):
    gallery = enrolled(crowd(15, people=100), index="ivf", settings={"lists": 4, "probes": 2, "bytes": 4})
    gallery.save(tmp_path / "people.npz")
    loaded = Gallery.load(tmp_path / "people.npz")
    probes = crowd(15, people=100)[:, 0]
    assert loaded.search(probes, 3)[0] == gallery.search(probes, 3)[0]
