"""Training: a recipe, a folder, and the loop between them.

>>> from facelib.train import Recipe, train
>>> recipe = Recipe(train_list="synth:mini", backbone="mobilefacenet", embedding=128, epochs=10)
>>> figures = train(recipe, "runs/mini")  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

from .recipe import Recipe, read_recipe, write_recipe

if TYPE_CHECKING:
    from .loop import train

__all__ = ["Recipe", "read_recipe", "train", "write_recipe"]


def __getattr__(name: str) -> Any:
    if name == "train":  # imports torch, for which `facelib train --help` need not wait
        from .loop import train

        return train
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
