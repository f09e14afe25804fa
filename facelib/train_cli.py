"""The command ``facelib train``, which is also ``train.py``. Heavy imports wait inside it."""

from __future__ import annotations

import dataclasses
import errno
import os
import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from .errors import FaceLibError
from .train.recipe import Recipe, option, read_recipe

INTERRUPTED = 130
_KINDS = {"int": int, "float": float, "str": str}


class Numbers(click.ParamType):
    """Numbers with commas between, such as those of the example."""

    name = "numbers"

    def __init__(self, example: str = "0.1,0.2,0.3") -> None:
        self.example = example

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(part) for part in value.split(",") if part.strip())
        except ValueError:
            self.fail(f"{value!r}: expected numbers with commas between, such as {self.example}", param, ctx)


def _settings(command: Any) -> Any:
    """An option for each setting of a recipe, in its order."""
    for item in reversed(dataclasses.fields(Recipe)):  # an option that is added later is shown earlier
        choices, kind = item.metadata["choices"], str(item.type)
        details: dict[str, Any] = {}
        if kind == "bool":
            name = f"{option(item.name)}/--no-{item.name.replace('_', '-')}"
        else:
            numbers = Numbers("10,16") if kind.startswith("tuple") else None
            name = option(item.name)
            details["type"] = click.Choice(choices) if choices else numbers or _KINDS[kind]
        shown = item.default not in ("", ())
        command = click.option(name, default=item.default, show_default=shown, help=item.metadata["help"], **details)(
            command
        )
    return command


@click.command()
@click.option(
    "--recipe", "file", type=click.Path(path_type=Path), help="TOML file of settings; options here win over it."
)
@_settings
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder of the run; runs/... by default.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out, or begin if there is none.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, mps; auto takes a GPU if it can.")
@click.option("--workers", type=click.IntRange(0), help="Processes that read pictures.  [default: up to 8]")
@click.option("--threads", type=click.IntRange(1), help="CPU threads of the arithmetic; all by default.")
@click.option("--save-every", type=click.IntRange(0), default=0, show_default=True, help="Steps between checkpoints.")
@click.option("--compile", "compiled", is_flag=True, help="Pass the network through torch.compile.")
@click.option("--sync-bn", is_flag=True, help="Share batch statistics among GPUs.")
@click.option(
    "--check/--no-check",
    default=True,
    show_default=True,
    help="Read every picture once before the first step and report what is wrong.",
)
@click.option("--quiet", is_flag=True, help="No progress bar.")
@click.pass_context
def train(
    context: click.Context,
    file: Path | None,
    out: Path | None,
    device: str,
    workers: int | None,
    threads: int | None,
    **options: Any,
) -> None:
    """Train a recogniser.

    Without data of your own, on people who do not exist:

    \b
        facelib train --train-list synth:mini --backbone mobilefacenet --embedding 128 --epochs 10

    On VGGFace2, aligned by `facelib align` and listed by `facelib list`:

    \b
        python train.py --dataset-root VGGFace2/train_align --train-list data/train.txt --val-list data/val.txt \\
            --num-classes 8631 --backbone resnet50 --metric arcface --device cuda
        torchrun --nproc-per-node 8 train.py --recipe recipes/vggface2_iresnet50_arcface.toml

    A run is a folder. It can be stopped at any time, by Ctrl-C too, and --resume goes on with it. Ends with 0, with 1
    if something cannot be trained on, with 130 after Ctrl-C.
    """
    names = {item.name for item in dataclasses.fields(Recipe)}
    given = {
        name: options.pop(name)
        for name in names
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT or options.pop(name) is None
    }
    recipe = (read_recipe(file) if file else Recipe()).but(**given)
    out = out or Path("runs") / "-".join(
        [Path(recipe.train_list.replace(":", "-")).stem, recipe.backbone, recipe.metric]
    )
    import torch

    from .train import train as run

    if threads:
        torch.set_num_threads(threads)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if workers is None:
        workers = 0 if recipe.train_list.startswith("synth:") else min(8, max(1, (os.cpu_count() or 2) - 1))
    try:
        figures = run(recipe, out, device=device, workers=workers, **options)
    except KeyboardInterrupt:
        click.echo(f"stopped; --resume --out {out} goes on", err=True)
        sys.exit(INTERRUPTED)
    except OSError as error:
        raise FaceLibError(f"{out}: {error.strerror or error}; {_remedy(error, out)}") from error
    for name, value in figures.items():
        click.echo(f"{name} {100 * value:.2f} %")
    click.echo(f"{out / 'weights.safetensors'}", err=True)


def _remedy(error: OSError, out: Path) -> str:
    """What to do about a folder that cannot be written, and what is kept."""
    do = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "mend that or take another --out"
    if (out / "last.pt").exists():
        return f"{do}; --resume goes on from last.pt, the run as it was last saved"
    return f"{do} and begin again; nothing was saved yet"
