"""The commands ``facelib synth preview`` and ``facelib synth export``. Heavy imports wait inside them.

This module stands outside facelib.synth because importing that package imports torch, for which help need not wait.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .cli_tools import INTERRUPTED
from .errors import FaceLibError

PRESETS = ("tiny", "mini", "standard")  # those of facelib.synth.dataset
SPLITS = ("train", "validation", "test")


@click.group()
def synth() -> None:
    """Synthetic people: faces that need no permission.

    Nobody in these pictures exists. They are rendered from a seed, the same on every machine.

    \b
        facelib synth preview people.png
        facelib synth export people/train_align --preset tiny
    """


@synth.command()
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--people", type=click.IntRange(1, 1000), default=20, show_default=True, help="Rows of the sheet.")
@click.option("--shots", type=click.IntRange(1, 100), default=8, show_default=True, help="Pictures of each person.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Which people.")
@click.option(
    "--hardness",
    type=click.FloatRange(0, 2),
    default=1,
    show_default=True,
    help="0 is a passport photo, 1 everyday pictures.",
)
def preview(target: Path, people: int, shots: int, seed: int, hardness: float) -> None:
    """Draw a contact sheet, one person a row, into TARGET (png or jpg).

    Ends with 0, with 1 if TARGET cannot be written.
    """
    from .folders.files import encode, write_atomically
    from .synth.export import contact_sheet

    sheet = contact_sheet(people, shots, seed, hardness)
    try:
        write_atomically(target, encode(sheet, target.suffix.lower() or ".png"))
    except OSError as error:
        file = error.filename or target
        raise FaceLibError(f"{file}: cannot be written ({error.strerror or error}); choose another TARGET") from error
    click.echo(f"wrote {target}: {people} people, {shots} pictures of each", err=True)


@synth.command()
@click.argument("target", type=click.Path(file_okay=False, path_type=Path))
@click.option("--preset", type=click.Choice(PRESETS), default="tiny", show_default=True, help="How many people.")
@click.option("--split", type=click.Choice(SPLITS), default="train", show_default=True, help="Other people in each.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Which people.")
@click.option("--quality", type=click.IntRange(1, 100), default=95, show_default=True, help="Of the JPEG files.")
@click.option("--list", "listing", type=click.Path(dir_okay=False, path_type=Path), help="[default: TARGET.txt]")
@click.option("--device", default="cpu", show_default=True, help="Where pictures are rendered: cpu, cuda, cuda:1.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def export(target: Path, preset: str, split: str, seed: int, quality: int, listing: Path | None, device: str,
           quiet: bool) -> None:  # fmt: skip
    """Write aligned pictures in the shape of VGGFace2: TARGET/n000000/0000_01.jpg, with a list file.

    The run may be stopped at any moment and started again with the same command: finished people are skipped. A
    folder holds one set: with another preset, split, seed or quality the command changes nothing, says what differs
    and ends with 1. Give each set a TARGET of its own.

    Each line of the list reads "n000000/0000_01.jpg 0", the path below TARGET and the label.

    \b
        facelib synth export people/train_align --preset mini
        facelib synth export people/test_align --preset mini --split test

    Ends with 0, with 1 if it had to stop, with 130 after Ctrl-C.
    """
    from .folders.progress import progress_bar
    from .synth.dataset import find_preset
    from .synth.export import export_folder

    chosen = find_preset(preset)
    try:
        with progress_bar(chosen.count(split) * chosen.shots, quiet) as bar:
            count = export_folder(target, preset, split, seed, quality, listing, device, bar.update)
    except KeyboardInterrupt:
        click.echo("interrupted; the same command goes on from here", err=True)
        sys.exit(INTERRUPTED)
    click.echo(f"{count} pictures of {chosen.count(split)} people in {target}", err=True)
