"""Losses and teaching against slow loops, hand-made numbers and what must not change."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from facelib import MTCNN, FaceLibError, Faces
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
    PART,
    POSITIVE,
    Samples,
    cut_samples,
    label_boxes,
    negatives,
)
from tests.detect.helpers import picture, seeded, some_samples


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
