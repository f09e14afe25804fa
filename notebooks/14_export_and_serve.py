# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 14 · Export and serve
#
# <a class="colab" href="https://colab.research.google.com/github/facelib-course/facelib-course/blob/main/notebooks/14_export_and_serve.ipynb">Open in Colab</a>
#
# A trained network lives in a Python process with PyTorch around it. Where faces are compared there is often neither: a phone, a door, a web page. This lesson takes the network out as a file that says everything itself, makes the file a third of its size, and ends with a page that runs detection, alignment and embedding in a browser. At each step one question is asked: does it still answer as it did?
#
# **You will be able to**
# - say what a traced graph holds, and find the branch it lost;
# - fold batch normalisation into a convolution, and read it off an exported file;
# - export an embedder with `facelib export`, and state its parity in numbers that matter for a threshold;
# - quantise weights by hand, predict the error, and choose scales for activations;
# - put the detector and the embedder on a page that sends no picture anywhere.
#
# **Before this** [lesson 11](11_verification.ipynb): thresholds. [Lesson 09](09_backbones.ipynb) has the network, [lesson 02](02_cascade.ipynb) the detector.
#
# **Time** about 50 s to run on two CPU cores
# · about 90 minutes to read and do

# %% tags=["setup"]
try:
    import facelib
except ModuleNotFoundError:  # a fresh Colab
    # %pip install --quiet "facelib @ git+https://github.com/facelib-course/facelib-course"
    import facelib
try:
    import onnx
    import onnxruntime
except ModuleNotFoundError:  # the format of exported networks, and what runs them
    # %pip install --quiet onnx onnxruntime
    import onnx
    import onnxruntime
import json
import tempfile
from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from facelib import Embedder, Preprocess, export, plot, records
from facelib.backbones import load_network
from facelib.checks import lesson_14 as check
from facelib.embedder import place
from facelib.evaluate import verification
from facelib.export.onnx_files import trace

plot.use()
folder = Path(tempfile.mkdtemp())  # what this lesson writes
_ = torch.set_num_threads(1)

# %% [markdown]
# ## A tape of operations
#
# A network in PyTorch is a Python program. To run it elsewhere, one writes down what the program *did* while an example went through it: each operation, with the names of what it read and wrote. That is **tracing**, and it fits in ten lines. The objects below calculate nothing. They note.


# %%
class Noted:
    """Stands for a tensor; what is done to it goes on the tape as (operation, inputs, output)."""

    def __init__(self, name, tape):
        self.name, self.tape = name, tape

    def _did(self, operation, other):
        new = Noted(f"t{len(self.tape)}", self.tape)
        self.tape.append((operation, (self.name, getattr(other, "name", other)), new.name))
        return new

    def __add__(self, other):
        return self._did("Add", other)

    def __mul__(self, other):
        return self._did("Mul", other)


def toy(x, y):
    return (x * 3 + y) * x


tape = []
toy(Noted("x", tape), Noted("y", tape))
print(*tape, sep="\n")


# %% [markdown]
# The tape is a program in a language with two words. Anything that knows the two words can play it, in whatever language it is written:


# %%
def play(tape, **values):
    """Run a tape on named numbers."""
    for operation, inputs, output in tape:
        a, b = (values.get(name, name) for name in inputs)
        values[output] = a + b if operation == "Add" else a * b
    return values[tape[-1][2]]


assert play(tape, x=2.0, y=5.0) == toy(2.0, 5.0) == 22
print(play(tape, x=2.0, y=5.0))

# %% [markdown]
# **ONNX** is such a language with about two hundred words ([ONNX community 2017](../book/bibliography.md)): `Conv`, `PRelu`, `MatMul` and so on. A file holds the tape, the weights, and the names and shapes of inputs and outputs. [facelib.export.onnx_files.trace](../book/api.md) makes one with PyTorch's exporter.
#
# <details class="predict"><summary>Predict before you run: a network brightens dark pictures, with an `if`. It is traced with a bright example. What does the file do with a dark picture?</summary>
#
# The tape holds what was done for the example. The `if` was decided in Python, before anything was noted, and left no trace. The file treats every picture as bright, and no error says so.
#
# </details>


# %%
class Brighten(nn.Module):
    """Doubles dark pictures. The condition is Python's."""

    def forward(self, x):
        return x * 2 if x.mean() < 0.5 else x * 1


class BrightenTraced(nn.Module):
    """The same; the condition is an operation on tensors."""

    def forward(self, x):
        return torch.where(x.mean() < 0.5, x * 2, x)


def run(model, x):
    """An exported model, given as bytes, on one input."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]


bright, dark = torch.full((1, 2), 0.8), torch.full((1, 2), 0.2)
for network in (Brighten(), BrightenTraced()):
    model = trace(network, bright, "x", ["y"], {})
    print(
        f"{type(network).__name__:<15} in Python {network(dark)[0, 0]:.1f}, from the file {run(model, dark)[0, 0]:.1f}"
    )
    assert (run(model, dark)[0, 0] < 0.3) == isinstance(network, Brighten)  # the file of the first lost its branch

# %% [markdown]
# That is the first failure of this lesson, and it is silent. Shapes are lost in the same way: an example of 2 crops makes a file for batches of 2, unless the first dimension is declared free. So a file is compared with its network on inputs that *differ from the example*, in content and in number.
#
# ## What folds
#
# In use, batch normalisation is a fixed scale and shift for each channel (lesson 09). Behind a convolution both can be drawn into its weights. For output channel $c$ with mean $\mu_c$, variance $\sigma_c^2$, scale $\gamma_c$ and shift $\beta_c$:
#
# $$ W'_c = \frac{\gamma_c}{\sqrt{\sigma_c^2 + \varepsilon}}\, W_c, \qquad b'_c = \beta_c + \frac{\gamma_c}{\sqrt{\sigma_c^2 + \varepsilon}}\,(b_c - \mu_c) . \tag{14.1} $$


# %%
def folded(convolution, normalisation):
    """One convolution that does the work of both."""
    n = normalisation
    scale = n.weight / torch.sqrt(n.running_var + n.eps)  # C
    bias = torch.zeros(len(scale)) if convolution.bias is None else convolution.bias
    return convolution.weight * scale[:, None, None, None], n.bias + scale * (bias - n.running_mean)


torch.manual_seed(14)
both = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8))
both.train()(torch.randn(50, 3, 9, 9) * 2 + 1)  # statistics that are not 0 and 1
x = torch.randn(4, 3, 9, 9)
with torch.no_grad():
    weight, bias = folded(*both.eval())
    one = nn.functional.conv2d(x, weight, bias)
    assert torch.allclose(one, both(x), atol=1e-5)
    print(f"largest difference below 1e-5: {bool((one - both(x)).abs().max() < 1e-5)}")

# %% [markdown]
# The exporter does this by itself. How many of the network's normalisations are left in the file?
#
# <details class="predict"><summary>Predict before you run: MobileFaceNet has a normalisation behind each of its 49 convolutions, and one behind the last linear layer. Which survive?</summary>
#
# All behind convolutions vanish. The one behind the linear layer, which makes the embedding, is left: the exporter folds into convolutions alone.
#
# </details>

# %%
with place("mobilefacenet-synth") as weights:
    network, wants = load_network(weights)
made = export.export_embedder("mobilefacenet-synth", folder / "face.onnx")
kinds = Counter(node.op_type for node in onnx.load(folder / "face.onnx").graph.node)
modules = Counter(type(m).__name__ for m in network.modules() if not list(m.children()))
print("in PyTorch:", {name: count for name, count in modules.items() if count > 2})
print("in the file:", dict(kinds.most_common(4)))
print("normalisations left:", kinds["BatchNormalization"])
assert kinds["Conv"] == modules["Conv2d"] and kinds["BatchNormalization"] == modules["BatchNorm1d"] == 1

# %% [markdown]
# ## Does it answer alike?
#
# `export_embedder` did not only write the file. It opened it again with `onnxruntime`, gave both networks the same rendered faces, and would have left nothing behind had they disagreed. How closely two networks agree is their **parity**. In what? Weights cannot be compared, they were folded. Embeddings can, and of the two numbers one may quote the second is the one that decides ([facelib.export.parity](../book/api.md) has both):
#
# $$ \underbrace{\min_i\, \langle a_i, b_i \rangle}_{\text{same crop, both networks}} \qquad\text{and}\qquad \underbrace{\max_{i < j}\, \bigl|\langle a_i, a_j \rangle - \langle b_i, b_j \rangle\bigr|}_{\text{what a threshold feels}} . \tag{14.2} $$

# %% mystnb={"image": {"alt": "Two rows of eight rendered faces, each upper one with the person's next picture below it, in another light and pose."}}
PEOPLE, SHOTS = 32, 4
people = facelib.synth.People(PEOPLE, seed=14)
who = np.repeat(np.arange(PEOPLE), SHOTS)  # 128
crops = people.render(who, torch.Generator().manual_seed(14), size=80).images
i, j = np.triu_indices(len(who), 1)  # all pairs
same = who[i] == who[j]

reference, exported = Embedder.load("mobilefacenet-synth"), Embedder.load(folder / "face.onnx")
a, b = reference(crops), exported(crops)
lowest = (a * b).sum(1).min()
moved = np.abs((a[i] * a[j]).sum(1) - (b[i] * b[j]).sum(1)).max()

found = export.parity(reference, exported, crops)
assert np.isclose(found.lowest, lowest, atol=1e-6) and np.isclose(found.pairs, moved, atol=1e-5)
print(f"lowest cosine {found.lowest:.5f}; the cosine of a pair moves by less than 0.00001: {found.pairs < 1e-5}")
_ = plot.grid(crops[[*range(0, 32, 4), *range(1, 33, 4)]])

# %% [markdown]
# ### What it wants to see
#
# The graph itself says nothing of pixels. Is 255 or 1 white? Red first or blue? Such a file runs with any answer and complains about none. `facelib export` writes the answer into the file's metadata, and `Embedder.load` reads it there:

# %%
note = {entry.key: entry.value for entry in onnx.load(folder / "face.onnx").metadata_props}
print(json.dumps(json.loads(note["facelib"])["preprocess"], indent=1))
assert Embedder.load(folder / "face.onnx").preprocess == wants

# %% [markdown]
# ### Break it: the wrong pixels
#
# Here is the same file, told wrong things. The area under the curve is over all pairs of the 128 crops.
#
# <details class="predict"><summary>Predict before you run: blue and red swapped; 0..1 in place of -1..1; pixels 0..255 as they are; every fourth pixel alone, enlarged. Which costs most, and will any be noticed by looking at two faces?</summary>
#
# Numbers 128 times too large look like the worst, and are not. Convolution and PReLU pass a positive factor through, and dividing by the length takes it out again: only the offset and the biases are wrong. Blue skin is another matter, for no light that the network learned from makes it. Will it be noticed? A pair of one person and a pair of strangers are still likely to come out in the right order.
#
# </details>

# %% mystnb={"image": {"alt": "Bars of the area under the curve for one exported file told different things. As trained it is highest, close to 100 percent; 0 to 1 in place of -1 to 1 costs little, raw pixels from 0 to 255 about ten points, swapped colours the most; every fourth pixel alone some seven points."}}
told = {
    "as trained": wants,
    "blue before red": Preprocess(size=56, colour="BGR"),
    "0..1 for -1..1": Preprocess(size=56, mean=(0, 0, 0), std=(1, 1, 1)),
    "0..255": Preprocess(size=56, mean=(0, 0, 0), std=(1 / 255,) * 3),
}
blurred = np.repeat(np.repeat(crops[:, ::4, ::4], 4, 1), 4, 2)


def area_of(embed, pictures=crops):
    """Area under the curve over all pairs."""
    vectors = embed(pictures)
    return verification(vectors[i], vectors[j], same).auc


areas = {name: area_of(Embedder.load(folder / "face.onnx", spec)) for name, spec in told.items()}
areas["every fourth pixel"] = area_of(exported, blurred)
agreement = {
    name: export.parity(reference, Embedder.load(folder / "face.onnx", spec), crops[::4]) for name, spec in told.items()
}
for name in told:
    print(f"{name:<24} parity {agreement[name].cosine:>6.2f}   area {areas[name]:.2f}")
_, ax = plt.subplots(figsize=(7, 2.4))
_ = plot.bars({name: 100 * area for name, area in areas.items()}, "%", "area under the curve", ax)
assert areas["as trained"] == max(areas.values()) and areas["blue before red"] == min(areas.values()) > 0.7
assert agreement["as trained"].lowest > 0.9999 and agreement["blue before red"].cosine < 0.95
assert agreement["0..255"].cosine < agreement["blue before red"].cosine

# %% [markdown]
# Nothing crashed, and every row is far above the 50 % of guessing: a demonstration with two pictures may well go right. Parity sees all of it at once, because it compares what comes *out* when pixels go *in*. It does not say what it costs: raw pixels move the embeddings furthest, swapped colours mix up more people.
#
# ## Fewer bits
#
# Four bytes a weight are more than needed. Two are easy: half precision keeps 11 significant bits, so that a weight errs by at most a share of $2^{-11}$ as long as it lies between about $6 \cdot 10^{-5}$ and 65,504. One byte takes more thought. The whole numbers from 0 to 255 have to be laid over the range of the values ([Jacob et al. 2018](../book/bibliography.md), eq. 1):
#
# $$ \hat{x} = s\,(q - z), \qquad q = \mathrm{clip}\bigl(\mathrm{round}(x / s) + z,\; q_{\min},\; q_{\max}\bigr) . \tag{14.3} $$
#
# The **scale** $s$ is the distance of two neighbours, and the **zero point** $z$ the whole number that stands for 0. Weights are spread about 0 on both sides: there $z = 0$, $q$ runs from $-127$ to $127$, and $s$ is the largest weight over 127. Rounding errs by $s/2$ at most. If the errors are spread evenly between $-s/2$ and $s/2$, their mean square is
#
# $$ \mathrm{E}\,(\hat{x} - x)^2 = \frac{1}{s} \int_{-s/2}^{s/2} e^2\, de = \frac{s^2}{12} . \tag{14.4} $$


# %%
def quantised(x, bits=8, channels=False):
    """x after a round trip through whole numbers; one scale, or one for each entry of the first dimension."""
    largest = 2 ** (bits - 1) - 1
    size = x.abs().flatten(1).amax(1) if channels else x.abs().max()
    scale = (size / largest).clamp(min=1e-12)
    s = scale.view(-1, *[1] * (x.ndim - 1)) if channels else scale
    return (x / s).round().clamp(-largest, largest) * s, scale


torch.manual_seed(14)
x = torch.randn(64, 1000)
back, s = quantised(x)
library = torch.fake_quantize_per_tensor_affine(x, float(s), 0, -127, 127)
assert torch.isclose(back, library, atol=1e-6).float().mean() > 0.999  # just between two numbers either will do
print(f"mean square error over s^2 / 12: {float(((back - x) ** 2).mean() / (s**2 / 12)):.2f}")

# %% [markdown]
# The prediction holds to the second digit. With $b$ bits $s$ halves for each further bit, and the error falls by a factor of four: six decibels a bit.
#
# ### One scale or many
#
# A layer has many output channels, and folding has just multiplied each by a number of its own (14.1). How different did that make them?
#
# <details class="predict"><summary>Predict before you run: one scale has to serve a whole layer. In which layers does that hurt most?</summary>
#
# Where one channel has weights many times larger than another's: the scale fits the large one, and the small one is left with a few steps. A depthwise convolution has only nine weights for each channel, and no reason to keep channels alike.
#
# </details>

# %% mystnb={"image": {"alt": "Left: for each convolution of the exported file, the largest weight of its channels, from the smallest channel to the largest, on a logarithmic axis; depthwise layers span a wider range than others. Right: cosine to the full network over bits of the weights: with one scale for each channel it stays near 1 down to 6 bits and falls below that; with one scale for each layer it falls earlier and further."}}
graph = onnx.load(folder / "face.onnx").graph
tensors = {t.name: torch.tensor(onnx.numpy_helper.to_array(t)) for t in graph.initializer}
layers = [(node, tensors[node.input[1]]) for node in graph.node if node.op_type == "Conv"]
spans = []  # of each layer: is it depthwise, largest weight of each channel
for _node, weight in layers:
    spans.append((weight.shape[1] == 1, weight.abs().flatten(1).amax(1)))
ratio = {kind: np.median([float(c.max() / c.median()) for deep, c in spans if deep is kind]) for kind in (True, False)}


def with_bits(bits, channels):
    """The exported file with its weights rounded; cosine to the full network on 32 of the crops."""
    model = onnx.load(folder / "face.onnx")
    for tensor in model.graph.initializer:
        x = torch.tensor(onnx.numpy_helper.to_array(tensor))
        if x.ndim == 4:
            tensor.CopyFrom(onnx.numpy_helper.from_array(quantised(x, bits, channels)[0].numpy(), tensor.name))
    return export.parity(reference, Embedder.of_onnx(model.SerializeToString(), "rounded.onnx"), crops[::4]).cosine


bits = [8, 7, 6, 5, 4]
curves = {channels: [with_bits(b, channels) for b in bits] for channels in (True, False)}
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for k, (deep, c) in enumerate(spans):
    axes[0].plot([k, k], [c.min(), c.max()], color=plot.ORANGE if deep else plot.BLUE, linewidth=2)
axes[0].plot([], [], color=plot.ORANGE, label="depthwise")
axes[0].plot([], [], color=plot.BLUE, label="others")
axes[0].set(yscale="log", xlabel="convolution", ylabel="largest weight of a channel", title="channels differ")
axes[1].plot(bits, curves[True], "o-", label="a scale for each channel")
axes[1].plot(bits, curves[False], "s--", label="one for each layer")
axes[1].set(xlabel="bits of a weight", ylabel="mean cosine to the full network", title="what is left", xticks=bits)
axes[1].invert_xaxis()
for ax in axes:
    ax.legend(fontsize="small")
print(f"largest channel over the median one: depthwise {ratio[True]:.1f}, others {ratio[False]:.1f}")
assert all(x > y for x, y in zip(curves[True], curves[False], strict=True)) and curves[True][0] > 0.99

# %% [markdown]
# On the left the depthwise layers have the longer lines: their channels differ most. On the right a scale for each channel, which costs one number a channel, is better at every number of bits. Eight bits are then nearly free. Four are not.
#
# ### Activations
#
# Weights stand still. What flows between layers depends on the picture, and to calculate in whole numbers its range must be known before: one lets some pictures through and notes in which range the values of each layer lie. That is **calibration**. Whatever later lies outside is clipped to the end of the range. All channels of a layer's output share one range here: the next layer adds them up in whole numbers, and for that they need one scale.
#
# For a range from $l$ to $h$ on 0..255 the scale is $s = (h - l)/255$ and $z = \mathrm{round}(-l/s)$, with one condition: $l \le 0 \le h$, so that 0, with which pictures are padded, is met exactly.
#
# <details class="predict"><summary>Predict before you run: eight bits, calibrated on 64 rendered faces of other people. How far do the cosines of pairs move: a thousandth, a hundredth, a tenth?</summary>
#
# Every layer adds rounding of its own, 49 times. Embeddings that agree to a cosine of 0.995 are still turned by $\arccos 0.995 \approx 0.1$ radians, each in its own direction, and the cosine of a pair may move by about as much.
#
# </details>

# %% mystnb={"image": {"alt": "Scatter of pair cosines, float32 on the horizontal and int8 on the vertical axis, one panel for pairs of one person and one for strangers. The points follow the diagonal in a band a few hundredths wide."}}
made, faces = {"float32": made}, export.faces(64, seed=1)  # what the export takes by itself, used again below
for precision in ("float16", "int8"):
    made[precision] = export.export_embedder(
        "mobilefacenet-synth", folder / f"{precision}.onnx", precision, faces, crops
    )
vectors = {"float32": b, **{p: Embedder.load(folder / f"{p}.onnx")(crops) for p in ("float16", "int8")}}
cosines = {p: (v[i] * v[j]).sum(1) for p, v in vectors.items()}
judged = {p: verification(v[i], v[j], same) for p, v in vectors.items()}
fig, axes = plt.subplots(1, 2, figsize=(8, 3.6), sharey=True, layout="constrained")
for ax, kind, title in zip(axes, (same, ~same), ("one person", "strangers"), strict=True):
    ax.plot(cosines["float32"][kind], cosines["int8"][kind], ".", markersize=3, alpha=0.4)
    ax.plot([-0.5, 1], [-0.5, 1], color="grey", linewidth=1)
    ax.set(xlabel="cosine, float32", title=title)
_ = axes[0].set_ylabel("cosine, int8")

# %%
threshold = judged["float32"].threshold
print(f"{'':<10}{'size':>6}{'moved at most':>16}{'sides changed':>16}{'area':>8}")
for p, c in cosines.items():
    move = np.abs(c - cosines["float32"]).max()
    sides = ((c > threshold) != (cosines["float32"] > threshold)).mean()
    share = made[p].size / made["float32"].size
    print(f"{p:<10}{100 * share:>4.0f} %{move:>16.1f}{'some' if sides else 'none':>16}{100 * judged[p].auc:>8.0f}")
    assert judged[p].auc > judged["float32"].auc - 0.01
assert np.abs(cosines["int8"] - cosines["float32"]).max() > 10 * np.abs(cosines["float16"] - cosines["float32"]).max()

# %% [markdown]
# Half precision is free, to as many digits as can matter. Eight bits are a third of the size. Their area is that of the full network to within a point, and yet some pairs have changed sides at the old threshold. **A quantised network is another network**: measure its threshold anew (lesson 11), and do not compare its embeddings with those of a gallery that the full one made (lesson 12). `facelib.Gallery` refuses a network of another name.
#
# ### Break it: the wrong pictures, and too wide a range
#
# The scales above cover 99.99 % of the values seen. What if they cover all? And what if the pictures were noise, or faces in the dark?
#
# <details class="predict"><summary>Predict before you run: order the four, from best to worst.</summary>
#
# A range that is too wide wastes steps, one that is too narrow clips. To cover all values is to let the rarest one set the scale: somewhat worse, and the more pictures, the worse. Noise is nothing that deep layers answer to as they answer to faces: ranges that do not fit. Dark crops drive no layer far, and everything in a normal picture beyond their range is cut off: worst.
#
# </details>

# %% mystnb={"image": {"alt": "Bars of the mean cosine between the eight-bit and the full network: faces with a ten-thousandth of the values left out highest, close to 1; all values covered a little lower; noise a few hundredths lower; dark faces by far the lowest, a little above one half."}}
noise = np.random.default_rng(14).integers(0, 256, faces.shape, dtype=np.uint8)
dark = (faces * 0.1).astype(np.uint8)
whole = (folder / "face.onnx").read_bytes()
tried = {"faces": made["int8"].file.read_bytes()}
for name, pictures, kept in (("all values", faces, 100), ("noise", noise, 99.99), ("dark faces", dark, 99.99)):
    tried[name] = export.quantise.to_int8(whole, wants(pictures), kept)
agree = {
    name: export.parity(reference, Embedder.of_onnx(m, "tried.onnx", wants), crops).cosine for name, m in tried.items()
}
_, ax = plt.subplots(figsize=(7, 2))
_ = plot.bars({name: 100 * value for name, value in agree.items()}, "%", "mean cosine to the full network", ax)
print(" > ".join(sorted(agree, key=lambda name: -agree[name])))
assert agree["faces"] > agree["all values"] > agree["noise"] > agree["dark faces"]
assert agree["noise"] > 0.9 and agree["dark faces"] < 0.7

# %% [markdown]
# To cover everything costs little. The wrong pictures cost more: noise some hundredths of cosine, darkness nearly half of it.
#
# The export itself notices. It compares on faces that are not the calibration's and leaves no file:

# %%
try:
    export.export_embedder("mobilefacenet-synth", folder / "dark.onnx", "int8", calibration=dark[:4], crops=crops)
except facelib.FaceLibError as error:
    print(str(error).split(";")[1].strip().split(" (")[0])
assert not (folder / "dark.onnx").exists()

# %% [markdown]
# ## The detector leaves, too
#
# The cascade of [lesson 02](02_cascade.ipynb) is three small networks, and arithmetic between them: pyramids, boxes, suppression. The networks go into three files. P-Net slides, so its height and width stay free. Put in place of the originals, they must find the same face:


# %%
class FromFile:
    """An ONNX file that is called as the torch network was."""

    def __init__(self, file, size):
        self.session, self.size = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]), size

    def __call__(self, pixels):
        return tuple(torch.from_numpy(part) for part in self.session.run(None, {"pixels": pixels.numpy()}))


files = export.export_detector(folder / "detector")
mtcnn = facelib.MTCNN()
picture = facelib.samples.astronaut()
wanted = mtcnn.detect(picture)
mtcnn.pnet, mtcnn.rnet, mtcnn.onet = (FromFile(f, size) for f, size in zip(files, (12, 24, 48), strict=True))
again = mtcnn.detect(picture)
assert np.allclose(again.boxes, wanted.boxes, atol=0.01) and np.allclose(again.landmarks, wanted.landmarks, atol=0.01)
print(f"{len(again)} face, box {again.boxes[0].round().astype(int).tolist()}, equal to a hundredth of a pixel")
print({file.name: f"{file.stat().st_size / 1e3:.0f} kB" for file in files})

# %% [markdown]
# ## A page that needs no server
#
# All that is left outside the files is arithmetic: resampling, boxes, a similarity transform, a warp, a cosine. The page that `facelib export --page` writes has these in a few hundred lines of JavaScript, which follow `facelib.detect` and `facelib.alignment` function by function, and runs the four networks with onnxruntime compiled to WebAssembly. What "serving" means then is handing out files:

# %%
index = export.write_page(folder / "site")
sizes = {
    p.relative_to(folder / "site").as_posix(): p.stat().st_size for p in (folder / "site").rglob("*") if p.is_file()
}
groups = {
    "networks": [name for name in sizes if name.endswith(".onnx")],
    "onnxruntime": [name for name in sizes if name.startswith("ort/")],
    "our JavaScript": [name for name in sizes if name.endswith(".js")],
}
for name, members in groups.items():
    print(f"{name:<16}{len(members):>3} files{sum(sizes[m] for m in members) / 1e6:>8.2f} MB")
assert index.name == "index.html" and {Path(n).stem for n in groups["networks"]} >= {"pnet", "rnet", "onet"}

# %% [markdown]
# The page is in this book: [In your browser](../book/browser.md). Choose two pictures there and compare the counts of each stage with lesson 02's. With your own network it takes two commands:
#
# ```
# facelib export weights.safetensors site/ --page
# python -m http.server --directory site
# ```
#
# Where the arithmetic happens is not a detail. **On a server** pictures travel, the operator sees every face, and the gallery is in one place, which is a promise and a target. **On the device** nothing travels, but the network can be copied, and whoever holds it can work on it as long as they like: lesson 13 made adversarial pictures with nothing more than the weights. Embeddings are no way out either way. They are biometric data, as the pictures are: their purpose is to find a person again.
#
# ## What it costs
#
# `benchmarks/export.py` judges each precision on people whom the network has not seen and on photographs, and times them in turns in one process.
#
# <details class="predict"><summary>Predict before you run: which is fastest with one crop, and which in batches of 32: PyTorch, or the file in 32, 16 or 8 bits?</summary>
#
# One crop: the file in 16 bits. A batch: PyTorch. What is decided anew for each operation counts with one crop, and a file has it decided already. In a batch that is shared by 32 crops, and what is left is arithmetic, at which PyTorch is good. Eight bits quarter what is read and add work at every layer; which of the two weighs more depends on the layers, and MobileFaceNet's are thin.
#
# </details>

# %%
costs = records.load("export")
print(f"{'':<8}{'MB':>6}{'one crop':>10}{'a batch':>9}{'unseen people, %':>21}{'photographs, %':>21}")
for row in costs["rows"]:
    shares = [
        f"{row[k]:.1f} ({row[f'{k} interval'][0]:.1f} to {row[f'{k} interval'][1]:.1f})"
        for k in ("unseen easy", "real")
    ]
    speed = f"{row['times PyTorch']:>9.1f}x{row['times PyTorch in a batch']:>8.1f}x"
    print(f"{row['name']:<8}{row['MB']:>6.2f}{speed}{shares[0]:>21}{shares[1]:>21}")
print(
    f"batches of {costs['batch']}, one thread; the processor",
    "has" if costs["VNNI"] else "lacks",
    "an instruction for int8",
)
fast = {row["name"]: row["times PyTorch"] for row in costs["rows"]}
assert (
    fast["float16"] > fast["float32"] > 1 > costs["rows"][1]["times PyTorch in a batch"]
    and fast["int8"] < fast["float16"]
)

# %% [markdown]
# The columns of speed are times PyTorch on the same thread. One crop at a time the exported file is faster, since nothing is decided anew at each step; in batches PyTorch is. No file is less accurate than PyTorch on these pairs, so they show no loss; with intervals this wide they do not show that there is none. Half precision gains on this processor; one that does not calculate in 16 bits converts at each step and may be slower. And eight bits are *not* the fastest here, although the processor has an instruction for them: steps in and out of whole numbers, at every layer of a network with thin layers, eat the gain. Smaller they are everywhere. Measure on the device that will do the work.
#
# ## Exercises
#
# ### Exercise 14.1 · Fold
#
# <span class="meta">★☆☆ · 10 minutes</span>
#
# The normalisation behind the last linear layer was left in the file. Write `fold_linear(weight, bias, mean, variance, gamma, beta, eps)`: weight (D, n) and bias (D,) of one linear layer that does the work of both. All are NumPy arrays.
#
# <details class="hint"><summary>Hint 1</summary>
#
# Equation (14.1), with a row of the matrix in place of the filter of a channel.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# `scale = gamma / np.sqrt(variance + eps)`; then `weight * scale[:, None]`.
#
# </details>


# %% tags=["exercise"]
def fold_linear(weight, bias, mean, variance, gamma, beta, eps=1e-5):
    return ...  # your code: weight, bias


# %% tags=["check"]
check.fold(fold_linear)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def fold_linear(weight, bias, mean, variance, gamma, beta, eps=1e-5):
#     scale = gamma / np.sqrt(variance + eps)
#     return weight * scale[:, None], beta + scale * (bias - mean)
# ```
#
# The running mean is taken from the old bias before scaling, the shift added after it.
#
# </details>

# %% [markdown]
# ### Exercise 14.2 · A range on 256 numbers
#
# <span class="meta">★★☆ · 15 minutes</span>
#
# Write `scale_and_zero(low, high)` for a layer whose outputs were seen between `low` and `high`: the scale $s$ and the whole number $z$ in 0..255 such that (14.3) covers the range (each end to half a step) and 0 is met exactly. Mind ranges that lie on one side of 0, such as those behind a ReLU.
#
# <details class="hint"><summary>Hint 1</summary>
#
# First widen the range until it holds 0: the lower end is at most 0, the upper at least 0.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# `s = (high - low) / 255`, `z = round(-low / s)`. A range that is only the point 0 has no scale of its own: give it 1.
#
# </details>


# %% tags=["exercise"]
def scale_and_zero(low, high):
    return ...  # your code: scale, zero


# %% tags=["check"]
check.activation_range(scale_and_zero)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def scale_and_zero(low, high):
#     low, high = min(low, 0.0), max(high, 0.0)
#     scale = (high - low) / 255 or 1.0
#     return scale, round(-low / scale)
# ```
#
# Were 0 not met exactly, the padding at the edges of every picture would be a faint grey, and so would everything that ReLU had set to 0.
#
# </details>

# %% [markdown]
# ### Exercise 14.3 · A channel at a time
#
# <span class="meta">★★☆ · 15 minutes</span>
#
# Write `round_trip(weight, bits)`: the weights (C, ...) after a round trip through whole numbers of so many bits, $z = 0$ and a scale for each channel. A channel of zeros stays zero.
#
# <details class="hint"><summary>Hint 1</summary>
#
# The largest whole number is $2^{b-1} - 1$; the scale of a channel is its largest absolute weight over that.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# `rows = weight.reshape(len(weight), -1)`; work on rows and reshape at the end. Divide by `np.where(scale > 0, scale, 1)`.
#
# </details>


# %% tags=["exercise"]
def round_trip(weight, bits):
    return ...  # your code


# %% tags=["check"]
check.channels(round_trip)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def round_trip(weight, bits):
#     largest = 2 ** (bits - 1) - 1
#     rows = weight.reshape(len(weight), -1)
#     scale = np.abs(rows).max(1, keepdims=True) / largest
#     scale = np.where(scale > 0, scale, 1)
#     return (np.round(rows / scale) * scale).reshape(weight.shape)
# ```
#
# No clipping is needed: by the choice of the scale nothing lies outside.
#
# </details>

# %% [markdown]
# ### Exercise 14.4 · What a threshold feels
#
# <span class="meta">★★☆ · 20 minutes</span>
#
# Write `felt(a, b, threshold)` for embeddings (N, D) of the same crops by two networks, all unit: the largest change of a pair's cosine by (14.2), and the share of pairs that change sides, where a cosine above the threshold means "same".
#
# <details class="hint"><summary>Hint 1</summary>
#
# `a @ a.T` holds the cosines of all pairs twice, and of each crop with itself once. `np.triu_indices(len(a), 1)` picks each pair once.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# Both answers come from the two vectors of cosines: `np.abs(x - y).max()` and `((x > threshold) != (y > threshold)).mean()`.
#
# </details>


# %% tags=["exercise"]
def felt(a, b, threshold):
    return ...  # your code: largest change, share


# %% tags=["check"]
check.felt(felt)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def felt(a, b, threshold):
#     pairs = np.triu_indices(len(a), 1)
#     x, y = (a @ a.T)[pairs], (b @ b.T)[pairs]
#     return np.abs(x - y).max(), ((x > threshold) != (y > threshold)).mean()
# ```
#
# A network whose embeddings are all turned by one rotation may agree with the first at a cosine near 0, and yet it changes nothing that a threshold feels. Exported files are not turned. Retrained networks are, and differ in more than that.
#
# </details>

# %% [markdown]
# ## Quiz
#
# **Question 1.** An exported file agrees with its network on the example it was traced with. What has been shown?
#
# <details class="quiz"><summary>A · That the export is right</summary>
#
# Wrong: a lost branch and a fixed batch agree on the example, too.
#
# </details>
# <details class="quiz"><summary>B · Little: other inputs, in other numbers, are what it has to be tried on</summary>
#
# Right: and starting from pixels, so that what stands before the network is tried as well.
#
# </details>
# <details class="quiz"><summary>C · That all weights were copied</summary>
#
# Wrong: a weight that the example does not excite could be anything.
#
# </details>
#
# **Question 2.** A network came without a word about its input. It was run on 0..1 where it was trained on -1..1. What happens?
#
# <details class="quiz"><summary>A · An error</summary>
#
# Wrong: the shapes are right, and numbers have no units.
#
# </details>
# <details class="quiz"><summary>B · Embeddings without any meaning</summary>
#
# Wrong: the area above fell, and stayed far from 50 %. That is what makes it hard to notice.
#
# </details>
# <details class="quiz"><summary>C · It works, worse than it could</summary>
#
# Right: and a demonstration with two pictures looks well.
#
# </details>
#
# **Question 3.** Accuracy in eight bits is the same within its interval. May the gallery, enrolled by the float32 network, stay?
#
# <details class="quiz"><summary>A · Yes, accuracy is what counts</summary>
#
# Wrong: accuracy was measured with both pictures through the *same* network.
#
# </details>
# <details class="quiz"><summary>B · No: enrol anew, and measure the threshold anew</summary>
#
# Right: two networks that are equally good are still two networks.
#
# </details>
# <details class="quiz"><summary>C · Only the threshold has to change</summary>
#
# Wrong: a probe of one network and an enrolled embedding of the other lose cosine to the angle between the networks, whatever the threshold.
#
# </details>
#
# **Question 4.** Why is there a scale for each channel of the weights, and one for all channels of an activation?
#
# <details class="quiz"><summary>A · Because activations do not differ between channels</summary>
#
# Wrong: they do, and it costs accuracy.
#
# </details>
# <details class="quiz"><summary>B · Because an output channel's scale can be applied after summing, an input channel's cannot</summary>
#
# Right: a sum over input channels in whole numbers needs one scale for all that is summed.
#
# </details>
# <details class="quiz"><summary>C · To save memory</summary>
#
# Wrong: a number for each channel is nothing beside the weights.
#
# </details>
#
# ## Summary
#
# - A trace holds what was done for one example. What Python decided is lost without a word.
# - Normalisation behind a convolution folds into it; the file computes the same with fewer steps.
# - What the network wants to see belongs in the file. A wrong guess costs accuracy and raises no error.
# - Parity starts at pixels and ends at cosines of pairs, on faces that are not the example.
# - Half precision is free. Eight bits need a scale for each channel and faces to calibrate on, make the file a third as large, and are another network: its threshold and its gallery are its own.
# - The whole pipeline runs where the picture is. What should be compared with what, and who agreed to it, no export decides.
#
# Next: [lesson 15](15_a_million_identities.ipynb), "A million identities", where the part of the network that is thrown away is larger than all the rest.
