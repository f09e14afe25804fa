"""Every margin on the same problem: the same network, pictures, steps and seeds; only the head changes.

    python benchmarks/margins.py --lfw lfw_devtest         everything; about an hour and a half of one core
    python benchmarks/margins.py --only tries rules --rules NormFace ArcFace --seeds 0 1

Two hundred rendered people with sixteen pictures each train a small network, which is judged on people it has not seen:
100 of the test split, on easy and on hard pairs (shaved look-alikes), and on real pairs where ``--lfw`` names a folder
with LFW's ``pairsDevTest.txt`` and ``images/``. The parts of the study:

    tries   one seed of the rules at six settings each, judged on shaved people of the *validation* split
    rules   every rule at the setting that was best among its tries, several seeds
    scale   NormFace and ArcFace over s (the record has seeds 0 and 1 of this and of what follows)
    margin  CosFace and ArcFace over m
    break   what goes wrong: a large margin from the start, s too small, logits in bfloat16, SphereFace's m = 4, ...

Rules measure their margins in different units. Here each is set so that two classes whose centres stand at a right
angle have the same free arc between them (equation 6.8 of lesson 06): that arc, in radians, is the ``gap`` of a row.
ArcFace's m is the gap itself. In every rule the gap grows from 0 over the first 30 % of the training, unless a row
says otherwise. Softmax and NormFace have no margin; their six tries are six scales. The combined margin and ArcFace
with sub-centres have no tries of their own and take ArcFace's setting. Rows that are in the
results file are not repeated, so an interrupted study goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from recognition.judging import RealPairs, Unseen, area, area_of_all, pixels, resume
from recognition.training import Training, network, to_input, train
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

import facelib
from facelib import records
from facelib.heads import LinearClassifier, SubCenter
from facelib.margins import Margin, unified_cross_entropy
from facelib.synth import load_dataset, make_pairs
from facelib.synth.dataset import VERSION

RESULTS = Path(records.__file__).parent / "margins.json"  # lesson 07 shows it
BASE = Training(pictures=32_000, side=28, half=False, widths=(8, 16, 32, 64), augmentation="flip")
GAPS, SCALES, BARE = (0.2, 0.4), (8.0, 16.0, 32.0), (2.0, 4.0, 8.0, 12.0, 16.0, 32.0)
EDGES = np.arange(0, 181, 3)  # of the histograms, degrees
Make = Callable[[int, float, float], Margin]  # classes, s, gap


def cosine_margin(gap: float) -> float:
    """CosFace's m for a free arc in radians between centres at a right angle."""
    return math.sqrt(2) * math.sin(gap / 2)


def combined(s: float, gap: float) -> Margin:
    """Half of the gap from the angle, the rest from the cosine."""
    return facelib.Combined(s, 1, gap / 2, math.sqrt(0.5) - math.sin(math.pi / 4 - gap / 2))


RULES: dict[str, Make] = {
    "Softmax": lambda classes, s, gap: facelib.Softmax(s),
    "NormFace": lambda classes, s, gap: facelib.NormFace(s),
    "SphereFace": lambda classes, s, gap: facelib.SphereFace(s, (math.pi / 2 + gap) / (math.pi / 2 - gap)),
    "CosFace": lambda classes, s, gap: facelib.CosFace(s, cosine_margin(gap)),
    "ArcFace": lambda classes, s, gap: facelib.ArcFace(s, gap),
    "Combined": lambda classes, s, gap: combined(s, gap),
    # A state that follows the last 1 % of batches would not settle within 500 steps: 5 % here.
    "AdaFace": lambda classes, s, gap: facelib.AdaFace(s, cosine_margin(gap), momentum=0.05),
    # Lengths of this network's embeddings lie around sqrt(128) = 11.3; l_a and u_a are half and twice that.
    "MagFace": lambda classes, s, gap: facelib.MagFace(s, 0.7 * gap, 1.3 * gap, 5.7, 22.6),
    "CurricularFace": lambda classes, s, gap: facelib.CurricularFace(s, gap, momentum=0.05),
    "UniFace": lambda classes, s, gap: facelib.UniFace(classes, s, cosine_margin(gap)),
    "ArcFace, 3 sub-centres": lambda classes, s, gap: facelib.ArcFace(s, gap),
}
LIKE = {"Combined": "ArcFace", "ArcFace, 3 sub-centres": "ArcFace"}


class Case(NamedTuple):
    """One training: ``name`` is unique among the rows of its part."""

    part: str
    name: str
    rule: str
    s: float
    gap: float
    warm: bool = True
    half: bool = False
    make: Make | None = None


class Head(nn.Module):
    """Centres, margin and loss of a case; called as ``recognition.training.CosFaceHead`` is."""

    def __init__(self, classes: int, how: Training, case: Case) -> None:
        super().__init__()
        self.case, self.make = case, partial(case.make or RULES[case.rule], classes, case.s)
        kind = {"Softmax": LinearClassifier, "ArcFace, 3 sub-centres": SubCenter}.get(
            case.rule, facelib.CosineClassifier
        )
        self.centres, self.margin = kind(128, classes), self.make(case.gap)

    def forward(self, embedded: Tensor, labels: Tensor, done: float) -> Tensor:
        gap = self.case.gap * (min(1.0, done / 0.3) if self.case.warm else 1.0)
        margin = self.make(gap)
        if isinstance(self.margin, nn.Module):  # it carries a state: only its m moves
            self.margin.m, margin = margin.m, self.margin  # type: ignore[attr-defined]
        scores, norms = self.centres(embedded), torch.linalg.vector_norm(embedded, dim=1)
        if self.case.half:
            return bfloat16_loss(scores, labels, self.case.s, gap)
        logits = margin(scores, labels, norms)
        if isinstance(margin, facelib.UniFace):
            return unified_cross_entropy(logits, labels)
        loss = F.cross_entropy(logits, labels)
        return loss + 10 * margin.regulariser(norms) if isinstance(margin, facelib.MagFace) else loss


def bfloat16_loss(cosine: Tensor, labels: Tensor, s: float, m: float) -> Tensor:
    """ArcFace as a program might write it under autocast: cosines, angles, logits and loss in 16 bits."""
    cosine = cosine.bfloat16()
    own = cosine.gather(1, labels[:, None])
    return F.cross_entropy(s * cosine.scatter(1, labels[:, None], torch.cos(torch.acos(own) + m)), labels)


class Judges:
    """Unseen people and real pairs, with their pictures as the network takes them."""

    def __init__(self, lfw: Path | None) -> None:
        self.unseen, self.real = Unseen(), RealPairs(lfw) if lfw else None
        self.validation = load_dataset("mini", "validation", hide_hair=True)
        self.pairs = make_pairs(self.validation, per_fold=200, hard=True)
        self.inputs: dict[int, Tensor] = {}

    def vectors(self, net: nn.Module, images: np.ndarray) -> Tensor:
        """(N, 128) as they are, not of length 1; each picture and its mirror image are summed."""
        if id(images) not in self.inputs:
            self.inputs[id(images)] = to_input(images, BASE.side)
        with torch.inference_mode():
            return torch.cat([net(part) + net(part.flip(3)) for part in self.inputs[id(images)].split(256)])

    def validate(self, net: nn.Module) -> dict[str, float]:
        """Area under the curve, in percent, of hard pairs of the validation people."""
        unit = F.normalize(self.vectors(net, self.validation.images)).numpy()
        score = (unit[self.pairs.a] * unit[self.pairs.b]).sum(1)
        return {"validation area": round(100 * area(score, self.pairs.same), 2)}

    def test(self, net: nn.Module, histogram: bool) -> dict[str, Any]:
        """Figures in percent, angles in degrees."""

        def unit(images: np.ndarray) -> np.ndarray:
            return F.normalize(self.vectors(net, images)).numpy()

        row: dict[str, Any] = self.figures(unit)
        data, pairs = self.unseen.hard, self.unseen.pairs[1]
        raw = self.vectors(net, data.images)
        distance = (raw[pairs.a] - raw[pairs.b]).norm(dim=1).numpy()
        row["hard area, distance"] = round(100 * area(-distance, pairs.same), 2)
        above = np.triu_indices(len(data), 1)
        angles = np.degrees(np.arccos((unit(data.images) @ unit(data.images).T)[above].clip(-1, 1)))
        same = (data.labels[:, None] == data.labels[None])[above]
        row["hard area of all pairs, distance"] = round(100 * area(-torch.cdist(raw, raw).numpy()[above], same), 2)
        for name, some in (("genuine", angles[same]), ("impostor", angles[~same])):
            row[f"{name} angle"] = round(float(some.mean()), 2)
            if histogram:
                row[f"{name} histogram"] = np.histogram(some, EDGES)[0].tolist()
        return row

    def yaw_alone(self) -> float:
        """Area of a score that sees no face: how different the two heads are turned. Hard same pairs differ most."""
        pairs, yaw = self.unseen.pairs[1], self.unseen.hard.attributes["yaw"]
        return round(100 * area(np.abs(yaw[pairs.a] - yaw[pairs.b]), pairs.same), 2)

    def figures(self, unit: Callable[[np.ndarray], np.ndarray]) -> dict[str, float]:
        """Accuracy and areas in percent, of anything that makes unit vectors of crops."""
        hard, pairs = unit(self.unseen.hard.images), self.unseen.pairs[1]
        return {
            **self.unseen.judge(unit),
            "hard area": round(100 * area((hard[pairs.a] * hard[pairs.b]).sum(1), pairs.same), 2),
            "hard area of all pairs": round(100 * area_of_all(hard, self.unseen.hard.labels), 2),
            **(self.real.judge(unit(self.real.crops)) if self.real else {}),
        }


def tries(rule: str) -> list[Case]:
    """Six settings of a rule; none of one that takes another's."""
    if rule in LIKE:
        return []
    if rule in ("Softmax", "NormFace"):
        settings = [(s / 4 if rule == "Softmax" else s, 0.0) for s in BARE]  # the lengths of its weights add to s
    else:
        settings = [(s, gap) for s in SCALES for gap in GAPS]
    return [Case("tries", f"{rule}, s = {s:g}, gap = {gap:g}", rule, s, gap) for s, gap in settings]


def chosen(rule: str, rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The row of the best of a rule's tries, or None while some are missing."""
    rule = LIKE.get(rule, rule)
    found = [row for row in rows if row["part"] == "tries" and row["rule"] == rule]
    return max(found, key=lambda row: row["validation area"]) if len(found) == len(tries(rule)) else None


def sweeps() -> Iterator[Case]:
    """Parts ``scale``, ``margin`` and ``break``; s = 16 and a gap of 0.4 unless varied."""
    for s in (2.0, 4.0, 8.0, 16.0, 32.0, 64.0):
        yield Case("scale", f"NormFace, s = {s:g}", "NormFace", s, 0)
        yield Case("scale", f"ArcFace, s = {s:g}", "ArcFace", s, 0.4)
    for rule, gaps in (("CosFace", (0.2, 0.4, 0.8, 1.2)), ("ArcFace", (0.2, 0.8, 1.2))):
        for gap in gaps:  # a gap of 0, and ArcFace's 0.4, are in ``scale``
            yield Case("margin", f"{rule}, gap = {gap:g}", rule, 16, gap)
    for gap in (0.8, 1.2):
        yield Case("break", f"ArcFace, gap = {gap:g} from the start", "ArcFace", 16, gap, warm=False)
    yield Case("break", "ArcFace, s = 64, all in bfloat16", "ArcFace", 64, 0.4, half=True)
    yield Case("break", "ArcFace, detached gradient", "ArcFace", 16, 0.4, make=detached)
    yield Case("break", "SphereFace, m = 4", "SphereFace", 16, 0, make=fourfold)


def detached(classes: int, s: float, gap: float) -> Margin:
    return facelib.ArcFace(s, gap, gradient="detached")


def fourfold(classes: int, s: float, gap: float) -> Margin:
    return facelib.SphereFace(s, 4)


def cases(part: str, rules: list[str], rows: list[dict[str, Any]]) -> Iterator[Case]:
    """What belongs to a part of the study."""
    for rule in rules:
        if part == "tries":
            yield from tries(rule)
        elif part == "rules":
            best = chosen(rule, rows)
            if best is None:
                raise SystemExit(f"{rule} has no setting yet: run --only tries --rules {rule!r} first")
            yield Case("rules", rule, rule, best["s"], best["gap"])
    yield from (case for case in sweeps() if case.part == part and case.rule in rules)


def run(case: Case, seed: int, x: Tensor, labels: Tensor, judges: Judges, how: Training) -> dict[str, Any]:
    """Train one network and judge it."""
    net = train(x, labels, how, seed, True, partial(Head, case=case))
    row = {"part": case.part, "name": case.name, "rule": case.rule, "s": case.s, "gap": case.gap, "seed": seed}
    if case.part == "tries":
        return row | judges.validate(net)
    return row | judges.test(net, histogram=case.part == "rules" and seed == 0)


def settings(how: Training, judges: Judges) -> dict[str, Any]:
    """What all rows have in common."""
    return {
        "people": 200, "pictures of each": 16, "shown": how.pictures, "side": how.side, "renderer": VERSION,
        "weights": sum(p.numel() for p in network(how.widths, how.side).parameters()), "edges": EDGES.tolist(),
        "torch": torch.__version__, "python": platform.python_version(), "floor": judges.figures(pixels),
        "yaw alone": judges.yaw_alone(),
    }  # fmt: skip


def write(path: Path, record: dict[str, Any]) -> None:
    """One line a row: histograms would take pages otherwise."""
    rows = ",\n".join("  " + json.dumps(row) for row in record["rows"])
    rest = json.dumps({key: value for key, value in record.items() if key != "rows"})
    path.write_text(f'{{"rows": [\n{rows}\n ],\n {rest[1:]}\n', encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lfw", type=Path, help="folder with pairsDevTest.txt and images/")
    parts = ("tries", "rules", "scale", "margin", "break")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, metavar="PART", help=", ".join(parts))
    parser.add_argument("--rules", nargs="+", choices=RULES, default=list(RULES), metavar="RULE", help=", ".join(RULES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="default: 0 1 2 3 4; tries: 0")
    parser.add_argument("--pictures", type=int, default=BASE.pictures, help="shown to a network (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads; results do not depend on them much")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where to write (default: %(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    judges, how, data = Judges(options.lfw), BASE.but(pictures=options.pictures), load_dataset("mini")
    x, labels = to_input(data.images, how.side), torch.from_numpy(data.labels)
    record = resume(options.results)
    record |= settings(how, judges)
    for part in options.only:
        done = {(row["part"], row["name"], row["seed"]) for row in record["rows"]}
        seeds = [0] if part == "tries" else options.seeds
        left = [(case, seed) for seed in seeds for case in cases(part, options.rules, record["rows"])]
        for case, seed in tqdm([one for one in left if (part, one[0].name, one[1]) not in done], desc=part):
            record["rows"].append(run(case, seed, x, labels, judges, how))
            write(options.results, record)


if __name__ == "__main__":
    main()
