"""Network, head and margin as one module: crops and labels in, loss and accuracy out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .. import margins
from ..backbones import create
from ..errors import FaceLibError
from ..heads import (
    CosineClassifier,
    LinearClassifier,
    PartialFC,
    ShardedClassifier,
    SubCenter,
    clean_accuracy,
    sharded_cross_entropy,
)
from ..heads.classifiers import unit
from ..margins import Margin
from .recipe import Recipe

MAGFACE_REGULARISER = 35.0  # the paper's lambda_g
_CLASS = {name.lower(): name for name in margins.__all__}
_MARGIN = {"m": ("sphereface", "cosface", "arcface", "adaface", "curricularface", "uniface"), "m2": ("combined",)}


class Recogniser(nn.Module):
    """(B, 3, size, size) crops in -1..1 and (B,) labels -> loss and clean accuracy, both 0-dimensional.

    Attributes
    ----------
    network : the backbone, which is all that recognition needs
    head : the class centres
    margin : the margin
    """

    def __init__(self, recipe: Recipe, classes: int) -> None:
        super().__init__()
        self.recipe = recipe
        self.network = create(recipe.backbone, recipe.embedding, recipe.size, recipe.dropout)
        if recipe.recompute:
            if not hasattr(self.network, "recompute"):
                raise FaceLibError(f"--recompute is made for iresnet..., not for {recipe.backbone}")
            self.network.recompute = True  # type: ignore[assignment]
        self.head = make_head(recipe, classes)
        self.margin = make_margin(recipe, classes)
        if recipe.head == "sharded" and not self.margin.only_target:
            raise FaceLibError(f"--head sharded: --metric {recipe.metric} changes other logits than the own")

    def forward(
        self, crops: Tensor, labels: Tensor, share: float = 1.0, centres: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """``share`` of the margin counts; see ``margin_share``. The labels are places among ``centres``, if given."""
        embeddings = self.network(crops)
        with torch.autocast(crops.device.type, enabled=False):  # logits near 64 lie 0.25 apart in bfloat16
            embeddings = embeddings.float()
            norms = torch.linalg.vector_norm(embeddings, dim=1)
            margin = scaled(self.margin, share)
            if isinstance(self.head, ShardedClassifier):
                loss, accuracy = sharded_cross_entropy(embeddings, self.head, labels, margin, averaged=True)
                return loss + lengthening(margin, norms[labels >= 0]), accuracy
            cosine = self.head(embeddings) if centres is None else F.linear(*unit(embeddings, centres))
            return self.loss(margin, margin(cosine, labels, norms), labels, norms), clean_accuracy(cosine, labels)

    def loss(self, margin: Any, logits: Tensor, labels: Tensor, norms: Tensor) -> Tensor:
        """Mean over the rows with a label; 0 where there is none."""
        if isinstance(margin, margins.UniFace):
            return margins.unified_cross_entropy(logits, labels)
        known = (labels >= 0).sum().clamp(min=1)
        smoothing = self.recipe.label_smoothing
        total = F.cross_entropy(logits, labels, ignore_index=-1, reduction="sum", label_smoothing=smoothing)
        return total / known + lengthening(margin, norms[labels >= 0])


def lengthening(margin: Any, norms: Tensor) -> Tensor | float:
    """MagFace's term that lengthens embeddings; 0 for every other margin."""
    return MAGFACE_REGULARISER * margin.regulariser(norms) if isinstance(margin, margins.MagFace) else 0.0


def make_head(recipe: Recipe, classes: int) -> nn.Module:
    """The class centres that suit the margin."""
    if recipe.head != "whole" and (recipe.metric == "softmax" or recipe.sub_centers > 1):
        raise FaceLibError(
            f"--head {recipe.head} needs one centre for each person and cosines: no softmax, no --sub-centers"
        )
    if recipe.head == "sharded":
        if recipe.label_smoothing:
            raise FaceLibError("--head sharded never sees all logits of a picture, which --label-smoothing needs")
        return ShardedClassifier(recipe.embedding, classes)
    if recipe.head == "partial":
        return PartialFC(recipe.embedding, classes, recipe.rate)
    if recipe.metric == "softmax":
        if recipe.sub_centers > 1:
            raise FaceLibError("--sub-centers needs cosines: choose another --metric than softmax")
        return LinearClassifier(recipe.embedding, classes)
    if recipe.sub_centers > 1:
        return SubCenter(recipe.embedding, classes, recipe.sub_centers)
    return CosineClassifier(recipe.embedding, classes)


def make_margin(recipe: Recipe, classes: int) -> Any:
    """The margin with the recipe's s and m."""
    options: dict[str, Any] = {"gradient": recipe.gradient}
    if recipe.scale:
        options["s"] = recipe.scale
    if recipe.margin:
        name = next((name for name, metrics in _MARGIN.items() if recipe.metric in metrics), None)
        if name is None:
            raise FaceLibError(f"--metric {recipe.metric} has no margin of its own to set; leave --margin out")
        options[name] = recipe.margin
    kind = getattr(margins, _CLASS[recipe.metric])
    return kind(classes, **options) if recipe.metric == "uniface" else kind(**options)


def scaled(margin: Any, share: float) -> Any:
    """A rule without a state with this share of its margin, so that training can begin gently."""
    if share >= 1:
        return margin
    if isinstance(margin, margins.Combined):
        return replace(margin, m1=1 + share * (margin.m1 - 1), m2=share * margin.m2, m3=share * margin.m3)
    if isinstance(margin, margins.SphereFace):
        return replace(margin, m=1 + share * (margin.m - 1))
    if isinstance(margin, Margin) and not isinstance(margin, nn.Module) and hasattr(margin, "m"):
        return replace(margin, m=share * margin.m)  # type: ignore[type-var]
    raise FaceLibError(f"--margin-warmup is made for margins that stay the same, not for {type(margin).__name__}")
