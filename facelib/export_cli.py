"""The command ``facelib export``. Heavy imports wait inside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .errors import FaceLibError
from .folders.words import counted
from .model_cli import as_preprocess, wanted, wants_options

if TYPE_CHECKING:
    import numpy as np


@click.command()
@click.argument("model")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--precision", type=click.Choice(["float32", "float16", "int8"]), default="float32", show_default=True,
              help="Four, two or one byte a weight.")  # fmt: skip
@click.option("--calibrate", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="FOLDER",
              help="Crops like those it will see, to measure int8's scales.  [default: rendered ones]")  # fmt: skip
@click.option("--samples", type=click.IntRange(2), default=256, show_default=True, help="How many of them to take.")
@click.option("--page", is_flag=True, help="Make OUT a folder with a web page that runs the whole pipeline.")
@wants_options
@click.pass_context
def export(context: click.Context, model: str, out: Path, precision: str, calibrate: Path | None, samples: int,
           page: bool, **options: Any) -> None:  # fmt: skip
    """Write a network as ONNX, for programs without PyTorch: phones, servers, browsers.

    MODEL is a .safetensors file of `facelib train`, a name (mobilefacenet-synth), an .onnx file of which a smaller one
    is to be made, or mtcnn, the three networks of the detector. OUT is the file to write; of mtcnn and with --page, a
    folder.

    \b
        facelib export weights.safetensors face.onnx
        facelib export weights.safetensors face8.onnx --precision int8 --calibrate VGGFace2/train_align
        facelib export mtcnn detector/
        facelib export weights.safetensors site/ --page
        python -m http.server --directory site

    What the network wants to see (size, colours, mean, std) is written into the file, and `facelib evaluate` and
    Embedder.load read it there. An .onnx file of somebody else does not say it: say it with --mean and --std, and the
    new file will.

    Before the file gets its name its embeddings are compared with the network's, on rendered faces. If they do not
    agree, nothing is written. How much accuracy fewer bits cost is for `facelib evaluate` to say.
    """
    wants = wanted(context, model, options)
    if context.get_parameter_source("samples") is not click.core.ParameterSource.DEFAULT and calibrate is None:
        raise click.BadParameter("is of the folder that --calibrate names", param_hint="--samples")
    if calibrate is not None and (precision != "int8" or model == "mtcnn"):
        raise click.BadParameter("only int8 has scales to measure; add --precision int8", param_hint="--calibrate")
    if model == "mtcnn":
        _detector(out, precision, page)
    elif page:
        _page(model, out, precision)
    else:
        _embedder(model, out, precision, _crops(calibrate, samples), as_preprocess(Path(model), wants))


def _detector(out: Path, precision: str, page: bool) -> None:
    from .export import export_detector

    if page or precision != "float32":
        raise click.UsageError("mtcnn is exported as it is: name a folder and leave --page and --precision out")
    _check_folder(out)
    for file in export_detector(out):
        click.echo(f"{file}: {file.stat().st_size / 1e3:,.0f} kB")


def _embedder(model: str, out: Path, precision: str, calibration: np.ndarray | None, preprocess: Any) -> None:
    from .export import export_embedder
    from .folders.files import make_folder

    if out.suffix != ".onnx":
        raise click.BadParameter(f"{out}: a file that ends in .onnx is wanted", param_hint="OUT")
    try:
        make_folder(out.parent)
        made = export_embedder(model, out, precision, calibration, preprocess=preprocess)
    except OSError as error:
        where = error.filename or out
        raise FaceLibError(f"{where}: cannot be written ({error.strerror}); check the space and permissions") from error
    click.echo(f"{out}: {made.size / 1e6:.2f} MB, {made.precision}")
    click.echo(f"agrees with {model} on {made.parity}")


def _page(model: str, out: Path, precision: str) -> None:
    from .export import write_page

    _check_folder(out)
    index = write_page(out, model, precision)
    click.echo(f"{index}: the page; any web server will do:")
    click.echo(f"    python -m http.server --directory {out}")


def _check_folder(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise click.BadParameter(f"{out}: is a file; a folder is wanted", param_hint="OUT")


def _crops(folder: Path | None, samples: int) -> np.ndarray | None:
    """Up to ``samples`` pictures of a tree, evenly over it; those that cannot be read are named and left out."""
    import cv2
    import numpy as np

    from .folders.files import walk
    from .image import load_image

    if folder is None:
        return None
    files = [folder / found.join(name) for found in walk(folder) for name in found.pictures]
    crops, faults = [], []
    for file in files[:: max(1, len(files) // samples)][:samples]:
        try:
            crops.append(cv2.resize(load_image(file), (112, 112), interpolation=cv2.INTER_AREA))
        except FaceLibError as error:
            faults.append(str(error))
    for fault in faults:
        click.echo(f"left out: {fault}", err=True)
    if len(crops) < 2:
        held = counted(len(crops), "picture")
        raise FaceLibError(f"{folder}: holds {held} that can be read; at least two are wanted")
    click.echo(f"scales measured on {len(crops)} of {len(files)} pictures of {folder}")
    return np.stack(crops)
