"""Typical wrong answers to the exercises of lesson 03 fail, with a message that helps."""

import pytest
import torch

from facelib.checks import lesson_03 as check


def mirror_right(offsets, landmarks):
    x1, y1, x2, y2 = offsets.unbind(1)
    points = landmarks[:, [1, 0, 2, 4, 3]].clone()
    points[:, :, 0] = 1 - points[:, :, 0]
    return torch.stack([-x2, y1, -x1, y2], 1), points


def mirror_without_names(offsets, landmarks):
    return mirror_right(offsets, landmarks)[0], torch.stack([1 - landmarks[..., 0], landmarks[..., 1]], 2)


def mirror_signs_only(offsets, landmarks):
    return offsets * torch.tensor([-1, 1, -1, 1]), mirror_right(offsets, landmarks)[1]


def mirror_in_place(offsets, landmarks):
    answer = mirror_right(offsets.clone(), landmarks.clone())
    landmarks[:, :, 0] = 1 - landmarks[:, :, 0]
    return answer


def repair_right(network, first=1 / 11, factor=12 / 11):
    with torch.no_grad():
        network.box.weight *= factor
        network.box.bias *= factor
        network.box.bias[:2] -= first
    return network


def repair_with_gradients(network):
    network.box.weight *= 12 / 11
    return network


@pytest.mark.parametrize(
    ("exercise", "answer", "says"),
    [
        ("best_square", lambda w, h: w / h, "in one between|one in between"),
        ("best_square", lambda w, h: 0.8, "expected"),
        ("mirror", lambda offsets, landmarks: None, "still open"),
        ("mirror", lambda offsets, landmarks: offsets, "two tensors"),
        ("mirror", mirror_without_names, "left eye"),
        ("mirror", mirror_signs_only, "change places"),
        ("mirror", mirror_in_place, "input"),
        ("masked_mean", lambda losses, mask: losses[mask].mean(), "not a number"),
        ("masked_mean", lambda losses, mask: (losses * mask).sum() / mask.sum().clamp(min=1), "not a number"),
        ("masked_mean", lambda losses, mask: losses[mask].sum() / len(losses), "three of five"),
        ("masked_mean", lambda losses, mask: float(losses[mask].sum().detach() / max(1, int(mask.sum()))), "gradient"),
        ("repair", lambda network: network, "what they were"),
        ("repair", repair_with_gradients, "leaf Variable"),
        ("repair", lambda network: repair_right(network, first=0), "bias needs more"),
        ("repair", lambda network: repair_right(network, factor=11 / 12), "boxes"),
    ],
)
def test_wrong_answers(exercise, answer, says):
    verdict = getattr(check, exercise)(answer)
    assert not verdict
    assert any(part in verdict.message for part in says.split("|")), verdict.message


def test_right_answers():
    assert check.best_square(lambda w, h: (w / h) ** 0.5 / (2 - (w / h) ** 0.5))
    assert check.mirror(mirror_right)
    assert check.masked_mean(lambda losses, mask: losses[mask].sum() / mask.sum().clamp(min=1))
    assert check.repair(repair_right)
