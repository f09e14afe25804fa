"""Fewer bits: half precision, and whole numbers of eight bits whose scales are measured on faces."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ENTRY_BATCH = 16
KEPT = 99.99
"""Percent of a layer's values that its scale covers. With all of them a few large ones make every step coarse: on 80
rendered people the mean cosine to the full network is 0.9952 with 100, 0.9976 with 99.99 and 0.9920 with 99.9."""


def to_float16(model: bytes) -> bytes:
    """Weights and arithmetic in 16 bits; input and output stay float32."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with _quiet():
        half = convert_float_to_float16(onnx.load_model_from_string(model), keep_io_types=True)
    return half.SerializeToString()


def to_int8(model: bytes, pixels: np.ndarray, kept: float = KEPT) -> bytes:
    """Weights and activations in 8 bits (Jacob et al. 2018, eq. 1; lesson 14, eq. 14.3), by onnxruntime.

    A number x is stored as the whole number q of x ~ scale * (q - zero). Each output channel of a layer's weights has a
    scale of its own; that of a layer's output covers the middle ``kept`` percent of the values seen while ``pixels``,
    float32 (N, 3, size, size), run through the network, or all of them for 100: let them be what it will see in use.
    x86 processors without VNNI add products in 16 bits and may cut sums off: compare on the processor that will do it.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self, entry: str) -> None:
            parts = (pixels[i : i + ENTRY_BATCH] for i in range(0, len(pixels), ENTRY_BATCH))
            self.parts = iter([{entry: part} for part in parts])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.parts, None)

    with tempfile.TemporaryDirectory(prefix="facelib-") as place, _quiet():
        folder = Path(place)
        (folder / "whole.onnx").write_bytes(model)
        quant_pre_process(str(folder / "whole.onnx"), str(folder / "ready.onnx"))
        quantize_static(
            str(folder / "ready.onnx"),
            str(folder / "int8.onnx"),
            Reader(entry_of(model)),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile if kept < 100 else CalibrationMethod.MinMax,
            extra_options={"CalibPercentile": kept} if kept < 100 else None,
        )
        return (folder / "int8.onnx").read_bytes()


def entry_of(model: bytes) -> str:
    """Name of the input; weights that stand among the inputs, as old files have them, are none."""
    import onnx

    graph = onnx.load_model_from_string(model).graph
    weights = {weight.name for weight in graph.initializer}
    return next(entry.name for entry in graph.input if entry.name not in weights)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The converters print hints for people who tune them."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)
