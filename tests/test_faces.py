import json

import numpy as np
import pytest

from facelib import FaceLibError, Faces

TWO = Faces([[0, 0, 10, 40], [5, 5, 65, 65]], [0.9, 0.8], np.arange(20).reshape(2, 5, 2))


def test_shapes_and_types_are_enforced():
    assert TWO.boxes.dtype == TWO.scores.dtype == TWO.landmarks.dtype == np.float32
    with pytest.raises(FaceLibError, match=r"landmarks.*\(N, 5, 2\)"):
        Faces(np.zeros((2, 4)), np.zeros(2), np.zeros((2, 10)))
    with pytest.raises(FaceLibError, match="boxes"):
        Faces(np.zeros((3, 4)), np.zeros(2), np.zeros((2, 5, 2)))
    with pytest.raises(FaceLibError, match=r"Faces.scores: expected shape \(N\), got \(\)"):
        Faces(np.zeros((1, 4)), 0.5, np.zeros((1, 5, 2)))


def test_indexing_keeps_the_three_together():
    assert len(TWO[0]) == len(TWO[-1]) == 1 and len(TWO[:0]) == 0
    np.testing.assert_array_equal(TWO[np.array([False, True])].boxes, TWO.boxes[1:])
    assert [face.scores[0] for face in TWO] == TWO.scores.tolist()
    with pytest.raises(IndexError):
        TWO[2]


def test_sizes_largest_and_eyes():
    np.testing.assert_allclose(TWO.sizes, [20, 60])
    assert TWO.largest().scores[0] == np.float32(0.8)
    np.testing.assert_allclose(TWO.eye_distances, [8**0.5, 8**0.5])
    assert len(Faces.empty().largest()) == 0 and len(Faces.empty()) == 0


def test_dictionaries_survive_json():
    back = json.loads(json.dumps(TWO.to_dicts()))
    assert back[1]["box"] == [5, 5, 65, 65] and len(back[0]["landmarks"]) == 5
