"""Cutting, encoding and teaching against slow loops, hand-made numbers and what must not change."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from facelib import MTCNN, FaceLibError, Faces
from facelib.detect.boxes import refine, windows
from facelib.detect.pyramid import normalise
from facelib.detect.training import (
    TeachablePNet,
    draw_batch,
    false_alarms,
    hard_examples,
    multi_task_loss,
    sample_losses,
    train_pnet,
)
from facelib.detect.training_samples import (
    KINDS,
    LANDMARK,
    NEGATIVE,
    NOT_USED,
    PART,
    POSITIVE,
    Samples,
    cut_samples,
    decode_landmarks,
    encode_boxes,
    encode_landmarks,
    greyed,
    label_boxes,
    named_windows,
    negatives,
    random_boxes,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def picture(size=96, box=(30.0, 24, 66, 72)):
    """A bright ellipse with dark eyes and mouth on a noisy ground: enough of a face for a few steps."""
    noise = np.random.default_rng(7).integers(60, 120, (size, size, 3))
    y, x = np.mgrid[:size, :size] + 0.5
    u, v = (x - box[0]) / (box[2] - box[0]), (y - box[1]) / (box[3] - box[1])
    image = np.where((np.hypot(u - 0.5, v - 0.5) < 0.5)[..., None], 210, noise)
    points = np.array([[0.3, 0.35], [0.7, 0.35], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
    for a, b in points[[0, 1, 3, 4]]:
        image = np.where((np.hypot(u - a, v - b) < 0.1)[..., None], 20, image)
    landmarks = points * (box[2] - box[0], box[3] - box[1]) + box[:2]
    return image.astype(np.uint8), Faces(np.array([box]), np.ones(1), landmarks[None])


def some_samples(count=40, seed=0):
    g = seeded(seed)
    return Samples(
        torch.randint(0, 256, (count, 3, 12, 12), generator=g, dtype=torch.uint8),
        torch.arange(count) % 4,
        torch.randn(count, 4, generator=g),
        torch.randn(count, 5, 2, generator=g),
    )


def slow_loss(answers, samples, keep, weights):
    """Equation 4 of Zhang et al. 2016, sample by sample; face losses of the hardest only."""
    face, box, points = [], [], []
    for k in range(len(samples)):
        kind = KINDS[samples.kinds[k]]
        logits, offsets, landmarks = (answer[k].detach().double() for answer in answers)
        if kind in ("negative", "positive"):
            p = (logits[1].exp() / logits.exp().sum()).item()
            face.append(-np.log(p if kind == "positive" else 1 - p))
        if kind in ("part face", "positive"):
            box.append(sum((float(a) - float(b)) ** 2 for a, b in zip(offsets, samples.offsets[k], strict=True)))
        if kind == "landmark face":
            points.append(float(((landmarks - samples.landmarks[k].double()) ** 2).sum()))
    face = sorted(face, reverse=True)[: max(1, round(keep * len(face)))]
    return sum(w * np.mean(part) for w, part in zip(weights, (face, box, points), strict=True) if part)


def random_answers(count, seed=1):
    g = seeded(seed)
    return tuple(torch.randn(count, *shape, generator=g, requires_grad=True) for shape in ((2,), (4,), (5, 2)))


@pytest.mark.parametrize("keep", [1.0, 0.7, 0.2])
def test_the_loss_equals_the_loop(keep, device):
    samples, answers = some_samples(), random_answers(40)
    want = slow_loss(answers, samples, keep, (1.0, 0.5, 0.25))
    answers = tuple(answer.to(device) for answer in answers)
    loss, parts = multi_task_loss(answers, samples.to(device), keep, (1.0, 0.5, 0.25))
    assert loss.item() == pytest.approx(want, abs=1e-5)
    assert (parts.cpu() @ torch.tensor([1.0, 0.5, 0.25])).item() == pytest.approx(want, abs=1e-5)
    assert not parts.requires_grad


def test_each_kind_learns_from_its_own_losses_only():
    samples, answers = some_samples(), random_answers(40)
    multi_task_loss(answers, samples, keep=1.0)[0].backward()
    got = [answer.grad.flatten(1).abs().sum(1) > 0 for answer in answers]
    for kind, learns in ((NEGATIVE, (1, 0, 0)), (PART, (0, 1, 0)), (POSITIVE, (1, 1, 0)), (LANDMARK, (0, 0, 1))):
        mine = samples.kinds == kind
        assert [bool(g[mine].all()) for g in got] == [bool(g[mine].any()) for g in got] == [bool(x) for x in learns]


def test_losses_that_do_not_apply_are_zero():
    samples, answers = some_samples(), random_answers(40)
    assert torch.equal(sample_losses(answers, samples) > 0, samples.applies)


def test_positives_are_taught_yes_and_negatives_no():
    sure = torch.tensor([[0.0, 9.0]])
    for kind, wrong in ((POSITIVE, False), (NEGATIVE, True)):
        one = Samples(torch.zeros(1, 3, 12, 12), torch.tensor([kind]), torch.zeros(1, 4), torch.zeros(1, 5, 2))
        losses = sample_losses((sure, torch.zeros(1, 4), torch.zeros(1, 5, 2)), one)
        assert bool(losses[0, 0] > 1) == wrong


def test_a_batch_without_some_kinds_has_a_finite_loss():
    samples, answers = some_samples(), random_answers(40)
    for kind in range(4):
        mine = samples.kinds == kind
        loss, _ = multi_task_loss(tuple(answer[mine] for answer in answers), samples[mine])
        assert loss.isfinite() and loss > 0


def test_hard_examples_are_the_largest_losses():
    losses = torch.tensor([0.5, 0.1, 0.9, 0.3, 0.7, 0.2, 0.8, 0.0, 0.4, 0.6], requires_grad=True)
    hard = hard_examples(losses, 0.7)
    assert hard.tolist() == [value >= 0.3 - 1e-6 for value in losses.tolist()]
    losses[hard].sum().backward()
    assert torch.equal(losses.grad > 0, hard)
    assert hard_examples(torch.ones(1), 0.1).tolist() == [True]
    assert hard_examples(torch.zeros(0)).tolist() == []


def test_the_rest_of_a_batch_gets_no_gradient():
    samples, answers = some_samples(), random_answers(40)
    multi_task_loss(answers, samples, keep=0.7)[0].backward()
    judged = (samples.kinds == NEGATIVE) | (samples.kinds == POSITIVE)
    touched = answers[0].grad.abs().sum(1) > 0
    losses = functional.cross_entropy(answers[0], (samples.kinds == POSITIVE).long(), reduction="none")
    assert not touched[~judged].any() and touched.sum() == 14
    assert losses[touched].min() > losses[judged & ~touched].max()


def test_labels_by_hand():
    face = torch.tensor([[0.0, 0, 100, 100]])

    def shifted(share):  # IoU of a square moved sideways: (1 - s) / (1 + s)
        s = (1 - share) / (1 + share) * 100
        return [s, 0, s + 100, 100]

    overlaps = (1.0, 0.66, 0.64, 0.41, 0.39, 0.31, 0.29, 0.0)
    kinds, which = label_boxes(torch.tensor([shifted(x) for x in overlaps]), face)
    assert kinds.tolist() == [POSITIVE, POSITIVE, PART, PART, NOT_USED, NOT_USED, NEGATIVE, NEGATIVE]
    assert which.tolist() == [0] * 8


def test_labels_go_by_the_best_face():
    faces = torch.tensor([[0.0, 0, 10, 10], [50, 50, 70, 70]])
    kinds, which = label_boxes(torch.tensor([[50, 50, 70, 70], [0, 0, 10, 10], [30, 30, 45, 45]]), faces)
    assert kinds.tolist() == [POSITIVE, POSITIVE, NEGATIVE] and which[:2].tolist() == [1, 0]
    kinds, which = label_boxes(torch.tensor([[0, 0, 12, 12]]), torch.zeros(0, 4))
    assert kinds.tolist() == [NEGATIVE] and which.tolist() == [0]


@pytest.mark.parametrize("near", [None, torch.tensor([40.0, 30, 70, 72])])
def test_random_boxes_are_squares_inside(near):
    boxes = random_boxes(500, 100, 140, seeded(1), near)
    assert 200 < len(boxes) <= 500 and boxes.dtype == torch.int64
    side = boxes[:, 2:] - boxes[:, :2]
    assert torch.equal(side[:, 0], side[:, 1]) and side.min() >= 12
    assert boxes.min() >= 0 and boxes[:, 2].max() <= 140 and boxes[:, 3].max() <= 100
    assert torch.equal(boxes, random_boxes(500, 100, 140, seeded(1), near))
    if near is None:
        assert side.min() < 15 and side.max() > 70 and boxes[:, 0].max() > 100
    else:
        assert side.min() >= 23 and side.max() <= 54  # 0.8 x 30 = 24 to 1.25 x 42 = 52.5
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2 - torch.tensor([55.0, 51.0])
        assert (middle.abs() <= 0.2 * side + 1).all() and middle.abs().max() > 5


def test_a_face_below_twelve_pixels_does_not_stop_the_cutting():
    boxes = random_boxes(20, 60, 60, seeded(), torch.tensor([30.0, 30, 36, 38]))
    assert (boxes[:, 2:] - boxes[:, :2] == 12).all()


def test_named_windows_are_those_of_the_detector():
    cells = torch.tensor([[0, 0], [3, 8], [20, 5]])
    for side in (12, 24, 60):  # the scale 12 / side gives whole pixels, so that rounding down changes nothing
        corner = cells.flip(1) * 2 * side // 12
        seen = torch.cat([corner, corner + side], 1)
        assert torch.equal(named_windows(seen), windows(cells, 12 / side))


def test_targets_come_back_exactly():
    g = seeded(3)
    seen = random_boxes(200, 300, 300, g)
    faces = random_boxes(400, 300, 300, g)[: len(seen)].float() + 0.3
    points = torch.rand(len(seen), 5, 2, generator=g) * 300
    named = named_windows(seen)
    assert torch.allclose(refine(named, encode_boxes(faces, named), corner_pixels=0), faces, atol=1e-3)
    assert torch.allclose(decode_landmarks(encode_landmarks(points, named), named), points, atol=1e-3)


def test_targets_by_hand():
    named = torch.tensor([[10.0, 20, 20, 30]])
    assert encode_boxes(torch.tensor([[11.0, 18, 19, 35]]), named).tolist() == [
        pytest.approx([0.1, -0.2, -0.1, 0.5], abs=1e-6)
    ]
    points = torch.tensor([[[10.0, 20], [20, 20], [15, 25], [10, 30], [22, 32]]])
    want = torch.tensor([[[0.0, 0], [1, 0], [0.5, 0.5], [0, 1], [1.2, 1.2]]])
    assert torch.allclose(encode_landmarks(points, named), want)


def test_cut_samples_hold_what_their_windows_show():
    image, faces = picture()
    samples = cut_samples(image, faces, seeded(5), near=200, anywhere=200)
    count = torch.bincount(samples.kinds, minlength=4)
    assert samples.crops.dtype == torch.uint8 and samples.crops.shape[1:] == (3, 12, 12)
    assert (count > 10).all() and 1.2 < count[LANDMARK] / count[POSITIVE] < 3.5
    away = samples.kinds == NEGATIVE
    assert samples.offsets[away].abs().sum() == 0 == samples.landmarks[away].abs().sum()
    unit = named_windows(torch.tensor([[0, 0, 12, 12]]))
    on_face = samples[samples.kinds >= POSITIVE]
    box = refine(unit, on_face.offsets, corner_pixels=0)
    assert ((box[:, 2:] - box[:, :2]).prod(1) / 144 > 0.4).all()
    eyes = decode_landmarks(on_face.landmarks, unit)[:, :2].round().long().clamp(0, 11)
    rows = torch.arange(len(on_face))
    for eye in (0, 1):  # where the targets say that an eye is, the crop is dark
        at_eye = on_face.crops[rows, 0, eyes[:, eye, 1].clamp(max=11), eyes[:, eye, 0]].float()
        assert at_eye.median() < on_face.crops[:, 0].float().flatten(1).median(1).values.median() - 30


def test_cut_samples_of_a_wall_are_negatives():
    samples = cut_samples(np.full((50, 60, 3), 90, np.uint8), Faces.empty(), seeded())
    assert len(samples) > 5 and (samples.kinds == NEGATIVE).all() and (samples.crops == 90).all()


@pytest.mark.parametrize("image", [np.zeros((50, 50)), np.zeros((50, 50, 3)), np.zeros((8, 50, 3), np.uint8)])
def test_what_is_no_picture_is_refused(image):
    with pytest.raises(FaceLibError, match="load_image"):
        cut_samples(image, Faces.empty(), seeded())


def test_greyed_copies():
    samples = some_samples()
    grey = greyed(samples)
    assert torch.equal(grey.crops[:, 0], grey.crops[:, 2]) and grey.crops.dtype == torch.uint8
    assert (grey.crops[:, 0].float() - samples.crops.float().mean(1)).abs().max() <= 0.5
    assert torch.equal(grey.kinds, samples.kinds) and torch.equal(grey.offsets, samples.offsets)


def test_batches_have_the_published_mix():
    kinds = torch.tensor([NEGATIVE] * 1000 + [PART] * 50 + [POSITIVE] * 5 + [LANDMARK] * 20)
    rows = draw_batch(kinds, 224, seeded())
    assert torch.bincount(kinds[rows]).tolist() == [96, 32, 32, 64]
    assert torch.bincount(kinds[draw_batch(kinds[:1050], 224, seeded())]).tolist() == [96, 32]


def test_a_few_steps_teach_a_toy(device):
    image, faces = picture()
    samples = cut_samples(image, faces, seeded(1), near=60, anywhere=100)
    network, history = train_pnet(samples, seeded(2), steps=60, batch=112, device=device, progress=False)
    assert history.shape == (60, 3) and (history[-10:].mean(0) < 0.5 * history[:3].mean(0)).all()
    network = network.cpu()
    kind = samples.kinds
    probability = network.answers(normalise(samples.crops))[0].softmax(1)[:, 1]
    assert probability[kind >= POSITIVE].mean() > 0.8 > 0.2 > probability[kind == NEGATIVE].mean()
    assert not any(weight.requires_grad for weight in network.parameters())


def test_the_same_seed_gives_the_same_network():
    samples = some_samples(80)
    one, two, other = (train_pnet(samples, seeded(s), steps=3, progress=False)[0] for s in (4, 4, 5))
    same = [torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True)]
    assert all(same) and not torch.equal(one.face.weight, other.face.weight)


def test_the_global_generator_is_left_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    train_pnet(some_samples(80), seeded(), steps=2, progress=False)
    cut_samples(*picture(), seeded())
    assert torch.equal(before, torch.get_rng_state())


def test_training_refuses_what_cannot_work():
    samples = some_samples()
    with pytest.raises(FaceLibError, match="no samples"):
        train_pnet(samples[torch.zeros(0, dtype=torch.int64)], seeded(), steps=1, progress=False)
    with pytest.raises(FaceLibError, match="learning rate"):
        train_pnet(samples, seeded(), steps=30, learning_rate=1e18, progress=False)


def test_a_taught_network_works_in_the_detector():
    """Boxes decode to where the face is: encoding and the detector's naming of windows fit together."""
    image, faces = picture()
    samples = cut_samples(image, faces, seeded(1), near=150, anywhere=300)
    network, _ = train_pnet(samples, seeded(2), steps=250, progress=False)
    mtcnn = MTCNN(min_face=36, thresholds=(0.5, 0.7, 0.7))
    mtcnn.pnet = network
    best = mtcnn.propose(mtcnn.prepare([image])).boxes[0].numpy()
    middle = (best[:2] + best[2:]) / 2
    assert np.abs(middle - (48, 48)).max() < 3 and abs(best[3] - best[1] - 48) < 6


def test_false_alarms_are_sure_and_off_the_faces(astronaut):
    mtcnn = MTCNN(min_face=60)
    faces = mtcnn.detect(astronaut)
    found = false_alarms(mtcnn, astronaut, faces)
    everything = false_alarms(mtcnn, astronaut, Faces.empty())
    assert 0 < len(found) < len(everything)
    assert (label_boxes(found, torch.tensor(faces.boxes))[0] == NEGATIVE).all()
    crops = negatives(astronaut, everything).crops
    probability = mtcnn.pnet(normalise(crops))[0].flatten()
    assert (probability > 0.5).float().mean() > 0.8  # resampling alone from a rounded window changes some
    assert (negatives(astronaut, found).kinds == NEGATIVE).all()


def test_weights_come_from_the_generator():
    one, two = TeachablePNet(seeded(1)), TeachablePNet(seeded(1))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert sum(weight.numel() for weight in one.parameters()) == 6_962
    assert [tuple(answer.shape) for answer in one.answers(torch.zeros(3, 3, 12, 12))] == [(3, 2), (3, 4), (3, 5, 2)]
