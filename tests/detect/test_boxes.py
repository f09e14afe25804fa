"""Every rule on boxes against a slow loop written from its description."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facelib.detect.boxes import nms, overlap_min, pixel_boxes, refine, sides, square, windows


def random_boxes(count, seed, extent=100):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, extent, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(3, extent / 2, (count, 2))], 1)
    return torch.tensor(boxes, dtype=torch.float32), torch.tensor(rng.permutation(count) / count, dtype=torch.float32)


def slow_nms(boxes, scores, groups, threshold, overlap):
    boxes, kept = boxes.double().numpy(), []
    for i in np.argsort(-scores.numpy(), kind="stable"):
        for j in kept:
            if groups[i] != groups[j]:
                continue
            one = 1 if overlap == "min" else 0
            width = min(boxes[i, 2], boxes[j, 2]) - max(boxes[i, 0], boxes[j, 0]) + one
            height = min(boxes[i, 3], boxes[j, 3]) - max(boxes[i, 1], boxes[j, 1]) + one
            shared = max(0, width) * max(0, height)
            areas = [(b[2] - b[0] + one) * (b[3] - b[1] + one) for b in (boxes[i], boxes[j])]
            whole = min(areas) if overlap == "min" else sum(areas) - shared
            if shared / whole > threshold:
                break
        else:
            kept.append(i)
    return kept


@pytest.mark.parametrize("overlap", ["union", "min"])
@pytest.mark.parametrize("seed", range(5))
def test_nms_equals_the_loop(overlap, seed):
    boxes, scores = random_boxes(60, seed)
    groups = torch.arange(60) % 3
    expected = slow_nms(boxes, scores, groups, 0.4, overlap)
    assert nms(boxes, scores, 0.4, groups, overlap).tolist() == expected
    assert 5 < len(expected) < 60


def test_min_drops_a_box_inside_another_and_union_does_not():
    boxes = torch.tensor([[0.0, 0, 100, 100], [40, 40, 60, 60]])
    scores = torch.tensor([0.9, 0.8])
    assert nms(boxes, scores, 0.7).tolist() == [0, 1]
    assert nms(boxes, scores, 0.7, overlap="min").tolist() == [0]


def test_of_equal_scores_min_keeps_the_later():
    boxes = torch.tensor([[0.0, 0, 100, 100], [1, 1, 100, 100]])
    assert nms(boxes, torch.ones(2), 0.7, overlap="min").tolist() == [1]


def test_nms_of_nothing_and_of_nonsense():
    empty = torch.zeros(0, 4)
    for overlap in ("union", "min"):
        assert nms(empty, torch.zeros(0), 0.5, overlap=overlap).tolist() == []
    with pytest.raises(ValueError, match="union"):
        nms(empty, torch.zeros(0), 0.5, overlap="both")


def test_windows_by_hand():
    cells = torch.tensor([[0, 0], [4, 5]])
    assert windows(cells, 1.0).tolist() == [[1, 1, 12, 12], [11, 9, 22, 20]]
    assert windows(cells, 0.7).tolist() == [[1, 1, 17, 17], [15, 12, 31, 28]]


def test_sides_count_both_corner_pixels():
    box = torch.tensor([[10.0, 20, 19, 29]])
    assert sides(box).tolist() == [[10, 10]] and sides(box, corner_pixels=0).tolist() == [[9, 9]]


def test_refine_by_hand():
    box, offsets = torch.tensor([[10.0, 20, 19, 29]]), torch.tensor([[0.1, -0.2, 0.0, 0.5]])
    torch.testing.assert_close(refine(box, offsets), torch.tensor([[11.0, 18, 19, 34]]))
    torch.testing.assert_close(refine(box, offsets, corner_pixels=0), torch.tensor([[10.9, 18.2, 19, 33.5]]))


@given(st.lists(st.tuples(*[st.floats(-500, 500, width=32)] * 2, *[st.floats(1, 400, width=32)] * 2), min_size=1))
def test_square_keeps_centre_and_longer_side(rows):
    x, y, width, height = torch.tensor(rows).T
    boxes = torch.stack([x, y, x + width, y + height], 1)
    result = square(boxes)
    torch.testing.assert_close(
        (result[:, :2] + result[:, 2:]) / 2, (boxes[:, :2] + boxes[:, 2:]) / 2, atol=1e-3, rtol=1e-4
    )
    side = result[:, 2:] - result[:, :2]
    torch.testing.assert_close(side[:, 0], torch.maximum(width, height), atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(side[:, 0], side[:, 1], atol=1e-3, rtol=1e-4)


def test_pixel_boxes_stay_inside_the_picture():
    boxes = torch.tensor(
        [[-5.0, -5, 10, 10], [95, 75, 120, 120], [3.9, 4.2, 8.8, 9.9], [200, 10, 220, 30], [-9, -9, -1, -1]]
    )
    pixels = pixel_boxes(boxes, height=80, width=100)
    assert pixels[:3].tolist() == [[0, 0, 10, 10], [94, 74, 100, 80], [2, 3, 8, 9]]
    empty = (pixels[:, 2:] <= pixels[:, :2]).any(1)
    assert empty.tolist() == [False, False, False, True, True]


def test_overlap_min_is_symmetric_and_one_for_itself():
    boxes, _ = random_boxes(8, 1)
    overlaps = overlap_min(boxes, boxes)
    torch.testing.assert_close(overlaps, overlaps.T)
    torch.testing.assert_close(overlaps.diagonal(), torch.ones(8))
