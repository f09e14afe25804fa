"""The rules with a state or with norms: how the state moves, and the losses that go with them."""

import math

import pytest
import torch

from facelib import FaceLibError, margins
from tests.margins.rules import LABELS, RULES


def test_state_of_adaface():
    margin = margins.AdaFace(momentum=0.1)
    norms = torch.tensor([10.0, 30.0, 50.0])
    margin(torch.zeros(3, 2), torch.zeros(3, dtype=torch.long), norms)
    assert margin.mean.item() == pytest.approx(0.9 * 20 + 0.1 * 30)
    assert margin.std.item() == pytest.approx(0.9 * 100 + 0.1 * 20)
    margin(torch.zeros(1, 2), torch.zeros(1, dtype=torch.long), norms[:1])  # a single one has no spread
    margin.eval()(torch.zeros(3, 2), torch.zeros(3, dtype=torch.long), norms)
    assert {k: round(v.item(), 4) for k, v in margin.state_dict().items()} == {"mean": 21.0, "std": 92.0}


def test_state_of_curricularface():
    margin = margins.CurricularFace(momentum=0.1)
    cosine, labels = torch.tensor([[0.2, 0.8], [0.6, 0.1], [1.0, 1.0]]), torch.tensor([0, 0, -1])
    logits = margin(cosine, labels)
    assert margin.t.item() == pytest.approx(0.1 * 0.4)
    assert logits[0, 1].item() == pytest.approx(64 * 0.8 * (0.04 + 0.8), rel=1e-5), "t moves before it is used"
    margin(cosine, torch.full((3,), -1))
    margin.eval()(cosine, labels)
    assert margin.state_dict()["t"].item() == pytest.approx(0.04)


@pytest.mark.parametrize("odd", [math.inf, -math.inf, math.nan])
def test_a_batch_that_overflowed_leaves_no_trace(odd):
    margin, cosine = margins.AdaFace(), torch.full((3, 2), 0.5)
    with torch.no_grad():
        margin(cosine, LABELS[:3].clamp(max=1), torch.tensor([10.0, odd, 50.0]))
    assert {k: v.item() for k, v in margin.state_dict().items()} == {"mean": 20, "std": 100}
    assert margin(cosine, LABELS[:3].clamp(max=1), torch.tensor([10.0, 30.0, 50.0])).isfinite().all()
    assert margin.mean.item() == pytest.approx(0.99 * 20 + 0.01 * 30), "the next one moves it again"
    curricular = margins.CurricularFace()
    curricular(torch.tensor([[0.5, 0.1], [odd, 0.2]]), torch.tensor([0, 0]))
    assert curricular.t.item() == 0


def test_states_follow_finite_batches_as_lerp_does():
    margin, curricular = margins.AdaFace(), margins.CurricularFace()
    mean, std, t = (x.clone() for x in (margin.mean, margin.std, curricular.t))
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        cosine, norms = torch.rand(8, 4, generator=generator), 30 * torch.rand(8, generator=generator)
        labels = torch.randint(4, (8,), generator=generator)
        margin(cosine, labels, norms), curricular(cosine, labels)
        mean.lerp_(norms.mean(), 0.01), std.lerp_(norms.std(), 0.01)
        t.lerp_(cosine.gather(1, labels[:, None])[:, 0].sum() / 8, 0.01 * torch.tensor(1.0))
    assert torch.equal(margin.mean, mean) and torch.equal(margin.std, std) and torch.equal(curricular.t, t)


def test_unified_cross_entropy_is_equation_31():
    margin = margins.UniFace(3, s=8, m=0.4)
    cosine = torch.tensor([[0.7, 0.2, -0.4], [0.1, 0.5, 0.3]], dtype=torch.float64)
    labels, b = [0, 2], math.log(30)
    rows = []
    for row, y in zip(cosine.tolist(), labels, strict=True):
        others = [math.log(1 + math.exp(8 * c - b)) for j, c in enumerate(row) if j != y]
        rows.append((math.log(1 + math.exp(-8 * (row[y] - 0.4) + b)), sum(others)))
    for balance in (1, 0.5):
        loss = margins.unified_cross_entropy(margin(cosine, torch.tensor(labels)), torch.tensor(labels), balance)
        assert loss.item() == pytest.approx(sum(a + balance * o for a, o in rows) / 2, rel=1e-6)
    loss.backward()
    assert margin.b.grad.item() != 0


def test_regulariser_of_magface():
    margin, norms = margins.MagFace(), torch.tensor([5.0, 20.0, 110.0, 200.0], requires_grad=True)
    loss = margin.regulariser(norms)
    assert loss.item() == pytest.approx(sum(1 / a + a / 110**2 for a in norms.tolist()) / 4)
    loss.backward()
    assert norms.grad[0] < norms.grad[1] < 0 and norms.grad[3] > 0
    assert norms.grad[2].abs() < 1e-7, "smallest at u_a"


@pytest.mark.parametrize("name", ["MagFace", "AdaFace"])
def test_missing_norms_are_asked_for(name, cosine):
    with pytest.raises(FaceLibError, match=f"{name} needs norms"):
        RULES[name][0]()(cosine, LABELS)
