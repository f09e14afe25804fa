"""Crowds, galleries of them, and files with other things in them, which the tests of the gallery share."""

from __future__ import annotations

import json
import math

import numpy as np

from facelib import Embedder, Gallery, Preprocess


def crowd(seed: int, people: int = 20, pictures: int = 3, size: int = 16):
    random = np.random.default_rng(seed)
    centres = random.normal(size=(people, 1, size))
    return (centres + 0.5 * random.normal(size=(people, pictures, size))).astype(np.float32)


def enrolled(vectors, **options) -> Gallery:
    gallery = Gallery("net", **options)
    for k, rows in enumerate(vectors):
        assert gallery.enrol(f"person {k}", rows) == len(rows)
    return gallery


def template(rows, quality) -> list[float]:
    """The definition, number by number."""
    total = [0.0] * len(rows[0])
    for row, q in zip(rows, quality, strict=True):
        length = math.sqrt(sum(float(x) ** 2 for x in row))
        total = [t + q * float(x) / length for t, x in zip(total, row, strict=True)]
    length = math.sqrt(sum(x * x for x in total))
    return [x / length for x in total]


def same(a: Gallery, b: Gallery) -> bool:
    fields = ("embedder", "index", "settings", "threshold", "calibration", "names")
    return (
        all(getattr(a, field) == getattr(b, field) for field in fields)
        and a.people() == b.people()
        and np.array_equal(a.templates, b.templates)
    )


def damaged(path, **changes):
    """Other values instead; ... takes one away."""
    with np.load(path) as file:
        arrays = dict(file)
    about = json.loads(arrays["about"].tobytes())
    for name, value in changes.items():
        if name in arrays:
            arrays[name] = value
        elif value is ...:
            del about[name.replace("_", " ")]
        else:
            about[name.replace("_", " ")] = value
    described(path, json.dumps(about), arrays)


def described(path, text: str, arrays=None):
    """The file with another JSON in it."""
    if arrays is None:
        with np.load(path) as file:
            arrays = dict(file)
    np.savez(path, **{**arrays, "about": np.frombuffer(text.encode(), np.uint8)})


FOUND = {"threshold": 0.5, "far": 0.1, "comparisons": 100}
SEEN = {"size": 112, "colour": "RGB", "mean": [0.5] * 3, "std": [0.5] * 3, "template": "arcface-112"}
UNITS = np.eye(16, dtype=np.float32)[:6]


def net(name="net", **preprocess) -> Embedder:
    return Embedder(lambda batch: batch.reshape(len(batch), -1), Preprocess(**preprocess), name)
