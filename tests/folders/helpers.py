"""What the tests of folder-to-folder runs share."""

from __future__ import annotations

import itertools
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facelib
from facelib.folders import align
from facelib.samples import astronaut

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(facelib.__file__).parent.parent), "OMP_NUM_THREADS": "1"}
FACE = astronaut()[20:260, 80:320]
OWN = {"align_report.jsonl", "align_settings.json"}


def save(path: Path, image: np.ndarray | Image.Image = FACE, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)  # type: ignore[arg-type]


def crops(target: Path) -> dict[str, bytes]:
    """All files of a target but the run's own, by relative path."""
    found = {p.relative_to(target).as_posix(): p.read_bytes() for p in sorted(target.rglob("*")) if p.is_file()}
    return {name: data for name, data in found.items() if name not in OWN}


def report(target: Path) -> dict[str, str]:
    lines = [json.loads(line) for line in (target / "align_report.jsonl").read_text().splitlines()]
    assert len({line["file"] for line in lines}) == len(lines), "a file is reported twice"
    assert all(set(line) == {"file", "reason", "detail"} for line in lines)
    return {line["file"]: line["reason"] for line in lines}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "facelib.cli", "align", *map(str, arguments)]


def without_processes(patch: pytest.MonkeyPatch) -> None:
    """Run the handler in this process: everything but the processes themselves, in milliseconds."""

    def here(items, setup, *, workers, batch, seconds):  # type: ignore[no-untyped-def]
        handler, items = setup(), iter(items)
        while part := list(itertools.islice(items, batch)):
            yield from zip(part, handler(part), strict=True)

    patch.setattr(align, "work", here)
