"""Part a folder of people into training and validation, the same way every time.

Whether a picture or a person goes to validation follows from a hash of its name and the seed. Nobody moves when
others join or leave, which no shuffle can promise.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import dataclass, field

from ..errors import FaceLibError
from ..folders.words import counted
from .folders import find_people
from .lists import listable

WAYS = ("pictures", "people")


@dataclass
class Part:
    """One side of a split: paths below the folder, a label each, the name of each label's person."""

    names: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    people: list[str] = field(default_factory=list)

    def add(self, names: list[str], label: int) -> None:
        self.names += names
        self.labels += [label] * len(names)


@dataclass
class Split:
    """Training and validation.

    left_out : counts people with too few pictures, pictures of nobody, and those that no list file can name
    unlistable : the latter's paths
    """

    train: Part
    validation: Part
    left_out: Counter[str]
    unlistable: list[str] = field(default_factory=list)


def split_folder(
    root: str | os.PathLike[str],
    *,
    by: str = "pictures",
    share: float = 0.05,
    seed: int = 0,
    min_images: int = 1,
) -> Split:
    """Part a folder that holds a folder a person.

    Parameters
    ----------
    root : path of the folder
    by : str
        "pictures": the same people on both sides with the same labels, other pictures; of each person ``share`` of
        the pictures is kept for validation, at least one if there are two. "people": everybody is on one side with
        all pictures, and each side has labels of its own from 0.
    share : float
        Of pictures or people that go to validation, above 0 and below 1; of people it is met on average.
    seed : int
        Another seed, another split.
    min_images : int
        People with fewer pictures are left out.

    Raises
    ------
    FaceLibError
        When the folder holds nobody or one person only, or one side would be empty.
    """
    if by not in WAYS or not 0 < share < 1:
        raise FaceLibError(f"a split is by {' or '.join(WAYS)} with a share above 0 and below 1, not {by!r}, {share}")
    people, others = find_people(root)
    unlistable = [name for names in people.values() for name in names if not listable(name)]
    if unlistable:
        people = {person: [name for name in names if listable(name)] for person, names in people.items()}
    kept = {person: names for person, names in people.items() if len(names) >= min_images}
    if len(people) < 2:
        (only,) = people
        raise FaceLibError(f"{os.fspath(root)}: all pictures are of one person, {only}; is it a folder too high?")
    if not kept:
        few = counted(min_images, "picture")
        raise FaceLibError(f"{os.fspath(root)}: nobody has {few} or more; ask for fewer with --min-images")
    left_out = Counter({"people with too few pictures": len(people) - len(kept), "pictures of nobody": others})
    left_out["pictures whose names cannot stand in a list file"] = len(unlistable)
    divide = _by_pictures if by == "pictures" else _by_people
    train, validation = divide(kept, share, seed)
    for part, side in ((train, "training"), (validation, "validation")):
        if not part.names:
            raise FaceLibError(
                f"{os.fspath(root)}: nothing is left for {side} of {len(kept):,} people with {min_images} pictures or"
                " more; choose another share, another seed or fewer pictures"
            )
    return Split(train, validation, +left_out, unlistable)


def _by_pictures(people: dict[str, list[str]], share: float, seed: int) -> tuple[Part, Part]:
    train, validation = Part(people=list(people)), Part(people=list(people))
    for label, names in enumerate(people.values()):
        count = max(1, int(len(names) * share)) if len(names) > 1 else 0
        chosen = set(sorted(names, key=lambda name: fraction(name, seed))[:count])
        train.add([name for name in names if name not in chosen], label)
        validation.add([name for name in names if name in chosen], label)
    return train, validation


def _by_people(people: dict[str, list[str]], share: float, seed: int) -> tuple[Part, Part]:
    train, validation = Part(), Part()
    for person, names in people.items():
        part = validation if fraction(person, seed) < share else train
        part.add(names, len(part.people))
        part.people.append(person)
    return train, validation


def fraction(name: str, seed: int) -> float:
    """A number in [0, 1) that follows from a name and a seed, the same on every machine."""
    digest = hashlib.blake2b(f"{seed}\0{name}".encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
