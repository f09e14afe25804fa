"""Cutting, labelling and encoding windows against hand-made numbers and the detector's own naming."""

import numpy as np
import pytest
import torch

from facelib import FaceLibError, Faces
from facelib.detect.boxes import refine, windows
from facelib.detect.training_samples import (
    LANDMARK,
    NEGATIVE,
    NOT_USED,
    PART,
    POSITIVE,
    cut_samples,
    decode_landmarks,
    encode_boxes,
    encode_landmarks,
    greyed,
    label_boxes,
    named_windows,
    random_boxes,
)
from tests.detect.helpers import picture, seeded, some_samples


def test_labels_by_hand():
    face = torch.tensor([[0.0, 0, 100, 100]])

    def shifted(share):  # IoU of a square moved sideways: (1 - s) / (1 + s)
        s = (1 - share) / (1 + share) * 100
        return [s, 0, s + 100, 100]

    overlaps = (1.0, 0.66, 0.64, 0.41, 0.39, 0.31, 0.29, 0.0)
    kinds, which = label_boxes(torch.tensor([shifted(x) for x in overlaps]), face)
    assert kinds.tolist() == [POSITIVE, POSITIVE, PART, PART, NOT_USED, NOT_USED, NEGATIVE, NEGATIVE]
    assert which.tolist() == [0] * 8


def test_labels_go_by_the_best_face():
    faces = torch.tensor([[0.0, 0, 10, 10], [50, 50, 70, 70]])
    kinds, which = label_boxes(torch.tensor([[50, 50, 70, 70], [0, 0, 10, 10], [30, 30, 45, 45]]), faces)
    assert kinds.tolist() == [POSITIVE, POSITIVE, NEGATIVE] and which[:2].tolist() == [1, 0]
    kinds, which = label_boxes(torch.tensor([[0, 0, 12, 12]]), torch.zeros(0, 4))
    assert kinds.tolist() == [NEGATIVE] and which.tolist() == [0]


@pytest.mark.parametrize("near", [None, torch.tensor([40.0, 30, 70, 72])])
def test_random_boxes_are_squares_inside(near):
    boxes = random_boxes(500, 100, 140, seeded(1), near)
    assert 200 < len(boxes) <= 500 and boxes.dtype == torch.int64
    side = boxes[:, 2:] - boxes[:, :2]
    assert torch.equal(side[:, 0], side[:, 1]) and side.min() >= 12
    assert boxes.min() >= 0 and boxes[:, 2].max() <= 140 and boxes[:, 3].max() <= 100
    assert torch.equal(boxes, random_boxes(500, 100, 140, seeded(1), near))
    if near is None:
        assert side.min() < 15 and side.max() > 70 and boxes[:, 0].max() > 100
    else:
        assert side.min() >= 23 and side.max() <= 54  # 0.8 x 30 = 24 to 1.25 x 42 = 52.5
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2 - torch.tensor([55.0, 51.0])
        assert (middle.abs() <= 0.2 * side + 1).all() and middle.abs().max() > 5


def test_a_face_below_twelve_pixels_does_not_stop_the_cutting():
    boxes = random_boxes(20, 60, 60, seeded(), torch.tensor([30.0, 30, 36, 38]))
    assert (boxes[:, 2:] - boxes[:, :2] == 12).all()


def test_named_windows_are_those_of_the_detector():
    cells = torch.tensor([[0, 0], [3, 8], [20, 5]])
    for side in (12, 24, 60):  # the scale 12 / side gives whole pixels, so that rounding down changes nothing
        corner = cells.flip(1) * 2 * side // 12
        seen = torch.cat([corner, corner + side], 1)
        assert torch.equal(named_windows(seen), windows(cells, 12 / side))


def test_targets_come_back_exactly():
    g = seeded(3)
    seen = random_boxes(200, 300, 300, g)
    faces = random_boxes(400, 300, 300, g)[: len(seen)].float() + 0.3
    points = torch.rand(len(seen), 5, 2, generator=g) * 300
    named = named_windows(seen)
    assert torch.allclose(refine(named, encode_boxes(faces, named), corner_pixels=0), faces, atol=1e-3)
    assert torch.allclose(decode_landmarks(encode_landmarks(points, named), named), points, atol=1e-3)


def test_targets_by_hand():
    named = torch.tensor([[10.0, 20, 20, 30]])
    assert encode_boxes(torch.tensor([[11.0, 18, 19, 35]]), named).tolist() == [
        pytest.approx([0.1, -0.2, -0.1, 0.5], abs=1e-6)
    ]
    points = torch.tensor([[[10.0, 20], [20, 20], [15, 25], [10, 30], [22, 32]]])
    want = torch.tensor([[[0.0, 0], [1, 0], [0.5, 0.5], [0, 1], [1.2, 1.2]]])
    assert torch.allclose(encode_landmarks(points, named), want)


def test_cut_samples_hold_what_their_windows_show():
    image, faces = picture()
    samples = cut_samples(image, faces, seeded(5), near=200, anywhere=200)
    count = torch.bincount(samples.kinds, minlength=4)
    assert samples.crops.dtype == torch.uint8 and samples.crops.shape[1:] == (3, 12, 12)
    assert (count > 10).all() and 1.2 < count[LANDMARK] / count[POSITIVE] < 3.5
    away = samples.kinds == NEGATIVE
    assert samples.offsets[away].abs().sum() == 0 == samples.landmarks[away].abs().sum()
    unit = named_windows(torch.tensor([[0, 0, 12, 12]]))
    on_face = samples[samples.kinds >= POSITIVE]
    box = refine(unit, on_face.offsets, corner_pixels=0)
    assert ((box[:, 2:] - box[:, :2]).prod(1) / 144 > 0.4).all()
    eyes = decode_landmarks(on_face.landmarks, unit)[:, :2].round().long().clamp(0, 11)
    rows = torch.arange(len(on_face))
    for eye in (0, 1):  # where the targets say that an eye is, the crop is dark
        at_eye = on_face.crops[rows, 0, eyes[:, eye, 1].clamp(max=11), eyes[:, eye, 0]].float()
        assert at_eye.median() < on_face.crops[:, 0].float().flatten(1).median(1).values.median() - 30


def test_cut_samples_of_a_wall_are_negatives():
    samples = cut_samples(np.full((50, 60, 3), 90, np.uint8), Faces.empty(), seeded())
    assert len(samples) > 5 and (samples.kinds == NEGATIVE).all() and (samples.crops == 90).all()


@pytest.mark.parametrize("image", [np.zeros((50, 50)), np.zeros((50, 50, 3)), np.zeros((8, 50, 3), np.uint8)])
def test_what_is_no_picture_is_refused(image):
    with pytest.raises(FaceLibError, match="load_image"):
        cut_samples(image, Faces.empty(), seeded())


def test_greyed_copies():
    samples = some_samples()
    grey = greyed(samples)
    assert torch.equal(grey.crops[:, 0], grey.crops[:, 2]) and grey.crops.dtype == torch.uint8
    assert (grey.crops[:, 0].float() - samples.crops.float().mean(1)).abs().max() <= 0.5
    assert torch.equal(grey.kinds, samples.kinds) and torch.equal(grey.offsets, samples.offsets)
