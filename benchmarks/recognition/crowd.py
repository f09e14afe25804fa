"""Errors of groups under one threshold: who is mistaken for whom, and who is turned away; for ``factors.py``."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from facelib.synth import People

SEED, DRAWS = 13, 1000


def rounded(values: Any) -> list[float]:
    return [round(float(x), 5) for x in values]


def share_of_pairs(accepted: np.ndarray, pairs: int, one: Any = None, other: Any = None) -> list[float]:
    """Low, share, high of accepted (N, N), of ``pairs`` each, between the people of one group and of the other."""
    n = len(accepted)
    one = np.ones(n, bool) if one is None else one
    other = one if other is None else other
    counts = accepted * ~np.eye(n, dtype=bool)
    random = np.random.default_rng(SEED)
    drawn = random.multinomial(n, np.full(n, 1 / n), DRAWS).astype(np.float32)
    weights = np.concatenate([np.ones((1, n), np.float32), drawn])  # the first row is everybody once
    a, b = weights * one, weights * other
    total = a.sum(1) * b.sum(1) - (a * b).sum(1)
    shares = ((a @ counts) * b).sum(1) / np.maximum(pairs * total, 1)
    return rounded([np.quantile(shares[1:], 0.025), shares[0], np.quantile(shares[1:], 0.975)])


def share_of_people(wrong: np.ndarray, trials: int, group: np.ndarray) -> list[float]:
    """Low, share, high of wrong (N,) out of ``trials`` each, people of the group drawn with replacement."""
    values = wrong[group] / trials
    drawn = np.random.default_rng(SEED).choice(values, (DRAWS, len(values))).mean(1)
    return rounded([np.quantile(drawn, 0.025), values.mean(), np.quantile(drawn, 0.975)])


class Crowd:
    """1,000 people with three everyday pictures each, and the groups they are parted into."""

    SHOTS = 3

    def __init__(self, people: People, count: int) -> None:
        ids = np.arange(100_000, 100_000 + count)
        self.who = people.identities(ids)
        shots = people.render(np.repeat(ids, self.SHOTS), torch.Generator().manual_seed(SEED))
        self.images, traits = shots.images, {k: getattr(self.who, k).numpy() for k in ("masculine", "melanin", "age")}
        self.edges = {"masculine": [0.5]}
        self.edges |= {name: np.quantile(traits[name], (1 / 3, 2 / 3)).tolist() for name in ("melanin", "age")}
        words = {1: ("low", "high"), 2: ("low", "middle", "high")}
        self.groups = {}
        for name, edges in self.edges.items():
            place = np.digitize(traits[name], edges)
            self.groups[name] = {word: place == k for k, word in enumerate(words[len(edges)])}
        self.cells = {f"masculine {m}, melanin {t}": self.groups["masculine"][m] & self.groups["melanin"][t]
                      for m in self.groups["masculine"] for t in self.groups["melanin"]}  # fmt: skip

    def judge(self, vectors: np.ndarray, rate: float, full: bool = True) -> dict[str, Any]:
        """At the threshold that accepts ``rate`` of all pairs of different people."""
        shots, n = self.SHOTS, len(vectors) // self.SHOTS
        score = vectors @ vectors.T
        person = np.repeat(np.arange(n), shots)
        different = person[:, None] != person[None]
        threshold = float(np.quantile(score[different], 1 - rate))
        matches = (score > threshold).reshape(n, shots, n, shots).sum((1, 3)).astype(np.float32)
        pairs, genuine = shots * shots, shots * (shots - 1) // 2

        def missed(t: float) -> np.ndarray:
            inside = score.reshape(n, shots, n, shots)[np.arange(n), :, np.arange(n)]  # n, shots, shots
            return genuine - ((inside > t).sum((1, 2)) - shots) / 2

        result: dict[str, Any] = {"rate": rate, "threshold": round(threshold, 4), "groups": {}}
        for setting, groups in {**self.groups, "both": self.cells}.items():
            result["groups"][setting] = {}
            for name, group in groups.items():
                rows = np.repeat(group, shots)
                own = float(np.quantile(score[np.ix_(rows, rows)][different[np.ix_(rows, rows)]], 1 - rate))
                result["groups"][setting][name] = {
                    "people": int(group.sum()), "false match": share_of_pairs(matches, pairs, group),
                    "false match, with others": share_of_pairs(matches, pairs, group, ~group),
                    "false non-match": share_of_people(missed(threshold), genuine, group),
                    "own threshold": round(own, 4),
                    "false non-match, own": share_of_people(missed(own), genuine, group),
                }  # fmt: skip
        turned_away = share_of_people(missed(threshold), genuine, np.ones(n, bool))
        result["all"] = {"false match": share_of_pairs(matches, pairs), "false non-match": turned_away}
        if full:
            cells = list(self.cells.values())
            result["matrix"] = [[share_of_pairs(matches, pairs, a, b)[1] for b in cells] for a in cells]
        return result
