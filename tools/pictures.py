"""Make the pictures of images/ that come out of the library: python tools/pictures.py"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from facelib import MTCNN, align, samples
from facelib.draw import draw_faces
from facelib.synth import People
from facelib.synth.export import contact_sheet

IMAGES = Path(__file__).resolve().parent.parent / "images"


def group_aligned() -> Image.Image:
    """The rendered group with its detections, and below it every face aligned: 1280 x 840."""
    group = samples.group()
    faces = MTCNN().detect(group)
    faces = faces[faces.boxes[:, 0].argsort()]  # from left to right
    crops = align(group, faces.landmarks, 112)
    side = group.shape[1] // len(crops)
    strip = np.zeros((side, group.shape[1], 3), np.uint8)
    for i, crop in enumerate(crops):
        strip[:, i * side : (i + 1) * side] = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    return Image.fromarray(np.concatenate([draw_faces(group, faces), strip]))


def people_before_after() -> Image.Image:
    """An early renderer's people (the left half of the picture there is) beside today's: six, four pictures each."""
    side, people, shots, gap = 160, 6, 4, 16
    with Image.open(IMAGES / "people_before_after.jpg") as stored:
        before = np.asarray(stored.convert("RGB"))[:, : shots * side]
    ids = [k for k in range(people) for _ in range(shots)]
    crops = People(people, seed=4).render(ids, torch.Generator().manual_seed(1), size=side).images
    grid = crops.reshape(people, shots, side, side, 3).transpose(0, 2, 1, 3, 4)
    after = grid.reshape(people * side, shots * side, 3)
    return Image.fromarray(np.concatenate([before, np.full((len(after), gap, 3), 255, np.uint8), after], 1))


if __name__ == "__main__":
    group_aligned().save(IMAGES / "group_aligned.jpg", quality=88)
    people_before_after().save(IMAGES / "people_before_after.jpg", quality=85)
    Image.fromarray(contact_sheet(people=20, shots=8)).save(IMAGES / "people.jpg", quality=85)
    print("wrote group_aligned.jpg, people_before_after.jpg and people.jpg in images/")
