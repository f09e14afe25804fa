"""Weights from files: ours, and insightface's ``backbone.pth``, also in half precision; mismatches said in words."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import FaceLibError, WeightsError
from ..folders.files import write_atomically
from ..preprocess import Preprocess
from .create import create
from .iresnet import BLOCKS, IResNet


def read_weights(file: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Name -> float32 tensor, from a .safetensors file or a PyTorch file of tensors alone.

    Names lose the "module." that data-parallel training leaves before them.

    Raises
    ------
    WeightsError
        The file is missing, damaged, or holds something else than tensors.
    """
    path = _existing(file)
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            found: object = load_file(str(path))
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except ImportError as error:
        raise WeightsError(f"{path}: needs safetensors; run: pip install safetensors") from error
    except Exception as error:  # what torch says of it advises to run whatever code is inside
        raise WeightsError(
            f"{path}: not a file of weights: it is damaged, or holds more than tensors and is not opened; download it"
            " again, or ask for its tensors alone"
        ) from error
    if isinstance(found, dict) and isinstance(found.get("state_dict"), dict):
        found = found["state_dict"]
    if not isinstance(found, dict) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise WeightsError(f"{path}: expected names and tensors, found {_describe(found)}")
    return {
        name.removeprefix("module."): value.float() if value.is_floating_point() else value
        for name, value in found.items()
    }


def load_weights(network: nn.Module, file: str | os.PathLike[str]) -> None:
    """Put the weights of a file into a network, all of them or none.

    Raises
    ------
    WeightsError
        The file cannot be read, or it holds another network: which one is said where it is known.
    """
    found, wanted = read_weights(file), network.state_dict()
    missing = sorted(wanted.keys() - found.keys())
    foreign = sorted(found.keys() - wanted.keys())
    shapes = [name for name in wanted.keys() & found.keys() if wanted[name].shape != found[name].shape]
    faults = [
        f"{what} {len(names)}, such as {names[0]}"
        for what, names in (("missing", missing), ("unknown", foreign), ("of another shape", sorted(shapes)))
        if names
    ]
    if faults:
        known = recognise(found)
        hint = f"; it fits {known}" if known else ""
        raise WeightsError(f"{Path(file)}: not the weights of this {type(network).__name__}: {', '.join(faults)}{hint}")
    network.load_state_dict(found)


def save_weights(
    file: str | os.PathLike[str], network: nn.Module, spec: dict[str, Any], preprocess: Preprocess
) -> None:
    """Write a network as .safetensors with what ``create`` needs to make it again and what it wants to see."""
    from safetensors.torch import save

    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    about = json.dumps({"network": spec, "preprocess": preprocess.to_dict()})  # one entry: their order is not kept
    write_atomically(Path(file), save(tensors, {"facelib": about}))


def load_network(file: str | os.PathLike[str]) -> tuple[nn.Module, Preprocess]:
    """The network that ``save_weights`` wrote, ready to embed, and what it wants to see.

    Raises
    ------
    WeightsError
        The file cannot be read, does not say which network its weights belong to, or says what cannot be.
    """
    from safetensors import SafetensorError, safe_open

    path = _existing(file)
    try:
        with safe_open(str(path), "pt") as opened:
            metadata = opened.metadata() or {}
        about = json.loads(metadata["facelib"])
        spec, wants = about["network"], about["preprocess"]
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a .safetensors file ({error})") from error
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: does not say which network it is; use facelib.backbones.load_weights") from error
    try:
        preprocess = Preprocess.from_dict(wants)
        network = create(spec["backbone"], spec["embedding"], spec["size"])
    except FaceLibError as error:
        raise WeightsError(f"{path}: {error}; facelib.backbones.load_weights takes its weights alone") from error
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError, MemoryError) as error:
        raise WeightsError(
            f"{path}: what it says of its network is damaged ({type(error).__name__}: {_first_line(error)});"
            " facelib.backbones.load_weights takes its weights alone"
        ) from error
    load_weights(network, path)
    return network.eval(), preprocess


def recognise(weights: dict[str, Tensor]) -> str:
    """How to make the IResNet that these weights belong to, or "" for anything else."""
    try:
        depth = next(
            depth
            for depth, counts in BLOCKS.items()
            if counts == tuple(1 + max(_indices(weights, f"layer{k}.")) for k in (1, 2, 3, 4))
        )
        embedding, columns = weights["fc.weight"].shape
    except (StopIteration, KeyError, ValueError):
        return ""
    size = 16 * round((columns / 512) ** 0.5)
    with torch.device("meta"):
        network = IResNet(depth, embedding, size)
    shapes = {name: value.shape for name, value in network.state_dict().items()}
    if shapes != {name: value.shape for name, value in weights.items()}:
        return ""
    return f"--backbone iresnet{depth} with an embedding of {embedding} and crops of {size} pixels"


def _existing(file: str | os.PathLike[str]) -> Path:
    path = Path(file)
    if path.is_dir():
        raise WeightsError(f"{path}: is a folder; give the file of weights in it")
    if not path.is_file():
        raise WeightsError(f"{path}: no such file")
    return path


def _indices(weights: dict[str, Tensor], prefix: str) -> list[int]:
    return [int(name.split(".")[1]) for name in weights if name.startswith(prefix)]


def _describe(found: object) -> str:
    if isinstance(found, dict):
        return f"a dictionary with {', '.join(map(repr, list(found)[:4])) or 'nothing in it'}"
    return f"a {type(found).__name__}"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["no reason given"])[0][:200]
