"""Detection, alignment and embedding together, on photographs of real people where a checkout has them.

The photographs are not part of the project. The rendered pairs are, and are tested without them.
"""

import numpy as np
import pytest

from facelib import MTCNN, Embedder, align, load_image, samples
from facelib.data import read_lfw_pairs
from facelib.preprocess import IMAGENET
from tests.conftest import REAL

needs_photographs = pytest.mark.skipif(
    not (REAL / "lfw_devtest").exists(), reason="photographs of real people are not in this checkout"
)


def aligned(mtcnn: MTCNN, images: list[np.ndarray]) -> np.ndarray:
    """One crop a picture: of the face that is most central for its size, as loosely cropped sets want it."""
    crops = []
    for image, faces in zip(images, mtcnn.detect_batch(images), strict=True):
        assert len(faces) >= 1
        middle = np.array(image.shape[1::-1]) / 2
        distance = np.linalg.norm(faces.boxes.reshape(-1, 2, 2).mean(1) - middle, axis=1)
        crops.append(align(image, faces.landmarks[(distance - faces.sizes / 2).argmin()]))
    return np.stack(crops)


def best_accuracy(scores: np.ndarray, same: np.ndarray) -> float:
    return max(((scores >= threshold) == same).mean() for threshold in scores)


def test_a_detected_crop_is_nearly_the_crop_of_the_true_landmarks():
    embed, names = Embedder.load("hog"), [name for name in samples.NAMES if name != "group"]
    pictures = [samples.picture(name) for name in names]
    exact = [align(picture, samples.truth(name).landmarks[0]) for name, picture in zip(names, pictures, strict=True)]
    similarity = embed(aligned(MTCNN(min_face=40), pictures)) @ embed(np.stack(exact)).T
    assert (similarity.argmax(1) == np.arange(12)).all()
    assert np.diag(similarity).min() > 0.85


@pytest.mark.slow
@needs_photographs
def test_one_thousand_pairs_of_lfw_view_1():
    folder = REAL / "lfw_devtest"
    rows = [line.split("\t") for line in (folder / "pairsDevTest.txt").read_text().splitlines()[1:]]
    rows = [row if len(row) == 4 else [row[0], row[1], row[0], row[2]] for row in rows]
    names = [[f"{n}/{n}_{int(i):04}.jpg" for n, i in (row[:2], row[2:])] for row in rows]
    files = sorted({name for pair in names for name in pair})
    mtcnn, crops = MTCNN(min_face=60), []
    for start in range(0, len(files), 32):
        crops.append(aligned(mtcnn, [load_image(folder / "images" / name) for name in files[start : start + 32]]))
    embed = Embedder.load(REAL / "embedder" / "MobileFaceNet.onnx", IMAGENET)
    vectors = dict(zip(files, embed(np.concatenate(crops)), strict=True))
    scores = np.array([vectors[a] @ vectors[b] for a, b in names])
    same = np.array([row[0] == row[2] for row in rows])
    assert (len(same), same.sum()) == (1000, 500)
    assert best_accuracy(scores, same) >= 0.99


@needs_photographs
def test_the_development_pairs_are_read_as_they_are():
    pairs = read_lfw_pairs(REAL / "lfw_devtest" / "pairsDevTest.txt")
    assert pairs.same.sum() == 500 and len(pairs.names) == 2000
    assert all((REAL / "lfw_devtest" / "images" / name).is_file() for name in pairs.names)
