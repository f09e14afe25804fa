"""Measurements that take too long for a lesson, as the scripts in ``benchmarks/`` wrote them.

Each file names the script's settings and holds one row a run, so that a lesson computes its sentences and figures from
them and nobody types a number.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from ..errors import FaceLibError


def load(name: str) -> dict[str, Any]:
    """The record ``name``, of the script of that name in ``benchmarks/`` where nothing else is said.

    "export": the shipped network in 32, 16 and 8 bits. "factors": one thing moved at a time, groups under one
    threshold, attacks. "head_costs": time and memory of a step of the head, from ``benchmarks/results``. "learn":
    ten minutes of two cores. "margins": every margin on the same problem. "runs": training runs with their curves,
    which ``tools/runs.py`` gathers. "scaling": more people or more pictures of each. "search": a million faces,
    exact against an index. "transfer": what carries over to photographs. "weights": how good the weights are that
    the package carries.

    Raises
    ------
    FaceLibError
        There is no such record.
    """
    folder = resources.files(__package__)
    known = sorted(file.name[:-5] for file in folder.iterdir() if file.name.endswith(".json"))
    if name not in known:
        raise FaceLibError(f"there is no record {name!r}: choose {', '.join(known)}")
    return json.loads(folder.joinpath(f"{name}.json").read_text(encoding="utf-8"))
