"""Make the pictures of images/ that come out of the library: python tools/pictures.py"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from facelib import MTCNN, align, samples
from facelib.draw import draw_faces
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


if __name__ == "__main__":
    group_aligned().save(IMAGES / "group_aligned.jpg", quality=88)
    Image.fromarray(contact_sheet(people=20, shots=8)).save(IMAGES / "people.jpg", quality=85)
    print("wrote images/group_aligned.jpg and images/people.jpg")
