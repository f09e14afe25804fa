"""Margins: the handicap of the right class in training, one rule a class.

Lesson 05 derives the scale, lesson 06 the margins and their gradients, lesson 07 compares them. Every rule is called as
``logits = margin(cosine, labels, norms=None)``, and the loss is cross-entropy:

- ``cosine``: (B, C), cosine between each embedding and each class centre, any float dtype. Never changed in place.
- ``labels``: (B,) integers. -1 means that the right class is not among these C (another device holds it): that
  row gets no margin.
- ``norms``: (B,), lengths of the embeddings before they were scaled to length 1. Only AdaFace and MagFace ask for it.
- ``logits``: (B, C), float64 for float64 and float32 for everything else, also under autocast: logits near 64 lie
  0.25 apart in bfloat16.

``margin.target(cosine)`` is the rule alone, for tensors of any shape: what the cosine of the right class becomes.
Rules without a state are frozen dataclasses (``dataclasses.replace(margin, m=0.3)`` makes another one). AdaFace,
CurricularFace and UniFace carry a state and are modules: it shows in ``state_dict()``, moves while ``training`` is
true, as that of batch normalisation does, and stands still after ``eval()``.

``gradient="exact"`` differentiates the equation. ``"detached"`` has the same logits, but a backward pass that sees
``s * cosine``: derivative s for every logit, without the factor sin(theta + m) / sin(theta) that the exact one has for
ArcFace. That is what a margin applied under ``no_grad`` amounts to.

``beyond`` says what becomes of an angle that the margin pushes past pi, where cos turns round and a worse angle would
get a better logit; phi is the angle with its margin:

- ``"linear"``: cos(theta) - d sin(d), d = phi - theta. It falls, with a step at pi; the authors' code of ArcFace,
  CurricularFace and MagFace does this. Made for m2: with m1 > 1 and d above about 2 it rises, so take "fold" there.
- ``"fold"``: (-1)^k cos(phi) - 2 k, k = floor(phi / pi). It falls without a step: SphereFace's psi.
- ``"clamp"``: cos(pi) = -1. Flat, so that such a sample no longer pulls at all; the authors' code of AdaFace.
- ``"easy"``: no margin unless theta < pi / 2 (the "easy margin" of ArcFace's authors). A step up at pi / 2.
- ``"none"``: cos(phi) as the equation stands. It rises again past pi.

All of them raise ``FaceLibError`` for settings that cannot be (a number that is not finite, s not above 0, an unknown
name), and when called for shapes and labels that do not fit together and for missing norms.
"""

from .adaptive import AdaFace, CurricularFace, MagFace, UniFace, unified_cross_entropy
from .base import Margin
from .fixed import ArcFace, Combined, CosFace, NormFace, Softmax, SphereFace

__all__ = [
    "AdaFace",
    "ArcFace",
    "Combined",
    "CosFace",
    "CurricularFace",
    "MagFace",
    "Margin",
    "NormFace",
    "Softmax",
    "SphereFace",
    "UniFace",
    "unified_cross_entropy",
]
