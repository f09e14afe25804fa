"""What augmentation does to pixels, by hand; against other libraries it is judged in ``test_augment``."""

from __future__ import annotations

import pytest
import torch

from facelib.data.pixels import gaussian, rectangle, smaller_and_back, turn_hue


def test_hue_of_pure_colours_by_hand():
    red = torch.tensor([[[[200.0]], [[50.0]], [[50.0]]]])
    for turns, expected in (
        (1 / 3, (50, 200, 50)),
        (-1 / 3, (50, 50, 200)),
        (1 / 6, (200, 200, 50)),
        (0, (200, 50, 50)),
    ):
        ours = turn_hue(red, torch.full((1, 1, 1), turns)).flatten()
        assert torch.allclose(ours, torch.tensor(expected).float(), atol=1e-3)


def test_each_sample_has_its_own_sigma():
    weights = gaussian(33, torch.tensor([0.5, 3.0])[:, None, None])
    for matrix, sigma in zip(weights, (0.5, 3.0), strict=True):
        assert torch.allclose(matrix.sum(1), torch.ones(33))
        spread = (matrix[16] * (torch.arange(33) - 16) ** 2).sum().sqrt()
        assert spread == pytest.approx(sigma, rel=0.08)


def test_all_sides_keep_a_flat_picture_flat():
    matrices = smaller_and_back(50, torch.linspace(0.02, 1, 50)[:, None, None])
    assert torch.allclose(matrices.sum(2), torch.ones(50, 50), atol=1e-5)
    assert torch.equal(matrices[-1], torch.eye(50))


def test_rectangles_have_their_area_and_fit():
    u = torch.rand(4, 4000, 1, 1, 1, generator=torch.Generator().manual_seed(0))
    share = 0.02 + 0.98 * u[0]
    inside = rectangle(torch.zeros(4000, 3, 40, 60), share, (4 / 3) ** (2 * u[1] - 1), u[2], u[3])
    assert abs(inside.float().mean((1, 2, 3)) - share.flatten()).max() < 0.03
    rows, columns = inside.any(3).sum(2).flatten(), inside.any(2).sum(2).flatten()
    assert torch.equal(inside.sum((1, 2, 3)), rows * columns)
    touched = inside.float().mean((0, 1))
    assert torch.allclose(touched, touched.flip(0), atol=0.04)  # no side of the picture is preferred
    assert torch.allclose(touched, touched.flip(1), atol=0.04)
