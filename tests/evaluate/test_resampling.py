"""How often each pair counts, draw by draw."""

from __future__ import annotations

from itertools import islice

import numpy as np

from facelib.evaluate.resampling import drawn_pairs, drawn_people


def test_pairs_are_drawn_within_their_kind():
    same = np.arange(30) < 10
    draws = np.array(list(islice(drawn_pairs(same, np.random.default_rng(0)), 2000)))
    assert (draws[:, same].sum(1) == 10).all() and (draws[:, ~same].sum(1) == 20).all()
    assert abs(draws.mean(0) - 1).max() < 0.12
    assert (draws == 0).mean() > 0.33  # (1 - 1 / n)^n


def test_a_pair_counts_as_often_as_both_its_people():
    """One same pair of each of six people tells how often each was drawn; then all different pairs follow."""
    first, second = np.triu_indices(6)
    same = first == second
    names = np.array(list("fabced"))
    for counts in islice(drawn_people(same, (names[first], names[second]), np.random.default_rng(0)), 200):
        times = np.empty(6)
        times[first[same]] = counts[same]
        assert times.sum() == 6
        assert np.array_equal(counts[~same], times[first[~same]] * times[second[~same]])


def test_draws_without_a_kind_are_drawn_again():
    """Of two people with one different pair, half of the draws would have none."""
    people = np.array([0, 1, 0]), np.array([0, 1, 1])
    same = people[0] == people[1]
    for counts in islice(drawn_people(same, people, np.random.default_rng(0)), 50):
        assert counts.tolist() == [1, 1, 1]
