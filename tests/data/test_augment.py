"""Each operation against OpenCV, torchvision or arithmetic; who is chosen; that nothing but the own row counts."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from torchvision.transforms import functional as tv

from facelib import samples
from facelib.data.augment import NUMBERS, OPERATIONS, PRESETS, Augment

EVERYTHING = replace(
    Augment.preset("strong"), **dict.fromkeys(OPERATIONS, 0.5), brightness=0.8, contrast=0.8, saturation=0.8, hue=0.3
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """uint8 (8, 3, 112, 112): pictures of people."""
    crops = [cv2.resize(samples.picture(f"p{k}{side}")[:160, :160], (112, 112)) for k in range(1, 5) for side in "ab"]
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).contiguous()


def normalised(x: torch.Tensor) -> torch.Tensor:
    return (x.float() - 127.5) / 127.5


def back(x: torch.Tensor) -> torch.Tensor:
    """-1..1 to 0..255."""
    return x * 127.5 + 127.5


def numbers_with(count: int, **values: float) -> torch.Tensor:
    """Rows in which everything stands in the middle, but for these columns; operations with p = 1 are chosen."""
    numbers = torch.full((count, len(NUMBERS)), 0.5)
    for name, value in values.items():
        numbers[:, NUMBERS.index(name)] = value
    return numbers


def one(augment: Augment, images: torch.Tensor, **values: float) -> torch.Tensor:
    """In 0..255, every sample with the same numbers."""
    return back(augment(images, numbers_with(len(images), **values)))


def test_nothing_is_the_normalisation(images):
    x = Augment()(images, Augment().draw(8, seeded()))
    assert x.dtype == torch.float32
    assert torch.equal(x, normalised(images))
    assert x.min() >= -1 and x.max() <= 1


def test_flip(images):
    assert torch.equal(Augment(flip=1.0)(images, numbers_with(8)), normalised(images).flip(3))


@pytest.mark.parametrize("size", [(112, 112), (96, 112)])
def test_move_is_opencvs_warp(images, size):
    """Enlarged by 1.2 and turned by 0.1 about the middle, then 5 pixels to the right and 3 up."""
    x = images[..., : size[0], :].float()
    height, width = size
    augment = Augment(move=1.0, zoom=(1.2, 1.2), turn=0.1, shift=0.1)
    ours = one(augment, x, turn=1.0, shift_x=0.5 + 5 / width / 0.2, shift_y=0.5 - 3 / height / 0.2)
    middle = ((width - 1) / 2, (height - 1) / 2)
    matrix = cv2.getRotationMatrix2D(middle, -np.degrees(0.1), 1.2)  # OpenCV turns the other way round
    matrix[:, 2] += (5, -3)
    for mine, picture in zip(ours, x, strict=True):
        # OpenCV's own bilinear warp knows 32 places between two pixels; remap in float does the arithmetic exactly.
        inverse = cv2.invertAffineTransform(matrix)
        place = inverse @ np.stack([*np.meshgrid(range(width), range(height)), np.ones(size)]).reshape(3, -1)
        mine = mine.permute(1, 2, 0).numpy()
        expected = sample(picture.permute(1, 2, 0).numpy(), *place).reshape(mine.shape)
        assert abs(mine - expected).max() < 0.05
        warped = cv2.warpAffine(
            picture.permute(1, 2, 0).numpy(), matrix, (width, height), borderMode=cv2.BORDER_REPLICATE
        )
        assert abs(mine - warped).mean() < 0.3


def sample(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear values at (x, y), the edge repeated; written out."""
    x, y = x.clip(0, picture.shape[1] - 1), y.clip(0, picture.shape[0] - 1)
    left, top = np.minimum(x.astype(int), picture.shape[1] - 2), np.minimum(y.astype(int), picture.shape[0] - 2)
    u, v = (x - left)[:, None], (y - top)[:, None]
    above = (1 - u) * picture[top, left] + u * picture[top, left + 1]
    below = (1 - u) * picture[top + 1, left] + u * picture[top + 1, left + 1]
    return (1 - v) * above + v * below


def test_zoom_is_drawn_evenly_in_factors(images):
    """Halfway between 1/4 and 1 is 1/2, and a zoom of a half shows the picture in the middle quarter."""
    flat = torch.zeros(1, 3, 64, 64)
    flat[..., 16:48, 16:48] = 200
    small = one(Augment(move=1.0, zoom=(0.25, 1.0)), flat)[0, 0]
    assert torch.equal((small > 100).nonzero().amin(0), torch.tensor([24, 24]))
    assert torch.equal((small > 100).nonzero().amax(0), torch.tensor([39, 39]))


@pytest.mark.parametrize("u", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue"])
def test_photometric_is_torchvisions(images, name, u):
    strength = 0.4
    ours = one(Augment(photometric=1.0, **{name: strength}), images, **{name: u})
    moved = strength * (2 * u - 1)
    theirs = getattr(tv, f"adjust_{name}")(images.float() / 255, moved + (name != "hue")) * 255
    # torchvision's weight of red is 0.2989, as in old MATLAB, not 0.299
    assert torch.allclose(ours, theirs, atol=0.05)
    assert abs(ours - images).mean() > 0.5


def test_photometric_in_order_with_limits(images):
    """Each step ends at black and white: what the first made too bright stays lost."""
    names = ("brightness", "contrast", "saturation", "hue")
    ours = one(Augment(photometric=1.0, **dict.fromkeys(names, 0.5)), images, **dict.fromkeys(names, 0.95))
    theirs = images.float() / 255
    for name in names:
        theirs = getattr(tv, f"adjust_{name}")(theirs, 0.45 + (name != "hue"))
    assert abs(ours - 255 * theirs).max() < 0.3


def test_grey(images):
    ours = one(Augment(grey=1.0), images)
    assert torch.allclose(ours, tv.rgb_to_grayscale(images.float(), 3), atol=0.05)


@pytest.mark.parametrize("sigma", [0.5, 2.0])
def test_blur_is_opencvs(images, sigma):
    ours = one(Augment(blur=1.0, sigma=(sigma, sigma)), images)
    reach = 8  # up to which the edge makes a difference: there OpenCV repeats pixels
    for mine, picture in zip(ours, images, strict=True):
        theirs = cv2.GaussianBlur(picture.permute(1, 2, 0).numpy().astype(np.float32), (17, 17), sigma)
        apart = abs(mine.permute(1, 2, 0).numpy() - theirs)
        assert apart[reach:-reach, reach:-reach].max() < 0.05
        assert apart.max() < 12
    assert abs(ours - images).mean() > 0.3


@pytest.mark.parametrize("small", [23, 56, 80, 112])
def test_low_resolution_is_opencvs(images, small):
    share = small / 112
    ours = one(Augment(low_resolution=1.0, side=(share, share)), images)
    for mine, picture in zip(ours, images, strict=True):
        picture = picture.permute(1, 2, 0).numpy().astype(np.float32)
        less = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
        theirs = cv2.resize(less, (112, 112), interpolation=cv2.INTER_LINEAR)
        assert abs(mine.permute(1, 2, 0).numpy() - theirs).max() < 0.05


@pytest.mark.parametrize("quality", [10, 30, 60, 90])
def test_jpeg_is_opencvs(images, quality):
    augment = Augment(jpeg=1.0, quality=(quality, quality))
    # Decoders smooth colours differently; on grey pictures only a few coefficients are rounded the other way.
    for x, most in ((images, 1.5), (images[:, 1:2].expand(-1, 3, -1, -1), 0.4)):
        for mine, picture in zip(one(augment, x), x, strict=True):
            picture = picture.permute(1, 2, 0).numpy()
            coded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            theirs = cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1].astype(float)
            assert abs(mine.permute(1, 2, 0).numpy() - theirs).mean() < most  # grey levels
            assert abs(theirs - picture).mean() > 0.5


def test_jpeg_quality_is_drawn_from_its_range(images):
    coarse, fine = (one(Augment(jpeg=1.0, quality=(10, 90)), images, quality=u) for u in (0.0, 1.0))
    for ours, quality in ((coarse, 10), (fine, 90)):
        assert torch.equal(ours, one(Augment(jpeg=1.0, quality=(quality, quality)), images))


def test_crop_and_cutout_by_hand(images):
    x = images[:1].float().clamp(min=1)  # no black of its own
    kept = one(Augment(crop=1.0, crop_area=(0.25, 0.25)), x, crop_x=0.0, crop_y=1 - 2**-24)[0]
    inside = torch.zeros(112, 112, dtype=torch.bool)
    inside[56:, :56] = True
    assert torch.allclose(kept[:, inside], x[0][:, inside], atol=1e-4)
    assert (kept[:, ~inside] == 0).all()
    covered = Augment(cutout=1.0, cutout_area=(0.25, 0.25))(x, numbers_with(1, cutout_x=1 - 2**-24, cutout_y=0.0))[0]
    inside = torch.zeros(112, 112, dtype=torch.bool)
    inside[:56, 56:] = True
    assert (covered[:, inside] == 0).all()
    assert torch.equal(covered[:, ~inside], normalised(x)[0][:, ~inside])


@pytest.mark.parametrize("name", OPERATIONS)
def test_probability_and_the_others_untouched(name):
    """Of 4000 small pictures about p are changed; the rest is bit-equal to its normalised pixels."""
    x = torch.randint(0, 256, (4000, 3, 16, 16), generator=seeded(1), dtype=torch.uint8)
    augment = replace(
        EVERYTHING, **{other: 0.3 * (other == name) for other in OPERATIONS}, side=(0.2, 0.5), crop_area=(0.2, 0.5)
    )
    numbers = augment.draw(4000, seeded(2))
    changed = (augment(x, numbers) != normalised(x)).flatten(1).any(1)
    assert abs(changed.float().mean() - 0.3) < 0.03  # four standard errors
    assert torch.equal(changed, numbers[:, NUMBERS.index(name)] < 0.3)


def test_operations_are_chosen_independently():
    numbers = Augment().draw(4000, seeded())
    assert abs(np.corrcoef(numbers.numpy().T) - np.eye(len(NUMBERS))).max() < 0.08


@pytest.mark.parametrize("augment", [*PRESETS.values(), EVERYTHING], ids=[*PRESETS, "everything"])
def test_rows_do_not_know_their_batch(images, augment):
    x = images.repeat(4, 1, 1, 1)
    numbers = augment.draw(32, seeded(3))
    whole = augment(x, numbers)
    assert whole.dtype == torch.float32 and whole.shape == x.shape
    assert whole.min() >= -1 and whole.max() <= 1
    for rows in (slice(0, 16), slice(16, 32), slice(5, 6), slice(0, 32, 2)):  # halves, one alone, every second
        assert torch.equal(augment(x[rows], numbers[rows]), whole[rows])


def test_range_with_white_and_black():
    x = torch.stack([torch.zeros(3, 40, 40), torch.full((3, 40, 40), 255.0)]).repeat(100, 1, 1, 1)
    x[:, :, ::3] = 255 - x[:, :, ::3]
    y = EVERYTHING(x, EVERYTHING.draw(200, seeded()))
    assert y.isfinite().all() and y.min() >= -1 and y.max() <= 1


def test_numbers_of_a_sample_depend_on_seed_and_row_only():
    many = Augment().draw(100, seeded(5))
    assert torch.equal(Augment().draw(7, seeded(5)), many[:7])
    assert torch.equal(EVERYTHING.draw(100, seeded(5)), many)
    assert not torch.equal(EVERYTHING.draw(100, seeded(6)), many)
    generators = seeded(), seeded()
    Augment().draw(3, generators[0]), EVERYTHING.draw(3, generators[1])
    assert torch.equal(generators[0].get_state(), generators[1].get_state())


def test_autocast_changes_nothing(images):
    numbers = EVERYTHING.draw(8, seeded(1))
    with torch.autocast("cpu", torch.bfloat16):
        inside = EVERYTHING(images, numbers)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, EVERYTHING(images, numbers))


def test_kinds_of_input(images):
    """uint8, half precision, channels last and non-contiguous pictures give the same; the input stays as it was."""
    numbers = EVERYTHING.draw(8, seeded(1))
    expected, before = EVERYTHING(images, numbers), images.clone()
    for same in (
        images.float(),
        images.half(),
        images.double(),
        images.contiguous(memory_format=torch.channels_last),
        images.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2),
    ):
        assert torch.equal(EVERYTHING(same, numbers), expected)
    assert torch.equal(images, before)
    given = images.float()
    EVERYTHING(given, numbers)
    assert torch.equal(given, before.float())
    assert EVERYTHING(images[:0], numbers[:0]).shape == (0, 3, 112, 112)


def test_devices(images, device):
    numbers = EVERYTHING.draw(8, seeded(1))
    ours = EVERYTHING(images.to(device), numbers)
    assert ours.device.type == device
    expected = EVERYTHING(images, numbers)
    # A rounding of JPEG's coefficients may fall the other way; nothing else may differ.
    assert (abs(ours.cpu() - expected) > 1e-3).float().mean() < 0.01
    assert torch.equal(EVERYTHING(images.to(device), numbers.to(device)), ours)
