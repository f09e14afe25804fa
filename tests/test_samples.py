"""The sample pictures: sizes, the truth that goes with them, and that a detector agrees with it."""

from importlib import resources

import numpy as np
import pytest

from facelib import MTCNN, FaceLibError, Faces, samples
from facelib.synth import People
from tools import samples as script


@pytest.fixture(scope="module")
def mtcnn() -> MTCNN:
    return MTCNN(min_face=20, device="cpu")


def landmark_errors(found: Faces, truth: Faces) -> np.ndarray:
    """(found, truth) matrix: median distance over the five points, in eye distances of the truth."""
    distance = np.linalg.norm(found.landmarks[:, None] - truth.landmarks[None], axis=-1)
    return np.median(distance, axis=-1) / truth.eye_distances


def test_astronaut_is_the_photo_of_scikit_image() -> None:
    image = samples.astronaut()
    assert image.shape == (512, 512, 3)
    assert image.dtype == np.uint8


@pytest.mark.parametrize("name", samples.NAMES)
def test_size_and_count_are_as_documented(name: str) -> None:
    image, count = samples.picture(name), len(samples.truth(name))
    assert image.dtype == np.uint8
    assert image.shape == ((720, 1280, 3) if name == "group" else (300, 300, 3))
    assert count == (12 if name == "group" else 1)


@pytest.mark.parametrize("name", samples.NAMES)
def test_truth_lies_inside_the_picture(name: str) -> None:
    height, width = samples.picture(name).shape[:2]
    faces = samples.truth(name)
    assert faces.landmarks.min() >= 0
    assert (faces.landmarks < (width, height)).all()
    assert (faces.boxes[:, :2] >= 0).all()
    assert (faces.boxes[:, 2:] <= (width, height)).all()
    assert (faces.boxes[:, 2:] > faces.boxes[:, :2]).all()
    for face in samples.details(name):
        assert 0.5 < face["visible"] <= 1


@pytest.mark.parametrize("name", samples.NAMES)
def test_landmarks_are_in_order(name: str) -> None:
    for face, points in zip(samples.details(name), samples.truth(name).landmarks, strict=True):
        left_eye, right_eye, _, left_mouth, right_mouth = points
        if abs(face["yaw"]) < 0.8:  # in a profile the nose may pass an eye
            assert left_eye[0] < right_eye[0]
            assert left_mouth[0] < right_mouth[0]
        assert max(left_eye[1], right_eye[1]) < min(left_mouth[1], right_mouth[1])


def test_pair_shows_one_person_in_two_poses() -> None:
    for person in samples.PEOPLE:
        a, b = samples.pair(person)
        first, second = samples.details(f"p{person}a")[0], samples.details(f"p{person}b")[0]
        assert first["person"] == second["person"] == f"p{person}"
        assert not np.array_equal(a, b)
        assert abs(first["yaw"] - second["yaw"]) > 0.1
        assert max(abs(first["yaw"]), abs(second["yaw"])) <= np.radians(25)


def test_people_come_in_order() -> None:
    assert [person for person, _ in samples.people()] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]


def test_group_truth_and_details_agree() -> None:
    faces, details = samples.group_truth(), samples.details("group")
    assert len({face["person"] for face in details}) == 12
    assert sorted(face["difficult"] for face in details if face["difficult"]) == [
        "partly hidden", "profile", "small and blurred",
    ]  # fmt: skip
    heights = faces.boxes[:, 3] - faces.boxes[:, 1]
    assert heights.min() < 35
    assert heights.max() > 150


def test_changing_details_does_not_change_the_truth() -> None:
    before = samples.truth("p1a").landmarks
    samples.details("p1a")[0]["landmarks"][0][0] += 50
    np.testing.assert_array_equal(samples.truth("p1a").landmarks, before)


@pytest.mark.parametrize("name", [name for name in samples.NAMES if name != "group"])
def test_detector_finds_the_face_of_every_pair(name: str, mtcnn: MTCNN) -> None:
    found = mtcnn.detect(samples.picture(name))
    assert len(found) == 1
    assert landmark_errors(found, samples.truth(name)).item() < 0.15


def test_detector_finds_the_group(mtcnn: MTCNN) -> None:
    found, truth = mtcnn.detect(samples.group()), samples.group_truth()
    easy = [face["difficult"] is None for face in samples.details("group")]
    best = landmark_errors(found, truth).min(axis=0)
    assert sum(easy) == 9
    assert (best[easy] < 0.15).all()
    assert len(found) <= len(truth)


def test_unknown_picture_is_named_with_the_choices() -> None:
    for person in (0, 7):
        with pytest.raises(FaceLibError, match=f"there is no person {person}; choose one of 1, 2"):
            samples.pair(person)
    with pytest.raises(FaceLibError, match="there is no rendered picture 'p9a'; choose one of group"):
        samples.truth("p9a")


def test_folder_is_small_and_states_licences() -> None:
    folder = resources.files("facelib.samples")
    files = [folder / "group.jpg", folder / "truth.json"]
    files += [folder / "pairs" / f"p{person}{shot}.jpg" for person in samples.PEOPLE for shot in "ab"]
    assert sum(len(file.read_bytes()) for file in files) <= 700_000
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "CC0" in readme
    assert "NASA" in readme


def test_the_script_draws_the_pictures_that_ship() -> None:
    people = People(1000, script.SEED)
    person, shots = next(iter(script.PAIRS.items()))
    image, face = script.portrait(people, person, shots[0])
    assert abs(image.astype(int) - samples.picture("p1a")).mean() < 4  # the file is a JPEG
    np.testing.assert_allclose(face["landmarks"], samples.truth("p1a").landmarks[0], atol=0.05)
    again, _ = script.portrait(people, person, shots[0])
    np.testing.assert_array_equal(image, again)


def test_the_script_says_of_the_group_what_the_truth_says() -> None:
    details = samples.details("group")
    assert [face["difficult"] for face in details] == [guest.difficult for guest in script.GROUP]
    for name in ("yaw", "pitch", "roll"):
        np.testing.assert_allclose(
            [face[name] for face in details], np.radians([getattr(guest, name) for guest in script.GROUP]), atol=1e-4
        )
