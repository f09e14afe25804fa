"""Each margin against its equation, row by row in float64 with Python's own math; then where rules become others."""

import math

import pytest
import torch

from facelib import margins
from tests.margins.rules import DTYPES, LABELS, NORMS, RULES, S

TOLERANCE = {torch.float64: 1e-6}  # of logits up to 30, with a state in float32; the other dtypes compute in float32


def literal(name, cosine, labels, norms):
    """Logits as the papers print them: one row, one class at a time."""
    rows = []
    for values, label, norm in zip(cosine.tolist(), labels.tolist(), norms.tolist(), strict=True):
        target = RULES[name][1](math.acos(values[label]), norm) if label >= 0 else math.inf
        row = []
        for j, c in enumerate(values):
            if name == "CurricularFace" and c > target:
                c = c * (0.3 + c)
            row.append(S * (target if j == label else c) - (math.log(1000) if name == "UniFace" else 0))
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("gradient", ["exact", "detached"])
@pytest.mark.parametrize("name", RULES)
def test_the_papers_equation(name, gradient, dtype, cosine, device):
    cosine, margin = cosine.to(dtype), RULES[name][0](gradient=gradient)
    if isinstance(margin, torch.nn.Module):
        margin.to(device, torch.float64 if dtype == torch.float64 else torch.float32)  # its state too
    before = cosine.clone()
    logits = margin(cosine.to(device), LABELS.to(device), NORMS.to(device))
    assert logits.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert logits.device.type == device
    assert torch.equal(cosine, before), "the input was changed"
    expected = literal(name, cosine.double(), LABELS, NORMS)
    assert (logits.cpu().double() - expected).abs().max() < TOLERANCE.get(dtype, 1e-4)


@pytest.mark.parametrize("name", RULES)
def test_gradient_against_finite_differences(name, cosine):
    margin = RULES[name][0]()
    values = (cosine.requires_grad_(), NORMS.clone().requires_grad_(name == "MagFace"))
    assert torch.autograd.gradcheck(lambda c, n: margin(c, LABELS, n), values)


@pytest.mark.parametrize("name", RULES)
def test_detached_gradient_is_s(name, cosine):
    cosine.requires_grad_()
    RULES[name][0](gradient="detached")(cosine, LABELS, NORMS).sum().backward()
    assert torch.allclose(cosine.grad, torch.full_like(cosine, S))


def test_exact_gradient_of_arcface_by_hand():
    theta = torch.linspace(0.1, math.pi - 0.6, 50, dtype=torch.float64)
    cosine = torch.cos(theta).requires_grad_()
    margins.ArcFace(s=1, m=0.5).target(cosine).sum().backward()
    assert torch.allclose(cosine.grad, torch.sin(theta + 0.5) / torch.sin(theta))


WITHOUT = {
    "SphereFace": margins.SphereFace(s=S, m=1),
    "CosFace": margins.CosFace(s=S, m=0),
    "ArcFace": margins.ArcFace(s=S, m=0),
    "Combined": margins.Combined(s=S, m1=1, m2=0, m3=0),
    "MagFace": margins.MagFace(s=S, l_m=0, u_m=0),
    "AdaFace": margins.AdaFace(s=S, m=0),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_no_margin_is_normface(name, cosine):
    assert torch.allclose(WITHOUT[name](cosine, LABELS, NORMS), margins.NormFace(s=S)(cosine, LABELS))


def test_no_margin_in_the_rules_that_change_other_logits(cosine):
    uniface = margins.UniFace(100, s=S, m=0)
    assert torch.allclose(uniface(cosine, LABELS) + uniface.b, margins.NormFace(s=S)(cosine, LABELS))
    easy = torch.tensor([[0.9, 0.1], [-0.3, 0.2]], dtype=torch.float64)  # no class is nearer than the right one
    labels = torch.tensor([0, 1])
    assert torch.allclose(margins.CurricularFace(s=S, m=0)(easy, labels), margins.NormFace(s=S)(easy, labels))


def test_combined_holds_the_other_three(cosine):
    for margin, special in [
        (margins.ArcFace(S, 0.5), margins.Combined(S, 1, 0.5, 0)),
        (margins.CosFace(S, 0.35), margins.Combined(S, 1, 0, 0.35)),
        (margins.SphereFace(S, 1.35), margins.Combined(S, 1.35, 0, 0, beyond="fold")),
    ]:
        assert torch.allclose(margin(cosine, LABELS), special(cosine, LABELS))
