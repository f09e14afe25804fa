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
# # 05 · From softmax to the sphere
#
# <a class="colab" href="https://colab.research.google.com/github/facelib-course/facelib-course/blob/main/notebooks/05_softmax_to_sphere.ipynb">Open in Colab</a>
#
# A recogniser is trained as a classifier of a few thousand people, and then used on people it has never seen, by comparing embeddings. So it matters less whether the classifier is right than what its embeddings look like. This lesson squeezes embeddings into two numbers, where they can be looked at, and finds that plain softmax spends one of them on something that is not identity. Taking it away puts all embeddings on a sphere, and that raises a question to be answered before the first step of training: why must cosines be multiplied by a number like 64?
#
# **You will be able to**
# - compute softmax and cross-entropy by hand, and without overflow;
# - explain why softmax's classes lie in wedges, and what the length of an embedding stands for;
# - choose between Euclidean distance and cosine by a measurement, on digits, and on people who were not trained;
# - derive the gradient of normalisation, and what it does to lengths and to the speed of learning;
# - derive the smallest loss that a scale `s` allows, and the smallest `s` that a number of people needs.
#
# **Before this** [lesson 00](00_five_minutes.ipynb) for what an embedding is for; vectors, dot products, and a training loop in PyTorch.
#
# **Time** about 45 s to run on two CPU cores
# · about 80 minutes to read and do

# %% tags=["setup"]
try:
    import facelib
except ModuleNotFoundError:  # a fresh Colab
    # %pip install --quiet "facelib @ git+https://github.com/facelib-course/facelib-course"
    import facelib
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from facelib import plot
from facelib.checks import lesson_05 as check

plot.use()

# %% [markdown]
# ## A score for every class
#
# A network turns a picture into an **[embedding](../book/glossary.md)** $x$, a vector of $D$ numbers. In training a last layer follows, the [head](../book/glossary.md). It holds one vector $w_j$ and one number $b_j$ for each of $C$ classes and gives each class a score, the logit. [Softmax](../book/glossary.md) makes probabilities of the scores, and [cross-entropy](../book/glossary.md) asks for the probability of the right class $y$:
#
# $$ z_j = w_j \cdot x + b_j, \qquad p_j = \frac{e^{z_j}}{\sum_k e^{z_k}}, \qquad L = -\log p_y . \tag{5.1} $$
#
# It is equation 1 of the ArcFace paper ([Deng et al. 2019](../book/bibliography.md)), and DeepFace was trained with it ([Taigman et al. 2014](../book/bibliography.md)). One embedding of two numbers, three classes:

# %%
x = torch.tensor([[2.0, 1.0]])  # B, D: one embedding
W = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])  # C, D: a vector for each class
b = torch.tensor([0.0, 0.5, 0.0])  # C
z = x @ W.T + b  # B, C
p = z.exp() / z.exp().sum(dim=1, keepdim=True)  # B, C
print("scores", z[0].tolist())
print("probabilities", [f"{value:.3f}" for value in p[0]], "sum", f"{p.sum():.3f}")
print(f"loss if the right class is 0: {-p[0, 0].log():.3f}; if it is 2: {-p[0, 2].log():.3f}")

# %% [markdown]
# In the library the head is `facelib.LinearClassifier`, and `facelib.Softmax` hands its scores on as they are ([facelib.heads, facelib.margins](../book/api.md)); PyTorch's `cross_entropy` does softmax, logarithm and mean in one. All three agree with the lines above:

# %%
head = facelib.LinearClassifier(embedding=2, classes=3)
with torch.no_grad():  # overwrite the random start by our numbers
    head.weight.copy_(W), head.bias.copy_(b)
right = torch.tensor([0])  # B: labels
logits = facelib.Softmax()(head(x), right)  # B, C
assert torch.allclose(logits, z)
assert torch.allclose(F.cross_entropy(logits, right), -p[0, 0].log())
print("the same as facelib.LinearClassifier, facelib.Softmax and F.cross_entropy")

# %% [markdown]
# ## Ten classes in two numbers
#
# To see embeddings we need few numbers and a small real problem: 1,797 digits written by hand, 8 x 8 pixels each, that come with scikit-learn. The first 120 of each class are for training, the rest for looking.

# %% mystnb={"image": {"alt": "Twenty handwritten digits of 8 by 8 grey pixels, coarse but readable."}}
from sklearn.datasets import load_digits

pictures, digits = (torch.tensor(values) for values in load_digits(return_X_y=True))
pictures = (pictures / 16).float()  # N, 64: grey values from 0 to 1
nth = (F.one_hot(digits).cumsum(0) - 1).gather(1, digits[:, None])[:, 0]  # N: how many of its class came before
train_x, train_y = pictures[nth < 120], digits[nth < 120]
test_x, test_y = pictures[nth >= 120], digits[nth >= 120]
print(f"{len(train_x)} pictures to train with, {len(test_x)} to look at")
_ = plot.grid(test_x[:20].view(-1, 8, 8, 1).expand(-1, -1, -1, 3), columns=10, side=0.8)

# %% [markdown]
# The network has one hidden layer and ends in $D$ numbers. The training loop is the usual one: a random batch, the loss, its gradient, a step. Head and margin are arguments, because everything that follows changes only those.

# %%
torch.set_num_threads(1)  # these tensors are so small that a second thread only costs time


def network(dimensions):
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, dimensions))


def softmax(dimensions, classes=10):
    """Network and head for plain softmax. Without b_j, for a reason that the next figure shows."""
    return network(dimensions), facelib.LinearClassifier(dimensions, classes, bias=False)


def train(model, margin, images, labels, seed, steps=300, batch=128):
    """Train what ``model()`` makes, from a start and an order that ``seed`` fixes; returns network and head."""
    torch.manual_seed(seed)
    body, head = model()
    optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=0.01)
    for _ in range(steps):
        rows = torch.randint(len(images), (batch,))
        loss = F.cross_entropy(margin(head(body(images[rows])), labels[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return body.eval(), head


plain = [train(lambda: softmax(2), facelib.Softmax(), train_x, train_y, seed) for seed in range(4)]

# %% [markdown]
# <details class="predict"><summary>Predict before you run: ten classes on a plane. Will they be ten round clouds, and where?</summary>
#
# Cross-entropy never asks for a cloud. It asks that $w_y \cdot x$ exceed the other products by as much as possible. What happens to all scores when $x$ is doubled? Which direction is the cheapest for a network that is already right?
#
# </details>

# %% mystnb={"image": {"alt": "Embeddings of handwritten digits in the plane, each drawn as its digit. Wedges run outwards from the origin like petals, one class in each, divided by straight rays through the origin. Circled in red are the wrong ones: most lie near the origin, the others at the borders."}}
with torch.no_grad():
    body, head = plain[0]
    embedded = body(test_x)  # N, 2
    wrong = head(embedded).argmax(1) != test_y  # N
fig, ax = plt.subplots(figsize=(6.2, 6))
plot.cloud(embedded, test_y, ax=ax)
ax.scatter(*embedded[wrong].T, 130, facecolors="none", edgecolors=plot.RED, label="given to a wrong class")
turn = torch.linspace(0, 2 * torch.pi, 3601)
rays = torch.stack([turn.cos(), turn.sin()], dim=1)  # 3601, 2: directions all round
winner = (rays @ head.weight.detach().T).argmax(1)  # 3601: the class that each direction belongs to
borders = rays[:-1][winner.diff() != 0]
ax.plot(*(torch.stack([0 * borders, 1.1 * embedded.norm(dim=1).max() * borders]).permute(2, 0, 1)), color="grey", lw=1)
_ = ax.set(aspect="equal"), ax.legend(loc="upper left", fontsize="small")
assert len(borders) == len(winner.unique())  # each class owns one wedge, in one piece

# %% [markdown]
# Wedges, not clouds. They follow from the equation. Two classes $i$ and $j$ are equally good where their scores are equal,
#
# $$ (w_i - w_j) \cdot x + b_i - b_j = 0 , \tag{5.2} $$
#
# a straight line, and without the $b$ it passes through the origin. Then every point of a ray from the origin belongs to the same class: $w_j \cdot (t\,x) = t\,(w_j \cdot x)$ for every $t > 0$, so stretching $x$ stretches all scores alike and changes no winner. (With $b$ the borders miss the origin, and one class may sit in the middle. That is why the head above has none.)
#
# Nor do the borders halve the angle between $w_i$ and $w_j$. By (5.2) the longer vector takes more: for $w_1 = (1, 0)$ and $w_2 = (0, 2)$ the border is where $\cos\alpha = 2\sin\alpha$.

# %%
for length in (1, 2, 4):
    border = np.degrees(np.arctan2(1, length))  # cos a = length * sin a
    print(f"w_1 of length 1 at 0 degrees, w_2 of length {length} at 90 degrees: the border is at {border:.1f} degrees")

# %% [markdown]
# ## What length is for
#
# If stretching $x$ changes no winner, what does it change? The probabilities. Take scores 2, 1 and 0, and stretch:

# %%
for t in (0.1, 1, 3, 10):
    p = torch.softmax(t * torch.tensor([2.0, 1.0, 0.0]), dim=0)
    print(f"t = {t:4}: p = {[f'{value:.3f}' for value in p]}, loss {-p[0].log():.5f}")

# %% [markdown]
# The same answer, with more and more certainty. For pictures that are right already, length is a way to lower the loss that costs the network nothing and says nothing new about who is seen. For pictures that are clearly wrong it makes the loss larger. So a network learns to make $x$ long where it is sure and short where it is not. We test that in two ways. First: divide the test pictures into four equal groups by length, and count how many of each are right. Second: fade pictures towards the mean of all digits, and measure their length.

# %% mystnb={"image": {"alt": "Two panels, one line for each of four trainings. Left: the share of right answers rises from the quarter of the shortest embeddings, at about half, to the longest, near 95 percent. Right: the median length falls as pictures fade into the mean digit, from 15 to 18 down to 5 to 7."}}
steps = (0.0, 0.25, 0.5, 0.75)
mean = train_x.mean(0)
quarter_right, faded_length = [], []
with torch.no_grad():
    for body, head in plain:
        e = body(test_x)  # N, 2
        ok = (head(e).argmax(1) == test_y).float()
        order = e.norm(dim=1).argsort()  # shortest first
        quarter_right.append([100 * ok[part].mean().item() for part in order.chunk(4)])
        faded_length.append([body(test_x.lerp(mean, fade)).norm(dim=1).median().item() for fade in steps])
fig, axes = plt.subplots(1, 2, figsize=(8.5, 3.3))
axes[0].plot(["shortest", "", " ", "longest"], np.transpose(quarter_right), "o-", color=plot.BLUE, alpha=0.7)
axes[0].set(ylabel="right answers, %", xlabel="quarter of the embeddings, by length")
axes[1].plot(steps, np.transpose(faded_length), "o-", color=plot.ORANGE, alpha=0.7)
_ = axes[1].set(xlabel="share of the mean digit mixed in", ylabel="median length |x|", ylim=(0, None))

# %%
quarter_right, faded_length = np.array(quarter_right), np.array(faded_length)
gap = quarter_right[:, 3] - quarter_right[:, 0]
print("every training: the longest quarter beats the shortest by more than 20 points of 100:", (gap > 20).all())
print("every training: the more faded, the shorter:", (np.diff(faded_length) < 0).all())
assert (gap > 20).all() and (np.diff(faded_length) < 0).all()

# %% [markdown]
# Length stands for how sure the network is. Two pictures of the same person, one sharp and one dark, may have the same direction and very different lengths. That is information, and later rules use it (MagFace and AdaFace, [lesson 06](06_margins.ipynb)). But it is not *identity*, and a distance between embeddings counts it as if it were.
#
# ## Which distance?
#
# A recogniser compares. Take all pairs of pictures and score each, once by Euclidean distance $|x - x'|$ and once by the [cosine](../book/glossary.md) of the angle between $x$ and $x'$, which does not see length. A good score puts pairs of the same class above pairs of different ones. The **area** below is the chance that it does, for one pair of either kind drawn at random: 0.5 is guessing, 1 is perfect. (It is the area under the ROC curve; [lesson 11](11_verification.ipynb) derives it. To compute it, sort all pairs by score and add up the ranks of the same pairs.)


# %%
def area(score, same):
    """Chance that a same pair scores above a different one; (P,) scores and (P,) booleans. Ties count as they fall."""
    rank = torch.empty(len(score))
    rank[score.argsort()] = torch.arange(1.0, len(score) + 1)
    n = same.sum().double()
    return float((rank[same].double().sum() - n * (n + 1) / 2) / (n * (len(same) - n)))


@torch.no_grad()
def compare(embedded, labels):
    """Areas of all pairs by Euclidean distance and by cosine."""
    i, j = torch.triu_indices(len(labels), len(labels), offset=1)  # every pair once
    same = labels[i] == labels[j]
    unit = F.normalize(embedded)
    return area(-(embedded[i] - embedded[j]).norm(dim=1), same), area((unit[i] * unit[j]).sum(1), same)


toy = torch.tensor([0.9, 0.2, 0.6, 0.4]), torch.tensor([True, False, True, False])
assert area(*toy) == 1 and area(-toy[0], toy[1]) == 0

# %% [markdown]
# Two tests. The first uses new pictures of digits that were trained, in 2 and in 16 dimensions. The second is the one that matters for faces: **train on the digits 0 to 6 and compare only 7, 8 and 9**, strangers to the network. For comparison the dotted line scores the raw pixels.
#
# <details class="predict"><summary>Predict before you run: which distance is better after softmax? How well does a network that knows seven digits tell three others apart?</summary>
#
# The wedges speak for cosine. But look at the figure of the wedges again: are all classes equally long? What a class has in common helps to recognise it, even if nobody asked for it. With strangers nothing told the network to keep apart what it never saw. Ask whether it beats no network at all.
#
# </details>

# %% mystnb={"image": {"alt": "Three panels of areas, each with four lines from Euclidean distance to cosine and a dotted line for raw pixels. Known digits in 2 dimensions: some lines rise, some fall, all near 0.91. Known digits in 16 dimensions: flat near 0.95, above the dotted line at 0.86. Strangers, digits 7 to 9: lines near 0.7 that fall a little, far below the dotted line at 0.82."}}
known = train_y < 7
strangers = pictures[digits > 6], digits[digits > 6]
wide = [train(lambda: softmax(16), facelib.Softmax(), train_x, train_y, seed) for seed in range(4)]
seven = [train(lambda: softmax(16, 7), facelib.Softmax(), train_x[known], train_y[known], seed) for seed in range(4)]
tests = {
    "known digits, 2 dimensions": (plain, test_x, test_y),
    "known digits, 16 dimensions": (wide, test_x, test_y),
    "strangers, 16 dimensions": (seven, *strangers),
}
found = {name: np.array([compare(body(x), y) for body, _ in models]) for name, (models, x, y) in tests.items()}
pixels = {name: compare(x, y) for name, (_, x, y) in tests.items()}
fig, axes = plt.subplots(1, 3, figsize=(9, 3.3), sharey=True)
for ax, (name, areas) in zip(axes, found.items(), strict=True):
    ax.plot(["Euclidean", "cosine"], areas.T, "o-", color=plot.BLUE)
    ax.plot(pixels[name], ":", color="grey", label="raw pixels")
    ax.set_title(name), ax.margins(x=0.3)
_ = axes[0].set(ylabel="area", ylim=(0.55, 1)), axes[2].legend()

# %%
for name, areas in found.items():
    gain = np.abs(areas[:, 1] - areas[:, 0]).max()
    side = "above" if areas.min() > max(pixels[name]) else "below" if areas.max() < min(pixels[name]) else "around"
    print(f"{name}: the two distances differ by less than 0.07: {gain < 0.07}; all areas are {side} raw pixels")
assert found["known digits, 16 dimensions"].min() > max(pixels["known digits, 16 dimensions"]) + 0.03
assert found["strangers, 16 dimensions"].max() + 0.03 < min(pixels["strangers, 16 dimensions"])

# %% mystnb={"image": {"alt": "Two histograms of angles between pairs in 16 dimensions. Known digits: same pairs pile up near 20 degrees, different pairs around 75, with little overlap. Strangers: peaks near 30 and 50 degrees that largely overlap."}}
fig, axes = plt.subplots(1, 2, figsize=(9, 3), sharey=True)
for ax, (name, (models, x, y)) in zip(axes, list(tests.items())[1:], strict=True):
    with torch.no_grad():
        unit = F.normalize(models[0][0](x))  # N, 16
    i, j = torch.triu_indices(len(y), len(y), offset=1)
    angle = (unit[i] * unit[j]).sum(1).clamp(-1, 1).acos().rad2deg()
    for kind, same, colour in (("same digit", True, plot.BLUE), ("different", False, plot.ORANGE)):
        ax.hist(angle[(y[i] == y[j]) == same], 45, range=(0, 180), density=True, alpha=0.6, color=colour, label=kind)
    ax.set(title=name, xlabel="angle between two embeddings, degrees", yticks=[])
_ = axes[0].legend()

# %% [markdown]
# Two results that are not in every textbook.
#
# **After plain softmax, cosine is not simply the better distance.** Length was free, and some classes used it: in the figure of the wedges whole digits lie nearer to the origin than others. So length holds something about the class after all, mixed with how clear the picture is, and a distance that drops it loses the one with the other. Angles become the right measure when they are what was trained. We come back to this as soon as we can train them.
#
# **A network that has learnt seven classes has not learnt to compare.** On strangers plain pixels do better. The network kept what tells seven digits apart and threw away the rest, and the rest was what tells an 8 from a 9. This is why recognisers are trained on thousands of people, and why no score on known classes says anything about strangers. They return at the end of the lesson, as people.

# %% [markdown]
# ## Only directions
#
# If length is not identity, take it away. Every score is a product of two lengths and a cosine,
#
# $$ z_j = w_j \cdot x + b_j = |w_j|\,|x| \cos\theta_j + b_j . \tag{5.3} $$
#
# We scale each $w_j$ to length 1, so that no class takes more than its half, drop $b_j$, and scale $x$ to length 1, so that no picture can lower its loss by being sure. What is left lies between $-1$ and $1$. One number $s$ stretches it again, the same for everybody:
#
# $$ z_j = s \cos\theta_j, \qquad \cos\theta_j = \hat w_j \cdot \hat x, \quad \hat w_j = \frac{w_j}{|w_j|}, \quad \hat x = \frac{x}{|x|} . \tag{5.4} $$
#
# This is normalised softmax, **NormFace** ([Wang et al. 2017](../book/bibliography.md)). The embeddings $\hat x$ live on the [unit hypersphere](../book/glossary.md): in the plane it is a circle, in space a sphere, and in 512 dimensions it is called one too. The $\hat w_j$ live there as well and are now called **class centres**. The border between two classes halves the angle between their centres.

# %%
x = torch.tensor([[2.0, 1.0], [0.2, 0.1]])  # B, D: the same direction, once long and once short
W = torch.tensor([[3.0, 0.0], [0.0, 0.5], [-1.0, 0.0]])  # C, D
cosine = F.normalize(x) @ F.normalize(W).T  # B, C
print(
    [f"{value:.3f}" for value in cosine[0]],
    "for the long one,",
    [f"{value:.3f}" for value in cosine[1]],
    "for the short",
)

head = facelib.CosineClassifier(embedding=2, classes=3)
head.weight.data = 1.0 * W
labels = torch.tensor([0, 1])
logits = facelib.NormFace(s=16)(head(x), labels)  # B, C
assert torch.allclose(head(x), cosine) and torch.allclose(logits, 16 * cosine, atol=1e-5)
print("the same as facelib.CosineClassifier and facelib.NormFace")

# %% [markdown]
# Now train with it. Only head and margin change; seeds, network, steps and learning rate stay.


# %%
def sphere(dimensions, classes=10):
    """Network and head for cosines."""
    return network(dimensions), facelib.CosineClassifier(dimensions, classes)


circle = train(lambda: sphere(2), facelib.NormFace(s=16), train_x, train_y, 0)
round16 = [train(lambda: sphere(16), facelib.NormFace(s=16), train_x, train_y, seed) for seed in range(4)]

# %% mystnb={"image": {"alt": "Left: embeddings of digits around a circle, drawn as their digits, with ten arrows from the middle to the class centres. Most digits stand at their own arrow, some at a neighbour's. Right: areas on known digits in 16 dimensions: four dots each for softmax with Euclidean distance and with cosine, near 0.95, and for the sphere with Euclidean distance, near 0.95, and with cosine, all higher, near 0.97."}}
with torch.no_grad():
    body, head = circle
    unit, centres = F.normalize(body(test_x)), F.normalize(head.weight)
on_digits = np.array([compare(body(test_x), test_y) for body, _ in round16])  # 4, 2
columns = np.hstack([found["known digits, 16 dimensions"], on_digits])  # 4, 4
fig, axes = plt.subplots(1, 2, figsize=(9, 4.4))
readable = 1 + 0.3 * torch.rand(len(unit), 1, generator=torch.Generator().manual_seed(0))
plot.cloud(readable * unit, test_y, ax=axes[0])
for digit, centre in enumerate(0.75 * centres):
    axes[0].annotate("", centre, (0, 0), arrowprops={"arrowstyle": "-|>", "color": "grey"})
    axes[0].text(*1.15 * centre, digit, ha="center", va="center", weight="bold")
axes[0].add_patch(plt.Circle((0, 0), 1, fill=False, color="grey"))
axes[0].set(aspect="equal", xlim=(-1.35, 1.35), ylim=(-1.35, 1.35), title="trained on the circle")
axes[0].set_axis_off()
axes[1].plot(["softmax,\nEuclidean", "softmax,\ncosine", "sphere,\nEuclidean", "sphere,\ncosine"], columns.T, "o-")
_ = axes[1].set(title="pairs of known digits, 16 dimensions", ylabel="area"), axes[1].margins(x=0.1)
assert torch.allclose(unit.norm(dim=1), torch.ones(len(unit)))

# %%
best_softmax = columns[:, :2].max(1)
print(
    "every start: trained on the sphere, cosine beats Euclidean distance:", bool((columns[:, 3] > columns[:, 2]).all())
)
print("on average it beats the better distance after softmax:", bool((columns[:, 3] - best_softmax).mean() > 0.004))
assert (columns[:, 3] > columns[:, 2]).all() and (columns[:, 3] - best_softmax).mean() > 0.004

# %% [markdown]
# (On the left, digits are moved outwards at random, so that they can be read; only their direction counts.)
#
# **Train what you will compare.** With angles in the loss, angles are the better measure from every start, and on average better than either distance was after softmax. (Before the scaling these embeddings still have lengths. Nobody trained them, and Euclidean distance suffers for it.) The gain is small, on digits, and the seven-class network of before would still be no use for strangers. What has changed is that the loss now speaks about the very number that the recogniser will use.
#
# ## What normalisation does to the gradient
#
# $\hat x = x / |x|$ is computed, so gradients flow through it. How does $\hat x$ move when $x$ does? By the quotient rule, and because $|x|$ changes by $\hat x \cdot dx$,
#
# $$ d\hat x = \frac{dx}{|x|} - \frac{x\,(\hat x \cdot dx)}{|x|^2} = \frac{1}{|x|}\left(I - \hat x \hat x^{\mathsf T}\right) dx . \tag{5.5} $$
#
# The matrix in brackets takes away the part of $dx$ along $\hat x$ and keeps what is at a right angle to it. It is its own transpose, so the gradient passes back through the same matrix: from $\hat g = \partial L / \partial \hat x$ to $g = \partial L/\partial x = (\hat g - (\hat g \cdot \hat x)\,\hat x) / |x|$. Toy tensor first, with $|x| = 5$:

# %%
x = torch.tensor([3.0, 4.0], dtype=torch.float64)
unit = x / x.norm()
by_hand = (torch.eye(2, dtype=torch.float64) - torch.outer(unit, unit)) / x.norm()  # 2, 2
by_autograd = torch.autograd.functional.jacobian(lambda v: F.normalize(v, dim=0), x)
print("by hand    ", [[f"{value:7.4f}" for value in row] for row in by_hand])
print("by autograd", [[f"{value:7.4f}" for value in row] for row in by_autograd])
assert torch.allclose(by_hand, by_autograd, atol=1e-12)

generator = torch.Generator().manual_seed(0)
many = torch.randn(6, 16, generator=generator, dtype=torch.float64).requires_grad_()  # B, D
centres = torch.randn(10, 16, generator=generator, dtype=torch.float64)  # C, D
logits = 16 * F.normalize(many) @ F.normalize(centres).T  # B, C
F.cross_entropy(logits, torch.arange(6)).backward()
along = (many.grad * F.normalize(many.detach())).sum(1)  # B
print("largest part of the gradient along x below 1e-12:", bool(along.abs().max() < 1e-12))
assert along.abs().max() < 1e-12

# %% [markdown]
# Two consequences. The gradient stands at a right angle to $x$, so by Pythagoras a plain gradient step $x' = x - \eta g$ can only make a vector **longer**:
#
# $$ |x'|^2 = |x|^2 + \eta^2 |g|^2 . \tag{5.6} $$
#
# And $g$ carries $1/|x|$, while a sideways step turns a long vector less than a short one: the angle turned is about $\eta\,|g| / |x| \propto 1/|x|^2$. Twice the length, **a quarter of the turn**. We let a centre of four different lengths walk 60 plain gradient steps towards an embedding 80 degrees away, under $L = -\cos\theta$.
#
# <details class="predict"><summary>Predict before you run: which one gets there first, and which grows most, measured by its start?</summary>
#
# The short one turns sixteen times as fast as one of four times its length. It also pays most: large steps at a right angle lengthen it most.
#
# </details>

# %% mystnb={"image": {"alt": "Two panels over 60 steps for vectors that start with lengths 0.5, 1, 2 and 4. Left, the angle to the goal: the shortest reaches zero within twenty steps, the longest is still at 60 degrees after sixty. Right, the lengths over those of the start: all rise, the shortest at once by about a sixth, the longest not visibly."}}
goal = torch.tensor([1.0, 0.0], dtype=torch.float64)
angles, lengths = {}, {}
for start in (0.5, 1.0, 2.0, 4.0):
    w = start * torch.tensor([np.cos(np.radians(80)), np.sin(np.radians(80))])
    path = [w]
    for _ in range(60):
        w = w.clone().requires_grad_()
        slope = torch.autograd.grad(-F.normalize(w, dim=0) @ goal, w)[0]
        w = (w - 0.1 * slope).detach()
        path.append(w)
    name, path = f"starts with length {start}", torch.stack(path)  # 61, 2
    angles[name] = torch.atan2(path[:, 1], path[:, 0]).rad2deg().numpy()
    lengths[name] = (path.norm(dim=1) / start).numpy()
fig, axes = plt.subplots(1, 2, figsize=(9, 3.4))
plot.curves(range(61), angles, "step", "angle to the goal, degrees", axes[0]).set(ylim=(0, 130))
_ = plot.curves(range(61), lengths, "step", "length, over that of the start", axes[1]).legend_.remove()

# %%
turned = np.array([angle[0] - angle[1] for angle in angles.values()])  # degrees, in the first step
print("first step turns by", [f"{degrees:.2f}" for degrees in turned], "degrees")
assert all((np.diff(length) > -1e-12).all() for length in lengths.values())  # equation 5.6
assert np.allclose(turned[1:-1] / turned[2:], 4, rtol=0.05)

# %% [markdown]
# So length still matters after normalisation, but for *speed* only: it acts as a learning rate that shrinks by itself. For class centres this is a practical matter, since each is such a vector. Started too long, they hardly turn. Without anything against growth they turn less and less. Weight decay is that something; it makes centres shorter and changes no cosine. That is why `facelib.CosineClassifier` starts its centres short, and `facelib.heads.parameter_groups` puts weight decay on them ([facelib.heads](../book/api.md)). (Equation 5.6 is about plain steps. Momentum and Adam do not step exactly along the gradient; and an embedding is not a parameter, but what the network makes.)
#
# ## Why s exists
#
# Cosines end at 1. Take (5.4) with $s = 1$ and the best there could ever be: the embedding on its own centre, and all other centres far away. How far can they be? *All* of them opposite to it would be best, but then they would all be in one place, and their own embeddings would have company. Look at all centres together. The square of their sum is not negative,
#
# $$ 0 \le \Big| \sum_j \hat w_j \Big|^2 = C + \sum_{i \ne j} \hat w_i \cdot \hat w_j \quad\Longrightarrow\quad \text{mean of } \cos\theta_{ij} \text{ over } i \ne j \ \ge\ -\frac{1}{C - 1} . \tag{5.7} $$
#
# Two centres can be opposite; three reach $-1/2$, a triangle; four $-1/3$, a tetrahedron; ten thousand $-0.0001$, nearly a right angle. All pairs reach the bound at once in one figure only, the regular **simplex**, and it needs $C - 1$ dimensions. To build one, take $C$ axes at right angles, move their common mean to the origin, and scale:


# %%
def simplex(classes):
    """(C, C) unit vectors, all cosines between them -1 / (C - 1)."""
    return F.normalize(torch.eye(classes, dtype=torch.float64) - 1 / classes)


for classes in (2, 3, 4, 10_000):
    centres = simplex(min(classes, 1000))
    expected = -1 / (len(centres) - 1)
    off = (centres @ centres.T)[~torch.eye(len(centres), dtype=torch.bool)]
    assert torch.allclose(off, torch.full_like(off, expected), atol=1e-12)
    print(
        f"{classes:6} classes: cosines of {-1 / (classes - 1):.4f}, {np.degrees(np.arccos(-1 / (classes - 1))):.2f} degrees apart"
    )

# %% [markdown]
# (The last line is by formula; the code built 1,000.) With every embedding on its centre, and the centres in a simplex, the right logit is $s$, all others are $-s/(C-1)$, and
#
# $$ p_y = \frac{1}{1 + (C - 1)\, e^{-s C/(C-1)}}, \qquad L_{\min} = \log\left(1 + (C - 1)\, e^{-s C/(C-1)}\right) . \tag{5.8} $$
#
# **No arrangement has a smaller mean loss**, if the classes have equally many pictures. The function $\log(1 + \sum_{j} e^{u_j})$ is convex in the $u_j$ and treats them all alike, so its mean is at least its value at the mean of all $u = s\,(\cos\theta_j - \cos\theta_y)$. And that mean cannot be below $-sC/(C-1)$: for embeddings on their centres by (5.7). For others, let $\hat x_i$ be the mean embedding of class $i$, no longer than 1, and $\bar x$ and $\bar w$ the means over classes. The mean of all $u$ is $-s/(C-1)$ times the left side of
#
# $$ \sum_i \hat x_i \cdot \hat w_i - C\, \bar x \cdot \bar w = \sum_i (\hat x_i - \bar x) \cdot (\hat w_i - \bar w) \le C $$
#
# (Cauchy and Schwarz: the squared lengths of either factor add up to at most $C$). The NormFace paper states the same bound. We try to beat it: 2,000 random arrangements of 10 classes in 16 dimensions, then gradient descent on embeddings and centres that are free to go anywhere.


# %%
def floor(s, classes):
    """Equation 5.8: the smallest mean loss."""
    return np.log1p((classes - 1) * np.exp(-s * classes / (classes - 1)))


own = torch.arange(10)
centres = simplex(10)
assert abs(F.cross_entropy(4 * centres @ centres.T, own).item() - floor(4, 10)) < 1e-12

generator = torch.Generator().manual_seed(5)
free = torch.randn(
    2, 2000, 10, 16, generator=generator, dtype=torch.float64
).requires_grad_()  # x and w, arrangements, C, D


def arranged(s):
    """Loss of each arrangement."""
    x, w = F.normalize(free, dim=-1)
    return F.cross_entropy((s * x @ w.mT).flatten(0, 1), own.repeat(len(x)), reduction="none").view(-1, 10).mean(1)


with torch.no_grad():
    at_random = arranged(4).min().item()
free = free.detach()[:, :20].clone().requires_grad_()  # descend with 20 of them
optimizer = torch.optim.Adam([free], lr=0.05)
for _ in range(300):
    optimizer.zero_grad()
    arranged(4).sum().backward()
    optimizer.step()
descended = arranged(4).min().item()
print(f"s = 4: floor {floor(4, 10):.4f}, best of 2,000 at random {at_random:.2f}, after descent {descended:.4f}")
assert at_random > floor(4, 10) + 0.5 and -1e-9 < descended - floor(4, 10) < 1e-3

# %% [markdown]
# Descent finds the simplex by itself and stops at the floor. Now the number that a training run should know before it starts. Ask for a probability of at least $P$ at the centres, put it into (5.8), and solve for $s$:
#
# $$ s \ge \frac{C - 1}{C}\, \log \frac{(C - 1)\, P}{1 - P} . \tag{5.9} $$
#
# That is equation 6 of the CosFace paper ([Wang et al. 2018](../book/bibliography.md)).


# %%
def smallest_s(classes, p):
    """Equation 5.9."""
    return (classes - 1) / classes * np.log((classes - 1) * p / (1 - p))


for classes in (10, 1_000, 100_000, 10_000_000):
    s = smallest_s(classes, 0.9)
    assert np.isclose(np.exp(-floor(s, classes)), 0.9)  # put back into equation 5.8
    print(
        f"{classes:10,} people: s of at least {s:4.1f} for p = 0.9; with s = 1 the best p is {np.exp(-floor(1, classes)):.1e}"
    )

# %% [markdown]
# It grows with the logarithm of the number of people, which is why one value, such as 64, serves for ten thousand as well as for ten million. It is a *lower* bound, twice over. It holds for pictures exactly on their centre, and no real picture is. And it assumes a simplex, which ten thousand centres in 512 dimensions cannot form: for $C > D + 1$ there are always centres closer than that. On a circle it is easy to see how much that costs. There the best that ten classes can do is to stand every 36 degrees, with two neighbours at a cosine of 0.81.
#
# Real networks, six scales, sixteen dimensions (two starts each) and two. We measure the mean loss on the training pictures, 120 of each class.
#
# <details class="predict"><summary>Predict before you run: which runs reach their floor? With s = 1 the loss stays above 1.3, whatever happens. Does the network learn the digits?</summary>
#
# A floor is reached where the network can bring everything to the simplex; small s asks for that with full force to the end. For large s the floor is practically 0, and training stops pulling long before. And a loss that cannot fall may still have the right gradient: think of which of the 10 cosines ends largest.
#
# </details>

# %% mystnb={"image": {"alt": "Loss over s on logarithmic axes. Curves of the floor for 10, 1,000 and 100,000 classes: flat at the logarithm of the number of classes, then falling steeply, later the more classes. Dots of measured losses in 16 dimensions lie on the curve for 10 classes for s of 1 to 4 and level off at a few thousandths beyond. Crosses in 2 dimensions lie near a separate, higher curve for the circle at small s and far above it at large s."}}
scales = (1, 2, 4, 8, 16, 64)
measured = {}
for dimensions in (16, 2):
    for s in scales:
        for seed in range(2 if dimensions == 16 else 1):
            body, head = train(lambda d=dimensions: sphere(d), facelib.NormFace(s=s), train_x, train_y, seed)
            with torch.no_grad():
                cosine = head(body(train_x))  # N, 10
            measured[dimensions, s, seed] = cosine
losses = {key: F.cross_entropy(key[1] * cosine, train_y).item() for key, cosine in measured.items()}
grid = np.geomspace(0.5, 100, 200)
around = np.cos(2 * np.pi * np.arange(10) / 10)  # cosines of ten centres on a circle
on_circle = np.log(np.exp(grid[:, None] * (around - 1)).sum(1))  # 200
curves = {f"floor, {c:,} classes": floor(grid, c) for c in (10, 1_000, 100_000)}
fig, ax = plt.subplots(figsize=(8, 4.4))
plot.curves(grid, curves | {"ten on a circle": on_circle}, "s", "mean loss", ax)
for dimensions, sign in ((16, "o"), (2, "x")):
    drawn = [(s, loss) for (d, s, _), loss in losses.items() if d == dimensions]
    ax.plot(*np.transpose(drawn), sign, color="black", label=f"measured, {dimensions} dimensions")
_ = ax.set(xscale="log", yscale="log", ylim=(1e-4, 30), xticks=scales, xticklabels=scales), ax.legend(fontsize=8)

# %%
for s in scales:
    runs = [losses[16, s, seed] - floor(s, 10) for seed in range(2)]
    reached = "less than 0.1 above its floor" if max(runs) < 0.1 else "far above its floor"
    accuracy = min(facelib.clean_accuracy(measured[16, s, seed], train_y) for seed in range(2))
    print(
        f"s = {s:2}, 16 dimensions: floor {floor(s, 10):.3f}, {reached}; accuracy above 97 %: {bool(accuracy > 0.97)}"
    )
    assert max(runs) < 0.1 and accuracy > 0.97
assert all(loss > floor(s, 10) - 1e-5 for (_, s, _), loss in losses.items())  # nobody got below
assert all(losses[2, s, 0] > losses[16, s, 0] + 0.1 for s in scales)

# %% [markdown]
# No run got below its floor, and in 16 dimensions all came close to it. In two dimensions they cannot: the circle has a higher floor of its own, and at large $s$ the runs do not even reach that one. A sphere needs room.
#
# The run with $s = 1$ deserves a second look. Its loss ends above 1.37, as (5.8) foretells, at a probability of a quarter for the right class. And it gets the training digits right, as the others do. **A loss that stays high is not the same as a network that does not learn.** With ten classes too small an $s$ only looks bad. "Break it" measures what it spoils.
#
# ## Too large
#
# Why not $s = 1000$, then? The pull on an embedding is $s\,(1 - p_y)$ times geometry. When $s$ is large, $1 - p_y$ falls to nothing as soon as the right cosine leads by a little, and with it the pull. Softmax turns into a yes or no. In the networks trained above we measure how far from its centre the median training picture stands.

# %% mystnb={"image": {"alt": "Median angle to the own centre over s, sixteen dimensions, two starts. It rises from a few degrees at s = 1 to 4 over about 33 at 16 to more than 55 at 64."}}
own_angle = {
    s: [measured[16, s, seed].gather(1, train_y[:, None]).clamp(-1, 1).acos().rad2deg().median() for seed in range(2)]
    for s in scales
}
ax = plot.curves(scales, {f"start {seed}": [own_angle[s][seed] for s in scales] for seed in range(2)}, "s", "degrees")
_ = ax.set(xscale="log", xticks=scales, xticklabels=scales, title="median angle to the own centre", ylim=(0, 70))
assert all(own_angle[64][seed] > own_angle[16][seed] + 5 > own_angle[4][seed] + 15 for seed in range(2))

rough = torch.tensor([40.0, 63.0], dtype=torch.bfloat16)
print("the next number after 40 and 63 in bfloat16:", [f"{v:.2f}" for v in torch.nextafter(rough, rough + 9)])

# %% [markdown]
# All these runs get practically every training picture right. With $s$ of 4 a picture must stand near its centre before the loss is content; with 64 it may stay far out, as long as no other centre is nearer. For training labels that is enough. For comparing two pictures of a stranger it is a lot of room. So $s$ is a trade: large enough for the number of people, by (5.9), and not so large that nobody is asked to come near. The next lesson's **margin** gets out of the trade: it keeps $s$ large and moves the border inwards ([lesson 06](06_margins.ipynb)). And there is a plain technical end: in bfloat16 numbers near 64 lie 0.25 apart, so logits need float32.

# %% [markdown]
# ## The same with people
#
# Faces at last: rendered people, who do not exist and need no permission ([synthetic people](../book/people.md), [lesson 08](08_data.ipynb)). Six of them with 32 easy crops each for a picture of the plane, and, for a measurement, 32 people to train on and 16 **other** people to compare, in everyday light and pose. The crops have 28 pixels a side, so that a small network can learn from them in seconds.

# %% mystnb={"image": {"alt": "Two rows of twelve small aligned crops of rendered faces. Upper row: two crops each of six people in easy light. Lower row: twelve of the strangers in everyday light, some with glasses or blurred."}}
from facelib.synth import People

crowd = People(10_000, seed=5)
chance = torch.Generator().manual_seed(1)


def render(who, count, hardness):
    """``count`` crops of each person: (N, 3, 28, 28) of about unit spread, and labels from 0."""
    shots = crowd.render([k for k in who for _ in range(count)], chance, size=28, hardness=hardness)
    crops = torch.from_numpy(shots.images).permute(0, 3, 1, 2) / 255  # N, 3, 28, 28: PyTorch wants channels first
    return (crops - 0.5) / 0.25, torch.arange(len(who)).repeat_interleave(count)


def visible(crops):
    """Back to pictures (N, 28, 28, 3) from 0 to 1."""
    return (crops * 0.25 + 0.5).permute(0, 2, 3, 1).numpy()


six, six_y = render(range(6), 32, hardness=0.3)
people, people_y = render(range(32), 12, hardness=0.5)
others, others_y = render(range(32, 48), 6, hardness=0.5)
shown = np.concatenate([visible(six[torch.arange(192) % 32 < 2]), visible(others[::6][:12])])
_ = plot.grid(shown, columns=12, side=0.75)

# %% [markdown]
# Three convolutions take the place of the hidden layer. Of the six people's 32 crops the first 24 are for training; the figure shows the other 8 of each, which the network has not seen.


# %%
def convolutions(dimensions):
    """(B, 3, 28, 28) -> (B, dimensions); each layer halves the side: 14, 7, 4."""
    layers = []
    for inside, outside in ((3, 12), (12, 24), (24, 48)):
        layers += [nn.Conv2d(inside, outside, 3, stride=2, padding=1), nn.BatchNorm2d(outside), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(48 * 4 * 4, dimensions))


def faces(kind, dimensions, classes):
    """Network and head; kind is "plain" or "sphere"."""
    if kind == "plain":
        return convolutions(dimensions), facelib.LinearClassifier(dimensions, classes, bias=False)
    return convolutions(dimensions), facelib.CosineClassifier(dimensions, classes)


old = torch.arange(192) % 32 < 24
flat = train(lambda: faces("plain", 2, 6), facelib.Softmax(), six[old], six_y[old], 1, steps=200, batch=64)
ring = train(lambda: faces("sphere", 2, 6), facelib.NormFace(s=8), six[old], six_y[old], 1, steps=200, batch=64)

# %% mystnb={"image": {"alt": "New crops of six rendered people at the places of their embeddings, framed in a colour for each person. Left, softmax: they spread over the plane in wedges, far out where they are clear, some near the origin. Right, trained on the circle: they stand around a circle, most people in an arc of their own, with some strays among the others."}}
with torch.no_grad():
    spread, unit = flat[0](six[~old]), F.normalize(ring[0](six[~old]))  # 48, 2 each
    reached = [float(facelib.clean_accuracy(head(body(six[old])), six_y[old])) for body, head in (flat, ring)]
fig, axes = plt.subplots(1, 2, figsize=(9, 4.6))
plot.thumbnails(axes[0], spread, visible(six[~old]), six_y[~old])
stagger = 1 + 0.22 * (torch.arange(48) % 3)[:, None]  # side by side outwards, so that fewer hide each other
plot.thumbnails(axes[1], stagger * unit, visible(six[~old]), six_y[~old])
axes[0].set(title="softmax: the plane"), axes[0].plot(0, 0, "+", color="black")
axes[1].set(title="s cos θ: the circle", aspect="equal")
axes[1].add_patch(plt.Circle((0, 0), 1, fill=False, color="grey")), axes[1].set_axis_off()
print("more than 90 % of the training crops are right:", [accuracy > 0.9 for accuracy in reached])
assert min(reached) > 0.9

# %% [markdown]
# (On the circle, crops are drawn at three distances to be visible; only their direction counts.) The pictures are those of the digits: wedges, and a ring. Crops that were not trained stray, since 24 pictures of a face are few, and a circle has room for few people.
#
# Now the question of this course. In 32 dimensions, train on 32 people and compare the 16 others: plain softmax, and the sphere with $s = 8$ and with $s = 64$. The bound (5.9) for 32 people and a probability of 0.9 is 5.5.
#
# <details class="predict"><summary>Predict before you run: seven digits taught nothing about strangers. Do 32 people? Which training, and which distance, is best?</summary>
#
# Faces vary in many ways at once, and 32 people need more of these ways than seven digits. So something may carry over. For the distance, remember what was trained. For s, remember how near to its centre each asks a picture to come.
#
# </details>

# %% mystnb={"image": {"alt": "Three panels of areas for strangers, three lines each from Euclidean distance to cosine. Softmax: nearly flat lines near 0.83. Sphere with s = 8: lines rise from about 0.75 to 0.8. Sphere with s = 64: lines rise from about 0.73 to 0.82. A dotted line for raw pixels lies near 0.59 in all."}}
trainings = {
    "softmax": ("plain", facelib.Softmax()),
    "sphere, s = 8": ("sphere", facelib.NormFace(s=8)),
    "sphere, s = 64": ("sphere", facelib.NormFace(s=64)),
}
areas = {}
for name, (kind, margin) in trainings.items():
    runs = [train(lambda k=kind: faces(k, 32, 32), margin, people, people_y, seed, 120, 64) for seed in range(3)]
    areas[name] = np.array([compare(body(others), others_y) for body, _ in runs])  # 3, 2
pixels = compare(others.flatten(1), others_y)
fig, axes = plt.subplots(1, 3, figsize=(9, 3.2), sharey=True)
for ax, (name, values) in zip(axes, areas.items(), strict=True):
    ax.plot(["Euclidean", "cosine"], values.T, "o-", color=plot.BLUE)
    ax.plot(pixels, ":", color="grey", label="raw pixels")
    ax.set_title(name), ax.margins(x=0.3)
_ = axes[0].set(ylabel="area, pairs of strangers", ylim=(0.55, 1)), axes[2].legend()

# %%
cosines = {name: values[:, 1] for name, values in areas.items()}
print(
    "by cosine every training beats raw pixels by more than 0.1:",
    all((c > max(pixels) + 0.1).all() for c in cosines.values()),
)
on_sphere = [areas[name] for name in ("sphere, s = 8", "sphere, s = 64")]
print("on the sphere cosine beats Euclidean distance, every start:", all((v[:, 1] > v[:, 0]).all() for v in on_sphere))
lead = max(v[:, 1].mean() for v in on_sphere) - cosines["softmax"].mean()
print("on average a sphere beats plain softmax by more than 0.01:", bool(lead > 0.01))
assert all((c > max(pixels) + 0.1).all() for c in cosines.values()) and lead < 0.01
assert all((v[:, 1] > v[:, 0]).all() for v in on_sphere)

# %% [markdown]
# Thirty-two people are enough to learn something that holds for strangers, as seven digits were not. Trained on the sphere, cosine is the better distance from every start, and by a lot. And **normalisation has not beaten plain softmax** on strangers. Nor do we read anything into the order of the two scales: three starts and so few people are too few to choose $s$ by.
#
# Lessons that end with a victory of the newest loss leave this out. What the sphere brings is not accuracy by itself. It is a loss that speaks of the angle, the very thing that is compared, with one number $s$ in place of all those lengths; and on that ground a margin can be drawn whose size means something. Whether *that* pays is a question for [lesson 06](06_margins.ipynb), and for measurements with more people than a lesson can render.
#
# ## Break it
#
# ### Softmax as it is written
#
# Equation 5.1 into code, word for word, as in the first cell. Scores of a hundred are common with plain softmax, whose lengths know no bound, and with $s = 64$ and a margin logits still reach 64.

# %%
z = torch.tensor([[100.0, 99.0, 0.0]])
naive = z.exp() / z.exp().sum(dim=1, keepdim=True)
print("word for word:  ", naive[0].tolist(), "since the exponential of 100 is", z.exp()[0, 0].item())
print("torch.softmax:  ", [f"{value:.3f}" for value in torch.softmax(z, dim=1)[0]])
half = torch.tensor([[12.0, 11.0, 0.0]], dtype=torch.float16)
print("float16 ends at 65504; the exponential of 12 there:", half.exp()[0, 0].item())
assert naive.isnan().any() and half.exp().isinf().any()

# %% [markdown]
# Infinity over infinity is not a number. The remedy is one subtraction and exercise 5.1. Use `F.cross_entropy`, which has it built in, and takes *logits*: whoever gives it probabilities gets a second softmax on top, and no error.
#
# ### s = 1: everybody is heard alike
#
# With ten digits the run with $s = 1$ looked fine. What it loses is attention. A picture pulls with $s\,(1 - p_y)$. How much harder do the hardest pictures pull than an ordinary one? We take the hardest hundredth of the training pictures against the median.

# %% mystnb={"image": {"alt": "Bars on a logarithmic scale: how many times harder the hardest hundredth pulls than the median picture. At s = 1 and 4 the bars end just above 1, at s = 16 near 100."}}
harder = {}
for s in (1, 4, 16):
    missing = 1 - (s * measured[16, s, 0]).softmax(1).gather(1, train_y[:, None])[:, 0]  # N: 1 - p of the right class
    harder[s] = float(missing.sort().values[-12:].mean() / missing.median())
ax = plot.bars({f"s = {s}": times for s, times in harder.items()}, "times")
_ = ax.set(xscale="log", xlabel="pull of the hardest 1 % over that of the median picture", xlim=(0.5, 1000))
print(f"at s = 1 less than 1.5 times: {harder[1] < 1.5}; at s = 16 more than 10 times: {harder[16] > 10}")
assert harder[1] < 1.5 and harder[16] > 10

# %% [markdown]
# At $s = 1$ a picture that is recognised without doubt pulls about as hard as one that is wrong: no probability can rise enough to quieten it. At $s = 4$, hardly above the bound for ten classes, it is still much the same. Ten easy classes survive this. The authors of CosFace report that too small an $s$ converges badly or not at all (section 3.3 of their paper), and with thousands of people (5.8) says why: the best probability there could ever be is a fraction of a percent.
#
# ### Forgetting to normalise at test time
#
# The network ends in $x$; the head normalises, and the head is thrown away. Whoever then compares by dot products $x \cdot x'$ has brought the lengths back:

# %%
with torch.no_grad():
    forgotten = []
    for body, _ in round16:
        e = body(test_x)
        i, j = torch.triu_indices(len(e), len(e), offset=1)
        forgotten.append(area((e[i] * e[j]).sum(1), test_y[i] == test_y[j]))
print(
    "dot product instead of cosine: a worse area from every start:", bool((forgotten < on_digits[:, 1] - 0.005).all())
)
assert (forgotten < on_digits[:, 1] - 0.005).all()

# %% [markdown]
# No error, and results that look almost right: an easy mistake with other people's networks. `facelib.Embedder` returns vectors of length 1 for this reason.
#
# ### Trusting length
#
# Faded pictures had short embeddings. So is length a measure of quality? We blur the test pictures, more and more, with the softmax networks of the beginning.

# %% mystnb={"image": {"alt": "Left: one digit, sharp and blurred three times, more each time, at last a grey smear. Middle: right answers fall to about a fifth as blur grows, in all four trainings. Right: the median length falls far less, to between a half and four fifths, and from the third picture to the fourth it hardly falls or even rises."}}
import cv2

blurs = (0.01, 0.5, 1.0, 1.5)  # standard deviations in pixels
blurred = [
    torch.tensor(np.stack([cv2.GaussianBlur(p, (0, 0), w) for p in test_x.view(-1, 8, 8).numpy()])) for w in blurs
]
with torch.no_grad():
    scores = [[(body(p.flatten(1)), head) for p in blurred] for body, head in plain]
    length = np.array([[e.norm(dim=1).median() for e, _ in row] for row in scores])  # 4, 4
    correct = np.array([[(head(e).argmax(1) == test_y).float().mean() for e, head in row] for row in scores])
fig, axes = plt.subplots(1, 3, figsize=(9, 2.8), width_ratios=(1, 1.3, 1.3))
framed = [np.pad(pictures[4], 1, constant_values=1) for pictures in blurred]  # a white frame round each
plot.image(np.block([framed[:2], framed[2:]]), ax=axes[0], cmap="gray")
axes[1].plot(blurs, 100 * correct.T, "o-", color=plot.BLUE), axes[1].set(title="right answers, %", ylim=(0, 100))
axes[2].plot(blurs, length.T / length[:, 0], "o-", color=plot.ORANGE), axes[2].set(ylim=(0, 1.1))
axes[2].set(title="median length, over sharp", xlabel="blur, pixels"), axes[1].set(xlabel="blur, pixels")
kept = length[:, -1] / length[:, 0]
print(f"most blurred: fewer than half are right in every training: {(correct[:, -1] < 0.5).all()};", end=" ")
print(f"some training keeps more than half the length: {bool(kept.max() > 0.5)}")
assert (correct[:, -1] < 0.5).all() and kept.max() > 0.5

# %% [markdown]
# Embeddings of smears that are mostly given to a wrong class can keep more than half of their length. Length says how sure a network is, and a network is sure of many things it was never shown. Rules that take length for quality stand on a habit of networks, not on a law.

# %% [markdown]
# ## Exercises
#
# ### Exercise 5.1 · Softmax that does not overflow
#
# <span class="meta">★☆☆ · 10 minutes</span>
#
# Write `log_softmax(z)`: (B, C) logits to the logarithms of their probabilities, right also for logits like 1000 and -1000. Use `exp`, `log` and sums, not PyTorch's own.
#
# <details class="hint"><summary>Hint 1</summary>
#
# What happens to all $p_j$ when the same number is subtracted from every logit of a row?
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# Subtract the largest of the row, `z.max(dim=1, keepdim=True).values`. And take the logarithm on paper: $\log p_j = z_j - \log \sum_k e^{z_k}$, so that nothing is exponentiated only to be taken back.
#
# </details>


# %% tags=["exercise"]
def log_softmax(z):
    return ...  # your code


# %% tags=["check"]
check.log_softmax(log_softmax)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def log_softmax(z):
#     z = z - z.max(dim=1, keepdim=True).values
#     return z - z.exp().sum(dim=1, keepdim=True).log()
# ```
#
# The largest logit becomes 0, so the sum lies between 1 and C: no overflow, and no logarithm of 0.
#
# </details>

# %% [markdown]
# ### Exercise 5.2 · A scale for your people
#
# <span class="meta">★☆☆ · 10 minutes</span>
#
# You train on 85,742 people (the size of a well-known list) and want the loss to be *able* to fall to 0.1. Write `scale_for_loss(classes, loss)`: the smallest `s` for which equation 5.8 allows that loss.
#
# <details class="hint"><summary>Hint 1</summary>
#
# Undo (5.8) from the outside in: first the logarithm.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# $e^L - 1 = (C - 1)\,e^{-sC/(C-1)}$. `np.expm1(loss)` is $e^L - 1$, exact for small losses too.
#
# </details>


# %% tags=["exercise"]
def scale_for_loss(classes, loss):
    return ...  # your code


# %% tags=["check"]
check.scale_for_loss(scale_for_loss)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def scale_for_loss(classes, loss):
#     return (classes - 1) / classes * np.log((classes - 1) / np.expm1(loss))
# ```
#
# It is (5.9) with P = exp(-loss). For 85,742 people and 0.1 it asks for 13.6; real embeddings do not sit on their centres, and programs take 30 to 64.
#
# </details>

# %% [markdown]
# ### Exercise 5.3 · Backwards through the length
#
# <span class="meta">★★☆ · 15 minutes</span>
#
# Write `through_length(x, g)`: the backward pass of normalisation. `x` is (B, D), `g` the gradient of the loss with respect to $\hat x$, also (B, D); return the gradient with respect to `x`. No autograd, and no (D, D) matrix.
#
# <details class="hint"><summary>Hint 1</summary>
#
# Equation 5.5 and the sentence after it, a row at a time.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# The part of `g` along $\hat x$ is `(g * unit).sum(dim=1, keepdim=True) * unit`. Take it away, then divide by the length.
#
# </details>


# %% tags=["exercise"]
def through_length(x, g):
    return ...  # your code


# %% tags=["check"]
check.through_length(through_length)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def through_length(x, g):
#     length = x.norm(dim=1, keepdim=True)
#     unit = x / length
#     return (g - (g * unit).sum(dim=1, keepdim=True) * unit) / length
# ```
#
# Two lines of arithmetic a row; the head in class blocks of `facelib.heads` does just this in its backward pass.
#
# </details>

# %% [markdown]
# ### Exercise 5.4 · No room on a circle
#
# <span class="meta">★★★ · 25 minutes</span>
#
# In two dimensions $C$ classes stand best at equal angles of $2\pi/C$ on the circle. Write `s_on_circle(classes, p)`: the smallest `s` that allows a probability of `p` at each centre, to six digits. There is no closed formula for it. How does it grow when the number of classes doubles? Compare with (5.9).
#
# <details class="hint"><summary>Hint 1</summary>
#
# Write the probability for a given `s` first: the cosines between a centre and all centres, itself included, are `np.cos(2 * np.pi * np.arange(classes) / classes)`.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# The probability rises with `s`. So search by halving: keep a `low` where it is too small and a `high` where it is large enough, look in the middle, and move one of the two. Double `high` first until it is large enough. Subtract 1 from the cosines before `exp`, against overflow.
#
# </details>


# %% tags=["exercise"]
def s_on_circle(classes, p):
    return ...  # your code


# %% tags=["check"]
check.s_on_circle(s_on_circle)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def s_on_circle(classes, p):
#     cosine = np.cos(2 * np.pi * np.arange(classes) / classes)
#     low, high = 0.0, 1.0
#     while 1 / np.exp(high * (cosine - 1)).sum() < p:
#         high *= 2
#     for _ in range(100):
#         middle = (low + high) / 2
#         enough = 1 / np.exp(middle * (cosine - 1)).sum() >= p
#         low, high = (low, middle) if enough else (middle, high)
#     return high
# ```
#
# Neighbours have a cosine of about $1 - 2\pi^2/C^2$, so `s` grows with the *square* of the number of classes: four times as large when it doubles. With enough dimensions it grows with the logarithm. That is why embeddings have hundreds of numbers.
#
# </details>

# %% [markdown]
# ## Quiz
#
# **Question 1.** Under plain softmax without $b_j$ an embedding is multiplied by 3. What changes?
#
# <details class="quiz"><summary>A · The class it is given to, if it was near a border</summary>
#
# Wrong: borders are rays from the origin, and stretching moves a point along its ray. It crosses nothing.
#
# </details>
# <details class="quiz"><summary>B · Its probabilities and its loss, and nothing else</summary>
#
# Right: if it was right the loss falls, if it was clearly wrong it rises. The direction, and so the answer, stays.
#
# </details>
# <details class="quiz"><summary>C · Nothing, softmax only compares</summary>
#
# Wrong: softmax ignores what is *added* to all logits. What multiplies them, it turns into certainty.
#
# </details>
#
# **Question 2.** A colleague trains with normalised embeddings and centres, 50,000 people, and forgets `s`. The loss starts at 10.8 and stands at 9.8 a week later. What is wrong?
#
# <details class="quiz"><summary>A · The learning rate is too small</summary>
#
# Wrong: with $s = 1$ the smallest loss is about $\log(1 + 49{,}999\, e^{-1}) \approx 9.8$. The run is at its floor.
#
# </details>
# <details class="quiz"><summary>B · The loss is as low as it can get with s = 1</summary>
#
# Right: equation 5.8. By (5.9) a probability of 0.9 needs $s$ of at least 13.
#
# </details>
# <details class="quiz"><summary>C · 50,000 people do not fit into 512 dimensions</summary>
#
# Wrong: a simplex does not fit, but near right angles there is room for far more than that many directions, and with right angles the floor is practically the same.
#
# </details>
#
# **Question 3.** Which of these makes class centres longer in training?
#
# <details class="quiz"><summary>A · Weight decay</summary>
#
# Wrong, the other way round: it shortens them, and so lets them turn faster. It does not change a cosine.
#
# </details>
# <details class="quiz"><summary>B · Plain gradient steps through the normalisation</summary>
#
# Right: they are at a right angle to the centre, so its square grows by that of the step.
#
# </details>
# <details class="quiz"><summary>C · The loss, which rewards long centres as it rewards long embeddings</summary>
#
# Wrong: true of plain softmax. After normalisation no length has any influence on the loss.
#
# </details>
#
# **Question 4.** A network was trained with plain softmax on 10,000 people. Should its embeddings be compared by cosine?
#
# <details class="quiz"><summary>A · Yes, cosine is always better</summary>
#
# Wrong: on our digits it was not, because classes differed in length too. With strangers in the last experiment both were about equal.
#
# </details>
# <details class="quiz"><summary>B · It should be measured, on people who were not trained</summary>
#
# Right: plain softmax trains neither distance. A few hundred pairs of strangers settle it.
#
# </details>
# <details class="quiz"><summary>C · No, softmax needs Euclidean distance</summary>
#
# Wrong: its scores are dot products. Nothing in it asks for small distances.
#
# </details>

# %% [markdown]
# ## Summary
#
# - Softmax without $b_j$ divides the space into wedges. Direction decides, length only makes sure; it stands for certainty, not for identity, and not reliably for quality.
# - Scores on trained classes say nothing about strangers: there the network of seven digits was worse than raw pixels, that of 32 people better.
# - Normalised embeddings and centres live on a sphere, where the angle is all there is. Trained there, cosine was the better distance from every start. Better than plain softmax on strangers it was not.
# - The gradient of a normalised vector is at a right angle to it. Plain steps only lengthen it, and twice the length means a quarter of the turn.
# - Cosines end at 1, so a loss without $s$ has a high floor. $s \ge \frac{C-1}{C} \log \frac{(C-1)P}{1-P}$ is necessary, and more is needed when there are more classes than dimensions. A large $s$ is content far from the centre.
#
# That last sentence is where the next lesson begins: a **margin** keeps $s$ large and asks for more than being first ([lesson 06](06_margins.ipynb)).
