import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.transform import SimilarityTransform

from facelib import MTCNN, TEMPLATE_112, FaceLibError, Faces, align, estimate_similarity
from facelib.errors import LandmarkError

RNG = np.random.default_rng(0)


def random_similarity(rng):
    angle, scale = rng.uniform(-np.pi, np.pi), rng.uniform(0.1, 10)
    a, b = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[a, -b, rng.uniform(-200, 200)], [b, a, rng.uniform(-200, 200)]])


def umeyama(source, target):
    """The paper's algorithm, equations 38 to 42, with the determinant forced to +1."""
    p, q = source - source.mean(0), target - target.mean(0)
    u, d, vt = np.linalg.svd(q.T @ p / len(p))
    sign = np.array([1, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u @ np.diag(sign) @ vt
    scale = (d * sign).sum() / (p**2).sum() * len(p)
    shift = target.mean(0) - scale * rotation @ source.mean(0)
    return np.column_stack([scale * rotation, shift])


def test_template_is_the_one_of_arcface():
    assert TEMPLATE_112.tolist() == [
        [38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041],
    ]  # fmt: skip
    with pytest.raises(ValueError):
        TEMPLATE_112[0, 0] = 0


def skimage_similarity(source, target):
    if hasattr(SimilarityTransform, "from_estimate"):
        return SimilarityTransform.from_estimate(source, target).params[:2]
    transform = SimilarityTransform()  # before scikit-image 0.26
    assert transform.estimate(source, target)
    return transform.params[:2]


def test_agrees_with_scikit_image_and_with_the_paper():
    for _ in range(200):
        landmarks = RNG.uniform(0, 500, (5, 2))
        matrix = estimate_similarity(landmarks)
        np.testing.assert_allclose(matrix, skimage_similarity(landmarks, TEMPLATE_112), atol=1e-6)
        np.testing.assert_allclose(matrix, umeyama(landmarks, TEMPLATE_112), atol=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_an_exact_similarity_is_found_again(seed):
    rng = np.random.default_rng(seed)
    truth = random_similarity(rng)
    points = rng.uniform(0, 112, (5, 2))
    moved = points @ truth[:, :2].T + truth[:, 2]
    np.testing.assert_allclose(estimate_similarity(points, moved), truth, atol=1e-6)


def test_never_a_reflection():
    mirrored = TEMPLATE_112 * (-1, 1)
    for landmarks in (mirrored, *RNG.uniform(0, 100, (100, 5, 2))):
        assert np.linalg.det(estimate_similarity(landmarks)[:, :2]) > 0


def test_batches_of_any_shape():
    landmarks = RNG.uniform(0, 100, (3, 4, 5, 2))
    matrices = estimate_similarity(landmarks)
    assert matrices.shape == (3, 4, 2, 3)
    np.testing.assert_array_equal(matrices[2, 1], estimate_similarity(landmarks[2, 1]))
    assert estimate_similarity(np.zeros((0, 5, 2))).shape == (0, 2, 3)


@pytest.mark.parametrize("size", [56, 224, 448])
def test_size_scales_the_matrix_exactly(size):
    landmarks = RNG.uniform(0, 100, (6, 5, 2))
    np.testing.assert_array_equal(
        estimate_similarity(landmarks, size=size), estimate_similarity(landmarks) * (size / 112)
    )


def test_a_crop_of_224_is_the_crop_of_112_doubled(astronaut):
    landmarks = MTCNN().detect(astronaut).landmarks
    np.testing.assert_array_equal(align(astronaut, landmarks, 224)[:, ::2, ::2], align(astronaut, landmarks))


def test_crops_are_opencvs_warp_of_the_same_matrix(astronaut, group):
    for image in (astronaut, group):
        landmarks = MTCNN().detect(image).landmarks
        for size in (112, 96):
            crops = align(image, landmarks, size)
            assert crops.shape == (len(landmarks), size, size, 3) and crops.dtype == np.uint8
            for crop, points in zip(crops, landmarks, strict=True):
                matrix = estimate_similarity(points, size=size)
                expected = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderValue=(0, 0, 0))
                np.testing.assert_array_equal(crop, expected)


def test_the_crop_shows_what_the_matrix_says(astronaut):
    """Detected again in the aligned crop, the five points are where the matrix takes them."""
    landmarks = MTCNN().detect(astronaut).landmarks[0]
    matrix = estimate_similarity(landmarks, size=224)
    again = MTCNN(min_face=60).detect(align(astronaut, landmarks, 224)).landmarks[0]
    np.testing.assert_allclose(again, landmarks @ matrix[:, :2].T + matrix[:, 2], atol=6)  # of 224


def test_colours_stay_in_order():
    red = np.zeros((200, 200, 3), np.uint8)
    red[..., 0] = 200
    assert align(red, TEMPLATE_112 + 30).reshape(-1, 3).tolist() == [[200, 0, 0]] * 112 * 112


def test_beyond_the_edge_is_black():
    white = np.full((60, 60, 3), 255, np.uint8)
    crop = align(white, TEMPLATE_112)
    assert (crop[:58, :58] == 255).all() and (crop[62:] == 0).all() and (crop[:, 62:] == 0).all()


def test_one_face_and_no_face(astronaut):
    landmarks = MTCNN().detect(astronaut).landmarks
    np.testing.assert_array_equal(align(astronaut, landmarks[0]), align(astronaut, landmarks)[0])
    assert align(astronaut, np.zeros((0, 5, 2))).shape == (0, 112, 112, 3)
    assert align(astronaut, np.zeros((0, 5, 2)), 64).shape == (0, 64, 64, 3)


@pytest.mark.parametrize(
    "landmarks, fault",
    [
        (np.full((5, 2), 17.0), "one point"),
        (np.full((5, 2), 17.0, np.float32) + 1e-6, "one point"),
        (np.full((5, 2), np.nan), "NaN"),
        (TEMPLATE_112 * (np.inf, 1), "NaN or infinity"),
        (np.zeros((5, 3)), "shape"),
        (np.zeros((4, 2)), "shape"),
        (np.zeros(10), "shape"),
        (Faces.empty(), "got Faces; pass faces.landmarks"),
        (Faces(np.zeros((2, 4)), np.zeros(2), np.zeros((2, 5, 2))), "got Faces; pass faces.landmarks"),
        ([[1, 2], "x"], "no array of numbers"),
    ],
)
def test_degenerate_landmarks_raise(astronaut, landmarks, fault):
    with pytest.raises(LandmarkError, match=fault):
        align(astronaut, landmarks)


def test_a_mirrored_square_fits_no_rotation():
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]])
    with pytest.raises(LandmarkError, match="mirrored"):
        estimate_similarity(square, square[[1, 0, 3, 2]])


def test_the_bad_face_of_a_batch_is_named():
    landmarks = np.stack([TEMPLATE_112, np.zeros((5, 2)), TEMPLATE_112])
    with pytest.raises(LandmarkError, match="face 1"):
        estimate_similarity(landmarks)


@pytest.mark.parametrize("size", [0, -1, 112.0, "112", None])
def test_size_must_be_a_positive_whole_number(astronaut, size):
    with pytest.raises(FaceLibError, match=f"size={size!r}: the side of the crop"):
        align(astronaut, TEMPLATE_112, size)
    assert align(astronaut, TEMPLATE_112, np.int64(8)).shape == (8, 8, 3)
