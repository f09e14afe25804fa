"""Files that are damaged, or no galleries at all, are refused field by field."""

from __future__ import annotations

import math
import os
import pickle

import numpy as np
import pytest

from facelib import FaceLibError, Gallery
from facelib.gallery import calibration
from tests.gallery.helpers import FOUND, SEEN, UNITS, crowd, damaged, described, enrolled


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
    (tmp_path / "set.bin").write_bytes(pickle.dumps([[b"picture"], [True]]))
    np.savez(tmp_path / "objects.npz", about=np.array([None]))
    for name in ("set.bin", "objects.npz"):  # NumPy's own words are how to load pickles all the same
        with pytest.raises(FaceLibError, match=f"{name}: no gallery .*it is no .npz file of plain arrays") as told:
            Gallery.load(tmp_path / name)
        assert "pickle" not in str(told.value)
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
