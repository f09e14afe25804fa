"""Counter-based numbers: what they depend on, and that they are what they claim."""

import numpy as np
import pytest

from facelib.synth.numbers import normals, uniforms

UNIFORMS = [0.011546754286331617, 0.24154919656271817]
NORMALS = [-0.9537338669239177, 1.1988254639727929]


def test_known_values():
    """These values may never change: every synthetic person hangs on them."""
    assert uniforms(0, 0, 2) == pytest.approx(UNIFORMS, abs=0)
    assert normals(1, 2, 2) == pytest.approx(NORMALS, abs=1e-14)


def test_streams_are_independent():
    rows = np.array([normals(5, key, 4000) for key in range(4)] + [normals(6, 0, 4000), normals(5, 0, 4000, 1)])
    assert abs(np.corrcoef(rows) - np.eye(6)).max() < 0.06


def test_distributions():
    u, z = uniforms(1, 1, 100_000), normals(1, 1, 100_001)
    assert u.min() > 0 and u.max() < 1 and abs(u.mean() - 0.5) < 0.005
    assert abs(z.mean()) < 0.01 and abs(z.std() - 1) < 0.01 and len(z) == 100_001


def test_more_numbers_do_not_change_the_first():
    assert (normals(3, 4, 9)[:5] == normals(3, 4, 5)).all()
