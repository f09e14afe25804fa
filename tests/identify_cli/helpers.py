"""The commands as functions, and networks to give them, which the tests of facelib identify share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from click.testing import CliRunner, Result
from onnx import TensorProto, helper
from PIL import Image

from facelib import MTCNN, Embedder, align, cli
from facelib.folders.aligner import choose_faces

WHO = ("Ada", "Emmy", "Grace", "Hedy", "Rosalind")
HOG = Embedder.load("hog")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.main, ["identify", *map(str, arguments)])


def enrol(*arguments: object) -> Result:
    return run("enrol", *arguments, "--quiet")


def search(*arguments: object) -> Result:
    return run("search", *arguments, "--quiet")


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


def by_hand(image: np.ndarray) -> tuple[np.ndarray, float]:
    """Embedding and score of the face that `facelib align` would take."""
    face = choose_faces(MTCNN().detect(image), *image.shape[:2], "centre")
    return HOG(align(image, face.landmarks))[0], float(face.scores[0])


def flat_network(path: Path) -> Path:
    """An ONNX file whose embedding is its input, of 16 x 16 pixels."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3, 16, 16])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 768])
    graph = helper.make_graph([helper.make_node("Flatten", ["x"], ["y"])], "flat", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path
