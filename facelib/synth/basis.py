"""The head that everybody is a variation of: vertices, triangles, and the shapes that are mixed into a person.

World units are decimetres, x to the right of the picture, y up, z towards the viewer. The arrays come from
MakeHuman's CC0 targets; ``README.md`` of this folder says how, ``tools/export_basis.py`` does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import torch
from torch import Tensor

BODY, LEFT_EYE, RIGHT_EYE, UPPER_TEETH, LOWER_TEETH, TONGUE = range(6)
"""What a triangle belongs to; left and right are the person's own."""

_OPPOSITES = {"incr": "decr", "up": "down", "out": "in", "forward": "backward", "convex": "concave",
              "uncompress": "compress"}  # fmt: skip


@dataclass(frozen=True)
class Knob:
    """One signed shape: row of the target for values above 0 and, where there is one, for values below."""

    name: str
    plus: int
    minus: int | None


@dataclass(frozen=True)
class Basis:
    """V vertices, F triangles; tensors on one device.

    base, mean : (V, 3)
        Where mixing starts, and the average adult, whose coordinates name places on every head.
    faces, part : int64 (F, 3) and (F,)
        Triangles, and what each belongs to (``BODY`` ... ``TONGUE``).
    macro, identity, expression : (36, V * 3), (332, V * 3), (52, V * 3)
        Displacements: whole-head corners, local shapes, face units.
    lips, ears, inside_mouth, lash, occlusion : (V,)
        Masks, and the share of the sky that a place sees.
    follows_head : (V,)
        1 where the skin turns with the head, 0 on the torso.
    landmarks : (3,) int64
        Vertices of the nose's tip and of the mouth's corners in the template's order.
    """

    base: Tensor
    mean: Tensor
    faces: Tensor
    part: Tensor
    macro: Tensor
    identity: Tensor
    expression: Tensor
    lips: Tensor
    ears: Tensor
    inside_mouth: Tensor
    lash: Tensor
    occlusion: Tensor
    follows_head: Tensor
    body: Tensor
    landmarks: Tensor
    macro_names: tuple[str, ...]
    identity_names: tuple[str, ...]
    expression_names: tuple[str, ...]
    knobs: tuple[Knob, ...]
    eye_vertices: tuple[Tensor, Tensor]

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.base.device

    def eyes(self, vertices: Tensor) -> Tensor:
        """Centres of left and right eyeball: (B, V, 3) -> (B, 2, 3)."""
        return torch.stack([vertices[:, rows].mean(1) for rows in self.eye_vertices], 1)

    def shape(self, macro: Tensor, local: Tensor) -> Tensor:
        """Heads (N, V, 3) from weights of the macro targets (N, 36) and one value a knob (N, K) in -1..1.

        Everybody's eyes are brought to the same place, so that cameras and lights need not know who it is.
        """
        weights = local.new_zeros(len(local), len(self.identity))
        plus = torch.tensor([knob.plus for knob in self.knobs], device=local.device)
        paired = torch.tensor([k for k, knob in enumerate(self.knobs) if knob.minus is not None], device=local.device)
        minus = torch.tensor([knob.minus for knob in self.knobs if knob.minus is not None], device=local.device)
        weights[:, plus] = local.clamp(min=0)
        weights[:, minus] = (-local[:, paired]).clamp(min=0)
        heads = self.base + (macro @ self.macro + weights @ self.identity).view(len(local), -1, 3)
        between = self.eyes(heads).mean(1, keepdim=True)
        return heads - between + self.eyes(self.mean[None]).mean(1)


@cache
def load_basis(device: str) -> Basis:
    """The basis on a device; read once for each."""
    with resources.files(__package__).joinpath("basis.npz").open("rb") as file, np.load(file) as stored:
        arrays = {name: stored[name] for name in stored.files}

    def real(name: str) -> Tensor:
        return torch.from_numpy(arrays[name].astype(np.float32)).to(device)

    def whole(name: str) -> Tensor:
        return torch.from_numpy(arrays[name].astype(np.int64)).to(device)

    names = {kind: tuple(map(str, arrays[f"{kind}_names"])) for kind in ("macro", "identity", "expression")}
    faces, part, mean = whole("faces"), whole("part"), real("mean")
    body = torch.zeros(len(mean), dtype=torch.bool, device=mean.device)
    body[faces[part == BODY].flatten()] = True
    height = (mean[:, 1] + 0.35 * (mean[:, 2] - 0.6).clamp(-0.5, 0.5) - 5.75) / 0.6
    follows = height.clamp(0, 1) ** 2 * (3 - 2 * height.clamp(0, 1))
    return Basis(
        base=real("base"), mean=mean, faces=faces, part=part,
        macro=real("macro").flatten(1), identity=real("identity").flatten(1), expression=real("expression").flatten(1),
        lips=real("mask_lips"), ears=real("mask_ears"), inside_mouth=real("mask_inside_mouth"), lash=real("mask_lash"),
        occlusion=real("occlusion") / 255, follows_head=torch.where(body, follows, torch.ones_like(follows)), body=body,
        landmarks=whole("landmarks"), macro_names=names["macro"], identity_names=names["identity"],
        expression_names=names["expression"], knobs=pair_up(names["identity"]),
        eye_vertices=(faces[part == LEFT_EYE].unique(), faces[part == RIGHT_EYE].unique()),
    )  # fmt: skip


def pair_up(names: tuple[str, ...]) -> tuple[Knob, ...]:
    """Join opposite targets into signed knobs.

    >>> pair_up(("chin-width-decr", "chin-width-incr", "head-oval"))
    (Knob(name='chin-width', plus=1, minus=0), Knob(name='head-oval', plus=2, minus=None))
    """
    row = {name: i for i, name in enumerate(names)}
    knobs, used = [], set()
    for name, plus in row.items():
        stem, _, end = name.rpartition("-")
        opposite = f"{stem}-l" if name.startswith("asym-") and end == "r" else f"{stem}-{_OPPOSITES.get(end)}"
        if opposite in row:
            knobs.append(Knob(stem, plus, row[opposite]))
            used |= {plus, row[opposite]}
    return tuple(knobs) + tuple(Knob(name, i, None) for name, i in row.items() if i not in used)
