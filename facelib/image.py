"""Pictures in: whatever the file, the rest of the package sees RGB uint8 (H, W, 3)."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import ImageError

MAX_PIXELS = 200_000_000
"""Pictures with more pixels are refused before they are decoded: 600 MB of RGB is no photo but an attack or a map."""

# Named, because Pillow would also hand EPS to an external interpreter and open formats nobody photographs in.
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "ICO", "TGA")

ImageSource = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image | np.ndarray


def load_image(source: ImageSource, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read a picture as RGB uint8 of shape (H, W, 3), upright.

    EXIF rotation is applied, grey and palette pictures become RGB, transparency is laid over white, 16-bit
    pictures keep their upper 8 bits, and of an animation the first frame counts. Grey of 32-bit integers is taken as
    8 bits if all its values fit, else as 16.

    Parameters
    ----------
    source : path, bytes, binary file, PIL image or array
        Arrays are (H, W), (H, W, 1), (H, W, 3) or (H, W, 4): uint8, uint16, bool, or float in [0, 1].
        A uint8 (H, W, 3) array is returned as it is, without a copy.
    max_pixels : int
        Refuse anything larger before decoding it. Pillow's own limit counts for TIFF and WebP only.

    Raises
    ------
    ImageError
        Naming the file, the fault and the remedy.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, max_pixels)
    if isinstance(source, Image.Image):
        return _from_pil(source, f"PIL image ({source.mode})", max_pixels)
    if isinstance(source, (str, os.PathLike)):
        return _from_path(Path(source), max_pixels)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _decode(bytes(source), f"{len(source)} bytes", max_pixels)
    if hasattr(source, "read"):
        return _from_file(source, str(getattr(source, "name", "file object")), max_pixels)
    raise ImageError(
        f"cannot read a picture from {type(source).__name__}: pass a path, bytes, a PIL image or a NumPy array"
        " (a tensor of shape (3, H, W): tensor.permute(1, 2, 0).numpy())"
    )


def _from_path(path: Path, max_pixels: int) -> np.ndarray:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file; check the path (it is taken from {Path.cwd().name}/)") from None
    except IsADirectoryError:
        raise ImageError(f"{path}: is a folder, not a picture; `facelib detect` takes whole folders") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise ImageError(f"{path}: cannot be opened ({error}); check its permissions and the disk") from error
    return _decode(data, str(path), max_pixels)


def _from_file(file: IO[bytes], name: str, max_pixels: int) -> np.ndarray:
    try:
        data = file.read()
    except (OSError, ValueError) as error:  # ValueError: it is closed
        raise ImageError(f"{name}: cannot be read ({error}); open it again, in binary mode") from error
    return _decode(data, name, max_pixels)


def _decode(data: bytes, name: str, max_pixels: int) -> np.ndarray:
    if not data:
        raise ImageError(f"{name}: is empty (0 bytes); the download or copy was cut short, fetch it again")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own size and metadata warnings; our checks follow
            Image.init()  # idempotent; some formats are registered only by it
            known = [name for name in FORMATS if name in Image.OPEN]  # AVIF came late
            with _open(data, known) as image:
                return _from_pil(image, name, max_pixels)
    except UnidentifiedImageError:
        raise ImageError(
            f"{name}: is not a picture in a known format, or its beginning is damaged; convert it to PNG or JPEG"
        ) from None
    except Image.DecompressionBombError as error:
        raise ImageError(_pillows_limit(name, error)) from None
    except ImageError:
        raise
    except Exception as error:  # a header that Pillow recognises and then stumbles over
        raise ImageError(_corrupt(name, error)) from error


def _open(data: bytes, formats: list[str]) -> Image.Image:
    """``Image.open``, without its limit: that one is of the whole process, ours of a call, and comes next."""
    try:
        return Image.open(io.BytesIO(data), formats=formats)
    except Image.DecompressionBombError as error:
        for factory, accept in (Image.OPEN[name] for name in formats):
            if accept is not None and accept(data[:16]) is not True:
                continue
            try:
                return factory(io.BytesIO(data), "")
            except SyntaxError:  # Pillow's word for another format
                continue
        raise error


def _from_pil(image: Image.Image, name: str, max_pixels: int) -> np.ndarray:
    width, height = image.size
    if width == 0 or height == 0:
        raise ImageError(f"{name}: has no pixels ({width} x {height}); the file or array is damaged")
    if width * height > max_pixels:
        raise ImageError(_too_large(name, f"{width} x {height}", max_pixels))
    try:
        if getattr(image, "is_animated", False):
            image.seek(0)
        image.load()
    except Image.DecompressionBombError as error:
        raise ImageError(_pillows_limit(name, error)) from None
    except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error, zlib.error, ...
        raise ImageError(_corrupt(name, error)) from error
    sixteen = image.format in ("PNG", "PPM")  # for which Pillow, or an old one, has 32 bits in memory
    return _to_rgb(_upright(image), name, max_pixels, sixteen)


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image) or image
    except Exception:  # damaged EXIF must not cost a good picture
        return image


def _to_rgb(image: Image.Image, name: str, max_pixels: int, sixteen: bool) -> np.ndarray:
    if image.mode.startswith("I") or image.mode == "F":  # 16-bit grey, or scientific data
        return _from_array(_wide_grey(np.asarray(image), name, sixteen), max_pixels, name)
    if image.mode == "La":
        image = image.convert("LA")  # from which alone Pillow knows a way to RGBA
    if image.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.array(image.convert("RGB"))


def _wide_grey(grey: np.ndarray, name: str, sixteen: bool) -> np.ndarray:
    """16-bit values as they are; 32-bit integers as 8 bits or 16, if they fit; floats are checked by _from_array."""
    if grey.dtype.kind == "f":
        return grey
    if grey.min() < 0 or grey.max() > 65535:
        raise ImageError(
            f"{name}: holds {grey.dtype} values from {grey.min()} to {grey.max()}, which is data and not a photo;"
            " rescale it to 8 bits first"
        )
    eight = grey.dtype == np.int32 and not sixteen and grey.max() <= 255
    return grey.astype(np.uint8 if eight else np.uint16)


def _from_array(array: np.ndarray, max_pixels: int, name: str = "") -> np.ndarray:
    name = name or f"array of shape {array.shape}, {array.dtype}"
    shaped: Any = array[..., None] if array.ndim == 2 else array
    if shaped.ndim != 3 or shaped.shape[2] not in (1, 3, 4):
        hint = "; it looks like (C, H, W): use array.transpose(1, 2, 0)" if shaped.shape[:1] in ((1,), (3,)) else ""
        raise ImageError(f"{name}: is not a picture; expected (H, W), (H, W, 3) or (H, W, 4){hint}")
    if shaped.dtype.kind not in "buif":
        raise ImageError(f"{name}: holds no numbers that could be pixels; expected uint8, uint16, bool or float")
    if 0 in shaped.shape:
        raise ImageError(f"{name}: has no pixels; check the crop that made it")
    if shaped.shape[0] * shaped.shape[1] > max_pixels:
        raise ImageError(_too_large(name, f"{shaped.shape[1]} x {shaped.shape[0]}", max_pixels))
    shaped = _to_uint8(shaped, name)
    if shaped.shape[2] == 1:
        shaped = np.repeat(shaped, 3, axis=2)
    elif shaped.shape[2] == 4:
        alpha = shaped[..., 3:].astype(np.float32) / 255
        shaped = np.rint(shaped[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return np.ascontiguousarray(shaped)


def _to_uint8(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.uint16:
        return (array >> 8).astype(np.uint8)
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    low, high = array.min(), array.max()
    if array.dtype.kind == "f" and low >= 0 and high <= 1:  # false for NaN
        return np.rint(array * 255).astype(np.uint8)
    if array.dtype.kind in "iu" and low >= 0 and high <= 255:
        return array.astype(np.uint8)
    raise ImageError(
        f"{name}: values run from {low} to {high}; expected 0..255 as integers or 0..1 as floats, without NaN"
    )


def _corrupt(name: str, error: Exception) -> str:
    return f"{name}: is truncated or corrupt ({error or type(error).__name__}); fetch or export it again"


def _too_large(name: str, size: str, max_pixels: int) -> str:
    return (
        f"{name}: {size} pixels, more than the limit of {max_pixels:,}; shrink it, or in Python pass max_pixels= to"
        " load_image if you trust it"
    )


def _pillows_limit(name: str, error: Exception) -> str:
    """Of the few decoders that look at Pillow's limit themselves."""
    return f"{name}: {str(error).partition(',')[0]}, which is Pillow's own for such files; shrink it, or save it as PNG"
