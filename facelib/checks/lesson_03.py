"""Checks of lesson 03, teach a P-Net."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch

from ..detect.boxes import refine
from ..detect.training import TeachablePNet
from ..detect.training_samples import named_windows
from . import NotYet, answered, exercise, expect, parts


@exercise("3.1")
def best_square(answer: Callable[[float, float], float]) -> str:
    """``answer(w, h)``: the largest IoU of a square with a centred box of w x h, h >= w."""
    got = answer(30, 40)
    if got is not None and got is not ... and np.isclose(got, 0.75, atol=1e-6):
        raise NotYet("0.75 is the IoU of the square as high as the face, or as wide; one in between does better")
    for w, h in ((30.0, 40.0), (1.0, 1.0), (10.0, 40.0), (76.0, 100.0)):
        side = np.linspace(w, h, 100_001)
        want = (w * side / (w * h + side**2 - w * side)).max()
        expect(answer(w, h), want, f"a face of {w:g} x {h:g}", 1e-4)
    return "right: the square of the same area; the narrower the face, the fewer windows can be positives"


@exercise("3.2")
def mirror(answer: Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]) -> str:
    """``answer(offsets, landmarks)``: the targets of the mirrored crop, in fractions of the window seen."""
    generator = torch.Generator().manual_seed(32)
    offsets = torch.rand(6, 4, generator=generator) - 0.5
    landmarks = torch.rand(6, 5, 2, generator=generator)
    kept = offsets.clone(), landmarks.clone()
    moved, points = parts(answer(offsets, landmarks), 2, "two tensors are wanted, the offsets and the landmarks")
    x1, y1, x2, y2 = kept[0].unbind(1)
    if torch.is_tensor(moved) and moved.shape == (6, 4) and torch.allclose(moved[:, 0], -x1):
        raise NotYet("the new left edge comes from the old right one: the two offsets change places and signs")
    expect(moved, torch.stack([-x2, y1, -x1, y2], 1), "offsets")
    flipped = torch.stack([1 - kept[1][..., 0], kept[1][..., 1]], 2)
    if torch.is_tensor(points) and points.shape == (6, 5, 2) and torch.allclose(points, flipped):
        raise NotYet("the landmarks are in the right places, but the left eye is now named the right eye")
    expect(points, flipped[:, [1, 0, 2, 4, 3]], "landmarks")
    expect(torch.cat([offsets.flatten(), landmarks.flatten()]), torch.cat([x.flatten() for x in kept]), "the input")
    back = answer(moved, points)
    expect(back[0], kept[0], "offsets mirrored twice")
    return "right: and mirrored twice, everything is back in its place"


@exercise("3.3")
def masked_mean(answer: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> str:
    """``answer(losses, mask)``: the mean where the mask is true; 0, with a finite gradient, if it is true nowhere."""
    cases = (
        ("three of five", [1.0, 2, 3, 4, 5], [True, False, True, False, True], 3.0),
        ("an empty mask", [1.0, 2], [False, False], 0.0),
        ("a full mask", [1.0, 2], [True, True], 1.5),
        ("a masked loss that is infinite", [1.0, torch.inf, 3], [True, False, True], 2.0),
    )
    for name, values, chosen, want in cases:
        losses, mask = torch.tensor(values, requires_grad=True), torch.tensor(chosen)
        got = answer(losses, mask)
        answered(got)
        if torch.is_tensor(got) and got.isnan():
            raise NotYet(f"{name}: not a number; a division of 0 by 0, or infinity times 0")
        expect(torch.as_tensor(got).detach(), want, name)
        if not torch.is_tensor(got) or not got.requires_grad:
            raise NotYet(f"{name}: the result has no gradient; stay with tensors from input to output")
        got.backward()
        share = mask.float() / max(1, sum(chosen))
        expect(torch.zeros_like(losses) if losses.grad is None else losses.grad, share, f"{name}: the gradient")
    return "right: one batch without a landmark face would otherwise have ended the training"


@exercise("3.4")
def repair(answer: Callable[[TeachablePNet], TeachablePNet]) -> str:
    """``answer(network)``: its offsets, fractions of the window seen, turned into fractions of the window named."""
    network = TeachablePNet(torch.Generator().manual_seed(34))
    with torch.no_grad():
        network.box.weight *= 0.3
    crops = torch.rand(40, 3, 12, 12, generator=torch.Generator().manual_seed(35)) * 2 - 1
    with torch.no_grad():
        before = copy.deepcopy(network).answers(crops)
    repaired = answered(answer(network))  # outside no_grad, as the reader calls it
    with torch.no_grad():
        after = repaired.answers(crops)
    seen = torch.tensor([[30.0, 20.0, 78.0, 68.0]])
    want = refine(seen, before[1], corner_pixels=0)  # the faces that the network meant
    got = refine(named_windows(seen), after[1], corner_pixels=0)
    error = (got - want).abs().amax(0)
    if bool((error[2:] < 1e-2).all()) and bool((error[:2] > 1e-2).all()):
        raise NotYet("the right and the lower edge are right; for the left and the upper one the bias needs more")
    if torch.equal(after[1], before[1]):
        raise NotYet("the offsets are what they were; change network.box.weight and network.box.bias in place")
    expect(got, want, "boxes as the detector decodes them", 1e-2)
    expect(after[0], before[0], "the face's logits, which should stay as they were,")
    return "right: same faces, other units, no training"
