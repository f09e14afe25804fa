"""What every margin must keep: finite gradients, float32 logits, one graph, the input's device, hostile steps."""

import math

import pytest
import torch
from torch.nn import functional as F

import facelib
from tests.margins.rules import DTYPES, LABELS, NORMS, RULES, S


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", RULES)
def test_gradient_at_the_ends(name, dtype):
    """Finite at +-1 and just outside; where the equation has a slope there, not lost in a clamp."""
    ends = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0000001, 0.0], [-1.0000001, 0.0]])
    ends = ends.to(dtype).requires_grad_()
    norms = torch.tensor([5.0, 20.0, 60.0, 150.0])
    RULES[name][0]()(ends, torch.zeros(4, dtype=torch.long), norms).sum().backward()
    assert ends.grad.isfinite().all()
    if name not in ("AdaFace", "Combined 0.9"):  # one is clamped by its authors; the other's m1 < 1 turns at 0
        assert (ends.grad[:, 0] > 0).all()


@pytest.mark.parametrize("name", RULES)
def test_length_of_the_embedding(name):
    """Only the rules that ask for norms may notice it."""
    generator = torch.Generator().manual_seed(1)
    x, head = torch.randn(6, 8, generator=generator), facelib.CosineClassifier(8, 4)
    margin = RULES[name][0]()
    logits = [margin(head(k * x), LABELS, torch.linalg.vector_norm(k * x, dim=1)) for k in (1, 7)]
    assert torch.allclose(*logits, atol=1e-4) == (name not in ("MagFace", "AdaFace"))


@pytest.mark.parametrize("name", RULES)
def test_in_autocast_the_logits_are_float32_and_the_same(name, cosine):
    margin, cosine = RULES[name][0](), cosine.float()
    expected = margin(cosine, LABELS, NORMS.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = margin(cosine, LABELS, NORMS.float())
    assert logits.dtype == torch.float32
    assert torch.equal(logits, expected)


@pytest.mark.parametrize("name", RULES)
def test_compiles_into_one_graph(name, cosine):
    torch._dynamo.reset()
    margin, eager = RULES[name][0](), RULES[name][0]()
    if isinstance(margin, torch.nn.Module):
        margin.train(), eager.train()  # the state moves inside the graph
    compiled = torch.compile(margin, backend="aot_eager", fullgraph=True)
    for _ in range(2):
        assert torch.allclose(compiled(cosine, LABELS, NORMS), eager(cosine, LABELS, NORMS))


@pytest.mark.parametrize("name", RULES)
def test_nothing_is_made_on_another_device(name, cosine):
    """The default device is one on which nothing can be computed; every new tensor must name the input's own."""
    margin = RULES[name][0]()
    expected = margin(cosine, LABELS, NORMS)
    with torch.device("meta"):
        logits = margin(cosine, LABELS, NORMS)
    assert torch.equal(logits, expected)


@pytest.mark.parametrize(
    ("name", "gradient"), [*((name, "exact") for name in RULES if " " not in name), ("ArcFace", "detached")]
)
def test_a_thousand_hostile_steps_in_bfloat16(name, gradient):
    """Embeddings on their own centre, on the opposite one, huge and tiny, with steps far too large."""
    generator = torch.Generator().manual_seed(2)
    head, margin = facelib.CosineClassifier(4, 5).bfloat16(), RULES[name][0](gradient=gradient)
    x = torch.randn(8, 4, generator=generator).bfloat16().requires_grad_()
    for step in range(1000):
        labels = torch.randint(-1, 5, (8,), generator=generator)
        if step % 5 == 0:
            with torch.no_grad():
                x.copy_(head.weight[labels.clamp(min=0)] * (-1) ** (step // 5) * 10.0 ** (step % 7 - 3))
        logits = margin(head(x), labels, torch.linalg.vector_norm(x.float(), dim=1))
        loss = F.cross_entropy(logits, labels.clamp(min=0))
        grads = torch.autograd.grad(loss, (x, head.weight))
        with torch.no_grad():
            x -= 1.0 * grads[0]
            head.weight -= 0.1 * grads[1]
    assert x.isfinite().all() and head.weight.isfinite().all() and loss.isfinite()


def test_rows_without_a_class_here_keep_their_cosines(cosine):
    for name in RULES:
        logits = RULES[name][0]()(cosine, torch.full((6,), -1), NORMS)
        offset = math.log(1000) if name == "UniFace" else 0
        assert torch.allclose(logits, S * cosine - offset), name
