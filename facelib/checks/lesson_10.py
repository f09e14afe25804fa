"""Checks of lesson 10, training for real."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..train import Recipe
from ..train.schedule import learning_rate
from . import NotYet, answered, exercise, expect, parts


@exercise("10.1")
def rate(answer: Callable[..., Any]) -> str:
    """``answer(step, highest, warmup, total)``: the rate of a step, equation 10.1 with the cosine."""
    got = answer(0, 0.1, 10, 110)
    answered(got)
    if got == 0:
        raise NotYet("the first step has the rate 0 and changes nothing; equation 10.1 counts from step + 1")
    expect(got, 0.01, "step 0 of a warm-up of 10 to the rate 0.1")
    expect(answer(9, 0.1, 10, 110), 0.1, "the last step of the warm-up")
    got = answer(10, 0.1, 10, 110)
    if abs(got - 0.1) > 1e-6 and got < 0.1:
        raise NotYet(f"the rate right after the warm-up is {got:.4f}: t counts from the end of the warm-up, not from 0")
    expect(got, 0.1, "the first step after the warm-up")
    got = answer(60, 0.1, 10, 110)
    expect(got, 0.05, "half way down")
    if abs(answer(35, 0.1, 10, 110) - 0.075) < 1e-6:
        raise NotYet("it falls in a line; along a cosine it begins slowly")
    for warmup, total in ((10, 110), (0, 30), (5, 6)):
        recipe = Recipe(schedule="cosine", lr=0.3, warmup=float(warmup), epochs=float(total))  # an epoch is a step here
        want = [learning_rate(recipe, step, 1) for step in range(total)]
        expect([answer(step, 0.3, warmup, total) for step in range(total)], want, f"{warmup} of {total} steps warm-up")
    return "right: the same as facelib.train.schedule.learning_rate"


def _pieces() -> tuple[nn.Module, torch.optim.Optimizer, torch.Generator]:
    """A model, its optimiser and a generator, new."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return model, optimizer, torch.Generator().manual_seed(5)


def _go_on(pieces: tuple[nn.Module, torch.optim.Optimizer, torch.Generator], start: int, end: int) -> None:
    """Steps start ... end - 1, at a falling rate."""
    model, optimizer, generator = pieces
    for step in range(start, end):
        optimizer.param_groups[0]["lr"] = 0.1 / (1 + step)
        x = torch.randn(16, 6, generator=generator)
        loss = nn.functional.cross_entropy(model(x), x[:, :3].argmax(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _faults(got: Any, want: Any) -> list[str]:
    """What differs between two sets of pieces at the same step."""
    found = []
    (model, optimizer, generator), (their_model, their_optimizer, their_generator) = got, want
    ours, theirs = model.state_dict(), their_model.state_dict()
    changed = [name for name in theirs if not torch.equal(ours[name], theirs[name])]
    if changed:
        kind = "statistics of batch normalisation" if all("running" in n or "num" in n for n in changed) else "weights"
        found.append(f"the {kind} are not those that were saved ({changed[0]})")
    velocities = [
        (optimizer.state[p].get("momentum_buffer"), their_optimizer.state[q]["momentum_buffer"])
        for p, q in zip(model.parameters(), their_model.parameters(), strict=True)
    ]
    if not all(ours is not None and torch.equal(ours, theirs) for ours, theirs in velocities):
        found.append("the velocities of the optimiser are gone")
    if not torch.equal(generator.get_state(), their_generator.get_state()):
        found.append("the generator is not where it was: the next batches will be others")
    return found


@exercise("10.2")
def save_and_restore(save: Callable[..., Any], restore: Callable[..., Any]) -> str:
    """``save(model, optimizer, generator, step)``: a dict; ``restore(content, model, optimizer, generator)``: step."""
    pieces = _pieces()
    _go_on(pieces, 0, 7)
    content = save(*pieces, 7)
    answered(content)
    if not isinstance(content, dict):
        raise NotYet(f"save should return a dict, not {type(content).__name__}")
    file = io.BytesIO()
    torch.save(content, file)
    file.seek(0)
    try:
        read = torch.load(file, weights_only=True)
    except Exception as error:
        raise NotYet("the file cannot be read with weights_only=True: save states and numbers, not objects") from error
    fresh = _pieces()
    _go_on(fresh, 0, 2)  # it has a past of its own, which must not shine through
    step = restore(read, *fresh)
    faults = _faults(fresh, pieces)
    if faults:
        raise NotYet("after restore, " + "; ".join(faults))
    if step != 7:
        raise NotYet(f"saved in step 7, restored in step {step}: the rate of the next step depends on it")
    _go_on(pieces, 7, 12)
    _go_on(fresh, step, 12)
    if _faults(fresh, pieces):
        raise NotYet("everything looked right after restore, and five steps later the runs differ")
    return "right: five steps later both runs are equal, bit for bit"


def _gradients(answer: Callable[..., Any], parts: list[Tensor], before: float) -> Tensor:
    """The gradient that a step was made with; ``before`` is what an earlier step left there."""
    torch.manual_seed(0)
    model = nn.Linear(4, 3, bias=False).double()
    start = model.weight.detach().clone()
    model.weight.grad = torch.full_like(start, before)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    answer(model, optimizer, parts, _loss)
    return start - model.weight.detach()


def _loss(model: nn.Module, part: Tensor) -> Tensor:
    return nn.functional.cross_entropy(model(part), part[:, :3].argmax(1))


@exercise("10.3")
def step_in_parts(answer: Callable[..., Any]) -> str:
    """``answer(model, optimizer, parts, loss_of)``: one step with the mean loss of all parts."""
    batch = torch.randn(12, 4, generator=torch.Generator().manual_seed(10), dtype=torch.float64)
    parts = list(batch.chunk(3))
    want, singles = ([_gradients(_right, [rows], 0.0) for rows in some] for some in ([batch], parts))
    got = _gradients(answer, parts, 0.0)

    def like(other: Tensor) -> bool:
        return torch.allclose(got, other, atol=1e-9)

    if like(torch.zeros_like(got)):
        raise NotYet("the weights have not moved")
    if like(singles[-1]) or like(singles[-1] / 3):
        raise NotYet("only the last part counts: the gradients of the others were set to zero before the step")
    if like(3 * want[0]):
        raise NotYet("the step is three times too long: three means were added, not averaged")
    if not like(want[0]):
        raise NotYet("the step is not that of the whole batch; one step, after the last part, with the mean gradient")
    if not torch.allclose(_gradients(answer, parts, 1.0), want[0], atol=1e-9):
        raise NotYet("the gradient of the step before is still there; it has to be set to zero once")
    return "right: three parts make the step of the whole batch"


def _right(
    model: nn.Module, optimizer: torch.optim.Optimizer, parts: list[Tensor], loss_of: Callable[..., Any]
) -> None:
    optimizer.zero_grad()
    for part in parts:
        (loss_of(model, part) / len(parts)).backward()
    optimizer.step()


@exercise("10.4")
def cost(answer: Callable[..., Any]) -> str:
    """``answer(pictures, epochs, speed, people, embedding, batch)``: hours, and gigabytes of the head."""
    result = answer(3_600_000, 10, 1000, 1_000_000, 512, 128)
    hours, memory = parts(result, 2, "two numbers are wanted, the hours and the gigabytes")
    if abs(hours - 36_000) < 1e-6:
        raise NotYet("these are seconds; an hour has 3,600")
    expect(hours, 10, "hours of 10 epochs of 3.6 million pictures at 1,000 a second")
    for wrong, why in (
        (2.048, "only the weights are counted"),
        (6.144, "the logits are missing"),
        (2.56, "weights and one matrix of logits are counted; each weight has a gradient and a velocity too"),
        (6.656, "one matrix of logits is counted where three are kept"),
        (1.92, "float32 has 4 bytes"),
        (7680, "gigabytes are wanted, 1e9 bytes"),
        (7.68e9, "gigabytes are wanted, 1e9 bytes"),
    ):
        if abs(memory - wrong) < 1e-3:
            raise NotYet(f"{memory:g} GB for a million people: {why}")
    expect(memory, 7.68, "gigabytes for a million people, 512 numbers, a batch of 128", 1e-3)
    expect(answer(3.1e6, 20, 3389, 8631, 512, 1024)[1], 12 * 8631 * 1536 / 1e9, "VGGFace2's head, batch 1,024", 1e-6)
    return "right: with a million people the head, not the network, decides what fits"
