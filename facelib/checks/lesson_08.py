"""Checks of lesson 08, data: people made of numbers, and collections on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..data.splits import fraction
from ..synth.skin import BLOOD, TONES
from . import NotYet, exercise, expect, numbers, parts, turned


@exercise("8.1")
def bend(answer: Callable[..., Any]) -> str:
    """``answer(mean, plus, minus, values)``: vertices (V, 3) by signed knobs, equation 8.3."""
    mean, plus, minus = np.zeros((1, 3)), np.array([[[1.0, 0, 0]]]), np.array([[[-4.0, 0, 0]]])
    expect(answer(mean.copy(), plus, minus, np.array([0.5])), [[0.5, 0, 0]], "a knob at 0.5")
    got = numbers(answer(mean.copy(), plus, minus, np.array([-0.5])))
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
    got = numbers(answer(np.array([[1.0, 2, 0]]), 10, 100, (50, 60)))
    if got.shape == (1, 2):
        if np.allclose(got, [[60, 80]]):
            raise NotYet("a point above the middle came out below it: rows count downwards")
        if np.allclose(got, [[70, 50]]) or np.allclose(got, [[80, 50]]):
            raise NotYet("column and row are exchanged: x goes with the first entry of centre")
    expect(got, [[60, 40]], "the point (1, 2, 0) at distance 10, focal length 100, centre (50, 60)")
    got = numbers(answer(np.array([[1.0, 2, 5]]), 10, 100, (50, 60)))
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
    wanted = "two things are wanted, the rows of train and those of test"
    train, test = map(np.asarray, parts(result, 2, wanted))
    if train.dtype == bool:
        raise NotYet("row numbers are wanted, not a mask of True and False; np.flatnonzero turns one into the other")
    expect(np.sort(np.concatenate([train, test])), np.arange(len(labels)), "all rows of both parts, sorted,")
    both = np.intersect1d(labels[train], labels[test])
    if len(both):
        raise NotYet(f"{len(both)} of 30 people are in both parts; shuffle people, not pictures")
    expect(len(np.unique(labels[test])), 9, "30 % of 30 people: people in the test")
    pieces = [{*np.asarray(answer(labels.copy(), 0.3, seed)[1]).tolist()} for seed in (0, 1, 2, 0)]
    if pieces[0] != pieces[3]:
        raise NotYet("the same seed gave two different splits")
    if pieces[0] == pieces[1] == pieces[2]:
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
    plain = numbers(answer(colour(one, np.ones(1)), base, melanin, blood))
    if plain.shape == (1, 2) and np.allclose(plain, -one, atol=1e-6):
        raise NotYet("both amounts came out negative: dye makes a colour darker, so the logarithm changes its sign")
    if plain.shape == (1, 2) and np.allclose(plain, one[:, ::-1], atol=1e-6):
        raise NotYet("blood came before melanin")
    expect(plain, one, "melanin 1.5 and blood 0.4 in light of strength 1", 1e-6)
    got = numbers(answer(colour(one, np.full(1, 0.5)), base, melanin, blood))
    if got.shape == (1, 2) and got[0, 0] > one[0, 0] + 0.1:
        raise NotYet("at half the light the same skin shows more melanin: the strength of the light is a third unknown")
    expect(got, one, "the same skin at half the light", 1e-6)
    random = np.random.default_rng(8)
    amounts = random.uniform(0, 3, (50, 2))
    shown = colour(amounts, random.uniform(0.1, 2, 50))
    expect(answer(shown, base, melanin, blood), amounts, "fifty pixels in fifty lights", 1e-6)
    return "right: three channels, three unknowns; one lamp of unknown colour would already be two too many"


@exercise("8.5")
def in_validation(answer: Callable[..., Any]) -> str:
    """``answer(name, share, seed)``: whether a person is in validation, by the hash of (8.12)."""
    names = [f"n{k:06d}" for k in range(2000)]
    got = [answer(name, 0.2, 0) for name in names]
    if any(side is None or side is ... for side in got):
        raise NotYet("still open; replace the ... by your answer")
    if any(not isinstance(side, (bool, np.bool_)) for side in got):
        raise NotYet(f"True or False is wanted for a name, not {got[0]!r}")
    if [answer(name, 0.2, 0) for name in reversed(names)] != got[::-1]:
        raise NotYet("a second call for the same name gave another side; only name, share and seed may decide")
    if [answer(name, 0.2, 1) for name in names] == got:
        raise NotYet("the seed makes no difference: it belongs in the text that is hashed")
    part = float(np.mean(got))
    if not 0.15 < part < 0.25:
        raise NotYet(f"{part:.0%} of 2,000 people are in validation at a share of 20 %")
    off = sum(side != (fraction(name, 0) < 0.2) for name, side in zip(names, got, strict=True))
    if off:
        raise NotYet(
            f"{off:,} of 2,000 people are on another side than in facelib: is it BLAKE2b with 8 bytes, of seed, a zero"
            " byte and name, most significant byte first? Python's hash() differs from process to process"
        )
    for name, share, seed in [("Zoë", 0.5, 3), *((name, 0.7, 7) for name in names[:50])]:
        if bool(answer(name, share, seed)) != (fraction(name, seed) < share):
            raise NotYet(f"{name!r} with share {share} and seed {seed} is on the wrong side")
    return "right: the same on every machine, and nobody moves when somebody joins"


@exercise("8.6")
def suspects(answer: Callable[..., Any]) -> str:
    """``answer(vectors, labels, count)``: rows by rising cosine to the mean of their person's other pictures."""

    crowd = turned(0, 10, 20, 90, 100, 110, 95)
    got = numbers(answer(crowd.copy(), np.array([5, 5, 5, 9, 9, 9, 5]), 1))
    if got.shape == (1,) and got[0] in range(6):
        raise NotYet("the first suspect is a picture in the middle of its person: the smallest cosine comes first")
    expect(got, [6], "the picture that stands with the wrong person: row")
    # A pair at 100 degrees and a picture at 90 degrees from two others. Compared with a mean that it is part of, a
    # picture of the pair seems to be at 50.
    got = numbers(answer(turned(0, 0, 90, 180, 280), np.array([0, 0, 0, 1, 1]), 2))
    if got.shape == (2,) and 2 in got:
        raise NotYet("each picture vouched for itself: leave it out of the mean that it is compared with")
    expect(np.sort(got), [3, 4], "two pictures of one person that disagree: rows")
    got = numbers(answer(turned(0, 10, 20, 200), np.array([1, 1, 1, 2]), 2))
    if 3 in got.ravel():
        raise NotYet("a person's only picture is a suspect, but there is nothing to compare it with")
    random = np.random.default_rng(8)
    vectors = random.normal(size=(60, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels, kept = random.choice(10_000, 12, replace=False)[random.integers(0, 12, 60)], vectors.copy()
    values = []
    for k in range(60):
        others = vectors[(labels == labels[k]) & (np.arange(60) != k)]
        mean = others.mean(0) if len(others) else vectors[k] * 0
        values.append(vectors[k] @ mean / np.linalg.norm(mean) if len(others) else np.inf)
    expect(answer(vectors, labels, 10), np.argsort(values)[:10], "ten suspects among 60 pictures: rows")
    expect(vectors, kept, "`vectors` afterwards, which should stay as they were,")
    return "right: a ranking, not a verdict; the picture with the smallest value is the first to look at"
