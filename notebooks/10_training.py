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
# # 10 · Training for real
#
# <a class="colab" href="https://colab.research.google.com/github/facelib-course/facelib-course/blob/main/notebooks/10_training.ipynb">Open in Colab</a>
#
# A training loop is thirty lines. A training *run* is those thirty lines tens of thousands of times over, on a machine that is switched off in the middle, with pictures that cannot be read and a rate that somebody mistyped. This lesson writes the thirty lines, finds the same numbers in `facelib.train`, and then goes through what is added between a loop and a run: schedule, sixteen-bit arithmetic, batches in parts, checkpoints, several processes. Each addition is one equation or one experiment, and most of them can be proved right to the last bit.
#
# **You will be able to**
# - write the loop, log the accuracy that means something, and read its curves;
# - choose a schedule, scale the rate with the batch, and say what weight decay and clipping leave alone;
# - say which parts of the arithmetic may have sixteen bits, and measure what happens to the others;
# - save a run so that it goes on bit for bit, and prove it by killing it;
# - train on several processes, and estimate hours and memory of a run before it is started.
#
# **Before this** [lesson 09](09_backbones.ipynb): the networks. Heads and margins are lessons [06](06_margins.ipynb) and [07](07_margins_at_work.ipynb), the people [lesson 08](08_data.ipynb).
#
# **Time** about 70 s to run on two CPU cores (a quarter of a minute more where the people have not been rendered yet)
# · about 90 minutes to read and do

# %% tags=["setup"]
try:
    import facelib
except ModuleNotFoundError:  # a fresh Colab
    # %pip install --quiet "facelib @ git+https://github.com/facelib-course/facelib-course"
    import facelib
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from facelib import plot, records
from facelib.checks import lesson_10 as check
from facelib.evaluate.ranking import wilson

plot.use()
torch.set_num_threads(1)  # networks so small that a second thread gains little

# %% [markdown]
# ## The loop
#
# Forty people with eight pictures each, rendered as in [lesson 08](08_data.ipynb) and shrunk to 32 x 32 pixels, so that a network can be trained while you watch. It will not become a good recogniser: the subject here is the machinery, and the machinery does not care about the size.

# %% mystnb={"image": {"alt": "Two rows of eight small rendered faces, one person a row, in different light and pose, coarse at 32 pixels a side."}}
from facelib.synth import load_dataset

people = load_dataset("tiny", quiet=True)  # 320 crops of 112 x 112, 40 people
small = np.stack([cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA) for picture in people.images])
images = torch.from_numpy(small).permute(0, 3, 1, 2)  # 320, 3, 32, 32, uint8
labels = torch.from_numpy(people.labels)  # 320
_ = plot.grid(small[:16])

# %% [markdown]
# First what is made once: the network (a MobileFaceNet with half of its channels), the class centres, the margin, the optimiser, the augmentation. And two functions of the step: which pictures it sees and how far it goes. Both are *functions*, of the seed and the number of the step, and remember nothing. That will pay off when the run is interrupted.

# %%
from facelib.data.augment import Augment
from facelib.train.order import generator

BATCH, PER_EPOCH, STEPS, RATE = 16, 20, 120, 0.03  # 320 pictures are 20 batches of 16; six epochs

torch.manual_seed(0)
network = facelib.backbones.create("mobilefacenet_050", embedding=128, size=32)
head = facelib.CosineClassifier(128, people.people)  # owns the 40 centres
network.to(memory_format=torch.channels_last)  # the same numbers in an order that convolutions prefer
margin = facelib.CosFace(s=16, m=0.2)
optimizer = torch.optim.SGD(facelib.heads.parameter_groups(network, head, weight_decay=5e-4), lr=RATE, momentum=0.9)
augment = Augment.preset("mild")


def rows_of(step):
    """Another permutation in every epoch."""
    shuffled = np.random.default_rng((0, step // PER_EPOCH)).permutation(len(images))
    return shuffled[step % PER_EPOCH * BATCH :][:BATCH]


def rate_of(step, warmup=PER_EPOCH):
    """Up in a line for an epoch, then down along half a cosine."""
    if step < warmup:
        return RATE * (step + 1) / warmup
    return RATE * (1 + np.cos(np.pi * (step - warmup) / (STEPS - warmup))) / 2


# %% [markdown]
# Now the loop. Every line of it is from an earlier lesson or explained further down.
#
# <details class="predict"><summary>Predict before you run: two accuracies are logged, one from the logits with the margin, one from the cosines without it. By how much will they differ?</summary>
#
# The margin takes 0.2 from the cosine of the right class before the maximum is looked for. A picture counts as right only if its own centre leads all 39 others by more than 0.2, which in the first epochs hardly one does. The cosines ask the question that will be asked in use: which centre is nearest?
#
# </details>

# %%
history = []
for step in range(STEPS):
    rows = rows_of(step)
    x = augment(images[rows], augment.draw(BATCH, generator(0, step)))  # 16, 3, 32, 32 in -1..1
    y = labels[rows]
    for group in optimizer.param_groups:
        group["lr"] = rate_of(step)
    cosine = head(network(x))  # 16, 40
    logits = margin(cosine, y)
    loss = F.cross_entropy(logits, y)
    optimizer.zero_grad()
    loss.backward()
    length = nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimizer.step()
    accuracies = [(scores.argmax(1) == y).float().mean().item() for scores in (cosine, logits)]
    history.append([loss.item(), *accuracies, length.item(), rate_of(step)])
history = np.array(history)  # steps, 5

# %% mystnb={"image": {"alt": "Two panels over steps 0 to 120. Left, the loss of each step, noisy, falls from about 8 to about 6. Right, two accuracies: from the cosines it rises from 3 to about 20 percent, from the logits with margin it lies at or near zero all the time."}}
fig, axes = plt.subplots(1, 2, figsize=(9, 2.8))
epochs = history.reshape(-1, PER_EPOCH, 5).mean(1)  # 6, 5
middle = np.arange(PER_EPOCH / 2, STEPS, PER_EPOCH)
axes[0].plot(history[:, 0], color="lightgrey", label="each step")
axes[0].plot(middle, epochs[:, 0], "o-", color=plot.BLUE, label="mean of an epoch")
axes[0].set(xlabel="step", ylabel="loss")
axes[0].legend(fontsize="small")
lines = {"from cosines": 100 * epochs[:, 1], "from logits with the margin": 100 * epochs[:, 2]}
_ = plot.curves(middle, lines, "step", "accuracy of an epoch, %", axes[1])
print(f"the first loss: {history[0, 0]:.1f}; the loss falls: {epochs[-1, 0] < epochs[0, 0] - 0.5}")
print(f"last epoch, clean accuracy at least four times chance: {epochs[-1, 1] > 4 / people.people}")
print(f"last epoch, accuracy of the margined logits below half of it: {epochs[-1, 2] < epochs[-1, 1] / 2}")
assert epochs[-1, 0] < epochs[0, 0] - 0.5 and epochs[-1, 1] > 4 / people.people
assert epochs[-1, 2] < epochs[-1, 1] / 2

# %% [markdown]
# If the right curve showed only its lower line, you would search for a bug for a day. Many have: the accuracy of margined logits is a common cause of "my ArcFace does not learn" ([insightface, issue 1355](https://github.com/deepinsight/insightface/issues/1355)). Log the accuracy of the clean cosines; [`facelib.clean_accuracy`](../book/api.md) is that.
#
# ## The same from a recipe
#
# `facelib.train` is this loop with care around it. What decides the outcome stands in a `Recipe`, a frozen dataclass that is also a TOML file and the options of `facelib train`. What only decides how fast it goes (device, workers, how often to save) does not.

# %%
from facelib.train import Recipe, checkpoint, train, write_recipe
from facelib.train.log import read_log

recipe = Recipe(
    train_list="synth:tiny", augmentation="mild", size=32,
    backbone="mobilefacenet_050", embedding=128,
    metric="cosface", scale=16, margin=0.2,
    epochs=6, batch=BATCH, lr=RATE, schedule="cosine", warmup=1,
)  # fmt: skip
runs = Path("runs")
shutil.rmtree(runs, ignore_errors=True)  # of an earlier execution of this notebook
figures = train(recipe, runs / "first", quiet=True)
print("in the folder:", ", ".join(sorted(file.name for file in (runs / "first").iterdir() if file.is_file())))

# %%
saved = checkpoint.load(runs / "first" / "last.pt")
ours = {f"network.{name}": value for name, value in network.state_dict().items()}
ours["head.weight"] = head.weight.detach()
equal = [torch.equal(ours[name], saved["model"][name]) for name in ours]
print(f"{sum(equal)} of {len(equal)} tensors are equal to ours, bit for bit, after {saved['step']} steps")
print("validated on other people:", ", ".join(figures))
assert all(equal) and saved["model"].keys() == ours.keys()

# %% [markdown]
# Not nearly equal: equal. On one machine with one thread, a sum is always added up in the same order, so two programs that do the same give the same bits; if they do not, they do not do the same. There is no better test of a training loop, and we will use it all through this lesson. (On another processor the bits differ, and after a hundred steps the second digit does.)
#
# What is added is in small files of their own. This is the map:
#
# | in `facelib/train/` | what it adds to the thirty lines |
# |---|---|
# | `recipe.py` | the settings: checked, stored with the run, read back |
# | `pictures.py`, `order.py` | lists, folders, `.rec` files; an unreadable picture is named, counted and left out |
# | `schedule.py`, `model.py` | four schedules, ten margins, margins that grow |
# | `state.py`, `checkpoint.py` | all that changes during a run, saved and restored |
# | `distributed.py` | several processes |
# | `preflight.py`, `validate.py` | a look at all pictures before the first step, and pairs of other people after each epoch |
# | `log.py`, `report.py`, `record.py` | curves, a diagnosis when the loss is no number, a record that others can check |
# | `loop.py` | the thirty lines |
#
# ## How far a step goes
#
# With $W$ steps of warm-up, $T$ steps in all and $t = (\text{step} - W) / (T - W)$, the rate $\eta$ of a step is a share of the highest rate $\eta_0$:
#
# $$ \frac{\eta}{\eta_0} = \begin{cases} (\text{step} + 1) / \lceil W \rceil & \text{step} < W \\ (1 - t)^p & \text{polynomial} \\ (1 + \cos \pi t) / 2 & \text{cosine} \\ 10^{-k} & \text{step, after } k \text{ milestones} \end{cases} \tag{10.1} $$
#
# Insightface's recipes use the polynomial with $p = 1$, a straight line to zero. The ArcFace paper uses steps. They agree about the end: small steps, so that the weights come to rest.

# %% mystnb={"image": {"alt": "Learning rate over steps 0 to 120 for three schedules. All rise in a line to 0.03 within 20 steps. Polynomial falls in a straight line to 0, cosine in an S to 0, step stays at 0.03, then 0.003 after step 60 and 0.0003 after step 100."}}
from facelib.train.schedule import learning_rate

plans = {
    "polynomial": recipe.but(schedule="polynomial"),
    "cosine": recipe,
    "step": recipe.but(schedule="step", milestones=(3, 5)),
}
drawn = {name: [learning_rate(plan, step, PER_EPOCH) for step in range(STEPS)] for name, plan in plans.items()}
ax = plot.curves(range(STEPS), drawn, "step", "rate")
t = (np.arange(20, STEPS) - 20) / 100
assert np.allclose(ax.lines[0].get_ydata()[20:], RATE * (1 - t))
assert np.allclose(ax.lines[1].get_ydata(), history[:, 4])  # the loop's own
assert np.allclose(ax.lines[2].get_ydata()[[19, 59, 60, 100]], RATE * np.array([1, 1, 0.1, 0.01]))

# %% [markdown]
# ### Batch and rate belong together
#
# The gradient of a batch estimates the gradient of all pictures. If pictures are drawn independently, the error of the mean of $B$ of them falls with the root:
#
# $$ \mathbb{E}\,\lVert g_B - g \rVert^2 = \frac{\sigma^2}{B} . \tag{10.2} $$
#
# Two steps with batches of $B$ at the rate $\eta$ move the weights about as far as one step with $2B$ at $2\eta$, as long as the gradient does not turn much in between. Hence the usual rule: **$k$ times the batch, $k$ times the rate**, with a warm-up, because at the start the gradient turns quickly. The rule has an end: once the noise is small, larger batches gain nothing, and the rate cannot grow without limit. Take it as a first guess. Let us see whether (10.2) holds for the head's gradient of the network we have.

# %%
with torch.no_grad():
    network.eval()
    embedded = network((images.float() - 127.5) / 127.5)  # 320, 128


def gradient_of(rows):
    """Gradient of the centres from these pictures: 40 * 128 numbers."""
    loss = F.cross_entropy(margin(head(embedded[rows]), labels[rows]), labels[rows])
    return torch.autograd.grad(loss, head.weight)[0].flatten()


whole, chance = gradient_of(torch.arange(320)), torch.Generator().manual_seed(0)
noise = {}
for size in (4, 16, 64, 256):
    tries = [gradient_of(torch.randint(320, (size,), generator=chance)) - whole for _ in range(100)]
    noise[size] = float(torch.stack(tries).square().sum(1).mean().sqrt())
ratios = [noise[size] / noise[4 * size] for size in (4, 16, 64)]
print("four times the batch halves the noise, within a tenth:", all(1.8 < ratio < 2.2 for ratio in ratios))
assert all(1.8 < ratio < 2.2 for ratio in ratios)

# %% [markdown]
# ### What decay and clipping leave alone
#
# SGD with weight decay $\lambda$ and momentum $\mu$ keeps a velocity $v$ for each weight and moves by
#
# $$ v \leftarrow \mu v + (g + \lambda w), \qquad w \leftarrow w - \eta v . \tag{10.3} $$
#
# Decay pulls every weight towards 0. For a matrix that is a wish for simplicity, and in front of a normalisation it only sets how long the weights are, and with that how far a step turns them. For the scale of a batch normalisation or the slope of a PReLU a pull to 0 is a wish to switch the channel off. So vectors are left alone; `parameter_groups` sorts them by shape:

# %%
decayed, free = facelib.heads.parameter_groups(network, head)
count = {"decayed": sum(p.numel() for p in decayed["params"]), "left alone": sum(p.numel() for p in free["params"])}
print(", ".join(f"{name}: {number:,} numbers" for name, number in count.items()))
assert all(p.ndim > 1 for p in decayed["params"]) and all(p.ndim <= 1 for p in free["params"])
assert any(p is head.weight for p in decayed["params"])  # the centres do decay

clipped = history[:, 3] > 5
print(f"steps in which the gradient was shortened: most of the first epoch, {clipped[:PER_EPOCH].mean() > 0.9}")

# %% [markdown]
# Clipping shortens the gradient $g$ of the network, all its weights taken as one vector, to a length $c$ where it is longer:
#
# $$ g \leftarrow g \, \min\!\left(1, \frac{c}{\lVert g \rVert}\right) . \tag{10.4} $$
#
# It keeps its direction. The head is left out, as in insightface's recipes, and the length *before* clipping is logged: it is the first curve to look at when a run goes wrong.
#
# ## One batch, with its numbers
#
# Augmentation changes a picture in ways that do not change who it shows. In `facelib` all of its randomness is a table: a row for each picture of the batch, a column for each decision.

# %% mystnb={"image": {"alt": "Three rows of the same eight rendered faces. First row: as they are. Second row, mild: some mirrored, slightly moved, a little brighter or darker. Third row, strong: also blurred, grey, coarse, with strange colours or a grey rectangle."}}
from facelib.data.augment import NUMBERS

eight = torch.from_numpy(people.images[::40]).permute(0, 3, 1, 2)  # 8 people, 3, 112, 112
numbers = augment.draw(8, generator(0, 0))  # 8 rows, 28 columns, 0..1
strong = Augment.preset("strong")
shown = [(eight.float() - 127.5) / 127.5, augment(eight, numbers), strong(eight, numbers)]
pictures = torch.cat(shown).permute(0, 2, 3, 1) / 2 + 0.5  # 24, 112, 112, 3 in 0..1
_ = plot.grid(list(pictures.numpy()))

flipped = numbers[:, NUMBERS.index("flip")] < augment.flip
zoom = augment.zoom[0] * (augment.zoom[1] / augment.zoom[0]) ** numbers[:, NUMBERS.index("zoom")]
print("mirrored:", " ".join("yes " if one else "no  " for one in flipped))
print("larger by", " ".join(f"{one:.2f}" for one in zoom))

# %% [markdown]
# The numbers come from the seed and the step, `generator(seed, step)`, and a row belongs to a picture's place in the batch. So the same seed gives the same pictures, and it makes no difference who computes which half.

# %%
again = augment(eight, augment.draw(8, generator(0, 0)))
halves = torch.cat([augment(eight[:4], numbers[:4]), augment(eight[4:], numbers[4:])])
other = augment(eight, augment.draw(8, generator(0, 1)))
print("same seed and step, same pictures:", torch.equal(again, shown[1]))
print("two halves are the whole:", torch.allclose(halves, shown[1], atol=1e-6))
print("the next step sees others:", not torch.allclose(other, shown[1], atol=1e-2))
assert torch.equal(again, shown[1]) and torch.allclose(halves, shown[1], atol=1e-6)
assert not torch.allclose(other, shown[1], atol=1e-2)

# %% [markdown]
# ## Sixteen bits
#
# Graphics cards multiply 16-bit matrices several times faster than 32-bit ones, and everything takes half the memory. **bfloat16** has the range of float32 and keeps 8 significant bits of 24. Near a number $a$, neighbours lie
#
# $$ \Delta(a) = 2^{\lfloor \log_2 |a| \rfloor - 7} \tag{10.5} $$
#
# apart. For the activations of a network that is enough: they are averaged by the thousand, and errors of 0.4 % cancel. Now think of logits: cosines times 64.

# %%
up = torch.tensor(torch.inf, dtype=torch.bfloat16)
for value in (0.7, 1.5, 16.0, 63.0, 64.0):
    one = torch.tensor(value, dtype=torch.bfloat16)
    step_up = float(torch.nextafter(one, up) - one)
    assert step_up == 2.0 ** (np.floor(np.log2(value)) - 7)  # equation 10.5
    print(f"next to {value:4} the next bfloat16 is {step_up:.4g} away")
near = torch.linspace(0.9, 1, 10_001)
levels = {kind: (64 * near).to(kind).unique().numel() for kind in (torch.float32, torch.bfloat16)}
print(f"10,001 cosines from 0.9 to 1 are {levels[torch.float32]:,} different logits in float32,", end=" ")
print(f"{levels[torch.bfloat16]} in bfloat16")
assert levels[torch.bfloat16] < 40

# %% [markdown]
# The probability of a class is proportional to the *exponential* of its logit. Rounding a logit by 0.125, half of the distance between neighbours from 32 to 64, changes that exponential by 13 %. `facelib` divides the labour: the network runs under `torch.autocast`, its weights stay in float32 and are rounded only on their way into a multiplication; embeddings go back to float32; head, margin and loss stay there, with autocast off.
#
# <details class="predict"><summary>Predict before you run: one batch, and the gradient of the centres computed three times: all in float32; the network in bfloat16 and the head in float32; the network in float32 and the logits in bfloat16. Which of the last two is further from the first?</summary>
#
# The logits, you would think after the last cell. But a logit is rounded once, up for one picture and down for the next. The network rounds in each of its fifty layers.
#
# </details>


# %%
def gradient_with(network_half, logits_half, s):
    """Gradient of the centres from every third picture."""
    some = torch.arange(0, 320, 3)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=network_half):
        vectors = network((images[some].float() - 127.5) / 127.5).float()  # 107, 128
    logits = facelib.CosFace(s=s, m=0.2)(head(vectors), labels[some])
    logits = logits.bfloat16() if logits_half else logits
    return torch.autograd.grad(F.cross_entropy(logits.float(), labels[some]), head.weight)[0]


relative = noise[16] / float(whole.norm())  # of 16 pictures in place of all, equation 10.2
for s in (16, 64):
    exact = gradient_with(False, False, s)
    rounded = [gradient_with(True, False, s), gradient_with(False, True, s)]
    by_network, by_logits = (float((g - exact).norm() / exact.norm()) for g in rounded)
    print(
        f"s = {s}: the network's rounding disturbs the gradient more than the logits': {by_network > by_logits};",
        end=" ",
    )
    print(f"the choice of 16 pictures, ten times as much as either: {relative > 10 * by_network}")
    assert by_logits < by_network < relative / 10

# %% [markdown]
# So sixteen bits are affordable for a simple reason: next to the noise of the batch, rounding is silence. And of the two the logits' rounding is the smaller one, which is not what one reads. Why does the head stay in float32 then? Because it costs little there, the head being one matrix product of many, and because some of its failures are not noise.
#
# ### Break it: the head in bfloat16
#
# The arccosine of ArcFace, written without care. Its slope is $-1/\sqrt{1 - \cos^2\theta}$. In float32 a cosine must come within $10^{-7}$ of 1 before that divides by zero. In bfloat16 everything above 0.998 *is* 1: all angles below 3.6 degrees. The digits of [lesson 07](07_margins_at_work.ipynb), three numbers in an embedding, four seeds.

# %%
from sklearn.datasets import load_digits

pixels, signs = load_digits(return_X_y=True)
digits, names = torch.tensor(pixels / 8 - 1).float(), torch.tensor(signs)  # 1797, 64 and 1797


def steps_until_it_breaks(kind, seed, most=100):
    """ArcFace by hand, cosines of this kind; the first step after which a weight is no number."""
    torch.manual_seed(seed)
    net, centres = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 3)), facelib.CosineClassifier(3, 10)
    adam = torch.optim.Adam([*net.parameters(), *centres.parameters()], lr=0.01)
    for step in range(most):
        batch = torch.randint(len(digits), (128,))
        cosine = centres(net(digits[batch])).to(kind)  # 128, 10
        own = F.one_hot(names[batch], 10).bool()
        F.cross_entropy(64 * torch.where(own, (cosine.acos() + 0.5).cos(), cosine), names[batch]).backward()
        adam.step()
        adam.zero_grad()
        if not all(weight.isfinite().all() for weight in net.parameters()):
            return step
    return most


kinds = {"float32": torch.float32, "bfloat16": torch.bfloat16}
broke = {name: [steps_until_it_breaks(kind, seed) for seed in range(4)] for name, kind in kinds.items()}
print(f"bfloat16: at least two of four runs broke in the first ten steps: {np.median(broke['bfloat16']) < 10}")
print(f"float32: none did: {min(broke['float32']) >= 10}")
assert np.median(broke["bfloat16"]) < 10 <= min(broke["float32"])

# %% [markdown]
# Float32 makes the accident rarer, not impossible, which is why `facelib.ArcFace` also keeps away from the ends ([lesson 06](06_margins.ipynb)).
#
# The other thing that must not be rounded is the **weights**. One step moves a weight by a small part of itself. bfloat16 has only 8 significant bits and rounds to the nearest, and the nearest is where the weight was.

# %%
x = augment(images[:64], augment.draw(64, generator(0, 0)))
network.train()
F.cross_entropy(margin(head(network(x)), labels[:64]), labels[:64]).backward()
nn.utils.clip_grad_norm_(network.parameters(), 5.0)
before = torch.cat([p.detach().flatten() for p in network.parameters()])
after = torch.cat([(p - RATE * p.grad).detach().flatten() for p in network.parameters()])
stay = {name: float((before.to(kind) == after.to(kind)).float().mean()) for name, kind in kinds.items()}
print(f"one step in float32: less than 2 % of the weights stay where they are: {stay['float32'] < 0.02}")
print(f"one step in bfloat16: more than half of them stay: {stay['bfloat16'] > 0.5}")
assert stay["float32"] < 0.02 and stay["bfloat16"] > 0.5

# %% [markdown]
# `precision="bf16"` in a recipe means the division above and nothing more. `"fp16"` has more significant bits and less range, so that small gradients become 0; the loss is multiplied before the backward pass and the gradients divided after it (`torch.amp.GradScaler`). That multiplier changes during the run and belongs in the checkpoint.
#
# ## A batch in parts
#
# A batch of 1,024 pictures may not fit into the memory of one card. But the gradient of a mean is the mean of gradients. With $A$ equal parts of a batch and $L_a$ the mean loss of part $a$,
#
# $$ \nabla \frac{1}{B} \sum_{i=1}^{B} \ell_i = \frac{1}{A} \sum_{a=1}^{A} \nabla L_a . \tag{10.6} $$
#
# PyTorch adds gradients up until they are set to zero. So: zero once, divide each part's loss by $A$, call `backward` after each part, step once.


# %%
def gradient_in(parts, net):
    """Gradient of a net from 64 pictures in this many parts, one vector."""
    net.zero_grad()
    for rows in mixed.chunk(parts):
        cosine = head(net((images[rows].float() - 127.5) / 127.5))
        (F.cross_entropy(margin(cosine, labels[rows]), labels[rows]) / parts).backward()
    return torch.cat([p.grad.flatten() for p in net.parameters()])


torch.manual_seed(0)
mixed = torch.randperm(320)[:64]
layers = [nn.Conv2d(3, 16, 3, 2), nn.PReLU(), nn.Conv2d(16, 32, 3, 2), nn.PReLU()]
plain = nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 7 * 7, 128))
apart = {}
for name, net in (("without batch normalisation", plain), ("its statistics frozen", network), ("in training", network)):
    net.train(name == "in training")
    one, four = gradient_in(1, net), gradient_in(4, net)
    apart[name] = float((one - four).norm() / one.norm())
    print(f"{name}: four parts and the whole differ by less than a hundred-thousandth: {apart[name] < 1e-5}")
assert [value < 1e-5 for value in apart.values()] == [True, True, False]
print(f"cosine between the last two: above 0.5: {bool(F.cosine_similarity(one, four, dim=0) > 0.5)}")

# %% [markdown]
# Batch normalisation is the exception to (10.6): it subtracts the mean of what it sees, and a part has another mean than the whole. The two gradients point roughly the same way, and neither is wrong. Each process of a large run sees the statistics of its own part too, and published recipes were tuned like that. But small parts are noisy: with two pictures in a part, half of the mean that is subtracted is the picture itself.
#
# In a recipe this is `accumulate`. Forgetting the division raises no error (exercise 10.3).
#
# ## A run that is interrupted
#
# A run of days will be interrupted. What must be saved so that it goes on as if nothing had happened? Everything the next step depends on:
#
# | what | in the checkpoint |
# |---|---|
# | weights, running statistics of batch normalisation | `model` |
# | the velocity of every weight, equation 10.3 | `optimizer` |
# | the multiplier of fp16; the running mean of weights, where there is one | `scaler`, `average` |
# | which pictures come next, how they are changed, the rate, the share of the margin | `step`, of which all four are functions |
# | dropout | `step` too: its generator is seeded anew in every step |
#
# Other programs save the states of several random generators, in each process and each worker. Here nothing random has a past, and one number is enough. The proof: train two epochs; train one, end, and go on for another.

# %%
steady = recipe.but(epochs=2, schedule="constant")
train(steady, runs / "whole", quiet=True, save_every=1)
train(steady.but(epochs=1), runs / "half", quiet=True, save_every=1)
shutil.copytree(runs / "half", runs / "continued")
train(steady, runs / "continued", quiet=True, save_every=1, resume=True)


def same_end(a, b):
    """Whether two runs ended with the same bits, velocities included."""
    a, b = (checkpoint.load(runs / name / "last.pt") for name in (a, b))
    weights = [torch.equal(a["model"][name], b["model"][name]) for name in a["model"]]
    velocities = zip(a["optimizer"]["state"].values(), b["optimizer"]["state"].values(), strict=True)
    return all(weights) and all(torch.equal(u["momentum_buffer"], v["momentum_buffer"]) for u, v in velocities)


content = checkpoint.load(runs / "half" / "last.pt")
print("in the checkpoint, of the table:", {"model", "optimizer", "scaler", "average", "step"} <= content.keys())
print(f"one and one epoch are two epochs, bit for bit: {same_end('whole', 'continued')}")
assert same_end("whole", "continued") and not same_end("whole", "half")

# %% [markdown]
# That run ended politely. The next one does not: another process, which gets SIGKILL as soon as its log shows ten steps. It cannot catch that signal, nor finish what it is writing. The checkpoint survives because the new one is written to a file beside the old one, and takes its place in one operation. Whoever looks finds the old one or the new one, and nothing in between.

# %%
plan = runs / "steady.toml"
plan.write_text(write_recipe(steady), "utf-8")
program = ["-m", "facelib.cli", "train", "--recipe", str(plan), "--device", "cpu", "--threads", "1", "--quiet"]
process = subprocess.Popen(
    [sys.executable, *program, "--save-every", "1", "--out", str(runs / "killed")], stderr=subprocess.DEVNULL
)
while process.poll() is None and (read_log(runs / "killed") or [{"step": 0}])[-1]["step"] < 10:
    time.sleep(0.01)
process.kill()
print(f"ended well: {process.wait() == 0}")
reached = checkpoint.load(runs / "killed" / "last.pt")["step"]
print(f"its checkpoint can be read; it is of a step before the end: {reached < 40}")
train(steady, runs / "killed", quiet=True, resume=True)
print(f"killed and resumed, it ends as the run that was left alone: {same_end('whole', 'killed')}")
assert process.returncode != 0 and reached < 40 and same_end("whole", "killed")

# %% [markdown]
# ### Break it: forget something
#
# What if a program saves the weights alone, or shuffles anew when it resumes? No error, and the run goes on. We do both to the checkpoint of the first epoch. The order needs some force, because `facelib` refuses to go on under another seed.
#
# <details class="predict"><summary>Predict before you run: two runs go on from the same weights, one with all velocities at zero, one with another order. Which parts first from the uninterrupted run?</summary>
#
# Another order parts at once: the next loss is that of other pictures. Without velocities the next loss is the same, because the weights are; then the weights move less far than they should (a tenth as far, if the gradients agree from step to step), and the curves part one step later.
#
# </details>

# %%
try:
    train(steady.but(seed=1), runs / "half", resume=True, quiet=True)
except facelib.FaceLibError as error:
    print(str(error).partition(": ")[2])


def losses_of(name):
    return np.array([row["loss"] for row in read_log(runs / name) if "loss" in row])


def damaged(name, plan, **changes):
    """Losses of a run that goes on from the half with something changed in its checkpoint."""
    (runs / name).mkdir()
    checkpoint.save(runs / name / "last.pt", content | changes)
    train(plan, runs / name, quiet=True, save_every=1, resume=True)
    return losses_of(name)


tails = {"resumed": losses_of("continued")[20:]}
tails["without velocities"] = damaged("forgets", steady, optimizer=content["optimizer"] | {"state": {}})
reseeded = steady.but(seed=1)
tails["another order"] = damaged("reorders", reseeded, recipe=reseeded.to_dict())

# %% mystnb={"image": {"alt": "Difference of the loss to the uninterrupted run over steps 21 to 40, three lines. Resumed: zero throughout. Another order: well above zero from the first step. Without velocities: zero in the first step, then it rises to the size of the other one within some steps."}}
off = {name: np.abs(tail - losses_of("whole")[20:]) for name, tail in tails.items()}
ax = plot.curves(range(21, 41), off, "step", "difference of the loss to\nthat of the uninterrupted run")
ax.set_xticks(range(21, 41, 3))
print(f"resumed: largest difference {off['resumed'].max()}")
forgot, reordered = off["without velocities"], off["another order"]
print(f"without velocities: first step {forgot[0]}, above zero from the second on: {forgot[1:].min() > 0}")
print(f"another order: above zero from the first step on: {reordered[0] > 0}")
assert off["resumed"].max() == forgot[0] == 0 and forgot[1] > 0 and reordered[0] > 0

# %% [markdown]
# The line to look at is the one at zero. The other two do not look *wrong*: each of their losses could be that of a sound run, and a resumed run that is a little different passes for chance. That is why the mistake is hard to find. A new order in the middle of an epoch shows some pictures twice and others not at all, and velocities have to be gathered again, after every interruption. Only a test to the last bit finds it.
#
# ## Several processes
#
# Two graphics cards, two processes. Each holds all the weights and takes half of the batch. During the backward pass they exchange gradients and take the mean, which is equation 10.6 over processes in place of parts, and then all make the same step. `torchrun` starts them and tells each its number; PyTorch's `DistributedDataParallel` does the exchange. Here both are processes on one CPU, and speak through gloo in place of NCCL. Either way a part is half a batch with its own statistics, so two processes should train like one that accumulates two parts.

# %%
plan.write_text(write_recipe(recipe.but(epochs=0.5)), "utf-8")
launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
two = [*launch, *program, "--save-every", "1", "--out", str(runs / "two")]
done = subprocess.run(two, capture_output=True, text=True, check=False)
assert done.returncode == 0, done.stderr[-2000:]
train(recipe.but(epochs=0.5, accumulate=2), runs / "parts", quiet=True, save_every=1)
one, other = losses_of("parts"), losses_of("two")
print(f"{len(other)} steps of two processes; losses like those of two parts, within 1e-4:", end=" ")
print(np.allclose(one, other, rtol=1e-4))
assert len(one) == len(other) == 10 and np.allclose(one, other, rtol=1e-4)

# %% [markdown]
# Not to the last bit this time, as two processes may add in another order than one. All else is equal by construction: the order deals each process its run of the batch, and the table of the augmentation is drawn for the whole batch and cut. More cards, or several machines, are the same command with other numbers. How the *head* is divided when it does not fit on one card is the subject of [lesson 15](15_a_million_identities.ipynb).
#
# ## A run that fails
#
# Somebody types `1e10` for the rate and switches clipping off.
#
# <details class="predict"><summary>Predict before you run: after how many steps is the loss no number? And with a rate of 100, which is also thousands of times too high?</summary>
#
# With 1e10 after a few steps. With 100 never. A network with normalisations and a head of cosines does not care how long its weights are, so a mad rate makes no infinite numbers. It only makes noise, and nobody is told.
#
# </details>

# %%
message = ""
try:
    train(recipe.but(epochs=0.5, warmup=0, lr=1e10, clip=0), runs / "fails", quiet=True, save_every=1)
except facelib.FaceLibError as error:
    message = str(error)
for sentence in message.replace(" ; ", "; ").split(". "):
    print(sentence)
assert "no longer a number" in message
train(recipe.but(epochs=0.5, warmup=0, lr=100, clip=0), runs / "noise", quiet=True, save_every=1)
noisy = [row for row in read_log(runs / "noise") if "loss" in row]
print(f"\nat a rate of 100, all losses are numbers: {all(np.isfinite(row['loss']) for row in noisy)};", end=" ")
shrunk = noisy[-1]["gradient"] / noisy[0]["gradient"]
print(f"the last gradient is shorter than a twentieth of the first: {shrunk < 0.05}")
assert all(np.isfinite(row["loss"]) for row in noisy) and shrunk < 0.05

# %% [markdown]
# A run whose loss is no number ends at once, names the first broken tensor and says where the run before the accident is kept. A run whose rate is only mad goes on. For that there is no message, only the curves. Here the length of the gradient gives it away: in front of a normalisation, a weight that has become a hundred times as long has a gradient a hundredth as long, and from then on hardly turns. The network has been thrown somewhere at random, and stays there.
#
# ## The recorded runs
#
# A real run takes longer than a lesson. The repository keeps records of some in `runs/`: settings, commit, machine, time, log. Everything in this section is computed from them.

# %%
recorded = records.load("runs")["runs"]
for name, run in recorded.items():
    record, settings = run["record"], run["record"]["recipe"]
    print(
        f"{name}: {settings['backbone']} at {settings['size']} pixels, {settings['metric']}, {settings['precision']}, seed {settings['seed']};"
    )
    print(
        f"    {record['people']:,} people, {record['pictures']:,} pictures, {record['steps']:,} steps of {settings['batch']};"
    )
    print(f"    {record['device']}, {record['processes']} process(es), commit {record['commit']},", end=" ")
    print(f"{record['seconds']:.0f} seconds, {record['images/s']:.0f} images/s;")
    print("   ", ", ".join(f"{key} {100 * value:.1f} %" for key, value in record["validation"].items()))
processors = ("x86_64", "amd64", "aarch64", "arm64")
on_gpu = [name for name, run in recorded.items() if run["record"]["device"].lower() not in processors]
print("on a graphics card:", ", ".join(on_gpu) if on_gpu else "none of these; all were made on processors")

# %% mystnb={"image": {"alt": "Four panels over thousands of pictures seen, one line for each recorded run. The loss of the shorter run falls after a rise, that of the longer after a level start. The clean training accuracy rises. The rate climbs and falls along half a cosine. The verification accuracy of other people rises and then levels off, that of the longer run after a leap near the tenth epoch."}}
fig, axes = plt.subplots(2, 2, figsize=(9, 5))
inks = (plot.BLUE, plot.ORANGE, plot.GREEN, plot.PINK, plot.SKY, plot.RED)
for (name, run), ink in zip(recorded.items(), inks, strict=False):
    thousands = run["record"]["recipe"]["batch"] / 1000  # a step
    seen = thousands * np.array([row["step"] for row in run["reports"]])
    for ax, key, factor in zip(axes.flat, ("loss", "accuracy", "rate"), (1, 100, 1), strict=False):
        ax.plot(seen, [factor * row[key] for row in run["reports"]], color=ink, label=name)
    judged = [(thousands * row["step"], 100 * row["validation verification"]) for row in run["validations"]]
    axes[1, 1].plot(*zip(*judged, strict=True), "o-", color=ink, markersize=3)
titles = ("loss", "clean accuracy in training, %", "rate", "verification of other people, %")
for ax, title in zip(axes.flat, titles, strict=True):
    ax.set(title=title, xscale="log", xlabel="thousand pictures seen")
_ = axes[0, 0].legend(fontsize=7)

# %%
for name, run in recorded.items():
    curve = 100 * np.array([row["validation verification"] for row in run["validations"]])
    shown = run["record"]["steps"] * run["record"]["recipe"]["batch"]
    print(f"{name}: {shown:,} pictures shown, each {shown / run['record']['pictures']:.0f} times")
    print(f"    verification {curve[0]:.1f} % after the first epoch, {curve[-1]:.1f} % after the last,", end=" ")
    print(f"{curve[-1] - curve[len(curve) // 2 - 1]:+.1f} points in the second half of the epochs")
    ends = [row["accuracy"] for row in run["reports"][-len(run["reports"]) // 10 :]]
    print(f"    clean accuracy in the last tenth of the training: {100 * np.mean(ends):.1f} %")
    assert curve[-1] > 55 and np.mean(ends) > 2 / run["record"]["people"]

# %% [markdown]
# Read the panels together. The loss may *rise* at first while the accuracy rises as well: these recipes let the margin grow over the first epochs, so that the same network is asked for more and more. The accuracy in training is that of the people trained on, and says little about anybody else; the last panel is about people the network has never seen.
#
# The leap in the last panel is not the network's. The longer run is judged by a running mean of its weights (`ema` in the recipe). It was interrupted and went on with newer code, that of the commit printed above; up to its tenth epoch that mean was taken with the same decay from the first step on, which forgets slowly: the untrained network was still in it, and a mean of weights so far apart is no network. The weights themselves were far better at the time, as the accuracy in training shows. It was this curve that gave the mistake away. From then on the decay grows with the steps (`ema_decay` in `facelib/train/state.py`), and a run that is begun today has no such leap.
#
# The validation of a run draws up to 6,000 pairs, for which Wilson's interval (lesson 07) is one to two points wide. What another seed would have given is not in that interval.
#
# ## More people, or more pictures of each?
#
# A budget, for rendering or for asking people, can be spent in two ways. `benchmarks/scaling.py` trained a small network on subsets of the rendered people, always for the same number of steps, and judged it on 100 other rendered people and on photographs (LFW's development test, as in lesson 08).
#
# <details class="predict"><summary>Predict before you run: 800 pictures can be 50 people with 16 each, or 200 people with 4 each. Which teaches more?</summary>
#
# In the long run people: a recogniser has to tell strangers apart, and every further person is a further example of how people differ, while light and pose do much the same to every face. But the number of steps is fixed here. A network that is shown 800 people sees every picture two or three times, and has 800 classes to sort. Which of the two weighs more, you cannot know; write a guess down.
#
# </details>

# %%
scaling = records.load("scaling")
rows, pairs = scaling["rows"], scaling["pairs"]
keys = [key for key in ("unseen easy", "unseen hard", "real") if key in pairs]


def figures_of(key, people, shots):
    """A figure of every seed, in percent."""
    return np.array([row[key] for row in rows if (row["people"], row["pictures of each"]) == (people, shots)])


def ends(percent, count):
    """Both ends of Wilson's intervals (lesson 07) of shares of count pairs, in percent."""
    return 100 * np.array([wilson(share / 100, count) for share in np.atleast_1d(percent)]).T


print(f"{scaling['shown']:,} pictures shown to each network; raw pixels, nothing learned:", end=" ")
print(", ".join(f"{key} {scaling['floor'][key]:.1f} %" for key in keys))

# %% mystnb={"image": {"alt": "Two panels of accuracy with error bars, and a dot for each seed. Left, over 50 to 800 people with 16 pictures each; right, over 4 to 24 pictures each of 200 people. Three lines in each panel: easy pairs of unseen people, hard pairs, and photographs. On the left hard pairs fall all the way; easy pairs and photographs are about level up to 200 people and fall beyond. On the right easy and hard pairs rise clearly, photographs hardly."}}
fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
many_people = [(count, 16) for count in sorted({r["people"] for r in rows if r["pictures of each"] == 16})]
many_shots = [(200, count) for count in sorted({r["pictures of each"] for r in rows if r["people"] == 200})]
for ax, places, part in zip(axes, (many_people, many_shots), (0, 1), strict=True):
    at = [place[part] for place in places]
    for key, ink in zip(keys, inks, strict=False):
        found = [figures_of(key, *place) for place in places]
        means = np.array([values.mean() for values in found])
        low, high = ends(means, pairs[key])
        ax.errorbar(at, means, [means - low, high - means], color=ink, capsize=3, label=key)
        for x_at, values in zip(at, found, strict=True):
            ax.plot([x_at] * len(values), values, "o", color=ink, markersize=3.5, alpha=0.6)
    ax.set(xscale="log", xlabel=("people, 16 pictures of each", "pictures of each of 200 people")[part])
    ax.set_xticks(at, at)
    ax.minorticks_off()
axes[0].set(ylabel="accuracy, %")
_ = axes[0].legend(fontsize=7)


# %%
def compare(key, a, b):
    """Means at two places, and what intervals and seeds say of the difference."""
    before, after = figures_of(key, *a), figures_of(key, *b)
    (low, high), (low_after, high_after) = (ends(values.mean(), pairs[key]) for values in (before, after))
    verdict = "rises" if low_after > high else "falls" if high_after < low else "intervals overlap"
    agree = after.min() > before.max() or after.max() < before.min()
    seeds = "one seed" if min(len(before), len(after)) < 2 else "seeds agree" if agree else "seeds overlap"
    return f"{before.mean():.1f} to {after.mean():.1f} %, {verdict}, {seeds}"


runs_at = [len(figures_of(keys[0], *place)) for place in (*many_people, *many_shots)]
print(f"networks trained for each point: {min(runs_at)} to {max(runs_at)}, one a seed")
for a, b in (((50, 16), (200, 16)), ((200, 16), (800, 16)), (many_shots[0], many_shots[-1])):
    print(f"{a[0]} people x {a[1]} to {b[0]} x {b[1]}:")
    for key in keys:
        print(f"    {key}: {compare(key, a, b)}")
for more_each, more_people in (((50, 16), (200, 4)), ((100, 16), (200, 8))):
    print(
        f"{np.prod(more_each):,} pictures, {more_each[0]} x {more_each[1]} against {more_people[0]} x {more_people[1]}:"
    )
    for key in keys:
        print(f"    {key}: {compare(key, more_each, more_people)}")
often = [scaling["shown"] / np.prod(place) for place in many_people]
print(
    f"each picture was shown {often[0]:.0f} times with {many_people[0][0]} people, {often[-1]:.1f} times with {many_people[-1][0]}"
)
assert "falls" in compare("unseen easy", (200, 16), (800, 16))  # what is said of the left panel below
assert all("falls" in compare(key, (50, 16), (200, 4)) for key in ("unseen easy", "unseen hard"))
assert all("overlap" in compare(key, (100, 16), (200, 8)) for key in keys)
assert "intervals overlap" in compare("real", (50, 16), (200, 4))

# %% [markdown]
# The left panel may be the opposite of what you have read elsewhere. With a *fixed number of steps*, more people were not better here: past a point accuracy falls. The likely reason: with 800 people the training was stopped long before that many classes were sorted. "More data helps" silently assumes that the training grows with the data. A record with another budget shows the other half: `benchmarks/learn.py` (lesson 08) trained a somewhat larger network on still more people, for longer. (Its hard pairs were drawn by an earlier rule, so they are not compared.)

# %%
learn = records.load("learn")
print(
    f"learn: {learn['people']:,} people, {learn['shown']:,} pictures shown, {learn['shown'] / scaling['shown']:.0f} times as many:"
)
judged_alike = learn.get("rule of hard pairs", 1) == scaling["rule of hard pairs"]  # else only the others compare
for key in [key for key in keys if judged_alike or key != "unseen hard"]:
    longer, here = (
        np.mean([row[key] for row in learn["rows"]]),
        max(figures_of(key, *place).mean() for place in many_people),
    )
    print(f"    {key}: {longer:.1f} %, against {here:.1f} % for the best number of people above")
    assert longer > here

# %% [markdown]
# The lines that begin with a number of pictures compare people against pictures of each at the same cost. From 800 pictures, fifty people with sixteen each taught more about rendered strangers than two hundred with four. Where intervals overlap they decide nothing, whatever one had hoped: so with 1,600 pictures, and so for photographs. And a line that ends in "seeds overlap" says that a network at one end and one at the other could change places.
#
# What do the intervals carry? The bars are Wilson's and count test pairs: how far could a mean be off because the test has only so many? They take pairs as independent, although pairs share people, so they are rather too narrow; and where two networks are judged by the *same* pairs, as here, overlapping bars do not yet mean that there is no difference. They do not hold the chance of training. The dots, one for each seed, show that chance; two are enough only to see whether it is small, not to put an interval on it ($t_1$ in equation 7.2 is 12.7).
#
# ## On VGGFace2, by a changed line
#
# Everything above was one recipe. Where the pictures lie is one part of it:

# %%
real = recipe.but(train_list="data/train.txt", val_list="data/val.txt", dataset_root="VGGFace2/train_align")
print("changed:", ", ".join(name for name, value in real.to_dict().items() if value != recipe.to_dict()[name]))

# %% [markdown]
# As a command, with the flags of one of the two programs that inspired this course:
#
# ```
# python train.py --dataset-root VGGFace2/train_align --train-list data/train.txt --val-list data/val.txt --num-classes 8631 --backbone resnet50 --pre-trained pretrained/ms1mv3_arcface_r50_fp16/backbone.pth --metric arcface --device cuda
# ```
#
# (`train.py` at the root of the repository is `facelib train`.) A lesson cannot hand you VGGFace2; the page on [data](../book/data.md) says what became of it. But a folder of the same form can be made. `facelib synth export VGGFace2/train_align --preset tiny` renders one; we have its pictures already and write them where that command would. Then the same two commands, with 40 people in place of 8,631, a small network, and the weights of our first run in place of insightface's.

# %%
for number, (picture, person) in enumerate(zip(people.images, people.labels, strict=True)):
    target = Path("VGGFace2/train_align") / f"n{person:06d}" / f"{number % 8:04d}_01.jpg"
    target.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(target), picture[:, :, ::-1])  # OpenCV writes BGR
commands = (
    "list VGGFace2/train_align --out data/train.txt --val data/val.txt --val-share 0.25 --quiet",
    "train --dataset-root VGGFace2/train_align --train-list data/train.txt --val-list data/val.txt --num-classes 40"
    " --backbone mobilefacenet_050 --pre-trained runs/first/weights.safetensors --metric arcface --device cpu"
    " --embedding 128 --size 32 --batch 16 --epochs 1 --lr 0.01 --threads 1 --quiet --out runs/familiar",
)
Path("data").mkdir(exist_ok=True)
for arguments in commands:
    call = [sys.executable, "-m", "facelib.cli", *arguments.split()]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
said = dict(line.split()[:2] for line in done.stdout.splitlines() if line.endswith("%"))
print("the last line of data/train.txt:", Path("data/train.txt").read_text().splitlines()[-1].split()[1])
print("validated on pictures of the same people:", ", ".join(said))
print(f"classes named rightly, four times chance or more: {float(said['accuracy']) > 4 * 100 / 40}")
assert float(said["accuracy"]) > 10

# %% [markdown]
# ### What the real one costs
#
# Arithmetic before the order is placed. A run of $E$ epochs over $N$ pictures at $v$ pictures a second takes
#
# $$ \text{hours} = \frac{E\,N}{3600\,v}, \qquad \text{bytes of a weight} = \underbrace{4}_{\text{value}} + \underbrace{4}_{\text{gradient}} + \underbrace{4}_{\text{velocity}} = 12, \tag{10.7} $$
#
# with SGD and momentum in float32. The head has one weight for each class and each number of the embedding, and its logits are a matrix of $B \times C$, of which forward and backward pass keep about three. Published speeds: a ResNet-50 on eight V100 cards trains on 3,389 images a second in fp16 and on 1,688 in fp32, says the README of [MagFace](https://github.com/IrvingMeng/MagFace). `recipes/vggface2_iresnet50_arcface.toml` asks for 20 epochs in steps of 1,024; VGGFace2 has 8,631 people in training, about 3.1 million pictures.

# %%
pictures, classes, epochs_planned, batch = 3.1e6, 8631, 20, 1024
print(f"steps: {epochs_planned * pictures / batch:,.0f}")
for name, cards, speed in (("8 V100, fp16", 8, 3389), ("8 V100, fp32", 8, 1688), ("one of them, fp16", 1, 3389 / 8)):
    print(
        f"{name}: {epochs_planned * pictures / speed / 3600:.1f} hours, {epochs_planned * pictures * cards / speed / 3600:.0f} card-hours"
    )
with torch.device("meta"):  # shapes without memory
    iresnet50 = facelib.backbones.create("iresnet50", 512, 112)
weights = sum(p.numel() for p in iresnet50.parameters())
print(f"network: {weights:,} weights, {12 * weights / 1e6:.0f} MB with gradient and velocity")
for count in (classes, 1_000_000):
    print(f"head of {count:,} people: {count * 512 * 4 / 1e6:,.1f} MB,", end=" ")
    print(f"{count * 512 * 12 / 1e6:,.0f} MB with gradient and velocity,", end=" ")
    print(f"logits of 128 pictures {3 * 128 * count * 4 / 1e6:,.0f} MB")

# %% [markdown]
# For one card we divided by eight, as if eight cards were eight times as fast as one; in truth they lose a little to each other, so one alone is somewhat faster than that. Eight thousand people hardly weigh on a head, a million do ([lesson 15](15_a_million_identities.ipynb)). What is *not* in the sum are the activations of the network, which grow with the batch and are the larger part of the memory: those are what bf16, `accumulate` and `recompute` are for, in this order.
#
# ## Exercises
#
# ### Exercise 10.1 · A schedule
#
# <span class="meta">★☆☆ · 10 minutes</span>
#
# Write `rate(step, highest, warmup, total)`: the rate of a step from 0 to `total - 1`, equation 10.1 with the cosine. `warmup` and `total` count steps; a warm-up of 0 is allowed.
#
# <details class="hint"><summary>Hint 1</summary>
#
# Two cases. In the warm-up, step 0 has the rate highest / warmup, and the last of its steps has the highest rate.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# After it, t = (step - warmup) / (total - warmup) and the share is (1 + cos(pi t)) / 2.
#
# </details>


# %% tags=["exercise"]
def rate(step, highest, warmup, total):
    return ...  # your code


# %% tags=["check"]
check.rate(rate)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def rate(step, highest, warmup, total):
#     if step < warmup:
#         return highest * (step + 1) / warmup
#     return highest * (1 + np.cos(np.pi * (step - warmup) / (total - warmup))) / 2
# ```
#
# `facelib.train.schedule.learning_rate` is the same, with warm-up and length in epochs, which may be fractions.
#
# </details>

# %% [markdown]
# ### Exercise 10.2 · Save and restore
#
# <span class="meta">★★☆ · 20 minutes</span>
#
# The check trains a small model with momentum and a falling rate; its batches are drawn from `generator`, a `torch.Generator` with a past. Write `save(model, optimizer, generator, step)`, which returns a dict for `torch.save`, and `restore(content, model, optimizer, generator)`, which puts everything back and returns the step. The check saves in the middle, makes everything new, restores, and compares bits.
#
# <details class="hint"><summary>Hint 1</summary>
#
# Modules and optimisers have `state_dict()` and `load_state_dict(...)`.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# A generator has `get_state()` and `set_state(...)`; the state is a tensor and may be saved like one.
#
# </details>


# %% tags=["exercise"]
def save(model, optimizer, generator, step):
    return ...  # your code


def restore(content, model, optimizer, generator):
    return ...  # your code


# %% tags=["check"]
check.save_and_restore(save, restore)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def save(model, optimizer, generator, step):
#     return {
#         "model": model.state_dict(),
#         "optimizer": optimizer.state_dict(),
#         "generator": generator.get_state(),
#         "step": step,
#     }
#
#
# def restore(content, model, optimizer, generator):
#     model.load_state_dict(content["model"])
#     optimizer.load_state_dict(content["optimizer"])
#     generator.set_state(content["generator"])
#     return content["step"]
# ```
#
# Tensors and plain values only: such a file can be read with `weights_only=True`, which runs no code that came with it.
#
# </details>

# %% [markdown]
# ### Exercise 10.3 · What is wrong here?
#
# <span class="meta">★★☆ · 15 minutes</span>
#
# `step_in_parts` should make one step with the mean loss of a batch that comes in equal parts. It runs, the loss falls, and it is wrong in two places. Mend it.
#
# <details class="hint"><summary>Hint 1</summary>
#
# Which parts have a say in the gradient when `step` is called?
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# Equation 10.6 has a factor in front of the sum.
#
# </details>


# %% tags=["exercise"]
def step_in_parts(model, optimizer, parts, loss_of):
    for part in parts:  # a list of equal parts
        optimizer.zero_grad()
        loss_of(model, part).backward()  # the mean loss of the part
    optimizer.step()


# %% tags=["check"]
check.step_in_parts(step_in_parts)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def step_in_parts(model, optimizer, parts, loss_of):
#     optimizer.zero_grad()
#     for part in parts:
#         (loss_of(model, part) / len(parts)).backward()
#     optimizer.step()
# ```
#
# With `zero_grad` inside the loop only the last part counts: the batch is small and nobody notices. Without the division the gradient is as many times too long as there are parts. Clipping then hides it, and without clipping it acts like a rate that is too high.
#
# </details>

# %% [markdown]
# ### Exercise 10.4 · Before the order
#
# <span class="meta">★☆☆ · 10 minutes</span>
#
# Write `cost(pictures, epochs, speed, people, embedding, batch)`: two numbers, the hours of a run that sees `speed` pictures a second, and the gigabytes (1e9 bytes) of its head: weights, gradient and velocity, and three matrices of logits, all in float32. Equation 10.7 and the cell below it.
#
# <details class="hint"><summary>Hint 1</summary>
#
# 4 bytes for each float32. Weights: people x embedding; logits: batch x people.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# 12 bytes for each weight and 12 for each logit.
#
# </details>


# %% tags=["exercise"]
def cost(pictures, epochs, speed, people, embedding, batch):
    return ...  # your code


# %% tags=["check"]
check.cost(cost)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def cost(pictures, epochs, speed, people, embedding, batch):
#     hours = epochs * pictures / speed / 3600
#     return hours, 12 * people * (embedding + batch) / 1e9
# ```
#
# The batch stands beside the embedding: with 512 pictures in a process, logits take as much as the weights and what belongs to them.
#
# </details>

# %% [markdown]
# ## Quiz
#
# **Question 1.** Your ArcFace run reports a training accuracy of 0.0 % after an epoch, while the loss falls. What do you do first?
#
# <details class="quiz"><summary>A · Lower the margin, the task is too hard</summary>
#
# Wrong: perhaps later. So far nothing says that the task is too hard, since the loss falls.
#
# </details>
# <details class="quiz"><summary>B · Look whether the accuracy is taken from the logits with the margin</summary>
#
# Right: those logits have the right class held back on purpose. Clean cosines tell how good the network is.
#
# </details>
# <details class="quiz"><summary>C · Raise the rate</summary>
#
# Wrong: a falling loss with a wrong accuracy is a fault of the measurement, not of the rate.
#
# </details>
#
# **Question 2.** A recipe for eight cards has a batch of 1,024 and a rate of 0.1. You have one card, on which 128 pictures fit. Which of these is the same training?
#
# <details class="quiz"><summary>A · A batch of 128 at a rate of 0.1</summary>
#
# Wrong: eight times as many steps of the same length, each with more noise.
#
# </details>
# <details class="quiz"><summary>B · A batch of 1,024 in eight parts, at a rate of 0.1</summary>
#
# Right: equation 10.6. Even the batch statistics are those of 128 pictures, as on the eight cards. It takes eight times as long.
#
# </details>
# <details class="quiz"><summary>C · A batch of 128 at a rate of 0.0125</summary>
#
# Wrong, though a sensible first guess: eight small steps go about as far as one large one, but they are another training, and momentum and decay act on other lengths of time.
#
# </details>
#
# **Question 3.** Why are the weights kept in float32 when the network computes in bfloat16?
#
# <details class="quiz"><summary>A · Because bfloat16 has too small a range for weights</summary>
#
# Wrong: its range is that of float32.
#
# </details>
# <details class="quiz"><summary>B · Because most steps are smaller than half the distance to the next bfloat16 and would be rounded away</summary>
#
# Right: you counted them.
#
# </details>
# <details class="quiz"><summary>C · Because multiplications with rounded weights are too inexact</summary>
#
# Wrong: they are multiplied in rounded form; only what is kept from step to step is not.
#
# </details>
#
# **Question 4.** A run was resumed, and its loss goes on where it was, a little noisy as always. Is the resuming right?
#
# <details class="quiz"><summary>A · Yes, otherwise the loss would have jumped</summary>
#
# Wrong: without velocities and with another order the loss goes on without a visible jump too.
#
# </details>
# <details class="quiz"><summary>B · It cannot be told from the curve; a short run must be resumed and compared bit for bit</summary>
#
# Right: on a CPU with one thread that is an exact test, and it takes seconds.
#
# </details>
# <details class="quiz"><summary>C · No, a resumed run is never the same</summary>
#
# Wrong: one and one epoch were two, to the last bit.
#
# </details>

# %% [markdown]
# ## Summary
#
# - The loop is thirty lines. `facelib.train` gives the same bits from a recipe; what it adds is care.
# - Log the accuracy of clean cosines, the length of the gradient before clipping, and the verification of other people. A loss that is no number is reported; a rate that only makes noise is not.
# - Warm-up, then down to zero. The rate goes with the batch as a first guess, since four times the batch halves the noise. Decay is for matrices, clipping for the network.
# - In sixteen bits the network's rounding is small beside the noise of the batch. Weights stay in float32 because steps would be rounded away, and the head because an arccosine breaks there.
# - Parts of a batch add up, divided by their number, except for batch statistics. Processes are parts that run at the same time.
# - A run can be killed at any moment and go on bit for bit, if everything random is a function of seed and step. Only a test to the bit shows it.
# - More people ask for more training: in the study above, at a fixed number of steps, accuracy fell again. Hours and memory can be computed before a run.
#
# Next: [lesson 11](11_verification.ipynb), verification: pairs, thresholds, and how sure one can be. `facelib train --help` lists every setting, and [the reference](../book/api.md) every function used here.
