"""Centres that are shared out among processes, in checkpoints that do not say how many there were."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..heads import ShardedClassifier


def whole(head: ShardedClassifier, content: dict[str, Any], place: int) -> dict[str, Any]:
    """A checkpoint's content with the rows of all processes. Every process must call it; all get the same.

    ``place`` is the number of the centres among the optimiser's parameters.
    """
    return _changed(head.whole, content, place)


def own(head: ShardedClassifier, content: dict[str, Any], place: int) -> dict[str, Any]:
    """The content of ``whole`` with the rows of this process alone, however many wrote it."""
    return _changed(lambda rows: rows[head.first : head.last], content, place)


def _changed(change: Callable[[Tensor], Tensor], content: dict[str, Any], place: int) -> dict[str, Any]:
    changed = dict(content)
    for part, name in (("model", "head.weight"), ("average", "module.head.weight")):
        if changed[part] is not None:
            changed[part] = {**changed[part], name: change(changed[part][name])}
    kept = changed["optimizer"]["state"]
    if place in kept:  # after the first step
        rows = {key: change(value) if torch.is_tensor(value) and value.ndim else value
                for key, value in kept[place].items()}  # fmt: skip
        changed["optimizer"] = {**changed["optimizer"], "state": {**kept, place: rows}}
    return changed
