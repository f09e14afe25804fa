"""Cosines that every test of the margins may ask for."""

import pytest
import torch


@pytest.fixture
def cosine():
    """(6, 4) from -0.99 to 0.99, with angles of the right class from small to beyond pi - m."""
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(6, 4, generator=generator, dtype=torch.float64) * 1.8 - 0.9
    values[0, 0], values[1, 3], values[2, 1], values[4, 2], values[5, 3] = 0.99, 0.5, -0.2, -0.75, -0.97
    return values
