"""Pairs for verification in the form of LFW's View 2: ten folds, no person in two of them, half of the pairs same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import FaceLibError
from .dataset import Dataset

RULE = 2  # how hard pairs are drawn; by rule 1 different people were paired whatever their pose, which told them apart
DRAWS = 6


@dataclass(frozen=True)
class Pairs:
    """P pairs in the order of their folds, all folds equally long.

    Attributes
    ----------
    a, b : int64 (P,)
        Rows of the data set.
    same : bool (P,)
        Whether both rows show one person.
    fold : int64 (P,)
        Which of the folds the pair belongs to.
    """

    a: np.ndarray
    b: np.ndarray
    same: np.ndarray
    fold: np.ndarray

    def __len__(self) -> int:
        return len(self.a)


def make_pairs(data: Dataset, per_fold: int = 60, hard: bool = False, folds: int = 10, seed: int = 0) -> Pairs:
    """Draw verification pairs.

    Parameters
    ----------
    data : Dataset
        Of at least two people a fold; for the hard set load it with ``hide_hair=True`` as well.
    per_fold : int
        Pairs of each fold, an even number: half of them show one person twice.
    hard : bool
        Easy pairs are drawn at random. Hard ones are, of several drawn, the two pictures whose yaw differs most, of one
        person or of the two people most alike in shape (masculine or not), tone and age. The choice by yaw is the same
        for both kinds, so that pose alone says nothing about the answer.
    folds, seed : int

    Raises
    ------
    FaceLibError
        Too few people or pictures.
    """
    rows = [np.flatnonzero(data.labels == label) for label in range(data.people)]
    if len(rows) < 2 * folds or min(map(len, rows)) < 2:
        raise FaceLibError(
            f"{folds} folds need {2 * folds} people with two pictures each; there are {len(rows)} people"
        )
    if per_fold < 2 or per_fold % 2:
        raise FaceLibError(f"per_fold is half same and half different pairs, an even number, not {per_fold}")
    random = np.random.default_rng([seed, int(hard)])
    groups = np.array_split(random.permutation(len(rows)), folds)
    drawn = []
    for group in groups:
        people = [rows[label] for label in group]
        drawn += [_same(people, data, hard, random) for _ in range(per_fold // 2)]
        drawn += [_different(people, data, hard, random) for _ in range(per_fold // 2)]
    a, b = np.array(drawn, dtype=np.int64).T
    half = [True] * (per_fold // 2) + [False] * (per_fold // 2)
    return Pairs(a, b, np.array(half * folds), np.repeat(np.arange(folds), per_fold))


def _same(people: list[np.ndarray], data: Dataset, hard: bool, random: np.random.Generator) -> np.ndarray:
    shots = people[random.integers(len(people))]
    return _turned(lambda: random.choice(shots, 2, replace=False), data, hard)


def _different(people: list[np.ndarray], data: Dataset, hard: bool, random: np.random.Generator) -> np.ndarray:
    first, *others = random.permutation(len(people))
    traits = data.attributes
    if hard:
        here = people[first][0]

        def unlike(other: int) -> float:
            there = people[other][0]
            shape = abs(traits["masculine"][here] - traits["masculine"][there])
            tone = abs(traits["melanin"][here] - traits["melanin"][there])
            return float(4 * shape + tone + abs(traits["age"][here] - traits["age"][there]))

        others = sorted(others, key=unlike)
    return _turned(lambda: np.array([random.choice(people[k]) for k in (first, others[0])]), data, hard)


def _turned(draw: Callable[[], np.ndarray], data: Dataset, hard: bool) -> np.ndarray:
    """One pair, or the one of several whose heads are turned most differently."""
    yaw = data.attributes["yaw"]
    return max((draw() for _ in range(DRAWS if hard else 1)), key=lambda pair: abs(yaw[pair[0]] - yaw[pair[1]]))
