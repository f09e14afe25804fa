"""What the commands of ``facelib identify`` share: the gallery, its network, and what is said of them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..cli_tools import INTERRUPTED
from ..errors import FaceLibError
from ..folders.words import counted
from ..model_cli import open_model, wanted, wants_options

if TYPE_CHECKING:
    from ..embedder import Embedder
    from ..folders.detect import Found
    from ..gallery import Gallery
    from ..gallery.pictures import Look

CONSENT = (
    "Faces of real people are biometric data: enrol only those who agreed, and read the book's page on data"
    " (book/data.md) first."
)
GALLERY = click.argument("gallery", type=click.Path(dir_okay=False, path_type=Path))


def looking_options(command: Any) -> Any:
    """What ``facelib evaluate`` asks too, and how pictures are looked at."""
    for option in reversed((
        click.option("--model", help="Network.  [default: the gallery's, if it is known by name]"),
        wants_options,
        click.option("--aligned", is_flag=True, help="The pictures are crops of `facelib align`: detect nothing."),
        click.option("--min-face", type=click.FloatRange(0, min_open=True), default=20, show_default=True,
                     help="Smallest face to look for in photographs, in pixels."),
        click.option("--device", default="cpu", show_default=True,
                     help="cpu, cuda, cuda:1, mps; ONNX stays on the CPU."),
        click.option("--quiet", is_flag=True, help="No progress bar."),
    )):  # fmt: skip
        command = option(command)
    return command


def open_gallery(context: click.Context, path: Path, looking: dict[str, Any]) -> tuple[Gallery, Embedder, Look]:
    """The gallery, or a new one, the network that it was made with, and what finds faces for that network."""
    from ..embedder import SHIPPED
    from ..gallery import Gallery
    from ..gallery.pictures import Look

    model, opened = looking["model"], load(path) if path.exists() else None
    if model is None and opened is not None:
        if opened.embedder not in (*SHIPPED, "hog"):
            raise click.UsageError(f"{path}: made with {opened.embedder!r}, a file of yours; name it with --model")
        model = opened.embedder
    if model is None:
        raise click.UsageError(f"{path}: is new; say which network it is for, such as --model {SHIPPED[0]}")
    embed = open_model(model, wanted(context, model, looking), looking["device"])[0]
    if opened is not None:
        _check(path, opened, embed)
    look = Look(embed.preprocess.size, looking["aligned"], looking["min_face"], looking["device"])
    return Gallery(embed) if opened is None else opened, embed, look


def _check(path: Path, opened: Gallery, embed: Embedder) -> None:
    """Wherever a gallery meets a network, also one that it named itself: a file of that name may be another."""
    import numpy as np

    side = embed.preprocess.size
    try:
        opened.check(embed)
        opened.check(size=embed(np.empty((0, side, side, 3), np.uint8)).shape[1])
    except FaceLibError as error:
        raise FaceLibError(f"{path}: {error}") from error


def find(paths: tuple[str, ...], skip: str | None) -> list[Found]:
    from ..folders.detect import find_pictures

    try:
        return find_pictures(paths, skip=skip)
    except FileNotFoundError as error:
        raise click.BadParameter(str(error), param_hint="PICTURES") from error


def existing(path: Path) -> Path:
    if not path.exists():
        raise click.BadParameter(
            f"{path}: no such file, looked for from {os.getcwd()}; `facelib identify enrol` makes one",
            param_hint="GALLERY",
        )
    return path


def load(path: Path) -> Gallery:
    from ..gallery import Gallery

    return Gallery.load(path)


def save(opened: Gallery, path: Path) -> None:
    try:
        opened.save(path)
    except OSError as error:
        raise FaceLibError(f"{path}: cannot be written ({error.strerror}); check the space and permissions") from error


@contextlib.contextmanager
def interruptible(consolation: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"interrupted; {consolation}", err=True)
        sys.exit(INTERRUPTED)


def counts(path: Path, opened: Gallery) -> str:
    pictures = sum(person.pictures for person in opened.people())
    return f"{path}: {counted(len(opened), 'person', 'people')}, {counted(pictures, 'picture')}"


def threshold_line(opened: Gallery) -> str:
    if opened.threshold is None:
        return (
            "no threshold is set, so nobody is named and candidates are only shown; `facelib identify enrol GALLERY"
            " --calibrate FAR`, or --threshold, sets one"
        )
    if opened.calibration is None:
        return f"threshold {opened.threshold:.4f}, set by hand"
    wrong = opened.calibration.false_positives(len(opened))
    return f"{opened.calibration}; a stranger is taken for one of {len(opened):,} people about {wrong:.2g} of the time"
