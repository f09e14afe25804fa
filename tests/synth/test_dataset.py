"""Data sets and verification pairs: disjoint people, repeatable, cached, balanced."""

import numpy as np
import pytest

from facelib import FaceLibError
from facelib.synth import PRESETS, SPLITS, Preset, load_dataset, make_pairs
from facelib.synth import dataset as module
from facelib.synth.dataset import render_people


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def data(cache):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "small", Preset(40, 3))
        return load_dataset("small", "test", cache=cache, quiet=True)


def test_what_a_data_set_holds(data):
    assert len(data) == 60 and data.people == 20
    assert data.images.shape == (60, 112, 112, 3) and data.images.dtype == np.uint8
    assert np.bincount(data.labels).tolist() == [3] * 20
    assert {len(rows) for rows in data.attributes.values()} == {60}
    assert len(set(data.attributes["id"])) == 20


def test_the_cache_is_read_and_a_broken_one_made_again(data, cache, monkeypatch):
    monkeypatch.setitem(PRESETS, "small", Preset(40, 3))
    (file,) = cache.iterdir()
    assert file.name == f"synth-v{module.VERSION}-small-test-seed0.npz"
    monkeypatch.setattr(module, "render_people", lambda *a: pytest.fail("rendered although stored"))
    assert (load_dataset("small", "test", cache=cache, quiet=True).images == data.images).all()
    monkeypatch.undo()
    monkeypatch.setitem(PRESETS, "small", Preset(40, 3))
    file.write_bytes(file.read_bytes()[:1000])
    assert (load_dataset("small", "test", cache=cache, quiet=True).images == data.images).all()


def test_splits_have_other_people_and_never_meet():
    numbers = sorted(SPLITS.values())
    assert min(np.diff(numbers)) > 100_000_000
    first = [next(render_people(1, Preset(1, 1), split, 0)).attributes["id"][0] for split in SPLITS]
    assert first == [0, 1_000_000_000, 2_000_000_000]


def test_a_larger_preset_holds_the_smaller(data):
    """Person 3's pictures do not depend on how many people there are, nor on where the run began."""
    (shots,) = render_people(4, Preset(500, 3), "test", 0, start=3)
    assert (shots.images == data.images[data.labels == 3]).all()


def test_hidden_hair():
    with_hair, without = (next(render_people(1, Preset(1, 2), "train", 0, hide)) for hide in (False, True))
    assert not without.attributes["hair_length"].any() and not without.attributes["hat"].any()
    assert (with_hair.attributes["yaw"] == without.attributes["yaw"]).all()


@pytest.mark.parametrize("hard", [False, True])
def test_pairs_follow_the_protocol(data, hard):
    pairs = make_pairs(data, per_fold=8, hard=hard)
    assert len(pairs) == 80
    assert (pairs.same == (data.labels[pairs.a] == data.labels[pairs.b])).all()
    assert (pairs.a != pairs.b).all()
    people = []
    for fold in range(10):
        rows = np.flatnonzero(pairs.fold == fold)
        assert pairs.same[rows].sum() == 4 and (np.diff(rows) == 1).all()
        people.append(set(data.labels[pairs.a[rows]]) | set(data.labels[pairs.b[rows]]))
    assert sum(map(len, people)) == len(set.union(*people))  # nobody is in two folds
    again = make_pairs(data, per_fold=8, hard=hard)
    assert (again.a == pairs.a).all() and (again.b == pairs.b).all()


def test_hard_pairs_are_alike_where_they_differ_in_person():
    """On people with known traits, without pictures."""
    random = np.random.default_rng(0)
    people = 100
    traits = {"masculine": random.integers(0, 2, people), "melanin": 4 * random.random(people),
              "age": random.random(people)}  # fmt: skip
    attributes = {name: np.repeat(value, 4) for name, value in traits.items()}
    attributes["yaw"] = random.normal(size=4 * people)
    data = module.Dataset(np.zeros((400, 1, 1, 3), np.uint8), np.repeat(np.arange(people), 4), np.zeros((400, 5, 2)),
                          attributes)  # fmt: skip
    easy, hard = make_pairs(data), make_pairs(data, hard=True)

    def apart(pairs, name, same):
        values, chosen = attributes[name], pairs.same == same
        return abs(values[pairs.a[chosen]] - values[pairs.b[chosen]]).mean()

    assert apart(hard, "masculine", False) < 0.1 < apart(easy, "masculine", False)
    assert apart(hard, "melanin", False) < 0.6 * apart(easy, "melanin", False)
    assert apart(hard, "yaw", True) > 1.3 * apart(easy, "yaw", True)
    assert apart(hard, "yaw", False) > 1.3 * apart(easy, "yaw", False)


def test_pose_alone_does_not_give_hard_pairs_away():
    """Turning the head must not answer the question: same and different pairs are chosen by yaw in the same way."""
    random = np.random.default_rng(0)
    people, shots = 100, 16
    attributes = {name: np.repeat(random.random(people), shots) for name in ("masculine", "melanin", "age")}
    attributes["yaw"] = random.normal(size=people * shots)
    labels = np.repeat(np.arange(people), shots)
    data = module.Dataset(np.zeros((len(labels), 1, 1, 3), np.uint8), labels, np.zeros((len(labels), 5, 2)), attributes)
    pairs = make_pairs(data, per_fold=600, hard=True)
    apart = abs(attributes["yaw"][pairs.a] - attributes["yaw"][pairs.b])
    above = (apart[pairs.same][:, None] > apart[~pairs.same]).mean()  # the area under the curve of |difference in yaw|
    assert 0.44 < above < 0.56


def test_senseless_requests_are_refused(data):
    with pytest.raises(FaceLibError, match="choose tiny, mini, standard"):
        load_dataset("huge")
    with pytest.raises(FaceLibError, match="choose train, validation, test"):
        load_dataset("tiny", "exam")
    with pytest.raises(FaceLibError, match="40 people with two pictures"):
        make_pairs(data, folds=20)
    with pytest.raises(FaceLibError, match="even number"):
        make_pairs(data, per_fold=7)
