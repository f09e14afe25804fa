"""What carries over from synthetic people to photographs: one change at a time, the same budget, several seeds.

    python benchmarks/transfer.py --lfw lfw_devtest        all changes, two seeds each
    python benchmarks/transfer.py --lfw lfw_devtest --only base "hair hidden" --seeds 0 1 2

Two hundred people with sixteen pictures each are drawn once for every change of the pictures, always the same people in
the same scenes but for that change. A small network is trained on them and judged on 100 synthetic people it has not
seen, on easy and on hard pairs that are drawn without the change, and on real pairs where ``--lfw`` names a folder with
LFW's ``pairsDevTest.txt`` and ``images/``, found and aligned by facelib. Runs that are in the results file are not
repeated, so an interrupted study goes on where it stopped. Each row says by which rule its hard pairs were drawn:
compare it with a base of the same rule. Accuracy is that of the ten-fold protocol; the area under the curve counts all
pairs of all faces and moves less by chance.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from recognition.judging import RealPairs, Unseen, pixels
from recognition.training import Training, embed, to_input, train
from tqdm import tqdm

from facelib import records
from facelib.synth import People
from facelib.synth.dataset import VERSION
from facelib.synth.pairs import RULE
from facelib.synth.sampling import sample_scene
from facelib.synth.scene import Scene
from facelib.synth.shots import take
from facelib.synth.traits import Identities

RESULTS = Path(records.__file__).parent / "transfer.json"  # lesson 08 shows it
PEOPLE, SHOTS, BASE = 200, 16, Training()
Embedding = Callable[[np.ndarray], np.ndarray]
Change = Callable[[Identities, Scene], tuple[Identities, Scene]]


class Variant(NamedTuple):
    """One change: of the pictures, or of the training."""

    meaning: str
    pictures: Change | None = None
    training: dict[str, Any] = {}


def scene(**values: Any) -> Change:
    """A change that sets values of the scene, the same in every picture."""
    return lambda who, where: (who, where.replace(**values))


def person(*names: str) -> Change:
    """A change that gives everybody the first person's value of these traits."""

    def change(who: Identities, where: Scene) -> tuple[Identities, Scene]:
        same = {name: getattr(who, name)[:1].expand_as(getattr(who, name)).contiguous() for name in names}
        return type(who)(**{**vars(who), **same}), where

    return change


def without(*names: str) -> Change:
    """A change that sets these traits of everybody to zero."""

    def change(who: Identities, where: Scene) -> tuple[Identities, Scene]:
        return type(who)(**{**vars(who), **{name: torch.zeros_like(getattr(who, name)) for name in names}}), where

    return change


def restyled(who: Identities, where: Scene) -> tuple[Identities, Scene]:
    """Another stranger's hair, hair colour and beard in every picture: styling says nothing about the person."""
    strangers, chance = People(1_000_000, seed=1), torch.Generator().manual_seed(int(who.number[0]))
    others = strangers.identities(torch.randint(0, len(strangers), (len(who),), generator=chance))
    style = sample_scene(strangers.basis, others, chance)
    hair = ("hair_length", "hairline", "recession", "volume", "parting", "fringe", "hair_colour", "drape", "beardiness")
    grown = {name: getattr(others, name) for name in ("curl", "beard", "beard_style", "stubble")}
    return type(who)(**{**vars(who), **grown}), where.replace(**{name: getattr(style, name) for name in hair})


def posed(turn: float, mood: float) -> Change:
    """Turns and nods, and expressions, larger or smaller by these factors."""

    def change(who: Identities, where: Scene) -> tuple[Identities, Scene]:
        return who, where.replace(
            yaw=(where.yaw * turn).clamp(-1.2, 1.2),
            pitch=(where.pitch * turn).clamp(-0.5, 0.5),
            expression=(where.expression * mood).clamp(0, 1),
        )

    return change


FRONT = torch.tensor([[0.3, 0.4, 0.87], [-0.6, 0.1, 0.8], [0.0, 0.3, -0.95]])
LAMPS = torch.tensor([0.8, 0.2, 0.0])[:, None].expand(3, 3)
VARIANTS = {
    "base": Variant("everything as it is drawn by default"),
    "grey pictures": Variant("trained and judged without colour", training={"colour": False}),
    "no augmentation": Variant("pictures are shown as they are", training={"augmentation": "none"}),
    "mirrored only": Variant("the only augmentation is the mirror", training={"augmentation": "flip"}),
    "strong augmentation": Variant("a camera's faults are added to every picture", training={"augmentation": "strong"}),
    "28 pixels": Variant("half the resolution", training={"side": 28}),
    "softmax": Variant("no margin", training={"margin": 0.0}),
    "even skin": Variant(
        "no blotches, freckles, moles, wrinkles, shadows under the eyes",
        without("blotchiness", "freckles", "marks", "wrinkles", "eye_shadow"),
    ),
    "no age detail": Variant("no wrinkles, no shadows under the eyes", without("wrinkles", "eye_shadow")),
    "one brow and iris": Variant("everybody has the same brows and irises", person("brow", "brow_colour", "iris")),
    "one light": Variant(
        "the same soft light from the front in every picture",
        scene(light_direction=FRONT, light_colour=LAMPS, ambient=0.5, ground=0.6, shadow=0.5, backdrop_light=0.8),
    ),
    "one exposure": Variant(
        "one exposure, white balance, tone curve and saturation",
        scene(exposure=1.0, white=1.0, contrast=0.3, saturation=0.9, vignette=0.0, monochrome=0),
    ),
    "clean file": Variant(
        "no blur, noise, low resolution or compression",
        scene(blur=0.0, motion=0.0, detail=1.0, noise=0.0, quality=98.0),
    ),
    "no expression": Variant("neutral faces", scene(expression=0.0, mood=0)),
    "frontal": Variant("a third of the turn and nod", posed(1 / 3, 1)),
    "grey wall": Variant("one flat background", scene(backdrop=0.4, backdrop_coarse=0.0, backdrop_fine=0.0,
                                                       backdrop_boxes=0.0, backdrop_mix=0.0)),
    "exact landmarks": Variant("crops as if the detector never erred", scene(landmark_error=0.0)),
    "nothing worn": Variant("no glasses, hats or occluders", scene(glasses=0, hat=0, occluder=0)),
    "hair hidden": Variant("all heads shaved, beards alike", scene(hair_length=0, hat=0, beardiness=0.3)),
    "hair of a stranger": Variant("other hair and beard in every picture", restyled),
    "livelier": Variant("turns, nods and expressions half as large again", posed(1.5, 1.5)),
}  # fmt: skip


@lru_cache(maxsize=1)  # changes of the training stand next to each other and share their pictures
def draw(change: Change | None) -> np.ndarray:
    """uint8 (PEOPLE * SHOTS, 112, 112, 3), person after person."""
    people, parts = People(PEOPLE, seed=0), []
    for start in tqdm(range(0, PEOPLE, 4), unit="4 people"):
        who = people.identities(np.repeat(np.arange(start, start + 4), SHOTS))
        where = sample_scene(people.basis, who, torch.Generator().manual_seed(start))
        if change is not None:
            who, where = change(who, where)
        parts.append(take(people, who, where, 112, True, None, False).images)
    return np.concatenate(parts)


def run(images: np.ndarray, how: Training, seed: int, real: RealPairs | None, unseen: Unseen) -> dict[str, float]:
    """Train one network and judge it."""
    labels = torch.arange(len(images)) // SHOTS
    net = train(to_input(images, how.side), labels, how, seed)

    def vectors(pictures: np.ndarray) -> np.ndarray:
        return embed(net, to_input(pictures, how.side), how)

    return judge(vectors, real, unseen)


def judge(vectors: Embedding, real: RealPairs | None, unseen: Unseen) -> dict[str, float]:
    """Figures in percent."""
    return {**(real.judge(vectors(real.crops)) if real else {}), **unseen.judge(vectors)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lfw", type=Path, help="folder with pairsDevTest.txt and images/")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=VARIANTS,
        default=list(VARIANTS),
        metavar="CHANGE",
        help="some of the changes: " + ", ".join(VARIANTS),
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="one network for each (default: 0 1)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads; results do not depend on them much")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where to write (default: %(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    real, unseen = RealPairs(options.lfw) if options.lfw else None, Unseen()
    record = json.loads(options.results.read_text()) if options.results.exists() else {"rows": []}
    record |= {
        "people": PEOPLE, "pictures of each": SHOTS, "shown": BASE.pictures, "renderer": VERSION,
        "floor": judge(pixels, real, unseen),
    }  # fmt: skip
    done = {(row["change"], row["seed"]) for row in record["rows"] if row["rule of hard pairs"] == RULE}
    for name in options.only:
        seeds = [seed for seed in options.seeds if (name, seed) not in done]
        images = draw(VARIANTS[name].pictures) if seeds else None
        for seed in seeds:
            result = run(images, BASE.but(**VARIANTS[name].training), seed, real, unseen)
            record["rows"].append({"change": name, "seed": seed, "rule of hard pairs": RULE, **result})
            ran = {row["change"] for row in record["rows"]}
            record["changes"] = {name: variant.meaning for name, variant in VARIANTS.items() if name in ran}
            options.results.write_text(json.dumps(record, indent=1) + "\n")
            print(record["rows"][-1], flush=True)


if __name__ == "__main__":
    main()
