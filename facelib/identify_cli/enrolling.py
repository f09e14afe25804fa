"""``facelib identify enrol``: from folders of pictures to a gallery with a threshold."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..cli_tools import SHOWN, printable
from ..errors import FaceLibError
from ..folders.words import counted
from .opening import (
    CONSENT,
    GALLERY,
    counts,
    existing,
    find,
    interruptible,
    load,
    looking_options,
    open_gallery,
    save,
    threshold_line,
)

if TYPE_CHECKING:
    from ..gallery import Gallery
    from ..gallery.pictures import Tally


@click.command(epilog=CONSENT)
@GALLERY
@click.argument("paths", nargs=-1, metavar="[FOLDER_OR_PICTURES]...")
@click.option("--name", help="All these pictures show this one person.")
@click.option("--quality/--no-quality", default=True, show_default=True, help="Weigh pictures by the detector's score.")
@click.option("--calibrate", type=click.FloatRange(0, 1, min_open=True, max_open=True), metavar="FAR",
              help="Set the threshold so that two different people pass for one at this rate.")  # fmt: skip
@click.option("--threshold", type=click.FloatRange(-1, 1), help="Set the threshold by hand: a cosine.")
@click.option("--index", type=click.Choice(["exact", "flat", "hnsw", "ivf"]),
              help="How to search; all but exact need FAISS.  [default: the gallery's, exact if new]")  # fmt: skip
@looking_options
@click.pass_context
def enrol(context: click.Context, gallery: Path, paths: tuple[str, ...], name: str | None, quality: bool,
          calibrate: float | None, threshold: float | None, index: str | None, **looking: Any) -> None:  # fmt: skip
    """Add people to a gallery, which is made if it is not there.

    A FOLDER holds a folder of pictures for each person, called as the person is. With --name all pictures, and all
    pictures in folders, are of one person. In each picture the face is taken that is most central for its size, as
    `facelib align` does. Pictures without a face, or unreadable, are named, counted and left out.

    Enrolling again adds: a picture that its person has already, by its path or number for number, is not taken twice.
    The file is saved every few hundred pictures, whole each time; after Ctrl-C the same command goes on.

    \b
        facelib identify enrol people.npz photos/ --model mobilefacenet-synth
        facelib identify enrol people.npz ada.jpg ada2.jpg --name "Ada Lovelace"
        facelib identify enrol people.npz crops/ --aligned --model face.onnx --mean 0.5 --std 0.5
        facelib identify enrol people.npz --calibrate 0.001

    --calibrate compares everybody's pictures with all other people; below 10 / FAR such comparisons it refuses, and
    the people are kept all the same. It does not move by itself when people come later: calibrate again.

    Ends with 0, also if pictures were left out; with 1 if not one could be used, or there is no threshold to be had;
    with 2 if a path does not exist; with 130 after Ctrl-C.
    """
    if calibrate is not None and threshold is not None:
        raise click.UsageError("--calibrate and --threshold both set the threshold; choose one")
    if not paths and (calibrate, threshold, index) == (None, None, None):
        raise click.UsageError("nothing to do; name a folder of people, or pictures with --name")
    if not paths:
        _set_only(existing(gallery), calibrate, threshold, index)
        return
    from ..gallery.pictures import enrol_all

    wanted, tally = _people_in(paths, name)
    _make_folder(Path(os.path.realpath(gallery)).parent)  # of a link, that of its target
    click.echo(CONSENT, err=True)
    with interruptible("what was added is saved, and the same command goes on from here"):
        opened, embed, look = open_gallery(context, gallery, looking)
        tally.before = len(opened)
        if index:
            _choose_index(opened, index)
        try:
            enrol_all(opened, wanted, embed, look, quality, looking["quiet"], tally, lambda: save(opened, gallery))
        finally:
            if len(opened):
                save(opened, gallery)
            _conclude(gallery, opened, tally)
        if not tally.added + tally.known:
            raise FaceLibError(f"{gallery}: nobody was enrolled, not one picture could be used")
        _set_threshold(opened, calibrate, threshold)
        if (calibrate, threshold) != (None, None):
            save(opened, gallery)
    click.echo(threshold_line(opened), err=True)


def _set_only(path: Path, calibrate: float | None, threshold: float | None, index: str | None) -> None:
    """Threshold and index of a gallery as it is."""
    opened = load(path)
    if index:
        _choose_index(opened, index)
    _set_threshold(opened, calibrate, threshold)
    save(opened, path)
    click.echo(threshold_line(opened), err=True)


def _people_in(paths: tuple[str, ...], name: str | None) -> tuple[dict[str, list[str]], Tally]:
    """Files of each person, in the order of folders and names."""
    from ..gallery.pictures import Tally, add_folder, one_spelling

    tally, wanted = Tally(), dict[str, list[str]]()
    if name is not None and paths:
        return {one_spelling(name): [picture.file for picture in find(paths, None)]}, tally
    for path in paths:
        if not os.path.lexists(path):
            raise click.BadParameter(
                f"{path}: no such folder; it is looked for from {os.getcwd()}", param_hint="FOLDER"
            )
        if not os.path.isdir(path):
            raise click.UsageError(f"{path}: one picture, and of whom? Add --name NAME, or give a folder of people")
        add_folder(path, wanted, tally)
    if paths and not any(wanted.values()):
        raise FaceLibError(
            f"{', '.join(paths)}: no folder of pictures for each person; if all pictures show one person, add --name"
        )
    return wanted, tally


def _make_folder(folder: Path) -> None:
    """Before hours of work, not after them."""
    from ..folders.files import make_folder

    try:
        make_folder(folder)
    except OSError as error:
        raise FaceLibError(f"{error.filename}: cannot be made ({error.strerror}); choose another place") from error
    if not os.access(folder, os.W_OK):
        raise FaceLibError(f"{folder}: cannot be written to; choose another place for the gallery")


def _choose_index(opened: Gallery, kind: str) -> None:
    from ..gallery.index import load_faiss, settings_of

    if kind != "exact":
        load_faiss()  # now, not at the first search
    if kind != opened.index:
        opened.index, opened.settings = kind, settings_of(kind, None)


def _set_threshold(opened: Gallery, calibrate: float | None, threshold: float | None) -> None:
    if calibrate is not None:
        try:
            opened.calibrate(calibrate)
        except FaceLibError as error:
            raise FaceLibError(f"--calibrate: {error}; the people are saved, the threshold is as before") from error
    if threshold is not None:
        opened.threshold, opened.calibration = threshold, None


def _conclude(path: Path, opened: Gallery, tally: Tally) -> None:
    for _, line in tally.skipped[:SHOWN]:
        click.echo(printable(f"left out: {line}"), err=True)
    if len(tally.skipped) > SHOWN:
        click.echo(f"... and {len(tally.skipped) - SHOWN:,} more", err=True)
    kinds = Counter(kind for kind, _ in tally.skipped)
    left_out = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
    added, new = counted(tally.added, "picture"), counted(len(opened) - tally.before, "person", "people")
    line = f"{added} added, {new} new, {tally.known:,} there already"
    click.echo(f"{line}, {len(tally.skipped):,} left out" + (f" ({left_out})" if left_out else ""), err=True)
    if len(opened):  # else nothing was saved
        click.echo(printable(counts(path, opened)), err=True)
