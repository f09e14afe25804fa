"""Loss and gradients equal to pytorch-metric-learning's, for the losses that it has too."""

import math

import pytest
import torch
from pytorch_metric_learning import losses
from torch.nn import functional as F

from facelib import heads, margins

CLASSES, SIZE, BATCH = 40, 16, 32
SIZES = {"num_classes": CLASSES, "embedding_size": SIZE}

# name: (theirs, our margin, centres for each class)
PAIRS = {
    "NormalizedSoftmaxLoss": (losses.NormalizedSoftmaxLoss(**SIZES, temperature=1 / 20), margins.NormFace(s=20), 1),
    "CosFaceLoss": (losses.CosFaceLoss(**SIZES, margin=0.35, scale=64), margins.CosFace(64, 0.35), 1),
    "ArcFaceLoss": (losses.ArcFaceLoss(**SIZES, margin=math.degrees(0.5), scale=64), margins.ArcFace(64, 0.5), 1),
    "ArcFaceLoss, large m": (
        losses.ArcFaceLoss(**SIZES, margin=math.degrees(1.5), scale=64),
        margins.ArcFace(64, 1.5),
        1,
    ),
    "SphereFaceLoss": (losses.SphereFaceLoss(**SIZES, margin=4, scale=1), margins.SphereFace(s=1, m=4), 1),
    "SubCenterArcFaceLoss": (
        losses.SubCenterArcFaceLoss(**SIZES, margin=math.degrees(0.5), scale=64, sub_centers=3),
        margins.ArcFace(64, 0.5),
        3,
    ),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_same_loss_and_gradients(name, dtype):
    theirs, margin, k = PAIRS[name]
    theirs.to(dtype)
    generator = torch.Generator().manual_seed(6)
    weight = torch.randn(CLASSES * k, SIZE, generator=generator, dtype=dtype)
    labels = torch.randint(CLASSES, (BATCH,), generator=generator)
    x = torch.randn(BATCH, SIZE, generator=generator, dtype=dtype) + 2 * weight[labels * k]
    x[::4] -= 4 * weight[labels[::4] * k]  # some on the far side, where the margin passes pi
    x.requires_grad_()

    theirs.W.data = weight.T.clone()
    expected = theirs(x, labels)
    expected_x, expected_w = torch.autograd.grad(expected, (x, theirs.W))

    head = heads.SubCenter(SIZE, CLASSES, k) if k > 1 else heads.CosineClassifier(SIZE, CLASSES)
    head.weight.data = weight.view_as(head.weight).clone()
    logits = margin(head(x), labels)
    if name == "SphereFaceLoss":
        logits = logits * torch.linalg.vector_norm(x, dim=1)[:, None]  # the paper's scale
    loss = F.cross_entropy(logits, labels)
    grad_x, grad_w = torch.autograd.grad(loss, (x, head.weight))

    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert (grad_x - expected_x).norm() < 1e-4 * expected_x.norm()
    assert (grad_w.reshape(-1, SIZE) - expected_w.T).norm() < 1e-4 * expected_w.norm()
