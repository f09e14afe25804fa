"""Where a recogniser fails: one factor moved at a time, groups under one threshold, and attacks on the score.

    python benchmarks/factors.py                                all parts, about 35 minutes of one core
    python benchmarks/factors.py --only yaw worn                some of them; a part in the record is not made again
    python benchmarks/factors.py --people 20 --results t.json   a quick look at a twentieth of the people

*Factors.* Each of 200 people nobody trained on has two pictures of two different days, A for the gallery and B as the
probe: near frontal, soft light, nothing worn. B is then drawn again with one factor moved and everything else, down to
the grain of the sensor, as it was. So the same people are compared at every level, which makes differences between
levels far surer than the levels themselves. The threshold accepts 1 % of the pairs A of one person, B of another, and
stays. Intervals, 95 %: Wilson's for a share of people, and for false matches those of people drawn with replacement.

*Groups.* 1,000 other people with three everyday pictures each are parted by settings of the renderer. One threshold,
false matches within and across groups, false non-matches of each. The same for HOG, which nothing was taught, and for
small networks that were taught, for a short while, people of one third of the skin tones only.

*Attacks.* Pictures of pictures, morphs, and patterns of a few grey levels along the network's gradient.

These people do not exist, and a setting is no label of anybody: nothing here says how well a system works for real
people. Writes facelib/records/factors.json, which lesson 13 shows.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recognition.attacking import Pattern, middle, nudged, report, reprinted
from recognition.crowd import SEED, Crowd, rounded, share_of_pairs
from recognition.moving import FACTORS, NO, Factor, jpeg
from recognition.training import Training, embed, to_input, train

from facelib import Embedder, records
from facelib.backbones import load_network
from facelib.evaluate.ranking import wilson
from facelib.synth import Identities, People, Scene, load_dataset, sample_scene
from facelib.synth.dataset import EVERYBODY, VERSION
from facelib.synth.numbers import normals, uniforms
from facelib.synth.shots import take
from facelib.synth.traits import TRAITS, interpret

RESULTS = Path(records.__file__).parent / "factors.json"
WEIGHTS = Path(records.__file__).parent.parent / "weights" / "mobilefacenet-synth.safetensors"
HARDNESS = 0.3  # of the plain pictures: 0 is a passport photo, 1 everyday
AGE = 6  # column of a person's uniform numbers that makes the age, as age ** (1 / 1.3)


PARTS = (*FACTORS, "groups", "attacks", "cause")


class Bench:
    """People, their plain pictures, the network and its threshold."""

    def __init__(self, count: int) -> None:
        self.people, self.ids = People(EVERYBODY, SEED), np.arange(count)
        self.embed = Embedder.load("mobilefacenet-synth")

    def who(self, **traits: float) -> Identities:
        """The people; with another age or melanin, everything else about them the same."""
        if "age" not in traits:
            who = self.people.identities(self.ids)
            return replace(who, **{name: torch.full_like(getattr(who, name), x) for name, x in traits.items()})
        knobs = len(self.people.basis.knobs)
        rows = [np.concatenate([uniforms(SEED, k, TRAITS), normals(SEED, k, knobs, chapter=1)]) for k in self.ids]
        table = np.stack(rows).astype(np.float32)
        table[:, AGE] = traits["age"] ** (1 / 1.3)
        return interpret(self.people.basis, torch.from_numpy(table), torch.from_numpy(self.ids))

    def scene(self, who: Identities, day: int) -> Scene:
        """Plain scenes of one day; the same chance for the same day."""
        chance = torch.Generator().manual_seed(1000 * SEED + day)
        drawn = sample_scene(self.people.basis, who, chance, HARDNESS)
        return drawn.replace(glasses=NO, hat=0, occluder=0, monochrome=0)

    def shoot(self, who: Identities, day: int, **fixed: Any) -> np.ndarray:
        """uint8 (N, 112, 112, 3)."""
        return take(self.people, who, self.scene(who, day).replace(**fixed), 112, True, None, False).images

    @cached_property
    def plain(self) -> tuple[np.ndarray, np.ndarray]:
        """A and B."""
        return self.shoot(self.who(), 1), self.shoot(self.who(), 2)

    @cached_property
    def vectors(self) -> tuple[np.ndarray, np.ndarray]:
        return self.embed(self.plain[0]), self.embed(self.plain[1])

    @cached_property
    def threshold(self) -> float:
        """Accepts 1 % of the pairs of A of one person and B of another."""
        score = self.vectors[0] @ self.vectors[1].T
        return float(np.quantile(score[~np.eye(len(score), dtype=bool)], 0.99))

    def factor(self, factor: Factor) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        reference = None
        for level in factor.levels:
            a, b, shared = self.vectors[0], self.vectors[1], None
            if factor.scene is not None:
                b = self.embed(self.shoot(self.who(), 2, **factor.scene(level)))
                shared = self.embed(self.shoot(self.who(), 1, **factor.scene(level))) if factor.both else None
            elif factor.picture is not None:
                b = self.embed(np.stack([factor.picture(crop, level) for crop in self.plain[1]]))
            else:
                first = factor.levels[0] if factor.person == "age" else level  # A stays young, but has the tone of B
                a = self.embed(self.shoot(self.who(**{factor.person: first}), 1))
                b = self.embed(self.shoot(self.who(**{factor.person: level}), 2))
            genuine = (a * b).sum(1)
            reference = genuine if reference is None else reference
            row = {"level": level, **self.accepted(genuine), **self.change(genuine, reference)}
            row["false match, one moved"] = self.false_matches(a @ b.T)
            row["false match, both moved"] = self.false_matches(b @ b.T)
            if shared is not None:
                row["both"] = self.accepted((shared * b).sum(1))
            rows.append(row)
            print(factor.meaning, row, flush=True)
        return rows

    def accepted(self, genuine: np.ndarray) -> dict[str, Any]:
        """Cosine of genuine pairs, its mean and tenths, and how many are accepted."""
        share, half = float((genuine > self.threshold).mean()), 1.96 * genuine.std(ddof=1) / len(genuine) ** 0.5
        return {
            "cosine": rounded([genuine.mean() - half, genuine.mean(), genuine.mean() + half]),
            "tenths": rounded(np.quantile(genuine, (0.1, 0.9))),
            "accepted": int((genuine > self.threshold).sum()),
            "tar": rounded([wilson(share, len(genuine))[0], share, wilson(share, len(genuine))[1]]),
        }

    def change(self, genuine: np.ndarray, reference: np.ndarray) -> dict[str, Any]:
        """Against the same people at the reference level: mean difference, and who was lost and won."""
        difference = genuine - reference
        half = 1.96 * difference.std(ddof=1) / len(difference) ** 0.5
        before, after = reference > self.threshold, genuine > self.threshold
        return {
            "change": rounded([difference.mean() - half, difference.mean(), difference.mean() + half]),
            "lost": int((before & ~after).sum()), "won": int((~before & after).sum()),
        }  # fmt: skip

    def false_matches(self, score: np.ndarray) -> list[float]:
        """Low, share, high: pairs of different people above the threshold, people drawn with replacement."""
        return share_of_pairs((score > self.threshold).astype(np.float32), 1)


def attacks(bench: Bench) -> dict[str, Any]:
    """What the score says of pictures that nobody stands behind; B of the person is the picture that is shown."""
    (a, b), (ea, eb), t, embed = bench.plain, bench.vectors, bench.threshold, bench.embed
    random = np.random.default_rng(SEED)
    printed = embed(np.stack([reprinted(crop, random) for crop in b]))
    result: dict[str, Any] = {
        "plain": report((ea * eb).sum(1), t), "printed": report((ea * printed).sum(1), t),
        "printed, strangers": share_of_pairs((ea @ printed.T > t).astype(np.float32), 1),
    }  # fmt: skip
    likeness = ea @ ea.T - 2 * np.eye(len(ea))
    partners = {"a stranger": np.roll(np.arange(len(ea)), 1), "the most alike of all": likeness.argmax(1)}
    for name, partner in partners.items():
        who = bench.who()
        rendered = embed(bench.shoot(middle(who, who[torch.from_numpy(partner)]), 1))
        mixed = embed(((a.astype(np.uint16) + a[partner]) / 2).round().astype(np.uint8))
        for kind, morph in (("pixels", mixed), ("heads", rendered)):
            one, other = (morph * eb).sum(1), (morph * eb[partner]).sum(1)
            result[f"morph of {kind}, {name}"] = report(np.minimum(one, other), t)
        result[f"before, {name}"] = report((ea * eb[partner]).sum(1), t)
    result["patterns"] = patterns(bench)
    return result


def patterns(bench: Bench) -> list[dict[str, Any]]:
    """Dodging: B away from the own A. Impersonation: B towards another person's A, and what it does to that one's B."""
    (_, b), (ea, eb), t, embed = bench.plain, bench.vectors, bench.threshold, bench.embed
    other = np.roll(np.arange(len(b)), 1)
    move, rows = Pattern(load_network(WEIGHTS)[0]), []
    for aim, target, unseen in (("dodge", ea, None), ("impersonate", ea[other], eb[other])):
        for eps in (0, 1, 2, 4, 8):
            for how, steps in (("noise", 0), ("FGSM", 1), ("PGD", 10)):
                random = np.random.default_rng(SEED)
                if how == "noise":
                    signs = random.choice([-eps, eps], b.shape)
                    crops = (b.astype(int) + signs).clip(0, 255).astype(np.uint8)
                else:
                    crops = np.concatenate([
                        move(b[i : i + 50], target[i : i + 50], eps, steps, aim == "impersonate")
                        for i in range(0, len(b), 50)
                    ])  # fmt: skip
                row = {"aim": aim, "eps": eps, "how": how, **report((embed(crops) * target).sum(1), t)}
                if how == "PGD":
                    after = {f"JPEG {quality}": [jpeg(crop, quality) for crop in crops] for quality in (75, 30)}
                    after["aligned anew"] = [nudged(crop, random) for crop in crops]
                    row |= {name: report((embed(np.stack(x)) * target).sum(1), t) for name, x in after.items()}
                    if unseen is not None:
                        row["another picture"] = report((embed(crops) * unseen).sum(1), t)
                rows.append(row)
                print(row, flush=True)
    return rows


def groups(bench: Bench, crowd: Crowd) -> dict[str, Any]:
    """The network at two rates, HOG at one; and how the people it was taught were spread over the same settings."""
    vectors, known = bench.embed(crowd.images), People(EVERYBODY, 0).identities(range(1000))
    taught = {}
    for name, edges in crowd.edges.items():
        places = np.digitize(getattr(known, name).numpy(), edges)
        taught[name] = np.bincount(places, minlength=len(edges) + 1).tolist()
    return {
        "people": len(crowd.who), "pictures of each": crowd.SHOTS, "cells": list(crowd.cells), "taught": taught,
        "network": [crowd.judge(vectors, rate) for rate in (0.01, 0.001)],
        "HOG": crowd.judge(Embedder.load("hog")(crowd.images), 0.01, full=False),
    }  # fmt: skip


def cause(crowd: Crowd, seeds: Sequence[int], pictures: int) -> list[dict[str, Any]]:
    """Small networks, each taught 200 people of the lowest third of melanin, of the highest, or of all."""
    data = load_dataset("standard", "train")
    melanin = data.attributes["melanin"].reshape(1000, -1)[:, 0]
    order, rows, how = np.argsort(melanin), [], Training(pictures=pictures)
    diets = {"low": order[:333], "high": order[-333:], "all": np.arange(1000)}
    for seed in seeds:
        for name, pool in diets.items():
            chosen = np.random.default_rng(seed).choice(pool, 200, replace=False)
            where = np.concatenate([np.flatnonzero(data.labels == k)[:16] for k in chosen])
            net = train(to_input(data.images[where]), torch.arange(len(where)) // 16, how, seed, quiet=True)
            judged = crowd.judge(embed(net, to_input(crowd.images), how), 0.01, full=False)
            row = {"taught": name, "seed": seed, "shown": pictures, "all": judged["all"]}
            for third, errors in judged["groups"]["melanin"].items():
                row[third] = {kind: errors[kind] for kind in ("false match", "false non-match")}
            rows.append(row)
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--people", type=int, default=200, help="in the factors; five times as many in the groups")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="of the networks in cause")
    parser.add_argument("--pictures", type=int, default=16_000, help="shown to each network in cause")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where to write (default: %(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    bench, crowd = Bench(options.people), None
    record = json.loads(options.results.read_text()) if options.results.exists() else {}
    if record.get("people") not in (None, options.people):
        raise SystemExit(f"{options.results} is about {record['people']} people: pass --people or another --results")
    record |= {
        "renderer": VERSION, "torch": torch.__version__, "python": platform.python_version(),
        "embedder": bench.embed.name, "seed": SEED, "people": options.people, "rate": 0.01,
    }  # fmt: skip
    record.setdefault("factors", {})
    record.setdefault("seconds", {})
    for part in options.only:
        if part in record or part in record["factors"]:
            continue
        start = time.perf_counter()
        if part in FACTORS:
            record["threshold"] = round(bench.threshold, 5)
            record["factors"][part] = {"meaning": FACTORS[part].meaning, "levels": bench.factor(FACTORS[part])}
        elif part == "attacks":
            record[part] = attacks(bench)
        else:
            crowd = crowd or Crowd(bench.people, 5 * options.people)
            record[part] = groups(bench, crowd) if part == "groups" else cause(crowd, options.seeds, options.pictures)
        record["seconds"][part] = round(time.perf_counter() - start)
        options.results.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
