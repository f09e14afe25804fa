"""Identification against loops over probes, people, pictures and thresholds, written from the definitions."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
import torch

import facelib
from facelib import FaceLibError
from facelib.evaluate import identification, searching, vectors
from facelib.evaluate.ranking import wilson


def people(seed: int, known: int = 12, pictures: int = 3, strangers: int = 8, size: int = 16, coarse: bool = False):
    """A gallery, probes of its people and of strangers. ``coarse``: four numbers of +-0.5 in each, so ties abound."""
    random = np.random.default_rng(seed)
    if coarse:
        rows = np.zeros((known * pictures + 3 * (known + strangers), size))
        for row in rows:
            row[random.choice(size, 4, replace=False)] = random.choice([-0.5, 0.5], 4)
        gallery, probes = rows[: known * pictures], rows[known * pictures :]
    else:
        centres = random.normal(size=(known + strangers, size))
        gallery = np.repeat(centres[:known], pictures, 0) + 0.9 * random.normal(size=(known * pictures, size))
        probes = np.repeat(centres, 3, 0) + 0.9 * random.normal(size=(3 * (known + strangers), size))
    order, other = random.permutation(len(gallery)), random.permutation(len(probes))
    gallery_ids = np.repeat(np.arange(known), pictures)[order]
    probe_ids = np.repeat(np.arange(known + strangers), 3)[other]
    return gallery[order].astype(np.float32), gallery_ids, probes[other].astype(np.float32), probe_ids


def cosine(a, b) -> float:
    dot = sum(float(x) * float(y) for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(float(x) ** 2 for x in a)) / math.sqrt(sum(float(y) ** 2 for y in b))


def written_out(gallery, gallery_ids, probes, probe_ids, distractors=(), templates="best"):
    """For each probe: own score or None, rank or None, best score. Nothing but the definitions."""
    galleries: dict = {}
    for name, row in zip(gallery_ids, gallery, strict=True):
        galleries.setdefault(name, []).append([float(x) for x in row])
    if templates == "mean":
        for name, rows in galleries.items():
            lengths = [math.sqrt(sum(x * x for x in row)) for row in rows]
            units = [[x / length for x in row] for row, length in zip(rows, lengths, strict=True)]
            galleries[name] = [[sum(column) for column in zip(*units, strict=True)]]
    for number, row in enumerate(distractors):
        galleries[f"nobody {number}"] = [row]
    found = []
    for name, probe in zip(probe_ids, probes, strict=True):
        scores = {other: max(cosine(probe, row) for row in rows) for other, rows in galleries.items()}
        best = max(scores.values())
        if name in scores:
            own = scores[name]
            found.append((own, 1 + sum(s >= own for other, s in scores.items() if other != name), best))
        else:
            found.append((None, None, best))
    return found


def rates_written_out(found, fpir: float, rank: int | None) -> tuple[float, float]:
    """Of all thresholds that keep the FPIR, the smallest FNIR; by trying them all."""
    strangers = [best for own, _, best in found if own is None]
    mated = [(own, place) for own, place, _ in found if own is not None]
    known = sorted({*strangers, *(own for own, _ in mated)})
    tries = [-math.inf, *((a + b) / 2 for a, b in zip(known, known[1:], strict=False)), math.inf]
    allowed = [t for t in tries if sum(best > t for best in strangers) / len(strangers) <= fpir]
    misses = [sum(not (s > t and (rank is None or k <= rank)) for s, k in mated) / len(mated) for t in allowed]
    return min(misses), min(allowed)


@pytest.mark.parametrize(("templates", "coarse"), [("best", False), ("best", True), ("mean", False)])
@pytest.mark.parametrize("nobodies", [0, 7])
@pytest.mark.parametrize("seed", range(3))
def test_figures_are_those_of_the_definitions(seed, nobodies, templates, coarse, monkeypatch):
    monkeypatch.setattr(searching, "BLOCK", 5)  # people and distractors come in many blocks, probes in several
    monkeypatch.setattr(searching, "CELLS", 40)
    data = people(seed, coarse=coarse)
    others = people(seed + 50, nobodies, 1, 0, coarse=coarse)[0] if nobodies else None
    found = written_out(*data, others if nobodies else (), templates)
    report = identification(*data, distractors=others, templates=templates)
    assert report.mated.tolist() == [own is not None for own, _, _ in found]
    assert report.ranks.tolist() == [rank or 0 for _, rank, _ in found]
    assert np.allclose(report.scores, [math.nan if own is None else own for own, _, _ in found], atol=1e-6, equal_nan=1)
    assert np.allclose(report.best_scores, [best for _, _, best in found], atol=1e-6)
    places = [rank for _, rank, _ in found if rank]
    assert len(report.cmc) == 12 + nobodies and report.cmc[-1] == 1
    for k in (1, 2, 5, 12 + nobodies):
        share = sum(place <= k for place in places) / len(places)
        assert report.rank(k) == pytest.approx(share, abs=1e-12) == report.cmc[k - 1]
        assert report.rank_interval(k) == wilson(report.rank(k), len(places))
    assert report.rank1 == report.rank(1) and report.rank1_interval == report.rank_interval(1)
    for fpir in (0.0, 1 / 24, 0.1, 0.125, 0.5, 0.99, 1.0):
        for rank in (1, 2, None):
            fnir, _ = rates_written_out(found, fpir, rank)
            assert report.fnir_at(fpir, rank) == pytest.approx(fnir, abs=1e-12), (fpir, rank)
            assert report.dir_at(fpir, rank) == 1 - report.fnir_at(fpir, rank)
            low, high = report.fnir_interval(fpir, rank)
            assert (low, high) == wilson(report.fnir_at(fpir, rank), 36)
            assert report.dir_interval(fpir, rank) == (1 - high, 1 - low)
        threshold = report.threshold_at(fpir)
        assert report.rates(threshold) == (pytest.approx(report.rates(threshold)[0]), report.fnir_at(fpir))
        assert report.rates(threshold)[0] <= fpir


def test_who_was_found():
    gallery, gallery_ids, probes, probe_ids = people(1)
    names = np.array([f"person {k:02d}" for k in range(20)])
    others = people(9, 4, 1, 0)[0] * 100
    report = identification(gallery, names[gallery_ids], probes, names[probe_ids].astype(object), distractors=others)
    assert report.people.tolist() == names[:12].tolist() and report.distractors == 4
    for row, probe in enumerate(probes):
        scores = [cosine(probe, other) for other in [*gallery, *others]]
        owner = [*gallery_ids, -1, -1, -1, -1][int(np.argmax(scores))]
        assert report.best[row] == owner


@pytest.mark.parametrize("rank", [1, 3, None])
def test_det_goes_through_all_points(rank):
    report = identification(*people(4))
    thresholds, fpir, fnir = report.det(rank)
    for t, positive, negative in zip(thresholds, fpir, fnir, strict=True):
        assert report.rates(t, rank) == pytest.approx((positive, negative), abs=1e-12)
    assert (fpir[0], fnir[0]) == (0, 1) and fpir[-1] == 1
    assert (np.diff(fpir) >= 0).all() and (np.diff(fnir) <= 1e-12).all()


def test_who_is_only_as_near_as_somebody_else_is_not_found():
    """A network that maps all faces to one vector recognises nobody."""
    ones = np.tile(np.float32([0.5, 0.5, 0.5, 0.5]), (6, 1))
    report = identification(ones, np.arange(6), ones, np.arange(6))
    assert report.rank1 == 0 and report.rank(5) == 0 and report.rank(6) == 1
    doubled = identification(ones[:2], [0, 0], ones[:1], [0])  # own pictures are no rivals
    assert doubled.rank1 == 1
    assert doubled.rates(1.0)[1] == 1 and doubled.rates(0.99)[1] == 0  # nor who is only at the threshold


def test_strangers_by_hand():
    """Axes a b c d, one person on each of a and b; mated probes score 0.8, 0.6; strangers at most 0.6 and 0.28."""
    gallery = np.eye(4)[:2]
    probes = [[0.8, 0, 0.6, 0], [0.8, 0.6, 0, 0], [0.6, 0, 0.8, 0], [0, 0.28, 0, 0.96]]
    report = identification(gallery, ["a", "b"], probes, ["a", "b", "x", "y"])
    assert report.mated.tolist() == [True, True, False, False]
    assert report.ranks.tolist() == [1, 2, 0, 0] and report.rank1 == 0.5 and report.rank(2) == 1
    assert report.cmc.tolist() == [0.5, 1.0]
    # No stranger: above 0.6, where the second mated probe is lost too, equal to the stranger.
    assert report.threshold_at(0) == pytest.approx(0.7) and report.fnir_at(0, None) == 0.5
    # One of two: above 0.28; both are above it, but one is at rank 2.
    assert report.threshold_at(0.5) == pytest.approx(0.44)
    assert report.fnir_at(0.5, None) == 0 and report.fnir_at(0.5) == 0.5 and report.fnir_at(0.5, 2) == 0
    assert report.rates(0.1) == (1.0, 0.5) and report.rates(math.inf) == (0.0, 1.0)


def test_distractors_only_make_it_harder():
    data = people(3)
    more = np.random.default_rng(0).normal(size=(300, 16))
    reports = [identification(*data, distractors=more[:count] if count else None) for count in (0, 10, 100, 300)]
    for smaller, larger in zip(reports, reports[1:], strict=False):
        assert (larger.ranks >= smaller.ranks).all() and (larger.best_scores >= smaller.best_scores).all()
        assert larger.fnir_at(0.1) >= smaller.fnir_at(0.1) and np.array_equal(larger.mated, smaller.mated)
    assert reports[-1].rank1 < reports[0].rank1
    assert "12 people and 300 distractors" in str(reports[-1])


def test_one_person_and_one_probe():
    report = identification([[3.0, 4.0]], ["ada"], [[4.0, 3.0]], ["ada"])
    assert report.rank1 == 1 and report.cmc.tolist() == [1.0] and report.scores[0] == pytest.approx(0.96)
    with pytest.raises(FaceLibError, match="all 1 probes show people of the gallery"):
        report.fnir_at(0.1)
    assert math.isnan(report.rates(0.5)[0]) and report.rates(0.5)[1] == 0
    assert report.bootstrap(40) == {"rank1": (1.0, 1.0)}


def test_order_length_and_kind_of_the_rows_do_not_matter():
    gallery, gallery_ids, probes, probe_ids = people(5)
    report = identification(gallery, gallery_ids, probes, probe_ids)
    order = np.random.default_rng(0).permutation(len(gallery))
    other = identification(
        torch.from_numpy(gallery[order] * np.linspace(0.01, 90, len(gallery))[:, None]).requires_grad_(),
        torch.from_numpy(gallery_ids[order]),
        (7 * probes).tolist(),
        probe_ids.tolist(),
    )
    assert np.array_equal(other.ranks, report.ranks) and np.allclose(other.best_scores, report.best_scores, atol=1e-6)
    assert identification(*(torch.from_numpy(x).bfloat16() if x.ndim == 2 else x for x in people(5))).rank1 > 0.4


def test_bootstrap_draws_people():
    """Ten probes of each person that stand or fall together: intervals of probes would be too narrow by sqrt(10)."""
    random = np.random.default_rng(0)
    gallery, lost = np.eye(64)[:40], np.arange(40) % 2
    probes = [np.eye(64)[40 + k // 2] + 0.01 * np.eye(64)[k] if lost[k] else np.eye(64)[k] for k in range(40)]
    probes = [*np.repeat(probes, 10, 0), *(random.normal(size=(60, 64)) - 1)]
    ids = [*np.repeat(np.arange(40), 10), *(100 + np.arange(60))]
    report = identification(gallery, np.arange(40), probes, ids, distractors=0.1 * np.eye(64)[40:])
    assert report.rank1 == 0.5
    drawn = report.bootstrap(400, fpir=(0.1,))
    assert set(drawn) == {"rank1", "fnir@0.1"}
    low, high = drawn["rank1"]
    assert low < 0.4 < 0.6 < high and high - low == pytest.approx(4 * 0.5 / math.sqrt(40), rel=0.25)
    assert high - low > 2 * np.diff(report.rank1_interval)[0]
    assert drawn["fnir@0.1"][0] <= report.fnir_at(0.1) <= drawn["fnir@0.1"][1]
    assert report.bootstrap(400, fpir=(0.1,)) == drawn != report.bootstrap(400, seed=1, fpir=(0.1,))
    with pytest.raises(FaceLibError, match="resamples=5"):
        report.bootstrap(5)


def test_report_is_readable():
    data = people(1)
    text = str(identification(*data))
    assert "12 people; 36 probes of theirs, 24 of strangers" in text
    assert "FNIR at FPIR 0.1 " in text and "FPIR 0.01" not in text  # 24 strangers cannot show 0.24 of one
    assert "rank-1 " in text and "pictures of the gallery" not in text and max(map(len, text.splitlines())) < 90
    gallery, gallery_ids, _, _ = data
    copied = identification(gallery, gallery_ids, gallery[:5], gallery_ids[:5])
    assert "5 probes are pictures of the gallery" in str(copied)
    assert repr(copied) == "<Identification of 5 probes among 12: rank-1 1.0000>"


def test_a_large_gallery_needs_no_table():
    """20,000 people times 4,000 probes would be 320 MB of products, and a block of the people times all probes 131."""
    random = np.random.default_rng(0)
    gallery = random.normal(size=(20_000, 16)).astype(np.float32)
    probes = gallery[:4000] + 0.05 * random.normal(size=(4000, 16)).astype(np.float32)
    tracemalloc.start()
    report = identification(gallery, np.arange(20_000), probes, np.arange(4000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.rank1 > 0.99 and peak < 60e6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gallery": np.full((6, 4), np.nan)}, "gallery: row 0 holds NaN"),
        ({"gallery": np.eye(6, 4)}, "gallery: row 4 has length 0"),
        ({"gallery": np.ones(6)}, r"gallery: shape \(6,\), expected \(N, D\)"),
        ({"gallery": np.ones((0, 4)), "gallery_ids": []}, "gallery: no rows"),
        ({"gallery_ids": np.arange(5)}, r"gallery_ids: shape \(5,\), expected one entry for each of 6"),
        ({"gallery_ids": np.arange(6) / 2}, "gallery_ids: expected whole numbers or names"),
        ({"gallery_ids": list("abcdef")}, "gallery_ids are names and probe_ids are numbers"),
        ({"probes": np.ones((3, 5))}, "probes: rows of 5 numbers, expected 4"),
        ({"probes": [[1, 2, 3, 4], [1, 2, 3, np.inf], [1, 1, 1, 1]]}, "probes: row 1 holds NaN or infinite"),
        ({"probes": np.ones((0, 4)), "probe_ids": []}, "probes: no rows"),
        ({"probe_ids": [7, 8, 9]}, "no probe shows anybody of the gallery"),
        ({"probe_ids": [[0], [1], [2]]}, r"probe_ids: shape \(3, 1\)"),
        ({"probes": [["a"] * 4] * 3}, "expected numbers"),
        ({"distractors": np.ones((3, 5))}, "distractors: rows of 5 numbers, expected 4"),
        ({"distractors": np.zeros((3, 4))}, "distractors: row 0 has length 0"),
        ({"templates": "median"}, "templates='median'"),
        ({"gallery": [[1, 0, 0, 0], [-1, 0, 0, 0]] * 3, "gallery_ids": [1] * 6, "templates": "mean"}, "1 cancel out"),
    ],
)
def test_what_cannot_be_judged_is_said(change, words):
    random = np.random.default_rng(0)
    given = {"gallery": random.normal(size=(6, 4)), "gallery_ids": np.arange(6)}
    given |= {"probes": random.normal(size=(3, 4)), "probe_ids": np.arange(3)}
    with pytest.raises(FaceLibError, match=words):
        identification(**{**given, **change})


def test_odd_rates_and_ranks():
    report = identification(*people(0))
    for fpir in (-0.1, 1.1, math.nan):
        with pytest.raises(FaceLibError, match="is a fraction"):
            report.fnir_at(fpir)
    with pytest.raises(FaceLibError, match="k=0"):
        report.rank(0)
    with pytest.raises(FaceLibError, match="rank=0"):
        report.fnir_at(0.1, 0)


def test_nan_beyond_the_first_block_is_found(monkeypatch):
    monkeypatch.setattr(vectors, "BLOCK", 2)
    rows = np.ones((7, 3))
    rows[5, 1] = np.nan
    with pytest.raises(FaceLibError, match="row 5"):
        identification(rows, np.arange(7), rows[:1], [0])


def test_the_package_knows_the_name():
    assert facelib.evaluate.identification is identification
