"""Checks of lesson 15, a million identities: bytes of a head, halves of a softmax, a sample, what travels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import NotYet, exercise, expect, numbers, parts


@exercise("15.1")
def head_bytes(answer: Callable[..., Any]) -> str:
    """``answer(classes, batch, size, cards)``: bytes held and added on the fullest card, equation 15.1."""

    def of(*arguments: int) -> tuple[float, float]:
        held, added = parts(answer(*arguments), 2, "two numbers are wanted, the bytes held and the bytes added")
        return float(numbers(held)), float(numbers(added))

    held, added = of(1000, 16, 64, 1)
    if np.allclose((held, added), (128_000, 320_000)):
        raise NotYet("these are numbers, not bytes: a float32 has four")
    expect(held, 512_000, "held, for 1000 classes of 64 numbers on one card")
    if np.isclose(added, 4 * 1000 * (64 + 4 * 16 + 5 * 64)):
        raise NotYet("the two peaks of a step come one after the other: the higher one counts, not their sum")
    expect(added, 1_280_000, "added, where the centres are the peak (batch of 16)")
    expect(of(1000, 256, 64, 1)[1], 4_352_000, "added, where the logits are the peak (batch of 256)")
    held, added = of(1000, 256, 64, 4)
    if np.allclose((held, added), (512_000, 4_352_000)):
        raise NotYet("four cards share the classes: each has a quarter of the centres")
    expect(held, 128_000, "held on each of four cards")
    if np.isclose(added, 4 * 250 * 5 * 64):
        raise NotYet("the cards share the classes, not the batch: each makes logits for the pictures of all")
    expect(added, 1_088_000, "added on each of four cards")
    got = of(1001, 256, 64, 4)
    if np.allclose(got[0], 8 * 250 * 64) or np.allclose(got[0], 8 * 250.25 * 64):
        raise NotYet("1001 classes on four cards: one of them holds 251, and that one has to have room for them")
    expect(got, (8 * 251 * 64, 4 * 251 * 17 * 64), "the fullest of four cards with 1001 classes")
    return "right: a card more makes room for more people, and none for a larger batch"


@exercise("15.2")
def merge(answer: Callable[..., Any]) -> str:
    """``answer(first, second)``: two (largest, sum) of the same rows, put together as in 15.2 and 15.7."""

    def halves(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        top = logits.max(1)
        return top, np.exp(logits - top[:, None]).sum(1)

    def ask(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        got = answer(halves(first), halves(second))
        top, total = parts(got, 2, "a pair is wanted, the largest logit and the sum measured from it")
        return numbers(top), numbers(total)

    low, high = np.array([[2.0, 5.0], [9.0, 3.0]]), np.array([[1.0, 9.0], [4.0, 4.0]])
    want_top, want_total = halves(np.hstack([low, high]))
    top, total = ask(low, high)
    expect(top, want_top, "the largest of two rows")
    if total.shape == (2,) and np.allclose(total, halves(low)[1] + halves(high)[1]):
        raise NotYet("the two sums are measured from different logits: bring both to the new largest one, then add")
    if total.shape == (2,) and np.allclose(total, want_total * np.exp(want_top)):
        raise NotYet("this is the sum of the exponentials themselves; measure it from the new largest logit")
    expect(total, want_total, "the sum, measured from the new largest")
    top, total = ask(1000 * low, 1000 * high)
    if not np.isfinite(total).all():
        raise NotYet("logits of 9000 give no number: exponentiate differences from the largest, never a logit")
    expect(total, halves(1000 * np.hstack([low, high]))[1], "the sum with logits of thousands")
    nothing = np.full(2, -np.inf), np.zeros(2)
    got = answer(nothing, halves(high))
    expect(got[0], halves(high)[0], "the largest of an empty part and another")
    expect(got[1], halves(high)[1], "the sum of an empty part and another")
    logits = np.random.default_rng(15).normal(0, 8, (20, 3, 5))
    pieces = [halves(logits[:, k]) for k in range(3)]
    whole = halves(logits.reshape(20, 15))
    for got in (
        answer(answer(pieces[0], pieces[1]), pieces[2]),
        answer(pieces[2], answer(pieces[1], pieces[0])),
    ):
        expect(np.stack(got), np.stack(whole), "three parts of twenty rows, in two orders")
    return "right: in any order, so that blocks and cards may come as they like"


@exercise("15.3")
def sample(answer: Callable[..., Any]) -> str:
    """``answer(labels, classes, count, random)``: the classes of a step and the places of the labels among them."""
    random = np.random.default_rng(15)
    labels = np.array([70, 3, 41, 3])

    def ask(labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        got = answer(labels.copy(), 100, count, random)
        drawn, places = parts(got, 2, "two arrays are wanted, the drawn classes and the places of the labels")
        drawn, places = numbers(drawn), numbers(places)
        if places.shape != labels.shape:
            raise NotYet(f"{len(labels)} labels need {len(labels)} places, got shape {places.shape}")
        return drawn.astype(int), places.astype(int)

    times = np.zeros(100)
    for _ in range(400):
        drawn, places = ask(labels, 20)
        if len(set(drawn.tolist())) < len(drawn):
            raise NotYet("a class is in the sample twice, and would count twice in the softmax")
        if not set(labels.tolist()) <= set(drawn.tolist()):
            raise NotYet(
                "a class of the batch is not in the sample: it must be there always, not when the lot falls on it"
            )
        if len(drawn) == 23:
            raise NotYet("20 classes in all, those of the batch among them: 17 others, as label 3 is there twice")
        expect(len(drawn), 20, "how many are drawn")
        if drawn.min() < 0 or drawn.max() >= 100:
            raise NotYet("the classes are 0 to 99")
        if places.min() < 0 or places.max() >= 20 or (drawn[places] != labels).any():
            raise NotYet("drawn[places] must be the labels: searchsorted wants `drawn` in rising order")
        times[drawn] += 1
    others = np.delete(times, labels) / 400
    if others.max() - others.min() > 0.25:
        raise NotYet(
            f"every other class should be drawn about equally often, in 17 steps of 97;"
            f" one is drawn in {others.max():.0%} of the steps, another in {others.min():.0%}"
        )
    drawn, places = ask(np.arange(30), 20)
    if len(drawn) < 30:
        raise NotYet("a batch of 30 classes needs them all, even where the sample was to have 20")
    expect(drawn[places], np.arange(30), "the classes at the places, when the batch has more than the sample")
    return "right: the own class is certain, and the others are a lottery"


@exercise("15.4")
def break_even(answer: Callable[..., Any]) -> str:
    """``answer(batch, size)``: classes from which the sharded head has less to send, equation 15.8."""
    got = numbers(answer(1024, 512))
    if np.allclose(got, 1024 * 12 / 8):
        raise NotYet("labels and the four numbers of a row travel, too: 40 bytes of each")
    if np.allclose(got, 8 * 512 / (1024 * (12 * 512 + 40))):
        raise NotYet("this is the ratio for one class; set the two sides of (15.8) equal and solve for C")
    expect(got, 1546, "batch of 1024, 512 numbers")
    expect(answer(100, 10), 200, "batch of 100, 10 numbers")
    return "right: N has fallen out, as both grow with it in the same way"
