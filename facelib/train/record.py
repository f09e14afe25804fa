"""What is left of a finished run: the network's weights, and a record that others can check."""

from __future__ import annotations

import json
import platform
from typing import TYPE_CHECKING, Any

import torch

from .. import __version__
from ..backbones.weights import save_weights
from ..folders.files import write_atomically
from ..preprocess import Preprocess

if TYPE_CHECKING:
    from .loop import Run


def finish(run: Run, figures: dict[str, float]) -> None:
    """Write ``weights.safetensors`` and ``run.json``."""
    recipe = run.recipe
    network = {"backbone": recipe.backbone, "embedding": recipe.embedding, "size": recipe.size}
    save_weights(run.out / "weights.safetensors", run.state.judged.network, network, Preprocess(size=recipe.size))
    write_atomically(run.out / "run.json", (json.dumps(record(run, figures), indent=1) + "\n").encode())


def record(run: Run, figures: dict[str, float]) -> dict[str, Any]:
    """Recipe, code, machine, time and figures of a run; the code is that of its last sitting."""
    device, seconds = run.place.device, run.seconds
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "recipe": run.recipe.to_dict(),
        "people": run.state.classes,
        "pictures": len(run.source),
        "left out": len(run.unreadable),
        "steps": run.state.step,
        "commit": run.commit,
        "facelib": __version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "device": name,
        "processes": run.place.size,
        "seconds": round(seconds, 1),
        "threads": torch.get_num_threads(),
        "images/s": round(run.state.step * run.recipe.batch / seconds, 1),
        "validation": figures,
    }
