"""Heads, margins and labels that several tests share, and the plain way to a loss."""

import torch
from torch.nn import functional as F

import facelib
from facelib import heads, margins

CLASSES, SIZE = 37, 12
LABELS = torch.tensor([0, 36, 5, 5, -1, 17, 30, 2])
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


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


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
