"""Backbones: shapes, sizes as published, every part in its place."""

import pytest
import torch
from torch import nn

from facelib import FaceLibError
from facelib.backbones import ALIASES, NAMES, EmbeddingBlock, IResNet, MobileFaceNet, create
from facelib.backbones.adapters import Adapted
from facelib.backbones.iresnet import Block
from facelib.backbones.measure import cost


def crops(count=2, size=112, seed=0):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def settled(network, x):
    """In evaluation mode, with the statistics of a batch: with those of a new network, deep ones overflow."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    network.train()(x)
    return network.eval()


@pytest.mark.parametrize("size", [112, 50])
@pytest.mark.parametrize("name", NAMES)
def test_embeddings_of_any_size(name, size):
    network = settled(create(name, embedding=24, size=size), crops(4, size, 1))
    with torch.inference_mode():
        both = network(crops(2, size))
        one = network(crops(2, size)[1:])
    assert both.shape == (2, 24) and both.dtype == torch.float32
    assert torch.allclose(both[1:], one, atol=1e-3 * both.abs().max())


# Millions of weights with 512 numbers at 112 pixels; MobileFaceNet's paper gives 0.99 with 128.
WEIGHTS = {"iresnet18": 24.0, "iresnet34": 34.1, "iresnet50": 43.6, "iresnet100": 65.2}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_as_published(name):
    with torch.device("meta"):
        assert sum(p.numel() for p in create(name).parameters()) / 1e6 == pytest.approx(WEIGHTS[name], abs=0.06)


def test_mobilefacenet_as_published():
    found = cost(MobileFaceNet(128), repeats=1)
    assert found.weights / 1e6 == pytest.approx(1.0, abs=0.02)
    assert found.operations / 2e6 == pytest.approx(221, abs=2)  # multiply-adds
    assert found.milliseconds > 0


def test_cost_of_one_convolution():
    found = cost(nn.Conv2d(3, 5, 3, padding=1, bias=False), size=10, batch=4, repeats=2)
    assert (found.weights, found.operations) == (135, 2 * 135 * 100)


def test_block_by_hand():
    block = Block(4, 6, stride=2).eval()
    nn.init.constant_(block.prelu.weight, 0.1)
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1), module.running_var.uniform_(0.5, 2)
    x = torch.randn(1, 4, 8, 8)

    def norm(y, bn):
        shape = (1, -1, 1, 1)
        return (y - bn.running_mean.view(shape)) / (bn.running_var.view(shape) + 1e-5).sqrt()

    y = torch.conv2d(norm(x, block.bn1), block.conv1.weight, padding=1)  # full resolution
    y = norm(y, block.bn2)
    y = torch.conv2d(torch.where(y > 0, y, 0.1 * y), block.conv2.weight, stride=2, padding=1)
    y = norm(y, block.bn3) + norm(torch.conv2d(x, block.downsample[0].weight, stride=2), block.downsample[1])
    assert torch.allclose(block(x), y, atol=1e-5), "and nothing after the sum"


def test_recomputing_changes_memory_and_no_number():
    one, two = IResNet(18, 16, 32), IResNet(18, 16, 32, recompute=True)
    two.load_state_dict(one.state_dict())
    x = crops(3, 32)
    for network in (one, two):
        network.train()(x).square().sum().backward()
    for (name, a), b in zip(one.named_parameters(), two.parameters(), strict=True):
        assert a.grad is None or torch.allclose(a.grad, b.grad, rtol=1e-4, atol=1e-5), name


def test_iresnet_works_in_bfloat16_and_ends_in_float32():
    with torch.autocast("cpu", torch.bfloat16):
        embedding = IResNet(18, 16, 32).eval()(crops(2, 32))
    assert embedding.dtype == torch.float32 and embedding.isfinite().all()


def test_dropout_is_where_it_was_asked_for():
    for name in NAMES:
        with torch.device("meta" if name in WEIGHTS else "cpu"):
            network = create(name, 16, 32, dropout=0.4)
        found = [m.p for m in network.modules() if isinstance(m, nn.Dropout)]
        assert 0.4 in found, name


def test_the_embedding_block_takes_maps_and_vectors():
    assert EmbeddingBlock((6, 2, 2), 5).eval()(torch.ones(3, 6, 2, 2)).shape == (3, 5)
    assert EmbeddingBlock((6,), 5).eval()(torch.ones(3, 6)).shape == (3, 5)


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224"])
def test_any_network_of_timm(name):
    with torch.inference_mode():
        assert create(f"timm:{name}", 16, 112).eval()(crops()).shape == (2, 16)


def test_resnet50_is_that_of_face_recognition():
    assert ALIASES["resnet50"] == "iresnet50"
    with torch.device("meta"):
        assert isinstance(create("resnet50"), IResNet)


@pytest.mark.parametrize(
    ("name", "options", "named"),
    [
        ("iresnet5", {}, "did you mean iresnet50"),
        ("zzz", {}, "mobilefacenet"),
        ("timm:no_such_net", {}, "timm has no network 'no_such_net'"),
        ("iresnet18", {"embedding": 0}, "embedding=0"),
        ("iresnet18", {"dropout": 1.0}, "dropout=1.0"),
    ],
)
def test_what_cannot_be_made_is_said(name, options, named):
    with pytest.raises(FaceLibError, match=named):
        create(name, **options)


def test_no_other_depth():
    with pytest.raises(FaceLibError, match="18, 34, 50, 100"):
        IResNet(20)


@pytest.mark.parametrize(("body", "named"), [(nn.Conv2d(1, 2, 3), "32 x 32"), (nn.Flatten(2), "shape .3, 1024.")])
def test_a_body_that_does_not_fit_is_said(body, named):
    with pytest.raises(FaceLibError, match=named):
        Adapted(body, 16, 32, 0.0)
