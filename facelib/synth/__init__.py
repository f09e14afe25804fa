"""Synthetic people: faces that need no permission, rendered on the fly, with their truth.

``People(n, seed)`` is who; a ``Scene`` is everything that changes between two pictures of them; ``render_scene``
makes the pictures. What these people can and cannot stand for is written in this folder's ``README.md``.
"""

from .people import People
from .render import Rendering, render_scene
from .sampling import sample_scene
from .scene import Scene
from .shots import Shots
from .traits import Identities

__all__ = ["Identities", "People", "Rendering", "Scene", "Shots", "render_scene", "sample_scene"]
