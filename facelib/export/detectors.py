"""The three networks of the detector as ONNX files; the cascade around them is arithmetic that any language has."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch

from ..errors import ExportError
from ..folders.files import make_folder, write_atomically
from .onnx_files import Axes, annotate, trace

ENTRY, ANSWERS = "pixels", ("probability", "offsets", "landmarks")
AGREE = 1e-4  # of a network's answers, all of which are near 1


def export_detector(folder: str | os.PathLike[str]) -> list[Path]:
    """Write pnet.onnx, rnet.onnx and onet.onnx into a folder, which is made if it is not there.

    Each takes "pixels", float32 (N, 3, H, W), the picture's 0..255 as (x - 127.5) / 128, and answers "probability",
    "offsets" and, from O-Net, "landmarks", as ``facelib.detect.networks`` says. P-Net takes any H and W of 12 and more,
    R-Net 24 x 24, O-Net 48 x 48.

    Raises
    ------
    ExportError
        A file would not answer as its network does, or onnx or onnxruntime is missing.
    WeightsError
        The detector's weights are not there.
    """
    from ..detect.networks import ONet, PNet, RNet, load_weights

    folder = Path(folder)
    written = []
    make_folder(folder)
    networks: list[PNet | RNet | ONet] = [load_weights(PNet()), load_weights(RNet()), load_weights(ONet())]
    for network in networks:
        name, size, any_size = type(network).__name__.lower(), network.size, isinstance(network, PNet)
        answers = ANSWERS if isinstance(network, ONet) else ANSWERS[:2]
        axes: Axes = {part: {0: "N"} for part in (ENTRY, *answers)}
        if any_size:
            axes[ENTRY] |= {2: "height", 3: "width"}
            axes["probability"] |= {1: "rows", 2: "columns"}
            axes["offsets"] |= {2: "rows", 3: "columns"}
        model = trace(network, _pixels(2, size, size), ENTRY, answers, axes)
        for shape in [(1, size, size), (5, size + 7, size + 20) if any_size else (5, size, size)]:
            _compare(name, network, model, _pixels(*shape))
        note = {"network": name, "input": "(x - 127.5) / 128", "size": size, "colour": "RGB"}
        written.append(folder / f"{name}.onnx")
        write_atomically(written[-1], annotate(model, note))
    return written


def _pixels(count: int, height: int, width: int) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1


def _compare(name: str, network: torch.nn.Module, model: bytes, pixels: torch.Tensor) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    found = session.run(None, {ENTRY: pixels.numpy()})
    with torch.inference_mode():
        wanted = [answer.numpy() for answer in network(pixels)]
    worst = max(float(abs(a - b).max()) if a.shape == b.shape else np.inf for a, b in zip(wanted, found, strict=True))
    if not worst <= AGREE:
        raise ExportError(f"{name}: the ONNX file differs by {worst:.2g} from the network it was made of")
