"""Checks of lesson 10 recognise the typical wrong answers and say what is wrong with each."""

from __future__ import annotations

import math
from typing import Any

import pytest

from facelib.checks import lesson_10 as check


def rate(step: int, highest: float, warmup: int, total: int) -> float:
    if step < warmup:
        return highest * (step + 1) / warmup
    return highest * (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2


def save(model: Any, optimizer: Any, generator: Any, step: int) -> dict[str, Any]:
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "generator": generator.get_state(),
        "step": step,
    }


def restore(content: Any, model: Any, optimizer: Any, generator: Any) -> Any:
    model.load_state_dict(content["model"])
    optimizer.load_state_dict(content["optimizer"])
    generator.set_state(content["generator"])
    return content["step"]


def parts_of(zero: str = "before", divide: bool = True, step: str = "after") -> Any:
    """A step in parts with its faults chosen."""

    def step_in_parts(model: Any, optimizer: Any, parts: Any, loss_of: Any) -> None:
        if zero == "before":
            optimizer.zero_grad()
        for part in parts:
            if zero == "inside":
                optimizer.zero_grad()
            (loss_of(model, part) / (len(parts) if divide else 1)).backward()
            if step == "inside":
                optimizer.step()
        if step == "after":
            optimizer.step()

    return step_in_parts


def cost(pictures: float, epochs: float, speed: float, people: int, embedding: int, batch: int) -> tuple[float, float]:
    return epochs * pictures / speed / 3600, 12 * people * (embedding + batch) / 1e9


def test_right_answers_pass() -> None:
    verdicts = (
        check.rate(rate),
        check.save_and_restore(save, restore),
        check.step_in_parts(parts_of()),
        check.cost(cost),
    )
    for verdict in verdicts:
        assert verdict, verdict


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda s, h, w, t: h * s / w if s < w else rate(s, h, w, t), "changes nothing"),
        (
            lambda s, h, w, t: rate(s, h, w, t) if s < w else h * (1 + math.cos(math.pi * s / t)) / 2,
            "from the end of the warm-up",
        ),
        (lambda s, h, w, t: rate(s, h, w, t) if s < w else h * (1 - (s - w) / (t - w)), "in a line"),
        (lambda s, h, w, t: rate(s, h, w, t) if s < w else h * math.cos(math.pi / 2 * (s - w) / (t - w)), "half way"),
        (lambda s, h, w, t: h * (s + 1) / w if s < w or not w else rate(s, h, w, t), "ZeroDivisionError"),
        (lambda *_: ..., "still open"),
    ],
)
def test_wrong_schedules(answer: Any, hint: str) -> None:
    verdict = check.rate(answer)
    assert not verdict and hint in verdict.message, verdict


def without(*names: str) -> tuple[Any, Any]:
    """A pair of functions that forgets some of the pieces."""

    def forgetful_restore(content: Any, model: Any, optimizer: Any, generator: Any) -> Any:
        if "model" not in names:
            model.load_state_dict(content["model"])
        if "optimizer" not in names:
            optimizer.load_state_dict(content["optimizer"])
        if "generator" not in names:
            generator.set_state(content["generator"])
        return 0 if "step" in names else content["step"]

    return save, forgetful_restore


def parameters_only(model: Any, optimizer: Any, generator: Any, step: int) -> dict[str, Any]:
    weights = {name: value.detach() for name, value in model.named_parameters()}
    return save(model, optimizer, generator, step) | {"model": weights}


def lenient(content: Any, model: Any, optimizer: Any, generator: Any) -> Any:
    model.load_state_dict(content["model"], strict=False)
    return restore(content | {"model": model.state_dict()}, model, optimizer, generator)


@pytest.mark.parametrize(
    ("answers", "hint"),
    [
        (without("optimizer"), "velocities"),
        (without("generator"), "next batches"),
        (without("model"), "weights are not"),
        (without("step"), "in step 0"),
        ((parameters_only, lenient), "statistics of batch normalisation"),
        ((lambda m, o, g, s: {"model": m, "optimizer": o, "generator": g, "step": s}, restore), "weights_only"),
        ((lambda *given: list(save(*given).values()), restore), "a dict"),
        ((lambda *_: ..., lambda *_: ...), "still open"),
    ],
)
def test_wrong_checkpoints(answers: Any, hint: str) -> None:
    verdict = check.save_and_restore(*answers)
    assert not verdict and hint in verdict.message, verdict


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (parts_of("inside", divide=False), "only the last part"),  # the stub
        (parts_of("inside"), "only the last part"),
        (parts_of(divide=False), "three times too long"),
        (parts_of("never"), "step before is still there"),
        (parts_of(step="inside"), "not that of the whole batch"),
        (lambda *_: ..., "not moved"),
    ],
)
def test_wrong_steps(answer: Any, hint: str) -> None:
    verdict = check.step_in_parts(answer)
    assert not verdict and hint in verdict.message, verdict


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda n, e, v, c, d, b: (n * e / v, cost(n, e, v, c, d, b)[1]), "seconds"),
        (lambda n, e, v, c, d, b: (n * e / v / 3600, 4 * c * d / 1e9), "only the weights"),
        (lambda n, e, v, c, d, b: (n * e / v / 3600, 12 * c * d / 1e9), "logits are missing"),
        (lambda n, e, v, c, d, b: (n * e / v / 3600, (12 * c * d + 4 * c * b) / 1e9), "three are kept"),
        (lambda n, e, v, c, d, b: (n * e / v / 3600, 12 * c * (d + b)), "1e9"),
        (lambda n, e, v, c, d, b: (n / v / 3600, 12 * c * (d + b) / 1e9), "hours of 10 epochs"),
        (lambda *_: 10, "two numbers"),
        (lambda *_: ..., "still open"),
    ],
)
def test_wrong_costs(answer: Any, hint: str) -> None:
    verdict = check.cost(answer)
    assert not verdict and hint in verdict.message, verdict
