"""What the tests of teaching share: generators, a picture with a face, samples."""

import numpy as np
import torch

from facelib import Faces
from facelib.detect.training_samples import Samples


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def picture(size=96, box=(30.0, 24, 66, 72)):
    """A bright ellipse with dark eyes and mouth on a noisy ground: enough of a face for a few steps."""
    noise = np.random.default_rng(7).integers(60, 120, (size, size, 3))
    y, x = np.mgrid[:size, :size] + 0.5
    u, v = (x - box[0]) / (box[2] - box[0]), (y - box[1]) / (box[3] - box[1])
    image = np.where((np.hypot(u - 0.5, v - 0.5) < 0.5)[..., None], 210, noise)
    points = np.array([[0.3, 0.35], [0.7, 0.35], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
    for a, b in points[[0, 1, 3, 4]]:
        image = np.where((np.hypot(u - a, v - b) < 0.1)[..., None], 20, image)
    landmarks = points * (box[2] - box[0], box[3] - box[1]) + box[:2]
    return image.astype(np.uint8), Faces(np.array([box]), np.ones(1), landmarks[None])


def some_samples(count=40, seed=0):
    g = seeded(seed)
    return Samples(
        torch.randint(0, 256, (count, 3, 12, 12), generator=g, dtype=torch.uint8),
        torch.arange(count) % 4,
        torch.randn(count, 4, generator=g),
        torch.randn(count, 5, 2, generator=g),
    )
