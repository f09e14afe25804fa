"""Pooling and template scores against loops, and against the reports for single pictures."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from facelib import FaceLibError
from facelib.evaluate import (
    identification,
    pool,
    template_identification,
    template_verification,
    templates,
    verify_scores,
)
from facelib.evaluate.ranking import wilson


def pictures(seed: int, count: int = 60, size: int = 6):
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, size)).astype(np.float32)
    return x, random.integers(100, 112, count), random.integers(7, 10, count), random.random(count).astype(np.float32)


def pooled(x, template, medium, weight) -> dict[int, list[float]]:
    """The definition, number by number."""
    found = {}
    for t in sorted(set(template.tolist())):
        total = [0.0] * x.shape[1]
        for m in {m for m, other in zip(medium.tolist(), template.tolist(), strict=True) if other == t}:
            rows = [k for k in range(len(x)) if (template[k], medium[k]) == (t, m)]
            for d in range(x.shape[1]):
                total[d] += sum(float(weight[k]) * float(x[k, d]) for k in rows) / len(rows)
        length = math.sqrt(sum(value**2 for value in total))
        found[t] = [value / length for value in total]
    return found


@pytest.mark.parametrize("block", [1, 7, 8192])
@pytest.mark.parametrize("seed", range(3))
def test_pooling_is_its_definition(seed, block, monkeypatch):
    monkeypatch.setattr(templates, "BLOCK", block)
    x, template, medium, score = pictures(seed)
    for weights in (None, score):
        vectors, ids = pool(x, template, medium, weights)
        expected = pooled(x, template, medium, np.ones(60) if weights is None else weights)
        assert ids.tolist() == list(expected) and vectors.dtype == np.float32
        assert np.allclose(vectors, list(expected.values()), atol=1e-6)
    assert np.array_equal(
        pool(torch.from_numpy(x), template.tolist(), torch.from_numpy(medium))[0], pool(*pictures(seed)[:3])[0]
    )


def test_a_video_counts_like_a_photograph():
    """999 frames along one axis and a photograph along the other: halfway. Without media the video would drown it."""
    x = np.eye(2)[[0] * 999 + [1]]
    one, ids = pool(x, [5] * 1000, [1] * 999 + [2])
    assert ids.tolist() == [5] and np.allclose(one, math.sqrt(0.5))
    # the same medium in two templates is averaged in each
    two, ids = pool(np.eye(2)[[0, 1, 0]], [4, 5, 5], [1, 1, 1])
    assert ids.tolist() == [4, 5] and np.allclose(two, [[1, 0], [math.sqrt(0.5), math.sqrt(0.5)]])
    # weights scale the pictures, the mean divides by their number: (2 e1 + 0 e2) / 2 + e2
    weighed, _ = pool(np.eye(2)[[0, 1, 1]], [4, 4, 4], [1, 1, 2], weights=[2, 0, 1])
    assert np.allclose(weighed, math.sqrt(0.5))


def compared(seed: int, pairs: int = 400, coarse: bool = False):
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(30, 8))
    if coarse:
        vectors = np.zeros((30, 8))
        for row in vectors:
            row[random.choice(8, 4, replace=False)] = random.choice([-0.5, 0.5], 4)
    ids = random.permutation(500)[:30]
    a, b = random.integers(0, 30, (2, pairs))
    same = random.random(pairs) < 0.3
    return vectors.astype(np.float32), ids, a, b, same


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_rates_of_templates_are_those_of_pairs(seed, coarse, monkeypatch):
    """The lean report and the full one have nothing but the definition in common."""
    monkeypatch.setattr(templates, "BLOCK", 37)
    vectors, ids, a, b, same = compared(seed, coarse=coarse)
    report = template_verification(vectors, ids, ids[a], ids[b], same)
    exact = vectors.astype(np.float64)
    scores = [x @ y / math.sqrt((x @ x) * (y @ y)) for x, y in zip(exact[a], exact[b], strict=True)]
    assert np.allclose(report.scores, scores, atol=1e-6) and report.scores.dtype == np.float32
    full = verify_scores(report.scores, same, fold=np.arange(400) % 2)
    different = int((~same).sum())
    for far in (0.0, 1 / different, 3 / different, 0.01, 0.1, 0.29, 0.5, 1 - 1 / different, 1.0):
        assert report.tar_at(far) == full.tar_at(far), far
        assert report.threshold_at(far) == full.threshold_at(far), far
        assert report.tar_interval(far) == wilson(full.tar_at(far), int(same.sum()))


def test_every_count_of_false_accepts_is_met():
    """k / n as floating-point numbers must allow k, for all k of all n."""
    for different in (3, 7, 10, 49, 1000, 1001):
        report = templates.TemplateVerification(
            np.empty(0), np.empty(0), np.float32([0.5]), np.arange(different, dtype=np.float32)
        )
        for k in range(different):
            threshold = report.threshold_at(k / different)
            assert (report.impostor > threshold).sum() == k, (k, different)


def test_report_is_readable():
    vectors, ids, a, b, same = compared(1)
    text = str(template_verification(vectors, ids, ids[a], ids[b], same))
    assert f"400 pairs of templates, {same.sum()} same" in text and "FAR 0.01 " in text and "FAR 0.001 " not in text
    assert max(map(len, text.splitlines())) < 90


def test_identification_of_templates():
    random = np.random.default_rng(0)
    centres = random.normal(size=(20, 16))
    ids = random.permutation(900)[:60]
    vectors = np.repeat(centres, 3, 0) + 0.5 * random.normal(size=(60, 16))
    subject = np.repeat(np.arange(20) + 40, 3)
    gallery, probes = np.arange(0, 36, 3), np.setdiff1d(np.arange(60), np.arange(0, 36, 3))
    found = template_identification(vectors, ids, (ids[gallery], subject[gallery]), (ids[probes], subject[probes]))
    plain = identification(vectors[gallery], subject[gallery], vectors[probes], subject[probes])
    assert np.array_equal(found.ranks, plain.ranks) and found.fnir_at(0.1) == plain.fnir_at(0.1)
    assert int((~found.mated).sum()) == 24 and found.rank1 > 0.9


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"embeddings": np.full((4, 2), np.nan)}, "embeddings: row 0 holds NaN"),
        ({"embeddings": np.ones(4)}, r"expected \(N, D\)"),
        ({"templates": [1, 2]}, "templates: int64 of shape .*, expected 4 whole numbers"),
        ({"media": [0.5, 1, 2, 3]}, "media: float64"),
        ({"weights": [1, 1, 1]}, "weights: expected 4 finite"),
        ({"weights": [1, 1, 1, -1]}, "none below 0"),
        ({"weights": [1, 0, 0, 1]}, "template 2: its pictures cancel out, or all have weight 0"),
        ({"embeddings": [[1, 0], [1, 0.5], [-1, -0.5], [1, 0]]}, "template 2: its pictures cancel out"),
    ],
)
def test_what_cannot_be_pooled_is_said(change, words):
    given = {"embeddings": np.ones((4, 2)), "templates": [1, 2, 2, 3], "media": [1, 2, 3, 4]}
    with pytest.raises(FaceLibError, match=words):
        pool(**{**given, **change})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ids": [1, 2, 2]}, "template 2 has two vectors"),
        ({"ids": [1, 2]}, "ids: int64 of shape"),
        ({"first": [1, 9]}, "template 9 has no vector"),
        ({"same": [1, 1]}, "no different one"),
        ({"same": [0, 0]}, "no same one"),
        ({"same": [0, 2]}, "True or False"),
        ({"second": [1]}, "second: int64 of shape"),
        ({"vectors": np.zeros((3, 2))}, "vectors: row 0 has length 0"),
        ({"vectors": np.ones((0, 2)), "ids": []}, "vectors: no rows"),
    ],
)
def test_pairs_that_cannot_be_judged(change, words):
    given = {"vectors": np.eye(3), "ids": [1, 2, 3], "first": [1, 2], "second": [3, 3], "same": [0, 1]}
    with pytest.raises(FaceLibError, match=words):
        template_verification(**{**given, **change})


def test_nothing_pooled_and_odd_rates():
    vectors, ids = pool(np.empty((0, 4)), np.empty(0, int), np.empty(0, int))
    assert vectors.shape == (0, 4) and len(ids) == 0
    report = template_verification(np.eye(3), [1, 2, 3], [1, 2], [3, 3], [0, 1])
    for far in (-0.1, 1.1, math.nan):
        with pytest.raises(FaceLibError, match="far="):
            report.tar_at(far)
