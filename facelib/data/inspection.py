"""Look at a data set before training on it: what cannot be read, what is there twice, which labels are not used."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .reading import read_each, reason
from .source import Source

SHOWN = 3  # examples of each finding


@dataclass
class Inspection:
    """What was found in N pictures.

    Attributes
    ----------
    unreadable : pairs of name and reason
    gaps : labels from 0 to the greatest that no picture has
    num_classes : what the trainer was told, or None
    same_person : groups of numbers of pictures with the same bytes and the same label
    other_person : the same with different labels: one of them is wrong
    digests : uint64 (N,), a hash of each picture's bytes, 0 for unreadable ones
    """

    source: Source
    num_classes: int | None
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)
    same_person: list[list[int]] = field(default_factory=list)
    other_person: list[list[int]] = field(default_factory=list)
    digests: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))

    @property
    def fits(self) -> bool:
        """Whether every label has a class: a smaller ``num_classes`` would stop the training."""
        return self.num_classes is None or self.num_classes >= self.source.classes

    @property
    def faults(self) -> bool:
        """Whether anything was found that training would suffer from."""
        return bool(self.unreadable or self.gaps or self.other_person or not self.fits)

    def __str__(self) -> str:
        counts = np.bincount(self.source.labels)
        counts = counts[counts > 0]
        lines = [f"{len(self.source):,} pictures of {len(counts):,} people"]
        if len(counts):
            lines[0] += f", {counts.min():,} to {counts.max():,} of each (half have {int(np.median(counts)):,} or more)"
        if self.num_classes is not None and self.num_classes != self.source.classes:
            lines.append(
                f"--num-classes {self.num_classes} does not fit: labels run to {self.source.classes - 1}, which takes"
                f" {self.source.classes}"
            )
        lines += _finding("unreadable", [f"{name}: {why}" for name, why in self.unreadable])
        lines += _finding("labels without a picture", [str(label) for label in self.gaps])
        name = self.source.name
        label = self.source.labels
        lines += _finding(
            "pictures with more than one label",
            [", ".join(f"{name(k)} is {label[k]}" for k in group) for group in self.other_person],
        )
        lines += _finding("pictures there twice", [", ".join(name(k) for k in group) for group in self.same_person])
        return "\n".join(lines if len(lines) > 1 else [*lines, "nothing wrong"])


def inspect(
    source: Source,
    num_classes: int | None = None,
    workers: int = 1,
    progress: Callable[[int], object] = lambda done: None,
) -> Inspection:
    """Read and decode every picture once and report what is wrong with the data set.

    Parameters
    ----------
    source : Source
    num_classes : int, optional
        Classes that the head will have, to be compared with the labels.
    workers : int
        Threads.
    progress : callable
        Called with the number of pictures done since the last call.
    """
    found = Inspection(source, num_classes, digests=np.zeros(len(source), np.uint64))
    for index, data in read_each(source, range(len(source)), workers):
        if isinstance(data, Exception):
            found.unreadable.append((source.name(index), reason(data)))
        else:
            found.digests[index] = int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big") | 1
        progress(1)
    found.gaps = np.flatnonzero(np.bincount(source.labels) == 0).tolist()
    for group in _groups(found.digests):
        alike = len(set(source.labels[group])) == 1
        (found.same_person if alike else found.other_person).append(group)
    return found


@dataclass
class Overlap:
    """What two data sets have in common.

    people : names of the folders that both have pictures of
    renumbered : those of them that have another label in the second
    pictures : pairs of numbers, in the first and in the second, of pictures with the same bytes
    """

    people: list[str]
    renumbered: list[str]
    pictures: list[tuple[int, int]]

    def __str__(self) -> str:
        return (
            f"{len(self.people):,} people in both, {len(self.renumbered):,} of them with another label;"
            f" {len(self.pictures):,} pictures in both"
        )


def overlap(first: Inspection, second: Inspection) -> Overlap:
    """Compare training and validation, both inspected before.

    A validation by class wants the same people with the same labels and no common picture; one by verification wants
    nobody in common. People are told by the folder in a picture's name; a source without folders, such as a record
    file, has none.
    """
    mine, theirs = _people(first.source), _people(second.source)
    both = sorted(mine.keys() & theirs.keys())
    where = {int(digest): index for index, digest in enumerate(first.digests) if digest}
    pictures = [(where[int(d)], k) for k, d in enumerate(second.digests) if int(d) in where]
    return Overlap(both, [person for person in both if mine[person] != theirs[person]], pictures)


def _people(source: Source) -> dict[str, set[int]]:
    people: dict[str, set[int]] = {}
    for index, label in enumerate(source.labels.tolist()):
        person = source.name(index).rpartition("/")[0].split("/")[0]
        if person:
            people.setdefault(person, set()).add(label)
    return people


def _groups(digests: np.ndarray) -> list[list[int]]:
    """Numbers of equal entries that are not 0, where there are two or more."""
    order = np.argsort(digests, kind="stable")
    order = order[digests[order] > 0]
    borders = np.flatnonzero(np.diff(digests[order])) + 1
    return [group.tolist() for group in np.split(order, borders) if len(group) > 1]


def _finding(what: str, examples: Sequence[Any]) -> list[str]:
    if not examples:
        return []
    more = [f"  ... and {len(examples) - SHOWN:,} more"] if len(examples) > SHOWN else []
    return [f"{len(examples):,} {what}:", *(f"  {example}" for example in examples[:SHOWN]), *more]
