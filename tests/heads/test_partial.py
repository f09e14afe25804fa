"""PartialFC: which classes are drawn, what the sample's loss is, and that the others stand still."""

import math

import pytest
import torch
from torch.nn import functional as F

import facelib
from facelib import FaceLibError, heads, margins
from tests.heads.helpers import CLASSES, LABELS, MARGINS, SIZE, dense, seeded

RATES = [0.01, 0.1, 0.3, 0.5, 0.6, 0.9, 0.99]


def rows_of(head, centres):
    """Which rows of the weight the drawn centres are."""
    return (centres[:, None] == head.weight[None]).all(2).nonzero()[:, 1]


@pytest.mark.parametrize("margin", [*MARGINS, margins.CurricularFace(), margins.UniFace(CLASSES)], ids=repr)
def test_all_classes_are_the_whole_head(margin, embeddings, device):
    """rate=1: loss and both gradients of CosineClassifier, bit for bit, with any margin."""
    whole = heads.CosineClassifier(SIZE, CLASSES, seeded()).to(device)
    head = heads.PartialFC(SIZE, CLASSES, 1, seeded()).to(device)
    labels = LABELS.to(device)
    if isinstance(margin, torch.nn.Module):
        margin.to(device).eval()
    expected = dense(whole, embeddings, labels, margin)[0]
    cosine, places = head.cosine(embeddings, labels)
    loss = F.cross_entropy(margin(cosine, places, torch.linalg.vector_norm(embeddings, dim=1)), places, ignore_index=-1)
    assert torch.equal(loss, expected) and torch.equal(places, labels)
    for a, b in zip(
        torch.autograd.grad(loss, (embeddings, head.weight)),
        torch.autograd.grad(expected, (embeddings, whole.weight)),
        strict=True,
    ):
        assert torch.equal(a, b)


@pytest.mark.parametrize("rate", RATES)
def test_labels_are_always_drawn_and_the_rest_filled_up(rate):
    head = heads.PartialFC(4, 200, rate, seeded())
    for seed in range(20):
        labels = torch.randint(-1, 200, (6,), generator=seeded(seed))
        centres, places = head.draw(labels, seeded(seed))
        rows = rows_of(head, centres)
        classes = labels[labels >= 0].unique()
        assert len(rows) == max(math.ceil(200 * rate), len(classes))
        assert (rows[1:] > rows[:-1]).all(), "each once, in the order of the classes"
        assert torch.equal(places == -1, labels == -1) and places.dtype == torch.int64
        assert torch.equal(rows[places[labels >= 0]], labels[labels >= 0])


def test_a_share_is_rounded_up_as_written():
    for classes, rate, count in [(100, 0.07, 7), (1000, 0.0001, 1), (101, 0.1, 11), (3, 1, 3)]:
        assert len(heads.PartialFC(2, classes, rate).draw(torch.full((2,), -1), seeded())[0]) == count


@pytest.mark.parametrize("wanted", [6, 12, 20, 30])
def test_every_other_class_is_as_likely(wanted):
    """Counts over 4,000 draws: all that a fair draw of the others gives, and pairs as often as singles promise."""
    labels, classes, draws = torch.tensor([3, 3, 17, -1]), 40, 4000
    generator, count, pairs = seeded(1), torch.zeros(classes), torch.zeros(classes, classes)
    for _ in range(draws):
        chosen = F.one_hot(heads.draw_classes(labels, classes, wanted, generator), classes).sum(0).float()
        count += chosen
        pairs += chosen[:, None] * chosen
    assert (count[[3, 17]] == draws).all() and count.sum() == draws * wanted
    others = torch.tensor([i for i in range(classes) if i not in (3, 17)])
    n, k = len(others), wanted - 2
    for found, p in [
        (count[others], k / n),
        (pairs[others][:, others][~torch.eye(n, dtype=torch.bool)], k * (k - 1) / (n * (n - 1))),
    ]:
        z = (found - draws * p) / math.sqrt(draws * p * (1 - p))
        assert z.abs().max() < 5 and z.std() < 1.4


def test_the_draw_depends_on_the_generator_alone():
    head = heads.PartialFC(2, 5000, 0.1, seeded())
    labels = torch.arange(0, 5000, 500)
    drawn = [heads.draw_classes(labels, 5000, 500, seeded(seed)) for seed in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    torch.manual_seed(5)
    first = head.draw(labels)[0]
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with torch.device("meta"):
            assert torch.equal(head.draw(labels)[0], first)
    finally:
        torch.set_num_threads(threads)
    generator = seeded(0)
    assert not torch.equal(head.draw(labels, generator)[0], head.draw(labels, generator)[0]), "each step another"


@pytest.mark.parametrize("margin", MARGINS, ids=repr)
def test_loss_and_gradient_are_those_of_the_dense_loss_restricted_to_the_columns(margin, embeddings, device):
    head = heads.PartialFC(SIZE, CLASSES, 0.4, seeded()).to(device)
    labels = LABELS.to(device)
    if isinstance(margin, torch.nn.Module):
        margin.to(device).eval()
    norms = torch.linalg.vector_norm(embeddings, dim=1)
    rows = rows_of(head, head.draw(labels, seeded(2))[0])
    columns = {int(row): place for place, row in enumerate(rows)}
    own = torch.tensor([columns.get(int(label), -1) for label in labels], device=device)
    cosine = heads.CosineClassifier.forward(head, embeddings)[:, rows]
    expected = F.cross_entropy(margin(cosine, own, norms), own, ignore_index=-1)
    wanted = torch.autograd.grad(expected, (embeddings, head.weight), retain_graph=True)
    assert not wanted[1][[i for i in range(CLASSES) if i not in columns]].any()

    drawn, places = head.cosine(embeddings, labels, seeded(2))
    dense = F.cross_entropy(margin(drawn, places, norms), places, ignore_index=-1)
    centres, places = head.draw(labels, seeded(2))
    chunked, accuracy = facelib.chunked_cross_entropy(embeddings, centres, places, margin, 4)
    assert accuracy == facelib.clean_accuracy(cosine, own)
    for loss in (dense, chunked):
        assert torch.allclose(loss, expected, rtol=1e-5)
        found = torch.autograd.grad(loss, (embeddings, head.weight), retain_graph=True)
        assert found[1].is_sparse and torch.equal(found[1]._indices()[0], rows)
        for a, b in zip(found, wanted, strict=True):
            assert (a.to_dense() - b).norm() < 1e-5 * b.norm()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_cosines_are_float32_in_autocast(dtype, embeddings):
    head = heads.PartialFC(SIZE, CLASSES, 0.3, seeded())
    expected, _ = head.cosine(embeddings.to(dtype).float(), LABELS, seeded(1))
    with torch.autocast("cpu", dtype=dtype):
        cosine, places = head.cosine(embeddings.to(dtype), LABELS, seeded(1))
        assert cosine.dtype == torch.float32 and torch.equal(cosine, expected)
        F.cross_entropy(margins.ArcFace()(cosine, places), places, ignore_index=-1).backward()
    assert head.weight.grad.dtype == torch.float32 and head.weight.grad.is_sparse


def test_called_as_it_is_it_knows_all_classes(embeddings):
    head = heads.PartialFC(SIZE, CLASSES, 0.1, seeded())
    assert torch.equal(head(embeddings), heads.CosineClassifier(SIZE, CLASSES, seeded())(embeddings))
    assert "rate=0.1" in repr(head) and f"classes={CLASSES}" in repr(head)


@pytest.mark.parametrize("rate", [0, -0.1, 1.01, 10, float("nan")])
def test_a_rate_that_is_no_share_is_refused(rate):
    with pytest.raises(FaceLibError, match=f"rate={rate}.*at most 1"):
        heads.PartialFC(2, 5, rate)


@pytest.mark.parametrize("rate", [0.5, 1])
def test_labels_that_the_head_has_not_are_refused(rate):
    head = heads.PartialFC(2, 5, rate)
    for labels, message in [([0, 5], "0 to 5, the head has classes 0 to 4"), ([-2, 0], "-2 to 0")]:
        with pytest.raises(FaceLibError, match=message):
            head.draw(torch.tensor(labels))
    with pytest.raises(FaceLibError, match="integers"):
        head.draw(torch.tensor([0.0]))
