"""People who are drawn as training needs them: the same for a seed and a step, and never to be validated on."""

import pytest
import torch

from facelib import FaceLibError
from facelib.synth import Stream
from facelib.train import Recipe, checkpoint, train
from facelib.train.distributed import World
from facelib.train.order import Order
from facelib.train.pictures import Endless, deal, open_training, open_validation
from tests.train.helpers import recipe


def drawn(how, steps, rank=0, world=1, parts=1, start=0):
    """Pictures and labels of the first steps that one process sees."""
    source, _ = open_training(how)
    order = Order(len(source), how.batch, how.seed, steps=steps, start=start, rank=rank, world=world, parts=parts)
    loader = deal(source, how, order, 0, World(rank, world, torch.device("cpu")))
    return [next(loader) for _ in range((steps - start) * parts)]


@pytest.fixture
def how(people):
    return recipe(people, train_list="synth:3x4", batch=4, epochs=1)


def test_so_many_people_and_pictures(how):
    source, classes = open_training(how)
    assert classes == 3 and len(source) == 12
    (images, labels, faults), *_ = drawn(how, 1)
    assert images.dtype == torch.uint8 and images.shape == (4, 3, how.size, how.size) and faults == []
    assert set(labels.tolist()) <= {0, 1, 2} and images.float().std() > 20
    with pytest.raises(FaceLibError, match="kept nowhere"):
        source.image(0)


def test_pictures_are_those_of_the_stream_made_smaller(how):
    ((large, labels, _),) = drawn(how.but(size=112), 1)
    ((small, _, _),) = drawn(how.but(size=56), 1)
    mean = large.float().unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2))
    assert (small.float() - mean).abs().max() <= 0.5
    batch = Stream(3, 4, seed=how.seed).render(0)
    assert torch.equal(large.permute(0, 2, 3, 1), batch.images) and torch.equal(labels, batch.labels)


def test_a_step_is_the_same_whenever_it_comes(how):
    first, second = drawn(how, 2)
    (again,) = drawn(how, 2, start=1)
    assert torch.equal(second[0], again[0]) and torch.equal(second[1], again[1])
    assert not torch.equal(first[0], second[0])


def test_processes_and_parts_see_other_pictures(how):
    seen = [images for rank in range(2) for images, _, _ in drawn(how, 2, rank=rank, world=2, parts=2)]
    assert all(len(images) == 1 for images in seen) and len(seen) == 8
    assert len({images.numpy().tobytes() for images in seen}) == 8


def test_it_resumes_bit_for_bit(how, tmp_path):
    train(how.but(epochs=1), tmp_path / "whole", quiet=True)
    half = how.but(epochs=2 / 3, schedule="constant")
    train(half, tmp_path / "two", quiet=True)
    train(half.but(epochs=1), tmp_path / "two", quiet=True, resume=True)
    train(half.but(epochs=1), tmp_path / "one", quiet=True)
    one, two, other = (checkpoint.load(tmp_path / name / "last.pt")["model"] for name in ("one", "two", "whole"))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_what_changes_is_not_validated_on(how, monkeypatch):
    with pytest.raises(FaceLibError, match="--val-list synth:3x4: .* validate on synth:mini"):
        open_validation(how.but(val_list="synth:3x4"))
    asked = []
    monkeypatch.setattr("facelib.train.pictures.Rendered", lambda *preset: asked.append(preset))
    open_validation(how.but(val_list=""))
    open_validation(how.but(val_list="", train_list="synth:tiny"))
    assert asked == [("mini", "validation"), ("tiny", "validation")]


def test_a_name_that_is_no_size_is_a_preset():
    for name in ("0x4", "3x", "x4", "3x-1", "nobody"):
        with pytest.raises(FaceLibError, match="no preset"):
            open_training(recipe_of(name))
    assert isinstance(open_training(recipe_of("20000x24"))[0], Endless)


def recipe_of(name):
    return Recipe(train_list=f"synth:{name}")
