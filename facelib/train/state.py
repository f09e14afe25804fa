"""All that changes during a run, and its way into a checkpoint and back."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn
from torch.distributed.fsdp.sharded_grad_scaler import ShardedGradScaler
from torch.optim.swa_utils import AveragedModel

from .. import __version__
from ..backbones import load_weights
from ..errors import FaceLibError
from ..heads import PartialFC, ShardedClassifier, by_rows, parameter_groups
from ..preprocess import Preprocess
from . import shards
from .distributed import World
from .model import Recogniser
from .recipe import Recipe, from_dict, option

FREE = (
    *("epochs", "precision", "accumulate", "recompute"),
    *("dataset_root", "train_list", "val_list", "num_classes", "pre_trained"),
)
"""Settings that a resumed run may have otherwise: how long, how fast, and where the same pictures lie. The number of
classes is compared as it came out, whether it was set or counted."""


class State:
    """Model, optimiser, scaler, running mean of weights, and how many steps are done."""

    def __init__(self, recipe: Recipe, classes: int, pictures: int, place: World, sync_bn: bool = False) -> None:
        self.recipe, self.classes, self.pictures, self.step = recipe, classes, pictures, 0
        self.best, self.validated = 0.0, 0  # highest figure so far; the step of the last validation
        self.seconds = 0.0  # of earlier sittings
        torch.manual_seed(recipe.seed)
        self.model = Recogniser(recipe, classes)
        if recipe.pre_trained:
            load_weights(self.model.network, recipe.pre_trained)
        self.model.to(place.device).to(memory_format=torch.channels_last)  # faster for MobileFaceNet and on a GPU
        self.partial = isinstance(self.model.head, PartialFC)  # whose gradient is sparse
        self.sharded = isinstance(self.model.head, ShardedClassifier)  # of which each process has its own rows
        self.wrapped = place.wrap(self.model, sync_bn, ("head.weight",) if self.partial or self.sharded else ())
        groups = parameter_groups(self.model, weight_decay=recipe.weight_decay)
        self.optimizer: torch.optim.Optimizer = (
            torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum)
            if recipe.optimizer == "sgd"
            else torch.optim.AdamW(groups, lr=recipe.lr)
        )
        if self.partial:
            by_rows(self.optimizer)
        # Of shards one alone may overflow, and then no process must move.
        scaler = ShardedGradScaler if self.sharded and place.size > 1 else torch.amp.GradScaler
        self.scaler = scaler(place.device.type, enabled=recipe.precision == "fp16")
        self.average = AveragedModel(self.model, multi_avg_fn=self._follow, use_buffers=True) if recipe.ema else None

    def _follow(self, mean: Any, now: Any, steps: Any) -> None:
        """One step of the running mean, for tensors of one kind; the step is known without asking a GPU."""
        if mean[0].is_floating_point():
            torch._foreach_lerp_(mean, now, 1 - ema_decay(self.recipe.ema, self.step))
        else:
            torch._foreach_copy_(mean, now)

    @property
    def judged(self) -> Recogniser:
        """The model that is validated and exported: the running mean where there is one."""
        return cast(Recogniser, self.average.module) if self.average is not None else self.model

    def judged_centres(self, content: dict[str, Any]) -> torch.Tensor | None:
        """All centres of the judged model where its head holds but a share of them, from a checkpoint's content."""
        if not self.sharded:
            return None
        return content["model"]["head.weight"] if self.average is None else content["average"]["module.head.weight"]

    def content(self, seconds: float) -> dict[str, Any]:
        """What a checkpoint holds, ``seconds`` after the beginning; all chance follows from the seed and the step.

        Of a sharded head it holds all rows: then every process must call this.
        """
        content = {
            "recipe": self.recipe.to_dict(),
            "classes": self.classes,
            "pictures": self.pictures,
            "step": self.step,
            "best": self.best,
            "validated": self.validated,
            "seconds": seconds,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "preprocess": Preprocess(size=self.recipe.size).to_dict(),
            "facelib": __version__,
            "torch": str(torch.__version__),
        }
        head = self.model.head
        return shards.whole(head, content, self._centres) if isinstance(head, ShardedClassifier) else content

    @property
    def _centres(self) -> int:
        """Number of the head's centres among the optimiser's parameters."""
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        return next(k for k, p in enumerate(parameters) if p is self.model.head.weight)

    def restore(self, content: dict[str, Any], where: str) -> None:
        """Go on where a checkpoint was written.

        Raises
        ------
        FaceLibError
            It belongs to another recipe, or to other people.
        """
        theirs, ours = from_dict(content["recipe"], where).to_dict(), self.recipe.to_dict()
        changed = [name for name in ours if ours[name] != theirs[name] and name not in FREE]
        if changed:
            words = ", ".join(f"{option(name)} {theirs[name]} there and {ours[name]} here" for name in changed)
            raise FaceLibError(f"{where}: belongs to another recipe: {words}; use its settings, or another --out")
        for what in ("classes", "pictures"):
            if content[what] != getattr(self, what):
                raise FaceLibError(
                    f"{where}: was made with {content[what]:,} {what}, here are {getattr(self, what):,};"
                    " give the same --train-list and --num-classes, or another --out"
                )
        if isinstance(self.model.head, ShardedClassifier):
            content = shards.own(self.model.head, content, self._centres)
        self.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.scaler.load_state_dict(content["scaler"])
        if self.average is not None:
            self.average.load_state_dict(content["average"])
        self.step, self.best = content["step"], content["best"]
        self.validated = content.get("validated", self.step)  # older checkpoints were written after the validation
        self.seconds = content.get("seconds", 0.0)


def ema_decay(limit: float, step: int) -> float:
    """Share of the running mean that stays in a step: min(limit, (1 + step) / (10 + step)).

    With 0.999 from the start, the weights of an untrained network would still count for 5 % after 3,000 steps, and a
    mean of weights so far apart is no network. So it grows, and the mean reaches back over a tenth of the steps.
    """
    return min(limit, (1 + step) / (10 + step))


def clip(model: Recogniser, limit: float) -> torch.Tensor:
    """Shorten the network's gradient to ``limit``; return its length before. The head's is left alone."""
    parameters = [p for p in model.network.parameters() if p.grad is not None]
    return nn.utils.clip_grad_norm_(parameters, limit if limit else float("inf"))
