"""The base of all rules: what happens past pi and at a cosine of 1, wrong arguments, rules of one's own."""

import copy
import math
import pickle
from dataclasses import dataclass

import pytest
import torch

from facelib import FaceLibError, margins
from tests.margins.rules import LABELS, NORMS, RULES, S, adaface

THETA = torch.linspace(0.01, math.pi - 0.01, 2000, dtype=torch.float64)
FALLING = {
    "SphereFace": margins.SphereFace(),
    "SphereFace 1.35": margins.SphereFace(m=1.35),
    "CosFace": margins.CosFace(),
    "ArcFace": margins.ArcFace(),
    "ArcFace, fold": margins.ArcFace(beyond="fold"),
    "ArcFace, large m": margins.ArcFace(m=1.5),
    "Combined": margins.Combined(),
    "Combined, all three": margins.Combined(64, 1.35, 0.3, 0.1),
    "Combined 0.9, fold": margins.Combined(64, 0.9, 0.4, 0.15, beyond="fold"),
    "MagFace": margins.MagFace(),
    "CurricularFace": margins.CurricularFace(),
}


@pytest.mark.parametrize("name", FALLING)
def test_a_worse_angle_never_gets_a_better_logit(name):
    target = FALLING[name].target(torch.cos(THETA), torch.full_like(THETA, 60))
    assert (target.diff() < 0).all()
    assert (target < torch.cos(THETA)).all() or name.startswith("Combined 0.9")


def test_past_pi():
    """What each choice promises: a flat end, a rise at pi / 2, a rise past pi."""
    curves = {name: margins.ArcFace(beyond=name).target(torch.cos(THETA)) for name in ("clamp", "easy", "none")}
    past, half = math.pi < THETA + 0.5, math.pi / 2 <= THETA
    assert (curves["clamp"][past] == -1).all() and (curves["clamp"].diff() <= 0).all()
    assert torch.allclose(curves["easy"][half], torch.cos(THETA[half]))
    assert torch.allclose(curves["easy"][~half], torch.cos(THETA[~half] + 0.5))
    assert (curves["none"][past].diff() > 0).all()
    assert (margins.ArcFace(beyond="fold").target(torch.cos(THETA)).diff().abs() < 0.01).all(), "a step"
    # The angle eased by AdaFace cannot fall below 0 either.
    easy = adaface().target(torch.ones(1), torch.full((1,), 100.0))
    assert torch.allclose(easy, torch.tensor([1 - 0.8]), atol=1e-6)


def test_slope_at_one_is_that_of_the_limit():
    one = torch.ones(1, dtype=torch.float64, requires_grad=True)
    margins.ArcFace(m=0.5).target(one).backward()
    theta = math.acos(1 - 1e-6)
    assert one.grad.item() == pytest.approx(math.sin(theta + 0.5) / math.sin(theta), rel=1e-6)


class Halved(margins.Margin):
    """A rule as a reader might write it: ``target`` and nothing else."""

    def target(self, cosine, norms=None):
        return cosine / 2


def test_a_rule_of_ones_own_needs_only_its_target(cosine):
    with pytest.raises(TypeError, match="abstract method '?target"):
        margins.Margin()
    logits = Halved()(cosine, LABELS)
    right = torch.zeros_like(cosine, dtype=torch.bool)
    right[LABELS >= 0, LABELS[LABELS >= 0]] = True
    assert torch.equal(logits, 64 * torch.where(right, cosine / 2, cosine))
    compiled = torch.compile(Halved(), backend="aot_eager", fullgraph=True)
    assert torch.equal(compiled(cosine, LABELS), logits)


def pickled(margin):
    return pickle.loads(pickle.dumps(margin))


@pytest.mark.parametrize("same", [copy.copy, copy.deepcopy, pickled])
@pytest.mark.parametrize("name", RULES)
def test_copies_compute_the_same(name, same, cosine):
    margin = RULES[name][0]()
    twin = same(margin)
    assert twin is not margin and isinstance(twin, margins.Margin) and twin.s == S
    assert torch.equal(twin(cosine, LABELS, NORMS), margin(cosine, LABELS, NORMS))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": LABELS[:3]}, r"\(6, 4\), \(3,\)"),
        ({"labels": LABELS.float()}, "integers"),
        ({"labels": LABELS + 2}, "from 1 to 5, the head has classes 0 to 3"),
        ({"labels": LABELS - 1}, "from -2"),
        ({"norms": NORMS[:, None]}, r"\(6, 1\)"),
        ({"cosine": NORMS}, "shapes"),
    ],
)
def test_wrong_arguments_are_named(change, message, cosine):
    arguments = {"cosine": cosine, "labels": LABELS, "norms": NORMS} | change
    with pytest.raises(FaceLibError, match=message):
        margins.ArcFace()(**arguments)


def test_wrong_options_are_named():
    for options, message in [({"s": 0}, "above 0"), ({"gradient": "straight"}, "exact"), ({"beyond": "x"}, "linear")]:
        for kind in (margins.ArcFace, margins.AdaFace, margins.CurricularFace):
            with pytest.raises(FaceLibError, match=message):
                kind(**options)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *[(kind, "s") for kind in (margins.Softmax, margins.NormFace, margins.ArcFace, margins.AdaFace)],
        *[(kind, "m") for kind in (margins.SphereFace, margins.CosFace, margins.ArcFace, margins.CurricularFace)],
        *[(margins.Combined, name) for name in ("m1", "m2", "m3")],
        *[(margins.AdaFace, name) for name in ("h", "momentum")],
        *[(margins.MagFace, name) for name in ("l_m", "u_m", "l_a", "u_a")],
        (margins.SphereFace, "lam"),
        (lambda **options: margins.UniFace(5, **options), "m"),
    ],
)
def test_numbers_that_are_none_are_refused(kind, name, odd):
    with pytest.raises(FaceLibError, match=f"{name}={odd}: must be a finite number"):
        kind(**{name: odd})


def test_what_sphereface_cannot_divide_by():
    for options in ({"lam": -1}, {"m": 0}, {"m": -4}):
        with pytest.raises(FaceLibError, match="m must be above 0, lam at least 0"):
            margins.SphereFace(**options)
    assert margins.CosFace(m=-0.1).m == -0.1, "an ease instead of a margin: few-shot learning takes it"


@dataclass(frozen=True)
class Personal(Halved):
    """A rule of one's own with a margin for each class."""

    m: torch.Tensor


def test_a_rule_of_ones_own_may_have_a_tensor():
    assert len(Personal(torch.ones(4)).m) == 4
