"""A gallery knows the network and the pixels it was made with, and refuses others."""

from __future__ import annotations

import json

import numpy as np
import pytest

import facelib
from facelib import Embedder, FaceLibError, Gallery
from facelib.gallery import store
from tests.gallery.helpers import SEEN, crowd, damaged, enrolled, net


def test_another_embedder_is_refused(tmp_path):
    enrolled(crowd(0)).save(tmp_path / "people.npz")
    with pytest.raises(FaceLibError, match="people.npz: enrolled with the embedder 'net', not 'hog'"):
        Gallery.load(tmp_path / "people.npz", embedder=facelib.Embedder.load("hog"))
    with pytest.raises(FaceLibError, match="people.npz: holds vectors of 16 numbers, not 512"):
        Gallery.load(tmp_path / "people.npz", size=512)
    with pytest.raises(FaceLibError, match="rows of 8 numbers, expected 16"):
        Gallery.load(tmp_path / "people.npz").search(np.ones(8))


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
    with pytest.raises(FaceLibError, match=r"mean.*0.5, 0.5.*expected three finite numbers"):
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
