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
# # 15 · A million identities
#
# <a class="colab" href="https://colab.research.google.com/github/facelib-course/facelib-course/blob/main/notebooks/15_a_million_identities.ipynb">Open in Colab</a>
#
# The backbone does not know how many people there are. The head does: it has a centre for each of them, and a logit for each of them and each picture of the batch. With ten thousand people nobody notices. With a million, head and logits are several times larger than everything else, and a training step asks for more memory than many cards have. There are three ways to pay: the same softmax a block at a time, a sample of it, or a share of it on every card. Two of the three are exact.
#
# **You will be able to**
# - count the bytes of a head before the run is started, and say at how many people it overtakes the backbone;
# - compute a softmax over any number of classes in blocks, forward and backward, and show that it is exact;
# - say what a sampled softmax gets wrong and what that costs, and measure both;
# - split a softmax over several processes, and count what travels between them;
# - recognise three mistakes that raise no error.
#
# **Before this** [lesson 07](07_margins_at_work.ipynb): margins and heads; [lesson 10](10_training.ipynb): a step of training and several processes. Finding a face among a million, which is another question, is [lesson 12](12_identification.ipynb).
#
# **Time** about 45 s to run on two CPU cores
# · about 100 minutes to read and do

# %% tags=["setup"]
try:
    import facelib
except ModuleNotFoundError:  # a fresh Colab
    # %pip install --quiet "facelib @ git+https://github.com/facelib-course/facelib-course"
    import facelib
import itertools
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from facelib import plot, records
from facelib.checks import lesson_15 as check
from facelib.heads import by_rows

plot.use()
torch.set_num_threads(1)  # tensors so small that a second thread only costs time

# %% [markdown]
# ## Where the bytes go
#
# Take $C$ people, embeddings of $D$ numbers, a batch of $B$. The centres $W$ are $C \times D$ numbers, and momentum keeps a velocity of the same size ([lesson 10](10_training.ipynb)). A step adds the gradient and what passes through on the way to it. That has two peaks. At the softmax there are the unit centres and four matrices $B \times C$: cosines, logits, log-softmax, a gradient. Later, where the gradient goes back through the normalisation of $W$, there are five matrices of the size of $W$. With 4 bytes a number,
#
# $$ \text{held} = 2 \cdot 4\,C D, \quad \text{added by a step} = 4\,C \cdot \max(D + 4 B,\; 5 D) . \tag{15.1} $$
#
# Both grow with $C$, and the network is not in them. How large is it?
#
# <details class="predict"><summary>Predict before you run: IResNet-50 has 44 million weights, and a centre has 512 numbers. From how many people on is the head larger than the backbone? And with a million people, how many times larger?</summary>
#
# 44 million / 512: about 85 thousand people, and sets of that size are common. A million people are 512 million weights, twelve backbones.
#
# </details>


# %%
def bytes_of(classes, batch, size=512):
    """Bytes of centres and velocity, and those that a dense step adds at its peak, by (15.1)."""
    return 2 * 4 * classes * size, 4 * classes * max(size + 4 * batch, 5 * size)


backbone = facelib.backbones.create("iresnet50", 512, 112).eval()
with torch.inference_mode(), FlopCounterMode(display=False) as counter:
    backbone(torch.zeros(1, 3, 112, 112))
weights, operations = sum(p.numel() for p in backbone.parameters()), counter.get_total_flops()
print(f"IResNet-50: {weights / 1e6:.1f} million weights; a head has as many at {weights / 512:,.0f} people")
for classes in (10_000, 100_000, 1_000_000):
    held, added = bytes_of(classes, batch=256)
    print(f"{classes:9,} people, {classes * 512 / weights:4.1f} backbones: held {held / 1e9:5.2f} GB", end=", ")
    print(f"added {added / 1e9:5.2f} GB in a step of 256")
print(f"multiplications: as many as the backbone's at {operations / (2 * 512) / 1e6:.0f} million people")

# %% [markdown]
# Bytes and arithmetic disagree. A weight of a convolution is used at every place of the map, a centre once for each picture. So the head overtakes the network in *memory* early and in *multiplications* late, at a size that no public set of faces has. What is too much at a million is bytes.
#
# Is (15.1) true? PyTorch can tell us of every tensor that an operation makes, and we can watch which of them are alive.


# %%
class Alive(TorchDispatchMode):
    """Counts the bytes of the tensors that are made inside and still there: at their peak, and the largest one."""

    def __init__(self, *known):
        super().__init__()
        self.known = {tensor.untyped_storage()._cdata for tensor in known}  # was there before
        self.alive, self.peak, self.largest = {}, 0, 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        result = function(*arguments, **(options or {}))
        for made in result if isinstance(result, tuple | list) else [result]:
            if isinstance(made, torch.Tensor) and made.layout == torch.strided:
                storage = made.untyped_storage()
                if storage._cdata not in self.known:
                    self.alive[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self.alive = {key: found for key, found in self.alive.items() if not found[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self.alive.values()))
        self.largest = max([self.largest, *(size for _, size in self.alive.values())])
        return result


def count(step, head, x, labels):
    """Peak and largest tensor of one step forward and backward, in bytes, beyond centres and embeddings."""
    head.weight.grad = x.grad = None
    with Alive(head.weight, x, labels) as counted:
        step(head, x, labels).backward()
    return counted.peak, counted.largest


# %%
ARCFACE = facelib.ArcFace(s=64, m=0.5)


def dense(head, x, labels):
    return F.cross_entropy(ARCFACE(head(x), labels), labels)


def batch_of(classes, rows=64, size=64, seed=0):
    """A head, embeddings (rows, size) and labels (rows,)."""
    chance = torch.Generator().manual_seed(seed)
    head = facelib.CosineClassifier(size, classes, generator=chance)
    x = torch.randn(rows, size, generator=chance).requires_grad_()
    return head, x, torch.randint(classes, (rows,), generator=chance)


for classes, rows, size in ((10_000, 16, 64), (10_000, 256, 64), (30_000, 256, 64)):
    peak, largest = count(dense, *batch_of(classes, rows, size))
    expected = bytes_of(classes, rows, size)[1]
    print(
        f"{classes:6,} people, batch of {rows:3}: peak {peak / 1e6:6.1f} MB, by (15.1) {expected / 1e6:6.1f} MB",
    )
    print(f"{'':40}largest tensor {largest / 1e6:6.2f} MB")
    assert abs(peak / expected - 1) < 0.02

# %% [markdown]
# Counted and computed agree. In the first row the batch is small and the peak is at the centres, in the others at the logits. On real memory the same has been measured: `benchmarks/heads.py` notes the largest size that a process reaches, on a CPU, for a batch of 256 with 512 numbers. Its record comes with the package.

# %% mystnb={"image": {"alt": "Gigabytes over the number of people, both logarithmic, from a thousand to ten million. Two rising straight lines, what is held and above it what a dense step adds, cross the flat line of the backbone at some 130,000 and 50,000 people; at a million they stand at 4 and 10 gigabytes. Three measured dots lie on the upper line but for the first, which lies below it."}}
record = records.load("head_costs")
many = np.logspace(3, 7, 50)
held, added = bytes_of(many, batch=record["batch"], size=record["size"])
measured = {row["classes"]: row for row in record["rows"]}
own_gradient = {classes: 4 * classes * record["size"] / 1e6 for classes in measured}  # MB
_, ax = plt.subplots(figsize=(7, 3.4))
ax.plot(many, held / 1e9, label="held: centres and velocity")
ax.plot(many, added / 1e9, "--", label="added by a dense step")
dots = [(measured[n]["dense, beyond (MB)"] + own_gradient[n]) / 1e3 for n in measured]
ax.plot(list(measured), dots, "o", color="black", label="the same, measured")
ax.axhline(3 * 4 * weights / 1e9, color="grey", linestyle=":", label="IResNet-50: weights, gradient, velocity")
ax.set(xscale="log", yscale="log", xlabel="people", ylabel="GB")
_ = ax.legend(fontsize="small")
print(f"measured over computed at a million: {dots[-1] / (bytes_of(1e6, 256)[1] / 1e9):.2f}")
assert abs(dots[-1] / (bytes_of(1e6, 256)[1] / 1e9) - 1) < 0.02

# %% [markdown]
# (The dot at 10,000 lies below the line, as so small a step finds room in what the process had used before.) At a million people centres and step take 14 GB, the network with gradient and velocity half a gigabyte. What its activations take is not in the figure: it grows with the batch, and not with the people.

# %% [markdown]
# ## First way: the same softmax, in blocks
#
# The loss of a picture needs three things of its row of logits: the own one, the largest, and the sum of exponentials. None of them needs the whole row at once. Go through the logits in blocks, and carry the largest so far, $m$, and the sum $S$ of exponentials measured from it:
#
# $$ m' = \max(m, \max_{j \in \text{block}} z_j), \qquad S' = S\, e^{m - m'} + \sum_{j \in \text{block}} e^{z_j - m'}, \tag{15.2} $$
#
# and at the end $\log \sum_j e^{z_j} = m + \log S$ ([Milakov and Gimelshein 2018](../book/bibliography.md), algorithm 3). Whenever a larger logit turns up, what has been summed before is brought to the new measure.
#
# <details class="predict"><summary>Predict before you run: six logits, 2, 5, 1, 9, 3, 4, two at a time. What are m and S after the first block? What happens to S when the 9 arrives?</summary>
#
# m = 5 and S = 1 + exp(-3), about 1.05. With the 9 the old sum shrinks by exp(-4) to 0.02, and the 9 itself adds 1: S is about 1.02, and the last block hardly adds to it.
#
# </details>


# %%
def streamed(logits, block, say=False):
    """log-sum-exp of each row of logits (B, C), ``block`` columns at a time, by (15.2)."""
    top = torch.full((len(logits),), -torch.inf, dtype=logits.dtype)
    total = torch.zeros_like(top)
    for part in logits.split(block, dim=1):  # B, block
        new = torch.maximum(top, part.amax(1))
        total = total * (top - new).exp() + (part - new[:, None]).exp().sum(1)
        top = new
        if say:
            print(f"block {part[0].tolist()}: m = {top[0]:.0f}, S = {total[0]:.4f}")
    return top + total.log()


toy = torch.tensor([[2.0, 5, 1, 9, 3, 4]])
assert torch.isclose(streamed(toy, 2, say=True), toy.logsumexp(1))
assert torch.equal(streamed(1000 * toy, 2), torch.tensor([9000.0]))  # exp(9000) is no number; exp(0) is
print(f"log-sum-exp {streamed(toy, 2).item():.4f}, as torch.logsumexp says")

# %% [markdown]
# And backward? The gradient of cross-entropy is probability minus truth ([lesson 06](06_margins.ipynb)):
#
# $$ \frac{\partial L}{\partial z_{ij}} = \frac{1}{B} \left( p_{ij} - [\,j = y_i\,] \right), \quad p_{ij} = e^{z_{ij} - \ell_i}, \quad \ell_i = \log \sum_k e^{z_{ik}} . \tag{15.3} $$
#
# Autograd would keep all $p_{ij}$. But with $\ell_i$, one number a row, any block of them can be computed anew from embeddings and centres. So the forward pass keeps $\ell$, and the backward pass goes through the blocks once more.


# %%
def block_gradient(x, W, labels, first, rest, s):
    """(15.3) of the classes from ``first`` on, whose centres are W (b, D): gradients of x (B, D) and of W."""
    p = (s * x @ W.T - rest[:, None]).exp()  # B, b: the logits again
    here = (labels >= first) & (labels < first + len(W))
    p[here, labels[here] - first] -= 1
    g = s * p / len(x)
    return g @ W, g.T @ x


def in_blocks(x, W, labels, s, block):
    """Loss of normalised softmax and its gradients by unit x (B, D) and unit W (C, D)."""
    rest = torch.cat([streamed(s * row[None] @ W.T, block) for row in x])  # B: a row at a time, to keep it short
    starts = range(0, len(W), block)
    parts = [block_gradient(x, W[k : k + block], labels, k, rest, s) for k in starts]
    own = s * (x * W[labels]).sum(1)
    return (rest - own).mean(), sum(of_x for of_x, _ in parts), torch.cat([of_W for _, of_W in parts])


def small_problem(seed):
    """Five unit embeddings, eleven unit centres, labels; loss and both gradients by autograd, s = 16."""
    chance = torch.Generator().manual_seed(seed)
    x = F.normalize(torch.randn(5, 4, generator=chance, dtype=torch.float64)).requires_grad_()
    W = F.normalize(torch.randn(11, 4, generator=chance, dtype=torch.float64)).requires_grad_()
    labels = torch.tensor([0, 3, 10, 3, 7])
    loss = F.cross_entropy(16 * x @ W.T, labels)
    return x.detach(), W.detach(), labels, (loss.detach(), *torch.autograd.grad(loss, (x, W)))


x, W, labels, wanted = small_problem(1)
for block in (1, 4, 11):
    got = in_blocks(x, W, labels, 16, block)
    assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(got, wanted, strict=True))
print(f"loss {wanted[0]:.4f}, as by autograd, and both gradients: blocks of 1, 4 and 11 classes")

# %% [markdown]
# [facelib.chunked_cross_entropy](../book/api.md) does this for any margin that moves the own logit only, with the normalisation of the centres inside the blocks. It must be the same loss and gradient as the dense head's.


# %%
def chunked(head, x, labels):
    return facelib.chunked_cross_entropy(x, head.weight, labels, ARCFACE, block=1000)[0]


def gradients(step, head, x, labels):
    head.weight.grad = x.grad = None
    loss = step(head, x, labels)
    loss.backward()
    return loss.detach(), x.grad, head.weight.grad


problem = batch_of(10_000)
for name, a, b in zip(("loss", "of x", "of W"), gradients(dense, *problem), gradients(chunked, *problem), strict=True):
    print(f"{name}: relative difference below 1e-5: {bool((a - b).norm() < 1e-5 * a.norm())}")
    assert (a - b).norm() < 1e-5 * a.norm()

# %% [markdown]
# Same numbers, other costs. Memory first, counted as above. Then multiplications: the cosines are computed twice.
#
# <details class="predict"><summary>Predict before you run: a dense step makes three products of B, C and D, one forward and two backward. How many does the step in blocks make, and is it slower by that much?</summary>
#
# Four: a third more multiplications. Whether it is slower is another matter. The dense step writes and reads matrices of gigabytes, and each of its operations on them does one addition or one exponential a number. A block stays in the cache.
#
# </details>

# %% mystnb={"image": {"alt": "Left, counted megabytes that a step adds over the number of people, 1,000 to 100,000, logarithmic: the dense step lies about ten times above the gradient that both must make; the step in blocks comes down to the line of the gradient at 30,000 to 100,000 people. Right, measured memory beyond centres and gradient and measured time of the step in blocks, as a share of the dense step's, at 10,000, 100,000 and a million people: memory stays below a tenth, time falls from 0.97 to 0.36."}}
sizes = [1_000, 3_000, 10_000, 30_000, 100_000]
added = {
    name: [count(step, *batch_of(n, 64, 32))[0] / 1e6 for n in sizes]
    for name, step in (("dense", dense), ("in blocks of 1,000", chunked))
}
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2))
plot.curves(
    sizes, {**added, "the gradient alone": 4 * 32 * np.array(sizes) / 1e6}, "people", "MB added by a step", axes[0]
)
axes[0].set(xscale="log", yscale="log", title="counted: batch of 64, 32 numbers")
big = list(measured)
ratio = {"memory": [measured[n]["chunked, beyond (MB)"] / measured[n]["dense, beyond (MB)"] for n in big]}
ratio["time"] = [measured[n]["chunked, s"] / measured[n]["dense, s"] for n in big]
for (name, values), style in zip(ratio.items(), ("o-", "s--"), strict=True):
    axes[1].plot(big, values, style, label=name)
axes[1].set(
    xscale="log",
    xlabel="people",
    ylabel="in blocks / dense",
    ylim=(0, 1.1),
    title="measured: batch of 256, 512 numbers",
)
axes[1].legend(fontsize="small")

assert added["in blocks of 1,000"][-1] < 0.2 * added["dense"][-1]

# %%
products, added_up = {}, torch.ops.aten.addmm_  # which the counter does not know
for name, step in (("dense", dense), ("in blocks", chunked)):
    with FlopCounterMode(
        display=False, custom_mapping={added_up: lambda _, a, b, **__: 2 * a[0] * a[1] * b[1]}
    ) as counter:
        step(*problem).backward()
    products[name] = counter.get_total_flops() / (2 * 64 * 64 * 10_000)
print(f"products of B, C and D: {products}")
print(
    f"at a million people: {measured[1_000_000]['dense, beyond (MB)']:,.0f} MB or {measured[1_000_000]['chunked, beyond (MB)']:,.0f} MB beyond centres and gradient; {ratio['time'][-1]:.2f} of the time"
)
assert products == {"dense": 3, "in blocks": 4}

# %% [markdown]
# A third more multiplications, and on this processor not slower at any size; with a million people it takes about a third of the time. (Those are seconds of one machine with two threads; on a graphics card the balance is another one, and nobody has measured it for this record.) What is left are centres, gradient and velocity, and in (15.1) the 5 has become a 1. If that fits, this is the way to take: it is exact, and there is nothing to tune.

# %% [markdown]
# ## Second way: a sample
#
# Most centres say nothing to most pictures. PartialFC ([An et al. 2021, 2022](../book/bibliography.md)) takes into a step the classes of the batch, always, and a random share of the others, so that a share $r$ of all classes is there. Logits, gradient and arithmetic shrink with $r$. It is no longer the same loss. Let $R$ be the sum of the exponentials of all others, measured from the own logit. Then
#
# $$ \begin{aligned} L &= \log(1 + R), & R &= \sum_{j \ne y} e^{z_j - z_y}, \\[1ex] L_r &= \log(1 + R_S), & R_S &= \sum_{j \in S,\, j \ne y} e^{z_j - z_y} . \end{aligned} \tag{15.4} $$
#
# Each of the others is in the sample $S$ with probability $r$ (we leave aside that the batch's own classes always are), so that $R_S$ is $rR$ on average; and as the logarithm is bent downwards,
#
# $$ \mathbb{E}\, L_r \;\le\; \log(1 + r R) \;\approx\; L - \log\frac{1}{r} \quad \text{where } rR \gg 1 . \tag{15.5} $$
#
# The sampled loss is too low, by about $\log 1/r$, and less where the picture is already sure ($R$ small). A toy with four others, two of which are drawn: all six samples, by hand.

# %%
others = np.exp([-1.0, 0.5, 1.0, 3.0])  # e^(z_j - z_y)
sums = [sum(two) for two in itertools.combinations(others, 2)]  # the six samples with r = 1/2
exact, sampled, bound = np.log1p(others.sum()), np.mean(np.log1p(sums)), np.log1p(others.sum() / 2)
print(f"mean of the sums {np.mean(sums):.3f}, half of the whole sum {others.sum() / 2:.3f}")
print(
    f"loss {exact:.3f}; mean of the sampled losses {sampled:.3f}, at most {bound:.3f}; {exact:.3f} - log 2 = {exact - np.log(2):.3f}"
)
assert np.isclose(np.mean(sums), others.sum() / 2) and sampled < bound < exact

# %% [markdown]
# The draw itself: who is in, and at which place of the sample the labels are.


# %%
def draw(labels, classes, count, generator):
    """Classes of a step (count,), rising, those of the labels among them; and the place of each label."""
    lots = torch.rand(classes, generator=generator)
    lots[labels] = -1  # certain to be among the smallest
    drawn = lots.topk(max(count, len(labels.unique())), largest=False).indices.sort().values
    return drawn, torch.searchsorted(drawn, labels)


head, x, labels = batch_of(50, rows=4, size=8)
drawn, places = draw(labels, 50, 15, torch.Generator().manual_seed(3))
print("labels ", labels.tolist(), "\ndrawn  ", drawn.tolist(), "\nplaces ", places.tolist())
assert torch.equal(drawn[places], labels) and len(drawn.unique()) == 15

# %% [markdown]
# `facelib.PartialFC.draw` ([facelib.heads](../book/api.md)) returns the centres of the drawn classes and the places. It draws in another way, which needs no random number for each of a million classes; the loss on its sample must be that of the dense head with only those columns. And a rate of 1 must be the dense head.

# %%
partial = facelib.PartialFC(8, 50, rate=0.3)
partial.load_state_dict(head.state_dict())
centres, places = partial.draw(labels, torch.Generator().manual_seed(3))  # 15, 8 and 4
drawn = torch.cdist(centres, head.weight).argmin(1)  # which rows they are
assert torch.equal(centres, head.weight[drawn]) and torch.equal(drawn[places], labels)

by_hand = F.cross_entropy(ARCFACE(head(x)[:, drawn], places), places)
loss, _ = facelib.chunked_cross_entropy(x, centres, places, ARCFACE)
cosine, same_places = partial.cosine(x, labels, torch.Generator().manual_seed(3))
again = F.cross_entropy(ARCFACE(cosine, same_places), same_places)
assert torch.isclose(by_hand, loss, atol=1e-5) and torch.isclose(by_hand, again, atol=1e-5)
whole = facelib.PartialFC(8, 50, rate=1.0)
whole.load_state_dict(head.state_dict())
cosine, same_places = whole.cosine(x, labels)
assert torch.equal(cosine, head(x)) and torch.equal(same_places, labels)
print(f"{len(centres)} of 50 centres; loss {loss:.3f} by hand and by facelib; rate 1 is the dense head: True")

# %% [markdown]
# ### People as vectors
#
# To see what a sample does to training we need many people, and thousands of rendered ones take hours. So the people of this section are **made up**: a person is 32 random numbers, a look at the person adds 32 numbers of nuisance, stronger than the person, and a fixed random mixing with a bend in it makes 64 numbers of both, our "picture". There are no faces here, and what follows is about the softmax and not about faces. The backbone is a small network that has to find the person in the mixture. Recognition is judged as always, on people who were not in training: TAR at a FAR of $10^{-3}$, 1,000 same pairs and 50,000 different ones.

# %%
chance = torch.Generator().manual_seed(0)
mixing = torch.randn(64, 96, generator=chance) / 8, torch.randn(96, 64, generator=chance) / 96**0.5


def look(people, generator):
    """People (N, 32) -> one picture of each (N, 64): another nuisance each time."""
    nuisance = 1.2 * torch.randn(people.shape, generator=generator)
    return torch.tanh(1.5 * torch.cat([people, nuisance], 1) @ mixing[0]) @ mixing[1]


strangers = torch.randn(1000, 32, generator=chance)
looks = [look(strangers, chance) for _ in range(2)]
one = np.repeat(np.arange(1000), 51)
other = (one + np.tile(np.arange(51), 1000)) % 1000  # the same person, and the next fifty


@torch.no_grad()
def judge(network):
    """TAR at a FAR of 1e-3 on people who were not in training."""
    a, b = (network(part).numpy() for part in looks)
    return facelib.evaluate.verification(a[one], b[other], one == other).tar_at(1e-3)


# %% [markdown]
# One training function for all that follows. The head is a `PartialFC`; its centres move by plain SGD, and `by_rows` sees to it that only the drawn rows do.


# %%
RULE = facelib.CosFace(s=16, m=0.2)  # 32 numbers and few steps want a gentler rule than 512 and a month


def of_sample(head, x, labels, rule, lots):
    centres, places = head.draw(labels, lots)
    return facelib.chunked_cross_entropy(x, centres, places, rule)[0]


def train(people, rate=1.0, seed=0, steps=300, batch=64, rule=RULE, loss_of=of_sample):
    """A network and its head after ``steps``; people (C, 32), one label for each row."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 32))
    head = facelib.PartialFC(32, len(people), rate)
    optimizers = torch.optim.Adam(network.parameters(), 0.005), by_rows(torch.optim.SGD(head.parameters(), 0.25))
    chance, lots = (torch.Generator().manual_seed(1000 * k + seed) for k in (1, 2))
    for _ in range(steps):
        labels = torch.randint(len(people), (batch,), generator=chance)
        loss = loss_of(head, network(look(people[labels], chance)), labels, rule, lots)
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
    return network, head


def crowd(count, seed):
    return torch.randn(count, 32, generator=torch.Generator().manual_seed(100 + seed))


seeds, rates = (0, 1, 2), (1.0, 0.3, 0.1, 0.03, 0.01)
many = [crowd(6000, seed) for seed in seeds]
untrained = train(many[0], steps=0)
networks = {rate: [train(many[seed], rate, seed) for seed in seeds] for rate in rates}
tar = {rate: np.array([judge(network) for network, _ in runs]) for rate, runs in networks.items()}
print(f"untrained, TAR at FAR 1e-3: below 10 %: {judge(untrained[0]) < 0.1}")

# %% [markdown]
# Before the results, (15.5) on real logits: 100 pictures of people in training, the dense head of the first seed before its first step and after its last, 50 samples at each rate.

# %% mystnb={"image": {"alt": "Two panels, loss over the sampling rate on a logarithmic axis. Before training, left, and after it, right, the mean of the sampled losses falls as the rate falls and lies on the dashed curve log(1 + rR), or up to half a unit below it at the smallest rates; the dotted line of the exact loss minus log 1/r runs along with it. Bars of spread grow towards small rates."}}
people = many[0][:100]
pictures, own = look(people, torch.Generator().manual_seed(5)), torch.arange(100)
lots, shares = torch.Generator().manual_seed(6), np.array(rates)


@torch.no_grad()
def sampled_losses(network, head, rate, draws=50):
    """Loss of each picture exactly, by log(1 + r R), and its mean and spread over samples; each averaged (4,)."""
    z = RULE(head(network(pictures)), own)  # 100, 6000
    e = (z - z.gather(1, own[:, None])).exp().scatter_(1, own[:, None], 0)  # e^(z_j - z_y), 0 for the own
    samples = [torch.randperm(6000, generator=lots)[: round(rate * 6000)] for _ in range(draws if rate < 1 else 1)]
    losses = torch.stack([e[:, some].sum(1).log1p() for some in samples])  # draws, 100
    exact, bound = e.sum(1).log1p(), (rate * e.sum(1)).log1p()
    return [float(part.mean()) for part in (exact, bound, losses, losses.std(0, correction=0))]


fig, axes = plt.subplots(1, 2, figsize=(9, 3.1), sharex=True)
stages = {"before training": untrained, "after training": networks[1.0][0]}
for ax, (name, (network, head)) in zip(axes, stages.items(), strict=True):
    exact, bound, mean, spread = np.array([sampled_losses(network, head, rate) for rate in rates]).T
    ax.plot(shares, exact - np.log(1 / shares), ":", color="black", label="L - log 1/r")
    ax.plot(shares, bound, "--", color=plot.ORANGE, label="log(1 + rR)")
    ax.errorbar(shares, mean, spread, fmt="o", color=plot.BLUE, capsize=3, label="measured, and its spread")
    ax.set(xscale="log", xlabel="rate r", ylabel="loss", title=name)
    print(f"{name}: never above log(1 + rR): {(mean <= bound + 0.02).all()};", end=" ")
    print(f"at r = 0.1 within 0.2 of L - log 10: {abs(mean[2] - exact[2] + np.log(10)) < 0.2}")
    assert (mean <= bound + 0.02).all() and abs(mean[2] - exact[2] + np.log(10)) < 0.2 and (np.diff(spread) > 0).all()
_ = axes[0].legend(fontsize="small")

# %% [markdown]
# The bias is where (15.5) has it, and a little more at the smallest rates: there the sum hangs on a few large terms, which are mostly not in the sample, and the logarithm of the mean is not the mean of the logarithms. The bias has a meaning, too: with a margin in the own logit, $rR$ is what $R$ would be with a smaller margin. A CosFace margin $m$ under a sample acts on average like
#
# $$ m_r = m - \frac{1}{s} \log\frac{1}{r} \tag{15.6} $$
#
# With $s = 64$ and $r = 0.1$ that takes 0.036 of 0.4. Here, with $s = 16$ and $r = 0.01$, it takes 0.29 of 0.2, which is more than there is.
#
# ### What it costs, and what it saves
#
# <details class="predict"><summary>Predict before you run: the same people, pictures and number of steps, with 30, 10, 3 and 1 % of the classes. Each person is seen about three times. Where does TAR on strangers begin to fall? And if the margin is enlarged by what (15.6) takes away, does it come back?</summary>
#
# It falls slowly at first: what a picture learns from is mostly its nearest rivals, and with 30 % some are there in every step. With 1 % the sample is as small as the batch, and no rival comes but by belonging to it. Putting the margin back restores the size of the loss. It brings no rival back.
#
# </details>

# %% mystnb={"image": {"alt": "Left: TAR on strangers at FAR 1e-3 over the sampling rate, logarithmic, a dot for each of three seeds and a line through the means; it falls from about 60 percent with all classes over 54 at a rate of 0.1 to 44 at 0.01. Two further marks: with the margin put back at a rate of 0.01, drawn just beside it, it stays where it was; with twice the steps at 0.1 it is far above the exact softmax, near 77 percent. Right: multiplications of the head over the rate, a straight line."}}
put_back = facelib.CosFace(s=16, m=0.2 + np.log(100) / 16)
same_margin = np.array([judge(train(many[seed], 0.01, seed, rule=put_back)[0]) for seed in seeds])
twice = np.array([judge(train(many[seed], 0.1, seed, steps=600)[0]) for seed in seeds])
mean = {rate: values.mean() for rate, values in tar.items()}

fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), width_ratios=(3, 2))
axes[0].plot(rates, [100 * mean[rate] for rate in rates], color=plot.BLUE)
marks = {rate: (values, "o", plot.BLUE) for rate, values in tar.items()}
for rate, (values, mark, colour) in {
    **marks,
    0.0125: (same_margin, "x", plot.ORANGE),
    0.1001: (twice, "^", plot.GREEN),
}.items():
    axes[0].plot(np.full(3, rate), 100 * values, mark, color=colour, alpha=0.7)
for name, mark, colour in (
    ("300 steps", "o", plot.BLUE),
    ("r = 0.01, margin put back (drawn beside)", "x", plot.ORANGE),
    ("r = 0.1, 600 steps", "^", plot.GREEN),
):
    axes[0].plot([], [], mark, color=colour, label=name)
axes[0].set(xscale="log", xlabel="rate r", ylabel="TAR at FAR 1e-3, %")
axes[0].legend(fontsize="x-small")
drawn = np.maximum(np.ceil(shares * 6000), 64)
axes[1].plot(shares, 4 * 64 * 32 * drawn * 300 / 1e9, "o-")
_ = axes[1].set(xscale="log", yscale="log", xlabel="rate r", ylabel="multiplications of the head, billions")

# %%
gap = {rate: mean[1.0] - mean[rate] for rate in rates}
print(
    f"lost at r = 0.1: between 1 and 9 points: {0.01 < gap[0.1] < 0.09}",
    f"lost at r = 0.01: more than 10 points: {gap[0.01] > 0.1}",
    sep="\n",
)
print(f"of that, the margin put back returns less than a third: {same_margin.mean() - mean[0.01] < gap[0.01] / 3}")
saved = 300 * 6000 / (600 * 600)
print(
    f"600 steps with a tenth: {saved:.0f} times fewer multiplications than 300 steps with all, and better by 5 points: {twice.mean() - mean[1.0] > 0.05}"
)
assert 0.01 < gap[0.1] < 0.09 and gap[0.01] > 0.1
assert same_margin.mean() - mean[0.01] < gap[0.01] / 3 and twice.mean() - mean[1.0] > 0.05

# %% [markdown]
# Per step the exact softmax is better, and the smaller the sample, the more is lost. At 0.3 the three seeds do not agree whether anything is lost at all. The bias is not the reason: with the margin put back, hardly anything changes. What is missing are rivals. Per *multiplication* the sample wins by far: twice the steps with a tenth of the classes cost a fifth of the head's arithmetic and bring more than the whole. (Twice the steps would help the exact softmax, too. The comparison is one of arithmetic, and it leaves the backbone out, which pays for twice the steps as well.)
#
# What follows for faces? Not these figures. Here each person was seen three times, and a step of the backbone costs next to nothing. In a real run each is seen hundreds of times, and it is the backbone that costs. What the authors of PartialFC found with photographs comes at the end of the lesson.
#
# ### Who is not drawn stands still
#
# A gradient that is zero does not mean a centre that stays. Momentum still rolls, and weight decay still pulls, in every step in which the centre was not asked for: in a hundred steps at a rate of 0.01 it moves a hundred times and is corrected once. So a `PartialFC` hands out a sparse gradient, which names its rows, and `by_rows` lets the optimiser see those alone.


# %%
def three_steps(dense_gradient):
    """How many centres moved in the third step, and how many of them were drawn in it."""
    torch.manual_seed(0)
    head, lots = facelib.PartialFC(32, 1000, rate=0.1), torch.Generator().manual_seed(0)
    optimizer = torch.optim.SGD(head.parameters(), 0.25, momentum=0.9, weight_decay=5e-4)
    optimizer = optimizer if dense_gradient else by_rows(optimizer)
    for _ in range(3):
        x, labels = torch.randn(16, 32), torch.randint(1000, (16,))
        optimizer.zero_grad()
        of_sample(head, x, labels, RULE, lots).backward()
        drawn = head.weight.grad.coalesce().indices()[0]
        head.weight.grad = head.weight.grad.to_dense() if dense_gradient else head.weight.grad
        before = head.weight.detach().clone()
        optimizer.step()
    moved = (head.weight.detach() != before).any(1)
    return int(moved.sum()), int(moved[drawn].sum())


for name, dense_gradient in (("an ordinary optimiser", True), ("by_rows", False)):
    moved, drawn = three_steps(dense_gradient)
    print(f"{name}: {moved} of 1000 centres moved, {drawn} of them drawn")
assert three_steps(True)[0] == 1000 and three_steps(False) == (100, 100)

# %%
problem = batch_of(10_000, rows=64, size=64)
sample = facelib.PartialFC(64, 10_000, rate=0.1)
peaks = {"dense": count(dense, *problem), "in blocks": count(chunked, *problem)}


def sampled(head, x, labels):
    return of_sample(head, x, labels, ARCFACE, torch.Generator().manual_seed(0))


peaks["a tenth"] = count(sampled, sample, *problem[1:])
print("counted, 10,000 people:", ", ".join(f"{name} {peak / 1e6:.2f} MB" for name, (peak, _) in peaks.items()))
row = record["sample"]["rows"][-1]
for name, kind in (("dense", "dense"), ("in blocks", "chunked"), ("a tenth", "partial")):
    part = row[f"{kind}, s"] / row["dense, s"]
    print(f"measured, {row['classes']:,} people, {name}: {row[f'{kind}, beyond (MB)']:,.0f} MB, {part:.2f} of the time")
assert peaks["a tenth"][0] < 0.5 * peaks["in blocks"][0]

# %% [markdown]
# This is the other thing a sample saves: even the gradient of $W$ is only as long as the sample. Centres and velocity stay. (The measured rows are from `benchmarks/partial.py`: one thread of a CPU, a batch of 256 with 512 numbers, the whole step with its optimiser, and its gradient counted in.)
#
# ### Two labels for one person
#
# Large sets are gathered by programs, and some people are in them twice, under two labels. The exact softmax then asks for what cannot be: two pictures of one person, apart. In a sample the second label of a person is seldom there to be pushed away. The next people are few, 500, so that each is seen 38 times and centres have time to settle; 25 of the labels belong to people who have another one already.
#
# <details class="predict"><summary>Predict before you run: which head leaves the two centres of such a person nearer to each other, that of all classes or that of three tenths?</summary>
#
# Under the exact softmax a picture of the person draws one of the two centres near and pushes the other away with all its might, for it is the nearest rival there is; in the next picture it is the other way round. Push and pull are equally frequent. In a sample of three tenths the push comes in three steps of ten, the pull always. So the sample should leave them nearer.
#
# </details>

# %% mystnb={"image": {"alt": "Two panels with a dot for each of three seeds. Left, cosine between the two centres of a person: near 0.8 with all classes, near 0.9 with three tenths. Right, TAR on strangers with and without doubled people: all dots lie between 76 and 84 percent, those with three tenths two points lower, those with doubled people mixed with the others."}}
clean = [crowd(500, 10 + seed) for seed in seeds]
doubled = [torch.cat([part[:475], part[:25]]) for part in clean]  # rows 475 to 499 are people 0 to 24 again
few = {
    (kind, rate): [train(part[seed], rate, seed) for seed in seeds]
    for kind, part in (("clean", clean), ("doubled", doubled))
    for rate in (1.0, 0.3)
}
found = {key: np.array([judge(network) for network, _ in runs]) for key, runs in few.items()}


def between_twins(head):
    centres = F.normalize(head.weight.detach())
    return float((centres[:25] * centres[475:]).sum(1).mean())


twins = {rate: np.array([between_twins(head) for _, head in few["doubled", rate]]) for rate in (1.0, 0.3)}
fig, axes = plt.subplots(1, 2, figsize=(9, 2.8), width_ratios=(1, 2))
for k, rate in enumerate((1.0, 0.3)):
    axes[0].plot(np.full(3, k), twins[rate], "o", color=plot.BLUE, alpha=0.7)
axes[0].set(
    xticks=(0, 1),
    xticklabels=("all", "three tenths"),
    xlim=(-0.5, 1.5),
    ylim=(0.7, 1),
    ylabel="cosine of the two centres",
)
for k, values in enumerate(found.values()):
    axes[1].plot(np.full(3, k), 100 * values, "o", color=plot.BLUE, alpha=0.7)
names = [f"{kind},\n{'all' if rate == 1 else 'three tenths'}" for kind, rate in found]
_ = axes[1].set(xticks=range(4), xticklabels=names, xlim=(-0.5, 3.5), ylabel="TAR at FAR 1e-3, %")
print(
    f"the sample leaves the two centres nearer, in each seed by more than 0.05: {bool((twins[0.3] - twins[1.0] > 0.05).all())}"
)
loss = {rate: found["clean", rate] - found["doubled", rate] for rate in (1.0, 0.3)}
print(f"lost on strangers, in all runs less than 4 points: {max(abs(v).max() for v in loss.values()) < 0.04}")
assert (twins[0.3] - twins[1.0] > 0.05).all()

# %% [markdown]
# Three seeds agree about the centres, and the reason can be counted. About strangers they say less: one doubled person in twenty costs neither head so much that three seeds agree on it, and the sample does not recognise strangers better for being right about the centres. On photographs it can be worth much more: what An et al. report for a set with such conflicts stands in a table further down.
#
# ## Third way: a share on every card
#
# A run with several cards has a batch in parts. If each holds all of $W$ ([data parallel](10_training.ipynb)), each has (15.1) in full, and all of the gradient of $W$ must travel in each step. So let card $k$ of $N$ hold the classes of its share, and no others. Every card gets the embeddings of all, makes the logits of its own classes, and knows of each row three numbers: its largest logit $m_k$, its sum of exponentials $S_k$ measured from that, and the own logit $o_k$, which is 0 on all cards but one. These are put together as in (15.2):
#
# $$ m = \max_k m_k, \quad S = \sum_k S_k\, e^{m_k - m}, \quad L = m + \log S - \sum_k o_k . \tag{15.7} $$
#
# A maximum and two sums over the cards. It is exact. Backward is (15.3), in which each card needs only $\ell = m + \log S$: the gradient of its own centres it has at home, that of the embeddings is the sum over the cards. First the toy, six logits on two cards.


# %%
def shard_knows(z, first, labels):
    """Largest logit, sum of exponentials and own logit or 0 of each row, from the logits z (B, b) of one shard."""
    top = z.amax(1)
    here = (labels >= first) & (labels < first + z.shape[1])
    place = torch.where(here, labels - first, 0)
    return top, (z - top[:, None]).exp().sum(1), z.gather(1, place[:, None])[:, 0] * here


def put_together(shards):
    """Log-sum-exp and own logit of each row, by (15.7)."""
    tops, sums, own = (torch.stack(parts) for parts in zip(*shards, strict=True))  # each N, B
    top = tops.amax(0)
    return top + (sums * (tops - top).exp()).sum(0).log(), own.sum(0)


toy, label = torch.tensor([[2.0, 5, 1, 9, 3, 4]]), torch.tensor([1])
shards = [shard_knows(toy[:, k : k + 3], k, label) for k in (0, 3)]
for k, (top, total, own) in enumerate(shards):
    print(f"card {k}: m = {top.item():.0f}, S = {total.item():.4f}, own logit {own.item():.0f}")
rest, own = put_together(shards)
print(f"loss {(rest - own).item():.4f}")
assert torch.isclose(rest - own, F.cross_entropy(toy, label))

# %% [markdown]
# Then four shards of a head, with gradients, in one process. Nothing below looks at more than its own share of $W$, but for the three numbers and the sum at the end.

# %%
x, W, labels, wanted = small_problem(2)

parts = list(W.tensor_split(4))  # 3, 3, 3 and 2 classes
firsts = np.cumsum([0, *(len(part) for part in parts)])[:-1].tolist()
rest, own = put_together([shard_knows(16 * x @ part.T, k, labels) for k, part in zip(firsts, parts, strict=True)])
gradient = [block_gradient(x, part, labels, k, rest, 16) for k, part in zip(firsts, parts, strict=True)]
got = (rest - own).mean(), sum(of_x for of_x, _ in gradient), torch.cat([of_W for _, of_W in gradient])
assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(got, wanted, strict=True))
print(f"loss {got[0]:.4f} and both gradients as with all classes in one place")

# %% [markdown]
# Blocks and shards are the same idea, once in time and once in space: `block_gradient` has not changed. `facelib.ShardedClassifier` and `facelib.sharded_cross_entropy` ([facelib.heads](../book/api.md)) do it with any margin of the block-wise kind, in blocks on each card as well. In one process the world has size one; with `torchrun` the same lines hold a half each. Here are two processes on one CPU, which speak through gloo, each with half of the batch and half of the classes.

# %%
Path("shards.py").write_text(
    """
import torch, facelib
from torch import distributed as dist
from torch.nn import functional as F

torch.set_num_threads(1)
dist.init_process_group("gloo")
rank, world, margin = dist.get_rank(), dist.get_world_size(), facelib.ArcFace(s=64, m=0.5)
seeded = lambda seed: torch.Generator().manual_seed(seed)
x, labels = torch.randn(8, 16, generator=seeded(1)), torch.randint(1001, (8,), generator=seeded(2))
mine = slice(rank * 8 // world, (rank + 1) * 8 // world)  # of the batch
own = x[mine].clone().requires_grad_()

head = facelib.ShardedClassifier(16, 1001, generator=seeded(0))
loss, _ = facelib.sharded_cross_entropy(own, head, labels[mine], margin)
loss.backward()

whole, all_of_x = facelib.CosineClassifier(16, 1001, generator=seeded(0)), x.clone().requires_grad_()
dense = F.cross_entropy(margin(whole(all_of_x), labels), labels)
dense.backward()
same = [loss - dense, own.grad - all_of_x.grad[mine], head.weight.grad - whole.weight.grad[head.first:head.last]]
report = f"process {rank}: classes {head.first} to {head.last - 1}, loss {loss:.3f}, as dense: {all(d.abs().max() < 1e-4 for d in same)}"
lines = [None] * world
dist.all_gather_object(lines, report)
if rank == 0:
    print(*lines, sep="\\n")
dist.destroy_process_group()
""",
    "utf-8",
)
launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "shards.py"]
done = subprocess.run(launch, capture_output=True, text=True, check=False)
Path("shards.py").unlink()
assert done.returncode == 0, done.stderr[-2000:]
print(done.stdout.strip())
assert done.stdout.count("as dense: True") == 2

# %% [markdown]
# ### What travels
#
# With $N$ cards and a batch of $B$ in all, an exchange of $n$ bytes of which each card has an $N$-th (a gathering) brings $\frac{N-1}{N} n$ bytes to each of them; a sum over all of $n$ bytes twice that, in the way that is cheapest for everybody ([Patarasuk and Yuan 2009](../book/bibliography.md)). `sharded_cross_entropy` gathers embeddings and labels (8 bytes), puts together four numbers a row (one more than (15.7), for the accuracy; a maximum travels as a sum does), and sums the gradient of the embeddings. Data parallel sums the gradient of $W$. The bytes that arrive at each card in a step are
#
# $$ \text{sharded} = \tfrac{N-1}{N} \, B\, (12 D + 40), \qquad \text{data parallel} = \tfrac{N-1}{N} \, 8\, C D . \tag{15.8} $$
#
# <details class="predict"><summary>Predict before you run: eight cards, a batch of 1,024, embeddings of 512 numbers. By what factor do the two differ at a million people? And at a thousand?</summary>
#
# The batch has taken the place of the classes, and 12 that of 8: the ratio is about 2C / 3B. A million people over a thousand pictures, that is about 650. With a thousand people there is nothing to gain, and data parallel sends a little less.
#
# </details>


# %% mystnb={"image": {"alt": "Megabytes that arrive at each of eight cards in a step, over the number of people, both logarithmic. Data parallel rises in a straight line from 3.6 megabytes at a thousand people to 3.6 gigabytes at a million; the sharded head is a flat line at some 5.5 megabytes. They cross near 1,500 people. A dotted line marks the gradient of the backbone, about 300 megabytes."}}
def travelling(classes, batch, size, cards):
    """Bytes that arrive at each card in a step: sharded, and data parallel, by (15.8)."""
    share = (cards - 1) / cards
    return share * batch * (12 * size + 40), share * 8 * classes * size


people_counts = np.logspace(3, 7, 9)
sharded, parallel = np.array([travelling(n, 1024, 512, 8) for n in people_counts]).T
ax = plot.curves(
    people_counts,
    {"head sharded": sharded / 1e6, "head data parallel": parallel / 1e6},
    "people",
    "MB a step, to each card",
)
ax.axhline(7 / 8 * 8 * weights / 1e6, color="grey", linestyle=":", label="gradient of IResNet-50")
ax.set(xscale="log", yscale="log")
ax.legend(fontsize="small")
small, large = travelling(1e6, 1024, 512, 8)
print(
    f"at a million people: {small / 1e6:.1f} MB sharded, {large / 1e9:.2f} GB data parallel, {large / small:.0f} times as much"
)
assert np.isclose(large / small, 8 * 1e6 * 512 / (1024 * (12 * 512 + 40)))

# %% [markdown]
# The traffic of the sharded head does not depend on the number of people at all. What each card holds and adds is (15.1) with $C/N$ classes, and the whole batch as $B$: more cards make room for more people. All three ways can be had together: shards, in blocks, of a sample of each shard's classes (`ShardedClassifier(..., rate=0.1)`).
#
# ## Several machines
#
# Two machines with eight cards each run the same program. `torchrun` is started once on each, with the address of the first:
#
# ```
# torchrun --nnodes 2 --node-rank 0 --nproc-per-node 8 --master-addr 10.0.0.1 --master-port 29500 my_training.py
# torchrun --nnodes 2 --node-rank 1 --nproc-per-node 8 --master-addr 10.0.0.1 --master-port 29500 my_training.py
# ```
#
# and in `my_training.py` each process takes a card of its own, the backbone alone goes into `DistributedDataParallel`, the head stays outside:
#
# ```python
# torch.distributed.init_process_group("nccl")
# torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
# network = DistributedDataParallel(backbone.cuda())
# head = facelib.ShardedClassifier(512, classes, generator=torch.Generator().manual_seed(0)).cuda()
# ...
# loss, accuracy = facelib.sharded_cross_entropy(network(crops), head, labels, margin, averaged=True)
# ```
#
# `averaged=True`, since `DistributedDataParallel` takes the mean of the backbone's gradients where the sum is wanted. A process here has its own centres, so that a checkpoint is a file for each, or `head.gathered_state()`.
#
# What does the command line do? `facelib train` under `torchrun` is data parallel, head and all: every process holds all centres. With `--head sharded` it is the loop above: each process holds a share of the centres and looks at it in blocks, a single process at all of them in blocks. Its checkpoint holds the rows of all, so that any number of processes can go on with it. With `--head partial --rate 0.1` a step looks at a sample, the same in every process, and only the gradient of the sample travels. The three heads it knows for cosines:

# %%
from facelib.train import Recipe
from facelib.train.model import make_head

for head in ("whole", "sharded", "partial"):
    print(f"{head:8}", make_head(Recipe(head=head, rate=0.1), 10_000))

# %% [markdown]
# We have no eight cards and no million people to train on. Those who have, have published their figures: the authors of PartialFC, in the README of [arcface_torch](https://github.com/deepinsight/insightface/tree/master/recognition/arcface_torch) (tables of speed and memory; see also [An et al. 2022](../book/bibliography.md)), on eight V100 cards of 32 GB with made-up people. **These are theirs**; nothing of it was measured here.

# %%
published = {  # people: pictures a second and MB on each card, for data parallel, model parallel, PartialFC 0.1
    125_000: ((4681, 7358), (4824, 5306), (5004, 4868)),
    1_400_000: ((1672, 32252), (3043, 11178), (4738, 6056)),
    5_500_000: (None, (1389, 32188), (3975, 9854)),
    8_000_000: (None, None, (3565, 12310)),
    16_000_000: (None, None, (2679, 19950)),
    29_000_000: (None, None, (1855, 32324)),
}
print(f"{'people':>10}" + "".join(f"{name:>26}" for name in ("all on each card", "sharded", "sharded, a tenth")))
for classes, cells in published.items():
    texts = [f"{cell[0]:,} a s, {cell[1] / 1e3:.1f} GB" if cell else "does not fit" for cell in cells]
    print(f"{classes:10,}" + "".join(f"{text:>26}" for text in texts))

# %% [markdown]
# What does one more person take on each card? That is the slope of each column. Beside it is (15.1) with eight cards and a batch of 1,024 in all, that of the example commands in `docs/speed_benchmark.md` there; the table itself gives none.

# %%
ends = ((125_000, 1_400_000), (1_400_000, 5_500_000), (8_000_000, 29_000_000))  # of each way
per_person = [sum(bytes_of(1, 128)), sum(bytes_of(1, 1024)) / 8, (2 * 4 * 512 + 0.1 * bytes_of(1, 1024)[1]) / 8]
slopes = [
    1e6 * (published[high][way][1] - published[low][way][1]) / (high - low) for way, (low, high) in enumerate(ends)
]
for name, theirs, ours in zip(("all on each card", "sharded", "sharded, a tenth"), slopes, per_person, strict=True):
    print(f"{name:16}: {theirs:6,.0f} bytes a person and card, by (15.1) {ours:6,.0f}")
    assert ours < theirs < 2 * ours
kept = [published[1_400_000][way][0] / published[125_000][way][0] for way in range(3)]
print(f"speed kept from 125,000 people to 1.4 million: {', '.join(f'{share:.0%}' for share in kept)}")

# %% [markdown]
# The order is right; real programs take more than the least. Speed tells the same story. With eleven times the people data parallel keeps about a third of its speed, as the gradient of $W$ has to travel; the shards keep most of theirs, and the sample nearly all.
#
# And accuracy? From the same README, a ResNet-100 on WebFace12M and a ResNet-50 on a version with conflicts (people under several labels), judged on the MFR-ALL set at a FAR of $10^{-6}$; one run each, and theirs again. The sample on the conflicts had a filter against suspicious rivals as well.

# %%
for name, percent in (
    ("WebFace12M, all centres", 94.69),
    ("WebFace12M, a sample of 0.3", 94.71),
    ("WebFace12M, a sample of 0.2", 94.75),
    ("with conflicts, all centres", 79.93),
    ("with conflicts, a sample of 0.3 and a filter", 91.68),
):
    print(f"{name:45} TAR {percent:.2f} %")

# %% [markdown]
# On their data the sample loses nothing that one run could show. Ours lost, with three looks at each person. Between the two lie the number of looks, the size of the batch and of the embedding, and faces; which of them decides, neither table says.

# %% [markdown]
# ## Break it
#
# ### A sample without the own class
#
# `searchsorted` says where a number would have to stand, whether it is there or not. Whoever draws at random, and forgets that the classes of the batch must be in, gets a place for every label all the same: that of somebody else.
#
# <details class="predict"><summary>Predict before you run: is there an error? What does the network learn?</summary>
#
# No error: the places are valid. With a tenth of the classes drawn, nine of ten pictures are drawn towards the centre of a stranger, in each step another one. There is nothing to be learned from that.
#
# </details>


# %%
def without_own(head, x, labels, rule, lots):
    drawn = torch.randint(len(head.weight), (600,), generator=lots).unique()
    places = torch.searchsorted(drawn, labels).clamp(max=len(drawn) - 1)  # of whoever comes next
    centres = F.embedding(drawn, head.weight, sparse=True)
    return facelib.chunked_cross_entropy(x, centres, places, rule)[0]


broken = [judge(train(many[seed], 0.1, seed, loss_of=without_own)[0]) for seed in (0, 1)]
print(f"TAR at FAR 1e-3 with the own class in every sample: above 45 %: {bool((tar[0.1] > 0.45).all())}")
print(f"without: below 10 %, as before training: {max(broken) < 0.1}")
assert (tar[0.1] > 0.45).all() and max(broken) < 0.1

# %% [markdown]
# ### A sum without the largest
#
# (15.2) and (15.7) carry a maximum that falls out of the result. Somebody leaves it out. With s = 64 the largest logit is near 64 when training has gone well.

# %%
z = 64 * torch.linspace(-0.4, 0.9, 1000).repeat(2, 1)  # a row of a trained network, twice
wanted = z.logsumexp(1)[0]
for kind in (torch.float32, torch.float16, torch.bfloat16):
    plain = z.to(kind).exp().sum(1).log()[0]
    kept = streamed(z.to(kind), 100)[0]
    print(f"{str(kind):14} without the maximum finite: {bool(plain.isfinite())}", end="; ")
    print(f"with it within 0.05 of {wanted:.2f}: {bool((kept - wanted).abs() < 0.05)}")
print(
    f"float16 ends at exp({np.log(torch.finfo(torch.float16).max):.1f}), float32 at exp({np.log(torch.finfo(torch.float32).max):.1f})"
)
assert torch.isinf(z.half().exp().sum(1).log()).all() and torch.isclose(streamed(z, 100)[0], wanted)

# %% [markdown]
# In float32 it goes well, up to a scale of 88, and the next one who takes s = 96, or float16 to save memory, has an infinite loss. With the maximum float16 is right to a few hundredths. bfloat16 has the range of float32 and stays finite, but in it the logits themselves are rounded to a quarter ([lesson 10](10_training.ipynb)), which no maximum mends: heads compute in float32.
#
# ### A softmax on every card
#
# The third mistake is the easiest to make: each card takes the cross-entropy of the pictures whose class it holds, over its own classes, and nobody exchanges anything. On four cards the loss is lower than the true one, since three quarters of the rivals are not in it; it looks as if training went better.
#
# <details class="predict"><summary>Predict before you run: which centres will lie too near to each other?</summary>
#
# Those of people on different cards: no term of the loss knows both.
#
# </details>


# %%
def on_four_cards(head, x, labels, rule, lots):
    """Every picture against the 125 classes of its own card alone."""
    logits = rule(head(x), labels).unflatten(1, (4, -1))  # B, 4, 125
    return F.cross_entropy(logits[torch.arange(len(x)), labels // 125], labels % 125)


@torch.no_grad()
def nearest(head):
    """Cosine of a centre with the nearest other of its own card, and of the next card; means over 500 centres."""
    centres, card = F.normalize(head.weight), torch.arange(500) // 125
    cosine = (centres @ centres.T).fill_diagonal_(-1)
    apart = (card[:, None] - card) % 4
    return [float(cosine.masked_fill(apart != k, -1).amax(1).mean()) for k in (0, 1)]


alone = [train(clean[seed], seed=seed, loss_of=on_four_cards) for seed in seeds]
for name, runs in (("exact", few["clean", 1.0]), ("a softmax on every card", alone)):
    own_card, next_card = np.mean([nearest(head) for _, head in runs], axis=0)
    print(f"{name}: nearest rival on the next card, by more than 0.05 in cosine: {next_card - own_card > 0.05}")
lost = found["clean", 1.0] - np.array([judge(network) for network, _ in alone])
print(f"lost on strangers, in each of three seeds: {bool((lost > 0).all())}")
assert next_card - own_card > 0.05 and (lost > 0).all()


# %% [markdown]
# Under the exact softmax it makes no difference on which card a person is. With a softmax on every card the nearest rival is on another card, where nobody pushes, and strangers are recognised worse in all three seeds. The loss gives no warning: for the same network it is lower than the exact one.
#
# ## Exercises
#
# ### Exercise 15.1 · Does it fit?
#
# <span class="meta">★☆☆ · 10 minutes</span>
#
# Write `head_bytes(classes, batch, size, cards)`: equation 15.1 for a head whose classes are shared out among `cards` cards, as evenly as can be. `batch` is the whole batch. Return the bytes held and the bytes added by a dense step on the card that has the most classes.
#
# <details class="hint"><summary>Hint 1</summary>
#
# Which of C, B and D becomes smaller with more cards? Only one.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# `-(-classes // cards)` rounds up.
#
# </details>


# %% tags=["exercise"]
def head_bytes(classes, batch, size, cards):
    return ...  # your code: (held, added)


# %% tags=["check"]
check.head_bytes(head_bytes)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def head_bytes(classes, batch, size, cards):
#     own = -(-classes // cards)
#     return 8 * own * size, 4 * own * max(size + 4 * batch, 5 * size)
# ```
#
# Every card makes logits for the pictures of all the others, so a batch that grows with the number of cards eats up what sharding has saved. Then the logits go into blocks.
#
# </details>

# %% [markdown]
# ### Exercise 15.2 · Two halves of a softmax
#
# <span class="meta">★★☆ · 15 minutes</span>
#
# `first` and `second` each say of the same rows what a part of the classes knows: a pair (largest logit, sum of exponentials measured from it), NumPy arrays of shape (B,). Write `merge(first, second)`: the pair of both parts together. An empty part is (-inf, 0).
#
# <details class="hint"><summary>Hint 1</summary>
#
# The new largest is the larger one. A sum that was measured from another logit shrinks by exp(old - new).
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# Do it to both sums; for one of them the factor is 1. No logit is ever exponentiated as it is.
#
# </details>


# %% tags=["exercise"]
def merge(first, second):
    return ...  # your code: (largest, sum)


# %% tags=["check"]
check.merge(merge)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def merge(first, second):
#     top = np.maximum(first[0], second[0])
#     return top, first[1] * np.exp(first[0] - top) + second[1] * np.exp(second[0] - top)
# ```
#
# It does not matter in which order parts are merged, or in which pairs. So blocks may follow each other, cards may work side by side, and a tree of cards may add up in stages.
#
# </details>

# %% [markdown]
# ### Exercise 15.3 · Who takes part
#
# <span class="meta">★★☆ · 20 minutes</span>
#
# Write `sample(labels, classes, count, random)`: the classes that take part in a step, each once and in rising order, and the places of the labels among them. All classes of the batch are in, and others at random up to `count` in all; if the batch alone has more, it has all of its own. `random` is a NumPy generator, `labels` an array.
#
# <details class="hint"><summary>Hint 1</summary>
#
# `np.unique(labels)` are the classes of the batch, `np.setdiff1d(np.arange(classes), own)` all others.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# `random.permutation(others)[:n]` draws n of them without repetition; n must not be negative. `np.searchsorted` finds places in a sorted array.
#
# </details>


# %% tags=["exercise"]
def sample(labels, classes, count, random):
    return ...  # your code: (drawn, places)


# %% tags=["check"]
check.sample(sample)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def sample(labels, classes, count, random):
#     own = np.unique(labels)
#     others = np.setdiff1d(np.arange(classes), own)
#     drawn = np.sort(np.concatenate([own, random.permutation(others)[: max(0, count - len(own))]]))
#     return drawn, np.searchsorted(drawn, labels)
# ```
#
# A permutation of a million in each step is dear. `facelib.heads.draw_classes` marks classes in a table of yes and no instead, and draws until enough are marked.
#
# </details>

# %% [markdown]
# ### Exercise 15.4 · From how many people on?
#
# <span class="meta">★☆☆ · 10 minutes</span>
#
# Write `break_even(batch, size)`: the number of classes at which both sides of (15.8) are equal. With more classes than that the sharded head has less to send.
#
# <details class="hint"><summary>Hint 1</summary>
#
# Set the two sides equal. What falls out?
#
# </details>


# %% tags=["exercise"]
def break_even(batch, size):
    return ...  # your code


# %% tags=["check"]
check.break_even(break_even)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def break_even(batch, size):
#     return batch * (12 * size + 40) / (8 * size)
# ```
#
# About one and a half times the batch. Sets that are trained on several cards have more people than that.
#
# </details>

# %% [markdown]
# ## Quiz
#
# **Question 1.** A card runs out of memory with 400,000 people and a batch of 64, at 512 numbers. Somebody halves the batch. What happens to the head's part?
#
# <details class="quiz"><summary>A · It is halved, as the logits are</summary>
#
# Wrong: the logits are not what fills the card at a batch of 64. In (15.1) the 5D of the centres is the higher peak.
#
# </details>
# <details class="quiz"><summary>B · Nothing; centres, velocity and five matrices of their size do not know the batch</summary>
#
# Right: blocks, a sample or shards help. A smaller batch helps the activations of the backbone only.
#
# </details>
# <details class="quiz"><summary>C · It grows, since there are more steps</summary>
#
# Wrong: steps follow each other and leave their memory behind.
#
# </details>
#
# **Question 2.** `chunked_cross_entropy` gives another loss than the dense head, by 2e-6. Why?
#
# <details class="quiz"><summary>A · It leaves out classes that hardly matter</summary>
#
# Wrong: every class is in the sum. That would be a sample.
#
# </details>
# <details class="quiz"><summary>B · The same numbers are added in another order</summary>
#
# Right: float32 addition is not associative. In float64 our own blocks agreed with autograd to twelve places.
#
# </details>
# <details class="quiz"><summary>C · The backward pass computes the cosines anew</summary>
#
# Wrong: that concerns the gradient, and the same numbers come out of it. The loss is known before.
#
# </details>
#
# **Question 3.** Two runs, one with all classes and one with a tenth; the second ends with a loss lower by 2.2. Is it the better one?
#
# <details class="quiz"><summary>A · Yes: lower is lower</summary>
#
# Wrong: with a tenth of the rivals in the sum another quantity is printed.
#
# </details>
# <details class="quiz"><summary>B · No: log 10 is 2.3, so that it may even be the worse one</summary>
#
# Right: by (15.5) the same network would show about 2.3 less. Compare on strangers.
#
# </details>
# <details class="quiz"><summary>C · It cannot be said, because a sampled loss is random</summary>
#
# Wrong as the reason: averaged over steps it is steady. It is steady in the wrong place.
#
# </details>
#
# **Question 4.** What does a card have to be told of the other cards' classes, to make the gradient of its own centres?
#
# <details class="quiz"><summary>A · One number a row, the logarithm of the whole sum</summary>
#
# Right: by (15.3) it turns logits into probabilities. The embeddings of all it has as well.
#
# </details>
# <details class="quiz"><summary>B · Their logits</summary>
#
# Wrong: that would be the matrix (B, C) which nobody has room for.
#
# </details>
# <details class="quiz"><summary>C · Nothing, its centres are its own</summary>
#
# Wrong: that is the softmax on every card, of the last experiment.
#
# </details>
#
# ## Summary
#
# - A head of $C$ people holds $2CD$ numbers, and a dense step adds five times $CD$ or more. It overtakes IResNet-50 in weights at 85 thousand people; in multiplications hardly ever.
# - In blocks the softmax is exact, with a gradient beyond the centres and little else, for a third more multiplications. Begin with this.
# - A sample is another loss, too low by about $\log 1/r$. The bias did not matter here and the missing rivals did: worse per step, better per multiplication. Centres that are not drawn must stand still.
# - Under two labels of one person the exact softmax holds the two centres apart, a sample less so.
# - Over cards the softmax is exact with a few numbers a row, and what travels does not depend on the number of people.
# - A sample without the own class, a sum without the largest logit, a softmax on every card: none of them raises an error.
#
# ## Where to go from here
#
# This is the last lesson. A face has gone all the way: found, placed, embedded, compared, judged, shipped. Three things to do next:
#
# - **Train on photographs.** [Lesson 10](10_training.ipynb) runs as it is on VGGFace2 with one changed line, and [lesson 08](08_data.ipynb) says how it lies on disk. [A head in your own training loop](../book/heads.md) has everything of this lesson in a few lines.
# - **Put it somewhere.** [Lesson 14](14_export_and_serve.ipynb) exports and serves.
# - **Ask whether you should.** [Lesson 13](13_where_it_fails.ipynb) ends with a list of questions that stay open after the best training run. None of them is answered by more people in the head.
#
# The [front page](../book/index.md) has the map of all lessons.
