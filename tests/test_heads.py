"""Heads: cosines as defined, and the loss in class blocks equal to the loss over the whole matrix."""

import math
import os
import subprocess
import sys

import pytest
import torch
from torch.nn import functional as F

import facelib
from facelib import FaceLibError, heads, margins

CLASSES, SIZE = 37, 12
LABELS = torch.tensor([0, 36, 5, 5, -1, 17, 30, 2])


@pytest.fixture
def embeddings(device):
    x = torch.randn(8, SIZE, generator=torch.Generator().manual_seed(3)) * torch.tensor([[1.0], [20.0]]).repeat(4, 1)
    return x.to(device).requires_grad_()


def make(kind, device="cpu"):
    torch.manual_seed(4)
    head = heads.SubCenter(SIZE, CLASSES, 3) if kind == "SubCenter" else heads.CosineClassifier(SIZE, CLASSES)
    with torch.no_grad():  # centres of many lengths, one of them 0.001
        head.weight *= torch.logspace(-2, 2, CLASSES).view(-1, *[1] * (head.weight.ndim - 1))
    return head.to(device)


def dense(head, embeddings, labels, margin):
    """The plain way, with the whole matrix in memory."""
    cosine = head(embeddings)
    norms = torch.linalg.vector_norm(embeddings.float(), dim=1)
    loss = F.cross_entropy(margin(cosine, labels, norms), labels, ignore_index=-1)
    return loss, facelib.clean_accuracy(cosine, labels)


MARGINS = [
    margins.NormFace(),
    margins.CosFace(),
    margins.ArcFace(),
    margins.ArcFace(gradient="detached"),
    margins.SphereFace(),
    margins.Combined(),
    margins.MagFace(l_a=1, u_a=60),
    margins.AdaFace(),
]


@pytest.mark.parametrize("block", [1, 5, 36, 37, 1000, None])
@pytest.mark.parametrize("margin", MARGINS, ids=lambda m: f"{type(m).__name__}-{m.gradient}")
@pytest.mark.parametrize("kind", ["CosineClassifier", "SubCenter"])
def test_in_blocks_as_at_once(kind, margin, block, embeddings, device):
    head, labels = make(kind, device), LABELS.to(device)
    if isinstance(margin, torch.nn.Module):
        margin.to(device).eval()
    loss, accuracy = dense(head, embeddings, labels, margin)
    expected = torch.autograd.grad(loss, (embeddings, head.weight))
    chunked, share = facelib.chunked_cross_entropy(embeddings, head.weight, labels, margin, block)
    found = torch.autograd.grad(chunked, (embeddings, head.weight))
    assert abs(chunked - loss) <= 1e-5 * loss
    assert share == accuracy
    for a, b in zip(found, expected, strict=True):
        assert ((a - b).norm() / b.norm()) < 1e-5


@pytest.mark.parametrize("kind", ["CosineClassifier", "SubCenter"])
def test_gradient_of_the_blocks_against_finite_differences(kind):
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(4, 3, generator=generator, dtype=torch.float64).requires_grad_()
    shape = (5, 2, 3) if kind == "SubCenter" else (5, 3)
    weight = torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
    labels = torch.tensor([0, 4, -1, 2])
    for margin in (margins.ArcFace(s=8), margins.MagFace(s=8, l_a=0.1, u_a=5)):
        assert torch.autograd.gradcheck(
            lambda e, w, m=margin: facelib.chunked_cross_entropy(e, w, labels, m, 2)[0], (x, weight)
        )


def test_three_numbers_a_row_are_what_a_shard_tells_the_others(embeddings, device):
    """Two halves of the classes, as two devices would hold them, put together give the whole."""
    head, margin = make("CosineClassifier", device), margins.ArcFace()
    labels = LABELS.clamp(min=0).to(device)
    x = F.normalize(embeddings)
    parts = []
    for start, stop in ((0, 20), (20, CLASSES)):
        here = torch.where((labels >= start) & (labels < stop), labels - start, -1)
        parts.append(heads.BlockwiseCosine.apply(x, head.weight[start:stop], here, 64.0, 7))
    target, rest = parts[0][0] + parts[1][0], torch.logaddexp(parts[0][1], parts[1][1])
    logit = 64 * margin.target(target)
    loss = F.softplus(rest - logit).mean()
    whole = dense(head, embeddings, labels, margin)[0]
    assert torch.allclose(loss, whole)
    for a, b in zip(
        torch.autograd.grad(loss, (embeddings, head.weight)),
        torch.autograd.grad(whole, (embeddings, head.weight)),
        strict=True,
    ):
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-5 * b.abs().max().item())


def test_memory_of_the_blocks_does_not_grow_with_the_classes():
    """Forward and backward of 200,000 classes, in a process that never holds a (batch, classes) matrix of 205 MB."""
    pytest.importorskip("resource", reason="not on Windows")
    code = """if True:
        import resource, sys, torch
        from facelib import margins, heads
        torch.set_num_threads(1)
        x, w = torch.randn(256, 16, requires_grad=True), torch.randn(200_000, 16, requires_grad=True)
        w.grad = torch.zeros_like(w)
        y = torch.arange(256)
        def step(classes):
            heads.chunked_cross_entropy(x, w[:classes], y, margins.ArcFace())[0].backward()
        step(1000)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        step(200_000)
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * (1 if sys.platform == "darwin" else 1024))
    """
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert int(result.stdout) < 100e6


def test_extreme_rows_stay_exact(device):
    """A row on its centre, one on the opposite side, and one class alone: no NaN, no infinity."""
    weight = torch.eye(6, device=device).requires_grad_()
    x = torch.stack([weight[0], -weight[1], weight[2] * 1e-8]).detach().requires_grad_()
    labels = torch.tensor([0, 1, 3], device=device)
    for count in (6, 4):
        loss, accuracy = facelib.chunked_cross_entropy(x, weight[:count], labels, margins.ArcFace(), 1)
        expected = F.cross_entropy(margins.ArcFace()(F.linear(F.normalize(x), weight[:count]), labels), labels)
        assert torch.allclose(loss, expected) and accuracy == pytest.approx(1 / 3)
        assert all(g.isfinite().all() for g in torch.autograd.grad(loss, (x, weight)))
    alone, _ = facelib.chunked_cross_entropy(x, weight[:1], torch.zeros(3, dtype=torch.long), margins.ArcFace())
    assert alone == 0 and all(g.isfinite().all() for g in torch.autograd.grad(alone, (x, weight)))
    nobody, accuracy = facelib.chunked_cross_entropy(x, weight, torch.full((3,), -1), margins.ArcFace())
    assert nobody == 0 and accuracy == 0


def test_the_state_of_adaface_moves_once(embeddings):
    plain, blocks = margins.AdaFace(momentum=0.5), margins.AdaFace(momentum=0.5)
    head = make("CosineClassifier")
    loss = dense(head, embeddings, LABELS, plain)[0]
    assert torch.allclose(loss, facelib.chunked_cross_entropy(embeddings, head.weight, LABELS, blocks, 4)[0])
    assert plain.mean == blocks.mean != 20 and plain.std == blocks.std != 100


@pytest.mark.parametrize(
    "margin", [margins.CurricularFace(), margins.UniFace(CLASSES), margins.Softmax()], ids=lambda m: type(m).__name__
)
def test_margins_that_need_the_whole_matrix_are_refused(margin, embeddings):
    with pytest.raises(FaceLibError, match=f"{type(margin).__name__}.*blocks"):
        facelib.chunked_cross_entropy(embeddings, make("CosineClassifier").weight, LABELS, margin)


def test_wrong_arguments_are_named(embeddings):
    weight = make("CosineClassifier").weight
    for arguments, message in [
        ((embeddings, weight.T, LABELS), r"\(8, 12\), \(12, 37\)"),
        ((embeddings, weight, LABELS[:2]), r"\(2,\)"),
        ((embeddings, weight, LABELS + 1), "0 to 37, the head has classes 0 to 36"),
    ]:
        with pytest.raises(FaceLibError, match=message):
            facelib.chunked_cross_entropy(*arguments, margins.ArcFace())
    with pytest.raises(FaceLibError, match="block=0"):
        facelib.chunked_cross_entropy(embeddings, weight, LABELS, margins.ArcFace(), 0)


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


def test_parameter_groups():
    head, margin = make("CosineClassifier"), margins.UniFace(CLASSES)
    body = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.PReLU(4))
    decay, free = heads.parameter_groups(body, head, margin, body, weight_decay=0.1)
    assert {id(p) for p in decay["params"]} == {id(body[0].weight), id(head.weight)} and decay["weight_decay"] == 0.1
    assert len(free["params"]) == 5 and free["weight_decay"] == 0
    torch.optim.SGD([decay, free], lr=0.1)


def test_nothing_is_made_on_another_device(embeddings):
    head = make("CosineClassifier")
    expected = facelib.chunked_cross_entropy(embeddings, head.weight, LABELS, margins.ArcFace(), 5)[0]
    expected.backward()
    with torch.device("meta"):
        loss, _ = facelib.chunked_cross_entropy(embeddings, head.weight, LABELS, margins.ArcFace(), 5)
        loss.backward()
        head(embeddings)
    assert torch.equal(loss, expected)
