"""What an optimiser is told of a head: who gets weight decay, and that rows without a gradient stand still."""

import copy

import pytest
import torch
from torch.nn import functional as F

from facelib import heads, margins
from tests.heads.helpers import CLASSES, LABELS, SIZE, make, seeded


def test_parameter_groups():
    head, margin = make("CosineClassifier"), margins.UniFace(CLASSES)
    body = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.PReLU(4))
    decay, free = heads.parameter_groups(body, head, margin, body, weight_decay=0.1)
    assert {id(p) for p in decay["params"]} == {id(body[0].weight), id(head.weight)} and decay["weight_decay"] == 0.1
    assert len(free["params"]) == 5 and free["weight_decay"] == 0
    torch.optim.SGD([decay, free], lr=0.1)


def sample_step(head, optimizer, seed, labels=LABELS):
    """One step of the sampled loss; returns the rows drawn."""
    x = torch.randn(len(labels), SIZE, generator=seeded(seed))
    optimizer.zero_grad()
    cosine, places = head.cosine(x, labels, seeded(seed))
    F.cross_entropy(margins.CosFace(s=16)(cosine, places), places, ignore_index=-1).backward()
    optimizer.step()
    return head.weight.grad._indices()[0]


OPTIMISERS = {
    "sgd": lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9),
    "nesterov": lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True),
    "adamw": lambda groups: torch.optim.AdamW(groups, lr=0.01),
}


@pytest.mark.parametrize("kind", OPTIMISERS)
def test_rows_not_drawn_stand_still(kind):
    """Bit for bit, with decay and momentum, also once they have been drawn before."""
    head = heads.PartialFC(SIZE, CLASSES, 0.3, seeded())
    optimizer = heads.by_rows(OPTIMISERS[kind](heads.parameter_groups(head, weight_decay=0.1)))
    seen, waited = torch.zeros(CLASSES, dtype=torch.bool), 0
    for seed in range(12):
        before = head.weight.detach().clone()
        kept = {k: v.clone() for k, v in optimizer.state[head.weight].items() if v.ndim == 2}
        rows = sample_step(head, optimizer, seed, LABELS + seed % 2 * (LABELS > 0).long() * -1)
        others = torch.ones(CLASSES, dtype=torch.bool).index_fill(0, rows, False)
        assert torch.equal(head.weight[others], before[others])
        assert (head.weight[rows] != before[rows]).any(1).all()
        for name, value in kept.items():
            assert torch.equal(optimizer.state[head.weight][name][others], value[others])
        waited += (seen & others).sum()
        seen[rows] = True
    assert waited > 50, "rows with momentum have been left out"


@pytest.mark.parametrize("kind", OPTIMISERS)
def test_rows_that_are_drawn_move_as_they_would_alone(kind):
    """The same rows drawn in every step: as a small head of these rows under the plain optimiser."""
    head = heads.PartialFC(SIZE, CLASSES, 0.3, seeded())
    rows = torch.tensor([0, 2, 5, 17, 30, 36])
    small = torch.nn.Parameter(head.weight.detach()[rows].clone())
    ours = heads.by_rows(OPTIMISERS[kind]([{"params": [head.weight], "weight_decay": 0.1}]))
    plain = OPTIMISERS[kind]([{"params": [small], "weight_decay": 0.1}])
    for seed in range(5):
        x = torch.randn(4, SIZE, generator=seeded(seed))
        for optimizer, centres in [(ours, F.embedding(rows, head.weight, sparse=True)), (plain, small)]:
            optimizer.zero_grad()
            (x @ centres.T).square().sum().backward()
            optimizer.step()
    assert torch.equal(head.weight[rows], small)


def test_two_draws_before_one_step():
    """Gradients of parts of a batch add up: a row that both drew moves by the sum, and once."""
    weights = []
    for together in (True, False):
        head = heads.PartialFC(SIZE, CLASSES, 0.3, seeded())
        optimizer = heads.by_rows(torch.optim.SGD([head.weight], lr=0.1, weight_decay=0.1))
        losses = []
        for seed in range(2):
            cosine, places = head.cosine(torch.randn(8, SIZE, generator=seeded(seed)), LABELS, seeded(seed))
            losses.append(F.cross_entropy(8 * cosine, places, ignore_index=-1))
        sum(losses).backward() if together else [loss.backward() for loss in losses]
        optimizer.step()
        weights.append(head.weight.detach())
        gradient = head.weight.grad.to_dense()
    drawn = gradient.any(1)
    start = heads.CosineClassifier(SIZE, CLASSES, seeded()).weight
    expected = torch.where(drawn[:, None], start - 0.1 * (gradient + 0.1 * start), start)
    assert torch.allclose(weights[0], expected, atol=1e-7) and torch.allclose(weights[1], expected, atol=1e-7)
    assert not drawn.all()


def test_dense_gradients_move_as_ever():
    """Beside a head of rows, and the head itself where its gradient is dense."""
    results = []
    for wrap in (heads.by_rows, lambda optimizer: optimizer):
        body = torch.nn.Linear(SIZE, SIZE)
        head = heads.PartialFC(SIZE, CLASSES, 1, seeded())
        with torch.no_grad():
            body.weight.copy_(torch.eye(SIZE))
            body.bias.zero_()
        optimizer = wrap(torch.optim.SGD(heads.parameter_groups(body, head), lr=0.1, momentum=0.9))
        for seed in range(3):
            optimizer.zero_grad()
            cosine, places = head.cosine(body(torch.randn(8, SIZE, generator=seeded(seed))), LABELS)
            F.cross_entropy(16 * cosine, places, ignore_index=-1).backward()
            optimizer.step()
        results.append([p.detach() for p in (*body.parameters(), head.weight)])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_state_goes_through_a_checkpoint():
    """Saved after three steps and loaded elsewhere, the run goes on bit for bit."""

    def new():
        head = heads.PartialFC(SIZE, CLASSES, 0.3, seeded())
        groups = heads.parameter_groups(head)
        return head, heads.by_rows(torch.optim.SGD(groups, lr=0.1, momentum=0.9))

    head, optimizer = new()
    for seed in range(3):
        sample_step(head, optimizer, seed)
    saved = copy.deepcopy((head.state_dict(), optimizer.state_dict()))
    assert saved[1]["state"][0]["momentum_buffer"].shape == (CLASSES, SIZE)
    again, other = new()
    again.load_state_dict(saved[0])
    other.load_state_dict(saved[1])
    for seed in range(3, 6):
        sample_step(head, optimizer, seed)
        sample_step(again, other, seed)
    assert torch.equal(head.weight, again.weight)


def test_without_it_a_sparse_gradient_with_decay_is_refused():
    """So that nobody forgets ``by_rows`` without noticing."""
    for kind, make_one in OPTIMISERS.items():
        head = heads.PartialFC(SIZE, CLASSES, 0.3, seeded())
        with pytest.raises(RuntimeError, match="sparse"):
            sample_step(head, make_one(heads.parameter_groups(head)), 0)
        assert kind


@pytest.mark.parametrize("rows", [[0, 3, 3], [3, 0, 3], [5, 4, 3], [3, 3, 3], []], ids=str)
def test_rows_named_twice_or_out_of_order(rows):
    """As gradients come that were added up on a GPU: each row moves once, by the sum of what is said of it."""
    weights = [torch.nn.Parameter(torch.ones(7, 2)) for _ in range(2)]
    optimizer = heads.by_rows(torch.optim.SGD(weights, lr=0.5, weight_decay=1.0))
    rows = torch.tensor(rows, dtype=torch.long)
    for weight in weights:
        weight.grad = torch.sparse_coo_tensor(
            rows[None], torch.arange(2.0 * len(rows)).view(-1, 2), weight.shape, check_invariants=True
        )
    gradient = weights[0].grad.to_dense()
    optimizer.step()
    drawn = torch.zeros(7, 1, dtype=torch.bool).index_fill(0, rows, True)
    for weight in weights:
        assert torch.equal(weight, torch.where(drawn, 1 - 0.5 * (gradient + 1), 1))
