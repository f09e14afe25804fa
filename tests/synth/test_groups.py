"""Group pictures: the truth fits what is seen, and the detector finds most of those who can be seen."""

import numpy as np
import pytest
import torch

from facelib import MTCNN, FaceLibError
from facelib.synth import People, render_group
from facelib.synth.groups import SHARED


@pytest.fixture(scope="module")
def group():
    return render_group(People(50, seed=3), range(20, 26), torch.Generator().manual_seed(1), 400, 640)


def test_shapes_and_shared_light(group):
    assert group.image.shape == (400, 640, 3) and group.image.dtype == np.uint8
    assert group.landmarks.shape == (6, 5, 2) and group.boxes.shape == (6, 4) and group.visible.shape == (6,)
    assert ((group.visible >= 0) & (group.visible <= 1)).all() and group.visible.max() > 0.8
    for name in SHARED:
        rows = group.attributes[name]
        assert (rows == rows[:1]).all(), name


def test_landmarks_lie_in_their_boxes(group):
    x, y = group.landmarks[..., 0], group.landmarks[..., 1]
    left, top, right, bottom = group.boxes.T[:, :, None]
    assert ((x > left - 2) & (x < right + 2) & (y > top) & (y < bottom)).all()


def test_the_detector_finds_who_can_be_seen(group):
    faces = MTCNN().detect(group.image)
    apart = np.linalg.norm(faces.landmarks[None] - group.landmarks[:, None], axis=-1).mean(-1).min(1)
    size = group.boxes[:, 3] - group.boxes[:, 1]
    found = apart < 0.12 * size
    assert found[group.visible > 0.6].mean() >= 0.8


def test_same_generator_same_bits_and_no_constant_elsewhere(group, device):
    with torch.device("meta"):
        again = render_group(People(50, 3, device), range(20, 26), torch.Generator().manual_seed(1), 400, 640)
    assert abs(again.image.astype(int) - group.image).mean() <= (0 if device == "cpu" else 1)


def test_one_person_is_a_group_too():
    alone = render_group(People(5), [2], torch.Generator().manual_seed(0), 120, 100)
    assert alone.image.shape == (120, 100, 3) and len(alone.boxes) == 1


def test_people_stand_where_they_are_put():
    places = [(300, 260, 120), (120, 130, 60), (520, 120, 40)]
    g = render_group(People(50, 3), [1, 2, 3], torch.Generator().manual_seed(0), 400, 640, places=places, yaw=0.0)
    height, middle = g.boxes[:, 3] - g.boxes[:, 1], (g.boxes[:, :2] + g.boxes[:, 2:]) / 2
    x, y, size = np.array(places).T
    assert ((height > 0.65 * size) & (height < 0.95 * size)).all()  # a box leaves out the hair
    assert (abs(middle[:, 0] - x) < 0.15 * size).all() and (abs(middle[:, 1] - y) < 0.3 * size).all()
    assert (g.attributes["yaw"] == 0).all()


def test_who_is_out_of_focus_is_blurred_and_nobody_else():
    def shoot(*defocus):
        where = [(90, 110, 90), (270, 110, 90)]
        return render_group(
            People(5), [1, 2], torch.Generator().manual_seed(0), 200, 360, 0.2, where, defocus, noise=0.0, blur=0.0
        ).image.astype(float)

    def sharpness(image):
        return abs(np.diff(image.mean(2), axis=1)).mean()

    sharp, soft = shoot(0, 0), shoot(0, 4)
    assert sharpness(soft[:, 200:340]) < 0.7 * sharpness(sharp[:, 200:340])
    assert abs(soft - sharp)[:, :150].max() == 0


@pytest.mark.parametrize("wrong", [{"places": [(1, 2, 30)]}, {"places": [(1, 2)] * 2}, {"defocus": [1.0]}])
def test_places_and_defocus_are_for_everybody(wrong):
    with pytest.raises(FaceLibError, match="render_group: "):
        render_group(People(5), [1, 2], torch.Generator().manual_seed(0), 60, 60, **wrong)
