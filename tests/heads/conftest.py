"""Embeddings of two lengths."""

import pytest
import torch

from tests.heads.helpers import SIZE


@pytest.fixture
def embeddings(device):
    x = torch.randn(8, SIZE, generator=torch.Generator().manual_seed(3)) * torch.tensor([[1.0], [20.0]]).repeat(4, 1)
    return x.to(device).requires_grad_()
