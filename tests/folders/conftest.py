"""Folders to align: one with every odd file, one with many pictures and what should become of them."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facelib.folders.align import align_folder
from facelib.samples import astronaut
from tests.folders.helpers import FACE, save, without_processes


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    without_processes(monkeypatch)


@pytest.fixture(scope="session")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every kind of file that data sets surprise with."""
    root = tmp_path_factory.mktemp("odd")
    picture = Image.fromarray(FACE)
    save(root / "plain.jpg", quality=95)
    save(root / "n1/grey.png", picture.convert("L"))
    save(root / "n1/cmyk.jpg", picture.convert("CMYK"), quality=95)
    save(root / "n1/deep.png", Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257))
    exif = Image.Exif()
    exif[0x0112] = 6  # lay on its side, to be turned clockwise
    save(root / "n2/rotated.jpg", picture.transpose(Image.Transpose.ROTATE_90), exif=exif, quality=95)
    blank = Image.new("RGB", picture.size)
    save(root / "n2/animated.gif", picture, save_all=True, append_images=[blank, blank])
    save(root / "n2/deeper/UPPER.JPG", quality=95)
    save(root / "wall.png", Image.new("RGB", (200, 150), "white"))
    save(root / "dot.png", Image.new("RGB", (1, 1)))
    (root / "empty.jpg").write_bytes(b"")
    (root / "n1/corrupt.jpg").write_bytes((root / "plain.jpg").read_bytes()[:3000])
    (root / "n1/text.png").write_text("this is no picture")
    (root / "n1/nowhere.jpg").symlink_to("gone.jpg")
    (root / "n1/again").symlink_to(root)  # a loop
    (root / "readme.txt").write_text("other file")
    save(root / ".hidden.jpg")
    save(root / ".cache/hidden.jpg")
    os.mkfifo(root / "n2/pipe.jpg")
    return root


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 different pictures with a face, and three without."""
    root = tmp_path_factory.mktemp("many")
    for k in range(60):
        save(root / f"n{k % 3}/{k:02d}.jpg", astronaut()[k % 10 : 200 + k, 90 + k // 4 : 300 + k // 4], quality=90)
    for k in range(3):
        save(root / f"n{k}/wall.jpg", np.full((60, 60, 3), 200, np.uint8))
    return root


@pytest.fixture(scope="session")
def undisturbed(many: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        without_processes(patch)
        summary = align_folder(many, target)
    assert (summary.aligned, summary.failed) == (60, Counter({"no face": 3}))
    return target
