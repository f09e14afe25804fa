"""From random numbers to people: rules of thumb that aim at variety.

They are heuristics. A mixing weight is a shape, never a demographic label; see ``README.md`` of this folder.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from .basis import Basis

TRAITS = 160  # uniform numbers reserved for one person's traits
HAIR = ((0.012, 0.010, 0.009), (0.030, 0.018, 0.012), (0.075, 0.038, 0.018), (0.17, 0.085, 0.038), (0.42, 0.255, 0.13),
        (0.20, 0.062, 0.024))  # fmt: skip
GREY = (0.40, 0.39, 0.38)
IRIS = ((0.055, 0.025, 0.010), (0.11, 0.055, 0.02), (0.12, 0.11, 0.045), (0.10, 0.17, 0.22), (0.18, 0.22, 0.235),
        (0.11, 0.16, 0.10))  # fmt: skip
SPREAD = {"asym": 0.17, "nose": 0.21, "mouth": 0.16, "chin": 0.18, "forehead": 0.18, "head": 0.13, "neck": 0.16,
          "eyebrows": 0.20, "ear": 0.22, "eye": 0.20, "cheek": 0.20}  # fmt: skip
"""Standard deviation of a knob by what it shapes. More than this, and people become caricatures."""
COMMON = {"l-eye-scale": 0.12, "r-eye-scale": 0.12, "neck-scale-vert": -0.4, "nose-volume": -0.12,
          "nose-point-width": -0.15, "chin-width": -0.10, "head-oval": 0.15, "mouth-angles": 0.12}  # fmt: skip
DELICATE = {"chin-width": -0.30, "chin-bones": -0.35, "chin-prominent": -0.15, "chin-height": -0.15, "head-oval": 0.30,
            "nose-scale-horiz": -0.20, "nose-volume": -0.20, "nose-scale-vert": -0.10, "l-eye-scale": 0.18,
            "r-eye-scale": 0.18, "forehead-nubian": 0.10, "neck-scale-horiz": -0.15}  # fmt: skip
"""Where knobs have their middle: what the average head lacks, for all, and the more the less masculine."""
BALD, BUZZ, SHORT, MEDIUM, LONG = range(5)
BROW = (8.5, 36, 7.395, 0.055, 0.62, 0.040, 0.02, 0.78)
BROW_SPREAD = (1.3, 2.5, 0.018, 0.022, 0.08, 0.009, 0.03, 0.15)


@dataclass(frozen=True)
class Identities:
    """What stays the same in every picture of N people; tensors on one device.

    Attributes
    ----------
    number : int64 (N,)
        Which people they are.
    head : (N, V, 3)
        Vertices in decimetres.
    masculine, age, weight : (N,) 0..1, 0..1, -1..1
        Shape mixing, with what follows from it for hair and skin. ``mix`` (N, 3): weights of three head shapes.
    melanin, blood : (N,)
        The two dyes of skin: 0 (light) to 4 (dark), and redness.
    redness (N, 4), blotchiness, freckles, wrinkles, eye_shadow : (N,)
        Of cheeks, nose, chin and the lower lids; and amounts of each.
    marks : (N, 6, 4)
        Moles: azimuth in degrees, height, radius, strength.
    texture : (N, 2)
        Where on the noise textures this person's skin lies.
    hair, brow_colour, iris : (N, 3)
        Linear RGB; with the share of ``grey`` and the ``iris_size``, (N,) each.
    brow : (N, 8)
        Inner and outer end, height, arch, peak, thickness, tail, density.
    lips : (N, 2)
        Additional blood and melanin.
    length : int64 (N,)
        Of the hair, ``BALD`` to ``LONG``; its hairline, recession, volume, curl, parting, fringe and drape are (N,)
        each, the last one the azimuth in degrees from which long hair hangs.
    beard, stubble, makeup, crease : (N,)
        Amounts, the last one of the fold of the upper lid; ``beard_style`` int64 (N,) says which beard.
    """

    number: Tensor
    head: Tensor
    masculine: Tensor
    age: Tensor
    weight: Tensor
    mix: Tensor
    melanin: Tensor
    blood: Tensor
    redness: Tensor
    blotchiness: Tensor
    freckles: Tensor
    wrinkles: Tensor
    eye_shadow: Tensor
    marks: Tensor
    texture: Tensor
    hair: Tensor
    grey: Tensor
    brow_colour: Tensor
    brow: Tensor
    iris: Tensor
    iris_size: Tensor
    lips: Tensor
    length: Tensor
    hairline: Tensor
    recession: Tensor
    volume: Tensor
    curl: Tensor
    parting: Tensor
    fringe: Tensor
    beard: Tensor
    beard_style: Tensor
    stubble: Tensor
    makeup: Tensor
    crease: Tensor
    drape: Tensor

    def __len__(self) -> int:
        return len(self.number)

    def __getitem__(self, rows: slice | Tensor) -> Identities:
        return Identities(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


class _Reader:
    """Hands out the columns of a table of uniform numbers, one after the other.

    New traits are read after the old ones, or every person changes.
    """

    def __init__(self, table: Tensor) -> None:
        self.table, self.column = table, 0

    def uniform(self, count: int = 1) -> Tensor:
        """(N,), or (N, count)."""
        block = self.table[:, self.column : self.column + count]
        self.column += count
        assert block.shape[1] == count  # else TRAITS is too small
        return block.squeeze(1) if count == 1 else block

    def normal(self, count: int = 1) -> Tensor:
        """(N,), or (N, count), from N(0, 1) by the inverse of its distribution function."""
        return math.sqrt(2) * torch.erfinv((2 * self.uniform(count) - 1).clamp(-0.99999, 0.99999))

    def chance(self, probability: float | Tensor) -> Tensor:
        """1 with a probability, else 0: (N,)."""
        return (self.uniform() < probability).float()

    def pick(self, weights: Tensor) -> Tensor:
        """Index (N,) drawn with weights (K,) or (N, K) that sum to 1."""
        return (self.uniform()[:, None] > weights.cumsum(-1).expand(len(self.table), -1)[:, :-1]).sum(1)


def interpret(basis: Basis, table: Tensor, number: Tensor) -> Identities:
    """Turn random numbers (N, TRAITS + knobs) into people."""
    draw = _Reader(table[:, :TRAITS])
    shares = (-draw.uniform(3).log()) ** 1.8
    mix = shares / shares.sum(1, keepdim=True)
    male = draw.chance(0.5)
    masculine = (male * (0.74 + 0.26 * draw.uniform()) + (1 - male) * 0.20 * draw.uniform()).clamp(0, 1)
    age = draw.uniform() ** 1.3
    weight = (0.36 * draw.normal()).clamp(-0.9, 0.9)
    head = basis.shape(_macro(basis, mix, masculine, age, weight), _local(basis, table[:, TRAITS:], masculine))
    melanin = (mix @ table.new_tensor([3.0, 1.0, 0.5]) + 0.5 * draw.normal()).clamp(0, 3.9)
    return Identities(
        number=number,
        head=head,
        masculine=masculine,
        age=age,
        weight=weight,
        mix=mix,
        melanin=melanin,
        **_colours(draw, mix, melanin, age),
        **_skin(draw, melanin, age),
        **_hair(draw, mix, male, age, masculine),
        **_later(draw, mix),
    )


def _later(draw: _Reader, mix: Tensor) -> dict[str, Tensor]:
    """What was added after the rest, so that it takes no number from older traits."""
    return {
        "crease": (0.75 - 0.5 * mix[:, 1] + 0.25 * draw.normal()).clamp(0, 1),
        "drape": 45 + 18 * draw.uniform(),
    }


def _colours(draw: _Reader, mix: Tensor, melanin: Tensor, age: Tensor) -> dict[str, Tensor]:
    """Hair, brows and eyes; dark skin mostly has dark ones."""
    tensor = melanin.new_tensor
    dark = melanin / 2.2 + 0.35 * mix[:, 1] + 0.25 * draw.normal() > 0.75
    shade = torch.where(dark, draw.chance(0.25).long(), draw.pick(tensor([0.15, 0.25, 0.25, 0.15, 0.13, 0.07])))
    grey = ((age - 0.62) * 2.2 + 0.4 * draw.normal()).clamp(0, 1) * (age > 0.35)
    lighter, warmer = tensor([0.22, 0.22, 0.22]), tensor([0.03, 0.0, -0.05])
    own = tensor(HAIR)[shade] * torch.exp(draw.normal()[:, None] * lighter + draw.normal()[:, None] * warmer)
    silver = tensor(GREY) * (0.6 + 0.5 * draw.uniform())[:, None]
    eyes = torch.where(dark, 0, draw.pick(tensor([0.30, 0.22, 0.15, 0.15, 0.09, 0.09])))
    return {
        "grey": grey,
        "hair": own + (silver - own) * grey[:, None],
        "brow_colour": own * 0.45 * (1 - 0.7 * grey[:, None]) + 0.25 * grey[:, None] * tensor(GREY),
        "iris": tensor(IRIS)[eyes] * torch.exp(0.22 * draw.normal(3)),
        "iris_size": 0.415 + 0.014 * draw.normal(),
    }


def _skin(draw: _Reader, melanin: Tensor, age: Tensor) -> dict[str, Tensor]:
    tensor = melanin.new_tensor
    places = draw.normal(24).view(-1, 6, 4) * tensor([32, 0.45, 0.003, 0]) + tensor([0, 6.95, 0.012, 0])
    strength = 1.2 * (draw.uniform(6) < 0.25)
    redness = tensor([0.30, 0.32, 0.16, 0.16]) + tensor([0.18, 0.18, 0.08, 0.10]) * draw.normal(4)
    return {
        "marks": torch.cat([places[..., :3], strength[..., None]], -1),
        "blood": (0.30 + 0.22 * draw.normal()).clamp(-0.1, 0.9),
        "redness": redness.clamp(0, 0.9),
        "blotchiness": 0.35 + 0.5 * draw.uniform(),
        "freckles": draw.chance(0.2) * (1.2 - melanin / 2).clamp(0) * draw.uniform(),
        "wrinkles": (1.25 * (age - 0.25) + 0.18 * draw.normal()).clamp(0, 1),
        "eye_shadow": (0.28 + 0.16 * draw.normal() + 0.2 * age).clamp(0, 0.9),
        "texture": draw.uniform(2),
        "lips": tensor([0.95, 0.22]) + tensor([0.35, 0.15]) * draw.normal(2),
    }


def _hair(draw: _Reader, mix: Tensor, male: Tensor, age: Tensor, masculine: Tensor) -> dict[str, Tensor]:
    tensor = age.new_tensor
    cuts = torch.where(male[:, None] > 0, tensor([0.05, 0.20, 0.58, 0.12, 0.05]), tensor([0.0, 0.02, 0.16, 0.34, 0.48]))
    brow = tensor(BROW) + tensor(BROW_SPREAD) * draw.normal(8)
    brow[:, 5] += 0.010 * (masculine - 0.5)
    return {
        "brow": brow,
        "length": draw.pick(cuts),
        "hairline": 7.85 + 0.05 * draw.normal() + 0.08 * age * male,
        "recession": (0.04 * draw.normal().abs() + 0.26 * age * male * draw.uniform()).clamp(0, 0.4),
        "volume": (0.15 + 0.06 * draw.normal()).clamp(0.05, 0.34),
        "curl": (1.1 * mix[:, 0] + 0.35 * draw.normal()).clamp(0, 1),
        "parting": 0.55 * draw.normal(),
        "fringe": draw.chance(torch.where(male > 0, 0.22, 0.34)) * (0.10 + 0.18 * draw.uniform()),
        "beard": male * draw.chance(0.42) * (0.25 + 0.75 * draw.uniform()),
        "beard_style": draw.pick(tensor([0.25, 0.25, 0.25, 0.25])),
        "stubble": male * (0.12 + 0.3 * draw.uniform()),
        "makeup": (1 - male) * draw.chance(0.5) * draw.uniform(),
    }


def _macro(basis: Basis, mix: Tensor, masculine: Tensor, age: Tensor, weight: Tensor) -> Tensor:
    """Weights of the whole-head targets, (N, 36): products of the shares along each axis. Adults only."""
    zero = torch.zeros_like(age)
    ages = {"child": zero, "young": 1 - age, "old": age}
    genders = {"male": masculine, "female": 1 - masculine}
    shapes = dict(zip(("african", "asian", "caucasian"), mix.unbind(1), strict=True))
    weights = {"min": (-weight).clamp(0), "average": 1 - weight.abs(), "max": weight.clamp(0)}
    columns = []
    for name in basis.macro_names:
        first, gender, years, *rest = name.split("-")
        columns.append((weights[rest[0]] if rest else shapes[first]) * genders[gender] * ages[years])
    return torch.stack(columns, 1)


def _local(basis: Basis, z: Tensor, masculine: Tensor) -> Tensor:
    """Knob values (N, K): left and right nearly alike, one-sided shapes mostly off, extremes bent back."""
    names = [knob.name for knob in basis.knobs]
    twin = [names.index("l-" + name[2:]) if name.startswith("r-") else k for k, name in enumerate(names)]
    own = z.new_tensor([0.15 if name.startswith("r-") else 0.0 for name in names])
    spread = z.new_tensor([_spread(name) for name in names])
    one_sided = z.new_tensor([knob.minus is None for knob in basis.knobs])
    value = (z[:, torch.tensor(twin, device=z.device)] + own * z) * spread
    value = torch.where(one_sided > 0, (value - 0.2).clamp(0), value)
    common, delicate = (z.new_tensor([table.get(name, 0.0) for name in names]) for table in (COMMON, DELICATE))
    value = value + common + delicate * (1 - masculine)[:, None]
    return torch.tanh(value / 0.75) * 0.75


def _spread(name: str) -> float:
    bare = name[2:] if name.startswith(("l-", "r-")) else name
    if bare in ("nose-trans", "mouth-trans", "head-angle", "nose-septumangle"):
        return 0.16
    return SPREAD[bare.split("-")[0]]
