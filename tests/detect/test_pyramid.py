import math

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from facelib.detect.pyramid import integral_image, normalise, pyramid_scales, resample


def picture(height, width, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_integral_image_is_the_sum_above_and_left():
    image = picture(5, 7)
    sums = integral_image(image)
    for y in range(6):
        for x in range(8):
            assert sums[y, x].tolist() == image[:y, :x].long().sum((0, 1)).tolist()


@pytest.mark.parametrize("size", [(24, 24), (48, 48), (7, 31), (1, 1)])
def test_resample_is_the_mean_over_areas(size):
    image = picture(90, 130)
    boxes = torch.tensor([[0, 0, 130, 90], [3, 5, 50, 60], [100, 80, 101, 81], [0, 10, 130, 11]])
    crops = resample(integral_image(image), boxes, size)
    for crop, (x1, y1, x2, y2) in zip(crops, boxes.tolist(), strict=True):
        part = image[y1:y2, x1:x2].permute(2, 0, 1)[None].float()
        torch.testing.assert_close(crop, interpolate(part, size=size, mode="area")[0], atol=1e-3, rtol=0)


def test_sums_beyond_two_billion_wrap_and_still_come_out_right():
    white = torch.full((3000, 3000, 3), 255, dtype=torch.uint8)
    sums = integral_image(white)
    assert sums.min() < 0  # it did wrap
    assert resample(sums, torch.tensor([[0, 0, 3000, 3000]]), (2, 2)).eq(255).all()


@pytest.mark.parametrize(
    "height, width, min_face, factor", [(480, 640, 20, 0.709), (1000, 37, 37, 0.5), (33, 33, 10, 0.9)]
)
def test_scales_go_from_min_face_to_the_shorter_side(height, width, min_face, factor):
    scales = pyramid_scales(height, width, min_face, factor)
    side = min(height, width)
    assert scales[0] * min_face == pytest.approx(12)
    assert scales[-1] * side >= 12 > scales[-1] * factor * side
    assert len(scales) == math.floor(math.log(min_face / side, factor) + 1e-9) + 1


def test_a_picture_smaller_than_the_smallest_face_has_no_levels():
    assert pyramid_scales(19, 500, 20) == []


def test_normalise_spans_minus_one_to_one():
    assert normalise(torch.tensor([0.0, 127.5, 255.0])).tolist() == [-127.5 / 128, 0, 127.5 / 128]
