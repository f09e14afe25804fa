"""The gallery against loops over people, and what happens to its file when something goes wrong."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch

import facelib
from facelib import Embedder, FaceLibError, Gallery, Preprocess
from facelib.evaluate import identification
from facelib.gallery import calibration, index, store

FAISS = pytest.mark.skipif(importlib.util.find_spec("faiss") is None, reason="needs faiss-cpu")


def crowd(seed: int, people: int = 20, pictures: int = 3, size: int = 16):
    random = np.random.default_rng(seed)
    centres = random.normal(size=(people, 1, size))
    return (centres + 0.5 * random.normal(size=(people, pictures, size))).astype(np.float32)


def enrolled(vectors, **options) -> Gallery:
    gallery = Gallery("net", **options)
    for k, rows in enumerate(vectors):
        assert gallery.enrol(f"person {k}", rows) == len(rows)
    return gallery


def template(rows, quality) -> list[float]:
    """The definition, number by number."""
    total = [0.0] * len(rows[0])
    for row, q in zip(rows, quality, strict=True):
        length = math.sqrt(sum(float(x) ** 2 for x in row))
        total = [t + q * float(x) / length for t, x in zip(total, row, strict=True)]
    length = math.sqrt(sum(x * x for x in total))
    return [x / length for x in total]


def test_templates_are_weighted_means_of_directions():
    random = np.random.default_rng(0)
    vectors = crowd(0) * random.uniform(0.1, 10, (20, 3, 1))
    quality = random.uniform(0.1, 5, (20, 3))
    gallery = Gallery()
    for k in range(20):
        gallery.enrol(f"person {k}", torch.from_numpy(vectors[k]), quality[k])
    expected = [template(vectors[k], quality[k]) for k in range(20)]
    assert np.allclose(gallery.templates, expected, atol=1e-6) and gallery.templates.dtype == np.float32
    assert gallery.size == 16 and len(gallery) == 20 and "person 3" in gallery and "person 30" not in gallery
    one_by_one = Gallery()
    for k in range(20):
        for row, q in zip(vectors[k], quality[k], strict=True):
            assert one_by_one.enrol(f"person {k}", row, q) == 1
    assert np.array_equal(one_by_one.templates, gallery.templates)


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


def test_people_come_and_go():
    vectors = crowd(4)
    gallery = enrolled(vectors)
    assert gallery.search(vectors[7, 0])[0] == ["person 7"]
    gallery.remove("person 7")
    assert "person 7" not in gallery and gallery.search(vectors[7, 0])[0] != ["person 7"]
    assert gallery.names == [f"person {k}" for k in range(20) if k != 7]
    gallery.enrol("person 7", vectors[7])
    assert gallery.search(vectors[7, 0])[0] == ["person 7"] and gallery.names[-1] == "person 7"
    with pytest.raises(FaceLibError, match="'person 99' is not enrolled; 20 people are"):
        gallery.remove("person 99")


def test_a_list_of_people():
    gallery, vectors = Gallery(), crowd(0)
    gallery.enrol("Ada", vectors[0], sources=["a.jpg", "b.jpg", "c.jpg"])
    gallery.enrol("Bo", vectors[1, 0])
    gallery.enrol("Ada", vectors[2, 0], sources=["d.jpg"])
    assert [(p.name, p.pictures, p.sources) for p in gallery.people()] == [
        ("Ada", 4, ("a.jpg", "b.jpg", "c.jpg", "d.jpg")),
        ("Bo", 1, ("",)),
    ]


def test_the_same_picture_is_taken_once():
    gallery, rows = Gallery(), crowd(0)[0]
    assert gallery.enrol("Ada", rows[[0, 1, 0]], sources=["a", "b", "again"]) == 2
    before = gallery.templates
    assert gallery.enrol("Ada", rows[:2] * 1) == 0 and gallery.enrol("Ada", rows[[1, 2]]) == 1
    assert gallery.people()[0].sources == ("a", "b", "") and not np.array_equal(before, gallery.templates)
    assert gallery.enrol("Bo", rows[0]) == 1  # another name is another matter
    assert gallery.enrol("Cy", rows[:0]) == 0 and "Cy" not in gallery


def test_nobody_is_known_yet():
    gallery = Gallery()
    assert gallery.search(np.ones((2, 8)))[0] == [[], []] and gallery.search(np.ones(8))[1].shape == (0,)
    gallery.threshold = 0.5
    assert gallery.identify(np.ones((2, 8))) == [None, None] and gallery.identify(np.ones(8)) is None
    assert gallery.templates.shape[0] == 0 and gallery.names == [] and gallery.people() == [] and gallery.size is None
    with pytest.raises(FaceLibError, match="nobody is enrolled"):
        gallery.calibrate(far=0.1)


def test_one_person_only():
    gallery = enrolled(crowd(0, people=1))
    assert gallery.search(-crowd(0)[0, 0], k=3)[0] == ["person 0"]
    with pytest.raises(FaceLibError, match="100 comparisons of different people.* here are 0: enrol more"):
        gallery.calibrate(far=0.1)
    assert gallery.search(np.ones((0, 16)))[1].shape == (0, 1)


def test_identify_is_search_above_the_threshold():
    vectors = crowd(5, pictures=4)
    gallery = enrolled(vectors[:15, :3])
    with pytest.raises(FaceLibError, match=r"no threshold yet.* calibrate\(far"):
        gallery.identify(vectors[0, 3])
    names, scores = gallery.search(vectors[:, 3])
    gallery.threshold = float(np.sort(scores[:, 0])[8])
    found = gallery.identify(vectors[:, 3])
    assert found == [n[0] if s > gallery.threshold else None for n, s in zip(names, scores[:, 0], strict=True)]
    assert found.count(None) == 9  # the one that equals the threshold is not above it
    gallery.threshold = float(np.sort(scores[:, 0])[8:10].mean())  # rounding may differ for one probe and for many
    assert [gallery.identify(row) for row in vectors[:, 3]] == gallery.identify(vectors[:, 3]) == found


@pytest.mark.parametrize("cells", [30, 1 << 22])
@pytest.mark.parametrize("far", [0.01, 0.05, 0.3])
def test_calibration_counts_different_people(far, cells, monkeypatch):
    monkeypatch.setattr(calibration, "CELLS", cells)
    vectors = crowd(6)
    gallery = enrolled(vectors)
    templates = [template(rows, [1, 1, 1]) for rows in vectors]
    scores = sorted(
        sum(row / math.sqrt(sum(row.astype(float) ** 2)) * templates[other])
        for k in range(20)
        for row in vectors[k]
        for other in range(20)
        if other != k
    )
    found = gallery.calibrate(far)
    assert found.comparisons == 20 * 3 * 19 == len(scores) and found.far == far
    assert gallery.threshold == found.threshold and gallery.calibration is found
    above = sum(score > found.threshold for score in scores)
    assert above == int(far * len(scores))  # and with one more it would be too many
    assert found.threshold == pytest.approx((scores[-above] + scores[-above - 1]) / 2, abs=1e-6)


def test_calibration_from_given_impostors():
    gallery, strangers = enrolled(crowd(7)), crowd(8, 40, 1)[:, 0]
    found = gallery.calibrate(0.02, impostors=strangers)
    scores = strangers / np.linalg.norm(strangers, axis=1, keepdims=True) @ gallery.templates.T
    assert found.comparisons == 800 and (scores > found.threshold).sum() == 16
    given = gallery.calibrate(0.02, impostors=scores.ravel())
    assert given.threshold == pytest.approx(found.threshold, abs=1e-6) and given.comparisons == 800
    with pytest.raises(FaceLibError, match="impostors: scores that are not finite"):
        gallery.calibrate(0.02, impostors=[0.1] * 999 + [math.nan])
    with pytest.raises(FaceLibError, match="impostors: rows of 4 numbers, expected 16"):
        gallery.calibrate(0.02, impostors=np.ones((3, 4)))


def test_a_rate_needs_ten_false_matches():
    """1140 comparisons: 10 of them are 0.88 %."""
    gallery = enrolled(crowd(6))
    with pytest.raises(FaceLibError, match=r"0.001 needs at least 10 / 0.001 = 10,000 comparisons .* here are 1,140: "):
        gallery.calibrate(far=0.001)
    with pytest.raises(FaceLibError, match="far=0.0088 or more"):
        gallery.calibrate(far=0.001)
    assert gallery.threshold is None
    assert gallery.calibrate(far=10 / 1140).comparisons == 1140
    for far in (0, 1, -0.1, math.nan):
        with pytest.raises(FaceLibError, match="far="):
            gallery.calibrate(far=far)


def test_equal_impostors_are_not_parted():
    gallery = enrolled(crowd(0))
    found = gallery.calibrate(0.1, impostors=[0.5] * 50 + [0.1] * 50 + [0.9] * 4)
    assert found.threshold == pytest.approx(0.7)  # above 0.1 there would be 54 of 104
    assert gallery.calibrate(0.1, impostors=[0.5] * 200).threshold == 0.5  # nothing is above the highest


def test_no_more_comparisons_than_wanted():
    gallery = enrolled(crowd(9, people=40, pictures=10))
    full, part = gallery.calibrate(0.05), gallery.calibrate(0.05, most=5000)
    assert full.comparisons == 400 * 39 and 4500 < part.comparisons <= 5000
    assert part.threshold == pytest.approx(full.threshold, abs=0.05) and part == gallery.calibrate(0.05, most=5000)


def test_what_a_calibration_says():
    found = calibration.Calibration(0.25, 1e-3, 12_345)
    assert str(found) == "threshold 0.2500 for a false match rate of 0.001, from 12,345 comparisons of different people"
    assert found.false_positives(1000) == pytest.approx(1 - 0.999**1000)
    assert found.false_positives(1) == pytest.approx(1e-3)


def test_a_calibrated_gallery_keeps_its_rate():
    """Thresholds from one crowd hold for another: 2 % wanted, measured on people nobody enrolled."""
    gallery = enrolled(crowd(10, people=100))
    gallery.calibrate(far=0.02)
    strangers = crowd(11, people=300, pictures=1)[:, 0]
    names, scores = gallery.search(strangers, k=100)
    assert (scores > gallery.threshold).mean() == pytest.approx(0.02, abs=0.006)


def same(a: Gallery, b: Gallery) -> bool:
    fields = ("embedder", "index", "settings", "threshold", "calibration", "names")
    return (
        all(getattr(a, field) == getattr(b, field) for field in fields)
        and a.people() == b.people()
        and np.array_equal(a.templates, b.templates)
    )


def test_saved_and_loaded(tmp_path):
    gallery = enrolled(crowd(12))
    gallery.enrol("Zoë Ōe", np.ones(16), quality=3.5, sources=["æ/1.jpg"])
    gallery.calibrate(far=0.05)
    gallery.save(tmp_path / "new" / "people.npz")
    loaded = Gallery.load(tmp_path / "new" / "people.npz", embedder="net", size=16)
    assert same(gallery, loaded) and repr(loaded) == repr(gallery)
    loaded.enrol("Zoë Ōe", -np.ones(16) + 3 * np.eye(16)[0], quality=0.5)  # quality was kept, too
    gallery.enrol("Zoë Ōe", -np.ones(16) + 3 * np.eye(16)[0], quality=0.5)
    assert same(gallery, loaded)
    empty = Gallery("net", index="hnsw", settings={"search": 99})
    empty.save(tmp_path / "empty.npz")
    again = Gallery.load(tmp_path / "empty.npz")
    assert same(empty, again) and again.settings["search"] == 99 and again.size is None
    assert again.enrol("Ada", np.ones(3)) == 1


def test_another_embedder_is_refused(tmp_path):
    enrolled(crowd(0)).save(tmp_path / "people.npz")
    with pytest.raises(FaceLibError, match="people.npz: enrolled with the embedder 'net', not 'hog'"):
        Gallery.load(tmp_path / "people.npz", embedder=facelib.Embedder.load("hog"))
    with pytest.raises(FaceLibError, match="people.npz: holds vectors of 16 numbers, not 512"):
        Gallery.load(tmp_path / "people.npz", size=512)
    with pytest.raises(FaceLibError, match="rows of 8 numbers, expected 16"):
        Gallery.load(tmp_path / "people.npz").search(np.ones(8))


def damaged(path, **changes):
    """Other values instead; ... takes one away."""
    with np.load(path) as file:
        arrays = dict(file)
    about = json.loads(arrays["about"].tobytes())
    for name, value in changes.items():
        if name in arrays:
            arrays[name] = value
        elif value is ...:
            del about[name.replace("_", " ")]
        else:
            about[name.replace("_", " ")] = value
    described(path, json.dumps(about), arrays)


def described(path, text: str, arrays=None):
    """The file with another JSON in it."""
    if arrays is None:
        with np.load(path) as file:
            arrays = dict(file)
    np.savez(path, **{**arrays, "about": np.frombuffer(text.encode(), np.uint8)})


FOUND = {"threshold": 0.5, "far": 0.1, "comparisons": 100}
SEEN = {"size": 112, "colour": "RGB", "mean": [0.5] * 3, "std": [0.5] * 3, "template": "arcface-112"}
UNITS = np.eye(16, dtype=np.float32)[:6]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"facelib_gallery": 2}, "a gallery of version 2, this facelib reads 1"),
        ({"names": ["a", "a"]}, "damaged .*names come twice"),
        ({"names": ["a"]}, "damaged .*1 names, sources of 2 people"),
        ({"names": "ab"}, "damaged .*names are no list.*restore it from a copy, or enrol"),
        ({"names": ["a", "b\n"]}, r"damaged .*name='b\\n': expected a line of text.*enrol"),
        ({"names": ["a", " "]}, "damaged .*name=' ': expected a line"),
        ({"names": ["a", 7]}, "damaged .*name=7: expected a line"),
        ({"names": ["a", ["b"]]}, r"damaged .*name=\['b'\]: expected a line"),
        ({"embedder": ["net"]}, r"damaged .*embedder=\['net'\]"),
        ({"settings": []}, r"damaged .*settings=\[\]"),
        ({"threshold": math.nan}, "damaged .*threshold=nan is no finite number.*enrol"),
        ({"threshold": -math.inf}, "damaged .*threshold=-inf is no finite"),
        ({"threshold": 10**400}, "damaged .*is no finite number"),
        ({"threshold": "0.5"}, "damaged .*threshold='0.5' is no finite number"),
        ({"threshold": True}, "damaged .*threshold=True is no finite number"),
        ({"calibration": [0.5, 0.1, 100]}, "damaged .*calibration=.*expected threshold, far, comparisons.*enrol"),
        ({"calibration": [*FOUND]}, "damaged .*calibration=.*expected threshold, far, comparisons"),
        ({"calibration": {**FOUND, "more": 1}}, "damaged .*expected threshold, far, comparisons"),
        ({"calibration": {"far": 0.1}}, "damaged .*expected threshold, far, comparisons"),
        ({"calibration": {**FOUND, "threshold": "0.5"}}, "damaged .*calibration: threshold='0.5'"),
        ({"calibration": {**FOUND, "threshold": math.nan}}, "damaged .*calibration: threshold=nan"),
        ({"calibration": {**FOUND, "far": "0.1"}}, "damaged .*far='0.1'"),
        ({"calibration": {**FOUND, "far": 1}}, "damaged .*far=1"),
        ({"calibration": {**FOUND, "comparisons": 99.5}}, "damaged .*comparisons=99.5 is no count"),
        ({"calibration": {**FOUND, "comparisons": True}}, "damaged .*comparisons=True is no count"),
        ({"calibration": {**FOUND, "comparisons": 0}}, "damaged .*comparisons=0 is no count"),
        ({"sources": "abc"}, "damaged .*sources are no list.*enrol"),
        ({"sources": ["abc", "def"]}, "damaged .*sources: 'abc' is no list of files"),
        ({"sources": [["a"] * 3, ["b", None, "c"]]}, "damaged .*is no list of files"),
        ({"sources": []}, "damaged .*2 names, sources of 0 people"),
        ({"index": "hnsw", "settings": {"links": 1}}, "damaged .*links=1 is no count from 2 to 1,024.*enrol"),
        ({"index": "hnsw", "settings": {"search": 1 << 31}}, "damaged .*search=2147483648 is no count from 1"),
        ({"index": "ivf", "settings": {"probes": True}}, "damaged .*probes=True is no count"),
        ({"index": ["exact"]}, "damaged"),
        ({"vectors": 1.002 * UNITS}, "damaged .*vectors: row 0 is of length 1.002, not 1.*enrol"),
        ({"vectors": UNITS * np.float32([[1]] * 5 + [[0.5]])}, "damaged .*vectors: row 5 is of length 0.5, not 1"),
        ({"quality": np.ones(6)}, "damaged .*float64 quality"),
        ({"preprocess": None}, "damaged .*preprocess=None: expected size, colour, mean, std, template.*enrol"),
        ({"preprocess": {**SEEN, "detector": "mtcnn"}}, "damaged .*expected size, colour, mean, std, template"),
        ({"preprocess": {**SEEN, "size": 112.5}}, "damaged .*size=112.5: expected a count of pixels"),
        ({"preprocess": {**SEEN, "size": 0}}, "damaged .*size=0: expected a count of pixels"),
        ({"preprocess": {**SEEN, "colour": "GRB"}}, "damaged .*colour='GRB'.*expected RGB or BGR"),
        ({"preprocess": {**SEEN, "template": None}}, "damaged .*template=None"),
        ({"preprocess": {**SEEN, "mean": 0.5}}, "damaged .*mean=0.5: expected three finite numbers"),
        ({"preprocess": {**SEEN, "std": [0.5, 0.5]}}, "damaged .*std=.*expected three finite numbers"),
        ({"preprocess": {**SEEN, "std": [0.5, 0.5, "1"]}}, "damaged .*std=.*expected three finite numbers"),
        ({"preprocess": {**SEEN, "mean": [0, math.nan, 0]}}, "damaged .*mean=.*expected three finite numbers"),
        ({"sources": [[], ["x"] * 6]}, "damaged .*without pictures"),
        ({"quality": np.ones(5, np.float32)}, "damaged"),
        ({"quality": -np.ones(6, np.float32)}, "damaged .*not above 0"),
        ({"vectors": np.full((6, 16), np.nan, np.float32)}, "damaged .*row 0 holds NaN"),
        ({"vectors": np.ones((6, 16))}, "damaged .*float64"),
        ({"vectors": np.array(["a"], object)}, "damaged|no gallery"),
        ({"index": "tree"}, "damaged .*index='tree'"),
    ],
)
def test_a_damaged_file_is_named(change, words, tmp_path):
    enrolled(crowd(0, people=2)).save(tmp_path / "people.npz")
    damaged(tmp_path / "people.npz", **change)
    with pytest.raises(FaceLibError, match=f"people.npz: .*{words}"):
        Gallery.load(tmp_path / "people.npz")


@pytest.mark.parametrize("entry", ["embedder", "index", "settings", "threshold", "calibration", "names", "sources"])
def test_an_entry_that_is_missing_is_named(entry, tmp_path):
    enrolled(crowd(0, people=2)).save(tmp_path / "people.npz")
    damaged(tmp_path / "people.npz", **{entry: ...})
    with pytest.raises(FaceLibError, match=f"people.npz: the gallery is damaged .'{entry}' is missing"):
        Gallery.load(tmp_path / "people.npz")


def test_what_is_right_is_not_refused(tmp_path):
    """The ends of what a file may say, and a length within 1e-3 of 1."""
    path = tmp_path / "people.npz"
    enrolled(crowd(0, people=2)).save(path)
    right = {"calibration": FOUND, "threshold": 1, "vectors": 1.0009 * UNITS, "preprocess": SEEN, "index": "hnsw"}
    damaged(path, **right, settings={"links": 2, "build": 1, "search": 1 << 20})
    loaded = Gallery.load(path)
    assert loaded.calibration == calibration.Calibration(**FOUND) and loaded.preprocess == SEEN
    assert loaded.settings == {"links": 2, "build": 1, "search": 1 << 20}
    assert loaded.threshold == 1 and isinstance(loaded.threshold, float)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "its description is of type list.; name a file that Gallery.save wrote"),
        ('["facelib gallery", 1]', "its description is of type list"),
        ("1", "its description is of type int"),
        ("{}", "its description is not its own.; name a file"),
        ("[" * 100_000, "or a damaged one"),
    ],
)
def test_json_of_another_kind_is_no_gallery(text, words, tmp_path):
    path = tmp_path / "people.npz"
    enrolled(crowd(0, people=2)).save(path)
    described(path, text)
    with pytest.raises(FaceLibError, match=f"people.npz: no gallery of facelib.*{words}"):
        Gallery.load(path)


@pytest.mark.parametrize("threshold", [math.nan, math.inf, "0.5"])
def test_a_threshold_that_could_not_be_loaded_is_not_saved(threshold, tmp_path):
    gallery = enrolled(crowd(0))
    gallery.save(tmp_path / "people.npz")
    gallery.threshold = threshold
    with pytest.raises(FaceLibError, match="people.npz: not saved: threshold=.* is no finite number"):
        gallery.save(tmp_path / "people.npz")
    assert Gallery.load(tmp_path / "people.npz").threshold is None


def test_numbers_of_numpy_are_saved_as_plain_ones(tmp_path):
    gallery = enrolled(crowd(0))
    gallery.calibrate(far=np.float32(0.25))
    gallery.threshold = np.float32(0.25)
    gallery.save(tmp_path / "people.npz")
    loaded = Gallery.load(tmp_path / "people.npz")
    assert loaded.calibration == gallery.calibration and loaded.threshold == 0.25


def net(name="net", **preprocess) -> Embedder:
    return Embedder(lambda batch: batch.reshape(len(batch), -1), Preprocess(**preprocess), name)


def test_what_the_network_saw_is_kept(tmp_path):
    path = tmp_path / "people.npz"
    embedder = net(size=16, colour="BGR", mean=np.float32([0.1, 0.2, 0.3]), std=(1, 2, 3), template="own", detector="x")
    gallery = Gallery(embedder)
    gallery.enrol("Ada", np.ones(16))
    gallery.save(path)
    loaded = Gallery.load(path, embedder=embedder, size=16)
    assert loaded.embedder == "net" and loaded.preprocess == gallery.preprocess
    assert loaded.preprocess == {
        "size": 16,
        "colour": "BGR",
        "mean": [float(x) for x in np.float32([0.1, 0.2, 0.3])],
        "std": [1.0, 2.0, 3.0],
        "template": "own",
    }
    assert all(type(x) is float for field in ("mean", "std") for x in loaded.preprocess[field])
    loaded.check(net(size=16, colour="BGR", mean=(0.1, 0.2, 0.3), std=(1, 2, 3), template="own", detector="another"))
    loaded.check("net")
    loaded.save(path)  # and once more
    assert Gallery.load(path).preprocess == gallery.preprocess
    with np.load(path) as file:
        assert json.loads(file["about"].tobytes())["facelib gallery"] == store.VERSION == 1
    assert Gallery(net(mean=0.5, std=(0.5,))).preprocess == SEEN
    assert Gallery(Embedder(np.copy, np.copy, "net")).preprocess is None, "of a kind of one's own nothing is known"
    with pytest.raises(FaceLibError, match=r"mean=\[0.5, 0.5\]: expected three finite numbers"):
        Gallery(net(mean=(0.5, 0.5)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": 160}, "and size 112; this 'net' has size 160, and vectors of other pixels cannot be compared"),
        ({"colour": "BGR"}, "and colour RGB; this 'net' has colour BGR"),
        ({"mean": (0.5, 0.5, 0.4)}, r"and mean \[0.5, 0.5, 0.5\]; this 'net' has mean \[0.5, 0.5, 0.4\]"),
        ({"std": (0.5, 0.50001, 0.5)}, r"and std \[0.5, 0.5, 0.5\]; this 'net' has std \[0.5, 0.50001, 0.5\]"),
        ({"template": "own"}, "and template arcface-112; this 'net' has template own"),
        ({"size": 96, "colour": "BGR"}, "and size 112, colour RGB; this 'net' has size 96, colour BGR"),
        ({"name": "other"}, ", not 'other'; vectors of two networks cannot be compared"),
    ],
)
def test_a_network_that_sees_otherwise_is_refused(change, words, tmp_path):
    gallery = Gallery(net())
    gallery.check(net())
    with pytest.raises(FaceLibError, match=f"^enrolled with the embedder 'net' ?{words}"):
        gallery.check(net(**change))
    gallery.save(tmp_path / "people.npz")
    with pytest.raises(FaceLibError, match=f"people.npz: enrolled with the embedder 'net' ?{words}"):
        Gallery.load(tmp_path / "people.npz", embedder=net(**change))


def test_a_file_that_does_not_say_what_was_seen_is_accepted(tmp_path):
    path = tmp_path / "people.npz"
    Gallery(net()).save(path)
    damaged(path, preprocess=...)  # as before there was such an entry
    loaded = Gallery.load(path, embedder=net(size=160))
    assert loaded.preprocess is None
    loaded.check(net(colour="BGR"))
    loaded.enrol("Ada", np.ones(16))
    loaded.save(path)
    assert Gallery.load(path).preprocess is None, "nobody knows what its people were seen with"
    with pytest.raises(FaceLibError, match="'net', not 'other'"):
        loaded.check(net("other"))
    assert Gallery("net").preprocess is None and Gallery(net()).preprocess == SEEN
    with pytest.raises(FaceLibError, match="holds vectors of 16 numbers, not 8: load the embedder"):
        loaded.check(net(), size=8)


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    target, link, second = tmp_path / "there" / "people.npz", tmp_path / "link.npz", tmp_path / "second.npz"
    link.symlink_to("there/people.npz")  # leads nowhere yet
    second.symlink_to(link)
    gallery = enrolled(crowd(0))
    gallery.save(link)
    assert link.is_symlink() and target.is_file() and not target.is_symlink() and same(gallery, Gallery.load(target))
    gallery.remove("person 3")
    gallery.save(second)
    assert link.is_symlink() and second.is_symlink() and same(gallery, Gallery.load(target))
    assert os.readlink(link) == "there/people.npz" and os.readlink(second) == str(link)
    assert [entry.name for entry in target.parent.iterdir()] == ["people.npz"]


def test_a_failed_save_through_a_link_loses_nothing(tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "people.npz", tmp_path / "link.npz"
    gallery = enrolled(crowd(0))
    gallery.save(target)
    link.symlink_to(target)
    before = target.read_bytes()

    def full(file, **arrays):
        assert os.path.dirname(file.name) == str(target.parent), (
            "beside the target, or it cannot take its place at once"
        )
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        gallery.save(link)
    assert target.read_bytes() == before and link.is_symlink()
    assert [entry.name for entry in target.parent.iterdir()] == ["people.npz"] and len(list(tmp_path.iterdir())) == 2


def test_links_in_a_circle_are_told(tmp_path):
    for a, b in ("ab", "ba"):
        (tmp_path / a).symlink_to(tmp_path / b)
    with pytest.raises(OSError, match="symbolic links"):
        enrolled(crowd(0)).save(tmp_path / "a")
    assert (tmp_path / "a").is_symlink() and (tmp_path / "b").is_symlink()


def test_other_files_are_named(tmp_path):
    path = tmp_path / "people.npz"
    with pytest.raises(FaceLibError, match="people.npz: no such file"):
        Gallery.load(path)
    enrolled(crowd(0)).save(path)
    whole = path.read_bytes()
    for data in (b"", b"not a gallery", whole[:-30], whole[:100], whole[:2000] + b"\0" * 500 + whole[2500:]):
        path.write_bytes(data)
        with pytest.raises(FaceLibError, match="people.npz: no gallery of facelib, or a damaged one"):
            Gallery.load(path)
    np.savez_compressed(path, about=np.zeros(99, np.uint8))
    packed = path.read_bytes()
    start = 30 + int.from_bytes(packed[26:28], "little") + int.from_bytes(packed[28:30], "little")
    path.write_bytes(packed[:start] + b"\7" + packed[start + 1 :])  # a kind of block that zlib does not know
    with pytest.raises(FaceLibError, match="people.npz: no gallery of facelib, or a damaged one .*block type"):
        Gallery.load(path)
    np.save(tmp_path / "array.npy", np.ones(3))
    with pytest.raises(FaceLibError, match="array.npy: no gallery"):
        Gallery.load(tmp_path / "array.npy")
    with pytest.raises(FaceLibError, match="cannot be read"):
        Gallery.load(tmp_path)


def test_a_pickle_is_not_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    np.savez(tmp_path / "trap.npz", about=np.array([Trap()], dtype=object))
    with pytest.raises(FaceLibError, match="trap.npz: no gallery"):
        Gallery.load(tmp_path / "trap.npz")
    assert not (tmp_path / "sprung").exists()


def test_a_killed_save_loses_nothing(tmp_path):
    """The process dies in the middle of writing; the old file is whole, and a full disk says so."""
    path = tmp_path / "people.npz"
    gallery = enrolled(crowd(13))
    gallery.save(path)
    script = f"""
        import os
        import numpy as np
        from facelib.gallery import store
        from facelib import Gallery
        whole = np.savez
        def half(file, **arrays):
            whole(file, **{{name: arrays[name] for name in ("about", "vectors")}})
            file.flush()
            os.kill(os.getpid(), 9)
        np.savez = half
        gallery = Gallery.load({str(path)!r})
        gallery.enrol("somebody new", np.ones(16))
        gallery.save({str(path)!r})
    """
    died = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True)
    assert died.returncode == -9, died.stderr
    assert len(list(tmp_path.iterdir())) == 2  # the old file and what the dead process left
    assert same(gallery, Gallery.load(path))


def test_a_failed_save_leaves_no_trace(tmp_path, monkeypatch):
    path = tmp_path / "people.npz"
    gallery = enrolled(crowd(13))
    gallery.save(path)

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        gallery.save(path)
    monkeypatch.undo()
    assert [entry.name for entry in tmp_path.iterdir()] == ["people.npz"] and same(gallery, Gallery.load(path))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": " "}, "expected a line of text"),
        ({"name": "a\nb"}, "expected a line of text"),
        ({"name": 7}, "name=7"),
        ({"embeddings": np.ones((2, 3))}, "Ada: rows of 3 numbers, expected 4"),
        ({"embeddings": np.ones((2, 4, 1))}, r"Ada: shape \(2, 4, 1\)"),
        ({"embeddings": [[1, 2, 3, math.nan]]}, "Ada: row 0 holds NaN"),
        ({"embeddings": [[1, 2, 3, 4], [0, 0, 0, 0]]}, "Ada: row 1 has length 0"),
        ({"embeddings": [["x"] * 4]}, "expected numbers"),
        ({"embeddings": [[0, 0, 0, 1], [0, 0, 0, -1]]}, "Ada: the pictures cancel out"),
        ({"quality": [1.0]}, "quality: expected 2 finite numbers above 0"),
        ({"quality": [1.0, 0.0]}, "quality: expected 2"),
        ({"quality": [1.0, math.inf]}, "quality: expected 2"),
        ({"sources": ["a"]}, "sources: expected 2 names"),
        ({"sources": ["a", None]}, "sources: expected 2 names"),
        ({"sources": "ab"}, "sources: expected 2 names"),
    ],
)
def test_what_cannot_be_enrolled_is_said_and_changes_nothing(change, words):
    gallery = Gallery()
    gallery.enrol("Bo", np.ones(4))
    with pytest.raises(FaceLibError, match=words):
        gallery.enrol(**{"name": "Ada", "embeddings": np.eye(4)[:2], **change})
    assert gallery.names == ["Bo"] and gallery.templates.tolist() == [[0.5] * 4]


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


@FAISS
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


@FAISS
def test_faiss_orders_equal_scores_and_tells_when_it_finds_few():
    gallery = Gallery(index="ivf", settings={"lists": 2, "probes": 1, "bytes": 0})
    for k in range(80):  # two heaps; in each, two pictures are the same
        gallery.enrol(f"p{k}", np.eye(2)[k % 2] if k < 4 else np.eye(2)[k % 2] + 0.001 * k * np.ones(2))
    names, scores = gallery.search(np.eye(2), k=80)
    assert names[0][:2] == ["p0", "p2"] and names[1][:2] == ["p1", "p3"]
    assert names[0][40:] == [None] * 40 and np.isneginf(scores[0, 40:]).all() and np.isfinite(scores[0, :40]).all()
    gallery.threshold = 0.5
    assert gallery.identify(np.eye(2)) == ["p0", "p1"]


@FAISS
@pytest.mark.parametrize("size", [12, 17, 64])
def test_codes_fit_rows_of_any_length(size):
    """17 is prime: one piece, a code of four bits, and all is left to the exact comparison."""
    vectors = crowd(16, people=90, pictures=1, size=size)[:, 0]
    gallery = enrolled(vectors[:, None], index="ivf", settings={"rerank": 90})
    assert gallery.search(vectors)[0] == [[f"person {k}"] for k in range(90)]


@FAISS
def test_few_people_need_no_index():
    for kind in ("flat", "hnsw", "ivf"):
        gallery = enrolled(crowd(0, people=1), index=kind)
        assert gallery.search(crowd(0, people=1)[0, 0], k=3)[0] == ["person 0"]


@FAISS
def test_an_index_survives_the_file(tmp_path):
    gallery = enrolled(crowd(15, people=100), index="ivf", settings={"lists": 4, "probes": 2, "bytes": 4})
    gallery.save(tmp_path / "people.npz")
    loaded = Gallery.load(tmp_path / "people.npz")
    probes = crowd(15, people=100)[:, 0]
    assert loaded.search(probes, 3)[0] == gallery.search(probes, 3)[0]


def test_the_package_knows_the_name():
    assert facelib.Gallery is Gallery
