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
# # 08 · Data
#
# <a class="colab" href="https://colab.research.google.com/github/facelib-course/facelib-course/blob/main/notebooks/08_data.ipynb">Open in Colab</a>
#
# A recogniser learns what its data show, and nothing else. What should face data show, when the photo collections of the field are withdrawn or restricted? The first part is about people nobody has photographed: how the synthetic people of this course are made, step by step from random numbers to a JPEG file, what tells two of them apart, and how to cut such data into parts that give an honest number. The second part is about collections on disk: a folder in the form of VGGFace2, its list files and splits, cleaning, packing, and where such sets came from and which were withdrawn.
#
# **You will be able to**
# - separate identity from nuisance in a data set, and measure why nuisance makes recognition hard;
# - build a face from a linear basis, turn it, project it, and predict its landmarks to a hundredth of a pixel;
# - rasterise triangles with barycentric coordinates and a z-buffer;
# - light a surface, colour skin with two dyes, and write what JPEG does to a block of pixels;
# - split data by people, spot a shortcut with a recogniser that sees no face, and measure what a leak is worth;
# - read, check and split a folder of people, find duplicates and broken files for certain and wrong labels with doubt;
# - pack pictures into a file you could write by hand, and say of a known data set what became of it.
#
# **Before this** [lesson 04](04_alignment.ipynb): landmarks, the template, aligned crops. Matrix products and exponentials; nothing of computer graphics.
#
# **Time** about 35 s to run on two CPU cores
# · about 150 minutes to read and do, in two parts of 90 and 60

# %% tags=["setup"]
try:
    import facelib
except ModuleNotFoundError:  # a fresh Colab
    # %pip install --quiet "facelib @ git+https://github.com/facelib-course/facelib-course"
    import facelib
import textwrap

import cv2
import matplotlib.pyplot as plt
import numpy as np
import torch

from facelib import TEMPLATE_112, plot, records
from facelib.checks import lesson_08 as check

plot.use()

# %% [markdown]
# ## People made of numbers
#
# Nearly every large collection of face photos was gathered without asking the people in it, and several have been withdrawn ([data and licences](../book/data.md) has the list). A withdrawn set cannot be handed to you, and a lesson that needs it cannot be run. A renderer takes that problem away and adds something no photo has: the truth. Every landmark, angle and lamp is known, and one of them can be changed while the rest stands still. [Synthetic people](../book/people.md) shows what the result looks like and the [reference](../book/api.md) lists the functions of `facelib.synth`; here we take it apart.
#
# A person is two integers, `seed` and `k`. From them come a few hundred random numbers, and from these the shape of a head, a skin, a haircut. Two wishes follow. Person 7 should be the same whether ten people are asked for or ten million, and adding a new trait some day should not turn everybody into somebody else. A table of random numbers with a row for each person fails the second:

# %%
three = np.random.default_rng(0).random((10, 3))  # 10 people with 3 traits each
four = np.random.default_rng(0).random((10, 4))  # the same generator, one trait more
print("person 7, 3 traits:", three[7].round(3))
print("person 7, 4 traits:", four[7].round(3))
assert not np.isclose(three[7], four[7, :3]).any()

# %% [markdown]
# A **counter-based** generator has no past. It is a function that scrambles a counter under a key,
#
# $$ u_j = \mathrm{mix}_{(\text{seed},\, k)}(j), \qquad j = 0, 1, 2, \dots \tag{8.1} $$
#
# so that number $j$ of person $k$ can be computed at once, without the numbers before it. Philox is such a function ([Salmon et al. 2011](../book/bibliography.md)), and numpy has it: the key is the person, the counter is the number. It gives 64 random bits; the upper 53 make a number between 0 and 1.

# %%
from facelib.synth import People
from facelib.synth.numbers import uniforms


def numbers_of(seed, k, count):
    bits = np.random.Philox(key=[seed, k]).random_raw(count)  # uint64
    return ((bits >> np.uint64(11)).astype(float) + 0.5) / 2**53


assert (numbers_of(0, 7, 4) == uniforms(0, 7, 4)).all()
assert (numbers_of(0, 7, 3) == numbers_of(0, 7, 300)[:3]).all()  # a new trait changes no old one

few, many = People(10, seed=0), People(10_000_000, seed=0)
assert (few.identities([7]).head == many.identities([7]).head).all()  # the same head, vertex by vertex
print(f"person 7 begins with {numbers_of(0, 7, 3).round(3)} and has {few.identities([7]).head.shape[1]:,} vertices")

# %% [markdown]
# Ten million people cost nothing, because nothing is stored: a person is computed when somebody looks. Here are some of them, far apart in the row.

# %% mystnb={"image": {"alt": "Eight aligned crops of eight rendered people, differing in shape of face, skin, hair, light and pose; above each its number, from 0 to 9,999,999."}}
ids = [0, 7, 1_000, 12_345, 500_000, 2_000_000, 7_654_321, 9_999_999]
shots = many.render(ids, torch.Generator().manual_seed(1))
_ = plot.grid(shots.images, titles=[f"{k:,}" for k in ids])
assert shots.images.shape == (8, 112, 112, 3)

# %% [markdown]
# ## Identity against nuisance
#
# `render` took two things: who, and a generator. The numbers of a person are the **identity**. The generator draws everything that changes between two pictures of that person, the **nuisance**: pose, light, expression, styling, place, camera, some sixty fields that together are a [`Scene`](../book/api.md). To recognise is to answer to the first and to ignore the second.
#
# For experiments chance must stand still. `studio` fixes the scene (`hardness` 0 is a passport photo, 1 an everyday picture); whatever is passed to it is changed, and only that.

# %%
DEGREE = np.pi / 180
WORN = {"glasses": 0, "hat": 0, "occluder": 0}
STILL = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0, "gaze": 0.0, "landmark_error": 0.0, "body_turn": 1.0, "expression": 0.0}
FRAME = {"distance": 15.0, "face_size": 0.6, "centre": 0.5}  # decimetres, share of the photo, middle
BACKDROP = {"backdrop": 0.25, **{f"backdrop_{part}": 0.0 for part in ("coarse", "fine", "boxes", "mix")}}
CAMERA = {"exposure": 1.0, "white": 1.0, "contrast": 0.0, "monochrome": 0}
CAMERA |= {"blur": 0.0, "motion": 0.0, "detail": 1.0, "noise": 0.0, "quality": 95.0}


def toward(azimuth, elevation):
    """Unit vector to a lamp: azimuth 0 is the camera's side, 90 the right of the picture; degrees."""
    a, e = azimuth * DEGREE, elevation * DEGREE
    return torch.tensor([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)], dtype=torch.float32)


# %%
def lamps(key=(20, 25), fill=(-40, 5), rim=(170, 20), powers=(1.0, 0.25, 0.0), ambient=0.35):
    """Fields of a Scene: three distant white lamps, given by their angles, and light from everywhere."""
    directions = torch.stack([toward(*angles) for angles in (key, fill, rim)])  # 3 lamps, xyz
    colours = torch.tensor(powers)[:, None].expand(3, 3)  # 3 lamps, RGB
    return {"light_direction": directions, "light_colour": colours, "ambient": ambient, "ground": 0.5, "shadow": 0.8}


STUDIO = {**STILL, **FRAME, **lamps(), **WORN, **BACKDROP, **CAMERA}


def studio(ids, size=112, aligned=True, details=False, **changed):
    """Pictures in which everything is fixed but what is passed."""
    chance = torch.Generator().manual_seed(0)  # for what is left: how the hair falls that day
    return many.render(ids, chance, size, aligned, hardness=0.0, details=details, **{**STUDIO, **changed})


# %% [markdown]
# Now the grid that explains the whole field. Rows are people, columns are scenes; each column changes one thing.

# %% mystnb={"image": {"alt": "A grid of four rows and five columns. Each row is one rendered person: reference, head turned by 35 degrees, light from the left only, a smile with an open mouth, and a poor camera with blur, noise and blocks. The columns differ more at a glance than the rows."}}
units = many.basis.expression_names
smile = torch.zeros(len(units))
for name in ("mouthSmileLeft", "mouthSmileRight", "cheekSquintLeft", "cheekSquintRight"):
    smile[units.index(name)] = 0.8
smile[units.index("jawOpen")] = 0.15
from_left, from_right = (lamps(key=(side, 25), powers=(1.0, 0.1, 0.0), ambient=0.15) for side in (-60, 60))
scenes = {
    "reference": {},
    "pose": {"yaw": 35 * DEGREE},
    "light": from_left,
    "expression": {"expression": smile},
    "camera": {"blur": 1.2, "noise": 0.03, "quality": 25.0, "exposure": 0.75},
}
cast = list(range(12))
album = {title: studio(cast, **change).images for title, change in scenes.items()}  # 12, 112, 112, 3 each
rows = [album[title][k] for k in (1, 3, 4, 8) for title in scenes]
_ = plot.grid(rows, titles=[*scenes, *[""] * 15], columns=5, side=1.4)

# %% [markdown]
# Read along a row and you see one person, without effort. That is your visual system at work, not the pixels. What do the pixels say? The plainest measure of difference between two pictures is the root of their mean squared difference (RMS), in grey levels of 255.
#
# <details class="predict"><summary>Predict before you run: a person lit from the left and from the right, or two different people lit alike. Which two pictures differ more?</summary>
#
# Count pixels. Moving the lamp turns the bright half of a face dark and the other way round: it touches most of the picture. Two people lit alike share bright foreheads, dark eye sockets and shadows; they differ at edges, by a hair colour and a skin tone.
#
# </details>


# %% mystnb={"image": {"alt": "Five horizontal bars of RMS difference in grey levels. Another side of light is the longest, more than half as long again as another person; pose and another person are similar; camera and expression are shorter."}}
def rms(a, b):
    return float(np.sqrt(((a.astype(float) - b.astype(float)) ** 2).mean()))


left, right = (studio(cast, **side).images for side in (from_left, from_right))
two = [(i, j) for i in cast for j in cast if i < j]
differences = {
    "the same person, light from the other side": np.mean([rms(left[i], right[i]) for i in cast]),
    **{f"the same person, other {t}": np.mean([rms(album["reference"][i], album[t][i]) for i in cast]) for t in scenes},
    "another person, the same light": np.mean([rms(left[i], left[j]) for i, j in two]),
}
del differences["the same person, other reference"], differences["the same person, other light"]
fig, ax = plt.subplots(figsize=(9, 2.6))
plot.bars(differences, "grey levels", "how much two pictures differ, pixel by pixel", ax)
ax.patches[-1].set_color(plot.ORANGE)
wins = np.mean([rms(left[i], right[i]) > rms(left[i], left[j]) for i in cast for j in cast if i != j])
assert wins > 0.8
assert differences["the same person, light from the other side"] > 1.2 * differences["another person, the same light"]
print(f"light from the other side changes more than another person does: {wins > 0.8}")

# %% [markdown]
# To the pixels, moving a lamp is a larger change than replacing the person. So no threshold on a pixel distance can work: whatever lets the same person through in other light lets strangers through as well. A turned head changes nearly as much as another person; a smile and a poor camera change less. Everything that follows in this course, from alignment to margins, serves to turn this order around.
#
# ## Geometry: a head is a sum
#
# How is one number turned into a nose? By adding. Let $\bar v$ be the vertices of one head, and $B_i$ arrows of the same shape, one at each vertex, that say where it goes when the nose gets wider. Then
#
# $$ v = \bar v + \sum_i w_i B_i \tag{8.2} $$
#
# is a family of heads, one for each list of weights $w$. Blanz and Vetter ([1999](../book/bibliography.md)) made such bases from scans; ours is drawn by the MakeHuman project. The smallest example has three vertices.

# %% mystnb={"image": {"alt": "Two triangles. The grey one is the mean; arrows at its corners show two displacements; the blue triangle is reached when 0.8 of the first and minus 0.5 of the second are added."}}
mean = np.array([(0.0, 0.0), (4.0, 0.0), (2.0, 3.0)])  # V, 2
shapes = np.array([[(-1, 0), (1, 0), (0, 0)], [(0, 0), (0, 0), (0, 1)]])  # K, V, 2: wider; higher
weights = np.array([0.8, -0.5])
bent = mean + np.tensordot(weights, shapes, axes=1)  # V, 2: sum over K
assert np.allclose(bent, [(-0.8, 0), (4.8, 0), (2, 2.5)])

fig, ax = plt.subplots(figsize=(5, 2.6))
for corners, colour, label in ((mean, "grey", "mean"), (bent, plot.BLUE, "0.8 wider, 0.5 lower")):
    ax.fill(*corners.T, fill=False, edgecolor=colour, linewidth=2, label=label)
for shape, colour in zip(shapes, (plot.ORANGE, plot.GREEN), strict=True):
    ax.quiver(*mean.T, *shape.T, color=colour, angles="xy", scale_units="xy", scale=1, width=0.008)
ax.set(aspect="equal", xlim=(-2, 6.5), ylim=(-0.5, 4.3))
_ = ax.legend(loc="upper right")

# %% [markdown]
# The real basis has one subtlety. A wide nose is not the mirror image of a narrow one, so that an artist drew both. A signed **knob** then chooses the drawing by its sign and takes the weight's size,
#
# $$ v = \bar v + \sum_i \bigl( \max(w_i, 0)\, B_i^{+} + \max(-w_i, 0)\, B_i^{-} \bigr), \tag{8.3} $$
#
# and each term stays linear on its side of zero. At the end everybody is shifted so that the eyes are where everybody's eyes are. That is all there is in `Basis.shape` (module `facelib.synth.basis`):

# %%
basis = many.basis
print(f"{len(basis.knobs)} knobs of identity, {len(units)} units of expression, {basis.mean.shape[0]:,} vertices")


def head(values):
    """Vertices (V, 3) for knob values (K,), equation 8.3."""
    moved = basis.base.clone()
    for knob, w in zip(basis.knobs, values.tolist(), strict=True):
        row = knob.plus if w > 0 else knob.minus
        if w != 0 and row is not None:
            moved += abs(w) * basis.identity[row].view(-1, 3)
    eyes = basis.eyes(torch.stack([moved, basis.mean])).mean(1)  # 2 heads, xyz: the point between the eyes
    return moved - eyes[0] + eyes[1]


knobs = 0.3 * torch.randn(len(basis.knobs), generator=torch.Generator().manual_seed(8))
no_macro = torch.zeros(1, len(basis.macro))  # whole-head shapes (age, weight and the like) are added in the same way
assert torch.allclose(head(knobs), basis.shape(no_macro, knobs[None])[0], atol=1e-4)

# %% [markdown]
# An expression is a sum of the same kind with other arrows, *face units*: a jaw that opens, a corner of the mouth that rises. The difference is not in the mathematics but in who owns the weights. Identity weights belong to the person and never change; expression weights belong to the scene.

# %% mystnb={"image": {"alt": "Two rows of five crops of one rendered person. First row: as he is, nose narrower, nose wider, chin lower, chin higher: each change makes another person. Second row: neutral, smile, jaw open, brows moved, lips puckered: the same person each time."}}
from dataclasses import replace

from facelib.synth import render_scene, sample_scene

who = many.identities([8])
scene = sample_scene(basis, who, torch.Generator().manual_seed(0), hardness=0.0)
scene = scene.replace(**STUDIO)
names = [knob.name for knob in basis.knobs]


def turned(name, value):
    """Person 8 with one knob moved: an arrow added to the head."""
    knob = basis.knobs[names.index(name)]
    arrow = basis.identity[knob.plus if value > 0 else knob.minus].view(1, -1, 3)
    return render_scene(replace(who, head=who.head + abs(value) * arrow), scene).images[0].numpy()


def acting(*parts):
    weights = torch.tensor([0.9 if name.startswith(parts) else 0.0 for name in units])
    return render_scene(who, scene.replace(expression=weights)).images[0].numpy()


pictures = {
    "person 8": acting("nothing"), "nose narrower": turned("nose-scale-horiz", -1.2), "nose wider": turned("nose-scale-horiz", 1.2),
    "chin lower": turned("chin-height", 1.2), "chin higher": turned("chin-height", -1.2),
    "neutral": acting("nothing"), "smile": acting("mouthSmile"), "jaw": acting("jawOpen"), "brows": acting("brow"),
    "pucker": acting("mouthPucker"),
}  # fmt: skip
_ = plot.grid(list(pictures.values()), titles=list(pictures), columns=5, side=1.5)

# %% [markdown]
# The knobs are turned slightly past what the artist drew, so that a small picture shows them. The upper row shows new people: whoever has a wider nose is not person 8. The lower row shows person 8 five times. The renderer treats both alike, and so do the pixels.
#
# ## From the head to the picture
#
# Three steps take a vertex to a pixel. **Turn** the head about a pivot in the neck. **Place** the camera at the distance $D$ in front of it. **Project**: what is twice as far looks half as large. In decimetres, with $x$ to the right of the picture, $y$ up and $z$ towards the viewer,
#
# $$ \begin{pmatrix} x' \\ y' \\ z' \end{pmatrix} = R\,(v - p) + p - m, \qquad R_{\text{yaw}} = \begin{pmatrix} \cos\theta & 0 & \sin\theta \\ 0 & 1 & 0 \\ -\sin\theta & 0 & \cos\theta \end{pmatrix}, \tag{8.4} $$
#
# $$ \text{column} = c_x + \frac{f\, x'}{D - z'}, \qquad \text{row} = c_y - \frac{f\, y'}{D - z'}. \tag{8.5} $$
#
# $p$ is the pivot, $m$ the middle of the face, $(c_x, c_y)$ its place in the photo and $f$ the focal length in pixels. Two signs deserve a look: rows count downwards, hence the minus; and $z'$ points at the camera, so a nose ($z' > 0$) has the smaller $D - z'$ and comes out larger.
#
# Five vertices of the head are special: the tip of the nose and the corners of the mouth are vertices, and the pupils sit 0.145 in front of the centres of the eyeballs and 0.01 below. If (8.4) and (8.5) are right, they must fall exactly on the landmarks that come with the picture.

# %%
from facelib.synth.geometry import rotation
from facelib.synth.render import FACE_HEIGHT, MIDDLE, PIVOT

angle, size = 35 * DEGREE, 300
one = studio([8], size=size, aligned=False, yaw=angle)

vertices = many.identities([8]).head  # 1, V, 3
pupils = basis.eyes(vertices)[:, [1, 0]] + torch.tensor([0, -0.01, 0.145])  # in the picture the right eye is left
five = torch.cat([pupils, vertices[:, basis.landmarks]], 1)[0].double().numpy()  # 5, 3
turn = np.array([(np.cos(angle), 0, np.sin(angle)), (0, 1, 0), (-np.sin(angle), 0, np.cos(angle))])
x, y, z = ((five - PIVOT) @ turn.T + PIVOT - np.array(MIDDLE)).T
focal = FRAME["face_size"] * size / FACE_HEIGHT * FRAME["distance"]  # a face of 0.6 x 300 pixels at this distance
by_hand = size / 2 + focal * np.stack([x, -y], 1) / (FRAME["distance"] - z)[:, None]  # 5, 2

assert np.allclose(turn, rotation(*torch.tensor([[angle], [0], [0]]))[0], atol=1e-6)
assert abs(by_hand - one.landmarks[0]).max() < 0.01
print("largest difference from the renderer's landmarks is below 0.01 pixels")

# %% mystnb={"image": {"alt": "Left: the vertices of a head turned by 35 degrees as a cloud of points, nearer ones darker, with five coloured landmarks on eyes, nose and mouth corners. Right: the rendered photo of the same head with the same landmarks in the same places."}}
cloud = ((vertices[0].double().numpy() - PIVOT) @ turn.T + PIVOT - np.array(MIDDLE))[basis.body]
near = FRAME["distance"] - cloud[:, 2]
columns, lines = size / 2 + focal * cloud[:, 0] / near, size / 2 - focal * cloud[:, 1] / near
shown = (columns > 0) & (columns < size) & (lines > 0) & (lines < size)
fig, axes = plt.subplots(1, 2, figsize=(8, 4))
order = np.argsort(-near[shown])  # the far side first
axes[0].scatter(columns[shown][order], lines[shown][order], 2, c=near[shown][order], cmap="cividis")
axes[0].set(xlim=(0, size), ylim=(size, 0), aspect="equal", xticks=[], yticks=[], title="by (8.4) and (8.5)")
plot.image(one.images[0], "the renderer's photo", axes[1])
for ax in axes:
    plot.landmarks(ax, by_hand, 30)

# %% [markdown]
# Detectors of lesson 02 estimate these five points; here they are known. The aligned crops of this course come from them: the similarity transform of lesson 04 takes the landmarks of the photo to the template, and the renderer draws straight through it, so that no crop is ever resampled. Errors of a detector are part of the nuisance: `landmark_error` shifts the points *before* the fit. With it set to zero, the true landmarks of the crop are the transformed ones of the photo.

# %%
crop = studio([8], yaw=angle)
matrix = facelib.estimate_similarity(by_hand, TEMPLATE_112)  # 2, 3: lesson 04
assert abs(by_hand @ matrix[:, :2].T + matrix[:, 2] - crop.landmarks[0]).max() < 0.01

off = {0: [], 35: []}
for degrees, distances in off.items():
    marks = studio(cast, yaw=degrees * DEGREE).landmarks  # 12, 5, 2
    distances.extend(np.linalg.norm(marks - TEMPLATE_112, axis=2).mean(1))
print(f"mean distance from the template: {np.mean(off[0]):.1f} pixels frontal, {np.mean(off[35]):.1f} pixels at yaw 35")
assert np.mean(off[35]) > 2 * np.mean(off[0])

# %% [markdown]
# No rotation in the plane undoes a rotation in space. A turned head leaves a residue that alignment cannot remove, with perfect landmarks too.
#
# ## Which triangle does a pixel see?
#
# The head is a mesh of triangles whose corners are now pixels. Rasterising means asking two questions for each pixel: is its centre inside a triangle, and if in several, which of them is in front?
#
# The first has an elegant answer. Every point of the plane is a weighted mean of the three corners, $P = \alpha A + \beta B + \gamma C$ with $\alpha + \beta + \gamma = 1$. These **barycentric coordinates** are ratios of areas,
#
# $$ \alpha = \frac{[PBC]}{[ABC]}, \qquad \beta = \frac{[APC]}{[ABC]}, \qquad \gamma = 1 - \alpha - \beta, \tag{8.6} $$
#
# where $[ABC]$ is the signed area, half a cross product. A point is inside if none of them is negative. And they do more: any quantity known at the corners (a normal, a colour) is mixed in the same proportions, but for a correction that perspective asks for.


# %%
def cross(a, b, c):
    """Twice the signed area of triangles; corners (..., 2)."""
    u, v = b - a, c - a
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]


def barycentric(points, triangle):
    """Coordinates (..., 3) of points (..., 2) in a triangle (3, 2), equation 8.6."""
    a, b, c = triangle
    area = cross(a, b, c)
    alpha, beta = cross(points, b, c) / area, cross(a, points, c) / area
    return np.stack([alpha, beta, 1 - alpha - beta], -1)


side = 24
row, column = np.mgrid[:side, :side] + 0.5  # pixel centres
centres = np.stack([column, row], -1)  # side, side, xy
triangle = np.array([(2.0, 20.0), (21.0, 17.0), (8.0, 2.0)])
coordinates = barycentric(centres, triangle)  # side, side, 3
assert np.allclose(coordinates @ triangle, centres)  # that is what the coordinates mean
assert np.allclose(barycentric(triangle, triangle), np.eye(3))  # at the corners: 1, 0, 0 and so on

# %% [markdown]
# The second question has a blunt answer. Keep for each pixel the nearest depth seen so far, the **z-buffer**, and let a triangle write only where it is nearer. The order of triangles does not matter, and two that pierce each other come out right, pixel by pixel. Our rasteriser stores the inverse depth $q = 1 / (D - z')$: larger is nearer, and $q$ (unlike depth) is a linear function of the pixel under perspective, so that the barycentric mean of the corners is exact. Any other quantity $a$ is mixed as $\sum_i w_i q_i a_i / \sum_i w_i q_i$, with the coordinates $w_i$: that is the correction.

# %%
from facelib.synth.raster import rasterize

first = np.array([(2.0, 20.0, 0.2), (21.0, 17.0, 0.8), (8.0, 2.0, 0.5)])  # column, row, inverse depth
second = np.array([(3.0, 4.0, 0.7), (2.0, 21.0, 0.6), (22.0, 11.0, 0.3)])
buffer, seen, last = np.zeros((side, side)), np.full((side, side), -1), np.full((side, side), -1)
for number, corners in enumerate((first, second)):
    w = barycentric(centres, corners[:, :2])
    inside, q = (w >= 0).all(-1), w @ corners[:, 2]
    nearer = inside & (q > buffer)
    buffer[nearer], seen[nearer], last[inside] = q[nearer], number, number

# %% mystnb={"image": {"alt": "Three panels of 24 by 24 pixels. First: one triangle coloured by its barycentric coordinates, red, green and blue at the corners. Second: two triangles that cross each other, split along a line where their depths are equal. Third: the same two when the later one simply overwrites the earlier one; the crossing is lost."}}
points = torch.tensor(np.concatenate([first, second])[None], dtype=torch.float32)  # 1, 6, 3
library = rasterize(points, torch.tensor([[0, 1, 2], [3, 4, 5]]), side, side, cull=False)[0].numpy()
assert (library == seen).all()

fig, axes = plt.subplots(1, 3, figsize=(9, 3.2))
covered = (coordinates >= 0).all(-1)[..., None]
plot.image(np.where(covered, coordinates.clip(0, 1), 0.92), "barycentric coordinates", axes[0])
for ax, answer, title in zip(axes[1:], (seen, last), ("z-buffer", "the later one wins"), strict=True):
    plot.image(answer, title, ax, cmap="cividis", vmin=-1, vmax=1)
assert (seen != last).sum() > 20

# %% [markdown]
# The library (`facelib.synth.raster`) does the same without a loop over triangles, for thousands of them and whole batches of pictures. It also leaves out triangles seen from behind, half of a closed surface, by the sign of their area (`cull`).
#
# What is known at the corners is now known at every pixel. `details=True` returns it: depth (yellow is near), normals (which way the surface faces: $x, y, z$ as red, green, blue) and what each pixel shows. For real photos such maps must be estimated; here they are a by-product.

# %% mystnb={"image": {"alt": "Four pictures of one rendered person: the photo; depth, nearest at forehead and nose; normals as colours, changing from the left cheek to the right; and a map of parts in flat colours: skin, eyes, hair, cloth, background."}}
from facelib.synth.canvas import PARTS

detailed = studio([8], size=224, aligned=False, yaw=20 * DEGREE, details=True)
depth, normals, parts = detailed.depth[0], detailed.normals[0], detailed.masks[0]
fig, axes = plt.subplots(1, 4, figsize=(9, 2.6))
plot.image(detailed.images[0], "photo", axes[0])
plot.image(np.where(depth > 0, depth, np.nan), "depth", axes[1], cmap="cividis_r", vmin=depth[depth > 0].min(), vmax=16)
plot.image(np.where(depth[..., None] > 0, (normals + 1) / 2, 0.92), "normals", axes[2])
plot.image(parts, "parts", axes[3], cmap="tab10", vmin=0, vmax=9)

skin = parts == PARTS.index("skin")
nose_x, nose_y = detailed.landmarks[0, 2].astype(int)
assert depth[nose_y, nose_x] - depth[skin].min() < 0.3  # the nose is among the nearest places
assert np.allclose(np.linalg.norm(normals[skin], axis=-1), 1, atol=1e-3)
assert 13 < depth[skin].min() < depth[skin].max() < 17  # decimetres, for a camera at 15

# %% [markdown]
# ## Light
#
# A matt surface sends light out evenly to all sides, but what it *receives* depends on how it is turned. A beam one unit wide that falls on a surface at the angle $\vartheta$ to its normal spreads over $1 / \cos\vartheta$ units. So with the normal $n$ and the unit vector $l$ to the lamp,
#
# $$ E = c\, \max(0,\; n \cdot l), \tag{8.7} $$
#
# Lambert's cosine law (1760). The maximum keeps the far side from receiving negative light. A face needs a little more: the sky lights from everywhere (`ambient`), from above more than from below (`ground`), and several lamps add up. A portrait has three: the **key** light makes the shape, the **fill** opens its shadows, the **rim** from behind draws a bright edge. What leaves is what arrives times the share that is not swallowed, the **albedo** $\rho$:
#
# $$ L = \rho \Bigl( a \bigl( g + (1 - g) \tfrac{1 + n_y}{2} \bigr) + \sum_{k=1}^{3} c_k \max(0,\; n \cdot l_k) \Bigr). \tag{8.8} $$
#
# We try it on a ball, which has every normal that a camera can see, against `facelib.synth.light.shade`.

# %%
from facelib.synth.light import Surface, shade

pixels = 96
v, u = (np.mgrid[:pixels, :pixels] + 0.5) / pixels * 2.1 - 1.05
ball = u**2 + v**2 < 1
normal = torch.tensor(np.stack([u, -v, np.sqrt(np.clip(1 - u**2 - v**2, 0, 1))], -1)[ball], dtype=torch.float32)  # M, 3
one_lamp = scene.replace(**lamps(key=(-50, 30), powers=(1.0, 0.0, 0.0), ambient=0.0))
portrait = scene.replace(**lamps(key=(-50, 30), powers=(1.0, 0.25, 0.6), ambient=0.2))


def lambert(normal, albedo, scene):
    """Equation 8.8: (M, 3) from normals (M, 3)."""
    above = (1 + normal[:, 1:2]) / 2
    light = scene.ambient * (scene.ground + (1 - scene.ground) * above)
    for direction, colour in zip(scene.light_direction[0], scene.light_colour[0], strict=True):
        light = light + colour * (normal @ direction).clamp(min=0)[:, None]
    return albedo * light


def paint(scene, flesh=0.0, shine=0.0):
    """The same by the library, (M, 3)."""
    full, albedo, where = torch.ones(len(normal)), torch.full((len(normal), 3), 0.5), torch.zeros(len(normal)).long()
    skin = Surface(albedo, normal, normal, where, full, full, full * shine, full * 20, full * flesh)
    return shade(skin, scene)


for setting in (one_lamp, portrait):
    assert torch.allclose(lambert(normal, 0.5, setting), paint(setting), atol=1e-5)

# %% [markdown]
# Plaster obeys (8.8). Skin does two things more. Light enters it, wanders and leaves elsewhere, red the farthest, so that the edge of a shadow on skin is soft and reddish (`flesh`). And skin is moist and oily: part of the light never enters but is reflected as by a poor mirror, most where the normal lies halfway between lamp and eye (`shine`). This highlight has the colour of the lamp, not of the skin.

# %% mystnb={"image": {"alt": "Four balls. One lamp only: a bright upper left and a black lower right with a hard edge. Three lamps and sky: the dark side is filled and has a thin, slightly lighter rim. With flesh: the edge of the shadow is softer and redder. With shine: a small highlight between the lamp and the viewer."}}
balls = {
    "one lamp": paint(one_lamp), "key, fill, rim and sky": paint(portrait),
    "and flesh": paint(portrait, flesh=1.0), "and shine": paint(portrait, flesh=1.0, shine=2.0),
}  # fmt: skip
fig, axes = plt.subplots(1, 4, figsize=(9, 2.5))
for ax, (title, colour) in zip(axes, balls.items(), strict=True):
    picture = np.full((pixels, pixels, 3), 0.05)
    picture[ball] = colour
    plot.image(picture.clip(0, 1) ** (1 / 2.2), title, ax)  # 1 / 2.2: roughly what a screen expects

edge = (normal @ one_lamp.light_direction[0, 0]).abs() < 0.05  # where the shadow begins
softer = paint(one_lamp, flesh=1.0)[edge].mean(0) - paint(one_lamp)[edge].mean(0)
assert softer[0] > 1.5 * softer[2] > 0  # red creeps farther than blue
bright = (balls["and shine"] - balls["and flesh"]).sum(1).argmax()
half = portrait.light_direction[0, 0] + torch.tensor([0, 0, 1.0])
assert normal[bright] @ half / half.norm() > 0.98  # the highlight is where the normal halves the angle

# %% [markdown]
# Now one lamp walks around a face, everything else in its place.

# %% mystnb={"image": {"alt": "Two rows of five crops of one rendered person. Upper row: the key light moves from the far left to the far right, and the shaded side moves with it. Lower row: fill, rim and ambient light added, light from below, light from above with a nose shadow."}}
single = {"powers": (1.0, 0.0, 0.0), "ambient": 0.12}
walk = [studio([4], **lamps(key=(azimuth, 25), **single)).images[0] for azimuth in (-80, -40, 0, 40, 80)]
hard = {"key": (-60, 30), "ambient": 0.05}
lower = [
    studio([4], **lamps(**hard, powers=(1.0, 0.0, 0.0))).images[0],
    studio([4], **lamps(**hard, powers=(1.0, 0.35, 0.0))).images[0],
    studio([4], **lamps(**hard, powers=(1.0, 0.35, 1.5))).images[0],
    studio([4], **lamps(key=(0, -60), **single)).images[0],
    studio([4], **lamps(key=(0, 65), **single)).images[0],
]
titles = ["key at -80°", "-40°", "0°", "40°", "80°", "key only", "+ fill", "+ rim", "from below", "from above"]
_ = plot.grid(walk + lower, titles=titles, columns=5, side=1.5)
assert walk[0][:, :56].mean() - walk[0][:, 56:].mean() > 20  # the side of the lamp is bright
assert walk[4][:, 56:].mean() - walk[4][:, :56].mean() > 20

# %% [markdown]
# The camera exposes each picture for the face, as cameras do, so the total amount of light is nearly gone from the picture. What stays is where it comes from. And the person in light from below is hard to know again, although nothing about the face changed.
#
# ### Shadows
#
# (8.7) asks only how a place is turned, not whether something stands in between. For that the scene is looked at from the lamp: what the lamp does not see is in its shadow. So the rasteriser runs a second time, with the lamp as a camera without perspective, and each vertex asks whether it is the nearest one in this **shadow map**. A toy first: a small triangle behind a large one.

# %%
from facelib.synth.geometry import neighbours, vertex_normals
from facelib.synth.shadows import visibility

large = torch.tensor([(-2.0, -2, 1), (2, -2, 1), (0, 3, 1)])
small = torch.tensor([(-0.3, -0.3, 0), (0.3, -0.3, 0), (0, 0.3, 0)])
mesh, two_faces = torch.cat([large, small])[None], torch.tensor([[0, 1, 2], [3, 4, 5]])
assert visibility(mesh, two_faces, toward(0, 0)[None])[0, 3:].max() == 0  # lamp in front: in the dark
assert visibility(mesh, two_faces, toward(65, 0)[None])[0, 3:].min() > 0.5  # lamp at the side: lit

heads = many.identities(cast[:6]).head  # 6, V, 3
facing = vertex_normals(heads, basis.faces, neighbours(basis.faces, heads.shape[1])) @ toward(50, 25) > 0.7
forehead = facing & ((basis.mean[:, 1] > 7.4) & (basis.mean[:, 2] > 0.9) & basis.body)
lit = {}
for bias in (0.0, 0.03, 0.2):
    lit[bias] = visibility(heads, basis.faces, toward(50, 25).expand(6, 3), bias=bias)[forehead].mean().item()
assert lit[0.0] < 0.8 and lit[0.2] > 0.97
print("a forehead that faces the lamp counts as lit at a slack of 0, 0.03, 0.2:", [round(v, 1) for v in lit.values()])

# %% [markdown]
# A map has pixels, and a depth within a pixel is known only roughly. So a surface would shadow itself, half of it at random, if "nearest" were taken literally. The slack `bias`, in decimetres, prevents that. Too little of it leaves a mottle on lit skin, too much lets thin shadows, such as the nose's, come loose from what casts them. Every renderer with shadow maps lives with this compromise.

# %% mystnb={"image": {"alt": "Three pictures of one person in light from the upper right: without shadows, with shadows, and their difference, which is largest on the neck and the shoulder in the shadow of the head."}}
high = {**lamps(key=(30, 60), powers=(1.0, 0.1, 0.0), ambient=0.15), "size": 224, "aligned": False, "face_size": 0.75}
without, with_them = (studio([8], **{**high, "shadow": amount}) for amount in (0.0, 0.95))
change = without.images[0].astype(float).mean(2) - with_them.images[0].astype(float).mean(2)
fig, axes = plt.subplots(1, 3, figsize=(9, 3.2))
plot.image(without.images[0], "cosine only", axes[0])
plot.image(with_them.images[0], "with a shadow map", axes[1])
plot.image(change, "darker by (grey levels)", axes[2], cmap="cividis", vmin=0, vmax=80)
mouth = int(with_them.landmarks[0, 3:, 1].max())
assert change[mouth + 30 :].mean() > 2 * change[:mouth].mean()  # neck and shoulder more than the face

# %% [markdown]
# The cosine alone lights neck and shoulder as if no head stood in the way. With the map they lie in its shadow, and small shadows appear under brow and nose.
#
# ## Texture: skin is two dyes
#
# Skin owes its colour to two substances: **melanin**, brown, which swallows blue most and red least, and **blood**, which swallows green and blue. Light that passes a layer of dye loses a fixed *share* in each unit of depth, so that what is left falls exponentially with the amount (the law of Beer and Lambert):
#
# $$ \rho_\lambda = \rho^0_\lambda\; e^{-(m\, \mu_\lambda + b\, \beta_\lambda)}, \qquad \lambda \in \{R, G, B\}, \tag{8.9} $$
#
# with $m$ of melanin and $b$ of blood. In the logarithm dyes simply add. Freckles, moles, lips, red cheeks and the shade under the eyes are places where there is more of one or the other; a suntan and a blush need no new colours. The library keeps five tones along the melanin axis and goes between them by straight lines in the logarithm:

# %% mystnb={"image": {"alt": "A grid of 4 by 9 swatches of skin. Melanin grows from left to right, from pale to dark brown; blood grows from top to bottom, from pale or olive to reddish."}}
from facelib.synth.skin import BLOOD, TONES

tones, absorbed = np.log(np.array(TONES)), -np.array(BLOOD)  # 5, RGB; RGB


def skin_colour(melanin, blood):
    """Linear albedo (RGB) of bare skin, equation 8.9."""
    along = [np.interp(melanin, range(len(tones)), tones[:, channel]) for channel in range(3)]
    return np.exp(np.array(along) - blood * absorbed)


swatches = np.array([[skin_colour(m, b) for m in np.linspace(0, 4, 9)] for b in (-0.1, 0.3, 0.6, 0.9)])  # 4, 9, RGB
fig, ax = plt.subplots(figsize=(8, 3.2))
ax.imshow(swatches ** (1 / 2.2))
ax.set_xticks(range(9), np.linspace(0, 4, 9))
ax.set_yticks(range(4), (-0.1, 0.3, 0.6, 0.9))
_ = ax.set(xlabel="melanin", ylabel="blood")
assert (np.diff(swatches, axis=1) < 0).all()  # more melanin is darker in every channel

# %% [markdown]
# Does the renderer obey this? The test goes through the whole of it. We take one person in the same light twice, with 0.4 more blood the second time, and divide the pictures of linear light pixel by pixel. Pose, light and shape cancel. By (8.9) every pixel of skin, whatever its shade, must show the same three ratios $e^{-0.4\, \beta_\lambda}$.

# %%
matt = scene.replace(gloss=0.0)  # no highlights: they have the colour of the lamp
flushed = replace(who, blood=who.blood + 0.4)
pale, red = (render_scene(one_person, matt) for one_person in (who, flushed))
on_skin = (pale.parts[0] == PARTS.index("skin")) & (pale.alpha[0] > 0.99)
ratio = red.linear[0, on_skin, :3] / pale.linear[0, on_skin, :3]  # pixels, RGB
wanted = np.exp(-0.4 * absorbed)
median = ratio.median(0).values.numpy()
print("red, green, blue, flushed over pale:", median.round(2), "wanted:", wanted.round(2))
assert np.allclose(median, wanted, atol=0.02)

# %% [markdown]
# The person's own amounts are numbers of identity; the flush of a hot day is nuisance (`flush`). The same dye, once on each side: a red face can mean somebody else or the same person after the stairs. Age, freckles, wrinkles and moles lie on top as textures: smooth noise sampled at each person's own place, so that two people have other blotches and one person always has the same.

# %% mystnb={"image": {"alt": "Five crops of one head: as it is; with little melanin; with much melanin; with much blood, reddish; with wrinkles."}}
changes = {
    "as it is": {}, "melanin 0.3": {"melanin": 0.3}, "melanin 3.3": {"melanin": 3.3},
    "blood 0.9": {"blood": 0.9}, "wrinkles": {"wrinkles": 1.0},
}  # fmt: skip
oblique, variants = scene.replace(**lamps(key=(50, 45), ambient=0.15)), []
for change in changes.values():
    traits = {name: torch.full_like(getattr(who, name), value) for name, value in change.items()}
    variants.append(render_scene(replace(who, **traits), oblique, size=168).images[0].numpy())
_ = plot.grid(variants, titles=list(changes), columns=5, side=1.75)
tone = [picture[60:110, 60:110].mean() for picture in variants[:3]]
assert tone[1] - tone[2] > 15  # grey levels: the exposure for the face takes back only part of it

# %% [markdown]
# A warning that belongs here. Melanin is an amount of dye, and the camera's exposure, the lamp and the printer change how dark a face looks just as well. None of these numbers says who somebody is or where somebody comes from.
#
# ## Camera
#
# So far the picture is linear: twice the light, twice the number. A file is not. The camera chooses an exposure $g$, bends the result with a **tone curve** $\tau$, and blur, noise and compression follow:
#
# $$ I = \mathrm{JPEG}\bigl(\,k * \tau(g\, L) + \sigma\, \eta\,\bigr). \tag{8.10} $$
#
# The standard curve of screens, sRGB, is nearly a power of $1 / 2.2$. It spends many of the 256 levels on the dark, where eyes see small steps. We measure the library's curve by photographing a ramp of light.

# %% mystnb={"image": {"alt": "Curves of display value against light. The straight line is linear. sRGB rises steeply at first. The library's curve at normal exposure has the same shape; half and double exposure are shifted down and up; more contrast is steeper in the middle."}}
from facelib.synth.camera import develop

light = torch.linspace(0, 1.2, 200)
ramp = light.expand(1, 3, 1, 200)  # 1, RGB, one row
settings = {f"exposure {value:g}": {"exposure": value} for value in (0.5, 1.0, 2.0)} | {
    "contrast 0.5": {"contrast": 0.5}
}
curves = {name: develop(ramp, scene.replace(**s), who.melanin)[0, 0, 0].numpy() for name, s in settings.items()}
fig, ax = plt.subplots(figsize=(7, 3.2))
ax.plot(light, light, ":", color="grey", label="linear")
srgb = np.where(light < 0.0031, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
ax.plot(light, srgb, "--", color="grey", label="sRGB")
for name, curve in curves.items():
    ax.plot(light, curve, label=name)
ax.set(xlabel="light", ylabel="display value", ylim=(0, 1.05))
ax.legend(ncols=2)
middle = curves["exposure 1"][20]  # at a tenth of the range the curve is far above the line
assert all((np.diff(curve) >= -1e-6).all() for curve in curves.values()) and middle > 1.5 * light[20]
assert (curves["exposure 0.5"] <= curves["exposure 1"]).all() and (curves["exposure 1"] <= curves["exposure 2"]).all()

# %% [markdown]
# At exposure 1 the curve has the shape of sRGB and lies below it: the camera exposes so that a face, not a white wall, comes out right. Exposure stretches the curve sideways, because it multiplies the light *before* the bend; contrast makes an S of it afterwards. Wherever a curve has reached 1, all brighter light looks the same, and no later step brings it back.
#
# One fault of the camera at a time:

# %% mystnb={"image": {"alt": "Seven crops of one rendered person: clean, half the exposure, blurred, noisy, motion blurred sideways, shrunk and enlarged again, and JPEG at quality 15 with visible blocks."}}
faults = {
    "clean": {}, "exposure 0.5": {"exposure": 0.5}, "blur 1.5 px": {"blur": 1.5}, "noise 0.05": {"noise": 0.05},
    "motion": {"motion": torch.tensor([2.5, 0.0])}, "a third the size": {"detail": 0.35}, "JPEG 15": {"quality": 15.0},
}  # fmt: skip
taken = [studio([4], **fault).images[0] for fault in faults.values()]
_ = plot.grid(taken, titles=list(faults), columns=7, side=1.25)
sharp = [float(cv2.Laplacian(picture.astype(np.float32).mean(2), cv2.CV_32F).std()) for picture in taken]
assert sharp[2] < 0.7 * sharp[0] < sharp[0] < sharp[3]  # blur takes fine detail away, noise adds some

# %% [markdown]
# ### JPEG in one block
#
# JPEG cuts a picture into blocks of 8 x 8 and writes each as a sum of 64 cosine patterns. The weights come from one matrix, used from both sides:
#
# $$ C = A\, X A^{\top}, \qquad A_{kn} = \sqrt{\tfrac{2 - [k = 0]}{8}}\, \cos\frac{(2 n + 1)\, k\, \pi}{16}. \tag{8.11} $$
#
# $A$ is orthogonal, so $X = A^{\top} C A$ and nothing is lost yet. The loss is the next step: each weight is divided by an entry of a table and rounded. Fine patterns have large entries and mostly become 0. After this there are only lossless steps, which change the size of the file but no pixel.

# %% mystnb={"image": {"alt": "Left: 8 by 8 grey pixels beside an eye. Middle: its 64 cosine weights, large in the upper left corner. Right: the block after quantisation at quality 30, smoother than the original, made of a few remaining weights."}}
from facelib.synth.camera import LUMINANCE, jpeg

k, n = np.mgrid[:8, :8]
cosines = np.sqrt((2 - (k == 0)) / 8) * np.cos((2 * n + 1) * k * np.pi / 16)
assert np.allclose(cosines @ cosines.T, np.eye(8))
block = taken[0][44:52, 32:40].astype(np.float64).mean(2).round() - 128  # beside an eye
weights_of = cosines @ block @ cosines.T
assert np.allclose(weights_of, cv2.dct(block))

table = np.round(np.array(LUMINANCE) * 50 / 30)  # quality 30: the standard's table, 50 / 30 times as coarse
kept = np.round(weights_of / table)
restored = (cosines.T @ (kept * table) @ cosines + 128).round()
grey = torch.tensor(block + 128, dtype=torch.float32).expand(1, 3, 8, 8)  # a grey picture has no colour to lose
assert abs(jpeg(grey, torch.tensor([30.0]))[0, 0].numpy() - restored).max() <= 1
fig, axes = plt.subplots(1, 3, figsize=(8, 2.8))
plot.image(block + 128, "block", axes[0], cmap="gray", vmin=0, vmax=255)
plot.image(np.log1p(abs(weights_of)), "weights (log)", axes[1], cmap="cividis")
_ = plot.image(restored, f"{(kept != 0).sum()} of 64 weights kept", axes[2], cmap="gray", vmin=0, vmax=255)

# %% [markdown]
# Why write JPEG again as a tensor operation, when every library has it? Because on a GPU the pictures are tensors already, thousands at a time. But is it the real thing? We code the same crops with OpenCV and compare.


# %%
def by_opencv(pictures, quality):
    files = [cv2.imencode(".jpg", p[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1] for p in pictures]
    return np.stack([cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1] for file in files]).astype(float)


def by_tensors(pictures, quality):
    coded = jpeg(torch.from_numpy(pictures).permute(0, 3, 1, 2).float(), torch.full((len(pictures),), float(quality)))
    return coded.permute(0, 2, 3, 1).numpy()


# %% mystnb={"image": {"alt": "Three curves over JPEG quality from 15 to 95. The loss of OpenCV's JPEG falls as quality rises; the difference between our JPEG and OpenCV's is flat at about one grey level; in grey pictures it is close to zero."}}
crops = studio(cast, yaw=0.3, quality=100.0).images  # 12, 112, 112, 3; nearly untouched by JPEG so far
greys = crops.mean(3, keepdims=True).round().astype(np.uint8).repeat(3, axis=3)
qualities = (15, 30, 50, 70, 85, 95)
theirs = [by_opencv(crops, q) for q in qualities]
loss = [abs(t - crops).mean() for t in theirs]
apart = [abs(t - by_tensors(crops, q)).mean() for t, q in zip(theirs, qualities, strict=True)]
apart_grey = [abs(by_opencv(greys, q) - by_tensors(greys, q)).mean() for q in qualities]
fig, ax = plt.subplots(figsize=(7, 2.8))
ax.plot(qualities, loss, "o-", label="what OpenCV's JPEG loses")
ax.plot(qualities, apart, "s-", label="our JPEG against OpenCV's")
ax.plot(qualities, apart_grey, "^-", label="the same for grey pictures")
ax.set(xlabel="quality", ylabel="mean difference (grey levels)", ylim=(0, None))
ax.legend()
assert max(apart) < 1.5 and max(apart_grey) < 0.5
assert all(a < 0.4 * b for a, b in zip(apart[:3], loss, strict=False))

# %% [markdown]
# At the qualities that hurt, the two agree far better with each other than either with the original. In grey pictures nearly all of the difference is gone, so it lies in the colours: both store them at half the size, but OpenCV enlarges them smoothly and we by repetition. The little that stays is rounding.
#
# ## Data sets
#
# Everything drawn at random again, many people, several scenes each: that is a data set. `load_dataset` renders it on the first call and reads it from a cache afterwards. "tiny" has 40 people with 8 pictures each and serves for this lesson; "mini" and "standard" are for training.

# %%
from facelib.synth import load_dataset, make_pairs
from facelib.synth.dataset import PRESETS, SPLITS

for name, preset in PRESETS.items():
    print(f"{name:8s} {preset.people:5,} people x {preset.shots:2d} pictures; test: {preset.count('test'):3} others")
data = load_dataset("tiny", quiet=True)
shaved = load_dataset("tiny", hide_hair=True, quiet=True)
print("images", data.images.shape, "labels", data.labels.shape, "landmarks", data.landmarks.shape)

# %% [markdown]
# Three splits, and **no person may be in two of them**. A recogniser will meet people it was not trained on, so it must be judged on people it was not trained on. In a rendered world the splits are intervals of numbers, a thousand million apart, and cannot touch however large they grow. In a folder of photos nothing guarantees it: the same actor under two spellings is enough. In both cases a line of code checks it, and belongs in every evaluation.

# %%
numbers = {}
for split, start in SPLITS.items():
    for preset in PRESETS.values():
        numbers.setdefault(split, set()).update(range(start, start + preset.count(split)))
assert set(data.attributes["id"].tolist()) <= numbers["train"]
for a, b in (("train", "validation"), ("train", "test"), ("validation", "test")):
    assert not numbers[a] & numbers[b]
print({split: f"{min(ids):,} to {max(ids):,}" for split, ids in numbers.items()})

# %% [markdown]
# ### Pairs, easy and hard
#
# Verification is judged on pairs: same person or not? The custom comes from LFW's View 2 ([Huang et al. 2007](../book/bibliography.md)): ten folds, no person in two of them, half of the pairs same. A threshold is chosen on nine folds and judged on the tenth, ten times over; the mean is the accuracy. [Lesson 11](11_verification.ipynb) takes this protocol apart; here it is in a few lines.


# %%
def ten_fold_accuracy(scores, pairs):
    """Mean over the folds of the accuracy at the threshold that was best on the other nine."""
    accuracies = []
    for fold in range(10):
        judged = pairs.fold == fold
        candidates = np.unique(scores[~judged])
        right = ((scores[~judged] >= candidates[:, None]) == pairs.same[~judged]).mean(1)  # a candidate each
        threshold = candidates[right.argmax()]
        accuracies.append(((scores[judged] >= threshold) == pairs.same[judged]).mean())
    return float(np.mean(accuracies))


def judge(features, data, hard):
    """Mean accuracy over four drawings of 600 pairs; features (N, D) of length 1, compared by their cosine."""
    drawn = [make_pairs(data, hard=hard, seed=seed) for seed in range(4)]
    return np.mean([ten_fold_accuracy((features[p.a] * features[p.b]).sum(1), p) for p in drawn])


# %% [markdown]
# `make_pairs` draws at random (easy) or looks for trouble (`hard=True`): for both kinds it takes, of six pairs drawn, the one whose yaw differs most, and different people are the two most alike in shape, tone and age. The hard set also has everybody shaved, `hide_hair=True`. Why? Look.

# %% mystnb={"image": {"alt": "Four rows of crops, in pairs one above the other. Easy pairs: the same person twice, then different people, with all kinds of hair. Hard pairs: the same bald person from two sides, then two bald people who look alike."}}
easy_pairs, hard_pairs = make_pairs(data, seed=3), make_pairs(shaved, hard=True, seed=3)
shown, titles = [], []
for pairs, source, name in ((easy_pairs, data, "easy"), (hard_pairs, shaved, "hard")):
    picked = [*np.flatnonzero(pairs.same)[::75][:4], *np.flatnonzero(~pairs.same)[::75][:4]]
    shown += [source.images[rows[pair]] for rows in (pairs.a, pairs.b) for pair in picked]
    titles += [f"{name}, {'same' if pairs.same[pair] else 'different'}" for pair in picked] + [""] * 8
_ = plot.grid(shown, titles=titles, columns=8)
apart_easy, apart_hard = (
    abs(source.attributes["yaw"][pairs.a] - source.attributes["yaw"][pairs.b]).mean()
    for pairs, source in ((easy_pairs, data), (hard_pairs, shaved))
)
assert apart_hard > 1.3 * apart_easy  # turned further apart, same and different pairs alike

# %% [markdown]
# [Lesson 07](07_margins_at_work.ipynb) found the fault of an earlier rule: it looked for different poses in same pairs only, and so pose alone, without a face, told same pairs from different ones. Does it still?

# %%
alone = []
for seed in range(4):
    drawn = make_pairs(shaved, hard=True, seed=seed)
    turned = abs(shaved.attributes["yaw"][drawn.a] - shaved.attributes["yaw"][drawn.b])
    alone.append((turned[drawn.same][:, None] > turned[~drawn.same]).mean())  # a same pair turned further than another
print(
    f"pose alone, area under the curve: {np.mean(alone):.0%}, by the earlier rule {records.load('margins')['yaw alone']:.0f}%"
)
assert 0.4 < np.mean(alone) < 0.6  # nearly a coin

# %% [markdown]
# Nearly a coin. Part of what is left comes from counting: eight pictures of one person make 28 pairs, those of two people 64, and among more pairs the extremes lie further apart.
#
# Two recognisers without any training set the floor. **Raw pixels**: the crop in grey at 28 x 28, its mean removed, scaled to length 1. **Colours of the upper quarter**: a histogram of the colours in the top 28 of 112 rows, where there are hair, forehead and background, but no eyes, no nose and no mouth.
#
# <details class="predict"><summary>Predict before you run: guessing gets 50 %. What do raw pixels reach on easy pairs? And a recogniser that sees no face?</summary>
#
# You have seen that moving a lamp outweighs replacing the person. So raw pixels cannot be far from guessing. The hair of one person has nearly one colour in all pictures, and different people often have different hair: that is information about identity, without a face.
#
# </details>


# %% mystnb={"image": {"alt": "Four horizontal bars of accuracy with a line at 50 percent. Raw pixels are near 50 on easy and hard pairs. The colours of the upper quarter are clearly above 50 on easy pairs and fall close to it on hard ones."}}
def raw_pixels(images):
    """(N, 784) of length 1."""
    small = np.stack([cv2.resize(image, (28, 28), interpolation=cv2.INTER_AREA) for image in images])
    grey = small.astype(np.float64).mean(3).reshape(len(images), -1)
    grey -= grey.mean(1, keepdims=True)
    return grey / np.linalg.norm(grey, axis=1, keepdims=True)


def top_colours(images):
    """(N, 216) of length 1: roots of the shares of 6 x 6 x 6 colours in the top 28 rows."""
    tops = images[:, :28].reshape(len(images), -1, 3).astype(int) * 6 // 256  # N, pixels, 0..5
    bins = tops @ np.array([36, 6, 1])
    return np.sqrt(np.stack([np.bincount(row, minlength=216) for row in bins]) / bins.shape[1])


floors = {}
for name, features in (("raw pixels", raw_pixels), ("colours of the upper quarter", top_colours)):
    floors[f"{name}, easy"] = judge(features(data.images), data, hard=False)
    floors[f"{name}, hard"] = judge(features(shaved.images), shaved, hard=True)
fig, ax = plt.subplots(figsize=(8, 2.2))
plot.bars({name: 100 * value for name, value in floors.items()}, "%", "accuracy without training", ax)
ax.axvline(50, color="grey", linewidth=1)
assert max(floors["raw pixels, easy"], floors["raw pixels, hard"]) < 0.58
assert floors["colours of the upper quarter, easy"] > floors["raw pixels, easy"] + 0.05
assert floors["colours of the upper quarter, easy"] > floors["colours of the upper quarter, hard"] + 0.04

# %% [markdown]
# Raw pixels guess. The recogniser without a face beats them clearly on easy pairs, and loses a large part of its lead on the hard ones. This is a **shortcut** ([glossary](../book/glossary.md)): something that goes with identity in the data and is not what one wants to measure. A network finds shortcuts before it finds faces, because they are easier. Real people change their hair; a score on easy pairs would not tell whether the system survives that. So there are two sets of pairs, and their difference is a measurement.
#
# Shaving everybody is not the only way. The same people in the same scenes, with and without hair, are one line in a renderer. With photos one would have to find such pairs, or to train on so many haircuts a person that the shortcut stops paying.
#
# ## What they can stand for, and what they cannot
#
# What this lesson measured, it measured on rendered people, with one thing changed at a time. That is what they are good for:
#
# - **mechanisms**: why pixel distances fail, what pose leaves after alignment, what a lamp or a JPEG table does. Each held because everything else stood still;
# - **procedures**: whether code that trains, splits, pairs and scores does what it should, with a truth to compare with;
# - **floors and shortcuts** of this data set: raw pixels guess, colours without a face do not.
#
# They cannot stand for these:
#
# - **how well a system works on photos.** A number measured on rendered pairs is about rendered pairs. Whether it carries over must be measured on real ones;
# - **any group of real people.** Shapes, tones and ages are mixed by rules of thumb that aim at variety. No trait is an ethnicity, a sex or an age in years, and an error rate by trait says where *this* world is hard, not who is disadvantaged in ours;
# - **what the rules left out.** Hair follows a few rules, hands do not exist, nobody grows older between two pictures, and nobody has a twin. What is not varied cannot be learned.
#
# Also, two things in this world were tuned on results of the detector of lesson 02, and must not be used to judge it: the place of the mouth corners and the blur of photos. The [page on the synthetic people](../book/people.md) and the README of `facelib/synth` keep the full account.

# %% [markdown]
# ## What carries over to real faces
#
# Now the question that decides what all this is worth. A small residual network is trained on rendered people and nothing else, then asked about **photographs**: the 1,000 pairs of LFW's development test, found and aligned by `facelib`. The photos cannot be shipped and the training takes longer than a lesson, so `benchmarks/learn.py` and `benchmarks/transfer.py` did it, and `facelib.records` keeps every run. Each accuracy comes with the 95 % interval that 1,000 pairs allow; the first line is the floor, raw pixels.

# %%
learned = records.load("learn")
minutes = np.mean([row["minutes of one core"] for row in learned["rows"]])
print(
    f"{learned['people']:,} rendered people, {learned['pictures']:,} pictures, each shown {learned['shown'] / learned['pictures']:.0f} times,"
)
print(f"{learned['weights'] / 1e6:.1f} million weights, {minutes / 2:.0f} minutes of two cores a network")
print(f"{'':<28}{'unseen rendered people':^24}{'photographs':^20}")
print(f"{'':<28}{'easy':>10}{'hard':>10}")
runs = {f"{row['augmentation']} augmentation, seed {row['seed']}": row for row in learned["rows"]}
for name, row in {"raw pixels": learned["floor"], **runs}.items():
    low, high = row["real interval"]
    print(
        f"{name:<28}{row['unseen easy']:>10.1f}{row['unseen hard']:>10.1f}{row['real']:>10.1f}  ({low:.1f} to {high:.1f})"
    )
assert np.ptp([row["real"] for row in learned["rows"]]) < 1.5 and len(learned["rows"]) >= 2

# %% [markdown]
# Nothing but rendered people was shown, and the photographs come out far above the floor. They also come out far below the unseen rendered people, and hard pairs below easy ones. Networks trained on millions of photographs are published with more than 99 % on LFW ([Deng et al. 2019](../book/bibliography.md)). That distance is the price of rendering, and the reason why the sentence "works on synthetic faces" says little. The networks of the two seeds agree to about a point, which is well inside the interval of either.
#
# Which part of the rendering makes the difference? The study draws 200 people once for every change, always the same people in the same scenes *but for that change*, trains the same small network for the same number of pictures, two seeds each, and judges it without the change: on the photographs, and on rendered people it has not seen. We look at the area under the ROC curve (the chance that a same pair scores above a different one; lesson 11 derives it), which moves less by chance than accuracy.
#
# Two networks that differ in nothing but their seed do not agree either. The grey band is twice the standard error of such a difference, estimated from all pairs of seeds. What lies inside cannot be told from chance with two seeds. The study was run in two parts, each with a base of its own, and every change is compared with the base beside it; nine changes were run in both, and for their four networks the band is wider than it need be.
#
# <details class="predict"><summary>Predict before you run: three shortcuts are closed one at a time, hair, colour and background. Which matters most for photographs?</summary>
#
# A shortcut helps on the data that has it and hurts elsewhere. Rendered hair is a person's own in most pictures, as in photos, so hiding it takes away something true as well. Backdrops are drawn without regard to the person, so there is no shortcut in them to close; what they teach is to ignore them.
#
# </details>

# %%
study, gain, band, worse = records.load("transfer"), {}, {}, {}
keys = {"real area": "photographs", "unseen hard": "unseen rendered people, hard pairs"}
for key, title in keys.items():
    runs = {}  # of each change and rule of the hard pairs, two seeds
    for row in study["rows"]:
        runs.setdefault((row["change"], row["rule of hard pairs"]), []).append(row[key])
    spread = np.sqrt(np.mean([np.var(pair, ddof=1) for pair in runs.values()]))  # of networks that differ in the seed
    band[key] = 2 * spread  # of the mean of two against the mean of two, the standard error is that of one network
    against = {}
    for (name, rule), pair in runs.items():
        against.setdefault(name, []).extend(np.array(pair) - np.mean(runs["base", rule]))
    gain[key] = {name: np.array(values) for name, values in against.items() if name != "base"}
    worse[key] = [name for name, value in gain[key].items() if value.mean() < -band[key]]
    better = [name for name, value in gain[key].items() if value.mean() > band[key]]
    for word, names in (("better", better), ("worse", worse[key])):
        print(f"{title}, {word}:", *textwrap.wrap(", ".join(names) or "none", 70), sep="\n    ")
early, now = ([row["real area"] for row in rows[:2]] for rows in (study["early renderer"], study["rows"]))
print(f"area on photographs: early renderer {np.mean(early):.1f} %, this one {np.mean(now):.1f} %, two seeds each")
standing_out = {"one light", "hair hidden", "hair of a stranger", "strong augmentation"}
assert standing_out <= set(worse["real area"]) and sum(len(v) == 4 for v in gain["real area"].values()) == 9
assert {"softmax", "28 pixels", "livelier", "frontal"} <= set(worse["unseen hard"])
assert all(abs(value.mean()) < 2.5 for name, value in gain["real area"].items() if name not in standing_out)

# %% mystnb={"image": {"alt": "Two columns of dots, a row for each change of the rendering or the training, against everything drawn. Left, on photographs, most rows lie inside a grey band around zero or at its edge; hair hidden, hair of a stranger, one light and strong augmentation lie more than four points below zero. Right, on hard rendered pairs, the rows spread wider and strong augmentation is far below."}}
fig, axes = plt.subplots(1, 2, figsize=(9, 4.5), sharey=True, layout="constrained")
changes = sorted(gain["real area"], key=lambda name: gain["real area"][name].mean())
for ax, (key, title) in zip(axes, keys.items(), strict=True):
    ax.axvspan(-band[key], band[key], color="grey", alpha=0.2)
    for y, name in enumerate(changes):
        ax.plot(gain[key][name], [y] * len(gain[key][name]), "o", color=plot.BLUE, alpha=0.5)
        ax.plot(gain[key][name].mean(), y, "|", color=plot.ORANGE, markersize=14, markeredgewidth=3)
    ax.set(title=title, xlabel="against everything drawn (points)", yticks=range(len(changes)), yticklabels=changes)

# %% [markdown]
# **Hair** is the largest row on photographs, twice. A world in which all heads are shaved never shows it; one in which everybody wears the hair of a stranger in every picture teaches that it says nothing. Both close a shortcut, and both cost: in these photographs most people do wear their own hair, so the cue is real. Whether a recogniser should use it is another question, for its user to answer; a year later the hair may be gone. **One light** comes next: what shadows do to a face is not learned where there are none that change. Closing the two other doors, colour and background, does little.
#
# **Strong augmentation** is worse everywhere, on rendered people too: so many changes are not yet learned after so few pictures. That is a statement about this budget and not about augmentation.
#
# **All other changes** move the area on photographs by less than two points and a half: skin without a mark or without age, the same brows and irises on everybody, neutral faces, livelier ones, frontal ones, nothing worn, exact landmarks, a clean file, one exposure, a grey wall, half the resolution, no colour, no margin, no augmentation. Some lie at the edge of the band or just outside. With so many changes looked at, chance alone puts one there now and then, and two seeds cannot tell which. That hardly any lies to the right of zero is no finding either: all are compared with one of two pairs of networks, and those may have been lucky. What can be said is that no single one of them is what keeps rendered training from photographs.
#
# On rendered hard pairs other changes stand out, half the resolution and the missing margin among them. Larger turns and expressions (livelier) cost there, and so do smaller turns (frontal): a network is judged best in the world that it was taught. (Between the two parts the rule by which hard pairs are drawn was mended; those of the record above, too, are of the earlier rule. Levels differ, differences within a part do not mix them.) What helps with rendered strangers need not help with real ones, so it is the left panel that a renderer must be built for.
#
# The renderer itself is such a change. An early version, with even light, plain backdrops and another tone curve, was put to the same test: the last line printed above compares both.

# %% [markdown]
# ## Break it
#
# The commonest way to fool oneself with face data takes one line: shuffle the pictures, train on one half, test on the other. Every picture of the test is new. But the *people* are not: an **identity leak**. What is it worth?
#
# We need something that learns. The smallest recogniser that does is Fisher's linear discriminant analysis (1936). Let $S$ be the mean covariance of the pictures of one person, that is, what nuisance does. A linear map $T$ with $T^{\top} S\, T = I$ makes nuisance equally strong in all directions; then the directions in which the people's means differ most are kept. (80 pictures of 588 numbers leave $S$ without an inverse, so `shrink` adds a little of the identity to it.)


# %%
def colours(images):
    """(N, 588): 14 x 14 RGB, each picture with mean 0 and deviation 1."""
    small = np.stack([cv2.resize(image, (14, 14), interpolation=cv2.INTER_AREA) for image in images])
    flat = small.reshape(len(images), -1).astype(np.float64)
    return (flat - flat.mean(1, keepdims=True)) / flat.std(1, keepdims=True)


def discriminant(x, people, keep=40, shrink=0.03):
    """Learn a map from features (N, D) to vectors (N, keep) of length 1."""
    names, which = np.unique(people, return_inverse=True)
    means = np.stack([x[which == k].mean(0) for k in range(len(names))])  # K, D
    within = np.cov((x - means[which]).T)  # D, D: nuisance
    size, direction = np.linalg.eigh(within + shrink * np.trace(within) / len(within) * np.eye(len(within)))
    flatten = direction / np.sqrt(size)  # T
    _, _, axes = np.linalg.svd((means - means.mean(0)) @ flatten, full_matrices=False)
    chosen = flatten @ axes[: min(keep, len(names) - 1)].T  # so many directions part the means

    def embed(y):
        vectors = (y - means.mean(0)) @ chosen
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    return embed


# %% [markdown]
# The test is the same in both cases: pictures 5 to 8 of twenty people. The training sets are equally large, 80 pictures of twenty people.
#
# - **Leak**: pictures 1 to 4 of the same twenty people.
# - **No leak**: pictures 1 to 4 of twenty others.
#
# The score is the probability that a pair of one person is closer than a pair of two (the AUC); guessing is 50 %. We draw the twenty people sixteen times.
#
# <details class="predict"><summary>Predict before you run: both recognisers see 80 pictures of twenty people, and no picture of the test. Which scores higher, and is it the better one?</summary>
#
# The first has learned in which directions the people of the test differ. That helps with them and with nobody else. On people whom neither has seen, the two are equally good: they were made in the same way from the same amount of data.
#
# </details>

# %% mystnb={"image": {"alt": "Sixteen pairs of dots joined by lines: AUC without a leak on the left, with a leak on the right. Most lines rise; the thick mean line rises by a few points."}}
x, shot, upper = colours(data.images), np.arange(len(data)) % 8, np.triu_indices(80, 1)
scores = []
for seed in range(16):
    of_tested = np.isin(data.labels, np.random.default_rng(seed).permutation(40)[:20])
    test = of_tested & (shot >= 4)  # 80 pictures
    same = (data.labels[test][:, None] == data.labels[test])[upper]
    both = []
    for train in (~of_tested & (shot < 4), of_tested & (shot < 4)):
        assert train.sum() == 80 and not (train & test).any()  # no picture is in both, in either case
        vectors = discriminant(x[train], data.labels[train])(x[test])
        cosine = (vectors @ vectors.T)[upper]
        both.append((cosine[same][:, None] > cosine[~same]).mean())
    scores.append(both)

scores = 100 * np.array(scores)  # 16 draws; no leak, leak
fig, ax = plt.subplots(figsize=(5, 3))
ax.plot([0, 1], scores.T, "o-", color=plot.SKY, linewidth=0.8, markersize=3)
ax.plot([0, 1], scores.mean(0), "o-", color=plot.ORANGE, linewidth=3)
ax.set(xlim=(-0.3, 1.3), ylabel="AUC (%)")
ax.set_xticks([0, 1], ("other people", "the same people"))
gain = scores[:, 1].mean() - scores[:, 0].mean()
assert gain > 1.5
print(f"the leak raises the mean score: {gain > 1.5}")

# %% [markdown]
# Same test, same method, same amount of data, and on average the leak makes a recogniser look better than it is, by a few points of AUC. Not in every draw: twenty people are few, and which of them are easy matters as much. So one draw could have hidden the leak, or doubled it. The map learned here can remember no more than nineteen directions; what a network of millions of weights makes of a leak is not measured in this lesson. Nothing in the code looks wrong: no picture is in both halves. The number answers a question, how to recognise people who are all in the training set; it is then quoted for another.
#
# ### A larger leak: bursts
#
# Photos on the web come in bursts, and frames of a video are all but equal. Twenty people, four scenes each, two frames a scene: in the second frame the head has moved by three degrees, and noise and detector err anew. A picture of the test is recognised by its nearest neighbour among the training pictures, in raw pixels, which we know to be useless.
#
# <details class="predict"><summary>Predict before you run: how often is the right person found if the twin frame may be among the training pictures, and how often if the whole scene is left out?</summary>
#
# The twin differs by three degrees and some noise, every other picture by light, place and pose: so the twin is nearly always the nearest. Without it the nearest picture is that of the most similar scene, whoever is in it. Guessing names one in twenty.
#
# </details>

# %%
crowd = many.identities(np.repeat(np.arange(20), 4))  # 80 scenes
chance = torch.Generator().manual_seed(5)
once, fresh = sample_scene(basis, crowd, chance), sample_scene(basis, crowd, chance)
errors = once.landmark_error + 0.2 * fresh.landmark_error
again = once.replace(yaw=once.yaw + 3 * DEGREE, grain=fresh.grain, landmark_error=errors)
frames = []
for scenes_of_80 in (once, again):
    parts_of_20 = [render_scene(crowd[i : i + 20], scenes_of_80[i : i + 20]).images for i in range(0, 80, 20)]
    frames.append(torch.cat(parts_of_20).numpy())  # 80, 112, 112, 3

# %% mystnb={"image": {"alt": "Left: four crops, two frames of one scene and two of another, of the same person; frames of one scene look all but equal. Right: two bars of rank-1 accuracy: split by frames is high, split by scenes is low."}}
first_frame, second_frame = (raw_pixels(frame) for frame in frames)  # 80, 784
owner, scene_number = np.repeat(np.arange(20), 4), np.tile(np.arange(4), 20)

nearest = (second_frame @ first_frame.T).argmax(1)  # the twin frame is among the training pictures
by_frames = (owner[nearest] == owner).mean()
tested, trained = scene_number == 3, scene_number < 3  # a whole scene is left out
nearest = (second_frame[tested] @ first_frame[trained].T).argmax(1)
by_scenes = (owner[trained][nearest] == owner[tested]).mean()

fig, axes = plt.subplots(1, 5, figsize=(9, 2.2), width_ratios=(1, 1, 1, 1, 2))
for ax, (frame, row) in zip(axes, ((0, 4), (1, 4), (0, 5), (1, 5)), strict=False):
    plot.image(frames[frame][row], f"scene {row - 3}, frame {frame + 1}", ax)
plot.bars({"by frames": 100 * by_frames, "by scenes": 100 * by_scenes}, "%", "rank 1 of raw pixels", axes[4])
assert by_frames > 0.7 and by_scenes < 0.4

# %% [markdown]
# Split by frames, the most naive recogniser of all seems nearly perfect: it recognises the *photo*. Without the twin little is left. Whoever publishes the upper number has measured how alike two frames are. Splitting by people removes this leak together with the other, since all frames of a person are then on one side.

# %% [markdown]
# ## Part two: collections on disk
#
# A rendered data set is an array. A collection of photos is a folder with millions of files that somebody else gathered, and most of the work before training is to find out what is in it. The rest of this lesson builds such a folder in miniature, in the form of VGGFace2 ([Cao et al. 2018](../book/bibliography.md)), and does to it what one does to the large one: list it, split it, clean it, pack it, and ask where it came from. Everything happens in a temporary folder.
#
# ### A folder for each person
#
# VGGFace2 is two folders. `train` holds 8,631 people and `test` 500 others, and each person is a folder with a number, `n000002`, full of loosely cropped photos: `0001_01.jpg` is face 1 of photo 1. The layout is the label: who is in a picture is told by the folder and by nothing else. We lay out three people in this way, two photos each.

# %%
import os
import tempfile
from pathlib import Path

from facelib.folders.align import align_folder

os.chdir(tempfile.mkdtemp())


def save(path, picture, quality=95):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])


photos = many.render([2, 2, 3, 3, 4, 4], torch.Generator().manual_seed(3), 200, aligned=False, hardness=0.3, hat=0)
for k, photo in enumerate(photos.images):
    save(Path(f"VGGFace2/train/n{k // 2 + 2:06d}/{k % 2 + 1:04d}_01.jpg"), photo)

done = align_folder("VGGFace2/train", "VGGFace2/train_align")  # the command: facelib align SOURCE TARGET
print(f"{done.pictures} photos, {done.aligned} aligned")
for path in sorted(Path("VGGFace2").rglob("*.jp*g")):
    print(path)
assert done.aligned == 6

# %% [markdown]
# `facelib align VGGFace2/train VGGFace2/train_align` is the same from a terminal. It keeps the structure and the names, and turns each photo into the crop of 112 x 112 that lesson 04 derived. What it cannot align it lists in `align_report.jsonl` with the reason, and a run that was stopped goes on when it is started again: with three million photos somebody will trip over the cable.

# %% mystnb={"image": {"alt": "Two rows of six pictures. Above, loosely cropped photos of three rendered people, two of each, with shoulders and background; below, the crops that facelib align cut from them, eyes and mouth in the same places."}}
crops = [cv2.imread(str(path))[..., ::-1] for path in sorted(Path("VGGFace2/train_align").rglob("*.jpg"))]
_ = plot.grid([*photos.images, *crops], titles=[f"n{k // 2 + 2:06d}" for k in range(6)] + [""] * 6, columns=6)

# %% [markdown]
# Six pictures are too few for what follows. The crops of the data set "tiny" become the folder `people/train_align`: 40 people, 8 pictures each, in the same form (`facelib synth export people/train_align` writes it from a terminal, counting from 0).

# %%
from facelib.data import FolderSource

root = Path("people/train_align")
for k, picture in enumerate(data.images):
    save(root / f"n{data.labels[k] + 2:06d}" / f"{k % 8 + 1:04d}_01.jpg", picture)

source = FolderSource(root)
print(f"{len(source)} pictures of {source.classes} people; the first is {source.name(0)} with label {source.labels[0]}")
assert source.people[:2] == ["n000002", "n000003"] and (source.labels == data.labels).all()

# %% [markdown]
# A label is the place of the folder in the sorted list of folders, 0 for `n000002`. That is convenient and dangerous: if one folder is removed, everybody behind it gets another number, and a network trained before no longer fits. So the numbers are written down once, in a list.
#
# ### List files
#
# The form is plain: a picture a line, its path and the number of its person. Reading one takes five lines.


# %%
from facelib import FaceLibError
from facelib.data import read_list, write_list


def read_by_hand(file):
    names, labels = [], []
    for line in Path(file).read_text().splitlines():
        name, label = line.rsplit(maxsplit=1)  # from the right: a path may hold spaces
        names.append(name)
        labels.append(int(label))
    return names, np.array(labels)


write_list("people/all.txt", [source.name(k) for k in range(len(source))], source.labels)
names, labels = read_by_hand("people/all.txt")
listing = read_list("people/all.txt", root)
assert list(listing.names) == names and (listing.labels == labels).all()
print(*Path("people/all.txt").read_text().splitlines()[:2], sep="\n")

# %% [markdown]
# Both agree on a good list. The library exists for the others.
#
# ### Break it: lists as they arrive
#
# <details class="predict"><summary>Predict before you run: five damaged lists, read by hand and by the library. Which of the five does our five-line reader notice?</summary>
#
# It notices what Python cannot parse: the missing label, because no number stands at the end. A path that leads out of the folder is a fine string. A date in the place of the label is a fine integer. A picture that does not exist is noticed when training opens it, hours later. And a gap in the labels is noticed by nobody who reads line by line.
#
# </details>

# %%
good = "n000002/0001_01.jpg 0\n"
broken = {
    "no label": good + "n000002/0002_01.jpg\n",
    "leads out": good + "../../secret.jpg 1\n",
    "a date as label": good + "n000003/0001_01.jpg 20261127\n",
    "not there": good + "n000002/0099_01.jpg 0\n",
    "a gap": good + "n000004/0001_01.jpg 2\n",
}
for what, text in broken.items():
    Path("broken.txt").write_text(text)
    heard = []
    for reader in (read_by_hand, lambda file: read_list(file, root)):
        try:
            reader("broken.txt")
            heard.append("nothing")
        except (ValueError, FaceLibError) as error:
            heard.append(str(error))
    print(f"{what}\n   by hand: {heard[0]}\n   library: {textwrap.fill(heard[1], 90, subsequent_indent=' ' * 12)}")

# %% [markdown]
# Every complaint of the library names the file, the line and what to do; our own says what Python thought and not where. The path that leads out is more than untidy: a list is a file from a stranger, and a program that joins its paths to a folder opens, and perhaps packs and publishes, whatever the stranger names.
#
# The gap passes both readers, because each line of it is right. It is a fault of the whole: class 1 exists, has no picture, and can only be pushed away in training. `inspect` looks at the whole.

# %%
from facelib.data import ListSource, inspect

Path("broken.txt").write_text(broken["a gap"])
gap = inspect(ListSource("broken.txt", root), num_classes=2)
print(gap)
assert gap.gaps == [1] and not gap.fits and gap.faults

# %% [markdown]
# ### Two splits, for two questions
#
# The first half of this lesson split by people. There is a second way, and each answers a question of its own:
#
# | | by people | by pictures |
# |---|---|---|
# | who is in validation | others than in training | the same people, other pictures |
# | what is measured | are two pictures of strangers told apart? (verification) | is the class found? (accuracy of the classifier) |
# | good for | the number one reports | seeing that training works at all |
# | labels | each side counts from 0 | the same on both sides, up to `--num-classes` |
#
# A shuffle with a seed would serve until somebody joins. Then every draw falls differently, and people who were in training yesterday are in validation today; whoever goes on training with yesterday's weights has a leak. So `facelib` asks nobody's neighbours: a name and the seed are hashed to a number $h \in [0, 1)$, and
#
# $$ \text{validation if } h(\text{seed}, \text{name}) < \text{share}. \tag{8.12} $$
#
# <details class="predict"><summary>Predict before you run: one person joins a folder of 40. How many of the 40 change sides under a seeded shuffle, and how many under (8.12)?</summary>
#
# The shuffle draws a new order of 41. Of the eight who were in validation, each stays with the probability 8/41, so most leave and as many come in. The hash of a name does not know how many names there are.
#
# </details>

# %%
from facelib.data import split_folder
from facelib.data.splits import fraction


def shuffled(people, share=0.2, seed=0):
    return set(np.random.default_rng(seed).permutation(people)[: round(share * len(people))].tolist())


def hashed(people, share=0.2, seed=0):
    return {name for name in people if fraction(name, seed) < share}


before, after = source.people, sorted([*source.people, "n000001"])
for way in (shuffled, hashed):
    moved = (way(before) ^ way(after)) - {"n000001"}
    print(
        f"{way.__name__:9s}{len(way(before)):3d} of 40 in validation; {len(moved):2d} change sides when n000001 joins"
    )
parts = split_folder(root, by="people", share=0.2)
assert set(parts.validation.people) == hashed(before) and not hashed(before) ^ (hashed(after) - {"n000001"})

# %% [markdown]
# The price: the share is met on average only. In the terminal the two splits are `facelib list people/train_align --out train.txt --val val.txt`, by pictures, and the same with `--split people`. Both write lists, so that a split is a file that one can keep, compare and publish.

# %%
for by in ("pictures", "people"):
    parts = split_folder(root, by=by, share=0.2)
    train, validation = ({name[:7] for name in part.names} for part in (parts.train, parts.validation))
    print(f"by {by:9s}{len(parts.train.names):4d} + {len(parts.validation.names):2d} pictures,", end=" ")
    print(f"{len(train):2d} + {len(validation):2d} people, {len(train & validation):2d} in both")
    for part, name in ((parts.train, "train"), (parts.validation, "val")):
        write_list(f"people/{by}_{name}.txt", part.names, part.labels)

# %% [markdown]
# ### Cleaning: what can be known for certain
#
# Some faults need no judgement. We put them in on purpose: a picture twice with one person, a picture with two people, a file that was cut short, and one that is no picture. Then a third kind of duplicate, the same picture saved again at another quality.

# %%
import shutil

dirty = Path("people/dirty")
shutil.copytree(root, dirty)
shutil.copy(dirty / "n000002/0001_01.jpg", dirty / "n000002/0009_01.jpg")  # twice with one person
shutil.copy(dirty / "n000003/0001_01.jpg", dirty / "n000004/0009_01.jpg")  # with two people
save(dirty / "n000005/0009_01.jpg", cv2.imread(str(dirty / "n000005/0001_01.jpg"))[..., ::-1], quality=90)
portraits = Path(facelib.__file__).parent / "samples/pairs"  # rendered, and part of the package
(dirty / "n000006/0001_01.jpg").write_bytes((portraits / "p1a.jpg").read_bytes()[:9000])  # a download that broke off
(dirty / "n000007/0001_01.jpg").write_bytes(b"<html>404 Not Found</html>")

found = inspect(FolderSource(dirty))
print(found)
assert len(found.unreadable) == 2 and len(found.other_person) == len(found.same_person) == 1

# %% [markdown]
# A picture with more than one label is the worst of these: whatever the network answers, one of the labels calls it wrong. `facelib list ... --check` prints the same report. The file that was cut short would have been decoded by many programs, with grey where the rest is missing; half a face is then a training picture, and nobody hears of it.
#
# And person `n000005`? The copy at another quality has other bytes, so a comparison of bytes does not see it. Exact duplicates are found with certainty and cheaply; near ones need a similarity, a threshold and somebody who looks.
#
# Two lists have faults that neither has alone. Here are the two validations from above, compared with the training by people.

# %%
from facelib.data import overlap

seen = {
    name: inspect(ListSource(f"people/{name}.txt", root)) for name in ("people_train", "people_val", "pictures_val")
}
for name in ("people_val", "pictures_val"):
    print(f"people_train and {name}: {overlap(seen['people_train'], seen[name])}")
assert not overlap(seen["people_train"], seen["people_val"]).people

# %% [markdown]
# The second line mixes up two splits, an afternoon's mistake with two files of similar names. Its people were trained on, under other numbers, and so were many of its very pictures. One call says so before anything is trained.
#
# ### Cleaning: label noise
#
# What no comparison of bytes finds is a good picture of the wrong person. A web search for a name returns such pictures too. The usual remedy: embed all pictures and look for those that are far from their person. With $c_k$ the mean of the *other* pictures under the label of picture $k$,
#
# $$ s_k = \cos\,(e_k, c_k), \qquad\text{or against the nearest other person}\qquad d_k = s_k - \max_{j \ne y_k} \cos\,(e_k, c_j), \tag{8.13} $$
#
# and the pictures with the smallest value are looked at first. Leaving picture $k$ out of its own mean matters: with eight pictures a person it would vouch for itself with an eighth of the vote.


# %%
def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def doubts(vectors, given):
    """s and d of equation 8.13, (N,) each; vectors (N, D), labels 0 ... K - 1."""
    sums = np.stack([vectors[given == k].sum(0) for k in range(given.max() + 1)])  # K, D
    own = (vectors * unit(sums[given] - vectors)).sum(1)  # N: without the picture itself
    cosine = vectors @ unit(sums).T  # N, K
    cosine[np.arange(len(given)), given] = -np.inf
    return own, own - cosine.max(1)


toy = unit(np.array([(1.0, 0), (0.9, 0.1), (0.1, 0.9), (0, 1), (0.1, 1)]))
own, against = doubts(toy, np.array([0, 0, 0, 1, 1]))  # the third stands with the wrong person
assert own.argmin() == against.argmin() == 2

# %% [markdown]
# Now the experiment. Of twenty people's 160 pictures a tenth, 16, get the label of somebody else, drawn sixteen times anew. The 16 most doubtful pictures are picked. How many of them are really wrong? That share is the **precision**; picking blindly gives a tenth.
#
# Two embeddings: HOG, which was never trained, and the linear discriminant from "Break it", trained on the colours of the *other* twenty people, whose labels are right.
#
# <details class="predict"><summary>Predict before you run: which of the four combinations does better than picking blindly, and which finds most of the wrong labels?</summary>
#
# An embedding in which pose and light outweigh identity (the first experiment of this lesson) puts a person's own pictures far apart. Distance to the own mean then finds the turned and badly lit pictures, not the wrong ones. Comparing with the nearest other person takes part of that away, since a picture in odd light is far from everybody. And an embedding that has learned what to ignore should beat one that has not.
#
# </details>

# %%
judged = data.labels < 20  # 160 pictures; the other 160 train the discriminant
colour = colours(data.images)
embeddings = {
    "HOG": facelib.Embedder.load("hog")(data.images[judged]).astype(float),
    "discriminant": discriminant(colour[~judged], data.labels[~judged], keep=19)(colour[judged]),
}
precision = {f"{name},\n{way}": [] for name in embeddings for way in ("own mean", "nearest other")}
for seed in range(16):
    random, given = np.random.default_rng(seed), data.labels[judged].copy()
    wrong = random.choice(160, 16, replace=False)
    given[wrong] = (given[wrong] + random.integers(1, 20, 16)) % 20  # somebody else, never the same
    values = [value for vectors in embeddings.values() for value in doubts(vectors, given)]
    for results, value in zip(precision.values(), values, strict=True):
        results.append(100 * np.isin(np.argsort(value)[:16], wrong).mean())

# %% mystnb={"image": {"alt": "Four columns of sixteen dots with their means: precision of the 16 most doubtful pictures. HOG by distance to the own mean lies at the dashed line of blind picking; HOG against the nearest other person lies above it; the discriminant lies higher in both ways, near forty per cent, far below a hundred."}}
fig, ax = plt.subplots(figsize=(7, 3))
for x, results in enumerate(precision.values()):
    ax.plot(x + np.linspace(-0.15, 0.15, 16), results, "o", color=plot.SKY, markersize=4)
    ax.plot(x, np.mean(results), "_", color=plot.ORANGE, markersize=40, markeredgewidth=3)
ax.axhline(10, color="grey", linestyle="--", label="picked blindly")
ax.set(xticks=range(4), xticklabels=precision, ylabel="precision (%)", ylim=(-3, 100))
_ = ax.legend()

# %%
means = np.array([np.mean(results) for results in precision.values()])
errors = np.array([np.std(results, ddof=1) / 4 for results in precision.values()])  # of a mean of 16
for name, mean, error in zip(precision, means, errors, strict=True):
    verdict = "better than blind" if mean > 10 + 3 * error else "not to be told from blind picking"
    print(
        f"{name.replace(chr(10), ' '):28s}{verdict:36s}{'most' if mean < 50 else 'fewer than half'} of the picked are right as they are"
    )
assert abs(means[0] - 10) < 3 * errors[0] and means[1] > 10 + 3 * errors[1]
assert means[2:].min() > means[1] and means.max() < 50

# %% [markdown]
# HOG by distance to the own mean cannot be told from a blind hand. The comparison with the nearest other person helps it. The discriminant does better in both ways, and even so more than half of what it picks is right as it is: deleting without looking would take away more good pictures than bad ones. Are the good ones odd pictures, as one would expect? In a rendered world one can look it up: the next cell compares how far the head is turned.

# %%
turned = abs(data.attributes["yaw"][judged]) / DEGREE
own, _ = doubts(embeddings["HOG"], data.labels[judged])  # all labels right
doubtful, trusted = np.argsort(own)[:16], np.argsort(own)[-80:]
print(
    f"the 16 most doubtful are turned further than the better half: {turned[doubtful].mean() > turned[trusted].mean()}"
)

# %% [markdown]
# So the rule is to *rank* by such a value and to *look*, or to clean with a network that is good already. Large collections are cleaned in rounds, WebFace42M for one ([Zhu et al. 2021](../book/bibliography.md)): train, clean, train again. Whether that also evens out people, so that what remains resembles what the first network knew, is a question one should ask of such a set.
#
# ### Packing: one file instead of millions
#
# Training asks for crops of a few kilobytes in random order, millions of times, and for each loose file the system looks up a name, opens, reads and closes. So the files are joined into large ones, with a table of where each picture begins. We write one such form by hand, the record file of MXNet in which MS1MV2 and its kin are exchanged: for each picture a magic number, a length, a header of 24 bytes with the label, the bytes of the JPEG as they are, and zeros up to a multiple of four.


# %%
import struct

from facelib.data import RecordSource

MAGIC = 0xCED7230A


def record(picture, label, number):
    body = struct.pack("<IfQQ", 0, label, number, 0) + picture  # flag, label, two ids; then the file
    return struct.pack("<II", MAGIC, len(body)) + body + bytes(-len(body) % 4)


position = 0
with open("people/train.rec", "wb") as records_file, open("people/train.idx", "w") as index_file:
    for k in range(len(source)):
        piece = record(source.read(k), source.labels[k], k)
        index_file.write(f"{k}\t{position}\n")
        records_file.write(piece)
        position += len(piece)

# %% [markdown]
# Reading one back takes the position from the index, two numbers, a header, and no search. (The real format also cuts a record in two where the magic number happens to stand inside it; `facelib.data.recordio` does that part.)

# %%
wanted = 200
position = int(Path("people/train.idx").read_text().splitlines()[wanted].split()[1])
with open("people/train.rec", "rb") as file:
    file.seek(position)
    magic, length = struct.unpack("<II", file.read(8))
    flag, label, number, _ = struct.unpack("<IfQQ", file.read(24))
    picture = file.read(length - 24)

packed_by_hand = RecordSource("people/train.rec")
assert magic == MAGIC and (label, number) == (source.labels[wanted], wanted) and picture == source.read(wanted)
assert packed_by_hand.read(wanted) == picture and (packed_by_hand.labels == source.labels).all()
print(f"record {wanted}: label {label:.0f}, the same bytes by hand, by facelib and in {source.name(wanted)}")

# %% [markdown]
# Two more forms. WebDataset is an ordinary tar file in which `200.jpg` and `200.cls` lie side by side: anything can write it, it streams well over a network, and it has no table, so whoever wants number 200 must walk past all before it. `facelib` lists a shard once and keeps the positions beside it. And `pack` writes files of Arrow, mapped into memory, in which a picture costs neither a search nor a copy.

# %%
import io
import tarfile

from facelib.data import PackedSource, WebDatasetSource, decode, pack, verify

with tarfile.open("people/train.tar", "w") as tar:
    for k in range(len(source)):
        for extension, content in (("jpg", source.read(k)), ("cls", str(source.labels[k]).encode())):
            member = tarfile.TarInfo(f"{k:06d}.{extension}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))

with tarfile.open("people/train.tar", "r|") as stream:  # as it would come over a network
    passed = next(number for number, member in enumerate(stream) if member.name == f"{wanted:06d}.jpg")
print(f"picture {wanted} of a stream: {passed} members had to pass first")
pack(source, "people/packed")  # the command: facelib pack people/train_align people/packed
forms = {
    "loose files": source, "record file": packed_by_hand,
    "WebDataset": WebDatasetSource("people/train.tar"), "packed": PackedSource("people/packed"),
}  # fmt: skip
assert all(bytes(form.read(k)) == source.read(k) for form in forms.values() for k in range(0, 320, 40))

# %% [markdown]
# Four forms, the same bytes, one interface. What does a picture cost in each, in random order?

# %%
import time

order = np.random.default_rng(0).permutation(len(source)).tolist()
cost = {}
for name, form in forms.items():
    tries = []
    for _ in range(5):
        start = time.perf_counter()
        for k in order:
            form.read(k)
        tries.append(1e3 * (time.perf_counter() - start) / len(order))
    cost[name] = min(tries)
    print(f"{name:12s} {cost[name]:.4f} ms a picture")

# %% [markdown]
# All 320 pictures have just been written and lie in the machine's memory, so no disk is timed here: this is the bare cost of looking up, opening and closing. It is smallest where the file is mapped and the position is in a table; how the other three rank depends on the machine. Where the data do not fit into memory each lookup of a loose file may mean a trip to the disk of its own, or to a server; that part is not measured in this lesson. Decoding the JPEG costs the same in all four forms.
#
# ### Break it: one bit
#
# Files of a hundred gigabytes get copied, and copies go wrong. We pack the twelve portraits that come with `facelib` and change one bit of the packed file, in the middle of a picture.
#
# <details class="predict"><summary>Predict before you run: does reading that picture fail?</summary>
#
# A JPEG is a stream of codes of different lengths without a checksum. After a wrong bit the decoder reads other codes, which may well be valid ones. It goes on and paints something.
#
# </details>

# %%
for path in portraits.glob("*.jpg"):  # p3a.jpg is picture a of person 3
    Path("portraits", path.stem[:2]).mkdir(parents=True, exist_ok=True)
    shutil.copy(path, Path("portraits", path.stem[:2], path.name))
pack(FolderSource("portraits"), "packed")

part = Path("packed/part-00000.arrow")
content, picture = bytearray(part.read_bytes()), Path("portraits/p3/p3a.jpg").read_bytes()
content[content.find(picture) + len(picture) // 2] ^= 0b00001000
part.write_bytes(content)

hurt = PackedSource("packed")
victim = [hurt.name(k) for k in range(len(hurt))].index("p3/p3a.jpg")
print(f"opens without complaint: {len(hurt)} pictures; {hurt.name(victim)} has shape {hurt.image(victim).shape}")
try:
    verify("packed")
except FaceLibError as error:
    print("but verify says:", error)
assert verify("people/packed") == len(source)

# %% mystnb={"image": {"alt": "Three pictures: the portrait as it was stored; the same after one bit was changed; and their difference, which is zero in the upper half and large from the middle downwards."}}
original, changed = decode(picture), hurt.image(victim)
difference = abs(original.astype(float) - changed).mean(2)
fig, axes = plt.subplots(1, 3, figsize=(7, 2.6))
plot.image(original, "stored", axes[0])
plot.image(changed, "one bit changed", axes[1])
plot.image(difference, "difference (grey levels)", axes[2], cmap="cividis", vmin=0, vmax=60)
first = int(np.flatnonzero(difference.max(1) > 2)[0])
assert first > 100 and difference[first:].max() > 50

# %% [markdown]
# No error: a face whose lower half has the wrong colours goes into training, and only what stands before the wrong bit is intact. (Another bit may do no visible harm, and another again may make the decoder stop. This one does what nobody hears of.) A SHA-256 of the whole file, written down when it was packed, differs if any single bit does. `facelib pack ... --verify` compares them all; that takes one pass over the file and belongs after every copy.
#
# ### Where it came from
#
# Everything so far asked whether a folder is sound. Whether it should be used at all is another question, and no program can answer it from the bytes. `facelib.data` keeps what is publicly stated about the known sets, and downloads none of them.

# %%
from facelib.data import find_set, known_sets

for entry in known_sets():
    if not entry.name.startswith("synth:"):
        row = (
            f"{entry.name:14s}{entry.count('people'):>14s} people{entry.count('pictures'):>18s} pictures  {entry.state}"
        )
        print(f"{row} {entry.since or ''}".rstrip())
gone = {entry.name for entry in known_sets() if entry.state in ("offline", "withdrawn", "derived")}
touched = [entry for entry in known_sets() if entry.name in gone or gone.intersection(entry.parents)]
photos_of_people = [entry for entry in known_sets() if entry.kind != "synthetic"]
print(f"\n{len(touched)} of {len(photos_of_people)} sets of photos are offline, withdrawn,")
print("or made of one that was, wholly or in part")
assert len(touched) > len(photos_of_people) / 2

# %%
print("\n".join(str(find_set("MS1MV3")).splitlines()[:5]))

# %% [markdown]
# **Withdrawn** means that the makers no longer give the set out. It does not mean that the copies are gone, nor that networks trained on it forget. MS-Celeb-1M was withdrawn in 2019 after it came out that private persons were in it; MS1MV2 and MS1MV3, on which many published networks rest, are its pictures under another name.
#
# **A mirror** can give you the bytes. It cannot give what the first owner never had: the right of a photographer to a photo, and of a person to decide what their face is used for. "Research only" on a mirror's page repeats a sentence; it does not make it true.
#
# **What to write down**, for a set of your own: where each picture came from, who was asked and what, when it was taken in, and a way to delete a person everywhere, in the folder, the list, the packed file and the embeddings. The stable split and the names in the packed file are part of that: without them nobody can say any more where a picture went. [Data and licences](../book/data.md) has the full table with sources, and `facelib catalog NAME` prints one entry.

# %% [markdown]
# ## Exercises
#
# ### Exercise 8.1 · Knobs with two ends
#
# <span class="meta">★☆☆ · 10 minutes</span>
#
# Write equation 8.3 without a loop: `mean` (V, 3), `plus` and `minus` (K, V, 3), `values` (K,) between -1 and 1, all numpy arrays. Return the vertices (V, 3). Nothing passed in may change.
#
# <details class="hint"><summary>Hint 1</summary>
#
# Which array should a value of -0.5 multiply, and with which sign?
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# `np.maximum(values, 0)` are the weights of `plus`. `np.tensordot(a, b, axes=1)` sums over the last axis of `a` and the first of `b`.
#
# </details>


# %% tags=["exercise"]
def bend(mean, plus, minus, values):
    return ...  # your code


# %% tags=["check"]
check.bend(bend)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def bend(mean, plus, minus, values):
#     up, down = np.maximum(values, 0), np.maximum(-values, 0)
#     return mean + np.tensordot(up, plus, axes=1) + np.tensordot(down, minus, axes=1)
# ```
#
# Both weights are positive: the drawing `minus` already shows the narrow nose, so it is added, not subtracted.
#
# </details>

# %% [markdown]
# ### Exercise 8.2 · Nearer is larger
#
# <span class="meta">★★☆ · 15 minutes</span>
#
# A photographer steps back from `distance` to twice the distance and zooms in, so that the plane $z' = 0$ keeps its size. Write `project(points, distance, focal, centre)` after (8.5), for points (K, 3), with `centre` as (column, row); it returns (K, 2). Then `zoom(distance, focal, new_distance)`: the focal length that keeps the size at $z' = 0$.
#
# <details class="hint"><summary>Hint 1</summary>
#
# Rows count downwards. What is the size at $z' = 0$ of something one decimetre wide?
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# At $z' = 0$ one decimetre is $f / D$ pixels. Keep that quotient.
#
# </details>


# %% tags=["exercise"]
def project(points, distance, focal, centre):
    return ...  # your code


def zoom(distance, focal, new_distance):
    return ...  # your code


# %% tags=["check"]
check.project(project, zoom)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def project(points, distance, focal, centre):
#     scale = focal / (distance - points[:, 2:])  # K, 1
#     return np.array(centre) + points[:, :2] * [1, -1] * scale
#
#
# def zoom(distance, focal, new_distance):
#     return focal * new_distance / distance
# ```
#
# From nearby the nose is larger against the ears, from far away everything has the scale of the plane. The same face has other proportions in a selfie and in a passport photo, and no alignment in the plane takes that back.
#
# </details>

# %% [markdown]
# ### Exercise 8.3 · Split by people
#
# <span class="meta">★★☆ · 15 minutes</span>
#
# Write `split_people(labels, share, seed)`: `labels` (N,) are any integers, not necessarily 0, 1, 2, ... Return two arrays of row numbers, train and test, so that a share of the *people* (rounded) is in the test and nobody is in both. The seed decides who.
#
# <details class="hint"><summary>Hint 1</summary>
#
# Shuffle people, not rows. Who are the people?
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# `np.unique(labels)`, `np.random.default_rng(seed).permutation`, `np.isin`, `np.flatnonzero`.
#
# </details>


# %% tags=["exercise"]
def split_people(labels, share, seed):
    return ...  # your code


# %% tags=["check"]
check.split_people(split_people)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def split_people(labels, share, seed):
#     people = np.random.default_rng(seed).permutation(np.unique(labels))
#     tested = np.isin(labels, people[: round(share * len(people))])
#     return np.flatnonzero(~tested), np.flatnonzero(tested)
# ```
#
# The shares of pictures come out only roughly, because people have different numbers of them. That is the price, and a small one.
#
# </details>

# %% [markdown]
# ### Exercise 8.4 · Read the dyes
#
# <span class="meta">★★★ · 25 minutes</span>
#
# A pixel of matt skin shows $\rho_\lambda$ of (8.9) times an unknown white light $E$, the same for the three channels. Take `base` for $\rho^0$ and the absorptions `melanin` for $\mu$ and `blood` for $\beta$, each (3,). Write `dyes(colours, base, melanin, blood)`, which returns the amounts $m$ and $b$ as (N, 2) for linear colours (N, 3).
#
# <details class="hint"><summary>Hint 1</summary>
#
# Take the logarithm. What is then linear, and how many unknowns has a pixel?
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# $\log(\rho^0_\lambda / I_\lambda) = m\, \mu_\lambda + b\, \beta_\lambda - \log E$: three equations, three unknowns. The light adds the same number to each channel, so its column is all ones (the sign of an unknown does not matter).
#
# </details>


# %% tags=["exercise"]
def dyes(colours, base, melanin, blood):
    return ...  # your code


# %% tags=["check"]
check.dyes(dyes)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def dyes(colours, base, melanin, blood):
#     columns = np.stack([melanin, blood, np.ones(3)], 1)  # 3 channels, 3 unknowns
#     unknown = np.linalg.solve(columns, np.log(base / colours).T)  # 3, N
#     return unknown[:2].T
# ```
#
# It works because the dyes change the *ratios* of the channels and the brightness of white light does not. In light of another colour it fails: a yellow lamp and melanin both take blue away, and three channels cannot tell two dyes and three strengths of light apart.
#
# </details>

# %% [markdown]
# ### Exercise 8.5 · A side for everybody
#
# <span class="meta">★★☆ · 15 minutes</span>
#
# Write `in_validation(name, share, seed)` after (8.12): True or False for one person, whoever else there is, on any machine. For $h$ take the text `f"{seed}\0{name}"` as UTF-8, its BLAKE2b hash of 8 bytes as a whole number with the most significant byte first, divided by $2^{64}$.
#
# <details class="hint"><summary>Hint 1</summary>
#
# Python's own `hash` of a text is another one in each process, on purpose. `hashlib.blake2b(data, digest_size=8)` is the same everywhere.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# `int.from_bytes(digest, "big")`.
#
# </details>


# %% tags=["exercise"]
def in_validation(name, share, seed):
    return ...  # your code


# %% tags=["check"]
check.in_validation(in_validation)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# import hashlib
#
#
# def in_validation(name, share, seed):
#     digest = hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=8).digest()
#     return int.from_bytes(digest, "big") / 2**64 < share
# ```
#
# A larger share keeps everybody who was in validation and adds some. The seed stands in the text, so another seed draws everybody anew.
#
# </details>

# %% [markdown]
# ### Exercise 8.6 · Whom to look at first
#
# <span class="meta">★★★ · 20 minutes</span>
#
# Write `suspects(vectors, labels, count)`: the rows of the `count` most doubtful pictures, the most doubtful first, by $s_k$ of (8.13). `vectors` (N, D) have length 1, `labels` (N,) are any whole numbers. A person with a single picture has no others to compare with and is never a suspect.
#
# <details class="hint"><summary>Hint 1</summary>
#
# The sum of the others is the sum of all minus the picture itself. A mean and a sum point in the same direction.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# `np.unique(labels, return_inverse=True, return_counts=True)` turns any numbers into 0, 1, 2, ... and says how often each comes. Give the single ones the value infinity.
#
# </details>


# %% tags=["exercise"]
def suspects(vectors, labels, count):
    return ...  # your code


# %% tags=["check"]
check.suspects(suspects)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def suspects(vectors, labels, count):
#     _, which, sizes = np.unique(labels, return_inverse=True, return_counts=True)
#     sums = np.zeros((len(sizes), vectors.shape[1]))
#     np.add.at(sums, which, vectors)
#     others = sums[which] - vectors  # N, D
#     length = np.maximum(np.linalg.norm(others, axis=1), 1e-12)
#     s = (vectors * others).sum(1) / length
#     s[sizes[which] == 1] = np.inf
#     return np.argsort(s, kind="stable")[:count]
# ```
#
# With two pictures a person, both get the same value, whichever is wrong: two disagree, and nobody knows who is right. From three on the majority speaks.
#
# </details>

# %% [markdown]
# ## Quiz
#
# **Question 1.** Why does person 7 come from a counter-based generator?
#
# <details class="quiz"><summary>A · Its numbers are more random</summary>
#
# Wrong: an ordinary generator passes the same statistical tests. What it lacks is a way to number 300 of person 7 that does not lead past everybody else.
#
# </details>
# <details class="quiz"><summary>B · So that a person depends on (seed, k) alone, whoever else is asked for and whatever is drawn for them</summary>
#
# Right: any person can be computed at once, in any order, on any machine, and a trait added later shifts no old number.
#
# </details>
# <details class="quiz"><summary>C · To save disk space by compressing people</summary>
#
# Wrong: nothing is compressed because nothing is stored. The numbers are recomputed whenever somebody looks.
#
# </details>
#
# **Question 2.** A person's weights of face units (smile, jaw) are made part of the identity. What goes wrong?
#
# <details class="quiz"><summary>A · Nothing, expression and shape are sums of the same kind</summary>
#
# Wrong: the sums are alike, but what is fixed for a person is what a recogniser may use. Everybody would have one face for ever.
#
# </details>
# <details class="quiz"><summary>B · A recogniser may learn that the one who smiles is Anna</summary>
#
# Right: the smile would go with the identity in all pictures, a shortcut, and the recogniser would fail when Anna is serious.
#
# </details>
# <details class="quiz"><summary>C · The landmarks would no longer be exact</summary>
#
# Wrong: they are computed from the bent head in either case.
#
# </details>
#
# **Question 3.** With true landmarks, why is a crop at yaw 35 still off the template?
#
# <details class="quiz"><summary>A · Because the similarity was fitted with noise</summary>
#
# Wrong: here `landmark_error` was zero, and the residue stayed.
#
# </details>
# <details class="quiz"><summary>B · Because JPEG moves edges</summary>
#
# Wrong: the landmarks come from the geometry and never see the file.
#
# </details>
# <details class="quiz"><summary>C · Because the head turned in space, and a similarity moves the plane as a whole</summary>
#
# Right: the nose comes nearer to one eye and farther from the other. No rotation, scale and shift of the picture undoes that.
#
# </details>
#
# **Question 4.** A paper reports 99 % on pairs of people, "trained on 80 % of the pictures, tested on the rest". What do you ask first?
#
# <details class="quiz"><summary>A · Whether any person is in both parts</summary>
#
# Right: if the split was by pictures, nearly everybody is. The number then describes people who were trained on.
#
# </details>
# <details class="quiz"><summary>B · Whether 20 % of the pictures is enough for the test</summary>
#
# Wrong as the first question: a small test makes the number uncertain, a leak makes it an answer to something else.
#
# </details>
# <details class="quiz"><summary>C · Whether the pairs were balanced</summary>
#
# Wrong as the first question: it matters for what guessing reaches, but a leak would spoil balanced pairs just as well.
#
# </details>
#
# **Question 5.** Of a collection's pictures, the tenth with the smallest similarity to their person's mean is deleted unseen. What is the danger?
#
# <details class="quiz"><summary>A · None: a wrong label is always far from the mean</summary>
#
# Wrong: in the experiment most of the pictures picked, by every embedding that was tried, were labelled rightly.
#
# </details>
# <details class="quiz"><summary>B · That rightly labelled but unusual pictures go, those that a network has most to learn from</summary>
#
# Right: what is far from the mean depends on what the embedding cannot yet ignore, and turned heads were among the first suspects here.
#
# </details>
# <details class="quiz"><summary>C · That labels are left without a picture</summary>
#
# Wrong as the main danger: it can happen, but `inspect` says so at once. The loss of unusual pictures shows in no report.
#
# </details>
#
# **Question 6.** A mirror offers MS1MV3 "for research purposes". What does that sentence settle?
#
# <details class="quiz"><summary>A · That research with it is permitted</summary>
#
# Wrong: whoever runs the mirror owns neither the photos nor the faces, and cannot permit what is not theirs.
#
# </details>
# <details class="quiz"><summary>B · Nothing: its pictures are those of a set that was withdrawn, and a mirror can pass on bytes but no rights</summary>
#
# Right: whether and where its use is lawful has to be asked of the law, and whether it is decent of oneself.
#
# </details>
# <details class="quiz"><summary>C · That it is another set than MS-Celeb-1M, since it has another name</summary>
#
# Wrong: it was cleaned and aligned anew, and all its pictures are from there.
#
# </details>
#
# ## Summary
#
# - A rendered person is a seed and a number; a picture adds a scene. Identity and nuisance never mix, and every value is known.
# - To the pixels nuisance outweighs identity: a lamp on the other side changes more than another person.
# - A head is a sum of displacements, turned, divided by depth, and cut into triangles; barycentric coordinates and a z-buffer decide what each pixel sees.
# - Light adds, dyes multiply, the camera bends, JPEG rounds cosines. Each step is a few lines and agrees with the library's.
# - Splits are made by people. A leak flatters without a single shared picture, and a shortcut scores without a face; both show only if one looks for them.
# - On disk a label is a folder and then a line of a list. Names are hashed to decide who is in validation, so that nobody moves when somebody joins.
# - Bytes tell duplicates and broken files for certain; wrong labels are only ranked, and somebody has to look.
# - A packed file spares the lookups and can be checked to the bit; a decoder paints over a wrong bit and says nothing.
# - Sound data are not yet permitted data: withdrawn sets go on circulating, and a mirror grants no rights.
# - Rendered people carry mechanisms and procedures. They carry no statement about photos or about groups of real people unless it was measured there.
#
# Next: [lesson 09](09_backbones.ipynb), the networks that turn such crops into vectors.
