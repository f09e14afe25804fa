"""The learning rate over the run, and the margin's growth."""

from __future__ import annotations

import math

from .recipe import Recipe


def learning_rate(recipe: Recipe, step: int, per_epoch: int) -> float:
    """Rate of step 0, 1, ... A line up through the warm-up, then from ``lr`` down, to 0 at the end of the run.

    polynomial: (1 - t)^power; cosine: (1 + cos(pi t)) / 2; step: a tenth at each milestone; t runs from 0 at the end
    of the warm-up to 1 at the end of the run.
    """
    warmup, total = recipe.warmup * per_epoch, recipe.epochs * per_epoch
    if step < warmup:
        return recipe.lr * (step + 1) / math.ceil(warmup)
    t = min(1.0, (step - warmup) / max(1.0, total - warmup))
    if recipe.schedule == "polynomial":
        return recipe.lr * (1 - t) ** recipe.power
    if recipe.schedule == "cosine":
        return recipe.lr * (1 + math.cos(math.pi * t)) / 2
    if recipe.schedule == "step":
        return recipe.lr * 0.1 ** sum(step >= milestone * per_epoch for milestone in recipe.milestones)
    return recipe.lr


def margin_share(recipe: Recipe, step: int, per_epoch: int) -> float:
    """Share of the margin that counts in a step: from 0 to 1 within ``margin_warmup`` epochs, in a line."""
    grow = recipe.margin_warmup * per_epoch
    return 1.0 if step >= grow else step / grow
