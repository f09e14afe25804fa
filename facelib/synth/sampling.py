"""Draw scenes: what everyday pictures of people look like, as distributions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..errors import FaceLibError
from .backdrop import LEAVES, LIGHTS
from .basis import Basis
from .expression import HOW_OFTEN, sample_expression
from .lamps import sample_light
from .scene import FACE_MASK, GLASSES, NO_GLASSES, NO_OCCLUDER, OBJECT, SUNGLASSES, Scene
from .traits import BUZZ, LONG, MEDIUM, SHORT, Identities

WALLS = ((0.62, 0.58, 0.52), (0.50, 0.50, 0.50), (0.28, 0.28, 0.29), (0.07, 0.07, 0.08), (0.42, 0.35, 0.27),
         (0.10, 0.14, 0.22), (0.025, 0.035, 0.06), (0.16, 0.09, 0.05), (0.24, 0.07, 0.06), (0.44, 0.54, 0.66),
         (0.012, 0.012, 0.014), (0.12, 0.20, 0.16), (0.25, 0.22, 0.18))  # fmt: skip
LEAF = (0.13, 0.19, 0.06)
"""Linear RGB of what people stand before."""
OUTFITS = (0.48, 0.22, 0.12, 0.18)  # how often a pullover, a shirt, a suit, a suit with a tie
DEGREE = math.pi / 180


def sample_scene(
    basis: Basis,
    people: Identities,
    generator: torch.Generator,
    hardness: float = 1.0,
    max_yaw: float = 60 * DEGREE,
    max_pitch: float = 25 * DEGREE,
) -> Scene:
    """Draw a scene for each of N people.

    Parameters
    ----------
    generator : torch.Generator
        The only source of chance; its device is where the numbers are drawn. One on the CPU gives the same scenes
        whatever device renders them.
    hardness : float
        0 is a passport photo, 1 everyday pictures; scales poses, moods, light, blur, noise and how often glasses,
        hats and occluders come.
    max_yaw, max_pitch : float
        In radians.

    Raises
    ------
    FaceLibError
        A generator of another kind; a hardness that is negative or not finite.
    """
    if not isinstance(generator, torch.Generator):
        raise FaceLibError(f"generator must be a torch.Generator().manual_seed(...), not {generator!r}")
    if not 0 <= hardness < math.inf:
        raise FaceLibError(f"hardness must be a finite number from 0 on, not {hardness}; 1 is everyday pictures")
    draw = Chance(len(people), generator, hardness)
    values = {
        **_pose(draw, max_yaw, max_pitch),
        **_mood(draw, basis),
        **sample_light(draw),
        **_hair(draw, people),
        **_worn(draw),
        **_place(draw),
        **_camera(draw),
    }
    return Scene(**values).to(people.head.device)


class Chance:
    """N draws at a time from one generator."""

    def __init__(self, n: int, generator: torch.Generator, hardness: float) -> None:
        self.n, self.generator, self.hardness, self.device = n, generator, hardness, generator.device
        self.zero = torch.zeros(n, device=self.device)

    def uniform(self, *shape: int) -> Tensor:
        """(N, *shape) in 0..1."""
        return torch.rand(self.n, *shape, generator=self.generator, device=self.device)

    def normal(self, *shape: int) -> Tensor:
        """(N, *shape) from N(0, 1)."""
        return torch.randn(self.n, *shape, generator=self.generator, device=self.device)

    def integer(self, low: int, high: int, *shape: int) -> Tensor:
        """(N, *shape) from low to high - 1."""
        return torch.randint(low, high, (self.n, *shape), generator=self.generator, device=self.device)

    def whether(self, probability: float) -> Tensor:
        """bool (N,)."""
        return self.uniform() < probability

    def dye(self, strength: float, depth: float, saturation: float) -> Tensor:
        """Colour (N, 3) of something that is dyed or painted."""
        raw, share = torch.exp(-depth * self.uniform(3)) * strength, saturation * self.uniform(1)
        return raw * share + raw.mean(1, keepdim=True) * (1 - share)


def _pose(draw: Chance, max_yaw: float, max_pitch: float) -> dict[str, Tensor]:
    yaw = (draw.normal() * 24 * draw.hardness * DEGREE).clamp(-max_yaw, max_yaw)
    pitch = (draw.normal() * 9 * draw.hardness * DEGREE).clamp(-max_pitch, max_pitch)
    # Eyes stay with the camera where the head turns away, half of the time half of the way.
    right = -0.5 * yaw * draw.uniform() + 0.07 * draw.normal()
    up = -0.4 * pitch * draw.uniform() + 0.05 * draw.normal()
    return {
        "yaw": yaw,
        "pitch": pitch,
        "roll": (draw.normal() * 6 * draw.hardness * DEGREE).clamp(-0.3, 0.3),
        "body_turn": draw.uniform(),
        "gaze": torch.stack([right, up], 1).clamp(-0.35, 0.35),
        "distance": 8 + 22 * draw.uniform() ** 1.5,
        "face_size": 0.45 + 0.35 * draw.uniform(),
        "centre": 0.5 + 0.06 * draw.normal(2).clamp(-1.5, 1.5),
        "landmark_error": draw.normal(5, 2),
    }


def _mood(draw: Chance, basis: Basis) -> dict[str, Tensor]:
    often = torch.tensor(HOW_OFTEN, device=draw.device)
    mood = torch.multinomial(often, draw.n, replacement=True, generator=draw.generator)
    strength = min(1.0, 0.5 + 0.5 * draw.hardness)
    return {
        "mood": mood,
        "expression": sample_expression(basis.expression_names, mood, draw.uniform, strength),
        "flush": 0.12 * draw.normal(),
        "gloss": 0.30 + 0.6 * draw.uniform(),
    }


def _hair(draw: Chance, people: Identities) -> dict[str, Tensor]:
    """The person's own hair, combed differently, now and then another cut or tied back; beard and lipstick."""
    names = ("length", "masculine", "hairline", "recession", "volume", "parting", "fringe", "hair", "makeup", "drape")
    own = {name: getattr(people, name).to(draw.device) for name in names}
    other = draw.integer(SHORT, LONG + 1)
    other = torch.where(own["masculine"] > 0.5, other.clamp(max=MEDIUM), other)
    recut = draw.whether(0.12 * draw.hardness) & (own["length"] > BUZZ)
    tied = draw.whether(0.22 * draw.hardness) & (own["length"] >= MEDIUM)
    length = torch.where(tied, SHORT, torch.where(recut, other, own["length"]))
    volume = torch.where(tied, 0.35, 1.0) * own["volume"]
    combed = torch.where(draw.whether(0.4), 0.08 + 0.2 * draw.uniform(), draw.zero)
    colours = [-1.1 - 0.6 * draw.uniform(), -2.5 - 0.8 * draw.uniform(), -2.3 - 0.8 * draw.uniform()]
    return {
        "hair_length": length,
        "hairline": own["hairline"] + 0.012 * draw.normal(),
        "recession": own["recession"],
        "volume": (volume * torch.exp(0.2 * draw.normal())).clamp(0.03, 0.4),
        "parting": own["parting"] + 0.12 * draw.normal(),
        "fringe": torch.where(draw.whether(0.85), own["fringe"], combed),
        "drape": own["drape"] + 4 * draw.normal(),
        "hair_colour": own["hair"] * torch.exp(0.10 * draw.normal(1)),
        "tousle": draw.uniform(3),
        "beardiness": (1 + 0.25 * draw.normal()).clamp(0.3, 1.4) * torch.where(draw.whether(0.12), 0.25, 1.0),
        "lipstick": own["makeup"] * draw.whether(0.6) * draw.uniform(),
        "lipstick_colour": torch.exp(torch.stack(colours, 1)),
    }


def _worn(draw: Chance) -> dict[str, Tensor]:
    """Glasses, hats, clothes, and what hides part of the face."""
    kind = torch.where(draw.whether(0.2), SUNGLASSES, GLASSES)
    often = torch.tensor(OUTFITS, device=draw.device)
    hiding = torch.where(draw.whether(0.3), FACE_MASK, OBJECT)
    return {
        "glasses": torch.where(draw.whether(0.16 * draw.hardness), kind, NO_GLASSES),
        "frame": draw.uniform(4),
        "frame_colour": torch.exp(-4.5 * draw.uniform(1)) * 0.5 * (0.75 + 0.25 * draw.uniform(3)),
        "hat": draw.whether(0.05 * draw.hardness).long(),
        "hat_colour": draw.dye(0.5, 3, 0.5),
        "occluder": torch.where(draw.whether(0.05 * draw.hardness), hiding, NO_OCCLUDER),
        "occluder_shape": draw.uniform(6),
        "occluder_colour": draw.dye(0.7, 3, 0.6),
        "cloth": draw.dye(0.7, 3, 0.55),
        "neckline": 5.84 + 0.08 * draw.normal(),
        "collar": draw.uniform(),
        "outfit": torch.multinomial(often, draw.n, replacement=True, generator=draw.generator),
        "stripes": torch.where(draw.whether(0.2), 8 + 22 * draw.uniform(), draw.zero),
    }


def _place(draw: Chance) -> dict[str, Tensor]:
    paint = torch.tensor(WALLS, device=draw.device)[draw.integer(0, len(WALLS))]
    mix = draw.uniform(4)
    leafy = (mix[:, 0] >= LEAVES) & (mix[:, 0] < LIGHTS)
    green = torch.tensor(LEAF, device=draw.device) * torch.exp(0.3 * draw.normal(3))
    return {
        "backdrop": torch.where(
            leafy[:, None], green, paint * torch.exp(0.35 * draw.normal(1) + 0.12 * draw.normal(3))
        ),
        "backdrop_coarse": draw.normal(3, 3, 3),
        "backdrop_fine": draw.normal(3, 9, 9),
        "backdrop_boxes": draw.uniform(8, 8),
        "backdrop_mix": mix,
    }


def _camera(draw: Chance) -> dict[str, Tensor]:
    hard = draw.hardness
    poor = 40 + 57 * draw.uniform()
    warmth = torch.tensor([0.06, 0.0, -0.09], device=draw.device)  # white balance errs between blue and amber
    return {
        "exposure": torch.exp(0.22 * hard * draw.normal()),
        "white": torch.exp(hard * (warmth * draw.normal(1) + 0.02 * draw.normal(3))),
        "contrast": (0.30 + 0.13 * hard * draw.normal()).clamp(-0.1, 0.48),
        "saturation": (0.90 + 0.14 * hard * draw.normal()).clamp(0.5, 1.5),
        "vignette": 0.35 * hard * draw.uniform() ** 2,
        "blur": draw.uniform() ** 2 * 1.2 * hard,
        "motion": draw.normal(2) * (draw.whether(0.1) * hard)[:, None],
        "detail": torch.where(draw.whether(0.15 * hard), 0.35 + 0.5 * draw.uniform(), 1.0),
        "noise": draw.uniform() ** 2 * 0.035 * hard,
        "quality": torch.where(draw.whether(0.5), poor, 75 + 23 * draw.uniform()),
        "monochrome": draw.whether(0.04 * hard).long(),
        "grain": draw.uniform(2),
    }
