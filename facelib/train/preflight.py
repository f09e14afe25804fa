"""A look at every picture before the first step: what would otherwise come to light after hours."""

from __future__ import annotations

from collections.abc import Callable

from ..cli_tools import cores
from ..data import Inspection, Source, inspect, overlap
from ..folders.progress import progress_bar
from .pictures import Endless, Rendered, same_people


def preflight(
    training: Source, validation: Source | None, num_classes: int | None, quiet: bool, tell: Callable[[str], None]
) -> None:
    """Read and decode all pictures once and tell what is wrong with them and between them.

    Unreadable pictures, labels without a picture, the same picture twice, with one label or with two; people and
    pictures that training and validation share. Nothing of it ends the run: it is for whoever started it to judge.
    Rendered people need no look.
    """
    found = _inspected("training", training, num_classes, quiet, tell)
    if found is None or validation is None or validation is training:
        return
    other = _inspected("validation", validation, None, quiet, tell)
    if other is None:
        return
    common = overlap(found, other)
    known = same_people(training, validation)
    if common.pictures or (common.people and not known) or common.renumbered:
        tell(f"training and validation share: {common}")
        if common.pictures:
            first, second = common.pictures[0]
            tell(f"  such as {training.name(first)} and {validation.name(second)}: figures on those flatter")
        if common.people and not known:
            tell(f"  such as {common.people[0]}: verification wants people whom the training has not seen")


def _inspected(
    what: str, source: Source, num_classes: int | None, quiet: bool, tell: Callable[[str], None]
) -> Inspection | None:
    if isinstance(source, (Rendered, Endless)):
        return None
    with progress_bar(len(source), quiet) as bar:
        bar.set_description_str(f"checking {what}")
        found = inspect(source, num_classes, workers=cores(), progress=bar.update)
    tell(f"{what}: {found}")
    return found
