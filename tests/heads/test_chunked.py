"""The loss in class blocks equals the loss over the whole matrix."""

import os
import subprocess
import sys

import pytest
import torch
from torch.nn import functional as F

import facelib
from facelib import FaceLibError, heads, margins
from tests.heads.helpers import CLASSES, LABELS, MARGINS, dense, make


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


def test_nothing_is_made_on_another_device(embeddings):
    head = make("CosineClassifier")
    expected = facelib.chunked_cross_entropy(embeddings, head.weight, LABELS, margins.ArcFace(), 5)[0]
    expected.backward()
    with torch.device("meta"):
        loss, _ = facelib.chunked_cross_entropy(embeddings, head.weight, LABELS, margins.ArcFace(), 5)
        loss.backward()
        head(embeddings)
    assert torch.equal(loss, expected)
