"""What the figures of verification draw, number by number."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import NormalDist

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import PolyCollection

from facelib import FaceLibError
from facelib.evaluate import figures, verify_scores
from facelib.evaluate.ranking import wilson
from tests.evaluate.helpers import scored


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


def stairs(ax: plt.Axes, number: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The points of a curve that is drawn in steps, each valid from its x on."""
    line = ax.lines[number]
    assert line.get_drawstyle() == "steps-post"
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


@pytest.mark.parametrize("levels", [None, 3, 1])
def test_roc_is_the_rate_of_every_false_accept_rate(levels: int | None) -> None:
    scores, same = scored(400, 3, levels)
    report, ax = verify_scores(scores, same), figures.roc(scores, same)
    x, y = stairs(ax)
    assert ax.get_xscale() == "log" and ax.get_xlim() == (x[0], 1)
    assert x[0] == 0.5 / 200 and y[0] == report.tar_at(0)
    assert (np.diff(x) > 0).all()
    for far in [0.003, 0.01, 0.05, 0.0501, 0.2, 0.7, 1.0, *x[1:]]:
        assert y[np.searchsorted(x, far, side="right") - 1] == report.tar_at(far)


def test_roc_shades_the_interval_and_what_few_pairs_decide() -> None:
    scores, same = scored(400, 3)
    ax = figures.roc(scores, same, label="mine")
    x, y = stairs(ax)
    (shade,) = [each for each in ax.collections if isinstance(each, PolyCollection)]
    drawn = {tuple(corner) for corner in shade.get_paths()[0].vertices.round(9)}
    for far, tar in zip(x, y, strict=True):
        low, high = wilson(tar, 200)
        assert {(round(far, 9), round(low, 9)), (round(far, 9), round(high, 9))} <= drawn
    few = ax.patches[0].get_extents().transformed(ax.transData.inverted())
    assert few.x1 == pytest.approx(10 / 200)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["mine"]
    assert not figures.roc(scores, same, band=False, few=False).collections


def test_two_curves_share_their_axes() -> None:
    ax = figures.roc(*scored(400, 3), label="one")
    assert figures.roc(*scored(4000, 4), ax, label="two") is ax
    assert len(ax.lines) == 2 and ax.lines[0].get_color() != ax.lines[1].get_color()
    assert ax.get_xlim()[0] == 0.5 / 2000
    ax = figures.det(*scored(400, 3), label="one")
    before = ax.get_xlim()
    figures.det(*scored(4000, 4), ax, label="two")
    assert ax.get_xlim()[0] < before[0] and ax.get_xlim()[1] == before[1]


def test_det_is_the_same_curve_in_normal_deviates() -> None:
    scores, same = scored(600, 5)
    report, ax = verify_scores(scores, same), figures.det(scores, same)
    x, y = stairs(ax)
    normal = NormalDist()
    for far_deviate, frr_deviate in zip(x[1:-1], y[1:-1], strict=True):
        far = normal.cdf(far_deviate)
        assert 1 - normal.cdf(frr_deviate) == pytest.approx(min(report.tar_at(far + 1e-9), 1 - 0.5 / 300))
    assert normal.cdf(x[0]) == pytest.approx(0.5 / 300)
    dot = ax.lines[1]
    assert normal.cdf(dot.get_xdata()[0]) == normal.cdf(dot.get_ydata()[0]) == pytest.approx(report.eer)
    labels = {text.get_text(): place for text, place in zip(ax.get_xticklabels(), ax.get_xticks(), strict=True)}
    assert normal.cdf(labels["5 %"]) == pytest.approx(0.05)
    assert ax.get_xlim() == ax.get_ylim()


def test_det_of_normal_scores_is_straight() -> None:
    """Same pairs around 2 with deviation 1, different ones around 0 with deviation 2: slope -1 / (1 / 2)."""
    quantiles = np.array([NormalDist().inv_cdf((k + 0.5) / 2000) for k in range(2000)])
    scores, same = np.concatenate([2 + quantiles, 2 * quantiles]), np.arange(4000) < 2000
    x, y = stairs(figures.det(scores, same))
    middle = (abs(x) < 1.5) & (abs(y) < 1.5)
    assert np.polyfit(x[middle], y[middle], 1) == pytest.approx([-2, -2], abs=0.02)


def test_histograms_are_shares_of_each_kind() -> None:
    scores, same = scored(500, 6)
    same[:100] = False
    ax = figures.score_histogram(scores, same, threshold=0.75, bins=20)
    edges = np.histogram_bin_edges(scores, 20)
    for patch, kind in zip(ax.patches, (~same, same), strict=True):
        heights = patch.get_xy()[1 : 2 * 20 + 1 : 2, 1]
        assert heights == pytest.approx(np.histogram(scores[kind], edges)[0] / kind.sum())
        assert heights.sum() == pytest.approx(1)
    assert ax.patches[0].get_hatch() != ax.patches[1].get_hatch(), "colour is not the only sign"
    assert list(ax.lines[0].get_xdata()) == [0.75, 0.75]
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    counts = f"different people ({(~same).sum()})", f"same person ({same.sum()})"
    assert texts[:2] == list(counts) or set(counts) < set(texts)
    assert not figures.score_histogram(scores, same, threshold=np.inf).lines


def test_matrix_is_sorted_by_person() -> None:
    vectors = np.random.default_rng(0).normal(size=(6, 4)) * [[1], [2], [3], [4], [5], [6]]
    people = np.array(["Cy", "Ann", "Bo", "Ann", "Cy", "Ann"])
    ax = figures.similarity_matrix(vectors, people)
    order = [1, 3, 5, 2, 0, 4]
    expected = [[u @ v / np.sqrt(u @ u * (v @ v)) for v in vectors[order]] for u in vectors[order]]
    np.testing.assert_allclose(ax.images[0].get_array(), expected, atol=1e-12)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["Ann", "Bo", "Cy"]
    assert ax.get_yticks().tolist() == ax.get_xticks().tolist() == [1, 3, 4.5]
    assert sorted(line.get_ydata()[0] for line in ax.lines if line.get_ydata()[0] == line.get_ydata()[1]) == [2.5, 3.5]


def test_what_cannot_be_drawn_is_said() -> None:
    scores, same = scored(10, 0)
    for draw in (figures.roc, figures.det, figures.score_histogram):
        with pytest.raises(FaceLibError, match="one kind"):
            draw(scores, same | True)
        with pytest.raises(FaceLibError, match="expected"):
            draw(scores[:-1], same)
        with pytest.raises(FaceLibError, match="finite"):
            draw(scores * np.nan, same)
    with pytest.raises(FaceLibError, match="expected"):
        figures.similarity_matrix(np.ones((3, 2)), [1, 2])
    with pytest.raises(FaceLibError, match="length 0"):
        figures.similarity_matrix(np.zeros((2, 2)), [1, 2])
