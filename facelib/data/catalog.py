"""The data sets of the field: how large, how they lie on disk, who allows what, and which have been withdrawn.

Nothing here fetches anything. A set is prepared from files that you hold already, and a set that its makers withdrew
says so before it says anything else. What is known of each stands in ``catalog_facts``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import FaceLibError
from .catalog_facts import FACTS, Facts

KINDS = ("training", "evaluation", "synthetic")
STATES = {
    "free": "made on your machine, no terms",
    "terms": "given out by its makers under their terms",
    "request": "given out by its makers on request",
    "offline": "its first site is gone; what is left are copies",
    "derived": "made of a set that was withdrawn; given out by others all the same",
    "withdrawn": "its makers no longer give it out",
}


@dataclass(frozen=True)
class Entry(Facts):
    """One data set: its ``Facts``, and how they are told."""

    @property
    def warning(self) -> str:
        """What must be known first, empty if there is nothing: withdrawn, or made of a set that was."""
        if self.state == "withdrawn":
            return f"WITHDRAWN{_year(self.since)}: {STATES['withdrawn']}"
        bad = [parent for parent in map(find_set, self.parents) if parent.state == "withdrawn"]
        named = ", ".join(f"{parent.name}, withdrawn{_year(parent.since)}" for parent in bad)
        return named and f"{'ALL' if self.state == 'derived' else 'SOME'} OF ITS PICTURES ARE THOSE OF {named}"

    @property
    def tree(self) -> str:
        """``files`` as a small tree, one name a line."""
        lines: list[str] = []
        before: list[str] = []
        for path in self.files:
            parts = path.split("/")
            same = next((k for k, (a, b) in enumerate(zip(before, parts, strict=False)) if a != b), len(before))
            folders = [part + "/" for part in parts[:-1]] + [parts[-1]]
            lines += ["  " * depth + folders[depth] for depth in range(min(same, len(parts) - 1), len(parts))]
            before = parts[:-1]
        return "\n".join(lines)

    def count(self, what: str) -> str:
        """``people``, ``pictures`` or ``pairs`` as text: "8,631", "about 3,310,000", "not stated"."""
        number = getattr(self, what)
        return "not stated" if number is None else f"{'about ' if what in self.rounded else ''}{number:,}"

    def describe(self) -> dict[str, Any]:
        """All fields with the warning first, for JSON."""
        return {"warning": self.warning, **asdict(self), "tree": self.tree}

    def __str__(self) -> str:
        sizes = f"{self.count('people')} people, {self.count('pictures')} pictures"
        rows = {
            "kind": f"{self.kind}, {sizes}" + (f", {self.pairs:,} pairs" if self.pairs else ""),
            "state": STATES[self.state] + (f" (since {self.since})" if self.since else ""),
            "origin": self.origin,
            "terms": self.terms,
            "layout": self.layout,
            "": "\n" + self.tree if self.files else "",
            "read by": f"facelib.data.{self.reader}" if self.reader else "nothing in facelib",
            "prepare": "\n" + "\n".join(self.prepare) if self.prepare else "",
            "note": self.note,
            "source": self.source + (f" ({self.citation} in the bibliography)" if self.citation else ""),
        }
        head = [self.warning, self.name] if self.warning else [self.name]
        return "\n".join([*head, *(_row(title, text) for title, text in rows.items() if text)])


ENTRIES = tuple(Entry(**vars(facts)) for facts in FACTS)


def known_sets() -> tuple[Entry, ...]:
    """All entries: for training, for evaluation, synthetic; in each by name.

    >>> sorted({entry.kind for entry in known_sets()})
    ['evaluation', 'synthetic', 'training']
    """
    return ENTRIES


def find_set(name: str) -> Entry:
    """The entry of a data set; capitals, spaces and hyphens do not matter.

    >>> find_set("vgg-face 2").name
    'VGGFace2'

    Raises
    ------
    FaceLibError
        When there is none of that name; says which come near.
    """
    entries = {_plain(entry.name): entry for entry in ENTRIES}
    if _plain(name) in entries:
        return entries[_plain(name)]
    near = [key for key in entries if _plain(name) and _plain(name) in key]
    near = near or difflib.get_close_matches(_plain(name), entries, n=3)
    hint = f"did you mean {' or '.join(entries[key].name for key in near)}?" if near else "`facelib catalog` lists all"
    raise FaceLibError(f"{name!r}: no data set of this name is known; {hint}")


def table(entries: Iterable[Entry]) -> str:
    """Entries a line each: name, kind, people, pictures, state."""
    head = ("data set", "kind", "people", "pictures", "state")
    rows = [(e.name, e.kind, e.count("people"), e.count("pictures"), _state(e)) for e in entries]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    right = (False, False, True, True, False)
    lines = [
        "  ".join(cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(row, widths, right, strict=True)).rstrip()
        for row in (head, *rows)
    ]
    return "\n".join(lines)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _state(entry: Entry) -> str:
    return f"{entry.state} {entry.since or ''}".rstrip()


def _year(year: int | None) -> str:
    return f" in {year}" if year else ""


def _row(title: str, text: str) -> str:
    return f"{title:9s}{text}" if not text.startswith("\n") else title + text.replace("\n", "\n" + " " * 9)
