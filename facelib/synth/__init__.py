"""Synthetic people: faces that need no permission, rendered on the fly, with their truth.

``People(n, seed)`` is who; a ``Scene`` is everything that changes between two pictures of them; ``render_scene``
makes the pictures; ``load_dataset`` and ``make_pairs`` turn them into data to train on and to test with. What these
people can and cannot stand for is written in this folder's ``README.md``.
"""

from .dataset import PRESETS, SPLITS, Dataset, Preset, load_dataset
from .groups import Group, render_group
from .pairs import Pairs, make_pairs
from .people import People
from .render import Rendering, render_scene
from .sampling import sample_scene
from .scene import Scene
from .shots import Shots
from .stream import Batch, Stream
from .traits import Identities

__all__ = [
    "PRESETS",
    "SPLITS",
    "Batch",
    "Dataset",
    "Group",
    "Identities",
    "Pairs",
    "People",
    "Preset",
    "Rendering",
    "Scene",
    "Shots",
    "Stream",
    "load_dataset",
    "make_pairs",
    "render_group",
    "render_scene",
    "sample_scene",
]
