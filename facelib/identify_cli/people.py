"""``facelib identify list`` and ``remove``: who is in a gallery, and who no longer is."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from ..cli_tools import printable
from ..errors import FaceLibError
from .opening import GALLERY, counts, existing, load, save, threshold_line


@click.command("list")
@GALLERY
@click.option("--json", "as_json", is_flag=True, help="The same as one JSON object, with the files of each picture.")
def list_(gallery: Path, as_json: bool) -> None:
    """Who is in a gallery: people, pictures, network, and where the threshold comes from.

    \b
        facelib identify list people.npz
        facelib identify list people.npz --json > people.json

    Ends with 0, with 1 if the file is no gallery, with 2 if it does not exist.
    """
    opened = load(existing(gallery))
    people = opened.people()
    if as_json:
        about = {"file": str(gallery), "embedder": opened.embedder, "preprocess": opened.preprocess,
                 "index": opened.index, "settings": opened.settings, "threshold": opened.threshold,
                 "calibration": opened.calibration and asdict(opened.calibration),
                 "people": [asdict(person) for person in people]}  # fmt: skip
        click.echo(json.dumps(about, indent=2))
        return
    for person in people:
        click.echo(printable(f"{person.pictures:6,}  {person.name}"))
    click.echo(printable(counts(gallery, opened)))
    click.echo(printable(f"embedder {opened.embedder}, index {opened.index}"))
    click.echo(threshold_line(opened))


@click.command()
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

    from ..gallery.pictures import one_spelling

    opened = load(existing(gallery))
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
    save(opened, gallery)
    click.echo(printable(counts(gallery, opened)), err=True)
