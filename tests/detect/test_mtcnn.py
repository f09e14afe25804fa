"""The cascade against facenet-pytorch, the detector whose weights it uses."""

import facenet_pytorch
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.ops import batched_nms

from facelib import MTCNN, FaceLibError, Faces, load_image, samples
from tests.conftest import DEVICES, real_photos

SETTINGS = [(20, (0.6, 0.7, 0.7), 0.709), (40, (0.5, 0.6, 0.9), 0.8)]


@pytest.fixture(scope="module")
def mtcnn():
    return MTCNN()


def reference(image: np.ndarray, min_face: float, thresholds, factor) -> Faces:
    theirs = facenet_pytorch.MTCNN(
        keep_all=True, min_face_size=min_face, thresholds=list(thresholds), factor=factor, post_process=False
    )
    boxes, scores, landmarks = theirs.detect(Image.fromarray(image), landmarks=True)
    if boxes is None:
        return Faces.empty()
    order = np.argsort(-np.array(scores, np.float32), kind="stable")
    return Faces(*(np.array(x, np.float32)[order] for x in (boxes, scores, landmarks)))


def assert_same_faces(found: Faces, expected: Faces) -> None:
    assert len(found) == len(expected)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)
    # 0.02 px: far below anything visible, far above rounding, and a lost + 1 moves a corner by more
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=0.02)
    np.testing.assert_allclose(found.landmarks, expected.landmarks, atol=0.02)


@pytest.mark.parametrize("min_face, thresholds, factor", SETTINGS)
@pytest.mark.parametrize("name", ["astronaut", "group"])
def test_same_faces_as_facenet_pytorch(name, min_face, thresholds, factor, device):
    image = getattr(samples, name)()
    found = MTCNN(min_face, thresholds, factor, device).detect(image)
    assert_same_faces(found, reference(image, min_face, thresholds, factor))
    assert len(found) >= 1


def test_same_faces_on_real_photos(mtcnn):
    for path in real_photos():  # none in most checkouts: the sample pictures above stand for them
        image = load_image(path)
        assert_same_faces(mtcnn.detect(image), reference(image, *SETTINGS[0]))


def test_faces_at_the_edge(mtcnn, astronaut):
    for part in (astronaut[90:400, 200:420], astronaut[80:300, 100:250], astronaut[60:160, 180:270]):
        assert_same_faces(mtcnn.detect(part), reference(part, *SETTINGS[0]))


def test_a_batch_of_any_sizes_equals_one_by_one(astronaut, group, device):
    mtcnn = MTCNN(device=device)
    images = [astronaut, np.zeros((9, 300, 3), np.uint8), group, astronaut[:, ::-1], astronaut[:300], astronaut[..., 0]]
    for together, alone in zip(mtcnn.detect_batch(images), map(mtcnn.detect, images), strict=True):
        assert_same_faces(together, alone)
    assert mtcnn.detect_batch([]) == []


def test_more_pictures_of_one_size_than_fit_one_pass(mtcnn, astronaut):
    crop = astronaut[40:240, 120:320]
    results = mtcnn.detect_batch([crop] * (MTCNN.PICTURES + 2))
    for faces in results:
        assert_same_faces(faces, results[0])


@pytest.mark.parametrize("shape", [(1, 1), (11, 11), (19, 400), (400, 19), (20, 20), (200, 300)])
def test_no_face_gives_empty_faces(mtcnn, shape):
    for value in (0, 128, 255):
        faces = mtcnn.detect(np.full((*shape, 3), value, np.uint8))
        assert len(faces) == 0 and faces.boxes.shape == (0, 4) and faces.landmarks.shape == (0, 5, 2)


def test_candidates_outside_the_picture_are_dropped(mtcnn, astronaut):
    integrals = mtcnn.prepare([astronaut])
    candidates = mtcnn.propose(integrals)
    outside = candidates[torch.arange(len(candidates)) % 2 == 0]
    outside.boxes[:] += 10_000
    assert len(mtcnn.refine(integrals, outside)) == 0 and len(mtcnn.output(integrals, outside)) == 0


def test_sorted_by_score_and_the_larger_first_on_ties(mtcnn, group):
    scores = mtcnn.detect(group).scores
    assert (np.diff(scores) <= 0).all() and len(scores) > 2
    from facelib.detect import Candidates

    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 30, 30], [0, 0, 20, 20]])
    ties = Candidates(boxes, torch.full((3,), 0.9), torch.zeros(3, dtype=torch.int64), boxes, torch.zeros(3, 5, 2))
    assert MTCNN._collect(ties, 1)[0].boxes[:, 2].tolist() == [30, 20, 10]


def test_min_face_bounds_the_size(group):
    sizes = {minimum: MTCNN(minimum).detect(group).sizes for minimum in (20, 200)}
    assert sizes[20].min() < 75 < sizes[200].min()  # three networks may each shrink a box a little


def test_everything_stays_on_the_device(device, monkeypatch):
    """No tensor is made on another device: every factory call inside names the detector's own."""

    def torchvisions_nms(*arguments):  # makes a constant on the default device
        with torch.device(device):
            return batched_nms(*arguments)

    monkeypatch.setattr("facelib.detect.boxes.batched_nms", torchvisions_nms)
    mtcnn = MTCNN(device=device)
    with torch.device("meta"):  # the default device is one on which nothing can be computed
        faces = mtcnn.detect(samples.astronaut())
    assert len(faces) == 1


@pytest.mark.parametrize(
    "options, fault",
    [({"min_face": 0}, "min_face"), ({"min_face": np.nan}, "min_face"), ({"factor": 1}, "factor"),
     ({"factor": np.nan}, "factor"), ({"thresholds": (np.nan, 0.7, 0.7)}, "thresholds"),
     ({"device": "abacus"}, "device 'abacus' cannot be used here .*cpu always works"),
     ({"device": torch.device("cuda", 99)}, "device 'cuda:99' cannot be used here"),
     ({"thresholds": (0.6, 0.7)}, "thresholds"), ({"thresholds": (0.6, 0.7, 70)}, "thresholds")],
)  # fmt: skip
def test_senseless_settings_are_refused(options, fault):
    with pytest.raises(FaceLibError, match=fault):
        MTCNN(**options)


def test_devices_agree(group):
    results = [MTCNN(device=name).detect(group) for name in DEVICES]
    for faces in results[1:]:
        assert_same_faces(faces, results[0])
