"""Heads that hold all centres: cosines as defined, new centres, accuracy."""

import math

import pytest
import torch

import facelib
from facelib import FaceLibError, heads, margins
from tests.heads.helpers import CLASSES, LABELS, MARGINS, SIZE, make


@pytest.mark.parametrize("kind", ["CosineClassifier", "SubCenter"])
def test_cosine_of_each_class(kind, embeddings, device):
    """Row by row: the dot product over both lengths; of several centres the nearest."""
    head = make(kind, device)
    cosine = head(embeddings).tolist()
    for i, x in enumerate(embeddings.double().tolist()):
        for j, centres in enumerate(head.weight.double().view(CLASSES, -1, SIZE).tolist()):
            expected = max(
                sum(a * b for a, b in zip(x, w, strict=True)) / (math.hypot(*x) * math.hypot(*w)) for w in centres
            )
            assert cosine[i][j] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("head", [make("CosineClassifier"), make("SubCenter"), heads.LinearClassifier(SIZE, CLASSES)])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_cosines_are_float32_in_autocast(head, dtype, embeddings):
    expected = head(embeddings.to(dtype).float())
    with torch.autocast("cpu", dtype=dtype):
        cosine = head(embeddings.to(dtype))
        assert torch.equal(cosine, expected) and cosine.dtype == torch.float32
        if head.weight.ndim == 2 and not isinstance(head, torch.nn.Linear):
            loss, _ = facelib.chunked_cross_entropy(embeddings.to(dtype), head.weight, LABELS, margins.ArcFace())
            assert loss.dtype == torch.float32
            loss.backward()  # inside autocast on purpose
            assert head.weight.grad.dtype == torch.float32


def test_plain_softmax_has_its_bias_in_the_head(embeddings):
    head = heads.LinearClassifier(SIZE, CLASSES)
    scores = head(embeddings)
    assert torch.allclose(scores, embeddings @ head.weight.T + head.bias, atol=1e-5)
    assert torch.equal(margins.Softmax()(scores, LABELS), scores)


def test_sub_centres_take_any_margin_and_leave_the_far_ones_alone(embeddings):
    head = make("SubCenter")
    for margin in [*MARGINS, margins.CurricularFace(), margins.UniFace(CLASSES)]:
        norms = torch.linalg.vector_norm(embeddings, dim=1)
        assert margin(head(embeddings), LABELS, norms).shape == (8, CLASSES)
    head(embeddings)[0, 0].backward()
    assert (head.weight.grad.abs().sum(2) > 0).sum() == 1


def test_new_centres_have_the_same_length_in_every_dimension():
    for size in (2, 128, 512):
        length = heads.CosineClassifier(size, 4000).weight.detach().norm(dim=1).square().mean().sqrt()
        assert length.item() == pytest.approx(heads.LENGTH, rel=0.05)
    assert heads.CosineClassifier(512, 4000).weight.std().item() == pytest.approx(0.01, rel=0.02)


def test_new_centres_come_from_the_generator():
    def seeded():
        return torch.Generator().manual_seed(7)

    for kind in (heads.CosineClassifier, heads.SubCenter):
        assert torch.equal(kind(4, 5, generator=seeded()).weight, kind(4, 5, generator=seeded()).weight)


@pytest.mark.parametrize("kind", ["CosineClassifier", "SubCenter"])
def test_compiles_into_one_graph(kind, embeddings):
    torch._dynamo.reset()
    head = make(kind)
    compiled = torch.compile(head, backend="aot_eager", fullgraph=True)
    assert torch.allclose(compiled(embeddings), head(embeddings), atol=1e-6)


def test_clean_accuracy():
    cosine = torch.tensor([[0.9, 0.1], [0.2, 0.3], [0.5, 0.5], [0.0, 1.0], [float("nan"), 0.1]])
    labels = torch.tensor([0, 0, 0, -1, 0])
    assert facelib.clean_accuracy(cosine, labels) == 1 / 4, "a tie and NaN are not right; -1 does not count"
    logits = margins.ArcFace(m=1.2)(cosine[:1], labels[:1])
    assert facelib.clean_accuracy(logits, labels[:1]) == 0, "on margined logits it would look wrong"


@pytest.mark.parametrize("labels", [torch.tensor([0, 2]), torch.tensor([-2, 0]), torch.tensor([0.0, 1.0])])
def test_labels_that_no_class_has_are_named(labels):
    with pytest.raises(FaceLibError, match="the head has classes 0 to 1|must be integers"):
        facelib.clean_accuracy(torch.rand(2, 2), labels)


@pytest.mark.parametrize(
    ("kind", "sizes", "named"),
    [
        (heads.CosineClassifier, (512, 0), "classes=0, embedding=512"),
        (heads.CosineClassifier, (0, 10), "classes=10, embedding=0"),
        (heads.CosineClassifier, (512, -1), "classes=-1"),
        (heads.PartialFC, (0, 10), "embedding=0"),
        (heads.SubCenter, (512, 10, 0), "classes=10, k=0, embedding=512"),
        (heads.ShardedClassifier, (0, 10), "embedding=0"),
    ],
)
def test_a_head_of_nothing_is_refused(kind, sizes, named):
    with pytest.raises(FaceLibError, match=f"{named}.*: each must be at least 1"):
        kind(*sizes)
