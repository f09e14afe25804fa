"""Every odd file becomes RGB uint8, or an error that names the file, the fault and the remedy."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from facelib import FaceLibError, load_image
from facelib.errors import ImageError

RGB = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3) * 3


def saved(image: Image.Image, path: Path, **options) -> Path:
    image.save(path, **options)
    return path


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and brings hardly a pixel."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = struct.pack(">I", 1000) + b"IDAT" + zlib.compress(bytes(20))[:10]
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)) + pixels


def test_the_same_picture_from_path_string_bytes_file_pil_and_array(tmp_path):
    path = saved(Image.fromarray(RGB), tmp_path / "a.png")
    with path.open("rb") as file:
        sources = [path, str(path), path.read_bytes(), bytearray(path.read_bytes()), file, Image.open(path), RGB]
        for source in sources:
            np.testing.assert_array_equal(load_image(source), RGB)


def test_rgb_array_is_passed_without_a_copy():
    assert load_image(RGB) is RGB or np.shares_memory(load_image(RGB), RGB)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_undone(tmp_path, orientation):
    back = {
        1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2), 6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2), 8: lambda a: np.rot90(a, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(back(RGB)))
    np.testing.assert_array_equal(load_image(saved(stored, tmp_path / "r.png", exif=exif)), RGB)


def test_damaged_exif_costs_nothing(tmp_path):
    path = saved(Image.fromarray(RGB), tmp_path / "a.jpg", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff\x00")
    assert load_image(path).shape == RGB.shape


def test_grey_becomes_three_equal_channels(tmp_path):
    grey = RGB[..., 0]
    for image in (
        load_image(saved(Image.fromarray(grey), tmp_path / "g.png")),
        load_image(grey),
        load_image(grey[..., None]),
    ):
        np.testing.assert_array_equal(image, np.repeat(grey[..., None], 3, 2))


def test_palette_and_one_bit(tmp_path):
    colours = np.array([[255, 0, 0], [0, 255, 0]], np.uint8)[np.arange(24).reshape(4, 6) % 2]
    np.testing.assert_array_equal(load_image(saved(Image.fromarray(colours).quantize(2), tmp_path / "p.png")), colours)
    bits = np.arange(24).reshape(4, 6) % 2 == 0
    np.testing.assert_array_equal(load_image(saved(Image.fromarray(bits), tmp_path / "b.png"))[..., 0], bits * 255)


def test_transparency_lies_over_white(tmp_path):
    rgba = np.dstack([RGB, np.full((4, 6), 255, np.uint8)])
    rgba[0, 0] = (10, 20, 30, 0)
    rgba[0, 1] = (0, 0, 0, 51)
    for image in (load_image(saved(Image.fromarray(rgba), tmp_path / "a.png")), load_image(rgba)):
        assert image[0, 0].tolist() == [255, 255, 255]
        assert image[0, 1].tolist() == [204, 204, 204]
        np.testing.assert_array_equal(image[1:], RGB[1:])


def test_transparent_palette_lies_over_white(tmp_path):
    palette = Image.fromarray(np.zeros((4, 6), np.uint8), mode=None).convert("P")
    assert load_image(saved(palette, tmp_path / "t.gif", transparency=0)).min() == 255


def test_cmyk(tmp_path):
    picture = Image.new("RGB", (16, 16), (200, 40, 90)).convert("CMYK")
    image = load_image(saved(picture, tmp_path / "c.jpg", quality=100))
    assert np.abs(image.astype(int) - (200, 40, 90)).max() <= 4


def test_sixteen_bits_keep_the_upper_eight(tmp_path):
    wide = (np.arange(24).reshape(4, 6) * 2700).astype(np.uint16)
    path = saved(Image.fromarray(wide), tmp_path / "w.png")
    np.testing.assert_array_equal(load_image(path)[..., 0], wide >> 8)
    np.testing.assert_array_equal(load_image(wide)[..., 0], wide >> 8)
    tiff = saved(Image.fromarray(wide.astype(np.int32)), tmp_path / "w.tif")
    np.testing.assert_array_equal(load_image(tiff)[..., 0], wide >> 8)


@pytest.mark.parametrize("values", [[0, 200, 255], [0, 256, 65535]])
def test_integers_of_32_bits_are_8_bits_or_16(tmp_path, values):
    grey = np.array([values], np.int32)
    for image in (Image.fromarray(grey), saved(Image.fromarray(grey), tmp_path / "g.tif")):
        np.testing.assert_array_equal(load_image(image)[..., 0], grey >> (8 if grey.max() > 255 else 0))
    dark = b"P5 3 1 65535\n" + np.minimum(grey, 255).astype(">u2").tobytes()  # 32 bits in memory, but 16 in the file
    assert load_image(dark).max() == 0
    with pytest.raises(ImageError, match="from -1 to .* which is data and not a photo"):
        load_image(Image.fromarray(grey - 1))


@pytest.mark.parametrize("low, high, fault", [(-0.5, 1, "from -0.5 to 1.0"), (0, 200, "from 0.0 to 200.0"), (0, 1, "")])
def test_floats_in_a_file(tmp_path, low, high, fault):
    path = saved(Image.fromarray(np.array([[low, high]], np.float32)), tmp_path / "f.tif")
    if not fault:
        assert load_image(path)[0].tolist() == [[0] * 3, [255] * 3]
        return
    with pytest.raises(ImageError, match=f"f.tif: values run {fault}"):
        load_image(path)


def test_animation_counts_with_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (6, 4), colour) for colour in ("red", "lime", "blue")]
    for name in ("a.gif", "a.webp", "a.png"):
        path = saved(frames[0], tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
        image = load_image(path)
        assert image.shape == (4, 6, 3) and image[0, 0].tolist() == [255, 0, 0], name


@pytest.mark.parametrize("dtype, scale", [(np.float32, 255), (np.float64, 255), (np.int64, 1)])
def test_float_and_integer_arrays(dtype, scale):
    np.testing.assert_array_equal(load_image((RGB / scale).astype(dtype)), RGB)


BAD = {
    "missing": (lambda d: d / "none.jpg", "no such file"),
    "folder": (lambda d: d, "is a folder"),
    "empty": (lambda d: _write(d, b""), "is empty"),
    "text": (lambda d: _write(d, b"hello, this is no picture"), "not a picture"),
    "script in EPS": (lambda d: _write(d, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"), "not a picture"),
    "truncated JPEG": (lambda d: _write(d, _jpeg()[:-200]), "truncated or corrupt"),
    "truncated PNG": (lambda d: _write(d, png_header(5, 5)), "truncated or corrupt"),
    "zero size": (lambda d: _write(d, png_header(0, 5)), "no pixels|corrupt|not a picture"),
    "bomb": (lambda d: _write(d, png_header(30_000, 30_000)), "limit"),
    "larger bomb": (lambda d: _write(d, png_header(2_000_000, 2_000_000)), "limit"),
    "float data": (lambda d: saved(Image.fromarray(np.full((3, 3), 7.5, np.float32)), d / "x.tif"), "values run"),
}


def _write(folder: Path, data: bytes) -> Path:
    path = folder / "bad.jpg"
    path.write_bytes(data)
    return path


def _jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize("case", BAD)
def test_bad_files_say_which_and_why(tmp_path, case):
    make, fault = BAD[case]
    path = make(tmp_path)
    with pytest.raises(ImageError, match=fault) as error:
        load_image(path)
    assert str(path) in str(error.value)
    assert isinstance(error.value, FaceLibError)


@pytest.mark.parametrize(
    "array, fault",
    [
        (np.zeros((0, 4, 3), np.uint8), "no pixels"),
        (np.zeros((3, 40, 40), np.uint8), "transpose"),
        (np.zeros(5, np.uint8), "not a picture"),
        (np.zeros((4, 4, 7), np.uint8), "not a picture"),
        (np.full((4, 4, 3), 300), "values run"),
        (np.full((4, 4, 3), -1.0), "values run"),
        (np.full((4, 4, 3), np.nan), "values run"),
        (np.full((4, 4, 3), None), "holds no numbers"),
        (np.full((4, 4, 3), "x"), "holds no numbers"),
        (np.zeros((4, 4, 3), complex), "holds no numbers"),
        ({}, "cannot read"),
    ],
)
def test_bad_arrays(array, fault):
    with pytest.raises(ImageError, match=fault):
        load_image(array)


def test_max_pixels_is_the_callers_choice():
    with pytest.raises(ImageError, match="max_pixels"):
        load_image(RGB, max_pixels=23)
    assert load_image(RGB, max_pixels=24).shape == RGB.shape


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TGA", "TIFF", "WEBP"])
def test_pillows_own_limit_does_not_count(monkeypatch, form):
    """Where a decoder of Pillow looks at it too, the message says so."""
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, form)
    expected = load_image(buffer.getvalue())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 11)  # as for a picture of 200 million
    if form in ("TIFF", "WEBP"):
        with pytest.raises(ImageError, match=r"\(24 pixels\) exceeds limit of 22 pixels, which is Pillow's own"):
            load_image(buffer.getvalue())
        return
    np.testing.assert_array_equal(load_image(buffer.getvalue(), max_pixels=24), expected)
    with pytest.raises(
        ImageError, match="6 x 4 pixels, more than the limit of 23; shrink it, or in Python pass max_pix"
    ):
        load_image(buffer.getvalue(), max_pixels=23)
    assert Image.MAX_IMAGE_PIXELS == 11


def test_wide_grey_has_the_callers_limit_too(monkeypatch):
    monkeypatch.setattr("facelib.image.MAX_PIXELS", 23)
    assert load_image(Image.fromarray(np.zeros((4, 6), np.int32)), max_pixels=24).shape == RGB.shape


def test_premultiplied_grey():
    assert load_image(Image.merge("LA", [Image.new("L", (6, 4), 100)] * 2).convert("La")).shape == RGB.shape


def test_a_closed_file(tmp_path):
    with saved(Image.fromarray(RGB), tmp_path / "a.png").open("rb") as file:
        pass
    with pytest.raises(ImageError, match="a.png: cannot be read .*closed.*; open it again"):
        load_image(file)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 2000))
def test_damaged_bytes_give_a_picture_or_an_image_error(noise, position):
    good = _jpeg()
    position %= len(good)
    try:
        image = load_image(good[:position] + noise + good[position + len(noise) :])
    except ImageError:
        return
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
