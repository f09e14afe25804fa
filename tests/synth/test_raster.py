"""The rasteriser against a slow loop over triangles and pixels written from the definition."""

import numpy as np
import pytest
import torch

from facelib.synth.raster import fragments, rasterize


def slow(points, faces, height, width, cull):
    """Nearest triangle by float64 edge functions, one triangle and one pixel at a time."""
    seen, best = np.full((height, width), -1), np.zeros((height, width))
    for f, face in enumerate(faces.tolist()):
        (xa, ya, qa), (xb, yb, qb), (xc, yc, qc) = points[face].double().tolist()
        area = (xb - xa) * (yc - ya) - (xc - xa) * (yb - ya)
        if min(qa, qb, qc) <= 0 or (area >= 0 if cull else area == 0):
            continue
        for row in range(height):
            for column in range(width):
                x, y = column + 0.5, row + 0.5
                u = ((xb - x) * (yc - y) - (xc - x) * (yb - y)) / area
                v = ((xc - x) * (ya - y) - (xa - x) * (yc - y)) / area
                if u >= 0 and v >= 0 and u + v <= 1:
                    q = u * qa + v * qb + (1 - u - v) * qc
                    if q > best[row, column]:
                        seen[row, column], best[row, column] = f, q
    return seen


@pytest.fixture
def soup():
    generator = torch.Generator().manual_seed(3)
    points = torch.rand(2, 30, 3, generator=generator) * torch.tensor([40.0, 30.0, 1.0])
    points = points - torch.tensor([4.0, 3.0, 0.05])
    faces = torch.randint(0, 30, (40, 3), generator=generator)
    return points, faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 0] != faces[:, 2])]


@pytest.mark.parametrize("cull", [True, False])
def test_equals_the_slow_loop(soup, cull, device):
    points, faces = soup
    seen = rasterize(points.to(device), faces.to(device), 24, 32, cull).cpu()
    for k in range(2):
        assert (seen[k].numpy() != slow(points[k], faces, 24, 32, cull)).mean() < 0.003  # edges through a centre


def test_a_picture_does_not_depend_on_its_neighbours(soup):
    points, faces = soup
    together = rasterize(points, faces, 24, 32)
    assert torch.equal(rasterize(points[1:], faces, 24, 32)[0], together[1])


def test_nothing_to_draw(soup):
    points, faces = soup
    behind = points * torch.tensor([1.0, 1.0, 0.0])
    seen = rasterize(behind, faces, 8, 9)
    assert seen.shape == (2, 8, 9) and (seen == -1).all()
    assert len(fragments(behind, faces, seen)) == 0


def test_interpolation_is_linear_in_space():
    """A plane seen in perspective: its own coordinates come back at every pixel."""
    corners = torch.tensor([[-2.0, -1.0, -3.0], [3.0, -1.5, -9.0], [0.5, 3.0, -5.0]])
    nearness = -1 / corners[:, 2]
    points = torch.stack([32 + 20 * corners[:, 0] * nearness, 32 - 20 * corners[:, 1] * nearness, nearness], 1)[None]
    faces = torch.tensor([[0, 1, 2]])
    seen = rasterize(points, faces, 64, 64)
    fragment = fragments(points, faces, seen)
    assert len(fragment) > 100
    place = fragment.interpolate(corners[None])
    x, y = (fragment.pixel % 64) + 0.5, fragment.pixel // 64 + 0.5
    assert torch.allclose(32 - 20 * place[:, 0] / place[:, 2], x, atol=1e-2)
    assert torch.allclose(32 + 20 * place[:, 1] / place[:, 2], y, atol=1e-2)
    assert torch.allclose(fragment.nearness, -1 / place[:, 2], rtol=1e-4)
    assert torch.allclose(fragment.interpolate(corners), place)


def test_no_constant_is_made_on_another_device(soup, device):
    points, faces = soup[0].to(device), soup[1].to(device)
    with torch.device("meta"):
        seen = rasterize(points, faces, 24, 32)
        assert fragments(points, faces, seen).weights.device.type == torch.device(device).type
