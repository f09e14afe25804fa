"""A made-up folder in the layout of IJB-C: two galleries of twenty people, six probes of each, three pictures a one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from facelib.alignment import TEMPLATE_112
from facelib.folders.files import encode

PEOPLE, PROBES, SHOTS, SIDE = 40, 6, 3, 40
TEMPLATES = PEOPLE * (1 + PROBES)


def picture(row: int) -> np.ndarray:
    """A pattern that is its person's, with noise."""
    person = row // SHOTS % PEOPLE
    base = np.random.default_rng(1000 + person).normal(0, 30, (5, 5, 3))
    coarse = base + np.random.default_rng(5000 + row).normal(0, 52, base.shape)
    large = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return np.rint(large + 128).clip(0, 255).astype(np.uint8)


def landmarks(row: int) -> np.ndarray:
    """The template in this picture, a little moved and turned."""
    chance = np.random.default_rng(9000 + row)
    angle, scale = chance.normal(0, 0.05), 0.25 * chance.uniform(0.95, 1.05)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (TEMPLATE_112 - 56) @ turn.T + SIDE / 2 + chance.normal(0, 0.5, 2)


def write_ijb(folder: Path) -> Path:
    """Template t shows person t % 40; the first 40 are the galleries, the others probes. Two pictures are a video."""
    chance = np.random.default_rng(0)
    meta, crops = folder / "meta", folder / "loose_crop"
    for each in (meta, crops):
        each.mkdir(parents=True)
    media, points = [], []
    for row in range(TEMPLATES * SHOTS):
        (crops / f"{row}.png").write_bytes(encode(picture(row), ".png"))
        template = row // SHOTS
        media.append(f"{row}.png {template + 1} {10 * template + row % SHOTS // 2}\n")
        numbers = " ".join(f"{value:.3f}" for value in landmarks(row).ravel())
        points.append(f"{row}.png {numbers} {chance.uniform(0.2, 1):.4f}\n")
    (meta / "ijbc_face_tid_mid.txt").write_text("".join(media))
    (meta / "ijbc_name_5pts_score.txt").write_text("".join(points))
    first, second = chance.integers(0, TEMPLATES, (2, 1800))
    same = np.arange(1800) % 6 == 0
    second[same] = (first[same] + PEOPLE) % TEMPLATES
    second = np.where(~same & (first % PEOPLE == second % PEOPLE), (second + 1) % TEMPLATES, second)
    pairs = (f"{a + 1} {b + 1} {int(kind)}\n" for a, b, kind in zip(first, second, same, strict=True))
    (meta / "ijbc_template_pair_label.txt").write_text("".join(pairs))
    for name, templates in (("gallery_G1", range(20)), ("gallery_G2", range(20, 40)),
                            ("probe_mixed", range(PEOPLE, TEMPLATES))):  # fmt: skip
        lines = [f"{template + 1},{template % PEOPLE},x\n" for template in templates]
        (meta / f"ijbc_1N_{name}.csv").write_text("TEMPLATE_ID,SUBJECT_ID,FILENAME\n" + "".join(lines))
    return folder
