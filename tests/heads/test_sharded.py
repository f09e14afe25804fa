"""Heads shared out among processes: what one process computes for the whole batch, one, two and three find together."""

import copy
import subprocess
import sys

import pytest
import torch

import facelib
from facelib import FaceLibError, heads, margins
from tests.heads.helpers import CLASSES, SIZE, seeded
from tests.heads.shards import ALL, BATCH, LABELS, WORLDS, batch, new_body
from tests.train.helpers import ENVIRONMENT, ROOT


@pytest.fixture(scope="module")
def found_by_all(tmp_path_factory):
    """A folder with what every process of every world found."""
    folder = tmp_path_factory.mktemp("shards")
    command = [sys.executable, "-m", "tests.heads.shards", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module", params=WORLDS)
def shards(request, found_by_all):
    return [torch.load(found_by_all / str(request.param) / f"{rank}.pt") for rank in range(request.param)]


def whole(margin, rows=None):
    """Loss, accuracy and both gradients of the plain way, in one process; of the classes ``rows`` only, if given."""
    head, x = facelib.CosineClassifier(SIZE, CLASSES, seeded()).double(), batch().requires_grad_()
    rows = torch.arange(CLASSES) if rows is None else rows
    places = torch.where(LABELS >= 0, torch.searchsorted(rows, LABELS), -1)
    cosine = head(x)[:, rows]
    logits = margin(cosine, places, torch.linalg.vector_norm(x, dim=1))
    loss = torch.nn.functional.cross_entropy(logits, places, ignore_index=-1)
    return loss.detach(), facelib.clean_accuracy(cosine, places), *torch.autograd.grad(loss, (x, head.weight))


def joined(parts, name):
    return torch.cat([part[name] for part in parts])


def near(a, b, limit=1e-10):
    return a.shape == b.shape and (a - b).norm() <= limit * b.norm()


@pytest.mark.parametrize("number", range(len(ALL)), ids=lambda n: f"{type(ALL[n]).__name__}-{n}")
def test_loss_and_gradients_are_those_of_one_process(number, shards):
    margin = copy.deepcopy(ALL[number])
    loss, accuracy, grad_x, grad_weight = whole(margin)
    assert 0.2 < accuracy < 0.4, "some right, some wrong"
    for k in (2 * number, 2 * number + 1):  # in blocks of 4, and in one
        parts = [found["losses"][k] for found in shards]
        for part in parts:
            assert abs(part["loss"] - loss) < 1e-12 * loss and part["accuracy"] == accuracy
            assert part["mean"] == getattr(margin, "mean", 0), "its state sees the whole batch, and sees it once"
        assert near(joined(parts, "x"), grad_x)
        assert near(joined(parts, "weight"), grad_weight)


def test_a_draw_in_each_process(shards):
    """Every process its share of its own classes: the loss of those columns, and only they have a gradient."""
    parts = [found["sampled"] for found in shards]
    rows, world = joined(parts, "rows"), len(shards)
    sizes = [CLASSES * (n + 1) // world - CLASSES * n // world for n in range(world)]
    for part, size in zip(parts, sizes, strict=True):
        assert len(part["rows"]) == -(-size // 2)
    assert set(LABELS[LABELS >= 0].tolist()) <= set(rows.tolist())
    loss, _, grad_x, grad_weight = whole(margins.ArcFace(), rows)
    assert all(abs(part["loss"] - loss) < 1e-12 * loss for part in parts)
    assert near(joined(parts, "x"), grad_x) and near(joined(parts, "weight"), grad_weight[rows])


def test_the_shards_are_the_rows_of_one_head(shards):
    one, other = (facelib.CosineClassifier(SIZE, CLASSES, seeded(seed)) for seed in (0, 9))
    parts = [found["state"] for found in shards]
    assert torch.equal(joined(parts, "made"), one.weight)
    for part in parts:  # any number of processes can write it and any number read it
        assert torch.equal(part["whole"]["weight"], one.weight) and part["whole"].keys() == one.state_dict().keys()
    assert torch.equal(joined(parts, "loaded"), other.weight)
    assert torch.allclose(torch.cat([part["cosine"] for part in parts], 1), other(torch.eye(SIZE)), atol=1e-6)
    assert f"classes=0 to {CLASSES // len(shards) - 1} of {CLASSES}" in parts[0]["text"]


def test_wrong_arguments_are_named_by_all_processes(shards):
    world = len(shards)
    for rank, found in enumerate(shards):
        said = found["errors"]
        assert "0 to 37, the head has classes 0 to 36" in said["labels"]
        assert "CurricularFace cannot be taken in class blocks" in said["margin"]
        assert "expected (B, D), (classes, D), (B,)" in said["shapes"]
        assert said["classes"] == f"{world} processes cannot share {world - 1} classes: each needs one at least"
        assert "rate=0" in said["rate"]
        assert f"weight ({CLASSES - 1}, {SIZE}): this head needs all its centres, ({CLASSES}, {SIZE})" in said["load"]
        if world > 1:
            sizes = [BATCH // world - n for n in range(world)]
            assert f"the processes give {sizes} rows" in said["rows"] and "label -1" in said["rows"]
            assert ("not in the group" in said["group"]) == (rank > 0)


def test_autocast_leaves_the_head_alone(shards):
    head = facelib.CosineClassifier(SIZE, CLASSES, seeded())
    x = batch().bfloat16().float()
    loss, _ = facelib.chunked_cross_entropy(x, head.weight, LABELS, margins.ArcFace())
    loss.backward()
    parts = [found["autocast"] for found in shards]
    assert all(part["loss"].dtype == torch.float32 and torch.allclose(part["loss"], loss) for part in parts)
    assert near(joined(parts, "weight"), head.weight.grad, 1e-5)


def test_beside_a_backbone_whose_gradients_are_averaged(shards):
    """Averaging processes and a sharded head move as backbone and head in one process that has the whole batch."""
    if len(shards) == 1:
        return
    body, head = new_body(), facelib.CosineClassifier(SIZE, CLASSES, seeded()).double()
    optimizer = torch.optim.SGD(heads.parameter_groups(body, head), lr=0.1, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        facelib.chunked_cross_entropy(body(batch()), head.weight, LABELS, margins.ArcFace())[0].backward()
        optimizer.step()
    parts = [found["backbone"] for found in shards]
    assert all(near(part["body"], body.weight) for part in parts) and near(joined(parts, "head"), head.weight)


def test_alone_without_a_process_group(embeddings):
    """A world of one: the numbers of the loss in blocks, bit for bit."""
    labels = LABELS[:8]
    sharded = facelib.ShardedClassifier(SIZE, CLASSES, generator=seeded())
    plain = facelib.CosineClassifier(SIZE, CLASSES, seeded())
    sharded, plain = sharded.to(embeddings.device), plain.to(embeddings.device)
    labels = labels.to(embeddings.device)
    one = facelib.sharded_cross_entropy(embeddings, sharded, labels, margins.ArcFace())
    two = facelib.chunked_cross_entropy(embeddings, plain.weight, labels, margins.ArcFace())
    assert torch.equal(one[0], two[0]) and torch.equal(one[1], two[1])
    for a, b in zip(
        torch.autograd.grad(one[0], (embeddings, sharded.weight)),
        torch.autograd.grad(two[0], (embeddings, plain.weight)),
        strict=True,
    ):
        assert torch.equal(a, b)
    only = facelib.ShardedClassifier(SIZE, 1).to(embeddings.device)
    loss, _ = facelib.sharded_cross_entropy(embeddings, only, labels.clamp(max=0), margins.ArcFace())
    assert loss == 0 and all(g.isfinite().all() for g in torch.autograd.grad(loss, (embeddings, only.weight)))
    with pytest.raises(FaceLibError, match="1 processes cannot share 0 classes"):
        facelib.ShardedClassifier(SIZE, 0)


def test_centres_of_a_shard_are_made_without_the_others(monkeypatch):
    """Blocks of new centres, however they lie to the shards, give the rows of the whole."""
    from facelib.heads import classifiers

    for block in (1, 4, 7, 37, 100):
        monkeypatch.setattr(classifiers, "BLOCK", block)
        one = classifiers.new_centres((37, 5), seeded())
        after = seeded()
        classifiers.new_centres((37, 5), after)
        for first, last in [(0, 12), (12, 24), (24, 37), (5, 6), (0, 37)]:
            generator = seeded()
            assert torch.equal(classifiers.new_centres((37, 5), generator, first, last), one[first:last])
            assert torch.equal(generator.get_state(), after.get_state())
