"""An embedder as an ONNX file, in 32, 16 or 8 bits, compared with its network before the file gets its name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ..embedder import SHIPPED, Embedder, place
from ..errors import ExportError, WeightsError
from ..folders.files import write_atomically
from ..preprocess import Preprocess
from .onnx_files import annotate, needed, trace
from .parity import LIMITS, Parity, parity
from .quantise import to_float16, to_int8

ENTRY, ANSWER = "crops", "embeddings"
CALIBRATION, CHECKED = 64, 32
"""Crops rendered to measure the scales of 8 bits, and others to compare networks on."""


@dataclass(frozen=True)
class Exported:
    """A file that was written: where, how large in bytes, in which precision, and how it agrees with its network."""

    file: Path
    size: int
    precision: str
    parity: Parity


def export_embedder(
    source: str | os.PathLike[str],
    file: str | os.PathLike[str],
    precision: str = "float32",
    calibration: np.ndarray | None = None,
    crops: np.ndarray | None = None,
    preprocess: Preprocess | None = None,
) -> Exported:
    """Write an embedder as ONNX: "crops" float32 (N, 3, size, size) -> "embeddings" (N, D), not yet of length 1.

    N is free. What the network wants to see stands in the file's metadata, where ``Embedder.load`` finds it. The new
    file is compared with the network on crops; if they do not agree, nothing is written.

    Parameters
    ----------
    source : "mobilefacenet-synth", or the path of a .safetensors or .onnx file
        From another .onnx file a smaller one is made, or one that says what it wants to see.
    file : path of the file to write
    precision : "float32", "float16" or "int8"
        Four, two or one byte a weight. See ``to_float16`` and ``to_int8``.
    calibration : uint8 (N, H, W, 3), optional
        Crops on which the scales of "int8" are measured: faces as it will see them. By default 64 rendered ones.
    crops : uint8 (N, H, W, 3), optional
        Crops to compare on; by default 32 rendered ones that are not among the calibration's.
    preprocess : Preprocess, optional
        What an .onnx source wants to see, if the file itself does not say.

    Raises
    ------
    ExportError
        The exported network does not answer as the original does, an operation has no counterpart, or onnx or
        onnxruntime is missing.
    WeightsError
        The source cannot be read.
    """
    if precision not in LIMITS:
        raise ValueError(f'precision must be "float32", "float16" or "int8", not {precision!r}')
    file = Path(file)
    needed()
    original, model = _opened(source, preprocess)
    wants = original.preprocess
    if precision == "float16":
        model = to_float16(model)
    elif precision == "int8":
        model = to_int8(model, wants(faces(CALIBRATION, seed=1) if calibration is None else calibration))
    note = {"name": original.name, "precision": precision, "preprocess": wants.to_dict()}
    model = annotate(model, note)
    found = parity(original, Embedder.of_onnx(model, str(file)), faces(CHECKED, seed=2) if crops is None else crops)
    if not found.lowest >= LIMITS[precision]:
        raise ExportError(
            f"{file}: not written; the {precision} network does not agree with {source} ({found}; at least"
            f" {LIMITS[precision]} is wanted at worst)"
            + ("; calibrate it on crops like those it will see" if precision == "int8" else "")
        )
    write_atomically(file, model)
    return Exported(file, len(model), precision, found)


def _opened(source: str | os.PathLike[str], preprocess: Preprocess | None) -> tuple[Embedder, bytes]:
    """The embedder, and its network as ONNX in single precision."""
    from ..backbones import load_network

    path = Path(source)
    if path.suffix == ".onnx":
        return Embedder.load(path, preprocess), path.read_bytes()
    if source == "hog":
        raise ExportError("hog has no network to export: histograms are arithmetic; export a trained network")
    if source not in SHIPPED and path.suffix != ".safetensors":
        raise WeightsError(
            f"{source}: a .safetensors file of `facelib train`, an .onnx file, or one of {', '.join(SHIPPED)} is wanted"
        )
    with place(path if source not in SHIPPED else str(source)) as weights:
        network, wants = load_network(weights)
    example = torch.zeros(2, 3, wants.size, wants.size)
    axes = {ENTRY: {0: "N"}, ANSWER: {0: "N"}}
    return Embedder.load(str(source)), trace(network, example, ENTRY, [ANSWER], axes)


def faces(count: int, seed: int) -> np.ndarray:
    """Crops of rendered people, one of each: uint8 (count, 112, 112, 3)."""
    from ..synth import People

    people = People(count, seed=1_000_000 + seed)  # nobody whom a preset or a recipe trains or tests on
    generator = torch.Generator().manual_seed(seed)
    starts = tqdm(range(0, count, 16), desc="rendering faces", unit="16 faces", leave=False, disable=None)
    parts = [people.render(list(range(i, min(i + 16, count))), generator).images for i in starts]
    return np.concatenate([np.asarray(part) for part in parts])
