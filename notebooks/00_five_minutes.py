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
# # 00 · Five minutes
#
# <a class="colab" href="https://colab.research.google.com/github/facelib-course/facelib-course/blob/main/notebooks/00_five_minutes.ipynb">Open in Colab</a>
#
# Is this the same person? Every face recogniser answers in four steps: find the face, put it in place, turn it into
# a vector, compare two vectors. Here the four steps run once, on a photograph, in about thirty lines. Three of them
# will work at once. The one that does not is the reason for the rest of the course.
#
# **You will be able to**
# - run detection, alignment, embedding and comparison with `facelib`, and say what goes in and comes out of each;
# - read a cosine similarity, and turn it into a decision with a threshold;
# - say what an embedding must ignore and what it must keep, and show by an experiment that one does not.
#
# **Before this** nothing but Python and NumPy. [Set-up](../book/setup.md) takes one command.
#
# **Time** about 15 s to run on two CPU cores
# · about 35 minutes to read and do

# %% tags=["setup"]
try:
    import facelib
except ModuleNotFoundError:  # a fresh Colab
    # %pip install --quiet "facelib @ git+https://github.com/facelib-course/facelib-course"
    import facelib
import cv2
import matplotlib.pyplot as plt
import numpy as np

from facelib import plot, samples
from facelib.checks import lesson_00 as check

plot.use()

# %% [markdown]
# ## 1 Find
#
# A picture is an array: height, width, three colours, whole numbers from 0 to 255. A detector returns a box, a
# score and five landmarks for every face in it. `min_face` is the side, in pixels, of the smallest face it looks for.
#
# <details class="predict"><summary>Predict before you run: what will a face detector make of a space helmet, a flag and a shuttle?</summary>
#
# A detector looks for patterns of light and dark that eyes, nose and mouth make. Round, shiny things are a classic
# false alarm. Count the boxes below. Lesson 02 shows how many candidates were thrown out on the way.
#
# </details>

# %% mystnb={"image": {"alt": "Portrait of the astronaut Eileen Collins in an orange suit. One orange box surrounds her face, with five coloured dots on eyes, nose and mouth corners; helmet, flag and shuttle carry no box."}}
photo = samples.astronaut()  # uint8 (512, 512, 3), RGB
mtcnn = facelib.MTCNN(min_face=40)
faces = mtcnn.detect(photo)

print(f"{len(faces)} face, score {faces.scores[0]:.2f}, box {faces.boxes[0].round().astype(int).tolist()}")
assert faces.boxes.shape == (1, 4) and faces.landmarks.shape == (1, 5, 2)
_ = plot.faces(photo, faces)

# %% [markdown]
# The box is (x1, y1, x2, y2) in pixels of the picture. The landmarks are left eye, right eye, nose and the two
# corners of the mouth, left and right as seen in the picture. [Lesson 01](01_sliding_pnet.ipynb) and
# [lesson 02](02_cascade.ipynb) build this detector from zero.
#
# ## 2 Place
#
# Two pictures can be compared point by point only if an eye lies where an eye lies. The five landmarks say how to
# rotate, scale and shift the picture so that they land on fixed places in a square of 112 pixels, the same for
# every face. [Lesson 04](04_alignment.ipynb) derives how.

# %% mystnb={"image": {"alt": "Left: the photograph with its box and landmarks. Right: the aligned crop, 112 pixels square, filled by the upright face; the dots of the template lie close to her eyes, nose and mouth corners."}}
crops = facelib.align(photo, faces.landmarks)  # 1, 112, 112, 3
assert crops.shape == (1, 112, 112, 3) and crops.dtype == np.uint8
_ = plot.before_after(photo, faces, crops)

# %% [markdown]
# ## 3 Embed
#
# An embedding is a vector that stands for the face. Similar faces should get vectors that point the same way. How
# alike two directions are is the cosine of the angle between them, and for vectors of length 1 the cosine is just
# the dot product:
#
# $$\cos\theta = \frac{a \cdot b}{\lVert a\rVert\,\lVert b\rVert} = a \cdot b \quad\text{if}\quad \lVert a\rVert = \lVert b\rVert = 1. \tag{0.1}$$
#
# First a toy, in the plane.

# %%
a = np.array([1.0, 0.0])
for degrees in (0, 60, 90, 180):
    b = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    print(f"{degrees:3} degrees apart: cosine {a @ b + 0:+.1f}")

# %% [markdown]
# Now a face. A trained network comes further down. We start with what people used before networks learned what to
# look at: histograms of oriented gradients, HOG for short
# ([Dalal and Triggs 2005](../book/bibliography.md)). They count, cell by cell, in which directions brightness
# changes. Nobody trained them on faces. `Embedder` hides the recipe and gives vectors of length 1.

# %%
embed = facelib.Embedder.load("hog")
vector = embed(crops)  # 1, 1764
print(f"{crops[0].size} numbers became {vector.shape[1]}, length {np.linalg.norm(vector[0]):.2f}")
assert np.isclose(np.linalg.norm(vector[0]), 1, atol=1e-5)

# %% [markdown]
# ## 4 Compare
#
# Take the photograph and change it as cameras and web pages do: darker, smaller, blurred, turned by 20 degrees, mirrored.
#
# <details class="predict"><summary>Predict before you run: which change moves the vector most?</summary>
#
# Alignment undoes the turn and the size almost exactly. Brightness scales every gradient by the same factor, which
# HOG divides away. Blur removes the gradients themselves. And a mirror image exchanges left and right, which a
# face is not quite symmetric enough to forgive: it moves the vector most.
#
# </details>


# %% mystnb={"image": {"alt": "Six aligned crops of the same photograph: original, dark, half size, blurred, turned by 20 degrees, mirrored. All six faces sit in the same place; titles give the cosine with the original, between 0.86 for the mirrored one and 1.00."}}
def crop_of(picture):
    """The aligned crop of the largest face: uint8 (112, 112, 3)."""
    return facelib.align(picture, mtcnn.detect(picture).largest().landmarks[0])


turn = cv2.getRotationMatrix2D((256, 256), 20, 1)
changed = {
    "original": photo,
    "dark": (photo * 0.4).astype(np.uint8),
    "half size": cv2.resize(photo, (256, 256), interpolation=cv2.INTER_AREA),
    "blurred": cv2.GaussianBlur(photo, (0, 0), 2),
    "turned": cv2.warpAffine(photo, turn, (512, 512), borderMode=cv2.BORDER_REFLECT),
    "mirrored": np.ascontiguousarray(photo[:, ::-1]),
}
copies = np.stack([crop_of(picture) for picture in changed.values()])  # 6, 112, 112, 3
same_photo = embed(copies) @ vector[0]  # 6
_ = plot.grid(copies, [f"{name} {s:.2f}" for name, s in zip(changed, same_photo, strict=True)], columns=6, side=1.5)

# %% [markdown]
# A number means nothing alone. Against it stand other people: six rendered ones, two pictures of each. The course
# renders its own people, because the photo collections of the field are withdrawn or need permission
# ([data and licences](../book/data.md)).

# %% mystnb={"image": {"alt": "Twelve aligned crops of six rendered people, two pictures of each side by side. Within each pair the head is turned to opposite sides; skin, hair and age differ between people."}}
people = samples.people()  # [(person, picture), ...] in the order 1, 1, 2, 2, ...
others = np.stack([crop_of(picture) for _, picture in people])  # 12, 112, 112, 3
strangers = embed(others) @ vector[0]  # 12

print(f"changed copies of the photo: cosine {same_photo.min():.2f} or more")
print(f"twelve pictures of others:   cosine {strangers.max():.2f} or less")
assert same_photo.min() > strangers.max() + 0.03
_ = plot.grid(
    others, [f"person {p}: {s:.2f}" for (p, _), s in zip(people, strangers, strict=True)], columns=6, side=1.5
)

# %% [markdown]
# The two ranges do not overlap, so a **threshold** between them decides every case here: at or above it "same",
# below it "different". But look at what was asked: to recognise a *photograph* again. The question of face
# recognition is harder: another photograph of the same person.
#
# ## The real question
#
# Picture a of each person against picture b of everyone.
#
# <details class="predict"><summary>Predict before you run: for how many of the six is the most similar b their own?</summary>
#
# By chance it would be one of six. Look at the crops above before you answer: what differs between the two
# pictures of a pair, and what is alike across pairs?
#
# </details>

# %% mystnb={"image": {"alt": "Six by six matrix of cosines, picture a of each person in the rows, picture b in the columns. The diagonal, same person, is no brighter than the rest; in no row is it the largest value."}}
vectors = embed(others)  # 12, 1764
similarity = vectors[0::2] @ vectors[1::2].T  # 6, 6: rows are pictures a, columns pictures b
right = similarity.argmax(axis=1) == np.arange(6)

print(f"own picture most similar: {right.sum()} of 6")
print(
    f"mean cosine: same person {np.diag(similarity).mean():.2f}, others {similarity[~np.eye(6, dtype=bool)].mean():.2f}"
)
names = [f"person {p}" for p in samples.PEOPLE]
_ = plot.matrix(similarity, names, names, "HOG: picture a against picture b")

# %% [markdown]
# Worse than guessing. A failure this complete has a cause, and rendered people let us look for it, because we know
# the truth of each picture. In every pair the head is turned to opposite sides. Let us ask of each
# picture which way the most similar other picture is turned, and plot the similarity of all pairs of pictures against
# the difference of their yaw, the angle to the left or right.

# %% mystnb={"image": {"alt": "Scatter plot of cosine against difference in yaw for all 66 pairs of pictures. The points fall from about 0.8 at equal yaw to 0.65 at 40 degrees; the six same-person pairs, in orange, lie in the same band as the blue points of different people."}}
yaw = np.array([samples.details(f"p{p}{shot}")[0]["yaw"] for p in samples.PEOPLE for shot in "ab"])  # radians
first, second = np.triu_indices(12, k=1)  # all 66 pairs of pictures
cosine = (vectors @ vectors.T)[first, second]
turned = np.degrees(abs(yaw[first] - yaw[second]))
same = first // 2 == second // 2

nearest = (vectors @ vectors.T - 2 * np.eye(12)).argmax(axis=1)
print(f"turned to the same side as its nearest picture: {(np.sign(yaw[nearest]) == np.sign(yaw)).sum()} of 12")
print(f"correlation of cosine and difference in yaw: {np.corrcoef(turned, cosine)[0, 1]:.1f}")

_, ax = plt.subplots(figsize=(7, 3.6))
for who, label in ((~same, "different people"), (same, "same person")):
    ax.scatter(turned[who], cosine[who], label=label, s=40 if label == "same person" else 15)
ax.set(xlabel="difference in yaw (degrees)", ylabel="cosine")
_ = ax.legend()

# %% [markdown]
# Heads turned alike get a high cosine whoever they are, and the orange points lie among the blue ones. So these
# vectors tell which way a head is turned, and hardly who it is. An embedding for recognition must do the opposite:
# **ignore pose, light and expression, keep identity**.
#
# Half of this failure can be mended by hand. The mirror image of a head turned left is a head turned right. Add the
# vectors of a crop and of its mirror image, and left and right cancel. The field does the same with trained networks
# and calls it flip augmentation at test time.

# %% mystnb={"image": {"alt": "The same six by six matrix after adding the vectors of the mirrored crops. The diagonal is the largest value in half of the rows, and all values lie close together."}}
both = embed(others) + embed(others[:, :, ::-1])  # reversed columns: the mirror image
both /= np.linalg.norm(both, axis=1, keepdims=True)
mirrored = both[0::2] @ both[1::2].T
right_mirrored = mirrored.argmax(axis=1) == np.arange(6)

print(f"own picture most similar: {right.sum()} of 6 before, {right_mirrored.sum()} of 6 with mirror images")
print(f"correlation of cosine and difference in yaw: {np.corrcoef(turned, (both @ both.T)[first, second])[0, 1]:.1f}")
assert right_mirrored.sum() > right.sum()
_ = plot.matrix(mirrored, names, names, "HOG with mirror images")

# %% [markdown]
# One idea about what to ignore, and the count rises. Read it with care: six people are far too few to say how good
# this is, and the people were turned to opposite sides, which is just what the mirror mends. A real judgement needs
# hundreds of pairs of people nobody has tuned on ([lesson 11](11_verification.ipynb)).
#
# ## What training changes
#
# There are too many such ideas to write down by hand: pitch, glasses, age, light from below. A network learns what to
# ignore from many pictures of many people. One comes with `facelib`: `mobilefacenet-synth`, a small network that has seen
# rendered people only, and none of these six. The call is the same, with another name.
#
# <details class="predict"><summary>Predict before you run: the network has never met these six people. For how many of them will it find the right picture?</summary>
#
# It was not told who these people are, but how people differ: a thousand others, two dozen pictures of each, and a
# penalty whenever a picture pointed away from its person's direction or towards another's. If that carries over to
# strangers, most rows should have their largest value on the diagonal.
#
# </details>

# %% mystnb={"image": {"alt": "The six by six matrix once more, with the vectors of the trained network. The diagonal stands out brightly in every row, and most other values are near zero."}}
trained = facelib.Embedder.load("mobilefacenet-synth")
learned = trained(others)  # 12, 128
similarity_learned = learned[0::2] @ learned[1::2].T
right_learned = similarity_learned.argmax(axis=1) == np.arange(6)
own, other = np.diag(similarity_learned), similarity_learned[~np.eye(6, dtype=bool)]

print(f"own picture most similar: {right_learned.sum()} of 6; by HOG with mirror images {right_mirrored.sum()}")
print(f"the same person is more alike than others on average, by more than 0.3: {own.mean() - other.mean() > 0.3}")
assert right_learned.sum() > right_mirrored.sum() and own.mean() - other.mean() > 0.3
_ = plot.matrix(similarity_learned, names, names, "trained: picture a against picture b")

# %% [markdown]
# What it was told during training, so that pictures of one person end up close and those of different people apart,
# is the heart of this course (lessons [05](05_softmax_to_sphere.ipynb) to [07](07_margins_at_work.ipynb)). And do not
# mistake this for a finished recogniser. Six people are still six, and they are rendered like those it learned from.
# On photographs of real people it is wrong far more often; its [model card](../book/weights.md) says how often.
#
# ## Break it
#
# Skip step 2. Cut out the detector's box instead of aligning, and compare the turned photograph again.


# %% mystnb={"image": {"alt": "Four crops in a row: original and turned photograph as box crops, the second visibly tilted; the same two aligned, both upright and nearly identical."}}
def box_crop_of(picture):
    """The detector's box, resized to 112 pixels, without alignment."""
    x1, y1, x2, y2 = mtcnn.detect(picture).boxes[0].round().astype(int).clip(0)
    return cv2.resize(picture[y1:y2, x1:x2], (112, 112))


boxed = np.stack([box_crop_of(changed[name]) for name in ("original", "turned")])
placed = copies[[0, 4]]
cosines = {name: (lambda v: v[0] @ v[1])(embed(pair)) for name, pair in (("box crop", boxed), ("aligned", placed))}

for name, value in cosines.items():
    print(f"the same photo turned by 20 degrees, {name}: cosine {value:.2f}")
assert cosines["box crop"] < strangers.max() + 0.05 < cosines["aligned"] - 0.05
_ = plot.grid([*boxed, *placed], ["box", "box, turned", "aligned", "aligned, turned"], columns=4, side=1.7)

# %% [markdown]
# Without alignment a tilt of 20 degrees makes the photo as unlike itself as a stranger is. Nothing was wrong with the
# embedder. This is the commonest reason why a good network seems bad: its input was not prepared as in training.
#
# ## The map
#
# | part | lessons | question |
# |---|---|---|
# | Find | [01](01_sliding_pnet.ipynb), [02](02_cascade.ipynb), [03](03_teach_a_pnet.ipynb) | Where is a face? |
# | Place | [04](04_alignment.ipynb) | How do I make all eyes lie in one place? |
# | Tell apart | [05](05_softmax_to_sphere.ipynb), [06](06_margins.ipynb), [07](07_margins_at_work.ipynb) | What must a network be told, so that angles mean identity? |
# | Train | [08](08_data.ipynb), [09](09_backbones.ipynb), [10](10_training.ipynb) | With which data, network and loop? |
# | Judge | [11](11_verification.ipynb), [12](12_identification.ipynb), [13](13_where_it_fails.ipynb) | How good is it, for whom, and when is it wrong? |
# | Ship | [14](14_export_and_serve.ipynb) | How does it run elsewhere? |
# | Beyond | [15](15_a_million_identities.ipynb) | What changes with a million people? |
#
# ## Exercises
#
# ### Exercise 0.1 · Cosine similarity
#
# <span class="meta">★☆☆ · 3 minutes</span>
#
# Write the cosine of the angle between two vectors of any length, equation (0.1).
#
# <details class="hint"><summary>Hint 1</summary>
#
# The dot product is `a @ b`. It grows with the lengths of both vectors, and the cosine must not.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# `np.linalg.norm(a)` is the length of `a`.
#
# </details>


# %% tags=["exercise"]
def cosine_similarity(a, b):
    return ...  # your code


# %% tags=["check"]
check.cosine_similarity(cosine_similarity)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def cosine_similarity(a, b):
#     return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
# ```
#
# Embedders divide by the length once, when they make the vector, so that a comparison is a single dot product.
#
# </details>

# %% [markdown]
# ### Exercise 0.2 · Who is it?
#
# <span class="meta">★★☆ · 5 minutes</span>
#
# A gallery holds one vector a person, shape (P, D). Given a probe vector (D,), all of length 1, return the index of
# the most similar person, or `None` if even that one is below the threshold: an unknown face.
#
# <details class="hint"><summary>Hint 1</summary>
#
# `gallery @ probe` compares with all P people at once.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# `argmax` says where the largest value stands. Return a Python `int`, and `None` only if that value is below the threshold.
#
# </details>


# %% tags=["exercise"]
def identify(probe, gallery, threshold):
    return ...  # your code


# %% tags=["check"]
check.identify(identify)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def identify(probe, gallery, threshold):
#     scores = gallery @ probe  # P
#     best = int(scores.argmax())
#     return best if scores[best] >= threshold else None
# ```
#
# With a threshold this is open-set identification; without one every stranger would be given somebody's name.
#
# </details>

# %% [markdown]
# ### Exercise 0.3 · Two kinds of error
#
# <span class="meta">★★☆ · 8 minutes</span>
#
# Given cosines, the truth (`True` for the same person) and a threshold, return the share of different-person pairs
# that are accepted and the share of same-person pairs that are rejected.
#
# <details class="hint"><summary>Hint 1</summary>
#
# `scores >= threshold` is what the system says. Look at it separately where `same` is true and where it is not.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# The mean of an array of booleans is the share of `True`.
#
# </details>


# %% tags=["exercise"]
def error_rates(scores, same, threshold):
    false_accepts, false_rejects = ..., ...  # your code
    return false_accepts, false_rejects


# %% tags=["check"]
check.error_rates(error_rates)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def error_rates(scores, same, threshold):
#     accepted = scores >= threshold
#     return accepted[~same].mean(), (~accepted[same]).mean()
# ```
#
# Raising the threshold lowers the first and raises the second. There is no threshold that is right in itself; it
# depends on what each error costs.
#
# </details>

# %% [markdown]
# ### Exercise 0.4 · Your own picture
#
# <span class="meta">★☆☆ · 5 minutes, nothing to check</span>
#
# Take two photographs of yourself, replace the paths, and compare: `crop_of(facelib.load_image("me1.jpg"))`. Then try
# one with your head turned. Where would you put the threshold after two pictures, and after a hundred?
#
# ## Quiz
#
# **Question 1.** Two embeddings have a cosine of 0.6. Are they of the same person?
#
# <details class="quiz"><summary>A · Yes, 0.6 is above 0.5</summary>
#
# Wrong: a cosine is no probability. Above, HOG gave different people more than 0.8. What 0.6 means depends on the
# embedder.
#
# </details>
# <details class="quiz"><summary>B · No, the same person would be near 1</summary>
#
# Wrong: only the same *picture* is near 1. Good networks put two photographs of one person well below it.
#
# </details>
# <details class="quiz"><summary>C · One cannot say without knowing how same and different pairs score</summary>
#
# Right: a threshold comes from pairs whose answer is known, scored by the same embedder on the same kind of pictures.
#
# </details>
#
# **Question 2.** The system says "different" for every photo of a colleague whose camera is mounted at a tilt. Where
# do you look first?
#
# <details class="quiz"><summary>A · At the network: it needs more training</summary>
#
# Wrong: possible, but costly and usually not it. The same network worked on other cameras.
#
# </details>
# <details class="quiz"><summary>B · At the crops that reach the network</summary>
#
# Right: look at them. If the faces are tilted, alignment is missing or the landmarks are wrong.
#
# </details>
# <details class="quiz"><summary>C · At the threshold: lower it</summary>
#
# Wrong: that hides the symptom and lets strangers in, on every camera.
#
# </details>
#
# **Question 3.** With mirror images HOG named more of the six people. What may we conclude?
#
# <details class="quiz"><summary>A · HOG with mirror images recognises faces</summary>
#
# Wrong: six people say almost nothing about the next thousand, and the trick fits the way these pairs were posed.
#
# </details>
# <details class="quiz"><summary>B · Pose was the main cause of the failure on these pictures</summary>
#
# Right: one thing was changed, left and right were cancelled, and the link between similarity and yaw vanished.
#
# </details>
# <details class="quiz"><summary>C · Mirror images always help</summary>
#
# Wrong: nothing here shows that. On people who look straight into the camera there is no turn to cancel.
#
# </details>
#
# ## Summary
#
# - Find, place, embed, compare: each step hands arrays to the next, and each can be looked at.
# - A cosine becomes a decision only with a threshold, and a threshold only from pairs whose truth is known.
# - A hand-made embedding recognised photographs and not people: it saw pose. The knowledge of what to ignore has to be
#   learned, and a small network that has learned it from rendered people tells six others apart.
# - Next, [lesson 01](01_sliding_pnet.ipynb): how a network with fewer weights than this page has letters finds a face.
