"""The commands ``facelib list``, ``facelib pack`` and ``facelib catalog``. Heavy imports wait inside them.

This module stands outside facelib.data because importing that package imports numpy, for which help need not wait.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .cli_tools import INTERRUPTED, SHOWN, cores, printable
from .errors import FaceLibError
from .folders.words import counted, once

if TYPE_CHECKING:
    from .data.splits import Part


@click.command("list")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="List file for training.")
@click.option("--val", type=click.Path(dir_okay=False, path_type=Path), required=True, help="... for validation.")
@click.option(
    "--split",
    type=click.Choice(["pictures", "people"]),
    default="pictures",
    show_default=True,
    help="pictures: the same people in both. people: everybody is in one of the two.",
)
@click.option(
    "--val-share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Of each person's pictures, or of the people.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Which ones.")
@click.option("--min-images", type=click.IntRange(1), default=1, show_default=True, help="Leave out people with fewer.")
@click.option("--check", is_flag=True, help="Also read every picture: report the unreadable, and those there twice.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def list_(folder: Path, out: Path, val: Path, split: str, val_share: float, seed: int, min_images: int, check: bool,
          quiet: bool) -> None:  # fmt: skip
    """Make list files from a folder that holds a folder of pictures for each person.

    A line reads "n000002/0001_01.jpg 0": the path below FOLDER and the number of the person, from 0 in the order of
    the folders' names.

    Training with --train-list, --val-list and --num-classes needs the same people in both lists, for it is the
    class that validation asks for: that is --split pictures. With --split people nobody is in both lists and each
    has numbers of its own from 0; that is for verification on people never seen.

    Who goes where follows from the names and the seed alone. Nobody moves when people are added later, only the
    numbers do.

    \b
        facelib list VGGFace2/train_align --out data/train.txt --val data/val.txt
        facelib list crops --out train.txt --val val.txt --split people --val-share 0.1 --check

    Pictures whose names cannot stand in a list, for a line break in them, are named and left out. If one of the two
    lists cannot be written, the other is not either.

    Ends with 0, with 1 if the folder holds fewer than two people or one of the lists would be empty, with 130 after
    Ctrl-C.
    """
    if out.resolve() == val.resolve():
        raise click.UsageError(f"--out and --val are the same file, {out}; the second list would replace the first")
    from .data import split_folder
    from .data.lists import write_lists

    made = split_folder(folder, by=split, share=val_share, seed=seed, min_images=min_images)
    parts = {out: made.train, val: made.validation}
    try:
        write_lists({path: (part.names, part.labels) for path, part in parts.items()})
    except OSError as error:
        raise FaceLibError(f"{error.filename}: cannot be written ({error.strerror or error})") from error
    for path, part in parts.items():
        click.echo(f"{path}: {_counts(part)}", err=True)
    for name in made.unlistable[:SHOWN]:
        click.echo(f"left out: {printable(repr(name))}; rename the file", err=True)
    for what, count in sorted(made.left_out.items()):
        click.echo(f"left out, {what}: {count:,}", err=True)
    click.echo(f"for training: --num-classes {len(made.train.people)}", err=True)
    if check:
        _report(folder, quiet)


def _report(folder: Path, quiet: bool) -> None:
    from .data import FolderSource, inspect
    from .folders.progress import progress_bar

    source = FolderSource(folder)
    with progress_bar(len(source), quiet) as bar:
        found = inspect(source, workers=cores(), progress=bar.update)
    click.echo(printable(str(found)), err=True)


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--root", type=click.Path(file_okay=False, path_type=Path), help="Folder of a list file's pictures.")
@click.option("--workers", type=click.IntRange(1), help="Threads. [default: one a CPU core]")
@click.option("--verify", "check", is_flag=True, help="Read everything again and compare it with the checksums.")
@click.option("--retry", is_flag=True, help="Try again the pictures that an earlier run left out.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def pack(source: Path, out: Path, root: Path | None, workers: int | None, check: bool, retry: bool,
         quiet: bool) -> None:  # fmt: skip
    """Pack a data set into a few large files, from which training reads fast in any order.

    SOURCE is a list file (with --root), a folder with a folder of pictures for each person, or a .rec file. OUT is a
    new folder: Arrow files with the pictures' bytes as they are, their labels and names, and index.json with a
    checksum of each file.

    Every picture is decoded once. What cannot be read is left out, counted, and listed in index.json with the
    reason. The run may be stopped at any moment and started again with the same command: finished parts are kept.

    \b
        facelib pack data/train.txt packed/train --root VGGFace2/train_align
        facelib pack faces_emore/train.rec packed/ms1mv2
        facelib pack VGGFace2/train_align packed/all --verify

    Needs the package pyarrow: pip install "facelib[data]". Ends with 0, also if pictures were left out; with 1 if it
    had to stop, or a checksum is wrong.
    """
    from .data import open_source, verify
    from .data import pack as pack_source
    from .folders.progress import progress_bar

    opened = open_source(source, root)
    try:
        with progress_bar(len(opened), quiet) as bar:
            done = pack_source(opened, out, workers=workers or cores(), retry=retry, progress=bar.update)
    except KeyboardInterrupt:
        click.echo("interrupted; the same command goes on from here", err=True)
        sys.exit(INTERRUPTED)
    for name, reason in done.left_out[:SHOWN]:
        click.echo(printable(f"left out: {once(name, reason)}"), err=True)
    if len(done.left_out) > SHOWN:
        click.echo(f"... and {len(done.left_out) - SHOWN:,} more; {out / 'index.json'} lists them all", err=True)
    if check:
        with progress_bar(done.pictures, quiet) as bar:
            verify(out, bar.update)
    held = f"{counted(done.pictures, 'picture')} in {counted(len(done.parts), 'part')}"
    summary = f"{out}: {held}, {len(done.left_out):,} left out"
    click.echo(printable(summary + (", checksums right" if check else "")), err=True)


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="The same as JSON: one object, or a list of all.")
def catalog(name: str | None, as_json: bool) -> None:
    """What is known about the data sets of the field: sizes, layout, origin, terms.

    Without NAME a table of all; with it everything about one, and first of all whether it was withdrawn. Then come the
    commands that make a folder you already hold ready for training. Nothing is downloaded, ever.

    \b
        facelib catalog
        facelib catalog VGGFace2
        facelib catalog ms1mv3 --json

    Ends with 0, with 1 if there is no such name.
    """
    import json

    from .data.catalog import STATES, find_set, known_sets, table

    if as_json:
        found = find_set(name).describe() if name else [entry.describe() for entry in known_sets()]
        click.echo(json.dumps(found, indent=2))
    elif name:
        click.echo(str(find_set(name)))
    else:
        click.echo(table(known_sets()))
        click.echo("\n" + "\n".join(f"{state:10s} {meaning}" for state, meaning in STATES.items()))


def _counts(part: Part) -> str:
    return f"{counted(len(part.names), 'picture')} of {counted(len(set(part.labels)), 'person', 'people')}"
