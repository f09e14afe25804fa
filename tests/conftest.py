"""What several tests share: pictures, devices, and real faces where a checkout has them."""

from pathlib import Path

import pytest
import torch

from facelib import samples

torch.set_num_threads(1)

REAL = Path(__file__).resolve().parents[2] / "shared" / "real"
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(params=DEVICES)
def device(request):
    return request.param


@pytest.fixture(scope="session")
def astronaut():
    return samples.astronaut()


@pytest.fixture(scope="session")
def group():
    return samples.group()


def real_photos() -> list[Path]:
    """Photos of real people, for checks only; none in most checkouts."""
    return sorted((REAL / "photos").glob("*.jpg"))
