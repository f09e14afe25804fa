"""Random pairs: of the right kind, none twice, everybody equally often."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facelib import FaceLibError
from facelib.evaluate import pairs, random_pairs


def check(labels: np.ndarray, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    a, b, same = random_pairs(labels, count, seed)
    assert len(a) == len(b) == len(same) == count
    assert same.dtype == bool and same.sum() == count // 2
    assert np.array_equal(labels[a] == labels[b], same)
    assert (a != b).all()
    assert len({frozenset(pair) for pair in zip(a.tolist(), b.tolist(), strict=True)}) == count
    return a, b, same


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.integers(1, 9), min_size=2, max_size=12),
    st.sampled_from([1.0, 0.95]) | st.floats(0, 1),
    st.integers(0, 10**6),
)
def test_any_sizes_up_to_the_last_pair(sizes, part, seed):
    sizes = np.array([*sizes, 2])
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)) * 7, sizes))
    room = int((sizes * (sizes - 1) // 2).sum())
    others = (len(labels) ** 2 - int((sizes**2).sum())) // 2
    most = 2 * min(room, others) + (others > room)
    count = max(2, round(part * most))
    a, b, same = check(labels, count, seed)
    # Everybody's number of same pairs is the common level, or all there are.
    taken = np.bincount(labels[a[same]] // 7, minlength=len(sizes))
    full = taken == sizes * (sizes - 1) // 2
    assert (full | (taken >= taken.max() - 1)).all()
    for wanted in (most + 2, most + 200):
        with pytest.raises(FaceLibError, match="allow only"):
            random_pairs(labels, wanted, seed)


@pytest.mark.parametrize("people", [2, 3, 40, 41])
def test_everybody_equally_often(people):
    labels = np.repeat(np.arange(people), np.random.default_rng(people).integers(20, 90, people))
    a, b, same = check(labels, 20 * people)
    taken = np.bincount(labels[a[same]], minlength=people)
    assert taken.min() == taken.max() == 10
    taken = np.bincount(np.concatenate([labels[a[~same]], labels[b[~same]]]), minlength=people)
    assert taken.min() >= 18 and taken.max() <= 22 and taken.sum() == 20 * people


def test_the_last_pairs_are_found_by_looking_at_all(monkeypatch):
    """801 different pairs exist, nearly all with the one who has 400 pictures: drawing would take for ever."""
    labels = np.repeat([0, 1, 2], [1, 400, 1])
    check(labels, 1602)
    monkeypatch.setattr(pairs, "ALL_PAIRS", 1000)
    with pytest.raises(FaceLibError, match="no new ones were found: ask for fewer"):
        random_pairs(labels, 1602)


def test_a_last_round_for_some_only():
    """266 places for 41 people: some come up 7 times, the others 6 times."""
    labels = np.repeat(np.arange(41), 60)
    apart = []
    for seed in range(20):
        a, b, same = check(labels, 266, seed)
        taken = np.bincount(np.concatenate([labels[a[~same]], labels[b[~same]]]), minlength=41)
        apart.append(np.ptp(taken))
    assert np.median(apart) == 1  # more, where the last in the queue were one person


def test_pictures_and_sides_are_drawn_evenly():
    labels = np.repeat(np.arange(30), 10)
    a, b, same = (np.concatenate(x) for x in zip(*(random_pairs(labels, 600, seed) for seed in range(60)), strict=True))
    for kind in (same, ~same):
        times = np.bincount(np.concatenate([a[kind], b[kind]]), minlength=300)  # 120 expected
        assert times.min() > 70 and times.max() < 180
        assert abs((a[kind] < b[kind]).mean() - 0.5) < 0.03
    assert abs(same.reshape(60, 600)[:, :300].mean() - 0.5) < 0.02  # kinds are mixed, for folds of neighbours


def test_seed():
    labels = np.repeat(np.arange(9), 9)
    for x, y in zip(random_pairs(labels, 50, 3), random_pairs(labels, 50, 3), strict=True):
        assert np.array_equal(x, y)
    assert not np.array_equal(random_pairs(labels, 50, 3)[0], random_pairs(labels, 50, 4)[0])


def test_names_and_tensors():
    labels = np.repeat(np.arange(5), 6)
    names = np.array(["Ann", "Bo", "Cy", "Di", "Ed"])[labels]
    for same_people in (names, list(names), torch.from_numpy(labels)):
        for x, y in zip(random_pairs(same_people, 30), random_pairs(labels, 30), strict=True):
            assert np.array_equal(x, y)


@pytest.mark.parametrize("labels", [np.zeros(0), np.zeros(9), np.arange(9), np.zeros((3, 3))])
def test_labels_without_pairs(labels):
    with pytest.raises(FaceLibError, match="allow only 0|expected"):
        random_pairs(labels, 4)
