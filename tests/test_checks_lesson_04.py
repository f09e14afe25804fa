"""Typical wrong answers to the exercises of lesson 04 fail, with a message that helps."""

import numpy as np
import pytest

from facelib import TEMPLATE_112
from facelib.checks import lesson_04 as check


def move(matrix, points):
    return points @ matrix[:, :2].T + matrix[:, 2]


def worst(matrix, points):
    distances = np.linalg.norm(move(matrix, points) - TEMPLATE_112, axis=1)
    return distances.argmax(), distances.max()


def scale_and_roll(matrix):
    return np.hypot(matrix[0, 0], matrix[1, 0]), -np.arctan2(matrix[1, 0], matrix[0, 0])


def to_picture(matrix, points):
    return (points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T


def weighted(source, target, weights, weigh_means=True, weigh_sums=True):
    p, q = source @ [1, 1j], target @ [1, 1j]
    w = weights / weights.sum()
    p_mean, q_mean = ((w * p).sum(), (w * q).sum()) if weigh_means else (p.mean(), q.mean())
    p, q, w = p - p_mean, q - q_mean, w if weigh_sums else np.ones(len(w))
    a = (w * p.conj() * q).sum() / (w * abs(p) ** 2).sum()
    b = q_mean - a * p_mean
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


@pytest.mark.parametrize(
    ("run", "answer"),
    [
        (check.worst_landmark, worst),
        (check.scale_and_roll, scale_and_roll),
        (check.to_picture, to_picture),
        (check.weighted_similarity, weighted),
    ],
)
def test_right_answers_pass(run, answer):
    verdict = run(answer)
    assert verdict, verdict


@pytest.mark.parametrize(
    ("run", "answer", "hint"),
    [
        (check.worst_landmark, lambda m, p: ..., "still open"),
        (check.worst_landmark, lambda m, p: worst(np.eye(2, 3), p), "before the transform"),
        (check.worst_landmark, lambda m, p: (2, worst(m, p)[1]), "landmark 0"),
        (check.scale_and_roll, lambda m: (..., ...), "TypeError"),
        (check.scale_and_roll, lambda m: (m[0, 0], scale_and_roll(m)[1]), "scale 1.0"),
        (check.scale_and_roll, lambda m: (np.linalg.det(m[:, :2]), scale_and_roll(m)[1]), "scale 2.0"),
        (check.scale_and_roll, lambda m: (scale_and_roll(m)[0], -scale_and_roll(m)[1]), "sign"),
        (check.scale_and_roll, lambda m: (scale_and_roll(m)[0], np.degrees(scale_and_roll(m)[1])), "radians"),
        (check.to_picture, lambda m, p: ..., "still open"),
        (check.to_picture, move, "only shifts"),
        (check.to_picture, lambda m, p: p @ np.linalg.inv(m[:, :2]).T - m[:, 2], "undone first"),
        (check.to_picture, lambda m, p: (p - m[:, 2]) @ m[:, :2], "there and back"),
        (check.weighted_similarity, lambda s, t, w: ..., "still open"),
        (check.weighted_similarity, lambda s, t, w: weighted(s, t, np.ones(5)), "weight 0"),
        (check.weighted_similarity, lambda s, t, w: weighted(s, t, w, weigh_means=False), "weigh the means"),
        (check.weighted_similarity, lambda s, t, w: weighted(s, t, w, weigh_sums=False), "weight 0"),
        (check.weighted_similarity, lambda s, t, w: weighted(s, t, w**2), "twice"),
        (check.weighted_similarity, lambda s, t, w: weighted(t, s, w), "all weights 1"),
    ],
)
def test_wrong_answers_fail_with_a_hint(run, answer, hint):
    verdict = run(answer)
    assert not verdict
    assert hint in verdict.message
