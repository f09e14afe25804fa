"""The table of all margins, each with what its equation makes of the right class, in Python's own math."""

import math

import torch

from facelib import margins

S = 30.0
DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
MEAN, STD = 20.0, 8.0
NORMS = torch.tensor([5.0, 14.0, 20.0, 31.0, 60.0, 150.0], dtype=torch.float64)
LABELS = torch.tensor([0, 3, 1, -1, 2, 3])


def psi(theta, m):
    """SphereFace, eq. 7: k is the whole number with theta in [k pi / m, (k + 1) pi / m]."""
    k = next(k for k in range(20) if k * math.pi / m <= theta <= (k + 1) * math.pi / m)
    return (-1) ** k * math.cos(m * theta) - 2 * k


def arc(theta, m):
    return math.cos(theta + m) if theta + m <= math.pi else math.cos(theta) - m * math.sin(m)


def combined(theta, m1, m2, m3):
    phi = m1 * theta + m2
    bent = math.cos(theta) - (phi - theta) * math.sin(phi - theta)
    return (math.cos(phi) if phi <= math.pi else bent) - m3


def mag(theta, norm):
    a = min(max(norm, 10.0), 110.0)
    return arc(theta, (0.8 - 0.45) / (110 - 10) * (a - 10) + 0.45)


def ada(theta, norm):
    z = min(max((norm - MEAN) / ((STD + 1e-3) / 0.333), -1.0), 1.0)
    g_angle, g_add = -0.4 * z, 0.4 * z + 0.4
    return math.cos(min(max(theta + g_angle, 0.0), math.pi)) - g_add


def adaface(**options):
    margin = margins.AdaFace(s=S, momentum=0, **options)
    margin.mean.fill_(MEAN)
    margin.std.fill_(STD)
    return margin.eval()


def curricularface(**options):
    margin = margins.CurricularFace(s=S, **options)
    margin.t.fill_(0.3)
    return margin.eval()


# name: (the margin, what its equation makes of the right class's angle and the embedding's length)
RULES = {
    "Softmax": (lambda **o: margins.Softmax(s=S, **o), lambda theta, norm: math.cos(theta)),
    "NormFace": (lambda **o: margins.NormFace(s=S, **o), lambda theta, norm: math.cos(theta)),
    "SphereFace": (lambda **o: margins.SphereFace(s=S, **o), lambda theta, norm: psi(theta, 4)),
    "SphereFace 1.35": (lambda **o: margins.SphereFace(s=S, m=1.35, **o), lambda theta, norm: psi(theta, 1.35)),
    "SphereFace annealed": (
        lambda **o: margins.SphereFace(s=S, lam=5, **o),
        lambda theta, norm: (5 * math.cos(theta) + psi(theta, 4)) / 6,
    ),
    "CosFace": (lambda **o: margins.CosFace(s=S, m=0.35, **o), lambda theta, norm: math.cos(theta) - 0.35),
    "ArcFace": (lambda **o: margins.ArcFace(s=S, m=0.5, **o), lambda theta, norm: arc(theta, 0.5)),
    "Combined": (lambda **o: margins.Combined(s=S, **o), lambda theta, norm: combined(theta, 1, 0.3, 0.2)),
    "Combined 0.9": (
        lambda **o: margins.Combined(S, 0.9, 0.4, 0.15, **o),
        lambda theta, norm: combined(theta, 0.9, 0.4, 0.15),
    ),
    "MagFace": (lambda **o: margins.MagFace(s=S, **o), mag),
    "AdaFace": (adaface, ada),
    "CurricularFace": (curricularface, lambda theta, norm: arc(theta, 0.5)),
    "UniFace": (lambda **o: margins.UniFace(100, s=S, **o), lambda theta, norm: math.cos(theta) - 0.4),
}
