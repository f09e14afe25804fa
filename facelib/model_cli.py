"""A network as a command names it: what it wants to see, and where it comes from. Heavy imports wait inside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import FaceLibError

if TYPE_CHECKING:
    from .embedder import Embedder

WANTS = ("size", "colour", "mean", "std")
"""Options that say what an ONNX network wants to see."""

OVERLAP = "if training and test share people, as VGGFace2 and LFW do, the figures are too good"


def open_model(model: str, wanted: dict[str, Any], device: str = "cpu") -> tuple[Embedder, dict[str, Any]]:
    """The network to judge, and what a report says of it: "model", "preprocess", "versions", "warnings".

    ``wanted`` is what an ONNX file wants to see: size, colour, mean, std; of other models it is not looked at.
    """
    from .embedder import Embedder

    path = Path(model)
    about: dict[str, Any] = {"model": {"name": model}, "warnings": []}
    if path.suffix == ".onnx":
        embed = Embedder.load(path, _preprocess(path, wanted))
    else:
        embed = Embedder.load(model, device=device)
    if path.suffix in (".onnx", ".safetensors"):
        about["model"] = {"name": embed.name, **_described(path)}
        training = about["model"]["trained on"]
        if not training.startswith("synth:"):
            known = "what it was trained on is not known" if training == "unknown" else f"trained on {training}"
            about["warnings"].append(f"{known}; {OVERLAP}")
    about["preprocess"], about["versions"] = embed.preprocess.to_dict(), _versions()
    return embed, about


def _preprocess(path: Path, wanted: dict[str, Any]) -> Any:
    from .preprocess import Preprocess

    for name in ("mean", "std"):
        if wanted[name] is None:
            raise FaceLibError(
                f"{path}: an ONNX file does not say what its network wants to see, and a wrong guess costs accuracy"
                " without a word; pass --mean and --std, and --size and --colour if they are not 112 and RGB"
            )
        if len(wanted[name]) not in (1, 3):
            raise FaceLibError(f"--{name}: expected one number or three, got {len(wanted[name])}")
    three = {name: tuple(wanted[name]) * (3 // len(wanted[name])) for name in ("mean", "std")}
    try:
        return Preprocess(size=wanted["size"], colour=wanted["colour"], mean=three["mean"], std=three["std"])
    except ValueError as error:
        raise FaceLibError(f"--std: {error}") from error


def _described(path: Path) -> dict[str, Any]:
    """File, checksum, network, and what ``facelib train`` left beside it of the training."""
    import hashlib
    import json

    found: dict[str, Any] = {"file": str(path), "SHA-256": hashlib.sha256(path.read_bytes()).hexdigest()}
    if path.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(str(path), "pt") as opened:
            found.update(json.loads(opened.metadata()["facelib"])["network"])
    try:
        run = json.loads((path.parent / "run.json").read_bytes())
        return {**found, "trained on": run["recipe"]["train_list"], "with": run["recipe"]["metric"],
                "people": run["people"], "steps": run["steps"]}  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):
        return {**found, "trained on": "unknown"}


def _versions() -> dict[str, str]:
    import platform

    import cv2
    import numpy
    import torch

    from . import __version__

    return {"facelib": __version__, "python": platform.python_version(), "torch": str(torch.__version__),
            "numpy": numpy.__version__, "opencv": cv2.__version__}  # fmt: skip
