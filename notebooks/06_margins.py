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
# # 06 · Margins: SphereFace, CosFace, ArcFace
#
# <a class="colab" href="https://colab.research.google.com/github/facelib-course/facelib-course/blob/main/notebooks/06_margins.ipynb">Open in Colab</a>
#
# Softmax is content as soon as a face is a little nearer to its own class centre than to any other. A recogniser needs more: it will meet people who had no centre in training, and must tell them apart by distance alone. A margin is the smallest change that asks for more. It makes the right class look worse than it is, and the network has to win all the same. Three published rules do that in three ways. This lesson derives them, draws what each one asks for, takes their gradients apart, and shows where each one bends or breaks.
#
# **You will be able to**
# - write SphereFace, CosFace and ArcFace from their equations, and get the library's numbers;
# - draw the decision boundaries of any margin in the plane of the two angles, and say how wide its gap is;
# - derive the gradient of the loss down to embedding and class centre, and check it against autograd to 12 digits;
# - say what happens past 180 degrees, and at a cosine of exactly 1, and what common programs do about it;
# - explain how the scale `s` and the margin `m` work together, and spot three mistakes that raise no error.
#
# **Before this** [lesson 05](05_softmax_to_sphere.ipynb): softmax, normalised embeddings and centres, the scale `s`. What is needed is repeated in the first section.
#
# **Time** about 20 s to run on two CPU cores
# · about 90 minutes to read and do

# %% tags=["setup"]
try:
    import facelib
except ModuleNotFoundError:  # a fresh Colab
    # %pip install --quiet "facelib @ git+https://github.com/facelib-course/facelib-course"
    import facelib
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn import functional as F

from facelib import plot
from facelib.checks import lesson_06 as check

plot.use()

# %% [markdown]
# ## From cosines to a decision
#
# In training, each person $j$ has a **class centre** $w_j$, a vector that is learnt. Embedding $x$ and centres are scaled to length 1, so that only directions count, and the network's opinion about class $j$ is the cosine of the angle $\theta_j$ between $x$ and $w_j$. Times a scale $s$ it is a logit, and softmax makes probabilities of the logits. The loss for an embedding of class $y$ is
#
# $$ L = -\log p_y, \qquad p_j = \frac{e^{z_j}}{\sum_k e^{z_k}}, \qquad z_j = s \cos\theta_j . \tag{6.1} $$
#
# Equation 6.1 is equation 2 of the ArcFace paper ([Deng et al. 2019](../book/bibliography.md)). Two classes and one embedding are enough to see what it wants. We put two centres at a right angle, and an embedding of class 1 between them, 40 degrees from its own centre.


# %%
def unit(degrees):
    """Directions in the plane: (...) degrees -> (..., 2) of length 1."""
    angle = torch.deg2rad(torch.as_tensor(degrees, dtype=torch.float64))
    return torch.stack([angle.cos(), angle.sin()], dim=-1)


centres, x, s = unit([0, 90]), unit(40), 16
cosine = centres @ x  # 2
theta = torch.acos(cosine)
print("angles ", [round(degrees) for degrees in theta.rad2deg().tolist()], "degrees")
print("cosines", [f"{value:.3f}" for value in cosine])
p = torch.softmax(s * cosine, dim=0)  # 2
print(f"p of class 1: {p[0]:.3f}, loss {-p[0].log():.3f}")

# %% [markdown]
# Class 1 wins, and the loss is small: softmax decides by $\theta_1 < \theta_2$, and 40 is less than 50. The border between the classes is the line $\theta_1 = \theta_2$ in the middle, and beyond it there is hardly anything left to learn.
#
# That is fine for two people who are both known. But recognition compares *embeddings*, often of people who were never trained. Two pictures of person 1 may lie 45 degrees to either side of their centre and still satisfy softmax. They are 90 degrees apart, while a picture of person 2 may stand two degrees away, just across the border.
#
# A **[margin](../book/glossary.md)** answers with a handicap, in training only. Before the logit of the right class is computed, we make its angle larger by $m$, or its cosine smaller by $m$:

# %%
m_angle, m_cosine = 0.5, 0.35  # radians, and a plain number
seen = {
    "no margin": cosine[0],
    "angle + 0.5 rad": torch.cos(theta[0] + m_angle),
    "cosine - 0.35": cosine[0] - m_cosine,
}
for name, target in seen.items():
    p = torch.softmax(s * torch.stack([target, cosine[1]]), dim=0)[0]
    wins = "wins" if target > cosine[1] else "loses"
    print(f"{name:15} {target:.3f} against {cosine[1]:.3f}, {wins:5}; p = {p:.3f}, loss {-p.log():.2f}")

# %% mystnb={"image": {"alt": "A quarter of a circle with two class centres at 0 and 90 degrees. A full dot, the embedding, lies at 40 degrees, before the bisector. An arrow leads to an empty dot at 69 degrees, beyond the bisector: where the loss with a margin sees it."}}
fig, ax = plt.subplots(figsize=(4.6, 4.2))
ax.plot(*unit(np.linspace(0, 90, 91)).T, color="grey", linewidth=1)
ax.plot(*torch.stack([torch.zeros(2), 1.02 * unit(45)]).T, color="grey", linestyle="--", label="softmax: θ1 = θ2")
for centre, colour, name in zip(centres, (plot.BLUE, plot.ORANGE), ("centre 1", "centre 2"), strict=True):
    ax.annotate("", centre, (0, 0), arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 2})
    ax.annotate(name, centre, (6, 4), textcoords="offset points", color=colour)
shift = unit(np.linspace(40, 40 + np.degrees(m_angle), 20)) * 1.06  # 20, 2
ax.plot(*shift[:-1].T, color=plot.RED)
ax.annotate("", shift[-1], shift[-3], arrowprops={"arrowstyle": "-|>", "color": plot.RED})
ax.plot(*x, "o", color=plot.BLUE, markersize=10, label="the embedding, of class 1")
ghost = {"markersize": 10, "fillstyle": "none", "label": "as the loss sees it"}
ax.plot(*unit(40 + np.degrees(m_angle)), "o", color=plot.BLUE, **ghost)
ax.set(aspect="equal", xlim=(-0.05, 1.3), ylim=(-0.05, 1.15))
_ = fig.legend(loc="outside lower center", fontsize="small"), ax.set_axis_off()
assert 40 < 45 < 40 + np.degrees(m_angle)  # the bisector lies between the two dots

# %% [markdown]
# The embedding has not moved, only the loss looks at it differently: with a margin, 40 degrees is no longer good enough. The loss is large now, and its gradient pulls $x$ towards centre 1 until even the handicapped angle wins. At test time there is no margin and no centre either. What remains is that pictures of one person have been drawn together.
#
# The [boundary laboratory](../book/laboratory.md) in this book draws the same scene live. Keep it open beside the lesson: it has a knob for every number used here.
#
# ## Three rules and a fourth
#
# A margin replaces the target's cosine by something smaller, and leaves all other logits alone:
#
# $$ z_y = s\, t(\theta_y), \qquad z_j = s \cos\theta_j \ \text{ for } j \ne y . \tag{6.2} $$
#
# The published rules differ only in $t$:
#
# $$ \begin{aligned}
# \text{CosFace} \quad & t(\theta) = \cos\theta - m && \text{(6.3)} \\
# \text{ArcFace} \quad & t(\theta) = \cos(\theta + m) && \text{(6.4)} \\
# \text{SphereFace} \quad & t(\theta) = (-1)^k \cos(m\theta) - 2k, \quad k = \lfloor m\theta / \pi \rfloor && \text{(6.5)} \\
# \text{combined} \quad & t(\theta) = \cos(m_1\theta + m_2) - m_3 && \text{(6.6)}
# \end{aligned} $$
#
# They are equation 4 of [Wang et al. 2018](../book/bibliography.md), equations 3 and 4 of [Deng et al. 2019](../book/bibliography.md) (ArcFace and the combination), and equation 7 of [Liu et al. 2017](../book/bibliography.md). SphereFace is the eldest and multiplies the angle. Its $k$ is there because $\cos(m\theta)$ alone would rise again past $m\theta = \pi$: each time a half wave ends, the next one is flipped by $(-1)^k$ and hung 2 lower, so that the whole falls from 1 to $1 - 2m$, for a whole $m$. (In its paper $|x|$ stands in the place of $s$.) Four rules, a line or three each:


# %%
def cosface(cosine, m):
    return cosine - m


def arcface(cosine, m):
    return torch.cos(torch.acos(cosine) + m)


def sphereface(cosine, m):
    angle = m * torch.acos(cosine)
    k = torch.floor(angle / torch.pi)
    return (-1) ** k * torch.cos(angle) - 2 * k


def combined(cosine, m1, m2, m3):
    return torch.cos(m1 * torch.acos(cosine) + m2) - m3


# %% [markdown]
# In the library a margin is an object that is made once, `facelib.ArcFace(s=64, m=0.5)`. Called with cosines of shape (B, C) and labels (B,), it gives logits; its method `target` is the rule $t$ alone ([facelib.margins](../book/api.md)). We compare $t$ on a grid of angles, and then whole logits on random numbers, by a function that writes equation 6.2 out. The grid stops at 150 degrees: what ArcFace does beyond gets its own section.


# %%
def logits(cosine, labels, rule, s):
    """Equation 6.2: (B, C) cosines, (B,) labels -> (B, C) logits."""
    answer, rows = s * cosine, torch.arange(len(labels))
    answer[rows, labels] = s * rule(cosine[rows, labels])  # one entry a row: its own class
    return answer


ours = {
    facelib.CosFace(s=64, m=0.35): lambda c: cosface(c, 0.35),
    facelib.ArcFace(s=64, m=0.5): lambda c: arcface(c, 0.5),
    facelib.SphereFace(s=64, m=4): lambda c: sphereface(c, 4),
    facelib.Combined(s=64, m1=1, m2=0.3, m3=0.2): lambda c: combined(c, 1, 0.3, 0.2),
}
grid = torch.linspace(0.5, 150, 600, dtype=torch.float64).deg2rad().cos()
random = torch.rand(32, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 1.8 - 0.85  # B, C
labels = torch.arange(32) % 10
for margin, rule in ours.items():
    assert torch.allclose(margin.target(grid), rule(grid), atol=1e-9)
    assert torch.allclose(margin(random, labels), logits(random, labels, rule, 64), atol=1e-9)
print("the same as facelib:", ", ".join(type(margin).__name__ for margin in ours))

# %% [markdown]
# Now look at them. The left picture below shows the target's cosine after the margin, over the angle. The right one asks the question that is easier to compare: **how much larger does the angle look?** That is $\arccos t(\theta) - \theta$.
#
# <details class="predict"><summary>Predict before you run: CosFace takes 0.35 off the cosine everywhere. Is the angle that it adds the same everywhere? Where is it largest?</summary>
#
# The cosine is flat near 0 degrees and steep near 90. To lose 0.35 where it is flat, the angle must grow a lot. So CosFace should add most to embeddings that are already perfect, and least around 80 degrees. ArcFace adds $m$ by definition. SphereFace multiplies, and so adds nothing at 0.
#
# </details>

# %% mystnb={"image": {"alt": "Two panels over the angle to the own centre. Left, target cosine after the margin: all curves fall from about 1; CosFace is the plain cosine moved down, ArcFace moved left, SphereFace with m = 4 falls to minus 7 off the panel. Right, the angle added: flat at 29 degrees for ArcFace, a valley for CosFace from 49 degrees down to about 20 and up again, a rising line for SphereFace."}}
rules = {
    "no margin": facelib.NormFace(s=64),
    "SphereFace 4": facelib.SphereFace(s=64, m=4),
    "SphereFace 1.35": facelib.SphereFace(s=64, m=1.35),
    "CosFace 0.35": facelib.CosFace(s=64, m=0.35),
    "ArcFace 0.5": facelib.ArcFace(s=64, m=0.5),
    "combined 1, 0.3, 0.2": facelib.Combined(s=64, m1=1, m2=0.3, m3=0.2),
}
degrees = np.linspace(0.5, 179.5, 359)
cosines = torch.tensor(np.cos(np.radians(degrees)))
targets = {name: rule.target(cosines).numpy() for name, rule in rules.items()}
added = {
    name: np.where(target >= -1, np.degrees(np.arccos(target.clip(-1, 1))) - degrees, np.nan)
    for name, target in targets.items()
}
fig, axes = plt.subplots(1, 2, figsize=(9, 3.8))
plot.curves(degrees, targets, "θ to the own centre", "target's cosine after the margin", axes[0], degrees=True)
plot.curves(degrees, added, "θ to the own centre", "angle added, in degrees", axes[1], degrees=True).legend_.remove()
_ = axes[0].set(ylim=(-2.2, 1.1)), axes[1].set(ylim=(-2, 75))
assert np.allclose(added["ArcFace 0.5"][:300], np.degrees(0.5), atol=0.01)  # up to 150 degrees
lowest = degrees[np.nanargmin(added["CosFace 0.35"])]
assert 75 < lowest < 85 and added["CosFace 0.35"][0] > 2 * np.nanmin(added["CosFace 0.35"])

# %%
for name in ("CosFace 0.35", "ArcFace 0.5", "SphereFace 1.35", "SphereFace 4"):
    shown = "".join(f"{np.interp(at, degrees, added[name]):8.1f}" for at in (1, 20, 40))
    print(f"{name:16} adds at 1, 20 and 40 degrees: {shown}")
print(f"CosFace adds least at {lowest:.0f} degrees; SphereFace 4 ends at a cosine of {targets['SphereFace 4'][-1]:.1f}")

# %% [markdown]
# The two most used rules look alike on the left and differ on the right. ArcFace asks the same of everybody. CosFace asks most of those that are almost perfect, where the cosine hardly tells angles apart, and least around 80 degrees, not far from where a network starts. SphereFace asks nothing at 0 degrees and far too much at large angles; with $m = 4$ its curve leaves the range of any cosine at 45 degrees, where no embedding can meet it any more. The combination lies between its parents.
#
# ## Boundaries in the plane of two angles
#
# Two classes, and an embedding somewhere. It is **safe in class 1** when the handicapped class 1 beats class 2, and safe in class 2 when the handicapped class 2 beats class 1:
#
# $$ t(\theta_1) > \cos\theta_2, \qquad t(\theta_2) > \cos\theta_1 . \tag{6.7} $$
#
# Without a margin the two borders are one line. With a margin they part, and between them lies a band where the loss is content with nobody. We do not draw these borders from memory. `lead` computes by how much a class leads, from the library's rule, on a grid of 361 x 361 pairs of angles; Matplotlib's `contour` finds where it is zero.
#
# <details class="predict"><summary>Predict before you run: which of the rules have straight borders in this plane? What shape does the band have at small angles?</summary>
#
# Where the rule is linear in the angle: $\theta_1 + m = \theta_2$ is a straight line, and so is $m\theta_1 = \theta_2$. A difference of cosines is not linear in angles, so CosFace bends. At $\theta_1 = 0$ the border stands where $\theta_2$ equals the angle added there: wide for CosFace, $m$ for ArcFace, nothing for SphereFace. Try it in the [laboratory](../book/laboratory.md): move $m_1$, $m_2$ and $m_3$ one at a time.
#
# </details>

# %% mystnb={"image": {"alt": "Six square panels, the angle to centre 2 over the angle to centre 1. Above the diagonal the region of class 1, below it that of class 2. No margin: they meet on the diagonal. SphereFace: two straight lines through the corner at zero, opening like a fan, very wide for m = 4. CosFace: two bent curves, widest at both ends. ArcFace: two straight lines parallel to the diagonal. Combined: in between."}}
theta1, theta2 = np.meshgrid(np.linspace(0, np.pi, 361), np.linspace(0, np.pi, 361))  # 361, 361


def lead(rule, own, other):
    """By how much the own class leads with its handicap; same shape as the angles."""
    return rule.target(torch.tensor(np.cos(own))).numpy() - np.cos(other)


borders = {}
fig, axes = plt.subplots(2, 3, figsize=(9, 6.4), sharex=True, sharey=True)
for ax, (name, rule) in zip(axes.flat, rules.items(), strict=True):
    plane = {"θ1 beats θ2": lead(rule, theta1, theta2), "θ2 beats θ1": lead(rule, theta2, theta1)}
    lines = plot.regions(ax, np.degrees(theta1), np.degrees(theta2), list(plane.values()), ("class 1", "class 2"))
    borders[name] = np.radians(lines[0])  # K, 2: the border of class 1
    ax.set(title=name, aspect="equal", xticks=range(0, 181, 45), yticks=range(0, 181, 45))
_ = fig.supxlabel("θ1 in degrees"), fig.supylabel("θ2 in degrees")

# %% [markdown]
# The assertions take the points that were drawn and put them into the equations.

# %%
inside = {name: line[(line > 0.05).all(1) & (line < np.pi - 0.05).all(1)].T for name, line in borders.items()}
assert all(line.shape[1] > 80 for line in inside.values())  # there is something to compare

own, other = inside["ArcFace 0.5"]
assert np.allclose(own + 0.5, other, atol=2e-3)
own, other = inside["CosFace 0.35"]
assert np.allclose(np.cos(own) - 0.35, np.cos(other), atol=1e-4)
own, other = inside["SphereFace 1.35"]
assert np.allclose(1.35 * own, other, atol=2e-3)
own, other = inside["combined 1, 0.3, 0.2"]
assert np.allclose(np.cos(own + 0.3) - 0.2, np.cos(other), atol=1e-4)
print("drawn borders: ArcFace θ1 + m = θ2, CosFace cos θ1 - m = cos θ2, SphereFace m θ1 = θ2")

# %% [markdown]
# ArcFace's band is straight and equally wide everywhere; the paper's word for it, a geodesic margin, means just that. CosFace's bends away at both ends. SphereFace's closes at 0, so that two very similar people would have no margin between them, and its $m = 4$ shuts everything beyond 45 degrees out of the own class.
#
# Not every pair of angles exists: two centres 90 degrees apart, and an embedding 10 degrees from one of them, cannot be 170 degrees from the other. The laboratory dims the pairs that do not. What happens between two given centres is the next question.
#
# ## The gap on the circle
#
# Put two centres at an angle $\beta$ and walk along the arc from one to the other. At each point $\theta_1 + \theta_2 = \beta$, and equation 6.7 gives each class its piece of the arc. What is left in the middle is the free gap. Solved by hand,
#
# $$ \text{ArcFace: } m, \qquad \text{CosFace: } 2 \arcsin \frac{m}{2 \sin(\beta / 2)}, \qquad \text{SphereFace: } \beta\, \frac{m - 1}{m + 1} . \tag{6.8} $$
#
# The first and the last are one line each. For CosFace, $\cos\theta_1 - \cos(\beta - \theta_1) = 2 \sin\frac{\beta}{2} \sin\left(\frac{\beta}{2} - \theta_1\right)$, and the gap is twice $\frac{\beta}{2} - \theta_1$. The code below knows none of this: it searches for the border by bisection, halving an interval 50 times, for all $\beta$ at once.


# %%
def gap(rule, between):
    """Free arc in radians between two classes whose centres are ``between`` (K,) apart; all of it if no class fits."""
    low, high = torch.zeros_like(between), between.clone()
    for _ in range(50):
        middle = (low + high) / 2
        wins = rule.target(middle.cos()) > (between - middle).cos()
        low, high = torch.where(wins, middle, low), torch.where(wins, high, middle)
    return between - 2 * low


between = torch.linspace(2, 150, 297, dtype=torch.float64).deg2rad()
gaps = {name: gap(rule, between).rad2deg().numpy() for name, rule in rules.items()}
beta = between.numpy()
some = beta > np.radians(55)  # where every rule leaves its classes some room
cosface_gap = 2 * np.arcsin(0.35 / (2 * np.sin(beta[some] / 2)))
assert np.allclose(gaps["ArcFace 0.5"][some], np.degrees(0.5), atol=1e-3)
assert np.allclose(gaps["CosFace 0.35"][some], np.degrees(cosface_gap), atol=1e-3)
assert np.allclose(gaps["SphereFace 1.35"][some], np.degrees(beta[some]) * 0.35 / 2.35, atol=1e-3)
for at in (90, 60, 40):
    found = {name: np.interp(at, np.degrees(beta), values) for name, values in gaps.items() if name != "no margin"}
    print(f"centres {at} degrees apart:", ", ".join(f"{name} {value:.1f}" for name, value in found.items()))

# %% [markdown]
# Read the first line again. With centres at a right angle, CosFace with 0.35 and ArcFace with 0.5 leave the same gap to a tenth of a degree, although one number is a difference of cosines and the other an angle. Random directions in 512 dimensions stand near 90 degrees (measured below), so between most pairs of people the two papers' values ask the same.

# %% mystnb={"image": {"alt": "Left and middle: quarter circle and sixth of a circle with five concentric rings, one a rule, each with a blue arc for class 1, a grey gap and an orange arc for class 2. The grey gap of ArcFace is equally long in both, that of CosFace is longer at 60 degrees, those of SphereFace shorter. Right: the gap over the angle between centres; flat for ArcFace, falling for CosFace, rising for SphereFace; below their margins the curves of CosFace, ArcFace and the combination follow the dotted diagonal, where no class fits; SphereFace's never meet it."}}
fig = plt.figure(figsize=(9, 3.9))
shown = [name for name in rules if name != "no margin"]
for column, at in enumerate((90, 60)):
    ax = fig.add_subplot(1, 3, column + 1, projection="polar")
    for ring, name in enumerate(shown):
        free = np.radians(np.interp(at, np.degrees(beta), gaps[name]))
        half = (np.radians(at) - free) / 2
        starts, widths = (0, half, half + free), (half, free, half)
        ax.bar(starts, 0.8, widths, 2 + ring, align="edge", color=(plot.BLUE, "silver", plot.ORANGE))
    ax.set(thetamin=0, thetamax=at, title=f"centres {at}° apart", xticks=np.radians([0, at / 2, at]))
    ax.set_yticks(2.4 + np.arange(len(shown)), range(1, len(shown) + 1), size=7)
    ax.grid(False)
ax = fig.add_subplot(1, 3, 3)
ringed = {f"{i + 1} {name}": gaps[name] for i, name in enumerate(shown)}
plot.curves(np.degrees(beta), ringed, "angle between the centres", "free gap in degrees", ax).legend_.remove()
fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=8)
_ = ax.plot([0, 150], [0, 150], color="grey", linestyle=":"), ax.set(ylim=(0, 70))

# %% [markdown]
# ArcFace's gap never changes. CosFace's grows as two centres come closer, so it presses most on people who look alike, and runs into a wall sooner: where a curve meets the dotted diagonal, the gap is the whole arc, and not even an embedding on its own centre satisfies the loss. SphereFace does the opposite and asks least where people are most alike. Exercise 6.3 finds the walls.
#
# Whether a larger gap for similar people is better is a question for measurements on real data, and published comparisons between CosFace and ArcFace are close (table 2 of the ArcFace paper). The geometry alone does not name a winner.

# %% [markdown]
# ## The gradient by hand
#
# What does the loss do to an angle? Three factors of the chain rule say it, and each has a plain meaning.
#
# **Probability.** For the softmax loss 6.1, $\partial L / \partial z_j = p_j - [j = y]$: the right logit is pushed up by what its probability lacks, each wrong one down by what it has.
#
# **Rule.** $\partial z_y / \partial \theta_y = s\, t'(\theta_y)$, which is $-s \sin\theta_y$ for CosFace (the constant $m$ has no slope) and $-s \sin(\theta_y + m)$ for ArcFace. So
#
# $$ \frac{\partial L}{\partial \theta_y} = s\,(1 - p_y) \cdot \begin{cases} \sin\theta_y & \text{CosFace} \\ \sin(\theta_y + m) & \text{ArcFace} \end{cases} \tag{6.9} $$
#
# **Cosine.** The network computes cosines, not angles, and $d\theta / d\cos\theta = -1/\sin\theta$ turns one into the other:
#
# $$ g_y = \frac{\partial L}{\partial \cos\theta_y} = -s\,(1 - p_y) \cdot \begin{cases} 1 & \text{CosFace} \\ \dfrac{\sin(\theta_y + m)}{\sin\theta_y} & \text{ArcFace} \end{cases} \qquad g_j = \frac{\partial L}{\partial \cos\theta_j} = s\, p_j . \tag{6.10} $$
#
# **Directions.** At last, $\cos\theta_j = \hat x \cdot \hat w_j$ with $\hat x = x / |x|$. Moving $x$ along itself changes no angle, so only what is at a right angle to $\hat x$ counts, and a long vector turns more slowly than a short one:
#
# $$ \frac{\partial L}{\partial x} = \frac{1}{|x|} \sum_j g_j\, (\hat w_j - \cos\theta_j\, \hat x), \qquad \frac{\partial L}{\partial w_j} = \frac{1}{|w_j|} \sum_i g_{ij}\, (\hat x_i - \cos\theta_{ij}\, \hat w_j), \tag{6.11} $$
#
# where $i$ runs over the batch, and a loss that is the mean over $B$ embeddings divides everything by $B$. In code:


# %%
def by_hand(x, w, labels, s, m, name):
    """Equations 6.9 to 6.11 for (B, D) embeddings and (C, D) centres: the gradient of each tensor."""
    x_length, w_length = x.norm(dim=1, keepdim=True), w.norm(dim=1, keepdim=True)
    x_unit, w_unit = x / x_length, w / w_length
    cosine = x_unit @ w_unit.T  # B, C
    theta, right = torch.acos(cosine), F.one_hot(labels, len(w)).bool()
    if name == "CosFace":
        target, slope = cosine - m, torch.ones_like(cosine)
    else:
        target, slope = torch.cos(theta + m), torch.sin(theta + m) / torch.sin(theta)
    p = torch.softmax(s * torch.where(right, target, cosine), dim=1)
    g = s * torch.where(right, (p - 1) * slope, p) / len(x)  # B, C: equation 6.10
    towards_x = (g @ w_unit - (g * cosine).sum(1, keepdim=True) * x_unit) / x_length
    towards_w = (g.T @ x_unit - (g * cosine).sum(0)[:, None] * w_unit) / w_length
    return {"theta": -g * torch.sin(theta), "cosine": g, "embedding": towards_x, "centres": towards_w}


# %% [markdown]
# Against it we set autograd, running through the library's head, margin and PyTorch's cross-entropy, in float64. `retain_grad` asks PyTorch to keep the gradient of a tensor in the middle. This is the **gradient receipt**: one line a tensor, with the largest difference.


# %%
def by_autograd(x, w, labels, margin):
    """The same four gradients, by the library and PyTorch."""
    head = facelib.CosineClassifier(x.shape[1], len(w)).double()
    head.weight.data, x = w.clone(), x.clone().requires_grad_()
    theta = torch.acos(head(x))  # B, C
    cosine = theta.cos()
    for middle in (theta, cosine):
        middle.retain_grad()
    F.cross_entropy(margin(cosine, labels), labels).backward()
    return {"theta": theta.grad, "cosine": cosine.grad, "embedding": x.grad, "centres": head.weight.grad}


generator = torch.Generator().manual_seed(1)
x, w = (torch.randn(n, 8, generator=generator, dtype=torch.float64) for n in (6, 5))  # B, D and C, D
labels = torch.tensor([0, 1, 2, 3, 4, 0])
for margin in (facelib.CosFace(s=16, m=0.35), facelib.ArcFace(s=16, m=0.5)):
    name = type(margin).__name__
    hand, auto = by_hand(x, w, labels, margin.s, margin.m, name), by_autograd(x, w, labels, margin)
    for tensor in hand:
        worst = (hand[tensor] - auto[tensor]).abs().max()
        shape, largest = tuple(hand[tensor].shape), auto[tensor].abs().max()
        print(f"{name:8}{tensor:10} {shape!s:7} largest entry {largest:6.3f}, difference below 1e-12: {worst < 1e-12}")
        assert worst < 1e-12

# %% [markdown]
# A receipt with a wrong term would differ in the first digits: leave $1/|x|$ out, or take $\sin\theta$ for $\sin(\theta + m)$, and run it.
#
# Equation 6.9 is a force: how hard the loss pulls an embedding towards its centre. On the arc between two centres 90 degrees apart it looks like this.
#
# <details class="predict"><summary>Predict before you run: with s = 16, where does each pull die out? Which is still alive at 20 degrees?</summary>
#
# Each pull dies where its class has won, some way inside its border: without a margin a little before 45 degrees, with a margin half a gap earlier. The pull has two factors: $1 - p_y$ is near 1 on the losing side, and there the sine decides.
#
# </details>

# %% mystnb={"image": {"alt": "Three curves of the pull over the angle to the own centre from 0 to 90 degrees. Without a margin it rises around 45 degrees; with a margin both curves leave zero near 23 degrees, ArcFace climbs at once to nearly 16, CosFace to about 10 and then slowly on. At 90 degrees CosFace and no margin meet at 16, ArcFace ends lower."}}
along = torch.linspace(0.5, 90, 180, dtype=torch.float64).deg2rad().requires_grad_()  # K
pulls = {}
for name in ("no margin", "CosFace 0.35", "ArcFace 0.5"):
    rule = rules[name].target(along.cos())
    two = 16 * torch.stack([rule, torch.cos(torch.pi / 2 - along.detach())], dim=1)  # K, 2; class 2 held still
    loss = F.cross_entropy(two, torch.zeros(len(along), dtype=torch.long), reduction="sum")
    pulls[name] = torch.autograd.grad(loss, along)[0].numpy()

walked = along.detach().rad2deg().numpy()
ax = plot.curves(walked, pulls, "θ to the own centre, in degrees", "pull: d loss / d θ of the own angle")
_ = ax.set(title="two centres 90° apart, s = 16")
half_way = {name: float(np.interp(8, pull[:120], walked[:120])) for name, pull in pulls.items()}
for name, at in half_way.items():
    print(f"{name:13} the pull is 8, half of s, at {at:.0f} degrees")
assert half_way["no margin"] - half_way["ArcFace 0.5"] > 8

# %% [markdown]
# Nothing pulls an embedding that has won by enough: softmax stops first, the margins go on for about half a gap more. Both margins set in at the same place, since their gaps are equal here, but not with the same force. CosFace pulls with the sine of the angle as it is, and no margin and CosFace agree wherever $p_y$ is near 0. ArcFace pulls with the sine of the handicapped angle, which is larger below 76 degrees and smaller above. (Only the own angle's pull is drawn. The rival pushes as well, by $s\,p_2 \sin\theta_2$.)
#
# ## Past 180 degrees
#
# An angle between two vectors ends at 180 degrees, but $\theta + m$ does not. Beyond it the cosine turns round and rises: a *worse* angle gets a *better* logit, and the gradient pushes the embedding away from its own centre. For ArcFace with 0.5 that begins at $180 - 28.6 = 151.4$ degrees. The equation leaves open what to do there; a program has to choose. In the library the choice has a name, `beyond`:
#
# | `beyond` | for $\varphi = \theta + m$ past 180 degrees | who does it |
# |---|---|---|
# | `"linear"` | $\cos\theta - m \sin m$ | ArcFace's authors, their default; ours too |
# | `"fold"` | $(-1)^k \cos\varphi - 2k$, SphereFace's way | SphereFace |
# | `"clamp"` | $\cos 180° = -1$ | AdaFace's authors |
# | `"easy"` | no margin at all unless $\theta < 90°$ | ArcFace's authors, as an option |
# | `"none"` | $\cos\varphi$ as it stands | the equation |
#
# (`"linear"` is a straight line over the cosine, not over the angle.) The experiment changes only this word.
#
# <details class="predict"><summary>Predict before you run: which of the five keep falling over the whole range? Which stop pulling, and which make a jump?</summary>
#
# Look at the ends: at 180 degrees `none` has risen again, `clamp` is flat. `easy` drops the margin at 90 degrees, so its logit must jump up there. `linear` and `fold` keep falling; only one of them does so without a step. Then set it up in the [laboratory](../book/laboratory.md), under "Past π", and drag the probe across.
#
# </details>

# %% mystnb={"image": {"alt": "Two panels from 70 to 180 degrees for five rules. Left, the target: all but easy coincide up to 151 degrees; then linear steps down and falls on, fold falls on smoothly, clamp stays at minus 1, none rises; easy jumps up at 90 degrees. Right, the pull: none becomes negative beyond 151 degrees, clamp is zero, linear and fold stay positive."}}
bent = {name: facelib.ArcFace(m=0.5, beyond=name) for name in ("linear", "fold", "clamp", "easy", "none")}
angles = torch.linspace(70, 179, 1091, dtype=torch.float64).deg2rad().requires_grad_()
values = {name: rule.target(angles.cos()) for name, rule in bent.items()}
slopes = {name: -torch.autograd.grad(value.sum(), angles)[0].numpy() for name, value in values.items()}
values = {name: value.detach().numpy() for name, value in values.items()}
at = angles.detach().rad2deg().numpy()

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6))
plot.curves(at, values, "θ to the own centre, in degrees", "target's cosine with the margin", axes[0])
plot.curves(at, slopes, "θ to the own centre, in degrees", "pull / (s (1 - p))", axes[1]).legend_.remove()
for ax in axes:
    ax.axvline(180 - np.degrees(0.5), color="grey", linestyle=":")

# %%
steps = {name: np.diff(value) for name, value in values.items()}  # from one angle of the grid to the next
for name, step in steps.items():
    jump = step[np.abs(step).argmax()] if np.abs(step).max() > 0.01 else 0.0
    always = "falls everywhere" if step.max() < 0 else "never rises" if step.max() < 1e-9 else "rises somewhere"
    print(f"{name:7} {always:17} jump {jump:+.2f}   pull at 170 degrees {np.interp(170, at, slopes[name]) + 0:+.2f}")
assert steps["linear"].max() < 0 and steps["fold"].max() < 0
assert steps["clamp"].max() < 1e-9 and np.abs(slopes["clamp"][at > 152]).max() == 0  # flat: no pull
assert slopes["none"][at > 152].max() < 0  # the wrong way
assert steps["easy"].max() > 0.4 and np.abs(steps["fold"]).max() < 0.003

# %% [markdown]
# A jump in the logit does no harm by itself, since gradients see slopes and not steps; but the loss that you watch will have one. `easy` gives up the margin just where a fresh network starts. How much does all this matter? Ask how often a random start gets there. A network that knows nothing gives embeddings whose angles to the centres are about those of random vectors, in the number of dimensions it has.

# %%
generator = torch.Generator().manual_seed(2)
for dimensions in (2, 3, 8, 32, 512):
    a, b = (F.normalize(torch.randn(1000, dimensions, generator=generator)) for _ in range(2))
    start = torch.acos((a @ b.T).clamp(-1, 1)).rad2deg()  # 1000, 1000: a million angles
    past = (start + np.degrees(0.5) > 180).float().mean()
    spread = f"{start.min():.0f} to {start.max():.0f} degrees"
    print(f"{dimensions:3} dimensions: {spread:19} past 180 with ArcFace's 0.5: {100 * past:.1f} %")
assert past == 0 and start.max() < 120
print(f"512 dimensions, SphereFace 4: {100 * (4 * start > 180).float().mean():.0f} % past 180 degrees")

# %% [markdown]
# On a plane about one embedding in six starts beyond the bend; among a million random pairs in 512 dimensions there is none, since there all angles crowd around 90 degrees. So in a real network ArcFace's rule past 180 degrees is for the rare: wrong labels, and training that went wrong. It matters in small pictures like those of the next lesson. SphereFace with $m = 4$ is another matter. Four times 90 degrees is 360: it *lives* past 180, and its folding is no detail.
#
# ## Exact and detached
#
# Equation 6.10 has a factor $\sin(\theta + m) / \sin\theta$ for ArcFace. Many training programs do not have it: they change the target's logit where autograd does not look (`torch.no_grad`, or `.data`). The forward pass is the same, the backward pass that of the plain cosine. The library has both, `gradient="exact"` and `gradient="detached"`.

# %% mystnb={"image": {"alt": "The factor of the exact gradient over the angle, logarithmic. It exceeds 25 at 1 degree, falls to 1 near 76 degrees and towards 0 at 151 degrees, beyond which it follows the linear rule and is 1. A horizontal line at 1 stands for detached and for CosFace."}}
exact, detached = facelib.ArcFace(s=64, m=0.5), facelib.ArcFace(s=64, m=0.5, gradient="detached")
cosines = torch.tensor(np.cos(np.radians(degrees)))[:, None].requires_grad_()  # K, 1: one class
zeros = torch.zeros(len(cosines), dtype=torch.long)
assert torch.allclose(exact(cosines, zeros), detached(cosines, zeros), atol=1e-9)  # forward: the same
factor = {
    name: (torch.autograd.grad(rule(cosines, zeros).sum(), cosines)[0] / 64)[:, 0].numpy()
    for name, rule in {"exact": exact, "detached, and CosFace": detached}.items()
}
radians = np.radians(degrees)
before = degrees < 150
expected = np.sin(radians + 0.5) / np.sin(radians)
assert np.allclose(factor["exact"][before], expected[before], rtol=1e-6)
assert np.allclose(factor["detached, and CosFace"], 1)
ax = plot.curves(degrees, factor, "θ to the own centre", "d logit / d cosine, over s", degrees=True)
_ = ax.set(yscale="log", ylim=(0.05, 60))
print(f"the factor is {factor['exact'][1]:.0f} at 1 degree and 1 at {degrees[factor['exact'] < 1][0]:.0f} degrees")

# %% [markdown]
# (Try it in the [laboratory](../book/laboratory.md): its last experiment switches between the two.) Towards 0 degrees the factor grows without bound. Is that dangerous? For the embedding, no. A small step of $x$ changes the cosine by $\sin\theta$ times the step, and $\sin\theta \cdot \sin(\theta + m) / \sin\theta = \sin(\theta + m)$: the infinity cancels. In exact arithmetic, ArcFace pulls an embedding that sits on its own centre with $\sin m$, detached with nothing. In floating point the two factors are computed apart, and at a cosine of exactly 1 that is infinity times zero. That failure is measured under "Break it".
#
# What does the factor do to training? One small network, ten classes, three dimensions, and only the word `gradient` changes. The pictures are digits drawn by OpenCV in four typefaces, shifted, turned and covered with noise: enough to learn, and nothing to download.

# %% mystnb={"image": {"alt": "Twenty small noisy pictures of digits in different typefaces, sizes and slants, all readable."}}
import cv2


def draw(count, seed):
    """Pictures (count, 14, 14) of about unit spread, and labels (count,)."""
    rng = np.random.default_rng(seed)
    pictures, labels = np.zeros((count, 14, 14), np.uint8), rng.integers(0, 10, count)
    for picture, label in zip(pictures, labels, strict=True):
        move = cv2.getRotationMatrix2D((14, 14), rng.uniform(-15, 15), rng.uniform(0.5, 0.6))
        move[:, 2] += rng.uniform(-1.5, 1.5, 2) - 7
        typeface, thickness = int(rng.choice([0, 2, 3, 4])), int(rng.integers(1, 4))
        large = cv2.putText(np.zeros((28, 28), np.uint8), str(label), (6, 22), typeface, 0.8, 255, thickness)
        cv2.warpAffine(large, move, (14, 14), dst=picture)
    noisy = (pictures / 255 - 0.2 + rng.normal(0, 0.1, pictures.shape)) / 0.3
    return torch.tensor(noisy).float(), torch.tensor(labels)


(train_x, train_y), (test_x, test_y) = draw(3000, 0), draw(1000, 1)
shown = (0.3 * train_x[:20, :, :, None] + 0.2).clamp(0, 1).expand(-1, -1, -1, 3)  # grey as three equal colours
_ = plot.grid(shown, columns=10, side=0.8)

# %%
from torch import nn

torch.set_num_threads(1)  # these tensors are so small that a second thread only costs time


def train(margin, seed, labels=train_y, steps=300):
    """A small network, trained from a start and an order that ``seed`` fixes; returns it with head and losses."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Flatten(), nn.Linear(196, 64), nn.ReLU(), nn.Linear(64, 3))
    head = facelib.CosineClassifier(3, 10)
    optimizer = torch.optim.Adam([*network.parameters(), *head.parameters()], lr=0.02)
    losses = []
    for _ in range(steps):
        batch = torch.randint(len(train_x), (128,))
        loss = F.cross_entropy(margin(head(network(train_x[batch])), labels[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return network, head, np.array(losses)


@torch.no_grad()
def judge(network, head, images, labels):
    """Median angle to the own centre in degrees, and clean accuracy in percent."""
    cosine = head(network(images))
    own = cosine.gather(1, labels[:, None]).clamp(-1, 1).acos().rad2deg()
    return float(own.median()), 100 * float(facelib.clean_accuracy(cosine, labels))


# %% [markdown]
# <details class="predict"><summary>Predict before you run: which ends nearer to its own centres, exact or detached? Which is more accurate?</summary>
#
# Below about 76 degrees the factor exceeds 1: near the centre exact pulls harder, so embeddings should end nearer. Accuracy depends on which class wins, not on by how much; the geometry does not tell. And the factor has a zero: at $\theta + m = 180°$ exact does not pull at all. Could a start get stuck there? In three dimensions it might.
#
# </details>

# %% mystnb={"image": {"alt": "Two panels, one line a seed from exact to detached. Left, the angle to the own centre on training pictures: lines rise from about 10 degrees under exact to 11 to 16 under detached; one, dashed, comes from far above the panel down to 17. Right, accuracy on test pictures: some lines rise, some fall; the dashed one comes from far below the panel and ends lowest."}}
kinds = {kind: facelib.ArcFace(s=16, m=0.5, gradient=kind) for kind in ("exact", "detached")}
trained = {kind: [train(margin, seed) for seed in range(6)] for kind, margin in kinds.items()}
own = {kind: np.array([judge(*run[:2], train_x, train_y)[0] for run in runs]) for kind, runs in trained.items()}
right = {kind: np.array([judge(*run[:2], test_x, test_y)[1] for run in runs]) for kind, runs in trained.items()}
stuck = own["exact"] > 120
fig, axes = plt.subplots(1, 2, figsize=(8, 3.2))
for ax, found, name in ((axes[0], own, "median angle to the own centre"), (axes[1], right, "test accuracy, %")):
    for exact_value, detached_value, lost in zip(*found.values(), stuck, strict=True):
        ax.plot([0, 1], [exact_value, detached_value], "o--" if lost else "o-", color=plot.RED if lost else plot.BLUE)
    ax.set(xticks=[0, 1], xticklabels=found, xlim=(-0.3, 1.3), title=name)
_ = axes[0].set(ylim=(6, 18)), axes[1].set(ylim=(80, 100))

# %%
nearer = (own["detached"] - own["exact"])[~stuck].mean()
print(f"some start got stuck under exact: {stuck.any()}, under detached: {(own['detached'] > 120).any()}")
print(f"elsewhere exact ends nearer to its centres, by more than a degree on average: {nearer > 1}")
assert stuck.sum() < 4 and nearer > 1 and (right["detached"] > 70).all()

# %% [markdown]
# From most starts exact draws the classes tighter, as the factor says. The accuracy goes up for one seed and down for the next, and half a dozen seeds of a toy name no winner.
#
# The dashed line leaves both panels: that start fails under exact and not under detached. Half of its embeddings end more than 120 degrees from their centres, towards the bend, where the pull is weak or gone and the rivals do the rest. Here are three dimensions; in 512, as counted above, no start comes near the bend. Published networks have been trained both ways.
#
# There is a second difference, and it is one of principle: **the detached gradient is not the gradient of the loss that is printed.** To see it, take away what can be learnt, by shuffling the labels. Now no network can be right more than one time in ten. What is the best that ArcFace's loss can reach? Put all embeddings and all centres into one point: every $\theta$ is 0, every wrong cosine is 1, the right one $\cos m$, and
#
# $$ L = \log\left(1 + (C - 1)\, e^{s (1 - \cos m)}\right) . \tag{6.12} $$

# %% mystnb={"image": {"alt": "Loss over 300 steps with shuffled labels. Three lines of the exact gradient fall to a dotted line near 4 that marks the collapse into one point; three lines of the detached gradient stay between 7 and 10."}}
shuffled = train_y[torch.randperm(len(train_y), generator=torch.Generator().manual_seed(0))]
lost = {kind: [train(margin, seed, shuffled)[2] for seed in range(3)] for kind, margin in kinds.items()}
point = np.log(1 + 9 * np.exp(16 * (1 - np.cos(0.5))))
fig, ax = plt.subplots(figsize=(7, 3.2))
for (kind, runs), colour in zip(lost.items(), (plot.BLUE, plot.ORANGE), strict=True):
    for run in runs:
        smooth = np.convolve(run, np.ones(20) / 20, "valid")  # the mean of 20 steps
        ax.plot(smooth, color=colour, label=kind if run is runs[0] else None)
ax.axhline(point, color="grey", linestyle=":", label="all in one point, equation 6.12")
_ = ax.set(xlabel="step", ylabel="loss, shuffled labels", ylim=(3, 14)), ax.legend()
last = {kind: np.array([run[-50:].mean() for run in runs]) for kind, runs in lost.items()}
print(f"one point: a loss of {point:.1f}")
print(f"exact ends lower than detached in every seed: {last['exact'].max() < last['detached'].min()}")
assert last["exact"].max() + 1 < last["detached"].min()

# %% [markdown]
# The exact gradient does what it is asked and lowers the loss, by giving up: everything moves into one point. The detached one keeps pulling as if nothing were added to the angle, keeps the classes apart, and its loss stays high. If your loss sinks to the value of equation 6.12 and stands there, look at the angles between your centres. It is a sign of labels that cannot be learnt.
#
# ## Scale and margin together
#
# The scale decides how sharp the border is, the margin where it lies. Take 10,000 classes whose centres all stand at 90 degrees to the embedding, except its own. Their cosines are 0, so
#
# $$ p_y = \frac{e^{s\, t(\theta)}}{e^{s\, t(\theta)} + C - 1} . \tag{6.13} $$
#
# <details class="predict"><summary>Predict before you run: for s = 4, 16 and 64, at which angle is the right class as probable as all others together? What does a margin of 0.5 change?</summary>
#
# The logit must reach $\log 9999 \approx 9.2$. With $s = 4$ it ends at 4, so never: there is no border for a margin to move. With 16 the cosine must reach 0.58, with 64 only 0.14. ArcFace moves each border by the same 28.6 degrees.
#
# </details>

# %% mystnb={"image": {"alt": "Two panels over the angle to the own centre for s of 4, 16 and 64, solid without and dashed with a margin. Left, the probability: at 4 both lines lie at zero; at 16 a soft slope at 55 degrees moves to 26; at 64 a cliff at 82 degrees moves to 53. Right, the pull: never above 4 at s = 4, and for 64 zero up to the cliff and near 64 beyond."}}
theta = torch.linspace(0.5, 110, 220, dtype=torch.float64).deg2rad()
fig, axes = plt.subplots(1, 2, figsize=(9, 4))
chance, borders_at = {}, {}
for s, colour in zip((4, 16, 64), (plot.GREEN, plot.ORANGE, plot.BLUE), strict=True):
    for name, m, style in (("no margin", 0.0, "-"), ("ArcFace 0.5", 0.5, "--")):
        z = s * facelib.ArcFace(m=m).target(theta.cos())
        p = torch.sigmoid(z - np.log(9_999))  # equation 6.13
        chance[s, name] = p.numpy()
        axes[0].plot(theta.rad2deg(), p, style, color=colour, label=f"s = {s}, {name}")
        axes[1].plot(theta.rad2deg(), s * (1 - p) * torch.sin(theta + m), style, color=colour)
        if p[0] > 0.5:
            borders_at[s, name] = float(np.interp(-0.5, -p.numpy(), theta.rad2deg().numpy()))
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
_ = axes[0].set(xlabel="θ, degrees", ylabel="p of the right class"), axes[1].set(xlabel="θ, degrees", ylabel="pull")
for (s, name), border in borders_at.items():
    print(f"s = {s}: p is one half at {border:.0f} degrees, {name}")

# %%
assert chance[4, "no margin"].max() < 0.01 and (4, "no margin") not in borders_at
for s in (16, 64):
    assert abs(borders_at[s, "no margin"] - borders_at[s, "ArcFace 0.5"] - np.degrees(0.5)) < 1
soft = {s: int(((p > 0.05) & (p < 0.95)).sum() / 2) for (s, name), p in chance.items() if name == "no margin"}
print(f"from p = 0.95 to 0.05 it takes {soft[16]} degrees at s = 16, {soft[64]} at s = 64")
assert soft[16] > 3 * soft[64]

# %% [markdown]
# With $s$ too small the probability is near 0 everywhere and the pull never fades: every embedding, good or bad, is drawn alike, and the margin has nothing to move. With $s$ large the loss becomes a yes or no: nothing inside the border, everything outside. A large $s$ alone leaves embeddings at 80 degrees in peace; the margin moves that border inwards to where it is wanted. This is why the two are set together, and why $s$ must grow with the number of classes ([lesson 05](05_softmax_to_sphere.ipynb)).
#
# ## Adaptive margins in one picture
#
# Later rules let the margin depend on more than the angle. Four of them:
#
# - **AdaFace** ([Kim et al. 2022](../book/bibliography.md)) takes the length of the embedding for a sign of picture quality. Compared with the running mean, a short one gets ArcFace's added angle, an average one CosFace's lowered cosine, and a long one a *smaller* angle with twice the amount off the cosine.
# - **MagFace** ([Meng et al. 2021](../book/bibliography.md)) gives long embeddings the larger angular margin.
# - **CurricularFace** ([Huang et al. 2020](../book/bibliography.md)) leaves the target to ArcFace and reweights *rivals*: one that beats the handicapped target is hard, and its cosine becomes $\cos\theta_j\,(t + \cos\theta_j)$, where $t$ grows as training goes well.
# - **UniFace** ([Zhou et al. 2023](../book/bibliography.md)) leaves CosFace's target alone and changes the loss: all right pairs should come above one threshold, all wrong ones below. Under the ordinary softmax loss that threshold cancels, and what is left is CosFace.

# %% mystnb={"image": {"alt": "Three panels. AdaFace: target over the angle for short, average and long embeddings; long ones lie lowest, and their curve is flat at small angles and steep at large ones, that of short ones the other way round. MagFace: the curve of long embeddings lies below that of short ones. CurricularFace: the cosine of a rival after the rule over before; a straight diagonal up to the handicapped target's 0.36, then below the diagonal for t = 0 and above for t = 1."}}
degrees_in = np.linspace(1, 140, 279)
own_cosine = torch.tensor(np.cos(np.radians(degrees_in)))
ada = facelib.AdaFace(m=0.4).eval()
ada.std.fill_(6.0)  # as if training had seen lengths of 20 with a spread of 6; the mean is 20 already
lengths = {"short, 2": 2.0, "average, 20": 20.0, "long, 38": 38.0}
adaptive = {name: ada.target(own_cosine, torch.full_like(own_cosine, a)).numpy() for name, a in lengths.items()}
lengths = {"short, 10": 10.0, "long, 110": 110.0}
mag = facelib.MagFace()
magnitude = {name: mag.target(own_cosine, torch.full_like(own_cosine, a)).numpy() for name, a in lengths.items()}
assert np.allclose(adaptive["short, 2"], facelib.ArcFace(m=0.4).target(own_cosine), atol=1e-3)
assert np.allclose(adaptive["average, 20"], facelib.CosFace(m=0.4).target(own_cosine), atol=1e-6)
every = torch.arange(32) % 10
chances = [rule(random, every).softmax(1) for rule in (facelib.UniFace(10, m=0.4), facelib.CosFace(m=0.4))]
assert torch.allclose(*chances, atol=1e-9)
assert np.allclose(magnitude["long, 110"], facelib.ArcFace(m=0.8).target(own_cosine), atol=1e-6)

rivals = torch.linspace(-0.2, 1, 241, dtype=torch.float64)
both = torch.stack([torch.full_like(rivals, np.cos(np.radians(40))), rivals], dim=1)  # K, 2: own class at 40 degrees
hardened = {"no rule": rivals.numpy()}
for t in (0.0, 1.0):
    rule = facelib.CurricularFace(s=1, m=0.5).eval()
    rule.t.fill_(t)
    hardened[f"t = {t:.0f}"] = rule(both, torch.zeros(len(both), dtype=torch.long))[:, 1].numpy()
easy = rivals.numpy() < np.cos(np.radians(40) + 0.5)
assert np.allclose(hardened["t = 1"][easy], rivals[easy]) and (hardened["t = 1"][~easy] > rivals[~easy].numpy()).all()

fig, axes = plt.subplots(1, 3, figsize=(9, 3.2))
plot.curves(degrees_in, adaptive, "θ, degrees", "target's cosine", axes[0]).set_title("AdaFace, by length")
plot.curves(degrees_in, magnitude, "θ, degrees", "", axes[1]).set_title("MagFace, by length")
_ = plot.curves(rivals, hardened, "a rival's cosine", "", axes[2]).set_title("CurricularFace, rivals")

# %%
for kind, lines in {"AdaFace": adaptive, "MagFace": magnitude}.items():
    for name, line in lines.items():
        fall = -np.gradient(line, np.radians(degrees_in))
        near, far = (np.interp(at, degrees_in, fall) for at in (20, 120))
        print(f"{kind}, {name:11} falls by {abs(near):.2f} a radian at 20 degrees, by {far:.2f} at 120")

# %% [markdown]
# Both ask more of long embeddings: their curves lie lower. But it is slopes that pull. AdaFace pulls a short embedding, far from its centre, less than a long one there: a picture too poor to be recognised is spared. With MagFace both are pulled less as the angle with its margin nears 180 degrees. Whether a length stands for quality at all depends on the network; [lesson 07](07_margins_at_work.ipynb) tries them.
#
# ## Break it
#
# ### The arccosine at 1
#
# The straightforward ArcFace of the second section, and an embedding that has reached its centre:

# %%
for name, rule in {"naive": lambda c: arcface(c, 0.5), "facelib": facelib.ArcFace(m=0.5).target}.items():
    x = torch.tensor([[2.0, 0.0, 0.0]], requires_grad=True)  # along the first axis
    centre = torch.tensor([1.0, 0.0, 0.0])  # and so is its centre
    cosine = (F.normalize(x) * centre).sum(1)
    cosine.retain_grad()
    rule(cosine).sum().backward()
    finite = bool(torch.isfinite(x.grad).all())
    print(
        f"{name:8} cosine {cosine.item():.0f}, d target / d cosine {cosine.grad.item():.3g}, embedding's gradient finite: {finite}"
    )
    assert finite == (name == "facelib")

generator = torch.Generator().manual_seed(3)
a = F.normalize(torch.randn(10_000, 512, generator=generator))
beyond_one = ((a * a).sum(1) > 1).float().mean()
print(f"float32 unit vectors with themselves: more than a tenth have a cosine above 1: {bool(beyond_one > 0.1)}")
assert beyond_one > 0.1 and torch.isnan(torch.acos(torch.tensor(1.0000001)))

# %% [markdown]
# The slope of the arccosine at 1 is infinite, and $\hat w_y - \cos\theta_y\, \hat x$ in (6.11) is zero there; infinity times zero is NaN, and one NaN in one gradient ruins every weight at the next step. Worse, rounding brings cosines *above* 1, whose arccosine is NaN already in the forward pass. Such cosines need no miracle: a class with a single picture draws its centre right onto it. `facelib.margins` holds cosines within $\pm(1 - 10^{-6})$ before the arccosine, and lets the gradient through at that slope.
#
# ### Logits in half precision
#
# bfloat16 keeps 8 binary digits. Between 32 and 64 its numbers lie 0.25 apart, and cosines near 1 lie 1/256 apart. We let the target's angle run and compute $s\cos\theta$ and the loss against one rival at 60 degrees in float32 and with bfloat16 logits.

# %% mystnb={"image": {"alt": "Loss over the angle from 57 to 60 degrees. In float32 a smooth curve; with bfloat16 logits a staircase of about a dozen steps around it."}}
fine = torch.linspace(57, 60, 1001).deg2rad()
exact_logits = 64 * torch.stack([fine.cos(), torch.full_like(fine, 0.5)], dim=1)  # K, 2
rough = exact_logits.bfloat16()
zeros = torch.zeros(len(fine), dtype=torch.long)
curves = {
    "float32": F.cross_entropy(exact_logits, zeros, reduction="none").numpy(),
    "bfloat16 logits": F.cross_entropy(rough.float(), zeros, reduction="none").numpy(),
}
ax = plot.curves(fine.rad2deg(), curves, "θ to the own centre, in degrees", "loss")
spacing = float(torch.nextafter(torch.tensor(63.0).bfloat16(), torch.tensor(64.0).bfloat16()) - 63)
off = curves["bfloat16 logits"] / curves["float32"] - 1
print(f"next to 63 in bfloat16: 63 + {spacing}; {len(rough[:, 0].unique())} different logits for 1001 angles")
print(f"the loss is off by up to {100 * np.abs(off).max():.0f} %")
small = torch.linspace(0, 10, 1001)
last_one = float(small[small.deg2rad().cos().bfloat16() == 1].max())
print(f"in bfloat16 the cosine of every angle up to {last_one:.1f} degrees is 1")
assert spacing == 0.25 and np.abs(off).max() > 0.05

# %% [markdown]
# The loss becomes a staircase, with errors of several percent, and a bfloat16 cosine cannot tell a perfect embedding from one three degrees away. Nothing crashes. So head and margin compute in float32 even where the backbone runs in 16 bits, and those of the library see to it themselves:

# %%
with torch.autocast("cpu", dtype=torch.bfloat16):
    head = facelib.CosineClassifier(8, 4)
    cosine = head(torch.randn(2, 8).bfloat16())
    print("cosine:", cosine.dtype, "logits:", facelib.ArcFace()(cosine, torch.tensor([0, 1])).dtype)
assert cosine.dtype == torch.float32

# %% [markdown]
# ### Forgetting s
#
# Without the scale, logits are cosines: at most 1 for the right class, and about 0 for most of the others. Equation 6.13 then gives the best loss that can be reached, and, more important, who gets the push. Among 10,000 classes let one rival be a look-alike at 60 degrees, and all others stand at 90. What share of the push on rivals goes to the look-alike?

# %%
for s in (1, 16, 64):
    best = np.log(1 + 9_999 * np.exp(-s))  # own cosine 1, rivals 0
    share = np.exp(s * 0.5) / (np.exp(s * 0.5) + 9_998)
    print(f"s = {s:2}: smallest loss {best:.3f}, the look-alike gets {100 * share:5.2f} % of the push")
    assert (share > 0.99) == (s == 64)

network, head, losses = train(facelib.CosFace(s=1, m=0.35), 0)
_, accuracy = judge(network, head, test_x, test_y)
print(f"ten digits with s = 1: the loss stays above 1.5: {losses.min() > 1.5}; accuracy above 85 %: {accuracy > 85}")
assert losses.min() > 1.5 and accuracy > 85

# %% [markdown]
# With 10,000 people and $s = 1$ the loss is stuck above 8, and the push is spread evenly over people who are no danger. With ten digits the same mistake does not even show in the accuracy, only in a loss that will not fall: small trials hide it. If your loss starts near the logarithm of the number of classes and hardly moves, look for `s`.

# %% [markdown]
# ## Exercises
#
# ### Exercise 6.1 · CosFace, all of it
#
# <span class="meta">★☆☆ · 10 minutes</span>
#
# Write `cosface_logits(cosine, labels, s, m)`: (B, C) cosines and (B,) labels to (B, C) logits, equations 6.2 and 6.3. Leave `cosine` as it was: the caller computes the accuracy from it.
#
# <details class="hint"><summary>Hint 1</summary>
#
# `F.one_hot(labels, C)` is a (B, C) tensor with a 1 at each right class and 0 elsewhere.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# First the margin, then the scale, on everything: s (cosine - m · one-hot).
#
# </details>


# %% tags=["exercise"]
def cosface_logits(cosine, labels, s, m):
    return ...  # your code


# %% tags=["check"]
check.cosface_logits(cosface_logits)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def cosface_logits(cosine, labels, s, m):
#     return s * (cosine - m * F.one_hot(labels, cosine.shape[1]))
# ```
#
# The margin is taken off before the scale: 0.35 is a difference of cosines, and of logits it is 0.35 s.
#
# </details>

# %% [markdown]
# ### Exercise 6.2 · ArcFace that keeps falling
#
# <span class="meta">★★☆ · 15 minutes</span>
#
# Write `arcface_linear(cosine, m)`: $\cos(\theta + m)$ up to 180 degrees, and $\cos\theta - m \sin m$ beyond. `cosine` is a tensor of any shape with values between -1 and 1.
#
# <details class="hint"><summary>Hint 1</summary>
#
# `torch.where(condition, a, b)` takes `a` where the condition holds and `b` elsewhere, entry by entry.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# The condition is on the angle: theta + m at most pi. The sine of the number m is `np.sin(m)`.
#
# </details>


# %% tags=["exercise"]
def arcface_linear(cosine, m):
    return ...  # your code


# %% tags=["check"]
check.arcface_linear(arcface_linear)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def arcface_linear(cosine, m):
#     theta = torch.acos(cosine)
#     return torch.where(theta + m <= torch.pi, torch.cos(theta + m), cosine - m * np.sin(m))
# ```
#
# For training it still needs the care of "Break it": cosines held a little inside of 1. That is `facelib.margins.base.angle`.
#
# </details>

# %% [markdown]
# ### Exercise 6.3 · No room left
#
# <span class="meta">★★☆ · 15 minutes</span>
#
# As two centres come closer, the regions of their classes shrink. Write `closest(m2, m3)`: the angle between the centres, in radians, at which a class has no region left under $t(\theta) = \cos(\theta + m_2) - m_3$. For ArcFace $m_3 = 0$, for CosFace $m_2 = 0$.
#
# <details class="hint"><summary>Hint 1</summary>
#
# Which embedding satisfies its class most easily? Where is it, and what are its two angles?
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# It sits on its own centre: the own angle is 0, the other one is the angle between the centres. Put both into equation 6.7, with an equals sign.
#
# </details>


# %% tags=["exercise"]
def closest(m2, m3):
    return ...  # your code


# %% tags=["check"]
check.closest(closest)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def closest(m2, m3):
#     return np.arccos(np.cos(m2) - m3)
# ```
#
# At the own centre the rule gives cos(m2) - m3, and that must exceed the cosine between the centres. For ArcFace the answer is m itself, for CosFace arccos(1 - m), where its gap curve meets the diagonal.
#
# </details>

# %% [markdown]
# ### Exercise 6.4 · SphereFace at its corners
#
# <span class="meta">★★★ · 25 minutes</span>
#
# SphereFace's $t$ of equation 6.5 is made of half waves, joined at $\theta = k\pi/m$. Convince yourself on paper that both sides give $1 - 2k$ there. Then write `steepness(theta, m)`: how fast $t$ falls, $-dt/d\theta$, for an angle in radians (a number or an array). What is it at 90 degrees for $m = 4$, where a random start begins?
#
# <details class="hint"><summary>Hint 1</summary>
#
# On one piece $k$ is a constant: it has no slope. So differentiate $(-1)^k \cos(m\theta)$.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# $(-1)^k m \sin(m\theta)$. On piece $k$, $m\theta$ lies between $k\pi$ and $(k+1)\pi$. Which sign has the sine there? So what is the product always?
#
# </details>


# %% tags=["exercise"]
def steepness(theta, m):
    return ...  # your code


# %% tags=["check"]
check.steepness(steepness)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def steepness(theta, m):
#     return m * np.abs(np.sin(m * theta))
# ```
#
# The flips by $(-1)^k$ make the sine positive, so that the curve never rises. But at each corner it is flat, and 90 degrees is a corner of m = 4: a random start feels almost no pull towards its own centre. The authors' code mixes in the plain cosine at first (`lam` in `facelib.SphereFace`).
#
# </details>

# %% [markdown]
# ## Quiz
#
# **Question 1.** A network was trained with ArcFace, m = 0.5. What is the margin at test time?
#
# <details class="quiz"><summary>A · 0.5, added to the angle between the two embeddings</summary>
#
# Wrong: two embeddings are compared as they are. There is no label at test time, and so no right class to handicap.
#
# </details>
# <details class="quiz"><summary>B · None; the threshold is chosen on other data</summary>
#
# Right: the margin is a demand made in training. It has shaped the embeddings, and its work is done.
#
# </details>
# <details class="quiz"><summary>C · None, because the head is frozen after training</summary>
#
# Wrong reason: the head is not frozen but thrown away. The people of the test have no centres in it.
#
# </details>
#
# **Question 2.** During training, the accuracy computed from the logits is near 0, and the loss falls nicely. What is wrong?
#
# <details class="quiz"><summary>A · The learning rate is too small</summary>
#
# Wrong: the loss falls.
#
# </details>
# <details class="quiz"><summary>B · Nothing in the training; the accuracy was taken from logits with the margin in them</summary>
#
# Right: on those the right class is handicapped, and rivals at 60 degrees beat a target that looks like 70. `facelib.clean_accuracy` takes the cosines.
#
# </details>
# <details class="quiz"><summary>C · The margin has the wrong sign</summary>
#
# Wrong: with the wrong sign the right class would be favoured, and this accuracy would be high from the start.
#
# </details>
#
# **Question 3.** Two centres come closer together. Whose free gap grows?
#
# <details class="quiz"><summary>A · ArcFace's, because its margin is an angle</summary>
#
# Wrong: just because it is an angle, its gap is the same between any two centres.
#
# </details>
# <details class="quiz"><summary>B · CosFace's, because near a centre the cosine is flat</summary>
#
# Right: where the cosine is flat, 0.35 of it is a large angle. Below 49.5 degrees the gap is all there is.
#
# </details>
# <details class="quiz"><summary>C · SphereFace's, because it multiplies</summary>
#
# Wrong, the other way round: it multiplies the angle, and small angles give small products.
#
# </details>
#
# **Question 4.** A program computes ArcFace's logits under `torch.no_grad` and adds them by a trick that keeps the cosine's gradient. Its loss is the right number. Is its training the same?
#
# <details class="quiz"><summary>A · Yes, gradients follow from the loss</summary>
#
# Wrong: gradients follow from what autograd has seen. Here it saw the plain cosine.
#
# </details>
# <details class="quiz"><summary>B · No: the gradient of the right logit lacks sin(θ + m) / sin θ, and the loss printed is not the one that is descended</summary>
#
# Right: near the centre it pulls less than the exact one, and with labels that cannot be learnt the two end in different places. It also never meets the infinite slope at a cosine of 1.
#
# </details>
# <details class="quiz"><summary>C · No, without the exact gradient it does not learn</summary>
#
# Wrong: it learnt the digits from every start. Many published networks were trained this way.
#
# </details>

# %% [markdown]
# ## Summary
#
# - A margin makes the right class look worse, in training only. CosFace takes from the cosine, ArcFace adds to the angle, SphereFace multiplies it; one formula holds all three.
# - In the plane of the two angles ArcFace's borders are straight and parallel, CosFace's bend, SphereFace's open like a fan from 0. On the arc between two centres ArcFace's gap is always the same, CosFace's grows and SphereFace's shrinks as people look more alike.
# - The gradient is probability times rule times geometry, and the receipt agrees with autograd to 12 digits.
# - Past 180 degrees a rule must be chosen. For ArcFace in many dimensions it is rarely needed; SphereFace with m = 4 cannot do without.
# - Detached gradients have the same logits and another descent. The arccosine at 1, logits in 16 bits and a forgotten `s` fail without an error message.
#
# How to put head and margin into your own training loop is one page: [a head in your own training loop](../book/heads.md). [Lesson 07](07_margins_at_work.ipynb) puts all margins to work: the same network, seeds and budget, and clouds of embeddings that can be looked at.
