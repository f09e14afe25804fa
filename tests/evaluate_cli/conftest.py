"""A network that is its input, and intervals that take no time."""

from __future__ import annotations

from pathlib import Path

import pytest

from facelib.evaluate import Verification
from tests.evaluate_cli.helpers import flat_network


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred, not a thousand: the time of these tests is that of the bootstrap."""
    monkeypatch.setattr(Verification.bootstrap, "__defaults__", (100, 0, (), None))


@pytest.fixture
def flat(tmp_path: Path) -> list[object]:
    """The arguments that name a model."""
    return [flat_network(tmp_path / "flat.onnx"), "--mean", 0.5, "--std", "0.5", "--size", 16, "--quiet"]
