"""The command ``facelib evaluate``. Heavy imports wait inside it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .cli_tools import INTERRUPTED, printable
from .errors import FaceLibError
from .folders.words import titled
from .model_cli import open_model, wanted, wants_options
from .train_cli import Numbers

if TYPE_CHECKING:
    from .embedder import Embedder
    from .evaluate.judged import Matrix, Result
    from .evaluate.judged_people import Identified
    from .evaluate.judged_templates import Compared

Found = TypeVar("Found")
SETS = ("lfw", "agedb", "cfp_fp")


@click.command()
@click.argument("model")
@click.option("--lfw", metavar="PATH", help="Labeled Faces in the Wild.")
@click.option("--agedb", metavar="PATH", help="AgeDB-30: thirty years between the pictures.")
@click.option("--cfp-fp", metavar="PATH", help="CFP-FP: frontal faces and profiles.")
@click.option("--pairs", "others", multiple=True, metavar="NAME=PATH", help="Another set; may be given several times.")
@click.option(
    "--identify",
    "crowds",
    multiple=True,
    metavar="[NAME=]PATH",
    help="People to enrol and look for: a folder with a folder for each, a list file, synth:mini.",
)
@click.option("--enrol", type=click.IntRange(1), default=1, show_default=True, help="Pictures averaged for each.")
@click.option(
    "--unknown",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.5,
    show_default=True,
    help="Share of people who are not enrolled, but looked for.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Draws who that is.")
@click.option("--distractors", metavar="PATH", help="Further people, all enrolled and none looked for.")
@click.option("--ijb", "ijbs", multiple=True, metavar="[NAME=]FOLDER", help="IJB-B or IJB-C: meta and loose_crop.")
@click.option("--root", type=click.Path(file_okay=False), help="Folder of a list file's pictures.  [default: its own]")
@click.option("--flip/--no-flip", default=True, show_default=True, help="Add the embedding of the mirror image.")
@click.option("--ccrop", is_flag=True, help="Enlarge crops from 112 to 128 pixels and keep the middle 112.")
@click.option("--folds", type=click.IntRange(2), default=10, show_default=True, help="For sets without their own.")
@click.option("--far", type=Numbers(), default=(0.1, 0.01, 0.001), help="Rates of the TARs.  [default: 0.1,0.01,0.001]")
@wants_options
@click.option("--aligned", is_flag=True, help="Folders and lists hold crops already: detect nothing.")
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
             far: tuple[float, ...], matrix: str | None, crowds: tuple[str, ...], distractors: str | None,
             ijbs: tuple[str, ...], **options: Any) -> None:  # fmt: skip
    """How well does a network tell whether two pictures show one person?

    MODEL is a .safetensors file of `facelib train`, a name (mobilefacenet-synth was trained on rendered people; hog
    needs no training), or an .onnx file of `facelib export`; other .onnx files need --mean and --std. A PATH is one of
    these:

    \b
        lfw.bin            pairs as insightface publishes them
        lfw_align_112/lfw  a bcolz folder with lfw_list.npy beside it, or the folder above
        lfw/               photographs with pairs.txt or pairsDevTest.txt, as LFW comes; scikit-learn's
                           fetch_lfw_pairs() leaves them in ~/scikit_learn_data/lfw_home
        synth:mini         people who do not exist; synth:mini-hard are harder pairs

    \b
        facelib evaluate mobilefacenet-synth --pairs synth:mini
        facelib evaluate weights.safetensors --lfw lfw.bin --agedb agedb_30.bin --cfp-fp cfp_fp.bin
        facelib evaluate weights.safetensors --lfw lfw.bin --no-flip --ccrop --far 0.1,0.01
        facelib evaluate mobilefacenet-synth --identify synth:mini --unknown 0.5 --report out/
        facelib evaluate weights.safetensors --identify VGGFace2/test_align --aligned --enrol 3
        facelib evaluate weights.safetensors --ijb IJBC --batch 256 --report out/ --json out.json
        facelib evaluate face.onnx --mean 0.5 --std 0.5 --pairs mine=photos/pairs.txt --report out/ --json out.json

    Accuracy is the mean over folds, on each with the threshold that is best on all the others; the spread after +- is
    the standard deviation over folds. Intervals are of 95 %. A TAR is printed only where its FAR amounts to ten false
    accepts. Embeddings have length 1, so the distance of two is sqrt(2 - 2 cosine): it would rank the pairs alike,
    and thresholds are printed both ways.

    With --identify, the first pictures of each person are enrolled and the others looked for: rank-1 and rank-5 are
    shares of those found first and among the first five. People who are not enrolled are looked for too: FPIR is the
    share of their pictures that find anybody above a threshold, FNIR the share of the others' that then do not find
    their own person first. Distractors make the gallery larger. Intervals are drawn over people.

    With --ijb, the crops of IJB-B or IJB-C are aligned by the landmarks of their lists, in the layout of insightface,
    and pooled to templates by media. Its TARs are those at FAR 0.1 to 0.000001, 1:N is judged in each gallery. Only
    the embeddings are kept in memory, 2 KB for each picture of a network of 512 numbers.

    In photographs the face is taken that is most central for its size, and aligned. Where none is found, the middle
    square of half the picture's side is taken: to leave such pairs out would flatter. Pictures that cannot be read
    are left out with their pairs. Both are counted. `facelib align` makes crops once and for all; give them with
    --aligned.

    Ends with 0, with 1 if the model or a set cannot be used (the other sets are evaluated all the same), with 2 if a
    path does not exist, with 130 after Ctrl-C.
    """
    given = {name: options.pop(name) for name in SETS}
    people = _named("--identify", crowds, {})
    sets = _named("--pairs", others, {name.replace("_", "-"): path for name, path in given.items() if path})
    templates = _named("--ijb", ijbs, {})
    _check(sets, people, templates, distractors)
    bad = [rate for rate in far if not 0 < rate < 1]
    if bad or not far:
        raise click.BadParameter("rates are fractions between 0 and 1, such as 0.01", param_hint="--far")
    wants = wanted(context, model, options)
    try:
        _run(model, wants, sets, people, templates, distractors, far, matrix, json_file, report, **options)
    except KeyboardInterrupt:
        click.echo("interrupted; no page was written", err=True)
        sys.exit(INTERRUPTED)


def _named(option: str, items: tuple[str, ...], found: dict[str, str]) -> dict[str, str]:
    """Name -> path of each set, NAME=PATH or a path that names itself."""
    for item in items:
        name, _, path = item.rpartition("=")
        place = Path(path).resolve().parent if Path(path).name == "meta" else Path(path)  # of IJB's lists
        name = name or (path if path.startswith("synth:") else place.stem).replace(":", "-")
        if name in found:
            raise click.BadParameter(f"{name}: two sets have this name; use NAME=PATH", param_hint=option)
        found[name] = path
    return found


def _check(sets: dict[str, str], people: dict[str, str], templates: dict[str, str], distractors: str | None) -> None:
    """Every path is known to exist, and there is something to do."""
    if not sets and not people and not templates:
        raise click.UsageError("no pairs to judge by; try --pairs synth:mini, or --lfw lfw.bin, or --identify people/")
    if distractors and not people:
        raise click.UsageError("--distractors joins the gallery of --identify, which is missing")
    if distractors and distractors.startswith("synth:"):
        for name, path in people.items():
            if path.startswith("synth:"):
                raise click.UsageError(
                    f"{name}: {path} and the distractors {distractors} share people, for all rendered sets begin with"
                    " the same ones; give other people as distractors"
                )
    if both := sorted(sets.keys() & people.keys()):
        raise click.UsageError(f"{both[0]}: --pairs and --identify have a set of this name; use NAME=PATH")
    if both := sorted(templates.keys() & {*sets, *people}):
        raise click.UsageError(f"{both[0]}: --ijb and another option have a set of this name; use NAME=PATH")
    others = {"--distractors": distractors} if distractors else {}
    for name, path in [*sets.items(), *people.items(), *templates.items(), *others.items()]:
        if not path.startswith("synth:") and not Path(path).exists():
            raise click.UsageError(titled(name, f"{path}: no such file or folder; it is looked for from {Path.cwd()}"))


def _run(model: str, wants: dict[str, Any] | None, sets: dict[str, str], crowds: dict[str, str], ijbs: dict[str, str],
         distractors: str | None, far: tuple[float, ...], matrix: str | None, json_file: str | None,
         report: str | None, *, device: str, batch: int, folds: int, flip: bool, ccrop: bool, aligned: bool,
         min_face: float, people: int, shots: int, quiet: bool, enrol: int, unknown: float, seed: int,
         root: str | None) -> None:  # fmt: skip
    from .evaluate.judged import judge, table
    from .evaluate.judged_people import judge_people
    from .evaluate.judged_templates import judge_ijb
    from .evaluate.people import open_crowd
    from .evaluate.pictures import open_pairs

    _make_folders(Path(json_file).parent if json_file and json_file != "-" else None, Path(report) if report else None)
    embed, about = open_model(model, wants, device)
    embed.BATCH = batch
    size = embed.preprocess.size
    opening: dict[str, Any] = {"aligned": aligned, "min_face": min_face, "device": device}
    faults: list[str] = []

    def pairs_of(name: str, path: str) -> Result:
        with _Bar(f"{name}: detecting", quiet) as bar:
            pairs = open_pairs(path, name, folds, size, progress=bar.start, **opening)
        with _Bar(f"{name}: embedding", quiet) as bar:
            return judge(pairs, embed, flip, ccrop, far, batch, people=people, shots=shots, progress=bar.start)

    def crowd_of(name: str, path: str) -> Identified:
        crowd = open_crowd(path, name, size, root=root, **opening)
        others = open_crowd(distractors, "distractors", size, root=root, **opening) if distractors else None
        with _Bar(f"{name}: embedding", quiet) as bar:
            return judge_people(crowd, embed, enrol, unknown, seed, others, flip, ccrop, batch, progress=bar.start)

    def templates_of(name: str, path: str) -> Compared:
        with _Bar(f"{name}: embedding", quiet) as bar:
            return judge_ijb(path, embed, name, flip, ccrop, batch, bar.start)

    results = _usable(sets, pairs_of, faults)
    identified = _usable(crowds, crowd_of, faults)
    compared = _usable(ijbs, templates_of, faults)
    square = None
    if matrix:
        try:
            square = _matrix(matrix, embed, flip, ccrop, batch, people, shots)
        except FaceLibError as error:
            faults.append(f"--matrix: {error}")
    about["settings"] = {"flip": flip, "ccrop": ccrop, "device": device, "batch": batch, "min face": min_face}
    about["failed"] = faults
    kinds: list[Any] = [results, identified, *([each] for each in compared)]  # galleries of two have other names
    for kind in kinds:
        if kind:
            click.echo(printable(table(kind)), err=json_file == "-")
    for warning in about["warnings"]:
        click.echo(f"beware: {warning}", err=True)
    for found in (each for kind in kinds for each in kind):
        for warning in found.warnings:
            click.echo(printable(f"{found.name}: {warning}"), err=True)
    for fault in faults:
        click.echo(printable(f"Error: {fault}"), err=True)
    _write(results, identified, compared, about, json_file, report, square)
    sys.exit(1 if faults else 0)


def _usable(sets: dict[str, str], judged: Callable[[str, str], Found], faults: list[str]) -> list[Found]:
    """The figures of each set that can be used; why another cannot is added to ``faults``: the rest is worth having."""
    found = []
    for name, path in sets.items():
        try:
            found.append(judged(name, path))
        except FaceLibError as error:
            faults.append(titled(name, str(error)))
    return found


def _make_folders(*folders: Path | None) -> None:
    """Before hours of work, not after them."""
    from .folders.files import make_folder

    for folder in folders:
        try:
            if folder:
                make_folder(folder)
        except OSError as error:
            raise FaceLibError(f"{error.filename}: cannot be made ({error.strerror}); choose another folder") from error


def _write(results: list[Result], identified: list[Identified], compared: list[Compared], about: dict[str, Any],
           json_file: str | None, report: str | None, matrix: Matrix | None) -> None:  # fmt: skip
    if json_file:
        from .evaluate.judged import to_json
        from .folders.files import write_atomically

        text = to_json(results, about, identified, compared)
        if json_file == "-":
            click.echo(text, nl=False)
        else:
            try:
                write_atomically(Path(json_file), text.encode())
            except OSError as error:
                raise FaceLibError(f"{json_file}: cannot be written ({error.strerror}); choose another FILE") from error
    if report and (results or identified or compared):
        from .evaluate.report import write_report

        click.echo(printable(str(write_report(report, results, about, matrix, identified, compared))), err=True)


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

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *error: object) -> None:  # or the next bar would be drawn below this one
        if self.bar is not None:
            self.bar.close()
