"""A backbone by its name."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import partial

from torch import nn

from ..errors import FaceLibError
from .adapters import timm_model, torchvision_mobilenet_v2, torchvision_resnet50
from .iresnet import IResNet
from .mobilefacenet import MobileFaceNet

NAMES: dict[str, Callable[..., nn.Module]] = {
    "iresnet18": partial(IResNet, 18),
    "iresnet34": partial(IResNet, 34),
    "iresnet50": partial(IResNet, 50),
    "iresnet100": partial(IResNet, 100),
    "mobilefacenet": MobileFaceNet,
    "mobilefacenet_050": partial(MobileFaceNet, width=0.5),
    "torchvision_resnet50": torchvision_resnet50,
    "torchvision_mobilenet_v2": torchvision_mobilenet_v2,
}
"""Name -> a function of (embedding, size, dropout); beside them "timm:" and a name that timm knows.

``_050``, as timm names it, has half the channels: about a third of the time on a CPU."""

ALIASES = {"resnet18": "iresnet18", "resnet34": "iresnet34", "resnet50": "iresnet50", "resnet100": "iresnet100"}
"""In face recognition "r50" has meant IResNet-50 since ArcFace; torchvision's network says so in its name."""


def create(name: str, embedding: int = 512, size: int = 112, dropout: float = 0.0) -> nn.Module:
    """A new, untrained backbone: (B, 3, size, size) -> (B, embedding).

    Raises
    ------
    FaceLibError
        For an unknown name, or a size the network does not take.
    """
    if embedding < 1 or size < 16 or not 0 <= dropout < 1:
        raise FaceLibError(
            f"embedding={embedding}, size={size}, dropout={dropout}: expected at least 1, at least 16, and 0 to below 1"
        )
    if name.startswith("timm:"):
        return timm_model(name.removeprefix("timm:"), embedding, size, dropout)
    build = NAMES.get(ALIASES.get(name, name))
    if build is None:
        near = difflib.get_close_matches(name, [*NAMES, *ALIASES], 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise FaceLibError(f'no backbone {name!r}: {hint}Choose {", ".join(NAMES)}, or "timm:" and a name of timm')
    return build(embedding=embedding, size=size, dropout=dropout)
