"""The command ``facelib bench``: what things cost on this machine. Heavy imports wait inside it."""

from __future__ import annotations

import click


@click.group()
def bench() -> None:
    """What things cost on this machine.

    \b
        facelib bench backbones
        facelib bench backbones mobilefacenet timm:resnet18 --size 112 --batch 16
    """


@bench.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--embedding", type=click.IntRange(1), default=512, show_default=True, help="Numbers in an embedding.")
@click.option("--size", type=click.IntRange(16), default=112, show_default=True, help="Side of the crops in pixels.")
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Crops at once.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, mps.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads; all by default.")
def backbones(names: tuple[str, ...], embedding: int, size: int, batch: int, device: str, threads: int | None) -> None:
    """Weights, operations and milliseconds of backbones, untrained.

    NAME is one of facelib's, or "timm:" and a name that timm knows; all of facelib's by default. An operation is a
    multiplication or an addition. Milliseconds are those of one crop in a batch, the median of five batches.
    """
    import torch

    from .backbones import NAMES, create
    from .backbones.measure import cost
    from .devices import usable

    if threads:
        torch.set_num_threads(threads)
    usable(device)
    width = max(map(len, names or NAMES))
    for place, name in enumerate(names or NAMES):
        found = cost(create(name, embedding, size), size, batch, device)
        if place == 0:  # not above an error
            click.echo(f"{'':<{width}}{'million weights':>17}{'million operations':>20}{'ms a crop':>11}")
        million = found.weights / 1e6, found.operations / 1e6
        click.echo(f"{name:<{width}}{million[0]:>17.1f}{million[1]:>20,.0f}{found.milliseconds:>11.1f}")
