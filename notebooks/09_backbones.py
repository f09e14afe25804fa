# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 09 · Backbones
#
# <a class="colab" href="https://colab.research.google.com/github/facelib-course/facelib-course/blob/main/notebooks/09_backbones.ipynb">Open in Colab</a>
#
# Between the crop and the embedding stands a network, and so far it was a black box. This lesson opens it. What does a convolution cost, and which of its costs can be avoided? What does a block look like that was made for faces, and what happens if its shortcut is taken out? Why is the last map not averaged, as it is for cats and dogs? And why does a network with a thirtieth of the operations not run thirty times as fast?
#
# **You will be able to**
# - compute weights and multiply-adds of a network by hand, and check a counter against them;
# - write a residual block for faces and find it in the library, weight for weight;
# - compute a receptive field and see it in the gradient;
# - say what averaging, a global depthwise convolution and a full linear layer can each express;
# - measure what shortcuts and the two modes of batch normalisation do;
# - choose a backbone by numbers, and load published weights into it.
#
# **Before this** [lesson 08](08_data.ipynb): the rendered people that are used here. [Lesson 06](06_margins.ipynb) has the heads that stand behind a backbone.
#
# **Time** about 45 s to run on two CPU cores
# · about 90 minutes to read and do

# %% tags=["setup"]
try:
    import facelib
except ModuleNotFoundError:  # a fresh Colab
    # %pip install --quiet "facelib @ git+https://github.com/facelib-course/facelib-course"
    import facelib
import warnings

warnings.filterwarnings("ignore", message="IProgress not found")  # a download bar in timm that nobody will see
try:
    import timm
except ModuleNotFoundError:  # networks of other people, for comparison
    # %pip install --quiet timm
    import timm
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from facelib import TEMPLATE_112, plot
from facelib.backbones import EmbeddingBlock, create
from facelib.checks import lesson_09 as check
from facelib.faces import LANDMARK_NAMES

plot.use()
_ = torch.set_num_threads(1)  # small tensors: a second thread would mostly wait for the first

# %% [markdown]
# ## What a convolution costs
#
# Before asking which network is better, ask what it costs. A convolution slides a small block of weights over a map. Here it is by loops, with a meter for the multiplications.


# %%
def convolve(x, weight):
    """x (inside, H, H), weight (outside, inside, k, k) -> the map without padding, and the products it took."""
    outside, _, k, _ = weight.shape
    side = x.shape[1] - k + 1
    out, products = torch.zeros(outside, side, side), 0
    for o in range(outside):
        for row in range(side):
            for column in range(side):
                patch = x[:, row : row + k, column : column + k]  # inside, k, k
                out[o, row, column] = (patch * weight[o]).sum()
                products += patch.numel()
    return out, products


chance = torch.Generator().manual_seed(9)
x, weight = torch.randn(2, 6, 6, generator=chance), torch.randn(3, 2, 3, 3, generator=chance)
ours, products = convolve(x, weight)
assert torch.allclose(ours, F.conv2d(x[None], weight)[0], atol=1e-5)
print(f"{weight.numel()} weights, {ours.shape[1]} x {ours.shape[2]} places: {products} products")
assert products == weight.numel() * ours.shape[1] * ours.shape[2]

# %% [markdown]
# Every weight is used once at every place of the output. So for a kernel of $k \times k$ from $C_\text{in}$ to $C_\text{out}$ channels and an output of $H \times W$,
#
# $$ \text{weights} = k^2\, C_\text{in}\, C_\text{out}, \qquad \text{multiply-adds} = k^2\, C_\text{in}\, C_\text{out}\, H\, W . \tag{9.1} $$
#
# Each product is added to a sum, so a multiply-add is two operations. Papers count one or the other and call both "FLOPs", which is the most common factor of two in tables of backbones. `facelib.backbones.measure.cost` counts operations, with PyTorch's own counter. We count by (9.1), with a hook on every layer that holds a matrix.

# %%
from facelib.backbones.measure import cost


def multiply_adds(network, size=112):
    """Name of a layer -> multiply-adds for one crop, by equation 9.1."""
    found = {}

    def note(name):
        def hook(layer, inputs, output):
            places = output[0, 0].numel() if isinstance(layer, nn.Conv2d) else output[0].numel() // layer.out_features
            found[name] = layer.weight.numel() * places

        return hook

    layers = [(name, m) for name, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(note(name)) for name, layer in layers]
    with torch.inference_mode():
        network.eval()(torch.zeros(1, 3, size, size))
    for hook in hooks:
        hook.remove()
    return found


# %%
for name in ("mobilefacenet", "iresnet18"):
    network = create(name)
    by_hand = sum(multiply_adds(network).values())
    counted = cost(network, repeats=1)
    assert counted.operations == 2 * by_hand
    print(f"{name}: {counted.weights / 1e6:.2f} million weights, {by_hand / 1e6:,.0f} million multiply-adds,", end=" ")
    print(f"{counted.operations / 1e6:,.0f} million operations")

# %% [markdown]
# Hand and counter agree to the last product. (Both leave out normalisation, activations and sums, which do little arithmetic. Remember them, they come back below with a bill of another kind.) Now where in IResNet-50 do weights and work lie?
#
# <details class="predict"><summary>Predict before you run: the network halves its maps four times and doubles the channels three times. Which part has most of the weights, which does most of the work?</summary>
#
# Halving the sides divides the places by four; doubling the channels multiplies the weights of a layer by four. By (9.1) a block costs about the same everywhere, so the work follows the number of blocks: the third part has 14 of 24. Weights grow towards the end. And the last linear layer uses each weight once.
#
# </details>

# %% mystnb={"image": {"alt": "Two panels of horizontal bars for the parts of IResNet-50: stem, layers 1 to 4, last linear layer. Share of weights: layer 3 leads, layer 4 and the linear layer follow, stem and layer 1 have next to none. Share of multiply-adds: layer 3 has about half, the linear layer nothing that can be seen."}}
network = create("iresnet50")
work = multiply_adds(network)
parts = {"stem": "conv1", **{f"layer {k}": f"layer{k}" for k in (1, 2, 3, 4)}, "last linear": "fc"}
weights_in = {t: sum(p.numel() for n, p in network.named_parameters() if n.startswith(key)) for t, key in parts.items()}
work_in = {title: sum(c for n, c in work.items() if n.startswith(key)) for title, key in parts.items()}

fig, axes = plt.subplots(1, 2, figsize=(9, 2.8), sharey=True)
for ax, share, title in zip(axes, (weights_in, work_in), ("weights", "multiply-adds"), strict=True):
    plot.bars({t: 100 * c / sum(share.values()) for t, c in share.items()}, "%", title, ax)
axes[1].invert_yaxis()  # shared: turned twice
share = weights_in["last linear"] / sum(weights_in.values()), work_in["last linear"] / sum(work_in.values())
print(f"the last linear layer: {100 * share[0]:.0f} % of the weights, {100 * share[1]:.1f} % of the work")
assert max(work_in, key=work_in.get) == "layer 3"

# %% [markdown]
# Three costs, three places. Work sits in layer 3. Weights sit in layers 3 and 4 and in one linear layer, the price of not averaging the last map (we will see what it buys). The third cost is memory for training: all maps are kept for the backward pass, and the large maps are at the beginning, where there are hardly any weights.
#
# ### Cutting a convolution in two
#
# An ordinary convolution mixes neighbours and channels in one go. A **depthwise separable** one does it in two: first $k \times k$ within each channel, then $1 \times 1$ across channels. Per place of the output that is $k^2 C_\text{in}$ and $C_\text{in} C_\text{out}$ products, and so
#
# $$ \frac{\text{separable}}{\text{full}} = \frac{k^2\, C_\text{in} + C_\text{in}\, C_\text{out}}{k^2\, C_\text{in}\, C_\text{out}} = \frac{1}{C_\text{out}} + \frac{1}{k^2} . \tag{9.2} $$

# %%
full = nn.Sequential(nn.Conv2d(3, 128, 1), nn.Conv2d(128, 128, 3, padding=1))
separable = nn.Sequential(nn.Conv2d(3, 128, 1), nn.Conv2d(128, 128, 3, padding=1, groups=128), nn.Conv2d(128, 128, 1))
(_, of_full), (_, *of_two) = (list(multiply_adds(net, 28).values()) for net in (full, separable))
assert sum(of_two) / of_full == 1 / 128 + 1 / 9
print(f"128 to 128 channels, 3 x 3: {100 * sum(of_two) / of_full:.1f} % of the multiply-adds")
print(f"of these, {100 * of_two[1] / sum(of_two):.0f} % are in the 1 x 1 convolution")

# %% [markdown]
# More than eight times fewer. MobileNets are made of this, and MobileFaceNet ([Chen et al. 2018](../book/bibliography.md)) with them. It is not the same function made cheap: a separable convolution can be written as a full one, but a full one in general not as a separable one. Whether faces need what is lost cannot be read from (9.2).
#
# ## A residual block for faces
#
# The block of IResNet, "IR", is ResNet's with the order changed ([Han et al. 2017](../book/bibliography.md), and the first version of Deng et al. 2019, arXiv:1801.07698v1): normalise first, PReLU in the middle, the stride in the *second* convolution, and nothing after the sum.
#
# $$ y = \mathrm{BN}\bigl(W_2 * \mathrm{PReLU}(\mathrm{BN}(W_1 * \mathrm{BN}(x)))\bigr) + S(x) \tag{9.3} $$
#
# $S$ is the identity wherever the shape stays the same; where it does not, a $1 \times 1$ convolution with the stride, and BN.


# %%
class FaceBlock(nn.Module):
    """Equation 9.3: (B, inside, H, W) -> (B, outside, H / stride, W / stride)."""

    def __init__(self, inside, outside, stride=1):
        super().__init__()
        first, second = (
            nn.Conv2d(inside, outside, 3, 1, 1, bias=False),
            nn.Conv2d(outside, outside, 3, stride, 1, bias=False),
        )
        norms = nn.BatchNorm2d(inside), nn.BatchNorm2d(outside), nn.BatchNorm2d(outside)
        self.path = nn.Sequential(norms[0], first, norms[1], nn.PReLU(outside), second, norms[2])
        reshape = nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside)
        self.shortcut = nn.Identity() if stride == 1 and inside == outside else nn.Sequential(*reshape)

    def forward(self, x):
        return self.path(x) + self.shortcut(x)


# %%
from facelib.backbones.iresnet import Block

x = torch.randn(4, 8, 14, 14, generator=chance)
for outside, stride in ((8, 1), (16, 2)):
    ours, theirs = FaceBlock(8, outside, stride), Block(8, outside, stride)
    copied = dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True))  # the same order, other names
    ours.load_state_dict(copied)
    for mode in (True, False):  # with the batch's statistics, and with the running ones
        assert torch.equal(ours.train(mode)(x), theirs.train(mode)(x))
    print(f"8 to {outside} channels, stride {stride}: {tuple(ours(x).shape)}, equal to facelib's in both modes")

# %% [markdown]
# Why nothing after the sum? ReLU after it, as in the first ResNet, would cut every negative sum to 0, block after block. Here a value on the shortcut passes all blocks that keep the shape untouched, and any block may take back what another has put there.
#
# ## Stride and resolution
#
# ResNet was made for pictures of 224 pixels. Its first convolution has stride 2 and a pooling of stride 2 follows, before the first block sees anything. A face crop has 112.


# %%
def sides(body, names, size=112):
    """Sides of the maps that leave the parts of these names."""
    found, parts = [], dict(body.named_modules())
    for name in names:
        parts[name].register_forward_hook(lambda layer, inputs, output: found.append(output.shape[-1]))
    body.eval()(torch.zeros(1, 3, size, size))
    return found


ours, theirs = create("iresnet18"), create("torchvision_resnet50").body
print("IResNet-18:", sides(ours, ("prelu", "layer1.1", "layer2.1", "layer3.1", "layer4.1")))  # stem, last blocks
print("torchvision's ResNet-50:", sides(theirs, "234567"))  # first convolution, pooling, four layers
small, large = (sum(multiply_adds(create("iresnet18", size=size), size).values()) for size in (56, 112))
print(f"IResNet-18 on crops of 56 pixels takes {100 * small / large:.0f} % of the multiply-adds")

# %% [markdown]
# With ResNet's beginning the first block would work on 28 x 28 places and the last on 4 x 4. IResNet keeps all 112 x 112 for its first convolution, and ends with 7 x 7, where a place is 16 pixels wide, about the size of an eye. The price is the work: each halving at the beginning makes everything behind it four times cheaper. What that costs in accuracy is no arithmetic; it takes a training run.
#
# ### What one number sees
#
# A layer with kernel $k$ and stride $s$ behind layers with **receptive field** $r$ and total stride $j$ (how many pixels lie between neighbours) has
#
# $$ r' = r + (k - 1)\, j, \qquad j' = j\, s, \tag{9.4} $$
#
# starting from $r = j = 1$: a pixel sees itself. Along a block of IResNet these are two convolutions of kernel 3. There is a test that needs no formula: take one number of a map, and ask by the gradient which pixels it depends on.
#
# <details class="predict"><summary>Predict before you run: IResNet-18 has 17 convolutions of 3 x 3 on its longest path. How wide is the window of one of its last 7 x 7 numbers, in a crop of 112 pixels?</summary>
#
# Without strides it would be 1 + 17 · 2 = 35 pixels. But behind each stride a step is twice as wide in pixels, and the late layers add 16 and 32 each. It comes out wider than the crop.
#
# </details>

# %% mystnb={"image": {"alt": "Four maps of gradient on a picture of 224 pixels, for one number after layers 1, 2, 3 and 4 of an untrained IResNet-18, each with the square window of the arithmetic: 15, 39, 87 and 183 pixels wide. The gradient fills a spot in the middle of the window that is much smaller than the window, and fades to its edges."}}
torch.manual_seed(0)
network = create("iresnet18").eval()
r, j, expected = 3, 1, []  # the first convolution: kernel 3, stride 1
for _ in range(4):
    for stride in (1, 2, 1, 1):  # two blocks of two convolutions
        r, j = r + 2 * j, j * stride
    expected.append((r, j))

picture = torch.zeros(1, 3, 224, 224, requires_grad=True)
_, axes = plt.subplots(1, 4, figsize=(9, 2.6))
y, found, central = network.prelu(network.bn1(network.conv1(picture))), [], []
for k, ax in enumerate(axes):
    y = getattr(network, f"layer{k + 1}")(y)
    middle = y.shape[-1] // 2
    (slope,) = torch.autograd.grad(y[0, :, middle, middle].sum(), picture, retain_graph=True)
    strength = slope[0].pow(2).sum(0)  # 224, 224
    rows = strength.sum(1).nonzero().flatten()
    found.append(int(rows[-1] - rows[0]) + 1)
    first, quarter = int(rows[0]), found[-1] // 4
    inner = slice(first + quarter, first + found[-1] - quarter)
    central.append(float(strength[inner, inner].sum() / strength.sum()))
    plot.image((strength / strength.max()).sqrt().numpy(), f"layer {k + 1}: {found[-1]} px", ax, cmap="magma")
    plot.boxes(ax, [[first - 0.5, first - 0.5, first + found[-1] - 0.5, first + found[-1] - 0.5]], plot.SKY)
assert found == [r for r, _ in expected]
print(f"by (9.4) and by the gradient: {found} pixels, stride {[j for _, j in expected]}")
print(f"share of the squared gradient in the middle quarter of the window, all above 80 %: {min(central) > 0.8}")
assert min(central) > 0.8

# %% [markdown]
# The arithmetic is right to the pixel, and it flatters. A pixel in the middle of the window reaches the number by many paths, one at the edge by a single path, and so nearly all of the gradient comes from the middle. The window says what a number *can* see, at most. How much of it a trained network uses is up to the training.
#
# ## Why the last map is not averaged
#
# At the end there is a map of $C \times 7 \times 7$ numbers and a vector is wanted. Networks for ImageNet average over the places: a cat is a cat in any corner. In an aligned crop the eyes are always in the same place, and averaging throws away the one thing that alignment has given us.

# %%
at_the_eye, in_the_corner = torch.zeros(2, 1, 1, 7, 7)  # one channel each
at_the_eye[..., 2, 2] = in_the_corner[..., 6, 6] = 1
mean = nn.AdaptiveAvgPool2d(1)
anywhere = nn.Conv2d(1, 1, 7, bias=False)  # a weight for each place
assert torch.equal(mean(at_the_eye), mean(in_the_corner))
assert not torch.equal(anywhere(at_the_eye), anywhere(in_the_corner))

# %% [markdown]
# Apart from normalisation, every end is a linear map of the features, $e_d = \sum_{c,p} W_{d,c,p}\, x_{c,p}$ with channels $c$ and places $p$. The ends differ in which $W$ they can be:
#
# $$ \underbrace{W_{d,c,p} = \tfrac{1}{P} L_{d,c}}_{\text{average, linear}} \qquad \underbrace{W_{d,c,p} = L_{d,c}\, g_{c,p}}_{\text{depthwise over the whole map, linear}} \qquad \underbrace{W_{d,c,p}\ \text{free}}_{\text{flatten, linear}} \tag{9.5} $$
#
# The middle one is MobileFaceNet's own idea, the **global depthwise convolution**: each channel has one weight for each place, so an eye may count more than a corner. But for a given channel $W$ is a product of a column and a row, a matrix of rank 1: all numbers of the embedding see that channel through the *same* pattern of places. Suppose five numbers are wanted from one channel, each around one of the five landmarks. How near can each end come? With $n$ copies of the channel, each with a pattern of its own, $W$ has rank $n$, and the best such answer is known: the first $n$ terms of the singular value decomposition.

# %% mystnb={"image": {"alt": "Left: five small maps of 7 by 7, each with a bright spot where a landmark of the template falls. Right: bars of the share of them that each end can express: average lowest, depthwise with one channel more, with four channels most of it, flatten 100 per cent."}}
centre = torch.tensor(TEMPLATE_112 / 16 - 0.5).float()  # 5, xy in cells of the last map
place = torch.stack(torch.meshgrid(torch.arange(7.0), torch.arange(7.0), indexing="xy"), -1)  # 7, 7, xy
wanted = torch.exp(-((place - centre[:, None, None]) ** 2).sum(-1)).flatten(1)  # 5 numbers, 49 places
energy = torch.linalg.svdvals(wanted) ** 2
flat = wanted.mean(1).pow(2).sum() * 49  # of the part that is the same everywhere
within_reach = {"average": flat / energy.sum()}
within_reach |= {f"depthwise, {n} of a channel": energy[:n].sum() / energy.sum() for n in (1, 2, 4)}
within_reach["flatten"] = energy.sum() / energy.sum()

fig = plt.figure(figsize=(9, 2.6))
left, right = fig.subfigures(1, 2, width_ratios=(1.3, 1))
for ax, pattern, name in zip(left.subplots(1, 5), wanted, LANDMARK_NAMES, strict=True):
    plot.image(pattern.view(7, 7).numpy(), "", ax, cmap="magma").set_title(name, size=7)
plot.bars({name: 100 * float(share) for name, share in within_reach.items()}, "%", "within reach", right.subplots())
assert list(within_reach.values()) == sorted(within_reach.values()) and within_reach["depthwise, 1 of a channel"] < 0.6

# %% [markdown]
# Averaging reaches little, one pattern for a channel a part, and four most of it. That is what the $1 \times 1$ convolution from 128 to 512 channels before MobileFaceNet's depthwise end can do: make four of each. The flattened end can be anything and pays with 25,088 weights for each number of the embedding.
#
# Expressing is one thing, learning another. Let us see it on people. The maps are made by hand so that nothing else is learned: histograms of edge directions (HOG) in cells of 16 pixels, which are 8 x 7 x 7 numbers. The ends differ, everything else is the same: a $1 \times 1$ convolution to 32 channels, and after it facelib's `EmbeddingBlock`, BN-Dropout-FC-BN.

# %%
from skimage.feature import hog

from facelib.synth import load_dataset


def edges(pictures):
    """(N, 112, 112, 3) -> (N, 8 directions, 7, 7)."""
    cells = {"orientations": 8, "pixels_per_cell": (16, 16), "cells_per_block": (1, 1), "feature_vector": False}
    return (
        torch.tensor(np.stack([hog(picture.mean(2), **cells)[:, :, 0, 0] for picture in pictures]))
        .float()
        .permute(0, 3, 1, 2)
    )


data, strangers = load_dataset("tiny", "train"), load_dataset("tiny", "validation")
maps, labels = edges(data.images), torch.tensor(data.labels)  # 320, 8, 7, 7
others, who = edges(strangers.images), torch.tensor(strangers.labels)  # 160, 8, 7, 7
people = int(labels.max()) + 1


def end(kind, channels=32, embedding=32):
    """Hand-made maps (B, 8, 7, 7) -> embeddings (B, 32)."""
    over_places = {
        "average": nn.AdaptiveAvgPool2d(1),
        "depthwise": nn.Conv2d(channels, channels, 7, groups=channels, bias=False),
        "flatten": nn.Identity(),
    }[kind]
    side = 7 if kind == "flatten" else 1
    widen = nn.Sequential(nn.BatchNorm2d(8), nn.Conv2d(8, channels, 1), nn.PReLU(channels))
    return nn.Sequential(widen, over_places, EmbeddingBlock((channels, side, side), embedding, dropout=0.4))


# %%
def train_on(x, network, seed, steps, rate=3e-3, batch=64):
    """Train with ArcFace on x (N, ...) and ``labels``; the loss of each step."""
    torch.manual_seed(seed)
    head, margin, losses = (
        facelib.CosineClassifier(network[-1][-1].num_features, people),
        facelib.ArcFace(s=16, m=0.2),
        [],
    )
    optimizer = torch.optim.AdamW([*network.parameters(), *head.parameters()], lr=rate)
    for _ in range(steps):
        rows = torch.randint(len(x), (batch,))
        loss = F.cross_entropy(margin(head(network(x[rows])), labels[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


@torch.no_grad()
def area(network):
    """Probability that a pair of one stranger is more alike than a pair of two, in percent."""
    vectors = F.normalize(network.eval()(others))
    pairs = torch.triu_indices(len(who), len(who), 1)
    cosine, same = (vectors @ vectors.T)[pairs[0], pairs[1]], who[pairs[0]] == who[pairs[1]]
    return 100 * float((cosine[same][:, None] > cosine[~same]).float().mean())


# %% [markdown]
# <details class="predict"><summary>Predict before you run: three ends, three seeds each, judged on people who were not there. In which order do they come? The flattened end has by far the most weights and only 320 pictures to learn from.</summary>
#
# If place matters, averaging should be last. Between the other two it could go either way: the flattened end can express more, and can also learn more by heart.
#
# </details>

# %% mystnb={"image": {"alt": "Left: dots of three seeds for each of three ends. Average lies lowest, near the dotted line of guessing; depthwise and flatten lie about ten points higher, near each other. Right: a 7 by 7 map of how much each place counts in the trained depthwise end; the middle is brighter than the rim."}}
areas, patterns = {}, []
for kind in ("average", "depthwise", "flatten"):
    areas[kind] = []
    for seed in range(3):
        torch.manual_seed(seed)
        network = end(kind)
        train_on(maps, network, seed, 120)
        areas[kind].append(area(network))
        if kind == "depthwise":
            patterns.append(network[1].weight.detach().pow(2).mean((0, 1)).sqrt())  # 7, 7

fig, axes = plt.subplots(1, 2, figsize=(9, 2.8), width_ratios=(2, 1))
for row, found in enumerate(areas.values()):
    axes[0].plot(found, [row] * len(found), "o", color=plot.BLUE, alpha=0.6)
axes[0].axvline(50, color="grey", linestyle=":")
axes[0].set(yticks=range(3), yticklabels=areas, ylim=(2.5, -0.5), xlabel="area under the ROC curve, strangers, %")
weight_of = torch.stack(patterns).mean(0)
plot.image(weight_of.numpy(), "how much a place counts", axes[1], cmap="magma")
rim = torch.ones(7, 7, dtype=torch.bool)
rim[1:-1, 1:-1] = False
assert max(areas["average"]) + 2 < min(areas["depthwise"] + areas["flatten"])
assert weight_of[~rim].mean() > weight_of[rim].mean()
print("average more than 2 points below every run of the others:", end=" ")
print(max(areas["average"]) + 2 < min(areas["depthwise"] + areas["flatten"]))

# %% [markdown]
# Averaged edge directions say next to nothing about who somebody is; with their places they say something. Nobody told the depthwise end where faces are, and it found that the middle counts more than the rim. Whether it or the flattened end is the better one, three seeds on forty people cannot say, and would say nothing of networks with 40 million weights.
#
# What are the two normalisations in BN-Dropout-FC-BN for? Margins look at directions only. If all embeddings share a large common part, all of them point the same way before training has begun. So take an untrained end and leave out one BN or both.

# %%
torch.manual_seed(0)
before, _, flatten, linear, after = EmbeddingBlock((8, 7, 7), 512)
ends = {"FC": (), "BN, FC": (before,), "FC, BN": (after,), "BN, FC, BN": (before, after)}
with torch.no_grad():
    for title, norms in ends.items():
        order = [before] * (before in norms) + [flatten, linear] + [after] * (after in norms)
        vectors = F.normalize(nn.Sequential(*order).train()(maps))  # 320, 512
        cosine = (vectors @ vectors.T)[~torch.eye(len(maps), dtype=torch.bool)].mean()
        print(f"{title}: mean cosine of two pictures {abs(cosine):.1f}")
        assert cosine > 0.5 if not norms else abs(cosine) < (0.01 if after in norms else 0.4)

# %% [markdown]
# Without either, any two pictures look alike. The first BN takes away the mean of each channel and leaves that of each place, so most of the common part goes. The last one acts on the embedding itself: every coordinate has mean 0 over a batch, whatever training does to the rest. It also has a weight for each coordinate, which the margin does not need; IResNet freezes it at 1.
#
# ## Break it: no shortcuts
#
# "Shortcuts cure vanishing gradients" is what everybody has heard. Measure it. Three stacks of $n$ blocks that keep shape: bare convolutions with PReLU; the IR block without its shortcut; the IR block. For each, the gradient at the first layer against the last, at the start, and a second number: how much the gradient at the input turns when the pictures get a little noise (an amplitude of 2 % of half the range).


# %%
class NoShortcut(Block):
    def forward(self, x):
        return super().forward(x) - x  # the path alone


class Bare(nn.Sequential):
    def __init__(self, inside, outside):
        layers = [nn.Conv2d(inside, outside, 3, 1, 1), nn.PReLU(outside)]
        super().__init__(*layers, nn.Conv2d(outside, outside, 3, 1, 1), nn.PReLU(outside))


def stack(block, count, seed, width=16):
    """Pictures (B, 3, 28, 28) -> maps (B, 16, 7, 7)."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, width, 4, 4, bias=False), nn.BatchNorm2d(width), *(block(width, width) for _ in range(count))
    )


crops = torch.tensor(data.images).permute(0, 3, 1, 2).float() / 127.5 - 1  # 320, 3, 112, 112
little = F.interpolate(crops, scale_factor=0.25, mode="area")  # 320, 3, 28, 28
noise = 0.02 * torch.randn(32, 3, 28, 28, generator=chance)


# %%
def gradients(network):
    """Gradient of the first block's weights over that of the last; cosine of the input's gradient with and without noise."""
    at_input = []
    for x in (little[:32] + noise, little[:32].clone()):
        network.zero_grad()
        out = network(x.requires_grad_())
        (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(1))).sum().backward()
        at_input.append(x.grad.flatten(1))
    first, last = (next(p for p in network[k].parameters() if p.ndim == 4).grad.norm() for k in (2, -1))
    at_input = [gradient.double() for gradient in at_input]  # of deep bare stacks far below float32's eps of 1e-8
    return float(first / last), float(F.cosine_similarity(*at_input, eps=1e-300).mean())


# %% [markdown]
# <details class="predict"><summary>Predict before you run: thirty-two blocks, so sixty-four convolutions. By how much is the first gradient smaller than the last, in each of the three stacks?</summary>
#
# Bare layers shrink what passes through them, a little each, and sixty-four little factors multiply. What BN does to that is harder to guess: it divides by the deviation and so restores the size of what passes, forwards. Backwards it multiplies by the same factor.
#
# </details>

# %% mystnb={"image": {"alt": "Two panels over the number of blocks, 1 to 32. Left, first gradient over last, logarithmic: bare falls to far below a billionth, without shortcut rises a little above one, with shortcut rises a little too. Right, cosine of the input's gradient before and after a little noise: bare and with shortcut stay high, without shortcut falls towards zero."}}
counts = (1, 2, 4, 8, 16, 32)
kinds = {"bare": Bare, "BN, no shortcut": NoShortcut, "BN, shortcut": Block}
measured = {
    name: np.array([np.mean([gradients(stack(kind, count, seed)) for seed in range(3)], 0) for count in counts])
    for name, kind in kinds.items()
}  # name -> 6 counts, 2 numbers: mean of 3 seeds
fig, axes = plt.subplots(1, 2, figsize=(9, 3))
plot.curves(
    counts, {name: m[:, 0].clip(1e-12) for name, m in measured.items()}, "blocks", "first gradient / last", axes[0]
)
plot.curves(counts, {name: m[:, 1] for name, m in measured.items()}, "blocks", "cosine after a little noise", axes[1])
for ax in axes:
    ax.set(xscale="log", xticks=counts, xticklabels=counts)
_ = axes[0].set(yscale="log"), axes[0].minorticks_off(), axes[1].minorticks_off()
print(f"bare, 32 blocks: below a billionth: {measured['bare'][-1, 0] < 1e-9}")
print(f"BN, no shortcut, 32 blocks: nothing vanishes: {measured['BN, no shortcut'][-1, 0] > 1};", end=" ")
print(f"cosine below 0.4: {measured['BN, no shortcut'][-1, 1] < 0.4}")
print(f"BN, shortcut, 32 blocks: cosine above 0.6: {measured['BN, shortcut'][-1, 1] > 0.6}")
assert measured["bare"][-1, 0] < 1e-9 and measured["BN, no shortcut"][-1, 0] > 1
assert measured["bare"][-1, 1] > 0.8 and measured["BN, no shortcut"][-1, 1] < 0.4
assert measured["BN, shortcut"][-1, 1] > 0.6

# %% [markdown]
# Two different diseases. In bare stacks gradients do vanish (the plot stops at $10^{-12}$). But **batch normalisation alone cures that**: without shortcuts nothing vanishes, if anything the first gradient is the larger one. What goes wrong instead is on the right. In a deep stack with BN and without shortcuts the gradient of a picture has hardly anything to do with the gradient of nearly the same picture ([Balduzzi et al. 2017](../book/bibliography.md) call such gradients shattered). The bare stack's gradients, what is left of them, still agree: vanishing and shattering are two things. A step that helps one helps no other. With shortcuts a part of the gradient comes straight through, and neighbours agree.
#
# If that is the disease, it should show in training.

# %% mystnb={"image": {"alt": "Loss over 40 steps for four stacks, three seeds each. With shortcuts, 2 blocks fall fastest and 16 follow. Without, 2 blocks fall more slowly and 16 blocks hardly at all."}}
training = {}
for name, kind in list(kinds.items())[1:]:
    for count in (2, 16):
        training[f"{name}, {count} blocks"] = []
        for seed in range(3):
            network = nn.Sequential(*stack(kind, count, seed), EmbeddingBlock((16, 7, 7), 64))
            training[f"{name}, {count} blocks"].append(train_on(little, network, seed, 40, rate=1e-2, batch=32))

ax = plot.curves(
    range(40), {name: np.mean(losses, 0) for name, losses in training.items()}, "step", "loss, mean of 3 seeds"
)
ax.figure.set_size_inches(7, 3.2)
each = {name: [np.mean(run[-10:]) for run in losses] for name, losses in training.items()}
deep, deep_with = each["BN, no shortcut, 16 blocks"], each["BN, shortcut, 16 blocks"]
print(f"16 blocks: each of three seeds ends lower with shortcuts than any without: {max(deep_with) < min(deep)}")
shallow = each["BN, no shortcut, 2 blocks"]
print(f"without shortcuts, each of 2 blocks ends lower than any of 16: {max(shallow) < min(deep)}")
assert max(deep_with) < min(deep) and max(shallow) < min(deep)

# %% [markdown]
# The deep stack without shortcuts has more weights than the shallow one and learns less, on the pictures it is trained on. So it is no overfitting: it is a network that cannot be trained in this time. ([He et al. 2016](../book/bibliography.md) found the same with eighteen and thirty-four layers, and gave it the name degradation.)
#
# ## Break it: the wrong mode
#
# BN has two modes. In training it normalises by the mean and deviation of the batch at hand, in evaluation by running averages that it has collected. So in training mode an embedding is a property of a *batch*.

# %%
torch.manual_seed(0)
network = create("mobilefacenet")
with torch.no_grad():
    network.train()(crops[:32])  # collects running averages once
    a, b = (network.train()(crops[[0, *neighbours]])[0] for neighbours in (range(1, 16), range(100, 115)))
    c, d = (network.eval()(crops[[0, *neighbours]])[0] for neighbours in (range(1, 16), range(100, 115)))
same_picture = F.cosine_similarity(a, b, dim=0)
print(f"train mode, other neighbours: cosine of a picture with itself below 0.9: {bool(same_picture < 0.9)}")
print(f"eval mode: the same to a ten-thousandth: {bool(F.cosine_similarity(c, d, dim=0) > 0.9999)}")
assert same_picture < 0.9 and F.cosine_similarity(c, d, dim=0) > 0.9999
try:
    network.train()(crops[:1])
except ValueError as error:
    print(f"a batch of one: {str(error).split('[')[0]}...")

# %% [markdown]
# The same picture of the same person, embedded twice, is not even near itself. Enrolment in one batch and a query in another would not match, and no error says so, except for a batch of one. Worse, every such call moves the running averages, and so damages the network for those who use it rightly. Hence `network.eval()`, always; `facelib.Embedder` does it for you.
#
# ## Which one?
#
# Weights and operations of the candidates, among them a vision transformer (ViT), which cuts the crop into patches of $8 \times 8$, makes a vector of $D$ numbers of each, and lets each look at all. With $T$ vectors a block has linear layers of $12 D^2$ weights, used for each vector, and two products of $T \times T \times D$ for the attention, which have no weights at all:
#
# $$ \text{multiply-adds of a ViT block} = 12\, T D^2 + 2\, T^2 D . \tag{9.6} $$
#
# Our hooks see layers with weights, so they miss the second term. PyTorch's counter may miss it too: it counts what it has been taught, and not every device's fused attention is among it. Asked to do attention by plain matrix products, it agrees with (9.6).

# %%
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

vit = "timm:vit_small_patch8_224"  # made for 224 pixels; create() asks for 112
assert timm.is_model(vit.removeprefix("timm:"))
tokens, width, depth = (112 // 8) ** 2 + 1, 384, 12  # 196 patches, and one vector for the whole
attention = depth * 2 * tokens**2 * width
network = create(vit).eval()
with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
    network(torch.zeros(1, 3, 112, 112))
by_hand = sum(multiply_adds(network).values()) + attention
assert counter.get_total_flops() == 2 * by_hand
print(f"attention is {100 * attention / by_hand:.0f} % of the multiply-adds at 112 pixels")

# %% [markdown]
# Milliseconds depend on the machine, so they are measured here and now: one crop, one thread, the median of three. (For the ViT we take our own count.)

# %% mystnb={"image": {"alt": "Two panels of bars for MobileFaceNet, IResNet-18, IResNet-50, IResNet-100 and a small ViT. Left, multiply-adds: MobileFaceNet is a sliver, IResNet-100 the longest. Right, milliseconds on the machine that ran this lesson: the same order in the main, with a smaller gap between MobileFaceNet and the others."}}
names = {"MobileFaceNet": "mobilefacenet", **{f"IResNet-{n}": f"iresnet{n}" for n in (18, 50, 100)}, "ViT-S/8": vit}
table = {}
print(f"{'':14}{'million weights':>16}{'million multiply-adds':>23}")
for title, name in names.items():
    network = create(name)
    measured_here = cost(network, repeats=3)
    work = by_hand if name == vit else measured_here.operations // 2
    table[title] = work / 1e6, measured_here.milliseconds
    print(f"{title:14}{measured_here.weights / 1e6:16.1f}{work / 1e6:23,.0f}")
for title, (_, ms) in table.items():
    print(f"{title}: {ms:.1f} ms")

fig, axes = plt.subplots(1, 2, figsize=(9, 2.6), sharey=True)
plot.bars({title: row[0] / 1000 for title, row in table.items()}, "G", "multiply-adds (G: thousand million)", axes[0])
plot.bars({title: row[1] for title, row in table.items()}, "ms", "one crop, one thread, here", axes[1])
axes[1].invert_yaxis()
fewer = table["IResNet-50"][0] / table["MobileFaceNet"][0]
print(f"MobileFaceNet: {fewer:.0f} times fewer multiply-adds than IResNet-50")

# %% [markdown]
# Divide the milliseconds in your own output and hold the quotient against the last line: MobileFaceNet is faster than IResNet-50, but not by what its operations promise. ViT-S/8 takes fewer multiply-adds than IResNet-50 and half of the weights. None of this says which recognises better: a convolution looks at neighbours first and treats all places alike; a transformer must learn that, from more pictures or with more augmentation.
#
# ### Operations are not milliseconds
#
# A processor has two speeds: how fast it computes and how fast it moves numbers. Which one counts for a layer depends on its **arithmetic intensity**, multiply-adds for each number read or written:
#
# $$ I = \frac{k^2\, C_\text{in}\, C_\text{out}\, H W / G}{C_\text{in} H W + C_\text{out} H W + k^2\, C_\text{in}\, C_\text{out} / G} \tag{9.7} $$
#
# with $G$ groups: 1 for a full convolution, $C$ for a depthwise one.
#
# <details class="predict"><summary>Predict before you run: 128 channels at 28 x 28. A depthwise 3 x 3 has 128 times fewer multiply-adds than the full one. How much faster is it?</summary>
#
# For each number read, the full one does hundreds of multiply-adds and the depthwise one four or five. A core does dozens of multiply-adds in the time it takes to load or store a few numbers. So: clearly faster, and by much less than 128 times.
#
# </details>

# %% mystnb={"image": {"alt": "Two panels of three bars: full 3 by 3, 1 by 1 and depthwise 3 by 3. Left, multiply-adds for each number moved: hundreds, tens, under five. Right, time for a million multiply-adds on the machine that ran this lesson: the depthwise bar is the longest."}}
import time


def intensity(k, inside, outside, side, groups):
    moved = (inside + outside) * side**2 + k**2 * inside * outside / groups
    return k**2 * inside * outside * side**2 / groups / moved


@torch.inference_mode()
def fastest(layer, x, repeats=100):
    """Seconds of the fastest of some runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        layer(x)
        times.append(time.perf_counter() - start)
    return min(times)


x = torch.randn(1, 128, 28, 28, generator=chance)
kinds = {"full 3 x 3": (3, 1), "1 x 1": (1, 1), "depthwise 3 x 3": (3, 128)}  # kernel, groups
rows = {}
for name, (k, groups) in kinds.items():
    layer = nn.Conv2d(128, 128, k, padding=k // 2, groups=groups, bias=False)
    million = layer.weight.numel() * 28**2 / 1e6
    rows[name] = intensity(k, 128, 128, 28, groups), 1e6 * fastest(layer, x) / million

fig, axes = plt.subplots(1, 2, figsize=(9, 2), sharey=True)
plot.bars({name: row[0] for name, row in rows.items()}, "", "multiply-adds for each number moved", axes[0])
plot.bars({name: row[1] for name, row in rows.items()}, "µs", "for a million multiply-adds, here", axes[1])
axes[1].invert_yaxis()
for name, (_, micro) in rows.items():
    print(f"{name}: {micro / 1000:.4f} ms for a million multiply-adds")
assert rows["depthwise 3 x 3"][0] < 5 < rows["full 3 x 3"][0]

# %% [markdown]
# Of the two panels the left one is the same everywhere and the right one is your machine's: where it moves numbers more slowly than it computes, the depthwise bar is the longest by far. Take the depthwise line of your output over the full one's, and divide 128 by it: so many times faster is the depthwise layer here. The same holds for everything that our count left out: BN, PReLU and sums do one or two operations for each number they move. On a GPU the two speeds lie farther apart still. So a table of operations tells what is possible, and a clock tells what is so: `facelib bench backbones` prints both for your machine.
#
# ## Published weights
#
# insightface publishes IResNets trained on millions of photos as `backbone.pth`: names and tensors. facelib's modules carry the same names, so such a file loads key for key. (Read [data and licences](../book/data.md) before using one: the weights are only as free as the photos.) Here is the layout, written down from the published files and not from our modules.


# %%
def norm(name, channels):
    """Name -> shape of a batch normalisation."""
    parts = ("weight", "bias", "running_mean", "running_var")
    return {**{f"{name}.{part}": (channels,) for part in parts}, f"{name}.num_batches_tracked": ()}


def published(counts, embedding=512):
    """Name -> shape in insightface's files, for the blocks in each of the four layers."""
    shapes, inside = {"conv1.weight": (64, 3, 3, 3), **norm("bn1", 64), "prelu.weight": (64,)}, 64
    for number, (count, outside) in enumerate(zip(counts, (64, 128, 256, 512), strict=True), 1):
        for at in (f"layer{number}.{k}" for k in range(count)):
            shapes |= norm(f"{at}.bn1", inside) | norm(f"{at}.bn2", outside) | norm(f"{at}.bn3", outside)
            shapes |= {f"{at}.conv1.weight": (outside, inside, 3, 3), f"{at}.prelu.weight": (outside,)}
            shapes |= {f"{at}.conv2.weight": (outside, outside, 3, 3)}
            if at.endswith(".0"):
                shapes |= {f"{at}.downsample.0.weight": (outside, inside, 1, 1), **norm(f"{at}.downsample.1", outside)}
            inside = outside
    shapes |= norm("bn2", 512) | norm("features", embedding)
    return shapes | {"fc.weight": (embedding, 512 * 7 * 7), "fc.bias": (embedding,)}


for depth, counts in {18: (2, 2, 2, 2), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3)}.items():
    with torch.device("meta"):  # shapes without numbers
        ours = {name: tuple(value.shape) for name, value in create(f"iresnet{depth}").state_dict().items()}
    assert ours == published(counts)
    print(f"IResNet-{depth}: {len(ours)} names, all with the published shape")

# %% [markdown]
# A file with these names and shapes, in half precision as they are published, and random numbers for want of photos:

# %%
import tempfile
from pathlib import Path

from facelib.backbones import load_weights
from facelib.errors import WeightsError

found = {
    name: (0.1 + torch.rand(shape, generator=chance)).half() if shape else torch.tensor(1)
    for name, shape in published((2, 2, 2, 2), embedding=64).items()
}
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "backbone.pth"
    torch.save(found, file)
    network = create("iresnet18", embedding=64)
    load_weights(network, file)
    assert all(torch.equal(value, found[name].to(value.dtype)) for name, value in network.state_dict().items())
    try:
        load_weights(create("iresnet34", embedding=64), file)
    except WeightsError as error:
        print(str(error).replace(str(file), "backbone.pth"))

# %% [markdown]
# All or nothing: a network with half of its weights loaded would embed without complaint, and embed nonsense. `strict=False`, which silences PyTorch's own error, has cost many an afternoon.
#
# ## Exercises
#
# ### Exercise 9.1 · The bill of a layer
#
# <span class="meta">★☆☆ · 10 minutes</span>
#
# Write `bill(kernel, inside, outside, side, stride, groups)`: weights and multiply-adds of a convolution without bias on a map of `side` x `side`, padded by `kernel // 2` on each side (odd kernels). `groups` cuts the channels into so many parts that do not see each other.
#
# <details class="hint"><summary>Hint 1</summary>
#
# How many input channels does one output channel see when there are groups?
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# With this padding the output has `side / stride` places in a row, rounded up: `-(-side // stride)`.
#
# </details>


# %% tags=["exercise"]
def bill(kernel, inside, outside, side, stride, groups):
    return ...  # your code: weights, multiply-adds


# %% tags=["check"]
check.bill(bill)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def bill(kernel, inside, outside, side, stride, groups):
#     weights = kernel**2 * (inside // groups) * outside
#     return weights, weights * (-(-side // stride)) ** 2
# ```
#
# `groups=inside` is a depthwise convolution, and (9.2) follows from two such bills.
#
# </details>

# %% [markdown]
# ### Exercise 9.2 · Through the window
#
# <span class="meta">★★☆ · 20 minutes</span>
#
# Write `window(layers, i)`: the first and the last input pixel, along one axis, that output number `i` depends on. `layers` is a list of (kernel, stride, padding), in the order in which they are applied. Pixels in the padding count, so the first may be negative.
#
# <details class="hint"><summary>Hint 1</summary>
#
# Walk backwards. Which inputs does output `i` of one layer see?
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# From `stride * i - padding` on, `kernel` of them. Do that with both ends, layer by layer, from the last to the first.
#
# </details>


# %% tags=["exercise"]
def window(layers, i):
    return ...  # your code: first, last


# %% tags=["check"]
check.window(window)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def window(layers, i):
#     first = last = i
#     for kernel, stride, padding in reversed(layers):
#         first, last = stride * first - padding, stride * last - padding + kernel - 1
#     return first, last
# ```
#
# `last - first + 1` is the $r$ of (9.4). With kernel 3, stride 2 and padding 1 the window of number 0 begins outside of the picture: the outputs at the rim see zeros.
#
# </details>

# %% [markdown]
# ### Exercise 9.3 · Fold it in
#
# <span class="meta">★★☆ · 20 minutes</span>
#
# In evaluation mode BN is $y = \gamma\,(x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta$ with fixed numbers for each channel. Behind a convolution it can be computed away. Write `fold(weight, gamma, beta, mean, variance, eps)`, with weight (O, I, k, k) of a convolution without bias and the rest (O,), all numpy arrays: return the weight and bias of one convolution that does both.
#
# <details class="hint"><summary>Hint 1</summary>
#
# A convolution is linear: scaling its output is scaling its weights. Which of the four axes is the output channel?
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# `scale = gamma / np.sqrt(variance + eps)`, and `scale[:, None, None, None]` stretches it along the first axis. What is left over is the bias.
#
# </details>


# %% tags=["exercise"]
def fold(weight, gamma, beta, mean, variance, eps):
    return ...  # your code: weight, bias


# %% tags=["check"]
check.fold(fold)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def fold(weight, gamma, beta, mean, variance, eps):
#     scale = gamma / np.sqrt(variance + eps)
#     return weight * scale[:, None, None, None], beta - scale * mean
# ```
#
# Every export does this. It works for a BN *behind* a convolution; one before it, like the first of an IR block, cannot be folded exactly, because padding adds zeros after normalisation and not before.
#
# </details>

# %% [markdown]
# ### Exercise 9.4 · The price of a patch
#
# <span class="meta">★★★ · 20 minutes</span>
#
# Write `transformer(side, patch, width, depth)`: all multiply-adds of a ViT body on a crop of `side` pixels with three channels. That is the patches (a convolution whose kernel and stride are `patch`, without padding), and `depth` blocks by (9.6), for all patches and one vector more. Then `smallest(side, width, depth, budget)`: the smallest patch among the divisors of `side` whose body stays within a budget of multiply-adds, or None.
#
# <details class="hint"><summary>Hint 1</summary>
#
# There are $(\text{side} / \text{patch})^2$ patches, each of $3 \cdot \text{patch}^2$ numbers, each made into `width` numbers.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# Smaller patches cost more, always: so try divisors from the smallest on and return the first that fits.
#
# </details>


# %% tags=["exercise"]
def transformer(side, patch, width, depth):
    return ...  # your code


def smallest(side, width, depth, budget):
    return ...  # your code


# %% tags=["check"]
check.transformer(transformer, smallest)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def transformer(side, patch, width, depth):
#     patches = (side // patch) ** 2
#     tokens = patches + 1
#     return patches * 3 * patch**2 * width + depth * (12 * tokens * width**2 + 2 * tokens**2 * width)
#
#
# def smallest(side, width, depth, budget):
#     divisors = [patch for patch in range(1, side + 1) if side % patch == 0]
#     return next((patch for patch in divisors if transformer(side, patch, width, depth) <= budget), None)
# ```
#
# Halving the patch makes four times as many vectors: four times the linear layers, sixteen times the attention.
#
# </details>

# %% [markdown]
# ## Quiz
#
# **Question 1.** A paper says its backbone takes 6.3 GFLOPs, `facelib bench backbones` says 12.6 thousand million operations for the same network. Who is wrong?
#
# <details class="quiz"><summary>A · Nobody: one counts multiply-adds, the other multiplications and additions</summary>
#
# Right: a multiply-add is two operations. Compare numbers from one counter only.
#
# </details>
# <details class="quiz"><summary>B · The paper, which forgot batch normalisation</summary>
#
# Wrong: normalisation is a percent or so of the arithmetic, not half. Both counters leave it out.
#
# </details>
# <details class="quiz"><summary>C · facelib, which counts the backward pass</summary>
#
# Wrong: the backward pass would make it about three times as much, not twice.
#
# </details>
#
# **Question 2.** Why does a global depthwise convolution suit aligned faces and not photos from the street?
#
# <details class="quiz"><summary>A · It has fewer weights than a linear layer</summary>
#
# Wrong as a reason: averaging has fewer still, and works for street photos.
#
# </details>
# <details class="quiz"><summary>B · It needs a map of exactly 7 x 7</summary>
#
# Wrong: its size is chosen to fit the map, and street photos can be cut to any size.
#
# </details>
# <details class="quiz"><summary>C · It gives every place a weight of its own, which helps only if a place means the same in every picture</summary>
#
# Right: alignment makes it so. Without it, place 17 is an eye in one picture and a lamp post in the next.
#
# </details>
#
# **Question 3.** A deep stack of blocks with BN and without shortcuts hardly learns. What did we measure?
#
# <details class="quiz"><summary>A · Its first gradient is a billionth of the last</summary>
#
# Wrong: that was the stack without BN. With BN the first gradient is not smaller than the last.
#
# </details>
# <details class="quiz"><summary>B · Its gradient turns to another direction when the picture changes a little</summary>
#
# Right: neighbouring pictures ask for unrelated steps. Shortcuts keep the gradients alike.
#
# </details>
# <details class="quiz"><summary>C · It overfits, having more weights than the shallow one</summary>
#
# Wrong: overfitting is a low loss in training and a high one elsewhere. Here the training loss itself stays high.
#
# </details>
#
# **Question 4.** A service embeds faces in batches as they arrive. The same photo gets another vector every day. What do you look at first?
#
# <details class="quiz"><summary>A · The random seed</summary>
#
# Wrong as the first thing: nothing in a network is random in evaluation mode.
#
# </details>
# <details class="quiz"><summary>B · Whether the network is in evaluation mode</summary>
#
# Right: in training mode the vector depends on the others in the batch, and running averages drift with every call.
#
# </details>
# <details class="quiz"><summary>C · Whether the threshold is set too high</summary>
#
# Wrong: a threshold decides about vectors, it does not change them.
#
# </details>
#
# ## Summary
#
# - Weights are $k^2 C_\text{in} C_\text{out}$, work is that times the places. Cutting a convolution in two leaves $1/C_\text{out} + 1/k^2$ of it.
# - An IR block normalises first, puts its stride last, and adds without a following activation. With copied weights ours is facelib's.
# - A receptive field is arithmetic, exact to the pixel, and an upper bound: most of the gradient comes from its middle.
# - Averaging forgets where; a global depthwise convolution keeps one pattern of places for each channel; flattening keeps all and pays in weights.
# - BN cures vanishing gradients, shortcuts cure shattered ones; with BN alone the deep stack hardly learned here.
# - In training mode an embedding depends on its neighbours. Evaluation mode, always.
# - Operations say what is possible, a clock says what is so.
#
# Next: [lesson 10](10_training.ipynb), "Training for real", where such a network learns.
