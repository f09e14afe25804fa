"""Who is in the picture: people who do not exist, each a few hundred numbers that depend on (seed, k) alone.

The rules that turn numbers into people aim at variety. They are heuristics: a mixing weight is a shape, never a
demographic label; see ``README.md`` of this folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import index
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..devices import usable
from ..errors import FaceLibError
from .basis import Basis, load_basis
from .numbers import normals, uniforms
from .traits import TRAITS, Identities, interpret

if TYPE_CHECKING:
    from .shots import Shots


@lru_cache(maxsize=65_536)
def _numbers(seed: int, key: int, knobs: int) -> np.ndarray:
    return np.concatenate([uniforms(seed, key, TRAITS), normals(seed, key, knobs, chapter=1)]).astype(np.float32)


class People:
    """n people who do not exist. Person k of a seed is the same for every n, in any order, on every machine.

    Nothing is stored but (n, seed): ``People(10_000_000, seed=0)`` costs nothing until somebody is looked at.

    Parameters
    ----------
    n : int
        How many.
    seed : int
        Which.
    device : torch device or its name
        Where heads and pictures are computed.

    Raises
    ------
    FaceLibError
        n or seed is no integer or out of range, or the device is not there.

    Examples
    --------
    >>> few, many = People(10, seed=1), People(1_000_000, seed=1)
    >>> bool((few.identities([7]).head == many.identities([7]).head).all())
    True
    """

    def __init__(self, n: int, seed: int = 0, device: str | torch.device = "cpu") -> None:
        if not (all(isinstance(value, (int, np.integer)) for value in (n, seed)) and n >= 1 and 0 <= seed < 2**63):
            raise FaceLibError(f"People needs integers n >= 1 and 0 <= seed < 2**63, not n={n!r}, seed={seed!r}")
        self.n, self.seed = n, seed
        self.device = usable(device)
        self.basis: Basis = load_basis(str(self.device))

    def __len__(self) -> int:
        return self.n

    def __repr__(self) -> str:
        return f"People({self.n}, seed={self.seed}, device='{self.device}')"

    def identities(self, ids: Sequence[int] | np.ndarray | Tensor) -> Identities:
        """Everything that is fixed about these people (N of them, repetitions allowed).

        Raises
        ------
        FaceLibError
            ids is empty, no sequence of integers, or names somebody who is not among these n.
        """
        try:
            numbers = [index(k) for k in ids]
        except TypeError as error:
            raise FaceLibError(f"ids must be a sequence of integers, such as [3, 3, 8]: {error}") from error
        if not numbers:
            raise FaceLibError("nobody to look at: ids is empty")
        wrong = [k for k in numbers if not 0 <= k < self.n]
        if wrong:
            raise FaceLibError(f"there is no person {wrong[0]} among {self.n}: ids run from 0 to {self.n - 1}")
        unique = sorted(set(numbers))
        place = {k: row for row, k in enumerate(unique)}
        table = np.stack([_numbers(self.seed, k, len(self.basis.knobs)) for k in unique])
        rows = torch.tensor([place[k] for k in numbers], dtype=torch.int64, device=self.device)
        number = torch.tensor(unique, dtype=torch.int64, device=self.device)
        with torch.autocast(self.device.type, enabled=False):  # half the digits would be another head
            return interpret(self.basis, torch.from_numpy(table).to(self.device), number)[rows]

    def render(
        self,
        ids: Sequence[int] | np.ndarray | Tensor,
        generator: torch.Generator,
        size: int = 112,
        aligned: bool = True,
        hardness: float = 1.0,
        supersample: int | None = None,
        details: bool = False,
        **fixed: Tensor | float,
    ) -> Shots:
        """One picture for each id.

        Parameters
        ----------
        ids : N integers, repetitions allowed
        generator : torch.Generator
            Where chance comes from: the same generator state, the same pictures.
        size, aligned, supersample
            Crops of 112 pixels as ``facelib.align`` would cut them, or photos; see ``render_scene``.
        hardness : float
            0 is a passport photo, 1 everyday pictures; see ``sampling.sample_scene``.
        details : bool
            Also give masks, depth and normals.
        fixed
            Values of the ``Scene`` that are set and not drawn: ``people.render(ids, g, yaw=0.0, hat=0)``.

        Raises
        ------
        FaceLibError
            Wrong ids; a generator, hardness, size or supersample of another kind or out of range; a fixed value that
            is not of the ``Scene``, of another shape, or not finite.
        """
        from .sampling import sample_scene
        from .shots import take

        who = self.identities(ids)
        scene = sample_scene(self.basis, who, generator, hardness).replace(**fixed)
        return take(self, who, scene, size, aligned, supersample, details)
