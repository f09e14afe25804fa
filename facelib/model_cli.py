"""A network as a command names it: what it wants to see, and where it comes from. Heavy imports wait inside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from .errors import FaceLibError
from .train_cli import Numbers

if TYPE_CHECKING:
    from .embedder import Embedder
    from .preprocess import Preprocess

WANTS = ("size", "colour", "mean", "std")
"""Options that say what an ONNX network wants to see."""

OVERLAP = "if training and test share people, as VGGFace2 and LFW do, the figures are too good"


def wants_options(command: Any) -> Any:
    """Options that say what an .onnx file wants to see; ``wanted`` takes them out again."""
    for option in reversed((
        click.option("--size", type=click.IntRange(16), default=112, show_default=True,
                     help="Side of an ONNX net's input."),
        click.option("--colour", type=click.Choice(["RGB", "BGR"]), default="RGB", show_default=True,
                     help="Its channels."),
        click.option("--mean", type=Numbers(), help="What it wants taken from pixels / 255: 0.5, or three numbers."),
        click.option("--std", type=Numbers(), help="What it wants them divided by then: 0.5, or three numbers."),
    )):  # fmt: skip
        command = option(command)
    return command


def wanted(context: click.Context, model: str, options: dict[str, Any]) -> dict[str, Any] | None:
    """Take what ``wants_options`` added out of a command's options; None if nothing of it was said."""
    said = [name for name in WANTS if context.get_parameter_source(name) is not ParameterSource.DEFAULT]
    values = {name: options.pop(name) for name in WANTS}
    if said and not model.endswith(".onnx"):
        raise click.BadParameter(f"is for .onnx files; {model} says itself what it wants", param_hint=f"--{said[0]}")
    return values if said else None


def open_model(model: str, wants: dict[str, Any] | None = None, device: str = "cpu") -> tuple[Embedder, dict[str, Any]]:
    """The network to judge, and what a report says of it: "model", "preprocess", "versions", "warnings".

    ``wants`` is what an ONNX file wants to see: size, colour, mean, std; None if the file says it.
    """
    from .embedder import Embedder

    path = Path(model)
    about: dict[str, Any] = {"model": {"name": model}, "warnings": []}
    embed = Embedder.load(model, as_preprocess(path, wants), device)
    if path.suffix in (".onnx", ".safetensors"):
        about["model"] = {"name": embed.name, **_described(path)}
        training = about["model"]["trained on"]
        if not training.startswith("synth:"):
            known = "what it was trained on is not known" if training == "unknown" else f"trained on {training}"
            about["warnings"].append(f"{known}; {OVERLAP}")
    about["preprocess"], about["versions"] = embed.preprocess.to_dict(), _versions()
    return embed, about


def as_preprocess(path: Path, wants: dict[str, Any] | None) -> Preprocess | None:
    """What the options say, which have to say all of it or nothing."""
    from .preprocess import Preprocess

    if wants is None:
        return None
    for name in ("mean", "std"):
        if wants[name] is None:
            raise FaceLibError(
                f"{path}: what a network wants to see is said in full or not at all, and a wrong guess costs accuracy"
                " without a word; pass --mean and --std, and --size and --colour if they are not 112 and RGB"
            )
        if len(wants[name]) not in (1, 3):
            raise FaceLibError(f"--{name}: expected one number or three, got {len(wants[name])}")
    return Preprocess(size=wants["size"], colour=wants["colour"], mean=wants["mean"], std=wants["std"])


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
