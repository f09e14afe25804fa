"""What two embedders have in common, in numbers."""

import numpy as np
import pytest

from facelib.export import parity

CROPS = np.zeros((3, 4, 4, 3), np.uint8)


def answering(*rows):
    vectors = np.array(rows, np.float32)
    return lambda crops: vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_by_hand():
    a = answering((1, 0), (1, 0), (0, 1))
    b = answering((1, 0), (3, 4), (0, 1))  # the second turned by arccos 0.6
    found = parity(a, b, CROPS)
    assert found.crops == 3
    assert found.cosine == pytest.approx((1 + 0.6 + 1) / 3, abs=1e-6)
    assert found.lowest == pytest.approx(0.6, abs=1e-6)
    assert found.difference == pytest.approx(0.8, abs=1e-6)  # 0 became 0.8
    assert found.pairs == pytest.approx(0.8, abs=1e-6)  # the second and third were at right angles


def test_the_same_agree():
    a = answering((1, 0), (1, 2), (0, 1))
    found = parity(a, a, CROPS)
    assert found.lowest == pytest.approx(1) and found.difference == found.pairs == 0


@pytest.mark.parametrize("rows", [((1, 0, 0),) * 3, ((1, 0), (np.nan, 1), (0, 1))])
def test_other_lengths_and_nan_never_agree(rows):
    found = parity(answering((1, 0), (1, 0), (0, 1)), answering(*rows), CROPS)
    assert found.lowest == found.cosine == -1 and np.isinf(found.pairs)


def test_one_crop_is_refused():
    with pytest.raises(ValueError, match="two crops and more"):
        parity(answering((1, 0)), answering((1, 0)), CROPS[:1])
