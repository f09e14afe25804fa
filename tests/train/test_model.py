"""Network, head and margin together: every metric, rows without a label, a margin that grows."""

import pytest
import torch
from torch.nn import functional as F

from facelib import FaceLibError
from facelib.heads import LinearClassifier, PartialFC, ShardedClassifier, SubCenter
from facelib.train import Recipe
from facelib.train.model import MAGFACE_REGULARISER, Recogniser, make_margin, scaled
from facelib.train.recipe import METRICS

SMALL = Recipe(backbone="mobilefacenet", embedding=8, size=16, scale=16)


def model(**changes):
    torch.manual_seed(0)
    return Recogniser(SMALL.but(**changes), classes=5)


def batch(count=6):
    crops = torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    return crops, torch.arange(count) % 5


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_trains(metric):
    net = model(metric=metric, scale=0 if metric == "softmax" else 16)
    loss, accuracy = net(*batch())
    loss.backward()
    assert loss.isfinite() and loss > 0 and 0 <= accuracy <= 1
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.head.parameters())
    assert next(net.network.parameters()).grad.abs().sum() > 0


def test_the_loss_by_hand():
    net = model(metric="cosface", margin=0.2)
    crops, labels = batch()
    loss, accuracy = net(crops, labels)
    x = F.normalize(net.network(crops))
    cosine = x @ F.normalize(net.head.weight).T
    logits = 16 * (cosine - 0.2 * F.one_hot(labels, 5))
    assert loss.item() == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-5)
    assert accuracy.item() == pytest.approx((cosine.argmax(1) == labels).float().mean().item())


@pytest.mark.parametrize("metric", ["cosface", "magface", "uniface"])
def test_rows_without_a_label_do_not_count(metric):
    net = model(metric=metric).eval()  # so that batch statistics do not differ
    crops, labels = batch()
    with torch.no_grad():
        for layer in net.network.modules():
            if isinstance(layer, torch.nn.BatchNorm1d):
                layer.running_var.fill_(1e-4)  # lengths in MagFace's range
        want, _ = net(crops[:4], labels[:4])
        labels[4:] = -1
        got, _ = net(crops, labels)
    if metric == "uniface":  # its negatives count for every row
        assert got > 0
    else:
        assert got.item() == pytest.approx(want.item(), rel=1e-5)


def test_a_batch_without_any_label_has_no_gradient_and_no_loss():
    net = model(metric="arcface")
    crops, labels = batch()
    loss, _ = net(crops, torch.full_like(labels, -1))
    loss.backward()
    assert loss.item() == 0
    assert all(p.grad is None or p.grad.abs().max() == 0 for p in net.parameters())


def test_magface_lengthens_embeddings():
    net = model(metric="magface")
    crops, labels = batch()
    loss, _ = net(crops, labels)
    norms = torch.linalg.vector_norm(net.network(crops), dim=1)
    cosine = net.head(net.network(crops))
    bare = F.cross_entropy(net.margin(cosine, labels, norms), labels)
    extra = MAGFACE_REGULARISER * net.margin.regulariser(norms)
    assert loss.item() == pytest.approx((bare + extra).item(), rel=1e-4)


def test_label_smoothing():
    plain, smooth = (model(metric="normface", label_smoothing=e)(*batch())[0].item() for e in (0, 0.2))
    assert plain != pytest.approx(smooth, rel=1e-3)


def test_half_precision_leaves_the_head_alone():
    net = model(metric="arcface")
    with torch.autocast("cpu", torch.bfloat16):
        loss, _ = net(*batch())
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(net(*batch())[0].item(), rel=0.1)


@pytest.mark.parametrize("metric", ["sphereface", "cosface", "arcface", "combined"])
def test_a_margin_grows_from_nothing(metric):
    cosine, labels = torch.tensor([[0.3, 0.1], [-0.5, 0.6]]), torch.tensor([0, 1])
    margin = make_margin(SMALL.but(metric=metric), 2)
    plain = make_margin(SMALL.but(metric="normface"), 2)(cosine, labels)
    assert torch.allclose(scaled(margin, 0.0)(cosine, labels), plain, atol=1e-4)
    assert torch.equal(scaled(margin, 1.0)(cosine, labels), margin(cosine, labels))
    half = scaled(margin, 0.5)(cosine, labels)
    assert (half.diagonal() < plain.diagonal()).all() and (half.diagonal() > margin(cosine, labels).diagonal()).all()


@pytest.mark.parametrize("metric", ["arcface", "adaface", "magface"])
def test_a_sharded_head_alone_is_the_whole_one(metric):
    """Same centres at the start, same loss and accuracy, gradients; an unreadable picture counts nowhere."""
    torch.manual_seed(0)
    crops, labels = torch.randn(6, 3, 16, 16), torch.tensor([0, 1, 1, 4, 0, -1])
    found = []
    for head in ("whole", "sharded"):
        made = model(metric=metric, head=head)
        loss, accuracy = made(crops, labels, 1.0)
        loss.backward()
        found.append([loss.detach(), accuracy, *(p.grad for p in made.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=2e-4)


def test_heads_that_suit():
    assert isinstance(model(head="sharded").head, ShardedClassifier)
    assert isinstance(model(metric="softmax", scale=0).head, LinearClassifier)
    assert isinstance(model(sub_centers=3).head, SubCenter)
    assert (
        isinstance(model(head="partial", rate=0.3).head, PartialFC) and model(head="partial", rate=0.3).head.rate == 0.3
    )


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"metric": "softmax", "sub_centers": 2}, "--sub-centers"),
        ({"metric": "softmax", "head": "partial"}, "--head partial"),
        ({"sub_centers": 2, "head": "partial"}, "--head partial"),
        ({"sub_centers": 2, "head": "sharded"}, "--head sharded"),
        ({"metric": "curricularface", "head": "sharded"}, "--metric curricularface changes other logits"),
        ({"label_smoothing": 0.1, "head": "sharded"}, "--label-smoothing needs"),
        ({"metric": "normface", "margin": 0.3}, "no margin of its own"),
        ({"recompute": True}, "--recompute"),
        ({"backbone": "resnet5"}, "no backbone"),
    ],
)
def test_what_does_not_go_together_is_said(changes, named):
    with pytest.raises(FaceLibError, match=named):
        model(**changes)


def test_no_warm_up_for_margins_with_a_state():
    with pytest.raises(FaceLibError, match="AdaFace"):
        model(metric="adaface")(*batch(), share=0.5)
