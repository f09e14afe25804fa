"""People: the same on every machine, whatever n and order are; and the public contract of what they render."""

import dataclasses

import numpy as np
import pytest
import torch

from facelib import FaceLibError
from facelib.synth import People
from facelib.synth.scene import Scene

LENGTHS = [3, 2]
TRAITS = [0.055521, 0.838358, 0.931072, 0.331929, 1.991778, 0.917246]
HEADS = [42.36616, 42.23164]


def same(a, b, atol=0.0):
    for field in dataclasses.fields(a):
        x, y = getattr(a, field.name), getattr(b, field.name)
        assert torch.allclose(x.double(), y.double(), atol=atol, rtol=0), field.name


def test_person_k_is_the_same_whatever_n_and_order_are():
    few, many = (
        People(10, seed=4).identities([3, 7, 3]),
        People(2_000_000_000, seed=4).identities([1_999_999_999, 7, 3]),
    )
    same(few[1:2], many[1:2], atol=1e-5)
    same(few[0:1], many[2:3], atol=1e-5)
    same(few[0:1], few[2:3])


def test_seeds_and_numbers_make_other_people():
    a, b = People(5, seed=1).identities(range(5)), People(5, seed=2).identities(range(5))
    heads = torch.cat([a.head, b.head])
    apart = (heads[:, None] - heads[None]).abs().amax((2, 3)) + torch.eye(10)
    assert apart.min() > 0.02  # two millimetres somewhere


def test_a_person_does_not_change_between_versions():
    """Stored data sets name people by number: a change here needs a new VERSION of the data sets."""
    who = People(1000, seed=0).identities([0, 41])
    assert who.length.tolist() == LENGTHS
    assert torch.cat([who.masculine, who.age, who.melanin]).tolist() == pytest.approx(TRAITS, abs=1e-5)
    assert who.head[:, ::1000, 1].sum(1).tolist() == pytest.approx(HEADS, abs=1e-3)


def test_traits_keep_their_ranges():
    who = People(400, seed=8).identities(range(400))
    for name in ("masculine", "age", "wrinkles", "freckles", "grey", "curl", "beard", "makeup", "crease"):
        value = getattr(who, name)
        assert value.min() >= 0 and value.max() <= 1.5, name
    assert torch.allclose(who.mix.sum(1), torch.ones(400))
    assert set(who.length.tolist()) == set(range(5))
    assert who.melanin.min() < 0.7 and who.melanin.max() > 2.8
    assert torch.isfinite(who.head).all()


@pytest.mark.parametrize("ids", [[10], [-1], [0, 99]])
def test_unknown_people_are_refused(ids):
    with pytest.raises(FaceLibError, match="ids run from 0 to 9"):
        People(10).identities(ids)


@pytest.mark.parametrize("ids", [[1.5], [1, 2.0], 3, None, torch.tensor([1.0])])
def test_ids_are_integers_and_never_cut_down_to_them(ids):
    with pytest.raises(FaceLibError, match="ids must be a sequence of integers"):
        People(10).identities(ids)


def test_integers_of_every_kind_are_ids():
    who = [People(np.int64(10)).identities(ids) for ids in ([3], range(3, 4), np.uint8([3]), torch.tensor([3]))]
    assert all(same(who[0], other) is None for other in who[1:])


@pytest.mark.parametrize("options", [{"n": 0}, {"n": 1.5}, {"n": "3"}, {"n": 1, "seed": -1}, {"n": 1, "seed": 0.5}])
def test_senseless_settings_are_refused(options):
    with pytest.raises(FaceLibError, match="People needs integers"):
        People(**options)


def test_a_device_that_is_not_there():
    with pytest.raises(FaceLibError, match="device 'foo' cannot be used here.*facelib doctor"):
        People(1, device="foo")


@pytest.mark.parametrize("wrong, message", [
    ({"yawn": 0}, "a scene has no 'yawn'; did you mean yaw"),
    ({"foo": 0}, r"a scene has no 'foo'; help\(facelib.synth.Scene\)"),
    ({"yaw": float("nan")}, "yaw must be finite, not nan"),
    ({"yaw": [0.0, 0.1, 0.2]}, r"yaw must be one number or numbers of shape \(2,\)"),
    ({"yaw": "left"}, "yaw must be one number"),
    ({"hat": float("nan")}, "hat must be one number"),
    ({"generator": np.random.default_rng(0)}, r"generator must be a torch.Generator.*not Generator\(PCG64\)"),
    ({"generator": None}, "generator must be a torch.Generator.*not None"),
    ({"size": 0}, "size must be an integer of at least 3, not 0"),
    ({"size": 20.5}, "size must be an integer"),
    ({"supersample": -1}, "supersample must be an integer of at least 1, not -1"),
    ({"hardness": float("nan")}, "hardness must be a finite number from 0 on, not nan"),
    ({"hardness": float("inf")}, "hardness must be"),
    ({"hardness": -1}, "hardness must be"),
])  # fmt: skip
def test_what_cannot_be_rendered_is_named(wrong, message):
    with pytest.raises(FaceLibError, match=message):
        People(3).render([0, 1], **{"generator": torch.Generator().manual_seed(0), **wrong})


def test_the_smallest_size_can_be_rendered():
    """Whatever the camera does to it: two pixels could be lost on the way."""
    assert len(People(24).render(range(24), torch.Generator().manual_seed(0), size=3, hardness=2.0)) == 24


def test_nobody_to_render():
    with pytest.raises(FaceLibError, match="nobody"):
        People(3).render([], torch.Generator())


def test_public_contract():
    people = People(1000, seed=0)
    shots = people.render([5, 5, 900], generator=torch.Generator().manual_seed(1))
    assert shots.images.shape == (3, 112, 112, 3) and shots.images.dtype == np.uint8
    assert shots.landmarks.shape == (3, 5, 2) and shots.landmarks.dtype == np.float32
    assert shots.attributes["id"].tolist() == [5, 5, 900] and len(shots) == 3
    assert shots.masks is None and shots.depth is None and shots.normals is None


def test_metadata_is_complete():
    shots = People(9).render([1, 2], torch.Generator().manual_seed(0), details=True, yaw=0.25)
    for field in dataclasses.fields(Scene):
        assert len(shots.attributes[field.name]) == 2, field.name
    assert shots.attributes["yaw"] == pytest.approx(0.25)
    assert {"id", "masculine", "age", "melanin", "visible"} <= set(shots.attributes)
    assert ((shots.attributes["visible"] >= 0) & (shots.attributes["visible"] <= 1)).all()
    assert shots.masks.shape == shots.depth.shape == (2, 112, 112) and shots.normals.shape == (2, 112, 112, 3)
