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
# # 01 · Detection by sliding a tiny network
#
# <a class="colab" href="https://colab.research.google.com/github/facelib-course/facelib-course/blob/main/notebooks/01_sliding_pnet.ipynb">Open in Colab</a>
#
# How can a network that sees only 12 x 12 pixels find every face of a photo, whatever its place and size? By looking everywhere, at many sizes, at a price that a laptop can pay. This lesson builds the first stage of the detector, P-Net of [Zhang et al. 2016](../book/bibliography.md), from its smallest parts. All the arithmetic that later goes wrong in detectors (strides, offsets by one, scales, overlaps) is met here once, in the open.
#
# **You will be able to**
# - show that a fully convolutional network is a small classifier slid over the picture, and compute its stride, its receptive field and the size of its output;
# - go from an output cell and a scale to a window in the picture, and refine that window with the predicted offsets;
# - build an image pyramid, say how many levels it needs and what it costs;
# - write non-maximum suppression in ten lines;
# - measure recall and precision of P-Net alone, and say why it needs a second network behind it.
#
# **Before this** [lesson 00](00_five_minutes.ipynb); convolution and max pooling in PyTorch.
#
# **Time** about 15 s to run on two CPU cores
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

from facelib import plot, samples
from facelib.checks import lesson_01 as check

plot.use()

# %% [markdown]
# ## A classifier of twelve pixels
#
# P-Net is the smallest network of this course. It takes 12 x 12 pixels in colour and answers two questions: is this a face (one probability), and if so, where exactly (four offsets)? Below, six square parts of a photo are shrunk to 12 x 12 and shown to it. `resample` does the shrinking; a later section derives it. `normalise` maps the values 0..255 to the range from -1 to 1 with which the weights were trained.

# %% [markdown]
# <details class="predict"><summary>Predict before you run: which of the six crops below are faces, at 12 x 12 pixels?</summary>
#
# Look at the small pictures before you read the numbers over them. Twelve pixels hold no identity and no expression, but two dark spots over one dark line, on a bright oval, survive. Expect trouble with everything else that has such spots.
#
# </details>

# %% mystnb={"image": {"alt": "Six crops of 12 by 12 pixels with P-Net's probability over each. The crop of the face scores near 1, the same face cut off centre scores low, the flag scores near 0, and a part of the sleeve fools the network."}}
from facelib.detect import PNet, load_weights
from facelib.detect.pyramid import integral_image, normalise, resample

pnet = load_weights(PNet())
astronaut = samples.astronaut()  # 512, 512, 3
parts = {
    "face": (170, 60, 280, 170),
    "shifted": (200, 60, 310, 170),
    "an eye": (170, 60, 225, 115),
    "too wide": (60, 0, 340, 280),
    "flag": (0, 150, 110, 260),
    "sleeve": (10, 400, 120, 510),
}
integral = integral_image(torch.tensor(astronaut))
crops = resample(integral, torch.tensor(list(parts.values())), (12, 12))  # 6, 3, 12, 12
probability, offsets = pnet(normalise(crops))  # (6, 1, 1) and (6, 4, 1, 1)
labels = [f"{name}\n{p:.2f}" for name, p in zip(parts, probability.flatten(), strict=True)]
_ = plot.grid(crops.permute(0, 2, 3, 1).byte().numpy(), labels, side=1.4)
assert probability[0] > 0.95 and probability[1:5].max() < 0.5 < probability[5]

# %% [markdown]
# The face that fills its crop is recognised. The same face shifted to the side, cut to one eye or lost in a wide crop is not: **P-Net says yes only if the face has the right place and the right size in its 12 pixels.** That is what makes it useful for finding out where a face is. And it can be fooled: the sleeve has what it takes, at this resolution. Remember it.
#
# How is it built? Each convolution is 3 x 3 without padding and trims the edge, until one single position is left. (A PReLU is a ReLU with a learned slope for negative numbers.) There stand two heads: two numbers, of which softmax makes the probability, and the four offsets.

# %%
x = normalise(crops[:1])  # 1, 3, 12, 12
for layer in pnet.features:
    x = layer(x)
    weights = sum(w.numel() for w in layer.parameters())
    print(
        f"{type(layer).__name__:9} -> {x.shape[1]:2} channels of {x.shape[2]:2} x {x.shape[3]:2}, {weights:4} weights"
    )
heads = sum(w.numel() for head in (pnet.face, pnet.box) for w in head.parameters())
total = sum(w.numel() for w in pnet.parameters())
print(f"two heads -> {pnet.face.out_channels} + {pnet.box.out_channels} numbers, {heads} weights; together {total:,}")

# %% [markdown]
# ## The last layer was a convolution all along
#
# A classifier usually ends in a fully connected layer. Here the last feature layer is a 3 x 3 convolution on a 3 x 3 map. With only one position to stand on, that is the same thing: both multiply each of the 16 · 3 · 3 numbers by a weight and add. Flatten the kernel, and `torch.nn.Linear` gives the same 32 numbers.

# %%
features = pnet.features[:5](normalise(crops))  # 6, 16, 3, 3
convolution = pnet.features[5]  # 16 -> 32 channels, 3 x 3
dense = torch.nn.Linear(16 * 3 * 3, 32)
dense.load_state_dict({"weight": convolution.weight.flatten(1), "bias": convolution.bias})
a = dense(features.flatten(1))  # 6, 32
b = convolution(features).flatten(1)  # 6, 32
assert torch.allclose(a, b, atol=1e-4)
print("fully connected and convolution agree:", tuple(a.shape))

# %% [markdown]
# The difference shows on a larger input. The fully connected layer refuses it; the convolution moves on to the next position and answers again. A network of only convolutions and poolings is called **fully convolutional**, and takes pictures of any size.
#
# ## Slide it
#
# Now the claim on which this lesson rests: one pass over a larger picture gives *exactly* what you get by cutting out every 12 x 12 window and asking the classifier about each. P-Net has one pooling of stride 2, so the windows lie 2 pixels apart.

# %% [markdown]
# <details class="predict"><summary>Predict before you run: how many windows does a 76 x 76 picture hold?</summary>
#
# The first window covers pixels 0..11, the next ones begin at 2, 4, 6, ... The last must end at pixel 75, so it begins at 64. Count the even numbers from 0 to 64, and square.
#
# </details>

# %%
whole = torch.tensor([[0, 0, 512, 512]])
level = normalise(resample(integral, whole, (76, 76)))  # 1, 3, 76, 76

windows = level.unfold(2, 12, 2).unfold(3, 12, 2)  # 1, 3, H', W', 12, 12: views, nothing copied
rows, columns = windows.shape[2:4]
windows = windows.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, 12, 12)  # H' W', 3, 12, 12
one_by_one = pnet(windows)[0].view(rows, columns)
at_once = pnet(level)[0][0]  # H', W'

difference = (one_by_one - at_once).abs().max()
assert at_once.shape == one_by_one.shape and difference < 1e-4
print(f"{rows} x {columns} = {rows * columns:,} windows, largest difference below 1e-4: {bool(difference < 1e-4)}")

# %% [markdown]
# `unfold(dimension, size, step)` lists the windows along one dimension; twice, it lists those of the plane. Both ways give the same numbers, so why bother? Neighbouring windows overlap, and the single pass computes what they share once.


# %%
def multiplications(layers, side):
    """Multiplications of the convolutions for a square input."""
    total = 0
    for layer in layers:
        if isinstance(layer, torch.nn.Conv2d):
            side -= layer.kernel_size[0] - 1
            total += side * side * layer.weight.numel()
        elif isinstance(layer, torch.nn.MaxPool2d):
            side = -(-side // 2)  # rounded up
    return total


layers = [*pnet.features, pnet.face, pnet.box]
apart, together = rows * columns * multiplications(layers, 12), multiplications(layers, 76)
print(
    f"window by window {apart / 1e6:.1f} million multiplications, in one pass {together / 1e6:.1f}: {apart / together:.1f} times fewer"
)

# %% [markdown]
# ## What one cell sees
#
# Each number of the output belongs to a window of the input, its **receptive field**. Two numbers follow it through the layers: the field $r$ and the jump $j$, the distance in input pixels between neighbours of the current map. A layer with kernel $k$ and stride $s$ makes of them
#
# $$ r_l = r_{l-1} + (k_l - 1)\, j_{l-1}, \qquad j_l = j_{l-1}\, s_l, \qquad r_0 = j_0 = 1. \tag{1.1} $$
#
# A kernel of $k$ spans $k - 1$ gaps between its inputs, each $j$ pixels wide: that is the whole proof.

# %%
field, jump = 1, 1
print("layer            kernel  stride  field  jump")
for layer in pnet.features:
    if hasattr(layer, "kernel_size"):  # PReLU works on each number alone
        kernel, stride = int(np.ravel(layer.kernel_size)[0]), int(np.ravel(layer.stride)[0])
        field, jump = field + (kernel - 1) * jump, jump * stride
        print(f"{type(layer).__name__:16} {kernel:6} {stride:7} {field:6} {jump:5}")
assert (field, jump) == (PNet.size, PNet.stride) == (12, 2)

# %% [markdown]
# Field 12 and jump 2 are the two constants of P-Net: **cell (i, j) sees the 12 x 12 pixels that begin at (2i, 2j).** After the pooling each 3 x 3 kernel covers 4 input pixels more instead of 2.
#
# Do not take it from the formula; ask autograd. The gradient of one cell with respect to the input is zero at every pixel that the cell does not see. A maximum passes its gradient to one of its inputs only, so we add up the gradients of many random inputs.


# %% mystnb={"image": {"alt": "Two maps of gradient strength. Left, on 32 by 32 pixels: one output cell reaches exactly a 12 by 12 square, strongest in its middle. Right, on 33 by 33 pixels: the last cell's square juts out of the picture by one pixel, so it sees only 11 by 11."}}
def seen_by(i, j, side):
    """How strongly each pixel of a side x side picture moves cell (i, j)."""
    x = torch.rand(200, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1
    x.requires_grad_()
    pnet.face(pnet.features(x))[:, 1, i, j].sum().backward()
    return x.grad.abs().mean((0, 1)).numpy()  # side, side


fig, axes = plt.subplots(1, 2, figsize=(8, 4))
for ax, (i, j, side) in zip(axes, [(4, 7, 32), (11, 11, 33)], strict=True):
    seen = seen_by(i, j, side)
    ax.imshow(seen, cmap="magma")
    _ = plot.boxes(ax, [[2 * j - 0.5, 2 * i - 0.5, 2 * j + 11.5, 2 * i + 11.5]], plot.SKY)
    ax.set(title=f"cell ({i}, {j}) of a {side} x {side} picture", xlim=(-1.5, 33.5), ylim=(33.5, -1.5))
    hit = np.argwhere(seen)  # rows and columns that matter
    print(
        f"side {side}: cell ({i}, {j}) sees rows {hit[:, 0].min()}..{hit[:, 0].max()}, columns {hit[:, 1].min()}..{hit[:, 1].max()}"
    )

# %% [markdown]
# Left: exactly 12 x 12 pixels, and the middle counts more than the edge, because more paths lead through it. Right: a surprise. In a picture of odd side the last cell's window *juts out* by a pixel. The pooling works in **ceil mode**: after the first convolution 31 positions are left, so the last one has no partner. Floor mode would drop the rest; ceil mode pools what there is. The published weights come from a framework (Caffe) that rounds up, so we must too, or boxes at the right and lower edge go missing.
#
# With that, the size of the output for a side of $H$ pixels, of which the convolutions take 2, 2 and 2:
#
# $$ H' = \left\lceil \frac{H - 2}{2} \right\rceil - 4 . \tag{1.2} $$

# %%
for side in range(12, 60):
    expected = -(-(side - 2) // 2) - 4  # -(-a // b) rounds up
    assert pnet(torch.zeros(1, 3, side, side))[0].shape == (1, expected, expected)
print("equation 1.2 holds for every side from 12 to 59")

# %% [markdown]
# ## From a cell to the picture
#
# P-Net sees the picture shrunk by a **scale** $\sigma < 1$. Cell $(i, j)$ saw the pixels from $2j$ up to, not including, $2j + 12$ of the small picture. Divided by $\sigma$ that is the window in the original. If edges are numbers on a ruler and pixel 0 reaches from 0 to 1, then in x
#
# $$ \left[\frac{2j}{\sigma},\; \frac{2j + 12}{\sigma}\right) \quad\text{exactly, but}\quad \left\lfloor\frac{2j + 1}{\sigma}\right\rfloor,\; \left\lfloor\frac{2j + 12}{\sigma}\right\rfloor \tag{1.3} $$
#
# in the original program, and so in `facelib.detect.boxes.windows`. Where does the +1 come from? That program counts pixels from 1 and names a box by its *first and last pixel*, both inside. Counting from 1, the window's first pixel is $2j + 1$ and its last is $2j + 12$. Both pixel *numbers* are then divided by the scale as if they were places on a ruler, and cut to whole numbers. The right corner happens to equal our edge; the left one lies a pixel of the small picture too far right.

# %%
from facelib.detect import boxes as box_tools

scale = 12 / 40
cells = torch.tensor([[0, 0], [0, 1], [5, 30]])  # row i, column j
ours = torch.cat([2 * cells.flip(1), 2 * cells.flip(1) + 12], 1) / scale  # x1, y1, x2, y2
theirs = box_tools.windows(cells, scale)
for cell, exact, used in zip(cells.tolist(), ours.tolist(), theirs.tolist(), strict=True):
    print(f"cell {cell}: x from {exact[0]:6.2f} to {exact[2]:6.2f} exactly, {used[0]:3.0f} to {used[2]:3.0f} as used")

# %% [markdown]
# What does it cost? We measure it over many cells and several scales, in per cent of the window's side.

# %%
for window in (20, 40, 80, 160):  # side of the window in the picture
    scale = 12 / window
    cells = torch.arange(500).repeat(2, 1).T  # (0, 0), (1, 1), ...
    corner = 2 * cells.flip(1)
    ours = torch.cat([corner, corner + 12], 1) / scale
    shift = (box_tools.windows(cells, scale) - ours).mean(0) / window * 100
    print(f"window of {window:3} px: left edge {shift[0]:+.1f} %, right edge {shift[2]:+.1f} % of the side")
    assert 0 < shift[0] < 100 / 12 and -5 < shift[2] <= 0

# %% [markdown]
# The used window is smaller by about a twelfth, one pixel of the 12. That sounds like a flaw worth mending, but the weights of P-Net and of the networks behind it were published together with this arithmetic. Whether an exact window would do better is a question for measurement, and we shall measure it once the detector stands. Until then: **a detector is its weights and its arithmetic together.**
#
# ## Box regression
#
# A window can only stand at multiples of 2 pixels, in a few sizes, and always square. The four offsets make up for that. Each moves one edge by a fraction of the window's side $w$ or $h$:
#
# $$ x_1' = x_1 + \delta_{x_1} w, \quad y_1' = y_1 + \delta_{y_1} h, \quad x_2' = x_2 + \delta_{x_2} w, \quad y_2' = y_2 + \delta_{y_2} h . \tag{1.4} $$
#
# Fractions, because the network sees the same 12 pixels whether the face measures 20 or 200 pixels in the picture: it cannot know pixels. It was trained to make their squared error small (Zhang et al. 2016, equation 2), beside the cross-entropy of face or not (equation 1).

# %% mystnb={"image": {"alt": "The astronaut twice. Left, the square windows that P-Net accepts at one scale: a bundle of shifted squares about her face and one or two elsewhere. Right, the same windows after box regression: the bundle at the face has contracted to nearly one narrower box."}}
scale = 12 / 112
size = int(512 * scale + 1)  # the level's side, rounded up
probability, offsets = pnet(normalise(resample(integral, whole, (size, size))))  # (1, H', W'), (1, 4, H', W')
i, j = (probability[0] >= 0.6).nonzero(as_tuple=True)  # the cells that say yes
before = box_tools.windows(torch.stack([i, j], 1), scale)  # K, 4
side = before[:, 2:] - before[:, :2]  # K, 2
after = before + offsets[0, :, i, j].T * side.repeat(1, 2)  # K, 4: equation 1.4
assert torch.equal(after, box_tools.refine(before, offsets[0, :, i, j].T, corner_pixels=0))

for ax, name, boxes in zip(
    plot.panels(2, 2, astronaut.shape, width=5.6).flat, ("windows", "refined"), (before, after), strict=True
):
    plot.image(astronaut, name, ax)
    _ = plot.boxes(ax, boxes, plot.SKY)

# %% [markdown]
# At the face the windows lie apart, and after regression they agree: cells that see the face off centre say so. The boxes become narrower too, since a face is higher than wide. Windows away from the face are moved as well; offsets mean nothing where there is no face.
#
# `facelib.detect.boxes.refine` does this for all three networks. For P-Net it gets `corner_pixels=0` (the side is $x_2 - x_1$), for the others 1 (both corner pixels inside): again the arithmetic that came with the weights.
#
# ## One scale is not enough
#
# P-Net knows faces that fill 12 pixels. How exactly must the size fit? We take the twelve people of the rendered group picture, whose faces are known to the pixel, and shrink the picture in small steps. For each face we note the best probability among the cells that look at its middle, against the size the face has *in the shrunk picture*. For the most probable cell we also note how well its refined box covers the face: the intersection over union (IoU), 1 for a perfect box; we derive it below.

# %% [markdown]
# <details class="predict"><summary>Predict before you run: the faces of the group differ greatly in size. Where do their twelve curves rise and fall, if drawn against the size in the shrunk picture?</summary>
#
# P-Net never learns how large a face was in the original. If only the 12 pixels matter, the curves of small and large faces should lie on top of each other, around a size of about 12 pixels.
#
# </details>

# %%
from torchvision.ops import box_iou

group, truth = samples.group(), samples.group_truth()  # (720, 1280, 3), Faces
mtcnn = facelib.MTCNN(min_face=20)
integrals = mtcnn.prepare([group])  # one integral image
true = torch.tensor(truth.boxes)  # 12, 4
middle = (true[:, :2] + true[:, 2:]) / 2
near = (true[:, 2:] - true[:, :2]) / 4  # the cell's window must be centred this close to the middle

# %%
curves = []  # face, size in the shrunk picture, probability, IoU
for scale in 0.6 * 0.85 ** np.arange(18):
    probability, offsets = mtcnn.scan(integrals, float(scale))  # the steps above, for a list of pictures
    i, j = probability[0].ge(0).nonzero(as_tuple=True)  # every cell
    centre = (torch.stack([j, i], 1) * 2 + 6) / scale  # x, y in the picture
    boxes = box_tools.refine(box_tools.windows(torch.stack([i, j], 1), scale), offsets[0, :, i, j].T, corner_pixels=0)
    for face in range(len(true)):
        cells = ((centre - middle[face]).abs() < near[face]).all(1).nonzero()[:, 0]
        if len(cells):
            best = cells[probability[0, i, j][cells].argmax()]
            overlap = box_iou(boxes[best][None], true[face][None])
            curves.append((face, truth.sizes[face] * scale, probability[0, i[best], j[best]].item(), overlap.item()))
curves = np.array(curves, dtype=float)

# %% mystnb={"image": {"alt": "Two panels over the face's size in the shrunk picture, 4 to 40 pixels, twelve thin lines each. Left: probabilities are irregular below 6 pixels, stay near 1 from 7 until about 20 and become irregular again beyond; one line, of the blurred man, drops beyond 14 already. Right: the IoU of the refined box peaks at about 10 pixels and falls on both sides."}}
fig, axes = plt.subplots(1, 2, figsize=(9, 3.6))
for column, ax, title in ((2, axes[0], "probability"), (3, axes[1], "IoU of the refined box")):
    for face in range(len(truth)):
        mine = curves[curves[:, 0] == face]
        ax.plot(mine[:, 1], mine[:, column], color=plt.cm.viridis(face / 12), lw=1, marker=".")
    ax.axvline(12, color="grey", ls=":")
    ax.set(
        xscale="log", xlim=(4, 40), ylim=(0, 1.02), title=title, xlabel="size of the face in the shrunk picture (px)"
    )
    ax.set_xticks([5, 7, 10, 14, 20, 30, 40], [5, 7, 10, 14, 20, 30, 40], minor=False)
    ax.minorticks_off()
bands = {
    f"{a} to {b} px": (curves[:, 1] >= a) & (curves[:, 1] < b) for a, b in ((4, 6), (6, 8), (8, 14), (14, 20), (20, 40))
}
for name, band in bands.items():
    print(
        f"{name:12}: median probability {np.median(curves[band, 2]):.1f}, median IoU {np.median(curves[band, 3]):.1f}"
    )
medians = {name: np.median(curves[band, 2:], axis=0) for name, band in bands.items()}
assert medians["8 to 14 px"][0] > 0.95 > medians["4 to 6 px"][0] + 0.1
assert medians["8 to 14 px"][1] > medians["14 to 20 px"][1] > medians["20 to 40 px"][1]

# %% [markdown]
# From 7 to about 14 pixels the curves of all twelve faces nearly coincide: what counts is the size in the shrunk picture. (Dark lines are the people in front; the palest is the blurred man at the back, of whom a larger picture shows no more. Size is the geometric mean of width and height, brow to chin, which is a little less than the square window.) The left panel is wider than one might expect: P-Net says yes from about half the window to nearly twice the window, and often beyond on either side. The right panel is narrower: the box is good only where the face nearly fills the window. So neighbouring scales may differ by a factor, but not by a large one.
#
# ## The pyramid
#
# Shrink the picture so that the smallest face we care for, `min_face` $= m$, measures 12 pixels: $\sigma_0 = 12 / m$. Shrink that again and again by a factor $f$, as long as the shorter side still holds a window. With height $H$ and width $W$
#
# $$ \sigma_k = \frac{12}{m} f^k, \qquad K = 1 + \left\lfloor \frac{\ln\left(m / \min(H, W)\right)}{\ln f} \right\rfloor \text{ levels.} \tag{1.5} $$
#
# $f = 0.709$ is a number that everyone copies. It is about $\sqrt{1/2}$, so each level has half the pixels of the one before. The cost of the whole pyramid is then a geometric series:
#
# $$ \sum_{k \ge 0} f^{2k} = \frac{1}{1 - f^2} \approx 2 . \tag{1.6} $$

# %%
from facelib.detect.pyramid import pyramid_scales

height, width = group.shape[:2]
scales, scale = [], 12 / 20
while min(height, width) * scale >= 12:
    scales.append(scale)
    scale *= 0.709
assert scales == pyramid_scales(height, width, min_face=20, factor=0.709)
assert len(scales) == 1 + int(np.log(20 / height) / np.log(0.709))
print(f"{len(scales)} levels, windows of {12 / scales[0]:.0f} to {12 / scales[-1]:.0f} px")

# %% [markdown]
# The sides of a level must be whole pixels. facenet-pytorch, whose weight files we use, takes $\lfloor \sigma_k H + 1 \rfloor$, up to one pixel more than $\sigma_k H$, and so do we.

# %%


def pyramid(picture, scales):
    """The picture at each scale: float (1, 3, h, w), values 0..255."""
    (integral,), (height, width) = mtcnn.prepare([picture]), picture.shape[:2]
    sizes = [(int(height * s + 1), int(width * s + 1)) for s in scales]
    return [resample(integral, torch.tensor([[0, 0, width, height]]), size) for size in sizes]


levels = pyramid(group, scales)
sizes = [tuple(level.shape[2:]) for level in levels]
pixels = np.array([h * w for h, w in sizes])
count = sum((-(-(h - 2) // 2) - 4) * (-(-(w - 2) // 2) - 4) for h, w in sizes)  # equation 1.2
print(f"from {sizes[0]} to {sizes[-1]} pixels")
print(
    f"all levels have {pixels.sum() / pixels[0]:.2f} times the pixels of the first; the series gives {1 / (1 - 0.709**2):.2f}"
)
print(f"{count:,} windows in one picture, of which {len(truth)} should be faces")

# %% mystnb={"image": {"alt": "The levels of the group picture side by side, each with half the area of the one before; the last is a few pixels wide."}}
pictures = [level[0].permute(1, 2, 0).byte().numpy() for level in levels]
_ = plot.pyramid(pictures, [f"{12 / s:.0f}" for s in scales[:6]] + [""] * (len(scales) - 6))

# %% [markdown]
# The numbers say how large, in pixels of the original, a window of that level is. The largest level costs as much as all others together. Whoever wants faces of half the size pays for a new first level with four times the pixels: **P-Net's time is set by the size of the picture and by the smallest face you ask for.** Large faces are almost free.
#
# ## Shrinking by the mean
#
# Each level needs the picture at another size. Every pixel of the small picture should be the mean of the area it stands for, so that no pixel is left out. Done naively each level reads the whole picture. The **integral image** does it in four look-ups a pixel. Let $S[y, x]$ be the sum of all pixels above $y$ and left of $x$. Then the sum over the rectangle from $(x_1, y_1)$ up to, not including, $(x_2, y_2)$ is
#
# $$ S[y_2, x_2] - S[y_1, x_2] - S[y_2, x_1] + S[y_1, x_1] . \tag{1.7} $$
#
# Take the large rectangle from the corner, take away what lies above and what lies to the left, and give back the corner that was taken away twice.

# %%
toy = np.arange(1, 17).reshape(4, 4)
S = np.pad(toy.cumsum(0).cumsum(1), ((1, 0), (1, 0)))  # 5, 5: a row and a column of zeros first
print(toy, S, sep="\n\n")
x1, y1, x2, y2 = 1, 1, 3, 4
four = S[y2, x2] - S[y1, x2] - S[y2, x1] + S[y1, x1]
assert four == toy[y1:y2, x1:x2].sum()
print(f"\nrows {y1}..{y2 - 1}, columns {x1}..{x2 - 1}: {S[y2, x2]} - {S[y1, x2]} - {S[y2, x1]} + {S[y1, x1]} = {four}")

# %% [markdown]
# A level of $h$ rows out of $H$: row $i$ stands for the input rows from $\lfloor iH/h \rfloor$ up to, not including, $\lceil (i+1)H/h \rceil$. A row on the border of two belongs to both. That is all of `resample` in `facelib.detect.pyramid`, which reads $S$ from its `integral_image`:


# %%
def shrink(picture, size):
    """uint8 (H, W, 3) -> float (*size, 3): the mean over the area of each output pixel."""
    S = np.pad(picture.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0), (0, 0)))
    (top, bottom), (left, right) = (
        (np.arange(n) * full // n, -(-(np.arange(n) + 1) * full // n))
        for n, full in zip(size, picture.shape[:2], strict=True)
    )
    sums = S[bottom][:, right] - S[top][:, right] - S[bottom][:, left] + S[top][:, left]
    return sums / ((bottom - top)[:, None, None] * (right - left)[None, :, None])


for size, level in zip(sizes, levels, strict=True):
    assert np.allclose(shrink(group, size), level[0].permute(1, 2, 0), atol=1e-3)
print("ours and facelib's agree on all", len(levels), "levels")

# %% [markdown]
# ## Where the network sees faces
#
# Everything is in place: shrink, normalise, one pass, and a map of probabilities for each level. Below are six levels of the group picture, drawn at the same size, with the map over them. A coloured square stands in the middle of the window that it speaks for, bright where P-Net is sure. Blue boxes are the true faces whose size fits that level.

# %% [markdown]
# <details class="predict"><summary>Predict before you run: which people light up at the first level, and which at the last one shown?</summary>
#
# At the first level a window covers 20 pixels of the picture: the far faces nearly fit, and of the near ones it sees an eye or a cheek at a time. At the last one shown the window covers a whole near face, and the far ones are a dot in it.
#
# </details>

# %% mystnb={"image": {"alt": "Six heat maps of P-Net's probability over the group picture, one a pyramid level, from windows of 20 pixels to windows of 157 pixels. At the finest level only scattered spots light up, the smallest faces among them. From level to level the glow moves on to larger faces, until the nearest people carry the largest blobs; at the coarsest level hair and shoulders further back glow as well."}}
maps = [pnet(normalise(level))[0][0].numpy() for level in levels]  # H', W' each
shown = [0, 1, 3, 4, 5, 6]
axes = plot.panels(len(shown), 2, group.shape, width=8)
for ax, k in zip(axes.flat, shown, strict=True):
    plot.heat_map(pictures[k], maps[k], f"level {k}: windows of {12 / scales[k]:.0f} px", ax)
    fits = (truth.sizes * scales[k] > 8) & (truth.sizes * scales[k] < 14)  # where the curves above were best
    _ = plot.boxes(ax, truth.boxes[fits] * scales[k], plot.SKY)

# %% [markdown]
# Read it level by level. Small faces glow at fine levels and go out at coarse ones; the people in front do the reverse. Each face glows on several neighbouring levels, each time as a blob of several cells. And other things glow as well: at the fine levels an eye or a mouth of somebody in front, at the coarser ones hair, a collar, the edge of a shoulder.
#
# Is the level really tied to the size of the face? For every face we take the accepted box that fits best, and the level it came from.


# %%
def candidates(levels, scales, scaling=normalise, threshold=0.6):
    """All windows that P-Net accepts: level (K,), cell (K, 2), score (K,), window (K, 4), refined box (K, 4)."""
    found = []
    for k, (level, scale) in enumerate(zip(levels, scales, strict=True)):
        probability, offsets = pnet(scaling(level))
        i, j = (probability[0] >= threshold).nonzero(as_tuple=True)
        cells, scores = torch.stack([i, j], 1), probability[0, i, j]
        windows = box_tools.windows(cells, scale)
        boxes = box_tools.refine(windows, offsets[0, :, i, j].T, corner_pixels=0)
        found.append((torch.full_like(i, k), cells, scores, windows, boxes))
    return [torch.cat(parts) for parts in zip(*found, strict=True)]


level, cells, scores, windows, boxes = candidates(levels, scales)
best = box_iou(boxes, true).argmax(0)  # for each face, the best of all boxes
for face in np.argsort(truth.sizes):
    k = level[best[face]]
    print(f"face of {truth.sizes[face]:3.0f} px: level {k}, windows of {12 / scales[k]:3.0f} px")
rank = np.corrcoef(np.log(truth.sizes), level[best])[0, 1]
assert rank > 0.85
print(f"{len(windows)} windows accepted; correlation of level and log size {rank:.2f}")

# %% [markdown]
# ## Overlap, by hand
#
# Every face is found many times over. To tell whether two boxes mean the same face we compare areas, by the **intersection over union**:
#
# $$ \mathrm{IoU}(A, B) = \frac{|A \cap B|}{|A \cup B|} = \frac{|A \cap B|}{|A| + |B| - |A \cap B|} . \tag{1.8} $$
#
# Two squares of side 10, the second moved by 5 to the right: they share 5 · 10 = 50, and cover 100 + 100 - 50 = 150 together, so the IoU is one third. (Half of each is shared, and still the IoU is not one half.) The intersection is itself a box: its left edge is the larger of the left edges, its right edge the smaller of the right ones. If that comes out negative, the boxes are apart.


# %%
def iou(box, boxes):
    """(4,) and (K, 4) -> (K,)."""
    corner, far = torch.maximum(box[:2], boxes[:, :2]), torch.minimum(box[2:], boxes[:, 2:])
    shared = (far - corner).clamp(min=0).prod(1)
    area, areas = (box[2:] - box[:2]).prod(), (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return shared / (area + areas - shared)


square = torch.tensor([0.0, 0, 10, 10])
others = torch.tensor([[5.0, 0, 15, 10], [5, 5, 15, 15], [20, 20, 30, 30], [0, 0, 10, 10]])
print([f"{value:.3f}" for value in iou(square, others)])
assert torch.allclose(iou(square, others), box_iou(square[None], others)[0])

# %% [markdown]
# ## Non-maximum suppression
#
# Keep the best box, drop all that overlap it by more than a threshold, take the best of the rest, and so on. That is the whole algorithm, and it is greedy: what is dropped never comes back.


# %%
def nms(boxes, scores, threshold):
    """Indices of the boxes that stay, best first."""
    order = scores.argsort(descending=True, stable=True)
    keep = []
    while len(order):
        best, order = order[0], order[1:]
        keep.append(best)
        order = order[iou(boxes[best], boxes[order]) <= threshold]
    return torch.stack(keep)


for threshold in (0.4, 0.5, 0.6):
    kept = nms(windows, scores, threshold)
    assert torch.equal(kept, box_tools.nms(windows, scores, threshold))
    print(f"threshold {threshold}: {len(windows)} -> {len(kept)} windows")

# %% [markdown]
# The threshold is the IoU *up to which two boxes may both live*. A low one loses one of two neighbours who stand close together, a high one keeps several boxes a face. P-Net's output is thinned twice: within each level at 0.5, where neighbouring windows lie 2 of their 12 pixels apart and overlap strongly, then across levels at 0.7.

# %% mystnb={"image": {"alt": "One face of the group, twice. Left, all accepted windows around it, a dense bundle of squares in several sizes. Right, what NMS leaves: far fewer squares, of each size only such as overlap little."}}
within = box_tools.nms(windows, scores, 0.5, groups=level)  # windows of different levels do not compete
both = within[box_tools.nms(windows[within], scores[within], 0.7)]
_, axes = plt.subplots(1, 2, figsize=(6.8, 3.6))
for ax, name, some in ((axes[0], "accepted windows", torch.arange(len(windows))), (axes[1], "after NMS", both)):
    plot.image(group, name, ax)
    plot.boxes(ax, windows[some], plt.cm.plasma(level[some].numpy() / 8))  # a colour for each level
    ax.set(xlim=(750, 1000), ylim=(450, 200))
print(f"{len(windows)} accepted, {len(within)} after NMS within levels, {len(both)} after NMS across levels")

# %% [markdown]
# The second round removed nothing. That is no accident of this picture. Windows of neighbouring levels differ in side by the factor $f$, so even two that lie one inside the other have an IoU of about $f^2$, that is one half, and never pass 0.7. The round works only for a finer pyramid, with $f > \sqrt{0.7}$. Let us see.

# %%
for factor in (0.709, 0.9):
    other = pyramid_scales(height, width, 20, factor)
    of_level, _, score, window, _ = candidates(pyramid(group, other), other)
    first = box_tools.nms(window, score, 0.5, groups=of_level)
    second = box_tools.nms(window[first], score[first], 0.7)
    print(
        f"factor {factor}: nested windows have IoU {factor**2:.2f}; the second round leaves {len(second)} of {len(first)}"
    )
    assert (len(second) == len(first)) == (factor**2 < 0.7)

# %% [markdown]
# ## P-Net's whole answer, against the truth
#
# Last, the windows are refined and made square again, since the next network wants squares. The lesson's code now does the whole first stage of the library, box for box:


# %% mystnb={"image": {"alt": "The group picture with P-Net's proposals after NMS and box regression: every face carries several boxes of several sizes, and there are many more on eyes, hair, necks and shoulders; the blurred background carries few."}}
def thin(level, cells, scores, windows, boxes):
    """NMS on the windows; returns the refined boxes that stay (K, 4) and their scores (K,)."""
    keep = box_tools.nms(windows, scores, 0.5, groups=level)
    keep = keep[box_tools.nms(windows[keep], scores[keep], 0.7)]
    return boxes[keep], scores[keep]


proposals, sure = thin(*candidates(levels, scales))
library = mtcnn.propose(integrals)
assert torch.allclose(box_tools.square(proposals), library.boxes, atol=1e-2)
_, ax = plt.subplots(figsize=(6, 3.6))
plot.image(group, f"{len(proposals)} proposals", ax)
_ = plot.boxes(ax, proposals, plot.SKY, width=0.8)
print(f"ours and facelib's agree on all {len(library)} proposals")

# %% [markdown]
# A face counts as found if some box reaches an IoU of 0.5 with it. **Recall** is the share of the faces that are found. **Precision** is the share of the boxes that are right; a second box on a face that is already found is counted as wrong, as detection benchmarks do. The group's truth comes from the renderer. For the astronaut we take the face that the full detector of [lesson 02](02_cascade.ipynb) finds.


# %%
def measure(boxes, truth):
    """Faces found, recall, precision, mean IoU of the best box of each face."""
    best = box_iou(boxes, torch.as_tensor(truth)).amax(0)  # M
    found = int((best >= 0.5).sum())
    return {"found": found, "recall": found / len(truth), "precision": found / len(boxes), "IoU": best.mean().item()}


astronaut_truth = mtcnn.detect(astronaut).boxes
astronaut_scales = pyramid_scales(512, 512, 20)
astronaut_proposals, _ = thin(*candidates(pyramid(astronaut, astronaut_scales), astronaut_scales))
for name, answer, faces in (("group", proposals, truth.boxes), ("astronaut", astronaut_proposals, astronaut_truth)):
    result = measure(answer, faces)
    print(f"{name}: {result['found']} of {len(faces)} faces in {len(answer)} boxes")
    print(f"    recall {result['recall']:.2f}, precision {result['precision']:.3f}, mean best IoU {result['IoU']:.2f}")
    assert result["recall"] == 1 and result["precision"] < 0.1

# %% [markdown]
# Recall is complete, precision is very low. Is the threshold of 0.6 simply too soft? Here is what happens if we raise it. (Thinning first and raising the threshold afterwards gives the same boxes, because NMS lets no box be dropped by one of lower score.)

# %% mystnb={"image": {"alt": "Recall against the number of boxes for rising thresholds. From 0.6 to 0.99 all twelve faces are found while boxes fall from about 350 to about 70. At 0.999 a face is lost, and there are still about three times as many boxes as faces."}}
thresholds = [0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999]
points = np.array([[(sure >= t).sum().item(), measure(proposals[sure >= t], truth.boxes)["found"]] for t in thresholds])
fig, ax = plt.subplots(figsize=(7, 3.4))
ax.plot(*points.T, "o-")
for t, (count, found) in zip(thresholds, points, strict=True):
    ax.annotate(f"{t}", (count, found), (4, -14), textcoords="offset points", size=9)
ax.axvline(len(truth), color="grey", ls=":")
ax.set(
    xlim=(0, points[0, 0] * 1.08),
    ylim=(0, 12.8),
    xlabel="boxes (dotted: as many as there are faces)",
    ylabel="faces found, of 12",
)
assert points[0, 1] == 12 and points[-1, 1] < 12 and points[-1, 0] > 12
answered = sum(m.size for m in maps)
print(
    f"{answered:,} windows, {len(windows)} accepted, {len(proposals)} proposals: one of {answered / len(proposals):.0f} windows goes on"
)

# %% [markdown]
# No threshold gives full recall and high precision at once. By the time a face is lost there are still more boxes than faces. Twelve pixels hold too little to tell a face from a fold in a sleeve. But look at what was gained: nearly all windows are gone, and every face is still there. On so few a larger network is affordable. That is the **cascade**, and [lesson 02](02_cascade.ipynb) builds the rest of it.
#
# One question is left from above: would exact windows in place of equation 1.3 do better?

# %%
at_face = box_iou(boxes, true).amax(1) > 0.5  # K
scale = torch.tensor(scales)[level][:, None]  # K, 1
corner = 2 * cells.flip(1)
exact = torch.cat([corner, corner + 12], 1) / scale
offsets = (boxes - windows) / (windows[:, 2:] - windows[:, :2]).repeat(1, 2)  # equation 1.4 solved for them
for name, start in (("as used", windows), ("exact", exact)):
    end = box_tools.refine(start, offsets, corner_pixels=0)
    b, a = (box_iou(x[at_face], true).amax(1).mean() for x in (start, end))
    print(f"{name:8}: mean IoU with the face {b:.2f} before regression, {a:.2f} after")
    assert a - b > 0.1

# %% [markdown]
# Regression matters much more than the +1, and exact windows would even be a little better here. All the same we keep the arithmetic that was published with the weights: then our boxes can be compared with those of other programs, one by one, and lesson 02 does so.

# %% [markdown]
# ## Break it
#
# Four ways to spoil the detector, one at a time. None of them raises an error, which is what makes them worth knowing.
#
# **1. One scale only.** How many of the group does each level find alone?

# %% mystnb={"image": {"alt": "Bars of the number of faces found by each single level. The finest and the coarsest find none, the middle ones up to ten; all levels together find twelve."}}
alone = {}
for k in level.unique().tolist():  # levels that accept anything
    answer, _ = thin(*(part[level == k] for part in (level, cells, scores, windows, boxes)))
    alone[f"{12 / scales[k]:.0f} px"] = measure(answer, truth.boxes)["found"]
_, ax = plt.subplots(figsize=(7, 3.2))
_ = plot.bars(
    {**alone, "all levels": measure(proposals, truth.boxes)["found"]},
    "faces",
    "found by one level, named by its window",
    ax,
)
assert max(alone.values()) < 12
print(f"the best single level loses {12 - max(alone.values())} of 12 faces, the worst {12 - min(alone.values())}")

# %% [markdown]
# No level finds everybody. And which level is best depends on who is in the picture: it is not known beforehand.
#
# **2. Shrinking without the mean.** It is tempting to take every n-th pixel: `picture[::n, ::n]` is one line and quick. What happens to detail finer than n pixels? First a toy, stripes of period 3, then the astronaut at one level. We also shift the photo by a few pixels and watch the probability at the face, which should not care.


# %%
def stride_only(picture, size):
    """Pick one pixel for each output pixel and ignore the others."""
    rows, columns = (np.arange(n) * full // n for n, full in zip(size, picture.shape[:2], strict=True))
    return picture[rows][:, columns].astype(float)


stripes = np.tile([0, 0, 255], 20)[None, :, None].repeat(3, 2).repeat(3, 0)  # 3, 60, 3
for name, method in (("mean", shrink), ("striding", stride_only)):
    print(f"{name:9}", np.round(method(stripes, (1, 10))[0, :, 0]).astype(int))


def as_level(small):
    return torch.tensor(small).float().permute(2, 0, 1)[None]  # 1, 3, h, w


def best_at_face(method, shift, scale=12 / 112):
    """P-Net's best probability near the astronaut's face, in the photo shifted down and right."""
    small = method(np.roll(astronaut, (shift, shift), (0, 1)), (size, size))
    x, y = (((astronaut_truth[0, :2] + astronaut_truth[0, 2:]) / 2 + shift) * scale / 2 - 3).astype(int)  # cell
    return pnet(normalise(as_level(small)))[0][0, y - 2 : y + 4, x - 2 : x + 4].max()


size = int(512 * 12 / 112 + 1)
shifts = np.arange(16)
steady, jumpy = (np.array([best_at_face(method, s) for s in shifts]) for method in (shrink, stride_only))
assert np.ptp(jumpy) > 3 * np.ptp(steady)

# %% mystnb={"image": {"alt": "Left and middle: the astronaut's face at 55 pixels, smooth when shrunk by the mean, jagged and speckled when pixels are picked. Right: the probability at the face while the photo is shifted by 0 to 15 pixels; the mean keeps it near 1, striding makes it jump."}}
fig, axes = plt.subplots(1, 3, figsize=(9, 3), width_ratios=(1, 1, 1.4))
for ax, name, method in ((axes[0], "mean", shrink), (axes[1], "striding", stride_only)):
    plot.image(method(astronaut, (size, size)).astype(np.uint8)[:34, 8:42], name, ax)
axes[2].plot(shifts, steady, "o-", label="mean")
axes[2].plot(shifts, jumpy, "s-", label="striding")
axes[2].set(xlabel="photo shifted by (px)", title="probability at the face")
axes[2].legend()
for name, picture, s, faces, by_mean in (
    ("astronaut", astronaut, astronaut_scales, astronaut_truth, astronaut_proposals),
    ("group", group, scales, truth.boxes, proposals),
):
    picked = [as_level(stride_only(picture, small.shape[2:])) for small in pyramid(picture, s)]
    good, bad = measure(by_mean, faces)["IoU"], measure(thin(*candidates(picked, s))[0], faces)["IoU"]
    print(f"{name}: mean best IoU {good:.2f} by the mean, {bad:.2f} by striding")
    assert bad < good - 0.02

# %% [markdown]
# Of the stripes, a third bright, the mean makes an even grey of a third, while striding sees black only: it happened to step on the dark pixels each time. This is **aliasing**: detail finer than the step does not vanish but turns into something else, and what it turns into depends on where the sampling begins. For the detector the boxes get worse, and a shift of a few pixels, which means nothing, moves the score.
#
# **3. Wrong normalisation.** The weights expect (x - 127.5) / 128. Feed them 0..255, or 0..1, or swap red and blue.

# %% mystnb={"image": {"alt": "Heat maps of one level under four preparations of the input. Right: graded blobs at the faces. Values 0 to 255: only 0 or 1, at faces and at edges elsewhere. Values 0 to 1 and swapped colours: fewer and weaker blobs."}}
scalings = {"right": normalise, "0..255": lambda x: x, "0..1": lambda x: x / 255, "BGR": lambda x: normalise(x.flip(1))}
axes = plot.panels(4, 2, group.shape, width=8)
for ax, (name, scaling) in zip(axes.flat, scalings.items(), strict=True):
    k = 4
    plot.heat_map(pictures[k], pnet(scaling(levels[k]))[0][0].numpy(), f"level {k}, {name}", ax)
    answer, _ = thin(*candidates(levels, scales, scaling))
    result = measure(answer, truth.boxes)
    print(
        f"{name:6}: about {round(len(answer), -1)} boxes, {result['found']} of 12 faces, mean best IoU {result['IoU']:.1f}"
    )
    found, few = result["found"], len(answer) < len(proposals) / 2
    assert {"right": found == 12, "0..255": found < 6, "0..1": few, "BGR": few and found < 12}[name]

# %% [markdown]
# No error, no warning, and even a heat map that looks alive. With 0..255 the input is 128 times too large. The probabilities still light up at the faces, nearly all at 0 or 1, but the offsets grow with the input and the boxes fly away. With 0..1 the picture arrives with half its contrast and without its dark half: fewer than half of the boxes are left. Here they still cover every face, so a count of faces would not show the mistake. Swapped colours leave as few, and cost faces. If a detector works "a little", check what goes into it first.
#
# **4. Without NMS.** Nothing is lost if we keep every accepted window. But somebody has to look at them all.

# %%
on_face = (box_iou(boxes, true) >= 0.5).sum(0)  # boxes a face
print(
    f"without NMS {len(boxes)} boxes, with it {len(proposals)}: the next network would do {len(boxes) / len(proposals):.1f} times the work"
)
print(
    f"a face has up to {on_face.max()} boxes; precision falls from {12 / len(proposals):.3f} to {12 / len(boxes):.3f}"
)
assert measure(boxes, truth.boxes)["found"] == 12 and len(boxes) > 2 * len(proposals)

# %% [markdown]
# Recall is as before, and every face is reported many times. Whoever counts people in a picture needs NMS; whoever only asks whether there is a face does not.

# %% [markdown]
# ## Exercises

# %% [markdown]
# ### Exercise 1.1 · Size of the answer
#
# <span class="meta">★☆☆ · 5 minutes</span>
#
# Write `output_size(side)`: how many cells P-Net gives along a side of `side` pixels, 12 or more, even or odd.
#
# <details class="hint"><summary>Hint 1</summary>
#
# Follow the side through the layers: a 3 x 3 convolution without padding takes 2, the pooling halves, two more convolutions follow.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# The pooling rounds up. In whole numbers, half of n rounded up is `(n + 1) // 2`.
#
# </details>


# %% tags=["exercise"]
def output_size(side):
    return ...  # your code


# %% tags=["check"]
check.output_size(output_size)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def output_size(side):
#     side = side - 2  # first convolution
#     side = (side + 1) // 2  # pooling, rounded up
#     return side - 2 - 2  # two more convolutions
# ```
#
# Rounding up before or after subtracting whole numbers makes no difference, so this is equation 1.2.
#
# </details>

# %% [markdown]
# ### Exercise 1.2 · How many levels
#
# <span class="meta">★★☆ · 10 minutes</span>
#
# Write `count_levels(height, width, min_face, factor)` without a loop: the number of pyramid levels. A picture whose shorter side is below `min_face` has none.
#
# <details class="hint"><summary>Hint 1</summary>
#
# Level k exists as long as the shorter side, multiplied by 12 / min_face and k times by the factor, is at least 12. The two 12 cancel.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# Take logarithms and solve for k. The logarithm of the factor is negative, so dividing by it turns the inequality round. Count level 0 as well.
#
# </details>


# %% tags=["exercise"]
def count_levels(height, width, min_face, factor):
    return ...  # your code


# %% tags=["check"]
check.count_levels(count_levels)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def count_levels(height, width, min_face, factor):
#     shorter = min(height, width)
#     if shorter < min_face:
#         return 0
#     return 1 + int(np.log(min_face / shorter) / np.log(factor))
# ```
#
# `int` cuts a positive number to the whole number below, which is the largest k that satisfies the inequality.
#
# </details>

# %% [markdown]
# ### Exercise 1.3 · Every box against every box
#
# <span class="meta">★★☆ · 10 minutes</span>
#
# Write `iou_matrix(a, b)` for tensors (N, 4) and (M, 4), without a loop: the IoU of every pair, (N, M).
#
# <details class="hint"><summary>Hint 1</summary>
#
# `a[:, None]` has the shape (N, 1, 4) and `b[None]` the shape (1, M, 4). An operation on the two gives all N x M pairs.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# Clamp width and height at 0 before you multiply them, not the area afterwards: two negative sides have a positive product.
#
# </details>


# %% tags=["exercise"]
def iou_matrix(a, b):
    return ...  # your code


# %% tags=["check"]
check.iou_matrix(iou_matrix)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def iou_matrix(a, b):
#     corner = torch.maximum(a[:, None, :2], b[None, :, :2])  # N, M, 2
#     far = torch.minimum(a[:, None, 2:], b[None, :, 2:])  # N, M, 2
#     shared = (far - corner).clamp(min=0).prod(2)  # N, M
#     areas_a = (a[:, 2:] - a[:, :2]).prod(1)
#     areas_b = (b[:, 2:] - b[:, :2]).prod(1)
#     return shared / (areas_a[:, None] + areas_b[None] - shared)
# ```
#
# The lesson's `iou` is the row for a single box of `a`.
#
# </details>

# %% [markdown]
# ### Exercise 1.4 · Where to look
#
# <span class="meta">★★★ · 20 minutes</span>
#
# The way back: given a face's box (x1, y1, x2, y2) in the picture and the list of scales, return `(level, i, j)`, the cell whose exact window fits the face best. First choose the level whose window has the side closest to the face's (the square root of width times height), compared by ratio. Then choose the cell whose window has its middle closest to the box's middle. You need not care for the edges of the picture. Whoever trains a P-Net needs this to tell each cell what it should have said.
#
# <details class="hint"><summary>Hint 1</summary>
#
# A window of level k has the side 12 / scale. "Closest by ratio" means that the absolute value of the logarithm of the ratio is smallest.
#
# </details>
# <details class="hint"><summary>Hint 2</summary>
#
# In the shrunk picture the middle of cell (i, j)'s window is at x = 2j + 6, y = 2i + 6. Multiply the face's middle by the scale and solve for j and i, then round.
#
# </details>


# %% tags=["exercise"]
def where_to_look(box, scales):
    return ...  # your code: level, i, j


# %% tags=["check"]
check.where_to_look(where_to_look)

# %% [markdown] tags=["solution"]
# <details class="solution"><summary>Solution</summary>
#
# ```python
# def where_to_look(box, scales):
#     x1, y1, x2, y2 = box
#     side = np.sqrt((x2 - x1) * (y2 - y1))
#     level = int(np.argmin(np.abs(np.log(side * np.array(scales) / 12))))
#     x, y = (x1 + x2) / 2 * scales[level], (y1 + y2) / 2 * scales[level]  # in the shrunk picture
#     return level, round((y - 6) / 2), round((x - 6) / 2)
# ```
#
# Stride 2 leaves the window's middle at most one pixel of the shrunk picture away, which is a twelfth of the window. The offsets cover that.
#
# </details>

# %% [markdown]
# ## Quiz
#
# **Question 1.** P-Net is applied to a level with scale 0.3. How far apart, in pixels of the original picture, are the windows of neighbouring cells?
#
# <details class="quiz"><summary>A · 2 pixels, the stride of the network</summary>
#
# Wrong: the stride of 2 counts pixels of the shrunk picture, which is what the network sees.
#
# </details>
# <details class="quiz"><summary>B · 2 / 0.3, that is 6.7 pixels</summary>
#
# Right: a step of 2 pixels in the shrunk picture is 2 / 0.3 in the original. It grows with the window, and is always a sixth of its side.
#
# </details>
# <details class="quiz"><summary>C · 12 / 0.3, that is 40 pixels</summary>
#
# Wrong: that is the side of a window. If windows were that far apart they would not overlap, and most faces would be cut by a border.
#
# </details>
# <details class="quiz"><summary>D · 2 x 0.3, that is 0.6 pixels</summary>
#
# Wrong: to go back from the shrunk picture to the original one divides by the scale.
#
# </details>
#
# **Question 2.** You set `min_face` from 40 to 20. What happens to the time of P-Net?
#
# <details class="quiz"><summary>A · it doubles, because faces half as large are sought</summary>
#
# Wrong: the first level doubles in width and in height.
#
# </details>
# <details class="quiz"><summary>B · it hardly changes: only two levels are added to ten or so</summary>
#
# Wrong: levels do not cost alike. The two new ones are by far the largest.
#
# </details>
# <details class="quiz"><summary>C · it becomes about four times as long</summary>
#
# Right: the first level has four times the pixels, and the whole pyramid costs about twice its first level either way.
#
# </details>
#
# **Question 3.** Two people stand cheek to cheek, and their boxes have an IoU of 0.4. Which NMS threshold can lose one of them?
#
# <details class="quiz"><summary>A · 0.3</summary>
#
# Right: 0.4 exceeds 0.3, so the better box suppresses the other.
#
# </details>
# <details class="quiz"><summary>B · 0.5</summary>
#
# Wrong: a box is dropped only if its overlap exceeds the threshold. At 0.4 both stay.
#
# </details>
# <details class="quiz"><summary>C · 0.7</summary>
#
# Wrong: a higher threshold tolerates more overlap. It keeps more boxes, not fewer.
#
# </details>
#
# **Question 4.** Why not one large network, slid over all scales, in place of a tiny one with helpers?
#
# <details class="quiz"><summary>A · a large network would have a lower recall</summary>
#
# Wrong: a larger network with a larger window would recognise faces better, window by window.
#
# </details>
# <details class="quiz"><summary>B · almost all windows hold no face, and a tiny network can dismiss most of them</summary>
#
# Right: the cost is set by what runs everywhere. Spend little where there is nothing, and more on the few hundred candidates. Later detectors share the features of one larger network among all windows instead; the largest of them want a GPU.
#
# </details>
# <details class="quiz"><summary>C · a large network cannot be fully convolutional</summary>
#
# Wrong: any classifier of convolutions and a last dense layer can be slid, however large. It is a question of time only.
#
# </details>

# %% [markdown]
# ## Summary
#
# - A fully convolutional network is a small classifier slid over the picture, at the price of one pass. P-Net's window is 12, its stride 2, its output $\lceil (H-2)/2 \rceil - 4$ wide.
# - Cell (i, j) at scale $\sigma$ speaks for the window at $2j/\sigma$, $2i/\sigma$ of side $12/\sigma$. The published weights come with a +1, a rounding and a pooling in ceil mode that belong to them.
# - Offsets are fractions of the side, and make one good box of several shifted windows.
# - One scale finds faces of one size. A pyramid with factor $\sqrt{1/2}$ costs twice its first level, and that level is set by the smallest face sought. Shrink by the mean, never by striding.
# - NMS keeps the best of each bundle. What is left has every face in it, and many things that are none. [Lesson 02](02_cascade.ipynb) looks at them more closely.
