"""The network a gallery is for: its name and what it wants to see. Vectors of any other cannot be compared."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import FaceLibError
from ..preprocess import Preprocess

if TYPE_CHECKING:
    from .people import Gallery

FIELDS = ("size", "colour", "mean", "std", "template")
"""What of a Preprocess changes a vector that is made of one crop. Who found the face is not in the crop any more."""

CLOSE = 1e-6
"""Means and deviations that differ by less are one: float32 and decimal fractions spell the same number."""


def name_of(embedder: Any) -> str:
    """The name of an Embedder, or a name as it is."""
    return str(getattr(embedder, "name", embedder))


def seen_by(embedder: Any) -> dict[str, Any] | None:
    """``FIELDS`` of what an Embedder wants to see, as JSON keeps them; None of a name: there it is not known."""
    preprocess = getattr(embedder, "preprocess", None)
    if not isinstance(preprocess, Preprocess):
        return None
    fields = {field: getattr(preprocess, field) for field in FIELDS}
    return {**fields, "mean": list(preprocess.mean), "std": list(preprocess.std)}


def checked_fields(fields: Any) -> dict[str, Any]:
    """What a file says, once it is sure that it can be compared.

    Raises
    ------
    FaceLibError
        A field is missing, not known, or of the wrong kind.
    """
    if not isinstance(fields, Mapping) or set(fields) != set(FIELDS):
        raise FaceLibError(f"preprocess={fields!r}: expected {', '.join(FIELDS)}")
    size, three = fields["size"], {field: fields[field] for field in ("mean", "std")}
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise FaceLibError(f"preprocess: size={size!r}: expected a count of pixels")
    if fields["colour"] not in ("RGB", "BGR") or not isinstance(fields["template"], str):
        raise FaceLibError(
            f"preprocess: colour={fields['colour']!r}, template={fields['template']!r}: expected RGB or BGR, and a name"
        )
    for field, numbers in three.items():
        if not isinstance(numbers, list) or len(numbers) != 3 or not all(map(is_finite, numbers)):
            raise FaceLibError(f"preprocess: {field}={numbers!r}: expected three finite numbers")
    plain = {field: [float(number) for number in numbers] for field, numbers in three.items()}
    return {"size": size, "colour": fields["colour"], **plain, "template": fields["template"]}


def is_finite(value: Any) -> bool:
    """A number of JSON that float64 can hold: no NaN or infinity, which Python's reader lets through."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def compare(gallery: Gallery, embedder: Any, size: int | None) -> None:
    """Is an embedder the one that a gallery was made with? See ``Gallery.check``."""
    if size is not None and gallery.size not in (None, size):
        raise FaceLibError(
            f"holds vectors of {gallery.size} numbers, not {size}: load the embedder that made them, or enrol the"
            " pictures again"
        )
    if embedder is None:
        return
    name, preprocess = gallery.embedder, gallery.preprocess
    other, seen = name_of(embedder), seen_by(embedder)
    if other != name:
        raise FaceLibError(
            f"enrolled with the embedder {name!r}, not {other!r}; vectors of two networks cannot be compared: load"
            " that embedder, or enrol the pictures again"
        )
    if preprocess is None or seen is None:
        return
    unlike = [field for field in FIELDS if not _alike(preprocess[field], seen[field])]
    if unlike:
        then, now = (", ".join(f"{field} {each[field]}" for field in unlike) for each in (preprocess, seen))
        raise FaceLibError(
            f"enrolled with the embedder {name!r} and {then}; this {other!r} has {now}, and vectors of other pixels"
            " cannot be compared: load it with the preprocessing it had, or enrol the pictures again"
        )


def _alike(a: Any, b: Any) -> bool:
    if isinstance(a, list):
        return all(math.isclose(x, y, rel_tol=0, abs_tol=CLOSE) for x, y in zip(a, b, strict=True))
    return bool(a == b)
