"""The commands ``facelib identify enrol | search | list | remove``. Heavy imports wait inside them."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from .cli_tools import INTERRUPTED, SHOWN, printable
from .errors import FaceLibError
from .evaluate_cli import WANTS, open_model
from .train_cli import Numbers

if TYPE_CHECKING:
    from .embedder import Embedder
    from .folders.detect import Found
    from .gallery import Gallery
    from .gallery.pictures import Look, Seen, Tally

CONSENT = (
    "Faces of real people are biometric data: enrol only those who agreed, and read the book's page on data"
    " (book/data.md) first."
)
GALLERY = click.argument("gallery", type=click.Path(dir_okay=False, path_type=Path))


@click.group(epilog=CONSENT)
def identify() -> None:
    """Whose face is this? Enrol people once, then look for them in new pictures.

    A gallery is one file: names, an embedding for each picture, and the threshold above which a face is known.

    \b
        facelib identify enrol people.npz photos/ --model mobilefacenet-synth --calibrate 0.01
        facelib identify search people.npz party.jpg
        facelib identify list people.npz
        facelib identify remove people.npz Ada
    """


def _model_options(command: Any) -> Any:
    """What ``facelib evaluate`` asks too, and how pictures are looked at."""
    for option in reversed((
        click.option("--model", help="Network.  [default: the gallery's, if it is known by name]"),
        click.option("--size", type=click.IntRange(16), default=112, show_default=True,
                     help="Side of an ONNX net's input."),
        click.option("--colour", type=click.Choice(["RGB", "BGR"]), default="RGB", show_default=True,
                     help="Its channels."),
        click.option("--mean", type=Numbers(), help="What it wants taken from pixels / 255: 0.5, or three numbers."),
        click.option("--std", type=Numbers(), help="What it wants them divided by then: 0.5, or three numbers."),
        click.option("--aligned", is_flag=True, help="The pictures are crops of `facelib align`: detect nothing."),
        click.option("--min-face", type=click.FloatRange(0, min_open=True), default=20, show_default=True,
                     help="Smallest face to look for in photographs, in pixels."),
        click.option("--device", default="cpu", show_default=True,
                     help="cpu, cuda, cuda:1, mps; ONNX stays on the CPU."),
        click.option("--quiet", is_flag=True, help="No progress bar."),
    )):  # fmt: skip
        command = option(command)
    return command


@identify.command(epilog=CONSENT)
@GALLERY
@click.argument("paths", nargs=-1, metavar="[FOLDER_OR_PICTURES]...")
@click.option("--name", help="All these pictures show this one person.")
@click.option("--quality/--no-quality", default=True, show_default=True, help="Weigh pictures by the detector's score.")
@click.option("--calibrate", type=click.FloatRange(0, 1, min_open=True, max_open=True), metavar="FAR",
              help="Set the threshold so that two different people pass for one at this rate.")  # fmt: skip
@click.option("--threshold", type=click.FloatRange(-1, 1), help="Set the threshold by hand: a cosine.")
@click.option("--index", type=click.Choice(["exact", "flat", "hnsw", "ivf"]),
              help="How to search; all but exact need FAISS.  [default: the gallery's, exact if new]")  # fmt: skip
@_model_options
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
        _set_only(_needed(gallery), calibrate, threshold, index)
        return
    from .gallery.pictures import enrol_all

    wanted, tally = _people_in(paths, name)
    _make_folder(gallery.parent)
    click.echo(CONSENT, err=True)
    with _interruptible("what is done is saved, and the same command goes on from here"):
        opened, embed, look = _open(context, gallery, looking)
        tally.before = len(opened)
        if index:
            _choose_index(opened, index)
        try:
            enrol_all(opened, wanted, embed, look, quality, looking["quiet"], tally, lambda: _save(opened, gallery))
        finally:
            if len(opened):
                _save(opened, gallery)
            _conclude(gallery, opened, tally)
        if not tally.added + tally.known:
            raise FaceLibError(f"{gallery}: nobody was enrolled, not one picture could be used")
        _set_threshold(opened, calibrate, threshold)
        if (calibrate, threshold) != (None, None):
            _save(opened, gallery)
    click.echo(_threshold_of(opened), err=True)


def _set_only(path: Path, calibrate: float | None, threshold: float | None, index: str | None) -> None:
    """Threshold and index of a gallery as it is."""
    opened = _load(path)
    if index:
        _choose_index(opened, index)
    _set_threshold(opened, calibrate, threshold)
    _save(opened, path)
    click.echo(_threshold_of(opened), err=True)


@identify.command(epilog=CONSENT)
@GALLERY
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURES...")
@click.option("-k", "best", type=click.IntRange(1), default=5, show_default=True, help="Candidates a face.")
@click.option("--json", "json_file", metavar="FILE", help="One JSON object a picture, line by line; - is the screen.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder for the pictures with boxes and names drawn in.")
@_model_options
@click.pass_context
def search(context: click.Context, gallery: Path, pictures: tuple[str, ...], best: int, json_file: str | None,
           out: str | None, **looking: Any) -> None:  # fmt: skip
    """Name every face in pictures, or say that it is unknown.

    PICTURES are files, folders (searched with all their subfolders) and patterns such as "*.jpg". A line a face: the
    file, the box, the name, and the people who are most like it with their cosines. A face is "unknown" if none is
    above the gallery's threshold; without a threshold nobody is named, and the candidates are yours to judge. A JSON
    line reads {"file", "width", "height", "faces": [{"name", "box", "score", "candidates"}]}, or {"file", "error"};
    the name of an unknown is null, and so is the detector's score of a crop.

    \b
        facelib identify search people.npz party.jpg
        facelib identify search people.npz holiday/ --out named/ --json faces.jsonl
        facelib identify search people.npz "crops/*.png" --aligned -k 1

    Ends with 0, with 1 if a picture could not be read, with 2 if a path does not exist, with 130 after Ctrl-C.
    """
    found = _find(pictures, out)
    with _interruptible("the lines so far are right"):
        opened, embed, look = _open(context, _needed(gallery), looking)
        if not len(opened):
            raise FaceLibError(f"{gallery}: nobody is enrolled; `facelib identify enrol` adds people")
        if opened.threshold is None:
            click.echo(_threshold_of(opened), err=True)
        unreadable = _search_all(opened, found, embed, look, best, json_file, out, looking["quiet"])
    sys.exit(1 if unreadable else 0)


@identify.command("list")
@GALLERY
@click.option("--json", "as_json", is_flag=True, help="The same as one JSON object, with the files of each picture.")
def list_(gallery: Path, as_json: bool) -> None:
    """Who is in a gallery: people, pictures, network, and where the threshold comes from.

    \b
        facelib identify list people.npz
        facelib identify list people.npz --json > people.json

    Ends with 0, with 1 if the file is no gallery, with 2 if it does not exist.
    """
    opened = _load(_needed(gallery))
    people = opened.people()
    if as_json:
        about = {"file": str(gallery), "embedder": opened.embedder, "index": opened.index, "settings": opened.settings,
                 "threshold": opened.threshold, "calibration": opened.calibration and asdict(opened.calibration),
                 "people": [asdict(person) for person in people]}  # fmt: skip
        click.echo(json.dumps(about, indent=2))
        return
    for person in people:
        click.echo(printable(f"{person.pictures:6,}  {person.name}"))
    click.echo(printable(_counts(gallery, opened)))
    click.echo(printable(f"embedder {opened.embedder}, index {opened.index}"))
    click.echo(_threshold_of(opened))


@identify.command()
@GALLERY
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def remove(gallery: Path, names: tuple[str, ...]) -> None:
    """Forget people, with all their pictures. If one name is not there, nobody is removed.

    \b
        facelib identify remove people.npz Ada
        facelib identify remove people.npz "Ada Lovelace" "Grace Hopper"

    Ends with 0, with 1 if somebody is not enrolled, with 2 if the file does not exist.
    """
    import difflib

    from .gallery.pictures import one_spelling

    opened = _load(_needed(gallery))
    going = [name if name in opened else one_spelling(name) for name in dict.fromkeys(names)]
    unknown = []
    for name in going:
        if name not in opened:
            close = difflib.get_close_matches(name, opened.names, 1)
            unknown.append(f"{name!r} is not enrolled" + (f"; did you mean {close[0]!r}?" if close else ""))
    if unknown:
        raise FaceLibError(f"{gallery}: nobody was removed: {'; '.join(unknown)}")
    for name in dict.fromkeys(going):
        opened.remove(name)
    _save(opened, gallery)
    click.echo(printable(_counts(gallery, opened)), err=True)


def _open(context: click.Context, path: Path, looking: dict[str, Any]) -> tuple[Gallery, Embedder, Look]:
    """The gallery, or a new one, the network that it was made with, and what finds faces for that network."""
    import numpy as np

    from .embedder import SHIPPED
    from .gallery import Gallery
    from .gallery.pictures import Look

    model, there, opened = looking["model"], path.exists(), None
    if model is None and there:
        opened = _load(path)
        if opened.embedder not in (*SHIPPED, "hog"):
            raise click.UsageError(f"{path}: made with {opened.embedder!r}, a file of yours; name it with --model")
        model = opened.embedder
    if model is None:
        raise click.UsageError(f"{path}: is new; say which network it is for, such as --model {SHIPPED[0]}")
    for name in WANTS:
        stated = context.get_parameter_source(name) is not ParameterSource.DEFAULT
        if stated and not model.endswith(".onnx"):
            raise click.BadParameter(f"is for .onnx files; {model} says itself what it wants", param_hint=f"--{name}")
    embed = open_model(model, {name: looking[name] for name in WANTS}, looking["device"])[0]
    side = embed.preprocess.size
    if opened is None and there:
        opened = _load(path, embedder=embed, size=embed(np.empty((0, side, side, 3), np.uint8)).shape[1])
    look = Look(side, looking["aligned"], looking["min_face"], looking["device"])
    return Gallery(embed) if opened is None else opened, embed, look


def _people_in(paths: tuple[str, ...], name: str | None) -> tuple[dict[str, list[str]], Tally]:
    """Files of each person, in the order of folders and names."""
    from .gallery.pictures import Tally, add_folder, one_spelling

    tally, wanted = Tally(), dict[str, list[str]]()
    if name is not None and paths:
        return {one_spelling(name): [picture.file for picture in _find(paths, None)]}, tally
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


def _conclude(path: Path, opened: Gallery, tally: Tally) -> None:
    for _, line in tally.skipped[:SHOWN]:
        click.echo(printable(f"left out: {line}"), err=True)
    if len(tally.skipped) > SHOWN:
        click.echo(f"... and {len(tally.skipped) - SHOWN:,} more", err=True)
    kinds = Counter(kind for kind, _ in tally.skipped)
    left_out = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
    line = f"{tally.added:,} pictures added, {len(opened) - tally.before:,} people new, {tally.known:,} there already"
    click.echo(f"{line}, {len(tally.skipped):,} left out" + (f" ({left_out})" if left_out else ""), err=True)
    click.echo(printable(_counts(path, opened)), err=True)


def _search_all(opened: Gallery, found: list[Found], embed: Embedder, look: Look, best: int, json_file: str | None,
                out: str | None, quiet: bool) -> int:  # fmt: skip
    """Write everything, a picture after the other; returns how many could not be read."""
    from .folders.detect import _Places
    from .folders.progress import progress_bar
    from .gallery.pictures import name_faces, record

    places, unreadable = _Places(), 0
    # Lines on a screen show their own progress.
    with _json_lines(json_file) as lines, progress_bar(len(found), quiet or sys.stdout.isatty()) as bar:
        for picture, seen in zip(found, look([picture.file for picture in found], central=False), strict=True):
            named = name_faces(opened, embed, seen, best, look.aligned)
            unreadable += bool(seen.fault)
            if lines is not None:
                lines.write(json.dumps(record(seen, named)) + "\n")
                lines.flush()
            if json_file != "-":
                for line in _table(seen, named, opened.threshold is None):
                    click.echo(printable(line))
            if out is not None and seen.image is not None:
                _draw(Path(out) / places.take(picture.place), seen, named, opened.threshold is None)
            bar.update(1)
    return unreadable


def _table(seen: Seen, named: list[dict[str, Any]], undecided: bool) -> Iterator[str]:
    from .gallery.pictures import once

    if seen.fault:
        yield f"unreadable: {once(seen.file, seen.fault)}"
    elif not named:
        yield f"{seen.file}  no face"
    for face in named:
        corners = ",".join(f"{corner:.0f}" for corner in face["box"])
        listed = ", ".join(f"{each['name']} {each['score']:.4f}" for each in face["candidates"])
        name = face["name"] or ("?" if undecided else "unknown")
        yield f"{seen.file}  {corners}  {name}" + (f"  ({listed})" if listed else "")


def _draw(path: Path, seen: Seen, named: list[dict[str, Any]], undecided: bool) -> None:
    """Boxes and landmarks as `facelib detect` draws them, with names for scores."""
    from .draw import _write, draw_faces
    from .folders.files import encode, write_atomically

    assert seen.image is not None
    drawn = draw_faces(seen.image, seen.faces, scores=False)
    for number, face in enumerate(named, 1):
        name = face["name"] or "unknown"
        if undecided and face["candidates"]:
            name = f"{face['candidates'][0]['name']}?"
        corner = (round(face["box"][0]), round(face["box"][1]))
        _write(drawn, _letters(name) or f"face {number}", corner, max(1, round(max(drawn.shape[:2]) / 400)))
    try:
        write_atomically(path, encode(drawn, path.suffix.lower()))
    except OSError as error:
        raise FaceLibError(f"{path}: cannot be written ({error.strerror}); check --out and the space there") from error


def _letters(name: str) -> str:
    """What OpenCV's font can surely write: ASCII, so accents are dropped; "" of a name in other letters."""
    text = "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    return text if text.isascii() else ""


def _json_lines(json_file: str | None) -> Any:
    """A context with the file to write to, or None."""
    if json_file is None:
        return contextlib.nullcontext()
    try:
        Path(json_file).parent.mkdir(parents=True, exist_ok=True)
        opened: IO[str] = click.open_file(json_file, "w", encoding="utf-8")
    except OSError as error:
        raise FaceLibError(f"{json_file}: cannot be written ({error.strerror}); choose another FILE") from error
    return opened


def _find(paths: tuple[str, ...], skip: str | None) -> list[Found]:
    from .folders.detect import find_pictures

    try:
        return find_pictures(paths, skip=skip)
    except FileNotFoundError as error:
        raise click.BadParameter(str(error), param_hint="PICTURES") from error


def _needed(path: Path) -> Path:
    if not path.exists():
        raise click.BadParameter(
            f"{path}: no such file, looked for from {os.getcwd()}; `facelib identify enrol` makes one",
            param_hint="GALLERY",
        )
    return path


def _load(path: Path, **expected: Any) -> Gallery:
    from .gallery import Gallery

    return Gallery.load(path, **expected)


def _make_folder(folder: Path) -> None:
    """Before hours of work, not after them."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FaceLibError(f"{folder}: cannot be made ({error.strerror}); choose another place") from error
    if not os.access(folder, os.W_OK):
        raise FaceLibError(f"{folder}: cannot be written to; choose another place for the gallery")


def _choose_index(opened: Gallery, kind: str) -> None:
    from .gallery.index import load_faiss, settings_of

    if kind != "exact":
        load_faiss()  # now, not at the first search
    if kind != opened.index:
        opened.index, opened.settings = kind, settings_of(kind, None)


@contextlib.contextmanager
def _interruptible(consolation: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"interrupted; {consolation}", err=True)
        sys.exit(INTERRUPTED)


def _set_threshold(opened: Gallery, calibrate: float | None, threshold: float | None) -> None:
    if calibrate is not None:
        try:
            opened.calibrate(calibrate)
        except FaceLibError as error:
            raise FaceLibError(f"--calibrate: {error}; the people are saved, the threshold is as before") from error
    if threshold is not None:
        opened.threshold, opened.calibration = threshold, None


def _save(opened: Gallery, path: Path) -> None:
    try:
        opened.save(path)
    except OSError as error:
        raise FaceLibError(f"{path}: cannot be written ({error.strerror}); check the space and permissions") from error


def _counts(path: Path, opened: Gallery) -> str:
    return f"{path}: {len(opened):,} people, {sum(person.pictures for person in opened.people()):,} pictures"


def _threshold_of(opened: Gallery) -> str:
    if opened.threshold is None:
        return (
            "no threshold is set, so nobody is named and candidates are only shown; `facelib identify enrol GALLERY"
            " --calibrate FAR`, or --threshold, sets one"
        )
    if opened.calibration is None:
        return f"threshold {opened.threshold:.4f}, set by hand"
    wrong = opened.calibration.false_positives(len(opened))
    return f"{opened.calibration}; a stranger is taken for one of {len(opened):,} people about {wrong:.2g} of the time"
