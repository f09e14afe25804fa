"""The commands, from ``facelib detect`` to ``facelib doctor``. Heavy imports wait inside them."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from .bench_cli import bench
from .cli_tools import INTERRUPTED, SHOWN, cores, printable
from .data_cli import catalog, list_, pack
from .errors import FaceLibError
from .evaluate_cli import evaluate
from .export_cli import export
from .folders.words import counted, once
from .identify_cli import identify
from .synth_cli import synth
from .train_cli import train

if TYPE_CHECKING:
    from .folders.align import Summary


class _Commands(click.Group):
    """Errors that are not the program's fault end in one line, not in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except FaceLibError as error:
            raise click.ClickException(printable(str(error))) from error
        except ImportError as error:
            raise click.ClickException(f"{error}; run `facelib doctor` to see what is missing") from error
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            sys.exit(INTERRUPTED)
        except OSError as error:
            if error.errno == errno.EPIPE:  # `| head` has seen enough, which click knows how to end
                raise
            raise click.ClickException(printable(_fault(error))) from error


def _fault(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{os.fsdecode(error.filename)}: {reason}" if isinstance(error.filename, (str, bytes)) else reason


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="facelib")
def main() -> None:
    """Face recognition, from a picture to a name.

    The commands follow the path of a face: detect finds it in a picture, align cuts it out so that eyes, nose and
    mouth always stand alike, list and pack make a data set ready for training, train makes a network of it, and
    evaluate says how well that network tells people apart, identify names the faces in new pictures, export writes
    the network for programs without PyTorch. synth renders people who do not exist. doctor looks at this machine
    and says what is missing, bench what things cost on it. Each explains itself:

    \b
        facelib detect --help
        facelib align --help
        facelib synth --help
        facelib doctor
    """


def _detector_options(command: Any) -> Any:
    for option in (
        click.option(
            "--device", default="cpu", show_default=True, help="Where the networks run: cpu, cuda, cuda:1, mps."
        ),
        click.option(
            "--thresholds",
            nargs=3,
            type=click.FloatRange(0, 1),
            default=(0.6, 0.7, 0.7),
            show_default=True,
            help="Probability a candidate needs to pass P-Net, R-Net and O-Net.",
        ),
        click.option(
            "--min-face",
            type=click.FloatRange(0, min_open=True),
            default=20,
            show_default=True,
            help="Smallest face to look for, in pixels. Twice the size takes about a quarter of the time.",
        ),
    ):
        command = option(command)
    return command


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=False), metavar="PATHS...")
@click.option("--out", type=click.Path(file_okay=False), help="Folder for the pictures with their faces drawn in.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, writable=True, allow_dash=True), metavar="FILE",
              help="One JSON object a picture, line by line; - is the screen.")  # fmt: skip
@_detector_options
@click.option(
    "--factor",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.709,
    show_default=True,
    help="Size of each level of the pyramid relative to the last.",
)
@click.option(
    "--batch", type=click.IntRange(1), default=1, show_default=True, help="Pictures at once; more suits a GPU."
)
@click.option("--quiet", is_flag=True, help="No progress bar and no closing line.")
def detect(paths: tuple[str, ...], out: str | None, json_file: str | None, quiet: bool, **options: Any) -> None:
    """Find the faces in pictures: boxes, scores and five landmarks.

    PATHS are pictures, folders (searched with all their subfolders) and patterns such as "*.jpg". Without --out or
    --json the faces are listed on the screen. A JSON line reads {"file", "width", "height", "faces": [{"box",
    "score", "landmarks"}]}, in pixels, or {"file", "error"} where a picture cannot be read. Drawn pictures keep
    the name of the folder given and the structure below it.

    \b
        facelib detect photo.jpg
        facelib detect photo.jpg holiday/ --out detected/ --json faces.jsonl
        facelib detect "scans/**/*.tif" --json - --min-face 40

    Ends with 0, with 1 if a picture could not be read, with 2 if a path does not exist, with 130 after Ctrl-C.
    """
    from .folders.detect import detect_files, find_pictures
    from .folders.progress import progress_bar

    try:
        pictures = find_pictures(paths, skip=out)
    except FileNotFoundError as error:
        raise click.BadParameter(str(error), param_hint="PATHS") from error
    with progress_bar(len(pictures), quiet or not (out or json_file)) as bar:  # a table shows its own progress
        totals = detect_files(pictures, out=out, json_file=json_file, progress=bar.update, **options)
    if not quiet:
        click.echo(totals.line(), err=True)
    for file, fault in totals.unreadable[:SHOWN]:
        click.echo(f"unreadable: {printable(once(file, fault))}", err=True)
    if len(totals.unreadable) > SHOWN:
        click.echo(f"... and {len(totals.unreadable) - SHOWN} more; --json FILE lists them all", err=True)
    sys.exit(1 if totals.unreadable else 0)


@main.command()
@click.argument("source", type=click.Path())
@click.argument("target", type=click.Path())
@click.option(
    "--size", type=click.IntRange(1, 4096), default=112, show_default=True, help="Side of the crops in pixels."
)
@click.option("--workers", type=click.IntRange(1), help="Processes. [default: one a CPU core; one on a GPU]")
@_detector_options
@click.option(
    "--choose",
    type=click.Choice(["centre", "largest", "all"]),
    default="centre",
    show_default=True,
    help="Which face of several: the most central for its size, the largest, or all of them (a_0, a_1).",
)
@click.option("--format", type=click.Choice(["jpg", "png"]), default="jpg", show_default=True, help="Of the crops.")
@click.option("--quality", type=click.IntRange(1, 100), default=95, show_default=True, help="Of jpg crops.")
@click.option("--batch", type=click.IntRange(1), help="Pictures at once in a process. [default: 1; 32 on a GPU]")
@click.option("--retry", is_flag=True, help="Try the failed pictures of earlier runs again, with a new report.")
@click.option("--report", type=click.Path(dir_okay=False), help="[default: TARGET/align_report.jsonl]")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def align(source: str, target: str, workers: int | None, batch: int | None, retry: bool, report: str | None,
          quiet: bool, **options: Any) -> None:  # fmt: skip
    """Align a data set: from a folder of pictures to a folder of crops with the same structure.

    Each picture gives one crop in which eyes, nose and mouth stand where ArcFace's template wants them. Of several
    faces the one is taken whose area minus twice its squared distance from the centre is greatest. A crop has its
    picture's name: n000002/0327_01.png becomes n000002/0327_01.jpg. Only where that name is not unique, as for
    a.jpg and a.png, both keep their extension: a.jpg.jpg and a.png.jpg.

    The run may be stopped at any moment and started again with the same command: what exists is skipped. Pictures
    without a crop are listed in a report with the reason (unreadable, no face, write failed, detector failed,
    worker died, timed out), counted, and not tried again unless you say --retry.

    \b
        facelib align VGGFace2/train VGGFace2/train_align
        facelib align photos crops --size 224 --workers 8 --choose largest

    Ends with 0 even if some pictures failed, with 1 if not one could be aligned or the run had to stop.
    """
    from .folders.align import AlignSettings, Summary, align_folder
    from .folders.progress import FolderProgress

    gpu = options["device"] != "cpu"
    settings, summary = AlignSettings(**options), Summary()
    show = FolderProgress(source, quiet)
    try:
        align_folder(
            source,
            target,
            settings,
            workers=workers or (1 if gpu else cores()),
            batch=batch or (32 if gpu else 1),
            retry=retry,
            report=report,
            summary=summary,
            progress=show,
        )
    except KeyboardInterrupt:
        show.close()
        _conclude(summary, target, report)
        click.echo("interrupted; the same command goes on from here", err=True)
        sys.exit(INTERRUPTED)
    except FaceLibError:
        show.close()
        if summary.pictures:
            _conclude(summary, target, report)
        raise
    show.close()
    _conclude(summary, target, report)
    if not summary.pictures:
        raise FaceLibError(f"{source}: holds no pictures ({counted(summary.others, 'other file')})")
    sys.exit(0 if summary.aligned + summary.present else 1)


def _conclude(summary: Summary, target: str, report: str | None) -> None:
    click.echo(printable(summary.line(report or os.path.join(target, "align_report.jsonl"))), err=True)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="The same as one JSON object.")
def doctor(as_json: bool) -> None:
    """Look at this machine: what is there, what is missing, which lessons will be slow.

    Shows Python, processor, memory, disk, torch and its devices, the installed packages against the versions that
    facelib needs, and the detector's weights; times the detector for half a second and works out from it how long
    the lessons will take here. For whatever is missing it prints the command that gets it.

    \b
        facelib doctor
        facelib doctor --json > machine.json

    Ends with 0 if the machine is fit for the course, with 1 if something needed is missing.
    """
    import json

    from .doctor import diagnose, render

    diagnosis = diagnose()
    click.echo(json.dumps(diagnosis, indent=2) if as_json else render(diagnosis))
    sys.exit(0 if diagnosis["healthy"] else 1)


main.add_command(catalog)
main.add_command(list_)
main.add_command(pack)
main.add_command(synth)
main.add_command(train)
main.add_command(evaluate)
main.add_command(identify)
main.add_command(export)
main.add_command(bench)


if __name__ == "__main__":
    main()
