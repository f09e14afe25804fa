"""``facelib identify search``: from pictures to names, as lines, as JSON and drawn in."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..cli_tools import printable
from ..errors import FaceLibError
from ..folders.words import once
from .opening import (
    CONSENT,
    GALLERY,
    existing,
    find,
    interruptible,
    looking_options,
    open_gallery,
    threshold_line,
)

if TYPE_CHECKING:
    from ..embedder import Embedder
    from ..folders.detect import Found
    from ..gallery import Gallery
    from ..gallery.pictures import Look, Seen


@click.command(epilog=CONSENT)
@GALLERY
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURES...")
@click.option("-k", "best", type=click.IntRange(1), default=5, show_default=True, help="Candidates a face.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, writable=True, allow_dash=True), metavar="FILE",
              help="One JSON object a picture, line by line; - is the screen.")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False), help="Folder for the pictures with boxes and names drawn in.")
@looking_options
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
    found = find(pictures, out)
    with interruptible("the lines so far are right"):
        opened, embed, look = open_gallery(context, existing(gallery), looking)
        if not len(opened):
            raise FaceLibError(f"{gallery}: nobody is enrolled; `facelib identify enrol` adds people")
        if opened.threshold is None:
            click.echo(threshold_line(opened), err=True)
        unreadable = _search_all(opened, found, embed, look, best, json_file, out, looking["quiet"])
    sys.exit(1 if unreadable else 0)


def _search_all(opened: Gallery, found: list[Found], embed: Embedder, look: Look, best: int, json_file: str | None,
                out: str | None, quiet: bool) -> int:  # fmt: skip
    """Write everything, a picture after the other; returns how many could not be read."""
    from ..folders.detect import Places, json_lines
    from ..folders.progress import progress_bar
    from ..gallery.pictures import name_faces, record

    places, unreadable = Places(), 0
    # Lines on a screen show their own progress.
    with json_lines(json_file) as lines, progress_bar(len(found), quiet or sys.stdout.isatty()) as bar:
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
    from ..draw import draw_faces, write_label
    from ..folders.files import encode, write_atomically

    assert seen.image is not None
    drawn = draw_faces(seen.image, seen.faces, scores=False)
    for number, face in enumerate(named, 1):
        name = face["name"] or "unknown"
        if undecided and face["candidates"]:
            name = f"{face['candidates'][0]['name']}?"
        corner = (round(face["box"][0]), round(face["box"][1]))
        write_label(drawn, _letters(name) or f"face {number}", corner, max(1, round(max(drawn.shape[:2]) / 400)))
    try:
        write_atomically(path, encode(drawn, path.suffix.lower()))
    except OSError as error:
        where = error.filename or path
        raise FaceLibError(f"{where}: cannot be written ({error.strerror}); check --out and the space there") from error


def _letters(name: str) -> str:
    """What OpenCV's font can surely write: ASCII, so accents are dropped; "" of a name in other letters."""
    text = "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    return text if text.isascii() else ""
