"""The command ``facelib evaluate``. Heavy imports wait inside it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from .cli_tools import INTERRUPTED, printable
from .errors import FaceLibError
from .train_cli import Numbers

if TYPE_CHECKING:
    from .embedder import Embedder
    from .evaluate.judged import Matrix, Result

SETS = ("lfw", "agedb", "cfp_fp")
WANTS = ("size", "colour", "mean", "std")
OVERLAP = "if training and test share people, as VGGFace2 and LFW do, the figures are too good"


@click.command()
@click.argument("model")
@click.option("--lfw", metavar="PATH", help="Labeled Faces in the Wild.")
@click.option("--agedb", metavar="PATH", help="AgeDB-30: thirty years between the pictures.")
@click.option("--cfp-fp", metavar="PATH", help="CFP-FP: frontal faces and profiles.")
@click.option("--pairs", "others", multiple=True, metavar="NAME=PATH", help="Another set; may be given several times.")
@click.option("--flip/--no-flip", default=True, show_default=True, help="Add the embedding of the mirror image.")
@click.option("--ccrop", is_flag=True, help="Enlarge crops from 112 to 128 pixels and keep the middle 112.")
@click.option("--folds", type=click.IntRange(2), default=10, show_default=True, help="For sets without their own.")
@click.option("--far", type=Numbers(), default=(0.1, 0.01, 0.001), help="Rates of the TARs.  [default: 0.1,0.01,0.001]")
@click.option("--size", type=click.IntRange(16), default=112, show_default=True, help="Side of an ONNX net's input.")
@click.option("--colour", type=click.Choice(["RGB", "BGR"]), default="RGB", show_default=True, help="Its channels.")
@click.option("--mean", type=Numbers(), help="What it wants taken from pixels / 255: 0.5, or three numbers.")
@click.option("--std", type=Numbers(), help="What it wants them divided by then: 0.5, or three numbers.")
@click.option("--aligned", is_flag=True, help="Folders with pairs.txt hold crops already: detect nothing.")
@click.option("--min-face", type=click.FloatRange(0, min_open=True), default=40, show_default=True,
              help="Smallest face to look for in photographs, in pixels.")  # fmt: skip
@click.option("--matrix", metavar="SOURCE", help="Data set of the similarity matrix.  [default: each set's pictures]")
@click.option("--people", type=click.IntRange(2), default=20, show_default=True, help="People of the matrix.")
@click.option("--shots", type=click.IntRange(2), default=20, show_default=True, help="Pictures of each, at most.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, mps; ONNX stays on the CPU.")
@click.option("--batch", type=click.IntRange(1), default=64, show_default=True, help="Crops embedded at once.")
@click.option("--json", "json_file", metavar="FILE", help="All figures as JSON; - is the screen.")
@click.option("--report", type=click.Path(file_okay=False), help="Folder of a page with curves and the worst pairs.")
@click.option("--quiet", is_flag=True, help="No progress bars.")
@click.pass_context
def evaluate(context: click.Context, model: str, others: tuple[str, ...], json_file: str | None, report: str | None,
             far: tuple[float, ...], matrix: str | None, **options: Any) -> None:  # fmt: skip
    """How well does a network tell whether two pictures show one person?

    MODEL is a .safetensors file of `facelib train`, a name (mobilefacenet-synth was trained on rendered people; hog
    needs no training), or an .onnx file with --mean and --std. A PATH is one of these:

    \b
        lfw.bin            pairs as insightface publishes them
        lfw_align_112/lfw  a bcolz folder with lfw_list.npy beside it, or the folder above
        lfw/               photographs with pairs.txt or pairsDevTest.txt, as LFW comes
        synth:mini         people who do not exist; synth:mini-hard are harder pairs

    \b
        facelib evaluate mobilefacenet-synth --pairs synth:mini
        facelib evaluate weights.safetensors --lfw lfw.bin --agedb agedb_30.bin --cfp-fp cfp_fp.bin
        facelib evaluate weights.safetensors --lfw lfw.bin --no-flip --ccrop --far 0.1,0.01
        facelib evaluate face.onnx --mean 0.5 --std 0.5 --pairs mine=photos/pairs.txt --report out/ --json out.json

    Accuracy is the mean over folds, on each with the threshold that is best on all the others; the spread after +- is
    the standard deviation over folds. Intervals are of 95 %. A TAR is printed only where its FAR amounts to ten false
    accepts. Embeddings have length 1, so the distance of two is sqrt(2 - 2 cosine): it would rank the pairs alike,
    and thresholds are printed both ways.

    In photographs the face is taken that is most central for its size, and aligned. Where none is found, the middle
    square of half the picture's side is taken: to leave such pairs out would flatter. Pictures that cannot be read
    are left out with their pairs. Both are counted. `facelib align` makes crops once and for all; give them with
    --aligned.

    Ends with 0, with 1 if the model or a set cannot be used (the other sets are evaluated all the same), with 2 if a
    path does not exist, with 130 after Ctrl-C.
    """
    given = {name: options.pop(name) for name in SETS}
    sets = _sets(given, others)
    bad = [rate for rate in far if not 0 < rate < 1]
    if bad or not far:
        raise click.BadParameter("rates are fractions between 0 and 1, such as 0.01", param_hint="--far")
    wanted = {name: options.pop(name) for name in WANTS}
    for name in WANTS:
        stated = context.get_parameter_source(name) is not ParameterSource.DEFAULT
        if stated and not model.endswith(".onnx"):
            raise click.BadParameter(f"is for .onnx files; {model} says itself what it wants", param_hint=f"--{name}")
    try:
        _run(model, wanted, sets, far, matrix, json_file, report, **options)
    except KeyboardInterrupt:
        click.echo("interrupted; nothing was written", err=True)
        sys.exit(INTERRUPTED)


def _sets(given: dict[str, str | None], others: tuple[str, ...]) -> dict[str, str]:
    """Name -> path of each set, every path known to exist."""
    found = {name.replace("_", "-"): path for name, path in given.items() if path}
    for item in others:
        name, _, path = item.rpartition("=")
        name = name or (path if path.startswith("synth:") else Path(path).stem).replace(":", "-")
        if name in found:
            raise click.BadParameter(f"{name}: two sets have this name; use NAME=PATH", param_hint="--pairs")
        found[name] = path
    if not found:
        raise click.UsageError("no pairs to judge by; try --pairs synth:mini, or --lfw lfw.bin")
    for name, path in found.items():
        if not path.startswith("synth:") and not Path(path).exists():
            raise click.UsageError(f"{name}: {path}: no such file or folder; it is looked for from {Path.cwd()}")
    return found


def _run(model: str, wanted: dict[str, Any], sets: dict[str, str], far: tuple[float, ...], matrix: str | None,
         json_file: str | None, report: str | None, *, device: str, batch: int, folds: int, flip: bool, ccrop: bool,
         aligned: bool, min_face: float, people: int, shots: int, quiet: bool) -> None:  # fmt: skip
    from .evaluate.judged import judge, table
    from .evaluate.pictures import open_pairs

    _make_folders(Path(json_file).parent if json_file and json_file != "-" else None, Path(report) if report else None)
    embed, about = open_model(model, wanted, device)
    embed.BATCH = batch
    results: list[Result] = []
    faults: list[str] = []
    for name, path in sets.items():
        detecting, embedding = _Bar(f"{name}: detecting", quiet), _Bar(f"{name}: embedding", quiet)
        try:
            pairs = open_pairs(path, name, folds, embed.preprocess.size, aligned, detecting.start,
                               min_face=min_face, device=device)  # fmt: skip
            detecting.close()  # or the next bar would be drawn below it
            results.append(
                judge(pairs, embed, flip, ccrop, far, batch, people=people, shots=shots, progress=embedding.start)
            )
        except FaceLibError as error:  # the figures of the other sets are worth having
            faults.append(f"{name}: {error}")
        finally:
            detecting.close()
            embedding.close()
    square = None
    if matrix:
        try:
            square = _matrix(matrix, embed, flip, ccrop, batch, people, shots)
        except FaceLibError as error:
            faults.append(f"--matrix: {error}")
    about["settings"] = {"flip": flip, "ccrop": ccrop, "device": device, "batch": batch, "min face": min_face}
    about["failed"] = faults
    if results:
        click.echo(printable(table(results)), err=json_file == "-")
    for warning in about["warnings"]:
        click.echo(f"beware: {warning}", err=True)
    for result in results:
        for warning in result.warnings:
            click.echo(printable(f"{result.name}: {warning}"), err=True)
    for fault in faults:
        click.echo(printable(f"Error: {fault}"), err=True)
    _write(results, about, json_file, report, square)
    sys.exit(1 if faults else 0)


def _make_folders(*folders: Path | None) -> None:
    """Before hours of work, not after them."""
    for folder in folders:
        try:
            if folder:
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FaceLibError(f"{folder}: cannot be made ({error.strerror}); choose another folder") from error


def _write(results: list[Result], about: dict[str, Any], json_file: str | None, report: str | None,
           matrix: Matrix | None) -> None:  # fmt: skip
    if json_file:
        from .evaluate.judged import to_json
        from .folders.files import write_atomically

        text = to_json(results, about)
        if json_file == "-":
            click.echo(text, nl=False)
        else:
            try:
                write_atomically(Path(json_file), text.encode())
            except OSError as error:
                raise FaceLibError(f"{json_file}: cannot be written ({error.strerror}); choose another FILE") from error
    if report and results:
        from .evaluate.report import write_report

        click.echo(printable(str(write_report(report, results, about, matrix))), err=True)


def _matrix(source: str, embed: Embedder, flip: bool, ccrop: bool, batch: int, people: int, shots: int) -> Matrix:
    from .evaluate.judged import Matrix
    from .evaluate.pictures import embed_pictures, open_people

    crops, who = open_people(source, people, shots, embed.preprocess.size)
    return Matrix(embed_pictures(embed, crops, flip, ccrop, batch), who, source)


class _Bar:
    """A progress bar that is shown once it is known how much there is to do."""

    def __init__(self, title: str, quiet: bool) -> None:
        self.title, self.quiet = title, quiet
        self.bar: Any = None

    def start(self, total: int) -> Callable[[int], object]:
        from .folders.progress import progress_bar

        self.bar = progress_bar(total, self.quiet)
        self.bar.set_description(self.title)
        return self.bar.update

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def open_model(model: str, wanted: dict[str, Any], device: str = "cpu") -> tuple[Embedder, dict[str, Any]]:
    """The network to judge, and what a report says of it: "model", "preprocess", "versions", "warnings".

    ``wanted`` is what an ONNX file wants to see: size, colour, mean, std; of other models it is not looked at.
    """
    from .embedder import Embedder

    path = Path(model)
    about: dict[str, Any] = {"model": {"name": model}, "warnings": []}
    if path.suffix == ".onnx":
        embed = Embedder.load(path, _preprocess(path, wanted))
    else:
        embed = Embedder.load(model, device=device)
    if path.suffix in (".onnx", ".safetensors"):
        about["model"] = {"name": embed.name, **_described(path)}
        training = about["model"]["trained on"]
        if not training.startswith("synth:"):
            known = "what it was trained on is not known" if training == "unknown" else f"trained on {training}"
            about["warnings"].append(f"{known}; {OVERLAP}")
    about["preprocess"], about["versions"] = embed.preprocess.to_dict(), _versions()
    return embed, about


def _preprocess(path: Path, wanted: dict[str, Any]) -> Any:
    from .preprocess import Preprocess

    for name in ("mean", "std"):
        if wanted[name] is None:
            raise FaceLibError(
                f"{path}: an ONNX file does not say what its network wants to see, and a wrong guess costs accuracy"
                " without a word; pass --mean and --std, and --size and --colour if they are not 112 and RGB"
            )
        if len(wanted[name]) not in (1, 3):
            raise FaceLibError(f"--{name}: expected one number or three, got {len(wanted[name])}")
    three = {name: tuple(wanted[name]) * (3 // len(wanted[name])) for name in ("mean", "std")}
    try:
        return Preprocess(size=wanted["size"], colour=wanted["colour"], mean=three["mean"], std=three["std"])
    except ValueError as error:
        raise FaceLibError(f"--std: {error}") from error


def _described(path: Path) -> dict[str, Any]:
    """File, checksum, network, and what ``facelib train`` left beside it of the training."""
    import hashlib
    import json

    found: dict[str, Any] = {"file": str(path), "SHA-256": hashlib.sha256(path.read_bytes()).hexdigest()}
    if path.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(str(path), "pt") as opened:
            found.update(json.loads(opened.metadata()["facelib"])["network"])
    try:
        run = json.loads((path.parent / "run.json").read_bytes())
        return {**found, "trained on": run["recipe"]["train_list"], "with": run["recipe"]["metric"],
                "people": run["people"], "steps": run["steps"]}  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):
        return {**found, "trained on": "unknown"}


def _versions() -> dict[str, str]:
    import platform

    import cv2
    import numpy
    import torch

    from . import __version__

    return {"facelib": __version__, "python": platform.python_version(), "torch": str(torch.__version__),
            "numpy": numpy.__version__, "opencv": cv2.__version__}  # fmt: skip
