"""Order, rates and seeds: functions of (seed, step) and of nothing else."""

import numpy as np
import pytest

from facelib import FaceLibError
from facelib.train import Recipe
from facelib.train.order import Order, generator, step_seed
from facelib.train.schedule import learning_rate, margin_share


def test_an_epoch_shows_every_picture_at_most_once():
    order = list(Order(23, 4, seed=0, steps=10))
    assert len(order) == 10 and all(len(batch) == 4 for batch in order)
    first, second = (np.concatenate(order[k : k + 5]) for k in (0, 5))
    assert len(set(first)) == 20 and set(first) <= set(range(23))
    assert first.tolist() != second.tolist()
    assert list(Order(23, 4, seed=1, steps=10)) != order


def test_from_any_step_on_it_is_the_same():
    order = list(Order(23, 4, seed=0, steps=12))
    for start in (1, 5, 7, 11):
        assert list(Order(23, 4, seed=0, steps=12, start=start)) == order[start:]


@pytest.mark.parametrize(("world", "parts"), [(1, 4), (2, 2), (4, 1), (2, 1)])
def test_processes_and_parts_share_a_batch(world, parts):
    whole = list(Order(40, 8, seed=3, steps=7))
    dealt = [Order(40, 8, seed=3, steps=7, rank=r, world=world, parts=parts) for r in range(world)]
    lists = [list(order) for order in dealt]
    for step, batch in enumerate(whole):
        pieces = [lists[r][step * parts + k] for r in range(world) for k in range(parts)]
        assert [x for piece in pieces for x in piece] == batch
        for r in range(world):
            for k in range(parts):
                assert batch[dealt[r].rows(k)] == lists[r][step * parts + k]


def test_what_cannot_be_dealt_is_said():
    with pytest.raises(FaceLibError, match="3 processes"):
        Order(40, 8, seed=0, steps=1, world=3)
    with pytest.raises(FaceLibError, match="fewer than one --batch 8"):
        Order(7, 8, seed=0, steps=1)


def test_seeds_of_neighbours_have_nothing_in_common():
    seeds = {step_seed(a, b, c) for a in range(5) for b in range(50) for c in range(3)}
    assert len(seeds) == 750 and all(0 <= seed < 2**63 for seed in seeds)
    draws = [
        float(generator(0, step).seed() and np.random.default_rng(step_seed(0, step, 0)).random())
        for step in range(200)
    ]
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.2


def test_rates_by_hand():
    base = Recipe(lr=1.0, epochs=10, warmup=1)
    steps = [0, 4, 9, 10, 55, 100]

    def rates(**changes):
        return [learning_rate(base.but(**changes), step, per_epoch=10) for step in steps]

    assert rates() == pytest.approx([0.1, 0.5, 1.0, 1.0, 0.5, 0.0])
    assert rates(power=2.0) == pytest.approx([0.1, 0.5, 1.0, 1.0, 0.25, 0.0])
    assert rates(schedule="cosine") == pytest.approx([0.1, 0.5, 1.0, 1.0, 0.5, 0.0])
    assert rates(schedule="step", milestones=(5.0, 8.0)) == pytest.approx([0.1, 0.5, 1.0, 1.0, 0.1, 0.01])
    assert rates(schedule="constant", warmup=0) == [1.0] * 6


def test_the_margin_grows():
    recipe = Recipe(margin_warmup=2)
    assert [margin_share(recipe, step, per_epoch=10) for step in (0, 5, 10, 20, 30)] == [0, 0.25, 0.5, 1, 1]
    assert margin_share(Recipe(), 0, 10) == 1
