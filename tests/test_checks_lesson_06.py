"""Typical wrong answers to the exercises of lesson 06 fail, with a message that helps."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from facelib.checks import lesson_06 as check


def in_place(cosine, labels, s, m):
    cosine[torch.arange(len(labels)), labels] -= m
    return s * cosine


def one_hot(cosine, labels):
    return F.one_hot(labels, cosine.shape[1])


def plain(cosine, m):
    return torch.cos(torch.acos(cosine) + m)


def continued(cosine, m, beyond):
    return torch.where(torch.acos(cosine) + m <= torch.pi, plain(cosine, m), beyond)


@pytest.mark.parametrize(
    ("run", "answer", "hint"),
    [
        (check.cosface_logits, in_place, "of the caller were changed"),
        (check.cosface_logits, lambda c, y, s, m: s * (c - m), "every class lost"),
        (check.cosface_logits, lambda c, y, s, m: s * c - m, "after the scale"),
        (check.cosface_logits, lambda c, y, s, m: s * c - m * one_hot(c, y), "after the scale"),
        (check.cosface_logits, lambda c, y, s, m: s * (c + m * one_hot(c, y)), "favoured"),
        (check.cosface_logits, lambda c, y, s, m: c - m * one_hot(c, y), "s = 16"),
        (check.arcface_linear, plain, "without a continuation"),
        (check.arcface_linear, lambda c, m: continued(c, m, c - m), "m sin"),
        (check.arcface_linear, lambda c, m: continued(c, m, -torch.ones_like(c)), "160 and 175"),
        (check.arcface_linear, lambda c, m: plain(c, -m), "far below 180"),
        (check.closest, lambda m2, m3: 2 * m2, "own centre is lost"),
        (check.closest, lambda m2, m3: m2 + m3, "not an angle"),
        (check.closest, lambda m2, m3: m2 + np.degrees(np.arccos(1 - m3)), "radians"),
        (check.closest, lambda m2, m3: m2 + np.arccos(1 - m3), "combination"),
        (check.steepness, lambda theta, m: np.abs(np.sin(m * theta)), "chain rule"),
        (check.steepness, lambda theta, m: -m * np.abs(np.sin(m * theta)), "its negative"),
        (check.steepness, lambda theta, m: m * np.sin(m * theta), "second piece"),
    ],
)
def test_a_wrong_answer_fails_with_a_hint(run, answer, hint):
    verdict = run(answer)
    assert not verdict
    assert hint in verdict.message
