"""Torch network -> bytes of an ONNX file, and the note in it of what the network wants to see."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ..errors import ExportError

OPSET = 17
"""Version of ONNX's operators: the first with everything used here, read by onnxruntime 1.13 and later."""
NOTE = "facelib"
"""Key of the file's metadata under which the note stands, as JSON."""

Axes = dict[str, dict[int, str]]


def trace(network: nn.Module, example: torch.Tensor, entry: str, answers: Sequence[str], axes: Axes) -> bytes:
    """Run the network once on ``example``, write down every operation, and give them as an ONNX file.

    The exporter runs it as in use, also where it is in training, and leaves it as it was.
    ``axes`` names the dimensions that stay free, such as ``{"crops": {0: "N"}}``: all others are fixed.
    Batch normalisation behind a convolution is folded into its weights (lesson 14, eq. 14.1).

    Raises
    ------
    ExportError
        The package onnx is missing, or the network does something that ONNX has no operation for.
    """
    needed()
    buffer = io.BytesIO()
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # the exporter by tracing is the older of PyTorch's two
            torch.onnx.export(
                network,
                (example,),
                buffer,  # type: ignore[arg-type]  # any file object will do
                dynamo=False,
                opset_version=OPSET,
                input_names=[entry],
                output_names=list(answers),
                dynamic_axes=axes,
            )
    except Exception as error:
        reason = (str(error).splitlines() or ["no reason given"])[0]
        raise ExportError(f"{type(network).__name__} cannot be written as ONNX: {reason}") from error
    return buffer.getvalue()


def annotate(model: bytes, note: dict[str, Any]) -> bytes:
    """The same file with a note in its metadata; an earlier note goes."""
    import onnx

    opened = onnx.load_model_from_string(model)
    kept = [(entry.key, entry.value) for entry in opened.metadata_props if entry.key != NOTE]
    del opened.metadata_props[:]
    for key, value in [*kept, (NOTE, json.dumps(note, sort_keys=True))]:
        opened.metadata_props.add(key=key, value=value)
    return opened.SerializeToString()


def needed() -> None:
    """onnx and onnxruntime, or an error that says how to get them."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise ExportError(f'{error.name} is missing; run: pip install "facelib[export]"') from error
