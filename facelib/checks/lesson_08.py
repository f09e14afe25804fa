"""Checks of lesson 08, data: people made of numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..synth.skin import BLOOD, TONES
from . import NotYet, exercise, expect


def _numbers(got: Any) -> np.ndarray:
    """An answer as an array.

    Raises
    ------
    NotYet
        Where it is still open.
    """
    if got is None or got is ...:
        raise NotYet("still open; replace the ... by your answer")
    return np.asarray(got, dtype=float)


@exercise("8.1")
def bend(answer: Callable[..., Any]) -> str:
    """``answer(mean, plus, minus, values)``: vertices (V, 3) by signed knobs, equation 8.3."""
    mean, plus, minus = np.zeros((1, 3)), np.array([[[1.0, 0, 0]]]), np.array([[[-4.0, 0, 0]]])
    expect(answer(mean.copy(), plus, minus, np.array([0.5])), [[0.5, 0, 0]], "a knob at 0.5")
    got = _numbers(answer(mean.copy(), plus, minus, np.array([-0.5])))
    if got.shape == (1, 3):
        if np.allclose(got, [[-0.5, 0, 0]]):
            raise NotYet("a knob at -0.5 went backwards along `plus`; it has a drawing of its own, `minus`")
        if np.allclose(got, [[2, 0, 0]]):
            raise NotYet("a knob at -0.5 went away from `minus`: the drawing is added with the weight 0.5, not -0.5")
    expect(got, [[-2, 0, 0]], "a knob at -0.5 whose `minus` is -4")
    random = np.random.default_rng(8)
    mean, plus, minus = random.normal(size=(7, 3)), random.normal(size=(5, 7, 3)), random.normal(size=(5, 7, 3))
    values, kept = random.uniform(-1, 1, 5), mean.copy()
    want = mean + sum(abs(w) * (plus if w > 0 else minus)[k] for k, w in enumerate(values))
    expect(answer(mean, plus, minus, values), want, "five knobs, seven vertices")
    expect(mean, kept, "`mean` afterwards, which should stay as it was,")
    return "right: linear on either side of zero, with a bend at zero where the artist changes the drawing"


@exercise("8.2")
def project(answer: Callable[..., Any], zoom: Callable[..., Any]) -> str:
    """``answer(points, distance, focal, centre)``: pixels (K, 2), by (8.5); ``zoom``: the new focal length."""
    got = _numbers(answer(np.array([[1.0, 2, 0]]), 10, 100, (50, 60)))
    if got.shape == (1, 2):
        if np.allclose(got, [[60, 80]]):
            raise NotYet("a point above the middle came out below it: rows count downwards")
        if np.allclose(got, [[70, 50]]) or np.allclose(got, [[80, 50]]):
            raise NotYet("column and row are exchanged: x goes with the first entry of centre")
    expect(got, [[60, 40]], "the point (1, 2, 0) at distance 10, focal length 100, centre (50, 60)")
    got = _numbers(answer(np.array([[1.0, 2, 5]]), 10, 100, (50, 60)))
    if got.shape == (1, 2) and np.allclose(got, [[50 + 100 / 15, 60 - 200 / 15]]):
        raise NotYet("a point nearer to the camera came out smaller: z points at the camera, so it shortens the way")
    expect(got, [[70, 20]], "the point (1, 2, 5), nearer to the camera")
    many = np.random.default_rng(8).uniform(-1, 1, (6, 3))
    want = np.stack([150 + 400 * many[:, 0] / (8 - many[:, 2]), 150 - 400 * many[:, 1] / (8 - many[:, 2])], 1)
    expect(answer(many, 8, 400, (150, 150)), want, "six points at once")
    expect(zoom(10, 100, 20), 200, "zoom(10, 100, 20)")
    expect(zoom(8, 300, 30), 1125, "zoom(8, 300, 30)")
    return "right: after zooming the middle of the face keeps its size, and only the nose tells how near the camera was"


@exercise("8.3")
def split_people(answer: Callable[..., Any]) -> str:
    """``answer(labels, share, seed)``: rows of train and test with nobody in both."""
    random = np.random.default_rng(8)
    names = random.choice(10_000, 30, replace=False)
    labels = random.permutation(np.repeat(names, random.integers(1, 20, 30)))
    result = answer(labels.copy(), 0.3, 0)
    if result is None or result is ...:
        raise NotYet("still open; replace the ... by your answer")
    if not isinstance(result, tuple) or len(result) != 2:
        raise NotYet("two things are wanted, the rows of train and those of test")
    train, test = (np.asarray(rows) for rows in result)
    if train.dtype == bool:
        raise NotYet("row numbers are wanted, not a mask of True and False; np.flatnonzero turns one into the other")
    expect(np.sort(np.concatenate([train, test])), np.arange(len(labels)), "all rows of both parts, sorted,")
    both = np.intersect1d(labels[train], labels[test])
    if len(both):
        raise NotYet(f"{len(both)} of 30 people are in both parts; shuffle people, not pictures")
    expect(len(np.unique(labels[test])), 9, "30 % of 30 people: people in the test")
    parts = [{*np.asarray(answer(labels.copy(), 0.3, seed)[1]).tolist()} for seed in (0, 1, 2, 0)]
    if parts[0] != parts[3]:
        raise NotYet("the same seed gave two different splits")
    if parts[0] == parts[1] == parts[2]:
        raise NotYet("the seed makes no difference: always the same people are tested")
    return "right: and the first assertion of every evaluation is that the two sets of people do not meet"


@exercise("8.4")
def dyes(answer: Callable[..., Any]) -> str:
    """``answer(colours, base, melanin, blood)``: amounts (N, 2) from linear colours (N, 3) in unknown white light."""
    base, blood = np.array(TONES[0]), -np.array(BLOOD)
    melanin = np.log(base / np.array(TONES[1]))

    def colour(amounts: np.ndarray, light: np.ndarray) -> np.ndarray:
        return np.asarray(light[:, None] * base * np.exp(-amounts @ np.stack([melanin, blood])))

    one = np.array([[1.5, 0.4]])
    plain = _numbers(answer(colour(one, np.ones(1)), base, melanin, blood))
    if plain.shape == (1, 2) and np.allclose(plain, -one, atol=1e-6):
        raise NotYet("both amounts came out negative: dye makes a colour darker, so the logarithm changes its sign")
    if plain.shape == (1, 2) and np.allclose(plain, one[:, ::-1], atol=1e-6):
        raise NotYet("blood came before melanin")
    expect(plain, one, "melanin 1.5 and blood 0.4 in light of strength 1", 1e-6)
    got = _numbers(answer(colour(one, np.full(1, 0.5)), base, melanin, blood))
    if got.shape == (1, 2) and got[0, 0] > one[0, 0] + 0.1:
        raise NotYet("at half the light the same skin shows more melanin: the strength of the light is a third unknown")
    expect(got, one, "the same skin at half the light", 1e-6)
    random = np.random.default_rng(8)
    amounts = random.uniform(0, 3, (50, 2))
    shown = colour(amounts, random.uniform(0.1, 2, 50))
    expect(answer(shown, base, melanin, blood), amounts, "fifty pixels in fifty lights", 1e-6)
    return "right: three channels, three unknowns; one lamp of unknown colour would already be two too many"
