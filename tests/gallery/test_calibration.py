"""Thresholds against counts of every comparison of different people."""

from __future__ import annotations

import math

import numpy as np
import pytest

from facelib import FaceLibError
from facelib.gallery import calibration
from tests.gallery.helpers import crowd, enrolled, template


@pytest.mark.parametrize("cells", [30, 1 << 22])
@pytest.mark.parametrize("far", [0.01, 0.05, 0.3])
def test_calibration_counts_different_people(far, cells, monkeypatch):
    monkeypatch.setattr(calibration, "CELLS", cells)
    vectors = crowd(6)
    gallery = enrolled(vectors)
    templates = [template(rows, [1, 1, 1]) for rows in vectors]
    scores = sorted(
        sum(row / math.sqrt(sum(row.astype(float) ** 2)) * templates[other])
        for k in range(20)
        for row in vectors[k]
        for other in range(20)
        if other != k
    )
    found = gallery.calibrate(far)
    assert found.comparisons == 20 * 3 * 19 == len(scores) and found.far == far
    assert gallery.threshold == found.threshold and gallery.calibration is found
    above = sum(score > found.threshold for score in scores)
    assert above == int(far * len(scores))  # and with one more it would be too many
    assert found.threshold == pytest.approx((scores[-above] + scores[-above - 1]) / 2, abs=1e-6)


def test_calibration_from_given_impostors():
    gallery, strangers = enrolled(crowd(7)), crowd(8, 40, 1)[:, 0]
    found = gallery.calibrate(0.02, impostors=strangers)
    scores = strangers / np.linalg.norm(strangers, axis=1, keepdims=True) @ gallery.templates.T
    assert found.comparisons == 800 and (scores > found.threshold).sum() == 16
    given = gallery.calibrate(0.02, impostors=scores.ravel())
    assert given.threshold == pytest.approx(found.threshold, abs=1e-6) and given.comparisons == 800
    with pytest.raises(FaceLibError, match="impostors: scores that are not finite"):
        gallery.calibrate(0.02, impostors=[0.1] * 999 + [math.nan])
    with pytest.raises(FaceLibError, match="impostors: rows of 4 numbers, expected 16"):
        gallery.calibrate(0.02, impostors=np.ones((3, 4)))


def test_a_rate_needs_ten_false_matches():
    """1140 comparisons: 10 of them are 0.88 %."""
    gallery = enrolled(crowd(6))
    with pytest.raises(FaceLibError, match=r"0.001 needs at least 10 / 0.001 = 10,000 comparisons .* here are 1,140: "):
        gallery.calibrate(far=0.001)
    with pytest.raises(FaceLibError, match="far=0.0088 or more"):
        gallery.calibrate(far=0.001)
    assert gallery.threshold is None
    assert gallery.calibrate(far=10 / 1140).comparisons == 1140
    for far in (0, 1, -0.1, math.nan):
        with pytest.raises(FaceLibError, match="far="):
            gallery.calibrate(far=far)


def test_equal_impostors_are_not_parted():
    gallery = enrolled(crowd(0))
    found = gallery.calibrate(0.1, impostors=[0.5] * 50 + [0.1] * 50 + [0.9] * 4)
    assert found.threshold == pytest.approx(0.7)  # above 0.1 there would be 54 of 104
    assert gallery.calibrate(0.1, impostors=[0.5] * 200).threshold == 0.5  # nothing is above the highest


def test_no_more_comparisons_than_wanted():
    gallery = enrolled(crowd(9, people=40, pictures=10))
    full, part = gallery.calibrate(0.05), gallery.calibrate(0.05, most=5000)
    assert full.comparisons == 400 * 39 and 4500 < part.comparisons <= 5000
    assert part.threshold == pytest.approx(full.threshold, abs=0.05) and part == gallery.calibrate(0.05, most=5000)


def test_what_a_calibration_says():
    found = calibration.Calibration(0.25, 1e-3, 12_345)
    assert str(found) == "threshold 0.2500 for a false match rate of 0.001, from 12,345 comparisons of different people"
    assert found.false_positives(1000) == pytest.approx(1 - 0.999**1000)
    assert found.false_positives(1) == pytest.approx(1e-3)


def test_a_calibrated_gallery_keeps_its_rate():
    """Thresholds from one crowd hold for another: 2 % wanted, measured on people nobody enrolled."""
    gallery = enrolled(crowd(10, people=100))
    gallery.calibrate(far=0.02)
    strangers = crowd(11, people=300, pictures=1)[:, 0]
    names, scores = gallery.search(strangers, k=100)
    assert (scores > gallery.threshold).mean() == pytest.approx(0.02, abs=0.006)
