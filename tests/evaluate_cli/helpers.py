"""What the tests of facelib evaluate share: pictures, files of pairs, a network that is its input."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from click.testing import CliRunner, Result
from onnx import TensorProto, helper

from facelib import Preprocess, cli, samples
from facelib.evaluate import Verification, verification
from facelib.folders.files import encode
from tests.data.helpers import picture

PAIRS = 120  # half of them same: ten false accepts are a FAR of 1 / 6
SAME = np.arange(PAIRS) % 2 == 0


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.main, ["evaluate", *map(str, arguments)])


def flat_network(path: Path, size: int = 16) -> Path:
    """An ONNX file whose embedding is its input, so that every pixel and its place count."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3, size, size])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 3 * size**2])
    graph = helper.make_graph([helper.make_node("Flatten", ["x"], ["y"])], "flat", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def faces(seed: int, side: int = 112) -> np.ndarray:
    """2 x PAIRS pictures: coarse patterns, alike in same pairs, with noise; one picture stands there twice."""
    chance = np.random.default_rng(seed)
    patterns = chance.normal(0, 50, (2 * PAIRS, 6, 6, 3))
    patterns[1::2][SAME] = 0.3 * patterns[0::2][SAME] + chance.normal(0, 48, (SAME.sum(), 6, 6, 3))
    large = [cv2.resize(pattern, (side, side), interpolation=cv2.INTER_CUBIC) for pattern in patterns]
    images = np.rint(np.array(large) + 128).clip(0, 255).astype(np.uint8)
    images[2] = images[0]
    return images


IMAGES = faces(0)
WALL = picture(3, 240)[20:220]


def write_bin(path: Path, images: np.ndarray = IMAGES, same: np.ndarray = SAME) -> Path:
    path.write_bytes(pickle.dumps(([encode(image, ".png") for image in images], same.tolist())))
    return path


def by_hand(images: np.ndarray, same: np.ndarray = SAME, flip: bool = True, **spec: Any) -> Verification:
    """Folds are runs of neighbours: these pairs are half same everywhere."""
    x = Preprocess(size=16, **spec)(images).reshape(len(images), -1)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    if flip:
        mirrored = Preprocess(size=16, **spec)(np.ascontiguousarray(images[:, :, ::-1])).reshape(len(images), -1)
        unit = unit + mirrored / np.linalg.norm(mirrored, axis=1, keepdims=True)
    return verification(unit[0::2], unit[1::2], same)


def write_photographs(folder: Path) -> Path:
    """LFW's layout: six people twice; a person who is a wall in the sun, and one whose second picture is damaged."""
    for name, image in [(name, samples.picture(name)) for name in samples.NAMES if name != "group"] + [
        ("p7a", WALL), ("p7b", samples.picture("p1a")[:, ::-1]),
        ("p8a", samples.picture("p2a")[:, ::-1]), ("p8b", None),
    ]:  # fmt: skip
        path = folder / "images" / name[:2] / f"{name[:2]}_000{'ab'.index(name[2]) + 1}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"no picture" if image is None else encode(np.ascontiguousarray(image), ".png"))
    lines = [f"p{k}\t1\t2" for k in range(1, 9)] + [f"p{k}\t1\tp{k % 8 + 1}\t2" for k in range(1, 9)]
    (folder / "pairsDevTest.txt").write_text("\n".join(["8", *lines]) + "\n")
    return folder
