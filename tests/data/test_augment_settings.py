"""Presets, and settings and pictures that make no sense."""

from __future__ import annotations

import pytest
import torch

from facelib import FaceLibError
from facelib.data.augment import NUMBERS, OPERATIONS, PRESETS, Augment


@pytest.fixture
def images() -> torch.Tensor:
    """uint8 (8, 3, 112, 112)"""
    return torch.randint(0, 256, (8, 3, 112, 112), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_presets():
    assert list(PRESETS) == ["none", "flip", "mild", "adaface", "keras", "strong"]
    assert Augment.preset("none") == Augment()
    with pytest.raises(FaceLibError, match="medium.*none, flip, mild"):
        Augment.preset("medium")
    on = {name: {o for o in OPERATIONS if getattr(preset, o)} for name, preset in PRESETS.items()}
    assert on["flip"] == {"flip"}
    assert on["mild"] == {"flip", "move", "photometric"}
    assert on["adaface"] == {"flip", "crop", "low_resolution", "photometric"}
    assert on["keras"] == {"flip", "move", "photometric", "blur", "grey"}
    assert on["strong"] == set(OPERATIONS) - {"crop"}


def test_keras_preset_is_a_window_of_112_in_128(images):
    """Shifted fully to one corner, the window is that corner of the enlarged crop, and never leaves it."""
    preset = PRESETS["keras"]
    augment = Augment(move=1.0, zoom=preset.zoom, shift=preset.shift)
    large = torch.nn.functional.interpolate(images.float(), size=(128, 128), mode="bilinear", align_corners=False)
    for u, window in ((1.0, large[..., :112, :112]), (0.0, large[..., 16:, 16:]), (0.5, large[..., 8:120, 8:120])):
        numbers = torch.full((8, len(NUMBERS)), 0.5)
        numbers[:, [NUMBERS.index("shift_x"), NUMBERS.index("shift_y")]] = u
        assert abs(augment(images, numbers) * 127.5 + 127.5 - window).max() < 0.1


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"flip": 1.1}, "flip"), ({"jpeg": -0.1}, "jpeg"), ({"brightness": 2}, "brightness"), ({"hue": 0.6}, "hue"),
        ({"turn": -1}, "turn"), ({"sigma": (2, 1)}, "sigma"), ({"side": (0, 1)}, "side"), ({"zoom": (0, 1)}, "zoom"),
        ({"quality": (0, 50)}, "quality"), ({"cutout_area": (0.1, 2)}, "cutout_area"), ({"grey": float("nan")}, "grey"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense(wrong, word):
    with pytest.raises(FaceLibError, match=word):
        Augment(**wrong)


def test_input_that_makes_no_sense(images):
    numbers = Augment().draw(8, torch.Generator())
    for bad in (images.float() / 255, (images - 127.5) / 127.5, images.float() * torch.nan, images.float() + 100):
        with pytest.raises(FaceLibError, match="before any normalisation"):
            Augment()(bad, numbers)
    for bad in (images.permute(0, 2, 3, 1), images[0], images[:7]):
        with pytest.raises(FaceLibError, match="expected"):
            Augment()(bad, numbers)
    with pytest.raises(FaceLibError, match="int64"):
        Augment()(images.long(), numbers)
    with pytest.raises(FaceLibError, match="CPU"):
        Augment().draw(3, FakeGenerator())


class FakeGenerator:
    device = torch.device("cuda")
