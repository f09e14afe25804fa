"""Who is enrolled, who goes, and who is recognised, against loops over people."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import facelib
from facelib import FaceLibError, Gallery
from tests.gallery.helpers import crowd, enrolled, template


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


def test_the_package_knows_the_name():
    assert facelib.Gallery is Gallery
