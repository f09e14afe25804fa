"""Each margin against its equation, row by row in float64 with Python's own math; then what every margin must keep."""

import math

import pytest
import torch
from torch.nn import functional as F

import facelib
from facelib import FaceLibError, margins

S = 30.0
DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
TOLERANCE = {torch.float64: 1e-6}  # of logits up to 30, with a state in float32; the other dtypes compute in float32
MEAN, STD = 20.0, 8.0


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
NORMS = torch.tensor([5.0, 14.0, 20.0, 31.0, 60.0, 150.0], dtype=torch.float64)
LABELS = torch.tensor([0, 3, 1, -1, 2, 3])


@pytest.fixture
def cosine():
    """(6, 4) from -0.99 to 0.99, with angles of the right class from small to beyond pi - m."""
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(6, 4, generator=generator, dtype=torch.float64) * 1.8 - 0.9
    values[0, 0], values[1, 3], values[2, 1], values[4, 2], values[5, 3] = 0.99, 0.5, -0.2, -0.75, -0.97
    return values


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


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", RULES)
def test_gradient_at_the_ends(name, dtype):
    """Finite at +-1 and just outside; where the equation has a slope there, not lost in a clamp."""
    ends = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0000001, 0.0], [-1.0000001, 0.0]])
    ends = ends.to(dtype).requires_grad_()
    norms = torch.tensor([5.0, 20.0, 60.0, 150.0])
    RULES[name][0]()(ends, torch.zeros(4, dtype=torch.long), norms).sum().backward()
    assert ends.grad.isfinite().all()
    if name not in ("AdaFace", "Combined 0.9"):  # one is clamped by its authors; the other's m1 < 1 turns at 0
        assert (ends.grad[:, 0] > 0).all()


def test_slope_at_one_is_that_of_the_limit():
    one = torch.ones(1, dtype=torch.float64, requires_grad=True)
    margins.ArcFace(m=0.5).target(one).backward()
    theta = math.acos(1 - 1e-6)
    assert one.grad.item() == pytest.approx(math.sin(theta + 0.5) / math.sin(theta), rel=1e-6)


@pytest.mark.parametrize("name", RULES)
def test_length_of_the_embedding(name):
    """Only the rules that ask for norms may notice it."""
    generator = torch.Generator().manual_seed(1)
    x, head = torch.randn(6, 8, generator=generator), facelib.CosineClassifier(8, 4)
    margin = RULES[name][0]()
    logits = [margin(head(k * x), LABELS, torch.linalg.vector_norm(k * x, dim=1)) for k in (1, 7)]
    assert torch.allclose(*logits, atol=1e-4) == (name not in ("MagFace", "AdaFace"))


@pytest.mark.parametrize("name", RULES)
def test_in_autocast_the_logits_are_float32_and_the_same(name, cosine):
    margin, cosine = RULES[name][0](), cosine.float()
    expected = margin(cosine, LABELS, NORMS.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = margin(cosine, LABELS, NORMS.float())
    assert logits.dtype == torch.float32
    assert torch.equal(logits, expected)


@pytest.mark.parametrize("name", RULES)
def test_compiles_into_one_graph(name, cosine):
    torch._dynamo.reset()
    margin, eager = RULES[name][0](), RULES[name][0]()
    if isinstance(margin, torch.nn.Module):
        margin.train(), eager.train()  # the state moves inside the graph
    compiled = torch.compile(margin, backend="aot_eager", fullgraph=True)
    for _ in range(2):
        assert torch.allclose(compiled(cosine, LABELS, NORMS), eager(cosine, LABELS, NORMS))


@pytest.mark.parametrize("name", RULES)
def test_nothing_is_made_on_another_device(name, cosine):
    """The default device is one on which nothing can be computed; every new tensor must name the input's own."""
    margin = RULES[name][0]()
    expected = margin(cosine, LABELS, NORMS)
    with torch.device("meta"):
        logits = margin(cosine, LABELS, NORMS)
    assert torch.equal(logits, expected)


@pytest.mark.parametrize(
    ("name", "gradient"), [*((name, "exact") for name in RULES if " " not in name), ("ArcFace", "detached")]
)
def test_a_thousand_hostile_steps_in_bfloat16(name, gradient):
    """Embeddings on their own centre, on the opposite one, huge and tiny, with steps far too large."""
    generator = torch.Generator().manual_seed(2)
    head, margin = facelib.CosineClassifier(4, 5).bfloat16(), RULES[name][0](gradient=gradient)
    x = torch.randn(8, 4, generator=generator).bfloat16().requires_grad_()
    for step in range(1000):
        labels = torch.randint(-1, 5, (8,), generator=generator)
        if step % 5 == 0:
            with torch.no_grad():
                x.copy_(head.weight[labels.clamp(min=0)] * (-1) ** (step // 5) * 10.0 ** (step % 7 - 3))
        logits = margin(head(x), labels, torch.linalg.vector_norm(x.float(), dim=1))
        loss = F.cross_entropy(logits, labels.clamp(min=0))
        grads = torch.autograd.grad(loss, (x, head.weight))
        with torch.no_grad():
            x -= 1.0 * grads[0]
            head.weight -= 0.1 * grads[1]
    assert x.isfinite().all() and head.weight.isfinite().all() and loss.isfinite()


def test_rows_without_a_class_here_keep_their_cosines(cosine):
    for name in RULES:
        logits = RULES[name][0]()(cosine, torch.full((6,), -1), NORMS)
        offset = math.log(1000) if name == "UniFace" else 0
        assert torch.allclose(logits, S * cosine - offset), name


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
