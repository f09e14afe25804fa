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
# # 04 · Alignment
#
# <a class="colab" href="https://colab.research.google.com/github/facelib-course/facelib-course/blob/main/notebooks/04_alignment.ipynb">Open in Colab</a>
#
# A detector says where a face is. A recogniser wants to know whose it is, and every millimetre by which the eyes
# wander in its input is a difference that has nothing to do with the person. Alignment removes it before the network
# sees anything: five landmarks, one small matrix, one warp. This lesson derives the matrix, does the warp by hand, and
# measures what the alternatives cost.
#
# **You will be able to**
# - say what box crop, eye rotation, similarity and affine can and cannot do to a picture, and measure it
# - derive the least-squares similarity (Umeyama) and write it in ten lines, or in two with complex numbers
# - explain why a reflection must be forbidden, and show what happens when it is not
# - warp a picture by hand and get what OpenCV gets
# - tell a good alignment from a wrong one by its residual, its scale and its angle
#
# **Before this** [lesson 00](00_five_minutes.ipynb) and [lesson 02](02_cascade.ipynb), which makes the five landmarks.
# You need to know what a matrix product and a least-squares fit are; complex numbers are recalled where they appear.
#
# **Time** about 20 s to run on two CPU cores
# · about 60 minutes to read and do

# %% tags=["setup"]
try:
    import facelib
except ModuleNotFoundError:  # a fresh Colab
    # %pip install --quiet "facelib @ git+https://github.com/facelib-course/facelib-course"
    import facelib
import cv2
import matplotlib.pyplot as plt
import numpy as np

from facelib import TEMPLATE_112, plot, samples
from facelib.checks import lesson_04 as check

plot.use()

# %% [markdown]
# ## A network that must also find the eyes
#
# Fourteen pictures: a rendered group, a photo, and six rendered people twice. The detector of lesson 02 gives a box
# and five landmarks for each face. Everything below uses these, and nothing else from the pictures.

# %%
pictures = [samples.group(), samples.astronaut(), *(image for _, image in samples.people())]
found = facelib.MTCNN(min_face=30).detect_batch(pictures)

photos = [picture for picture, faces in zip(pictures, found, strict=True) for _ in faces]
boxes = np.concatenate([faces.boxes for faces in found]).astype(float)  # N, 4
points = np.concatenate([faces.landmarks for faces in found]).astype(float)  # N, 5, 2
print(f"{len(points)} faces in {len(pictures)} pictures")

# %% [markdown]
# The simplest crop is the box, resized to what the network wants, here 112 x 112 pixels. As a matrix it is
#
# $$
# \begin{pmatrix} x' \\ y' \end{pmatrix} = \begin{pmatrix} m_{11} & m_{12} \\ m_{21} & m_{22} \end{pmatrix}
# \begin{pmatrix} x \\ y \end{pmatrix} + \begin{pmatrix} t_1 \\ t_2 \end{pmatrix}
# = M \begin{pmatrix} x \\ y \\ 1 \end{pmatrix}, \qquad M \in \mathbb{R}^{2 \times 3} \tag{4.1}
# $$
#
# with $m_{12} = m_{21} = 0$: it takes picture coordinates to crop coordinates. Every candidate of this lesson is such a
# matrix. Try it on a toy first: the box (10, 20, 30, 60) must go to (0, 0, 112, 112).


# %%
def box_crop(box, points):
    x1, y1, x2, y2 = box
    sx, sy = 112 / (x2 - x1), 112 / (y2 - y1)
    return np.array([(sx, 0, -sx * x1), (0, sy, -sy * y1)])  # 2, 3


def move(matrix, points):
    return points @ matrix[:, :2].T + matrix[:, 2]  # ..., 2


corners = move(box_crop((10, 20, 30, 60), None), np.array([(10, 20), (30, 60)]))
print(corners)
assert np.allclose(corners, [(0, 0), (112, 112)])

# %% [markdown]
# Now all faces. In each crop we mark where the landmarks land.
#
# <details class="predict"><summary>Predict before you run: by how many pixels of 112 do the eyes wander from crop to crop?</summary>
#
# The box follows the outline of the face as the detector sees it. It knows nothing about a head that looks aside (the
# eyes move towards the edge), about hair, a beard or a raised chin. A few per cent of the side is what to expect, and a
# few per cent of 112 is several pixels. An iris is about nine pixels wide in such a crop.
#
# </details>

# %% mystnb={"image": {"alt": "Sixteen small crops made by resizing the detector's box. Faces are broadened, and the white crosses, which stand at the same place in every crop, hit an eye in some crops and a cheek or an eyelid in others."}}
in_box = np.array([move(box_crop(b, p), p) for b, p in zip(boxes, points, strict=True)])  # N, 5, 2
crops = [cv2.warpAffine(i, box_crop(b, p), (112, 112)) for i, b, p in zip(photos, boxes, points, strict=True)]
axes = plot.grid(crops[:16], columns=8)
for ax, landmarks in zip(axes.flat, in_box, strict=False):
    plot.template(ax)
    plot.landmarks(ax, landmarks, size=12)

# %% [markdown]
# (The first sixteen of them.) The crosses are the same five places in every crop; the dots are where this face has its eyes, nose and mouth
# corners. Lay all dots over each other, and beside them the dots after `facelib.align`, which the rest of the lesson
# explains.

# %% mystnb={"image": {"alt": "Two square panels with five clouds of dots. Left, box crop: the clouds are broad, eyes spread over more than twenty pixels and sit far from the crosses. Right, similarity: five tight clouds on the crosses, the nose's the widest."}}
in_aligned = np.array([move(facelib.estimate_similarity(p), p) for p in points])
_, axes = plt.subplots(1, 2, figsize=(8, 4.2))
for ax, where, title in zip(axes, (in_box, in_aligned), ("box crop", "similarity"), strict=True):
    plot.landmarks(ax, where, size=14)
    plot.template(ax, colour="black")
    ax.set(title=title, xlim=(0, 112), ylim=(112, 0), aspect="equal")

wander = {name: where[:, :2].std(axis=0).mean() for name, where in (("box", in_box), ("aligned", in_aligned))}
print(f"eyes wander by {wander['box']:.1f} px in box crops and {wander['aligned']:.1f} px in aligned crops (one sigma)")
assert wander["box"] > 3 * wander["aligned"]

# %% [markdown]
# A network fed with box crops must learn that an eye may be anywhere in the left clouds, and must learn everything it
# knows about eyes once for every place. It can: convolutions help, and enough data does. But capacity and data spent on
# *where* are missing for *who*. Five landmarks and a matrix do the first job for nothing.
#
# ## Four ways to place a face
#
# | crop | made from | free numbers | can | cannot |
# |---|---|---|---|---|
# | box crop | the box | 4: two shifts, width, height | bring faces to one size | turn; keep proportions |
# | eye rotation | the box and the eyes | 5: and an angle | level the eyes | say where in the crop they are |
# | similarity | five landmarks | 4: two shifts, one scale, one angle | place, turn, resize the face as it is | stretch or shear |
# | affine | five landmarks | 6: any $M$ | fit the landmarks best | keep the shape of the face |
#
# Eye rotation turns the picture about the centre of the box until the eyes are level, then takes the box. Affine is the
# unrestricted least-squares fit of (4.1), five landmarks against six numbers. Similarity has
# $m_{11} = m_{22}$ and $m_{21} = -m_{12}$; for the moment the library computes it.


# %%
def eye_rotation(box, points):
    x, y = points[1] - points[0]
    centre = (box[:2] + box[2:]) / 2
    upright = cv2.getRotationMatrix2D(centre, np.degrees(np.arctan2(y, x)), 1)  # 2, 3
    return box_crop(box, points) @ np.vstack([upright, (0, 0, 1)])  # first turn, then crop


def similarity(box, points):
    return facelib.estimate_similarity(points)


def affine(box, points):
    ones = np.ones((len(points), 1))
    return np.linalg.lstsq(np.hstack([points, ones]), TEMPLATE_112)[0].T


candidates = {"box crop": box_crop, "eye rotation": eye_rotation, "similarity": similarity, "affine": affine}

# %% [markdown]
# Two numbers describe what a crop did. The **residual** says how far the landmarks are from where the template wants
# them, in pixels of the crop:
#
# $$ \text{residual} = \sqrt{\tfrac15 \sum_k \lVert M (x_k, y_k, 1)^\top - q_k \rVert^2} \tag{4.2} $$
#
# The **stretch** says what happened to shapes. A small circle in the picture becomes an ellipse in the crop; its axes are
# the singular values $\sigma_1 \ge \sigma_2$ of the left 2 x 2 part of $M$, and the stretch is $\sigma_1 / \sigma_2$.
# A toy makes it concrete: doubling only the width gives 2, turning gives 1.


# %%
def residual(matrix, points, template=TEMPLATE_112):
    return np.sqrt(((move(matrix, points) - template) ** 2).sum(-1).mean())


def stretch(matrix):
    larger, smaller = np.linalg.svd(matrix[:, :2], compute_uv=False)
    return larger / smaller


wider, turned = np.array([(2.0, 0, 0), (0, 1, 0)]), cv2.getRotationMatrix2D((0, 0), 30, 1.0)
print(f"wider: {stretch(wider):.2f}, turned: {stretch(turned):.2f}")
assert np.isclose(stretch(wider), 2)
assert np.isclose(stretch(turned), 1)


# %% [markdown]
# Four faces: the astronaut, the same photo turned by 25 degrees, one rendered face that looks 18 degrees to the side, and
# one in profile. Around each face we draw a circle in the picture and see what becomes of it.
#
# <details class="predict"><summary>Predict before you run: in which columns does the circle stay a circle?</summary>
#
# Only a similarity keeps circles. The box crop squeezes a box that is taller than wide into a square; eye rotation does
# the same afterwards; an affine fit uses its two extra numbers whenever they bring the landmarks closer.
#
# </details>

# %%
spin = cv2.getRotationMatrix2D((256, 256), 25, 1.0)  # counter-clockwise on the screen
rolled = cv2.warpAffine(samples.astronaut(), spin, (512, 512))
rolled_face = facelib.MTCNN(min_face=40).detect(rolled).largest()


def nearest(person):  # the detected face of one person of the group
    names = [face["person"] for face in samples.details("group")]
    true = samples.group_truth().landmarks[names.index(person)]
    return int(np.linalg.norm(points[: len(found[0])] - true, axis=-1).mean(-1).argmin())


turned_face, profile = nearest("g3"), nearest("g7")
astronaut = len(found[0])  # the first face after those of the group
cast = {
    "astronaut": (photos[astronaut], boxes[astronaut], points[astronaut]),
    "turned by 25°": (rolled, rolled_face.boxes[0].astype(float), rolled_face.landmarks[0].astype(float)),
    "looks aside": (photos[turned_face], boxes[turned_face], points[turned_face]),
    "profile": (photos[profile], boxes[profile], points[profile]),
}

# %% mystnb={"image": {"alt": "Four rows of faces, four columns. Box crop: broad faces, ellipses lying flat, the turned astronaut stays tilted. Eye rotation: as broad, but level. Similarity: natural proportions, a round circle in every row, landmarks near the crosses. Affine: landmarks closest to the crosses, but the astronaut and the face that looks aside are narrowed, the profile is widened, and their circles are ellipses."}}
_, axes = plt.subplots(len(cast), 4, figsize=(7, 2 * len(cast)))
angle = np.linspace(0, 2 * np.pi, 100)
for row, (name, (photo, box, p)) in zip(axes, cast.items(), strict=True):
    circle = p.mean(0) + np.ptp(p, axis=0).max() * 0.62 * np.stack([np.cos(angle), np.sin(angle)], 1)  # 100, 2
    for ax, (kind, place) in zip(row, candidates.items(), strict=True):
        M = place(box, p)
        plot.image(cv2.warpAffine(photo, M, (112, 112)), ax=ax)
        plot.template(ax)
        plot.landmarks(ax, move(M, p), size=14)
        ax.plot(*move(M, circle).T, color=plot.YELLOW, lw=1)
        ax.set(xlim=(-0.5, 111.5), ylim=(111.5, -0.5))
        ax.set_title(f"{kind}, {name}\nresidual {residual(M, p):.1f}, stretch {stretch(M):.2f}", size=7)

# %% [markdown]
# Read the columns. The box crop broadens every face and leaves a turned head turned. Eye rotation levels the eyes, but
# where they stand changes from row to row. The similarity puts all five landmarks near the crosses, as near as the profile
# allows, and the circle stays round. Affine comes closer still, and pays: look at the ellipses of the astronaut and of the face that looks aside.
#
# ## What each does to the residual and to the crop
#
# The same two numbers for all faces:

# %%
matrices = {
    kind: np.array([place(b, p) for b, p in zip(boxes, points, strict=True)]) for kind, place in candidates.items()
}
errors = {kind: np.array([residual(M, p) for M, p in zip(Ms, points, strict=True)]) for kind, Ms in matrices.items()}
stretches = {kind: np.array([stretch(M) for M in Ms]) for kind, Ms in matrices.items()}
placed = {kind: np.array([move(M, p) for M, p in zip(Ms, points, strict=True)]) for kind, Ms in matrices.items()}
print("crop           residual    wander   stretch: mean   largest")
for kind in candidates:
    wander = placed[kind].std(axis=0).mean()  # about the mean place of each landmark
    numbers = errors[kind].mean(), wander, stretches[kind].mean(), stretches[kind].max()
    print("{:<14} {:5.1f} px {:6.1f} px {:14.2f} {:9.2f}".format(kind, *numbers))

assert np.allclose(stretches["similarity"], 1)
assert (errors["affine"] <= errors["similarity"] + 1e-9).all()  # six free numbers can never fit worse than four
assert errors["similarity"].mean() < errors["eye rotation"].mean() / 2

# %% [markdown]
# A word of fairness first. Much of the residual of the box crop is a matter of framing: the template leaves more room around
# the face, and a network trained on box crops would not mind. The *wander*, how far the landmarks scatter around
# their own mean place, does not depend on framing, and it says the same: the lower two rows are in another class.
#
# Between those two, affine has the lower residual for every face. It has to: similarities are among the affine maps, and the least-squares
# fit picks the best of the larger set. So the residual cannot decide between them. What did the two extra numbers buy?
# Take a proportion of the face that a similarity cannot change, the height between eyes and mouth over the distance
# between the eyes, before and after. (The profile is left out.)


# %% mystnb={"image": {"alt": "Two scatter plots of the height between eyes and mouth over the eye distance, in the picture on the horizontal and in the crop on the vertical axis. Left, similarity: all dots on the diagonal. Right, affine: the dots form a band without slope, most of it just above a dashed line, the template's proportion."}}
def proportion(p):  # ..., 5, 2
    middle = (p[..., 3, :] + p[..., 4, :] - p[..., 0, :] - p[..., 1, :]) / 2  # from between the eyes to the mouth
    return np.linalg.norm(middle, axis=-1) / np.linalg.norm(p[..., 1, :] - p[..., 0, :], axis=-1)


others = np.arange(len(points)) != profile  # its two eyes nearly coincide: a proportion without meaning
before, spread = proportion(points[others]), {}
_, axes = plt.subplots(1, 2, figsize=(8, 3.6), sharey=True)
for ax, kind in zip(axes, ("similarity", "affine"), strict=True):
    after = proportion(placed[kind][others])
    spread[kind] = after.std()
    ax.plot([0.85, 1.3], [0.85, 1.3], color="grey", lw=0.8)
    ax.axhline(proportion(TEMPLATE_112), color="grey", ls="--", lw=0.8)
    ax.scatter(before, after, 25)
    ax.set(title=kind, xlabel="proportion in the picture", ylabel="in the crop" if kind == "similarity" else "")

print(f"spread of the proportion in the crops: similarity {spread['similarity']:.2f}, affine {spread['affine']:.2f}")
assert np.isclose(spread["similarity"], before.std())
assert spread["affine"] < 0.6 * spread["similarity"]

# %% [markdown]
# On the left every dot is on the diagonal: the crop shows the proportion that the picture showed. On the right the dots
# form a band without slope, most of it just above the template's own proportion (dashed): whatever the picture showed,
# the crop shows about the same. Some of the difference was pose, some was the person, and an affine fit cannot know which. **A lower residual is not the goal.**
# The goal is to remove what says nothing about the person (place, size, tilt) and to leave the rest to the network.
#
# ### Why a turned head leaves a residual
#
# A head that turns out of the picture plane does something that no map of the plane can undo. A toy head shows it: eyes
# and mouth corners lie on a flat card as in the template, the nose stands 20 pixels in front of it. We turn the card by
# the yaw angle, look at it from far away, and fit.


# %%
def toy_head(yaw):
    flat, depth = TEMPLATE_112 - TEMPLATE_112.mean(0), np.array([0, 0, 20, 0, 0])
    x = flat[:, 0] * np.cos(yaw) + depth * np.sin(yaw)
    return np.stack([x, flat[:, 1]], 1) + TEMPLATE_112.mean(0)  # 5, 2


assert np.allclose(toy_head(0), TEMPLATE_112)

# %% [markdown]
# <details class="predict"><summary>Predict before you run: how large is the residual at 0, 30 and 60 degrees, and does affine remove it?</summary>
#
# At 0 it is zero for both. Then the nose moves out by about $20 \sin(\text{yaw})$ while the card narrows by
# $\cos(\text{yaw})$. Affine could undo the narrowing, but not the nose: five points of a solid head do not stay in one
# plane map.
#
# </details>

# %% mystnb={"image": {"alt": "Left: residual against yaw from 0 to 80 degrees. Both curves rise from 0 to about 14 pixels and lie on one another up to 70 degrees; most grey dots of rendered faces lie above them. Right: the toy head's five points after the fit at 0, 30 and 60 degrees; at 60 eyes and mouth corners have drawn together and the nose is far right of its cross."}}
yaws = np.radians(np.arange(0, 81, 5))
heads = [toy_head(yaw) for yaw in yaws]
curve = {kind: np.array([residual(candidates[kind](None, p), p) for p in heads]) for kind in ("similarity", "affine")}
_, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
for (kind, values), style in zip(curve.items(), ("-", "--"), strict=True):
    left.plot(np.degrees(yaws), values, style, label=f"toy head, {kind}")
for name in samples.NAMES:
    yaw = [abs(np.degrees(face["yaw"])) for face in samples.details(name)]
    left.scatter(yaw, [residual(similarity(None, p), p) for p in samples.truth(name).landmarks], 12, color="grey")
left.set(xlabel="yaw (degrees)", ylabel="residual (px)", title="grey: rendered faces, true landmarks")
left.legend()
for degrees, size in ((0, 20), (30, 50), (60, 100)):
    p = toy_head(np.radians(degrees))
    plot.landmarks(right, move(similarity(None, p), p), size=size)
plot.template(right, colour="black")
right.set(xlim=(20, 92), ylim=(105, 40), aspect="equal", title="after the fit: 0, 30 and 60 degrees (larger dots)")
for kind, values in curve.items():
    print(f"toy head, {kind}: residual {values[6]:.1f} px at 30 degrees, {values[12]:.1f} px at 60 degrees")
assert (curve["affine"] > 0.9 * curve["similarity"])[1:].all()

# %% [markdown]
# The residual grows with the yaw although the fit is the best there is. Affine hardly helps: stretching the narrowed card
# back to its width would push the nose out further still. Most rendered faces lie above the curve, because no person has exactly the template's proportions.
# So a large residual means *turned head, unusual face, or wrong landmarks*; the section "Break it" comes back to the third.
#
# ## The template
#
# The targets $q_k$ are five points in a square of 112 pixels. They go back to a portrait format of 96 x 112 that
# SphereFace used, moved 8 pixels to the right to sit in a square, and ArcFace made them the habit of the field
# ([Deng et al. 2019](../book/bibliography.md)). Nothing about them is optimal. What counts is that the crops a network
# was trained with and the crops it is shown later agree, so published weights want exactly these points.

# %% mystnb={"image": {"alt": "A square of 112 by 112 pixels with five labelled points: two eyes in the upper middle, the nose in the centre, two mouth corners below. A dashed frame from x = 8 to 104 marks the older format of 96 by 112."}}
_, ax = plt.subplots(figsize=(5, 4.6))
plot.landmarks(ax, TEMPLATE_112, size=60, names=True)
for x, y in TEMPLATE_112:
    ax.text(x, y - 3, f"{x:.1f}, {y:.1f}", ha="center", size=8)
plot.boxes(ax, [(8, 0, 104, 112)], colour="grey", ls="--")
ax.set(xlim=(0, 112), ylim=(112, 0), aspect="equal", title="TEMPLATE_112; dashed: the format of 96 x 112")
ax.legend(loc="lower center", ncols=2, fontsize=7)
print(f"eye distance {np.linalg.norm(TEMPLATE_112[1] - TEMPLATE_112[0]):.1f} px")
print(f"midpoint of the five: x = {TEMPLATE_112[:, 0].mean():.1f}, y = {TEMPLATE_112[:, 1].mean():.1f}")

# %% [markdown]
# The order is part of the contract: left eye, right eye, nose, left mouth corner, right mouth corner, **left and right as
# seen in the picture**, not as the person would say. Each point is (x, y), column first; $y$ grows downwards.
#
# ## Umeyama's least squares, in one page
#
# Given landmarks $p_k$ and template points $q_k$, find scale $s \ge 0$, rotation $R$ and shift $t$ that minimise
#
# $$ E(s, R, t) = \sum_{k=1}^{K} \lVert s R\, p_k + t - q_k \rVert^2. \tag{4.3} $$
#
# **Shift.** For any $s, R$ the derivative with respect to $t$ vanishes where the centres meet:
#
# $$ t = \bar q - s R\, \bar p \tag{4.4} $$
#
# ([Umeyama 1991](../book/bibliography.md), eq. 41). From here on $p_k$ and $q_k$ are centred, and $t$ is gone:
#
# $$ E = s^2 \sum \lVert p_k \rVert^2 \;-\; 2 s \sum q_k^\top R\, p_k \;+\; \sum \lVert q_k \rVert^2, $$
#
# since a rotation changes no length.
#
# **Rotation.** $R$ stands in the middle term only, so it has to make $\sum q_k^\top R p_k$ as large as possible. With the
# covariance $\Sigma = \frac1K \sum q_k p_k^\top$ that sum is $K \operatorname{tr}(R^\top \Sigma)$. Write
# $\Sigma = U D V^\top$ (singular values $d_1 \ge d_2 \ge 0$) and move $V^\top$ to the front of the trace:
#
# $$ \operatorname{tr}(R^\top U D V^\top) = \operatorname{tr}(D\, W), \qquad W = V^\top R^\top U. $$
#
# $W$ is orthogonal, no entry of it exceeds 1, so $\operatorname{tr}(DW) \le d_1 + d_2$, with equality for $W = I$, that
# is $R = U V^\top$. One thing is left to check: $U V^\top$ is orthogonal, but it may be a **reflection**
# ($\det = -1$). Then every rotation has a $W$ with $\det W = -1$, in the plane
# $W = \begin{pmatrix} \cos\varphi & \sin\varphi \\ \sin\varphi & -\cos\varphi \end{pmatrix}$, and
# $\operatorname{tr}(DW) = (d_1 - d_2) \cos\varphi$, largest for $\varphi = 0$.
# Both cases in one line (Umeyama, eq. 40):
#
# $$ R = U S V^\top, \qquad S = \operatorname{diag}\bigl(1, \det(U V^\top)\bigr). \tag{4.5} $$
#
# **Scale.** $E$ is a parabola in $s$; its lowest point is (Umeyama, eq. 42)
#
# $$ s = \frac{\operatorname{tr}(D S)}{\frac1K \sum \lVert p_k \rVert^2}. \tag{4.6} $$


# %%
def umeyama(source, target, reflection=False):
    p, q = source - source.mean(0), target - target.mean(0)  # K, 2
    U, d, Vt = np.linalg.svd(q.T @ p / len(p))  # covariance, 2, 2
    S = np.eye(2)
    if not reflection:
        S[1, 1] = np.sign(np.linalg.det(U @ Vt))
    R = U @ S @ Vt
    scale = (d * np.diag(S)).sum() / (p**2).sum(1).mean()
    shift = target.mean(0) - scale * R @ source.mean(0)
    return np.column_stack([scale * R, shift])  # 2, 3


corner = np.array([(0.0, 0), (1, 0), (0, 1)])  # a toy: a right angle ...
quarter = 2 * np.array([(0.0, 0), (0, 1), (-1, 0)]) + (5, 3)  # ... turned by 90 degrees, doubled, moved to (5, 3)
print(umeyama(corner, quarter).round(6) + 0.0)
assert np.allclose(umeyama(corner, quarter), [(0, -2, 5), (2, 0, 3)])

# %% [markdown]
# ### The short cut of the plane
#
# In the plane a rotation with scale is a multiplication by a complex number: write the point $(x, y)$ as
# $z = x + i y$, and $a = s\,(\cos\theta + i \sin\theta)$ turns $z$ by $\theta$ and stretches it by $s = |a|$. The similarity
# is $z \mapsto a z + b$: a straight line, only complex. Its least-squares fit is the one of every straight line through
# centred points,
#
# $$ a = \frac{\sum \overline{p_k}\, q_k}{\sum |p_k|^2}, \qquad b = \bar q - a \bar p, \tag{4.7} $$
#
# two lines of code. A reflection would be $z \mapsto a \bar z + b$, which this form cannot express. No sign to correct.


# %%
def similarity_complex(source, target):
    p, q = source @ [1, 1j], target @ [1, 1j]  # K complex numbers each
    a = ((p - p.mean()).conj() * (q - q.mean())).sum() / (abs(p - p.mean()) ** 2).sum()
    b = q.mean() - a * p.mean()
    return np.array([(a.real, -a.imag, b.real), (a.imag, a.real, b.imag)])  # 2, 3


assert np.allclose(similarity_complex(corner, quarter), umeyama(corner, quarter))

# %% [markdown]
# Now the comparison that matters: our ten lines, our two lines, [facelib.estimate_similarity](../book/api.md), and
# scikit-image, on a thousand sets of random points. Random points prefer a reflection about half the time, so the sign
# correction is tested too.

# %%
from skimage.transform import SimilarityTransform


def by_skimage(source, target):
    if hasattr(SimilarityTransform, "from_estimate"):  # scikit-image 0.26 and later
        return SimilarityTransform.from_estimate(source, target).params[:2]
    transform = SimilarityTransform()
    transform.estimate(source, target)
    return transform.params[:2]


rng = np.random.default_rng(4)
clouds = rng.uniform(0, 500, (1000, 5, 2))
ours = facelib.estimate_similarity(clouds)  # all at once: 1000, 2, 3
for name, fit in {"umeyama": umeyama, "complex": similarity_complex, "scikit-image": by_skimage}.items():
    worst = max(abs(fit(cloud, TEMPLATE_112) - matrix).max() for cloud, matrix in zip(clouds, ours, strict=True))
    print(f"{name:<13} agrees with facelib to 1e-6: {worst < 1e-6}")
    assert worst < 1e-6
flipped = np.mean([np.linalg.det(umeyama(c, TEMPLATE_112, reflection=True)[:, :2]) < 0 for c in clouds])
assert 0.4 < flipped < 0.6

# %% [markdown]
# OpenCV's `estimateAffinePartial2D` fits the same four numbers, but by default through RANSAC, which throws some
# of the five points away and answers a different question.
#
# ## The reflection trap
#
# Some libraries try the fit twice, once with mirrored points, and keep the better one. MATLAB's `cp2tform` in its mode
# "similarity" does, and ports of it live on in face code. When does the mirrored fit win? Give it landmarks in which
# left and right are exchanged, as a data set delivers them that names the eyes from the person's point of view.

# %% mystnb={"image": {"alt": "Three crops of the astronaut. Left, correct order: the face as in the photo. Middle, left and right exchanged, reflection allowed: the same crop mirrored, the parting on the other side, dots exactly as close to the crosses. Right, exchanged, reflection forbidden: the whole photo shrunk to a stamp, almost all of the crop is black."}}
photo, p = photos[astronaut], points[astronaut]
swapped = p[[1, 0, 2, 4, 3]]  # eyes and mouth corners named from the other side
trials = {
    "correct order": (umeyama(p, TEMPLATE_112), p),
    "exchanged, reflection allowed": (umeyama(swapped, TEMPLATE_112, reflection=True), swapped),
    "exchanged, reflection forbidden": (umeyama(swapped, TEMPLATE_112), swapped),
}
axes = plot.grid([cv2.warpAffine(photo, M, (112, 112)) for M, _ in trials.values()], list(trials), side=2.1)
for ax, (title, (M, q)) in zip(axes.flat, trials.items(), strict=True):
    plot.template(ax)
    plot.landmarks(ax, move(M, q), size=20)
    scale = np.sqrt(abs(np.linalg.det(M[:, :2])))
    print(f"{title:<32} residual {residual(M, q):5.1f} px, scale {scale:.2f}, det {np.linalg.det(M[:, :2]):+.2f}")

right, mirrored, forbidden = (residual(M, q) for M, q in trials.values())
assert abs(mirrored - right) < 1.5
assert forbidden > 4 * right

# %% [markdown]
# With the reflection allowed nothing looks wrong: the residual is as small as that of the correct order, and the crop is
# a face. It is the mirror image. A network compares it with unmirrored pictures of the same person and finds the
# parting and every asymmetry on the wrong side. With the reflection forbidden the same mistake cannot hide: no rotation
# fits, the best scale is close to zero, and the residual is enormous. Loud is better than quietly mirrored.
#
# The trap also opens without any mistake. Turn the toy head past the profile:

# %% mystnb={"image": {"alt": "Left: residual against yaw from 0 to 120 degrees. The proper fit rises, the mirrored fit falls, they cross at 90 degrees. Right: share of fits that come out mirrored when reflection is allowed and landmarks have 5 per cent noise: zero up to 80 degrees, one half at 90, one from 100 on."}}
yaws = np.radians(np.arange(0, 121, 5))
noise = rng.normal(0, 0.05 * np.linalg.norm(TEMPLATE_112[1] - TEMPLATE_112[0]), (200, 5, 2))  # 5% of the eye distance
proper = [residual(umeyama(toy_head(yaw), TEMPLATE_112), toy_head(yaw)) for yaw in yaws]
mirror = [residual(umeyama(toy_head(yaw) * (-1, 1), TEMPLATE_112), toy_head(yaw) * (-1, 1)) for yaw in yaws]


def share_mirrored(p):
    fits = np.array([umeyama(p + n, TEMPLATE_112, reflection=True) for n in noise])
    return (np.linalg.det(fits[:, :, :2]) < 0).mean()


share = [share_mirrored(toy_head(yaw)) for yaw in yaws]
_, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
left.plot(np.degrees(yaws), proper, label="proper")
left.plot(np.degrees(yaws), mirror, label="mirrored")
left.set(xlabel="yaw (degrees)", ylabel="residual (px)")
left.legend()
right.plot(np.degrees(yaws), share, "o-", color=plot.GREEN)
right.set(xlabel="yaw (degrees)", ylabel="share mirrored, if allowed", ylim=(-0.03, 1.03))
assert share[0] == 0
assert 0.3 < share[int(np.searchsorted(yaws, np.pi / 2 - 0.01))] < 0.7

# %% [markdown]
# Near the profile both eyes fall on one another, the points no longer know left from right, and noise decides. A data set
# aligned that way has some of its profiles mirrored, at random, without a trace in the residual.
#
# ## Landmarks without an answer
#
# Two kinds of points leave the similarity undetermined: all in one place (any scale fits), and a set so symmetric that
# every rotation fits equally badly. `facelib` refuses both, and everything that is not a number.

# %%
square = np.array([(-1.0, -1), (1, -1), (1, 1), (-1, 1)])
hopeless = {
    "one place": (np.full((5, 2), 40.0), TEMPLATE_112),
    "a mirrored square": (square * (-1, 1), square),
    "not a number": (np.full((5, 2), np.nan), TEMPLATE_112),
}
for name, (source, target) in hopeless.items():
    try:
        facelib.estimate_similarity(source, target)
    except facelib.FaceLibError as error:
        print(f"{name}: {type(error).__name__}")
    else:
        raise AssertionError(name)

# %% [markdown]
# ## Warping: backwards, and between the pixels
#
# The matrix says where each pixel of the picture goes. Painting pixel after pixel to its rounded target
# leaves holes wherever the crop is larger than the face. So warping runs backwards: for each pixel of the *crop*, ask the
# inverse matrix where it comes from, and read the picture there.

# %% mystnb={"image": {"alt": "Two crops of a small face. Left, forwards: a black square with a grid of single dots, the face hardly visible. Right, backwards: the same face without gaps, a little soft."}}
small = int(np.argmin(boxes[:, 3] - boxes[:, 1]))  # the face with the lowest box
M = facelib.estimate_similarity(points[small])
rows, columns = np.mgrid[: photos[small].shape[0], : photos[small].shape[1]]
u, v = move(M, np.stack([columns, rows], -1)).round().astype(int).T  # target of every pixel of the picture
inside = (u >= 0) & (u < 112) & (v >= 0) & (v < 112)
forwards = np.zeros((112, 112, 3), np.uint8)
forwards[v[inside], u[inside]] = photos[small].transpose(1, 0, 2)[inside]
_ = plot.grid([forwards, facelib.align(photos[small], points[small])], ["forwards", "backwards"], side=1.9)
holes = (forwards == 0).all(-1).mean()
print(f"{100 * holes:.0f}% of the crop is hit by no pixel (scale {np.linalg.norm(M[0, :2]):.1f})")
assert holes > 0.3

# %% [markdown]
# The place it comes from is rarely a whole pixel. **Bilinear interpolation** mixes the four neighbours, each with the area
# of the opposite rectangle: with $x_0 = \lfloor x \rfloor$, $f = x - x_0$, and the same for $y$ with $g$,
#
# $$ I(x, y) = (1-g)\bigl[(1-f) I_{x_0, y_0} + f I_{x_0+1, y_0}\bigr]
#    + g \bigl[(1-f) I_{x_0, y_0+1} + f I_{x_0+1, y_0+1}\bigr]. \tag{4.8} $$
#
# Beyond the edge the picture counts as black. Two pixels of padding say that without a single `if`.


# %%
def warp_by_hand(image, matrix, size):
    back = np.linalg.inv(np.vstack([matrix, (0, 0, 1)]))
    v, u = np.mgrid[:size, :size]  # row and column of every pixel of the crop
    x, y, _ = np.tensordot(back, np.stack([u, v, np.ones_like(u)]), 1)  # size, size: where it comes from
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    f, g = (x - x0)[..., None], (y - y0)[..., None]
    height, width = image.shape[:2]
    black = np.pad(image.astype(float), ((2, 2), (2, 2), (0, 0)))
    i, j = y0.clip(-2, height) + 2, x0.clip(-2, width) + 2
    upper = (1 - f) * black[i, j] + f * black[i, j + 1]
    lower = (1 - f) * black[i + 1, j] + f * black[i + 1, j + 1]
    return (1 - g) * upper + g * lower  # size, size, C


# %% [markdown]
# First a picture of 4 x 4 pixels, small enough to check in the head. The pixel in row 3, column 0 of the crop comes from
# $x = 0.25 \cdot 3 + 0.25 = 1$, $y = 0.5 \cdot 3 + 1 = 2.5$: half way between 130 and 170.

# %%
tiny = np.array([(0, 50, 100, 150), (40, 90, 140, 190), (80, 130, 180, 230), (120, 170, 220, 250)], np.uint8)
back = np.array([(0.5, 0.25, 0.25), (-0.25, 0.5, 1.0)])  # crop -> picture: half the size, slightly turned
matrix = cv2.invertAffineTransform(back)
mine = warp_by_hand(tiny[..., None], matrix, 6)[..., 0]
print(mine.round(1))
assert mine[3, 0] == (130 + 170) / 2
assert abs(mine - cv2.warpAffine(tiny, matrix, (6, 6))).max() <= 0.5  # OpenCV rounds to whole numbers

# %% [markdown]
# The lower right runs into the black border: 55 is 220 mixed with nothing. Then a real crop, against
# [facelib.align](../book/api.md), which is the matrix of (4.7) and OpenCV's warp:

# %%
by_hand = warp_by_hand(photo, similarity_complex(p, TEMPLATE_112), 112)
by_facelib = facelib.align(photo, p)  # uint8 (112, 112, 3)
print(f"mean difference below half a grey level: {abs(by_hand - by_facelib).mean() < 0.5}")
assert abs(by_hand - by_facelib).mean() < 0.5

# %% [markdown]
# Bilinear reads four neighbours and no more. A face much larger than the crop is therefore sampled sparsely, and fine
# stripes can alias. Detectors find faces at all sizes; when most of yours are several times larger than 112, shrink
# the picture first.
#
# ## Other sizes, one framing
#
# `align(..., size=224)` doubles the template, so the matrix doubles, $M_{224} = 2 M_{112}$, and every second pixel of the
# large crop *is* the small crop, because whole numbers are the centres of pixels in both.

# %%
crop112, crop224, crop256 = (facelib.align(photo, p, size=size) for size in (112, 224, 256))
assert np.array_equal(facelib.estimate_similarity(p, size=224), 2 * facelib.estimate_similarity(p))
assert np.array_equal(crop224[::2, ::2], crop112)


# %% [markdown]
# That is not the habit everywhere. A rule copied from project to project treats sizes divisible by 128 differently: it
# scales the template by size / 128 and adds 8 * size / 128 to $x$, the old shift again. A crop of 256 then shows more
# around the face than a crop of 224.


# %% mystnb={"image": {"alt": "Three crops of the astronaut drawn at one size. 112 and 256 by facelib look the same, with eyes on the crosses. In the third, 256 by the 128 rule, the face is smaller and sits higher, and the eyes miss the crosses."}}
def template_128_rule(size):
    return TEMPLATE_112 * size / 128 + (8 * size / 128, 0)


odd = cv2.warpAffine(photo, umeyama(p, template_128_rule(256)), (256, 256))
titles = ["facelib, 112", "facelib, 256", "the 128 rule, 256"]
axes = plot.grid([crop112, crop256, odd], titles, side=2.1)
for ax, size in zip(axes.flat, (112, 256, 256), strict=True):
    plot.template(ax, size)

embed = facelib.Embedder.load("hog")
same, other = (float(embed(crop112[None])[0] @ embed(crop[None])[0]) for crop in (crop256, odd))
eyes = np.linalg.norm(TEMPLATE_112[1] - TEMPLATE_112[0])
print(f"eye distance / side: {eyes / 112:.3f} against {eyes / 128:.3f}")
print(f"cosine to the crop of 112: facelib's 256 {same:.2f}, the 128 rule's 256 {other:.2f}")
assert same > 0.95 > 0.9 > other

# %% [markdown]
# Same photo, same landmarks, same name for the size, and yet another crop. If a published network disappoints, compare
# its crops with yours before you doubt the network. (The embedder in this cell is the subject of the section after next.)
#
# ## Before and after
#
# One call aligns all faces of a picture; the landmarks are an array (N, 5, 2), the crops one of (N, 112, 112, 3).

# %% mystnb={"image": {"alt": "Left: the group picture with a box and five dots on each of the faces, large and small. Right: the same faces as crops of one size, all upright, eyes and mouth on the template's dots; the profile is the only one whose nose is far from its dot."}}
crops = facelib.align(pictures[0], found[0].landmarks)
assert crops.shape == (len(found[0]), 112, 112, 3)
_ = plot.before_after(pictures[0], found[0], crops)

# %% [markdown]
# And a picture of what "the eyes always stand alike" means: average all faces, pixel by pixel.
#
# <details class="predict"><summary>Predict before you run: which average has eyes?</summary>
#
# An average keeps what all pictures share at the same place. In box crops the eyes wander by about the width
# of an iris to either side, so they average away.
#
# </details>

# %% mystnb={"image": {"alt": "Four average faces. Box crop and eye rotation: a blurred oval with a dark band where the eyes should be. Similarity: a clear face with two eyes, nose and lips. Affine: about as clear, eyes slightly sharper."}}
averages, energy = {}, {}
for kind, Ms in matrices.items():
    stack = np.stack([cv2.warpAffine(i, M, (112, 112)) for i, M in zip(photos, Ms, strict=True)])  # N, 112, 112, 3
    averages[kind] = stack.mean(0)
    dy, dx = np.gradient(averages[kind].mean(-1))
    energy[kind] = (dx**2 + dy**2)[36:66, 20:92].mean()  # the region of the eyes
_ = plot.grid([a.astype(np.uint8) for a in averages.values()], list(averages), side=2)
for kind, value in energy.items():
    print(f"{kind:<13} gradient energy around the eyes, box crop = 1: {value / energy['box crop']:.1f}")
assert energy["similarity"] > 1.6 * energy["box crop"]

# %% [markdown]
# The gradient energy puts a number on sharp or smeared. The affine average is the sharpest, and by now you know why that
# is no argument: it made the faces alike.
#
# ## The same network scored with each crop
#
# Does the crop matter to what comes after? We take one descriptor and change the crop only. `Embedder.load("hog")`
# needs no training: it describes a crop by histograms of gradient directions in cells of 14 pixels
# ([Dalal and Triggs 2005](../book/bibliography.md)) and returns a vector of length 1, so that the product of two vectors is
# their cosine. It sees edges, knows nothing about people, and forgives a shift of a few pixels.
#
# **First, the same shot again, rolled.** The only change is the one alignment is for: each of the twelve pictures is
# turned and made a little smaller, the detector runs again, and we ask whose crop, among the twelve originals, is nearest.
# Landmarks and boxes come from the detector both times, with all its errors.

# %%
people = [image for _, image in samples.people()]
first = len(points) - len(people)  # the faces of the twelve pictures come last
rolls = (-30, -20, -10, 10, 20, 30)


def describe(images, boxes, points, place):
    faces = zip(images, boxes, points, strict=True)
    return embed(np.stack([cv2.warpAffine(image, place(b, p), (112, 112)) for image, b, p in faces]))


def roll(image, degrees):
    matrix = cv2.getRotationMatrix2D((150, 150), degrees, 0.9)
    return cv2.warpAffine(image, matrix, (300, 300), borderMode=cv2.BORDER_REPLICATE)


gallery = {kind: describe(people, boxes[first:], points[first:], place) for kind, place in candidates.items()}

# %% [markdown]
# <details class="predict"><summary>Predict before you run: which crops still find all twelve at 30 degrees?</summary>
#
# A box stays upright whatever the head does, so the box crop shows a tilted face and its edges point elsewhere. The other
# three level the face. Eye rotation uses two of the five points and takes place and size from a box that itself changes
# with the tilt, so it should lose something, but less.
#
# </details>

# %% mystnb={"image": {"alt": "Left: share of twelve pictures found again against roll from -30 to 30 degrees. Box crop falls from near one at 10 degrees to a quarter or less at 30; eye rotation stays above 0.8, similarity and affine at one. Right: mean cosine between a picture and its rolled copy: box crop falls to about 0.7, eye rotation to about 0.85, similarity and affine stay around 0.95."}}
detector = facelib.MTCNN(min_face=40)
hits, self_cosine = ({kind: [] for kind in candidates} for _ in range(2))
for degrees in rolls:
    again = [roll(image, degrees) for image in people]
    faces = [f.largest() for f in detector.detect_batch(again)]
    b, p = (np.concatenate([getattr(f, name) for f in faces]).astype(float) for name in ("boxes", "landmarks"))
    assert len(p) == len(people)
    for kind, place in candidates.items():
        cosine = describe(again, b, p, place) @ gallery[kind].T  # 12 rolled, 12 originals
        hits[kind].append((cosine.argmax(1) == np.arange(len(people))).mean())
        self_cosine[kind].append(cosine.diagonal().mean())
_, axes = plt.subplots(1, 2, figsize=(9, 3.6))
for ax, values, label in zip(axes, (hits, self_cosine), ("share found again", "cosine to the original"), strict=True):
    for kind, marker in zip(candidates, "os^x", strict=True):
        ax.plot(rolls, values[kind], marker=marker, label=kind)
    ax.set(xlabel="roll (degrees)", ylabel=label)
_ = axes[0].legend()

# %%
for kind in candidates:
    share, cosine = np.mean(hits[kind]), np.mean(self_cosine[kind])
    print(f"{kind:<13} found again {100 * share:4.0f}%, cosine to the original {cosine:.2f}")
assert np.mean(hits["box crop"]) < 0.75
assert np.mean(hits["similarity"]) > 0.97
assert min(self_cosine["similarity"]) > max(self_cosine["box crop"])
assert np.mean(self_cosine["similarity"]) > np.mean(self_cosine["eye rotation"])

# %% [markdown]
# The descriptor is the same in all four curves. With the box crop it mistakes most people for others at 30 degrees; with
# similarity and affine it does not mind. Eye rotation loses a few at most, and its cosine is lower at every angle:
# place and size still come from the box. Similarity and affine can hardly be told apart here, since the picture was turned
# in its plane and neither has anything to stretch.
#
# **Second, two different shots of one person.** Here pose, light, expression and place change too.

# %% mystnb={"image": {"alt": "Dots of cosine similarity for four crops, each with pairs of the same person and pairs of different people side by side. The two groups overlap completely for every crop; same is not above different anywhere."}}
identity = np.array([person for person, _ in samples.people()])
i, j = np.triu_indices(len(people), 1)  # 66 pairs, 6 of them of one person
same = identity[i] == identity[j]
_, ax = plt.subplots(figsize=(8, 3.4))
print("crop           same   different   d'   nearest neighbour right")
for k, kind in enumerate(candidates):
    cosine = gallery[kind] @ gallery[kind].T
    a, b = cosine[i, j][same], cosine[i, j][~same]
    d_prime = (a.mean() - b.mean()) / np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    neighbour = (cosine - 2 * np.eye(len(people))).argmax(1)  # nobody is their own neighbour
    right = (identity[neighbour] == identity).sum()
    print(f"{kind:<14} {a.mean():.2f} {b.mean():9.2f} {d_prime:8.1f} {right:12d} of {len(people)}")
    ax.scatter(np.full(len(a), k - 0.1), a, 25, color=plot.BLUE, label="same person" if k == 0 else None)
    ax.scatter(np.full(len(b), k + 0.1), b, 12, color=plot.ORANGE, label="different people" if k == 0 else None)
ax.set_xticks(range(4), list(candidates))
ax.set(ylabel="cosine")
_ = ax.legend()

# %% [markdown]
# $d'$ is the distance between the two means in units of their spread; for a usable recogniser it is 3 or more. Here it
# is not even positive: no crop makes this descriptor a recogniser of people. What does it see instead? Look at who
# the nearest neighbour is.

# %%
yaw = np.array([samples.details(name)[0]["yaw"] for name in samples.NAMES if name != "group"])
cosine = gallery["similarity"] @ gallery["similarity"].T
neighbour = (cosine - 2 * np.eye(len(people))).argmax(1)
alike = np.sign(yaw[neighbour]) == np.sign(yaw)
print(f"the nearest neighbour looks to the same side: {alike.sum()} of {len(people)}")
print(f"correlation of cosine and difference in yaw: {np.corrcoef(cosine[i, j], abs(yaw[i] - yaw[j]))[0, 1]:.1f}")
assert alike.sum() >= 10

# %% [markdown]
# It sees which way the head looks. The two shots of each pair look to opposite sides, and turning the head is exactly what
# no map of the plane undoes. That is the division of labour of this course: **alignment removes what happens in the
# picture plane; the network must learn the rest** (yaw, light, mood) from many pictures of many people.
#
# Twelve pictures and six pairs are a demonstration, not an evaluation, and a hand-made descriptor is not a network.
# Trained networks, real pairs and intervals around every number come in part V, from [lesson 11](11_verification.ipynb) on.
#
# ## When the landmarks are a little wrong
#
# A detector's landmarks are off by a few per cent of the eye distance. Jitter them on purpose and watch three numbers, for
# similarity and affine: the residual of the fit, how far the *content* of the crop moved (nine grid points, against the
# crop of the clean landmarks), and the cosine to the clean crop's embedding.
#
# <details class="predict"><summary>Predict before you run: which fit has the lower residual on noisy landmarks, and which crop moves less?</summary>
#
# Ten coordinates against six free numbers leave four to disagree; against four they leave six. So the affine residual
# is lower, but because the fit follows the noise. What it follows goes into the crop.
#
# </details>


# %%
def content_shift(matrix, clean):
    grid = np.stack(np.meshgrid((0, 56, 112), (0, 56, 112)), -1).reshape(-1, 2).astype(float)  # 9, 2
    in_picture = move(cv2.invertAffineTransform(clean), grid)
    return residual(matrix, in_picture, grid)


# a toy: a crop moved by 3 pixels is moved by 3 pixels
assert np.isclose(content_shift(np.array([(1.0, 0, 3), (0, 1, 0)]), np.eye(2, 3)), 3)

# %%
levels, draws = (0.01, 0.02, 0.04, 0.07, 0.1), 6
b, p = boxes[first:], points[first:]
eye_distance = np.linalg.norm(p[:, 1] - p[:, 0], axis=1)[:, None, None]
jitter = {kind: np.zeros((3, draws, len(levels))) for kind in ("similarity", "affine")}  # residual, shift, cosine
for draw, column in np.ndindex(draws, len(levels)):
    noise = np.random.default_rng(draw).normal(size=p.shape)  # the same directions at every level
    noisy = p + levels[column] * eye_distance * noise
    for kind, result in jitter.items():
        Ms = [candidates[kind](None, q) for q in noisy]
        fit = np.mean([residual(M, q) for M, q in zip(Ms, noisy, strict=True)])
        moved = np.mean([content_shift(M, clean) for M, clean in zip(Ms, matrices[kind][first:], strict=True)])
        cosine = (describe(people, b, noisy, candidates[kind]) * gallery[kind]).sum(1).mean()
        result[:, draw, column] = fit, moved, cosine

# %% mystnb={"image": {"alt": "Three panels against landmark noise from 1 to 10 per cent of the eye distance, similarity and affine each with a band. Residual: both rise, affine below similarity. Shift of the content: both rise from below 1 to several pixels, affine above similarity. Cosine to the clean crop: both fall, affine lower at every level."}}
_, axes = plt.subplots(1, 3, figsize=(9, 3.3))
titles = ("residual of the fit (px)", "shift of the content (px)", "cosine to the clean crop")
for ax, title, row in zip(axes, titles, range(3), strict=True):
    for kind, result in jitter.items():
        x, values = 100 * np.array(levels), result[row]  # draws, levels
        ax.plot(x, values.mean(0), "o-", label=kind)
        ax.fill_between(x, values.min(0), values.max(0), alpha=0.25)
    ax.set(title=title, xlabel="noise (% of the eye distance)")
axes[0].legend()

fit, moved, cosine = jitter["affine"].mean(1) / jitter["similarity"].mean(1)  # ratio at each level
print(f"affine / similarity, mean over levels: residual {fit.mean():.2f}, shift of the content {moved.mean():.2f}")
assert (fit < 1).all()
assert (moved > 1.2).all()
assert (cosine < 1).all()

# %% [markdown]
# Lines are means over twelve faces and six draws, bands run from the smallest to the largest draw. The residual
# says that affine is better. The crop says the opposite: its content moves further for the same noise, and the
# descriptor loses more. More freedom fits the landmarks better and the face worse. You have met this as overfitting.
#
# ## Break it
#
# Six ways to align wrongly, each of which happens in practice, on the astronaut:
#
# - **swapped eyes**: the $x$ order of the first two points exchanged; or **left and right** of eyes and mouth exchanged
# - **(y, x)**: rows and columns exchanged, the classic of array code
# - **eye for mouth**: two landmarks in the wrong places of the array
# - **eye rotation with swapped eyes**: two points have no residual to warn with
# - **no alignment**: the middle of the photo
#
# <details class="predict"><summary>Predict before you run: which of them turns the face upside down?</summary>
#
# Two swapped eyes differ from a correct pair by half a turn, so eye rotation obeys and turns the picture over. A fit of
# five points has three others that disagree, and the least-squares compromise between "turn it over" and "leave it" is
# to make it small.
#
# </details>

# %% mystnb={"image": {"alt": "Seven crops of the astronaut. Correct: an aligned face. Swapped eyes and eye for mouth: the photo shrunk to less than half, upright. Left and right, and (y, x): the whole photo shrunk to a stamp on black. Eye rotation with swapped eyes: a face upside down. No alignment: the suit, with a chin at the upper edge."}}
photo, box, p = photos[astronaut], boxes[astronaut], points[astronaut]
whole = np.array([0.0, 0, photo.shape[1], photo.shape[0]])
wrong = {
    "correct": (similarity(box, p), p),
    "swapped eyes": (similarity(box, p[[1, 0, 2, 3, 4]]), p[[1, 0, 2, 3, 4]]),
    "left and right": (similarity(box, p[[1, 0, 2, 4, 3]]), p[[1, 0, 2, 4, 3]]),
    "(y, x)": (similarity(box, p[:, ::-1]), p[:, ::-1]),
    "eye for mouth": (similarity(box, p[[3, 1, 2, 0, 4]]), p[[3, 1, 2, 0, 4]]),
    "eye rotation,\nswapped eyes": (eye_rotation(box, p[[1, 0, 2, 3, 4]]), p),
    "no alignment": (box_crop(whole / 2 + whole[[2, 3, 2, 3]] / 4, p), p),
}
bad = np.stack([cv2.warpAffine(photo, M, (112, 112)) for M, _ in wrong.values()])
cosines = embed(bad) @ embed(bad[:1])[0]
_ = plot.grid(bad, list(wrong), columns=7, side=1.3)
for (name, (M, q)), cosine in zip(wrong.items(), cosines, strict=True):
    angle, scale = np.degrees(np.arctan2(M[1, 0], M[0, 0])), np.linalg.norm(M[:, 0])
    line = f"residual {residual(M, q):5.1f} px, scale {scale:.2f}, angle {angle:4.0f}, cosine {cosine:.2f}"
    print(f"{' '.join(name.split()):<28} {line}")

# %%
strangers = (gallery["similarity"] @ gallery["similarity"].T)[i, j][identity[i] != identity[j]].mean()
print(f"for comparison: mean cosine of two strangers, both aligned: {strangers:.2f}")
fits = np.array([residual(M, q) for M, q in list(wrong.values())[1:5]])
print(f"largest residual of a correct fit, profile included: {errors['similarity'].max():.1f} px")
print(f"smallest residual of the four wrong fits: {fits.min():.1f} px")
assert fits.min() > 1.5 * errors["similarity"].max()
assert cosines[1:].max() < strangers

# %% [markdown]
# Each broken crop is further from the correct crop of the *same photo* than two aligned strangers are from each other. None of
# them raises an error: the numbers are finite and the arrays have the right shape. What gives them away is printed above. A
# wrong order shows in the residual, which lies far beyond that of the profile. Eye rotation fits two points and so has no
# residual of its own (the one printed uses all five, in the right order); it shows in an angle near 180 degrees. So log residual, scale and angle of every face you align, and look at the extremes.
#
# ## Exercises
#
# ### Exercise 4.1 · The worst landmark
#
# <span class="meta">★☆☆ · 5 minutes</span>
#
# Write a function that takes a matrix (2, 3) and landmarks (5, 2) of a picture and returns two things: the index of the
# landmark that ends up farthest from `TEMPLATE_112`, and its distance in pixels of the crop.
#
# <details class="hint"><summary>Hint 1</summary>
#
# `move(matrix, points)` brings the landmarks into the crop. Only there can they be compared with the template.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# `np.linalg.norm(differences, axis=1)` gives five distances; `argmax` tells which is the largest.
#
# </details>


# %% tags=["exercise"]
def worst_landmark(matrix, points):
    return ...  # your code


# %% tags=["check"]
check.worst_landmark(worst_landmark)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def worst_landmark(matrix, points):
#     distances = np.linalg.norm(move(matrix, points) - TEMPLATE_112, axis=1)
#     return distances.argmax(), distances.max()
# ```
#
# The residual (4.2) is the root mean square of these five distances. Which of them is largest tells more: the nose for a
# turned head, a single eye or mouth corner for a bad detection.
#
# </details>

# %% [markdown]
# ### Exercise 4.2 · Read the matrix
#
# <span class="meta">★★☆ · 10 minutes</span>
#
# A similarity matrix hides two numbers. Return its scale, and the roll of the face in the picture: the angle in radians
# by which the head is turned clockwise on the screen. ($y$ grows downwards, so a positive angle in the usual formulas is
# clockwise on the screen.)
#
# <details class="hint"><summary>Hint 1</summary>
#
# The first column of the matrix is where the arrow (1, 0) goes. Its length and its direction are what you want, nearly.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# `np.arctan2(m21, m11)` is the angle by which the *matrix* turns. It turns the face upright, so the face was turned the
# other way.
#
# </details>


# %% tags=["exercise"]
def scale_and_roll(matrix):
    return ...  # your code


# %% tags=["check"]
check.scale_and_roll(scale_and_roll)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def scale_and_roll(matrix):
#     return np.hypot(matrix[0, 0], matrix[1, 0]), -np.arctan2(matrix[1, 0], matrix[0, 0])
# ```
#
# In complex numbers: $|a|$ and $-\arg a$. `arctan2` rather than `arctan`, or a head turned by more than a quarter would come
# out wrong.
#
# </details>

# %% [markdown]
# ### Exercise 4.3 · Back to the picture
#
# <span class="meta">★★☆ · 10 minutes</span>
#
# A second network has found points in the crop, and you want to draw them in the photo. Write the inverse of `move`:
# points of the crop (..., 2) to points of the picture.
#
# <details class="hint"><summary>Hint 1</summary>
#
# $p' = A p + t$. Solve for $p$: what was done last is undone first.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# `np.linalg.inv(matrix[:, :2])` undoes $A$. For points in rows, multiply by its transpose from the right.
#
# </details>


# %% tags=["exercise"]
def to_picture(matrix, points):
    return ...  # your code


# %% tags=["check"]
check.to_picture(to_picture)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def to_picture(matrix, points):
#     return (points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
# ```
#
# `cv2.invertAffineTransform` gives the same as a 2 x 3 matrix. The warp needs this very map: it asks each pixel of the crop
# where it comes from.
#
# </details>

# %% [markdown]
# ### Exercise 4.4 · Landmarks one trusts more
#
# <span class="meta">★★★ · 20 minutes</span>
#
# The nose leaves the plane, an eye may be hidden. Extend `similarity_complex` by weights $w_k \ge 0$, so that it minimises
# $\sum_k w_k |a p_k + b - q_k|^2$, and returns the matrix (2, 3).
#
# <details class="hint"><summary>Hint 1</summary>
#
# Two sums became weighted in the formula for $a$. But go back one step: which point does $b$ make meet?
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# The derivative with respect to $b$ vanishes when $\sum w_k (a p_k + b - q_k) = 0$: the *weighted* means have to be
# subtracted. `np.average(p, weights=w)` works for complex numbers.
#
# </details>


# %% tags=["exercise"]
def weighted_similarity(source, target, weights):
    return ...  # your code


# %% tags=["check"]
check.weighted_similarity(weighted_similarity)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def weighted_similarity(source, target, weights):
#     p, q = source @ [1, 1j], target @ [1, 1j]
#     p_mean, q_mean = np.average(p, weights=weights), np.average(q, weights=weights)
#     a = (weights * (p - p_mean).conj() * (q - q_mean)).sum() / (weights * abs(p - p_mean) ** 2).sum()
#     b = q_mean - a * p_mean
#     return np.array([(a.real, -a.imag, b.real), (a.imag, a.real, b.imag)])
# ```
#
# A weight of 2 is the same point given twice, a weight of 0 a point left out, and only the ratios of the weights matter.
#
# </details>

# %% [markdown]
# ## Quiz
#
# **Question 1.** The affine fit has the lower residual on every face. Why do we not use it?
#
# <details class="quiz"><summary>A · It is slower to compute</summary>
#
# Wrong: both are a handful of multiplications, invisible beside the warp.
#
# </details>
# <details class="quiz"><summary>B · Its extra freedom changes the shape of the face</summary>
#
# Right: it presses each face towards the template's proportions and follows the noise of the landmarks. What it removes is
# partly what tells people apart.
#
# </details>
# <details class="quiz"><summary>C · It may mirror the face</summary>
#
# Wrong as the reason: an affine fit can indeed come out mirrored, but on ordinary landmarks it does not, and it would still
# stretch the face if that were forbidden.
#
# </details>
# <details class="quiz"><summary>D · A low residual means overfitted landmarks, so higher is better</summary>
#
# Wrong: among the fits of one kind a low residual is good news. It is only no way to choose between kinds with
# different numbers of free parameters.
#
# </details>
#
# **Question 2.** Why is the reflection forbidden?
#
# <details class="quiz"><summary>A · Because a mirrored crop would have a large residual</summary>
#
# Wrong: that is the danger. With the reflection allowed, exchanged landmarks fit as well as correct ones, and nothing warns.
#
# </details>
# <details class="quiz"><summary>B · Because faces are symmetric, so that it would not matter</summary>
#
# Wrong: they are symmetric only roughly. Parting, light, moles and the pose itself change sides.
#
# </details>
# <details class="quiz"><summary>C · Because an upright photo never needs one, so a reflection is always an error of the landmarks or the fit</summary>
#
# Right: no camera pose mirrors a face. If a mirrored fit wins, points were exchanged or the view was so close to a profile that
# noise decided.
#
# </details>
#
# **Question 3.** The residual of a profile is large although every landmark is right. Why?
#
# <details class="quiz"><summary>A · Because the least-squares fit got stuck in a local minimum</summary>
#
# Wrong: (4.3) has a closed solution, (4.4) to (4.6). There is nothing to get stuck in.
#
# </details>
# <details class="quiz"><summary>B · Because the head turned out of the plane, and a similarity moves points within it</summary>
#
# Right: the nose stands in front of the face and moves aside by its own rule. Even the affine map cannot follow.
#
# </details>
# <details class="quiz"><summary>C · Because the scale was limited</summary>
#
# Wrong: the scale is free and takes its best value. A better scale does not exist.
#
# </details>
#
# **Question 4.** What does `size=224` change compared with `size=112`?
#
# <details class="quiz"><summary>A · More of the surroundings is visible</summary>
#
# Wrong: that is what the 128 rule does. Here the template is doubled with the crop, and the framing stays.
#
# </details>
# <details class="quiz"><summary>B · The same framing with twice as many pixels a side</summary>
#
# Right: $M_{224} = 2 M_{112}$, and `crop224[::2, ::2]` equals `crop112` bit by bit.
#
# </details>
# <details class="quiz"><summary>C · The crop of 112 is enlarged, so it becomes blurred</summary>
#
# Wrong: both crops are read from the original picture. The larger one holds more detail, as far as the picture has it.
#
# </details>
#
# ## Summary
#
# - A recogniser should not spend capacity on where the eyes are. A similarity transform fitted to five landmarks puts them in
#   one place and leaves the shape of the face alone.
# - The fit has a closed form: centre, SVD with a sign that forbids reflections, scale (Umeyama); in the plane, one complex
#   division.
# - A lower residual is not the goal. Affine always has it, by stretching faces and following noise.
# - Warping runs backwards through the inverse matrix and mixes four pixels. The framing must be that of the training
#   crops, at any size.
# - Wrong landmarks raise no error. Residual, scale and angle show them.
#
# Next: [lesson 05](05_softmax_to_sphere.ipynb) takes the aligned crops and asks how a network is made to tell people apart.
