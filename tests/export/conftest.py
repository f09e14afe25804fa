import numpy as np
import pytest

from facelib import export


@pytest.fixture(scope="session")
def crops() -> np.ndarray:
    """Sixteen rendered faces, uint8 (16, 112, 112, 3)."""
    return export.faces(16, seed=7)
