"""The lists of IJB-B and IJB-C, as insightface's scripts read them, into arrays.

The pictures must be asked for from NIST; the lists come in a folder ``meta`` beside them (``ijbb_...`` for IJB-B, whose
galleries are called S1 and S2)::

    ijbc_face_tid_mid.txt          name template medium                        227630.jpg 101 5203
    ijbc_name_5pts_score.txt       name, 5 times x y, detector's score         the same names in the same order
    ijbc_template_pair_label.txt   template template label                     1 for same, 0 for different
    ijbc_1N_gallery_G1.csv         template,subject,... under one line of column names; G2 the same
    ijbc_1N_probe_mixed.csv        the same

A *template* is what is compared: all pictures of one person that were seen at one occasion. A *medium* is a photograph
or a video, of whose many frames none should outweigh a photograph.

Source of the layouts: ``ijb_1n.py`` and ``ijb_onnx.py`` in ``recognition/_evaluation_/ijb`` of
github.com/deepinsight/insightface. Of the .csv files these scripts read the first two columns of every line but the
first; so does ``read_subjects``, which ignores whatever follows them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..errors import FaceLibError

CHUNK = 1 << 24
"""Bytes of a list that are read at once."""

LINE = 1 << 16
"""A longer line is none of a list."""

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]
File = str | os.PathLike[str]


def read_media(path: File) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names of N pictures, int64 (N,) their templates, int64 (N,) their media.

    Raises
    ------
    FaceLibError
        A file that cannot be read; a line that is not a name and two numbers, with its number.
    """
    names, numbers = [], []
    for line, words in _lines(path):
        if len(words) != 3:
            raise _broken(path, line, words, "name template medium")
        names.append(words[0])
        numbers.append(_whole(path, line, words, words[1:]))
    table = np.array(numbers, dtype=np.int64).reshape(-1, 2)
    return names, table[:, 0].copy(), table[:, 1].copy()


def read_landmarks(path: File) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names of N pictures, float32 (N, 5, 2) landmarks for ``facelib.align``, float32 (N,) the detector's scores.

    Raises
    ------
    FaceLibError
        A file that cannot be read; a line that is not a name and eleven finite numbers, with its number.
    """
    names, rows = [], []
    for line, words in _lines(path):
        try:
            row = [float(word) for word in words[1:]]
        except ValueError:
            row = []
        if len(row) != 11 or not np.isfinite(row).all():
            raise _broken(path, line, words, "name, x y of 5 landmarks, score")
        names.append(words[0])
        rows.append(row)
    table = np.array(rows, dtype=np.float32).reshape(-1, 11)
    return names, table[:, :10].reshape(-1, 5, 2).copy(), table[:, 10].copy()


def read_pairs(path: File) -> Pairs:
    """int32 (P,) first and second templates, bool (P,) whether they show one person.

    IJB-C has 15.7 million pairs. They are read 16 MB at a time and take 9 bytes each in the end.

    Raises
    ------
    FaceLibError
        A file that cannot be read; a line that is not two templates and 0 or 1, with its number.
    """
    tables, line = [], 0
    for chunk in _chunks(path):
        table = _table(chunk)
        if table is None:  # something is odd: find out what, line by line
            table = np.array(list(_pair_lines(path, chunk, line)), dtype=np.int64).reshape(-1, 3)
        tables.append((table[:, :2].astype(np.int32), table[:, 2] == 1))
        line += chunk.count(b"\n")
    pairs = np.concatenate([pair for pair, _ in tables] or [np.empty((0, 2), dtype=np.int32)])
    same = np.concatenate([kind for _, kind in tables] or [np.empty(0, dtype=bool)])
    return pairs[:, 0], pairs[:, 1], same


def read_subjects(path: File) -> tuple[np.ndarray, np.ndarray]:
    """int64 (T,) templates of a gallery or of the probes, rising, and int64 (T,) whom they show.

    Raises
    ------
    FaceLibError
        A file that cannot be read; a line that does not begin with two numbers and commas, or a template with two
        subjects, with the line's number.
    """
    subjects: dict[int, int] = {}
    for line, words in _lines(path, ","):
        if line == 1:
            if words[0].strip().isdecimal():
                raise _broken(path, line, words, "the names of the columns, template,subject,...")
            continue
        template, subject = _whole(path, line, words, words[:2])
        if subjects.setdefault(template, subject) != subject:
            raise FaceLibError(
                f"{path}, line {line}: template {template} shows subject {subject}, but further up"
                f" {subjects[template]}: the file is damaged, take a fresh copy"
            )
    templates = np.array(sorted(subjects), dtype=np.int64)
    return templates, np.array([subjects[template] for template in templates.tolist()], dtype=np.int64)


@dataclass(frozen=True, eq=False, repr=False)
class Ijb:
    """IJB-B or IJB-C without its pictures.

    Attributes
    ----------
    folder : Path
        Where the lists are.
    prefix : "ijbb" or "ijbc"
    names : list of str
        N pictures, in ``loose_crop`` beside the lists.
    templates, media : int64 (N,)
    landmarks : float32 (N, 5, 2)
    scores : float32 (N,)
        The detector's, a weight for ``pool``.
    """

    folder: Path
    prefix: str
    names: list[str]
    templates: np.ndarray
    media: np.ndarray
    landmarks: np.ndarray
    scores: np.ndarray

    @cached_property
    def pairs(self) -> Pairs:
        """As of ``read_pairs``, read when first asked for."""
        return read_pairs(self.folder / f"{self.prefix}_template_pair_label.txt")

    @cached_property
    def galleries(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """The two galleries, whose people are not the same ones, each as of ``read_subjects``."""
        names = ("S1", "S2") if self.prefix == "ijbb" else ("G1", "G2")
        return {name: read_subjects(self.folder / f"{self.prefix}_1N_gallery_{name}.csv") for name in names}

    @cached_property
    def probes(self) -> tuple[np.ndarray, np.ndarray]:
        """As of ``read_subjects``: templates of the people of both galleries."""
        return read_subjects(self.folder / f"{self.prefix}_1N_probe_mixed.csv")

    def __repr__(self) -> str:
        return f"<{self.prefix}: {len(self.names)} pictures, {len(np.unique(self.templates))} templates>"


def read_ijb(folder: File) -> Ijb:
    """The lists of ``folder``, which is ``meta`` or what contains it.

    Raises
    ------
    FaceLibError
        No lists there, broken lines, or two lists that do not name the same pictures in the same order.
    """
    places = (Path(folder), Path(folder) / "meta")
    found = [(place, p) for place in places for p in ("ijbc", "ijbb") if (place / f"{p}_face_tid_mid.txt").is_file()]
    if not found:
        raise FaceLibError(f"{folder}: neither ijbc_face_tid_mid.txt nor ijbb_face_tid_mid.txt in it or in its meta")
    place, prefix = found[0]
    names, templates, media = read_media(place / f"{prefix}_face_tid_mid.txt")
    others, landmarks, scores = read_landmarks(place / f"{prefix}_name_5pts_score.txt")
    if names != others:
        differ = (k for k, (a, b) in enumerate(zip(names, others, strict=False), 1) if a != b)
        line = next(differ, min(len(names), len(others)) + 1)
        raise FaceLibError(
            f"{place}: from line {line} on {prefix}_face_tid_mid.txt and {prefix}_name_5pts_score.txt do not name the"
            " same pictures: take both from one copy"
        )
    return Ijb(place, prefix, names, templates, media, landmarks, scores)


def _chunks(path: File) -> Iterator[bytes]:
    """The file in pieces, each of whole lines with their ends."""
    rest = b""
    try:
        with open(path, "rb") as file:
            while data := file.read(CHUNK):
                whole, newline, rest = (rest + data).rpartition(b"\n")
                if len(rest) > LINE:
                    raise FaceLibError(f"{path}: a line of more than {LINE:,} bytes; is it a list?")
                if newline:
                    yield whole + newline
    except OSError as error:
        raise FaceLibError(f"{path}: cannot be read ({error.strerror or error})") from error
    if rest:
        yield rest + b"\n"


def _lines(path: File, separator: str | None = None) -> Iterator[tuple[int, list[str]]]:
    """Number and words of each line that is not empty."""
    before = 0
    for chunk in _chunks(path):
        yield from _words(path, chunk, before, separator)
        before += chunk.count(b"\n")


def _words(path: File, chunk: bytes, before: int, separator: str | None) -> Iterator[tuple[int, list[str]]]:
    for line, data in enumerate(chunk.split(b"\n"), before + 1):
        try:
            text = data.decode().strip()
        except UnicodeDecodeError as error:
            raise FaceLibError(f"{path}, line {line}: no text ({error.reason}); take a fresh copy") from error
        if text:
            yield line, text.split(separator)


def _table(chunk: bytes) -> np.ndarray | None:
    """int64 (lines, 3) if every line is digits, blank, digits, blank, 0 or 1; else None."""
    data = np.frombuffer(chunk, dtype=np.uint8)
    breaks = np.flatnonzero((data < ord("0")) | (data > ord("9")))  # must go blank, blank, newline
    digits = np.diff(breaks, prepend=-1) - 1
    if len(breaks) % 3 or digits.min() < 1 or digits.max() > 9 or digits[2::3].max() > 1:
        return None
    if (data[breaks].reshape(-1, 3) != np.frombuffer(b"  \n", dtype=np.uint8)).any():
        return None
    table = np.fromstring(chunk.decode(), dtype=np.int64, sep=" ").reshape(-1, 3)
    return table if table[:, 2].max() <= 1 else None


def _pair_lines(path: File, chunk: bytes, before: int) -> Iterator[list[int]]:
    for line, words in _words(path, chunk, before, None):
        if len(words) != 3 or words[2] not in ("0", "1"):
            raise _broken(path, line, words, "template template label, the label 0 or 1")
        yield _whole(path, line, words, words)


def _whole(path: File, line: int, words: list[str], chosen: list[str]) -> list[int]:
    chosen = [word.strip() for word in chosen]
    if len(chosen) < 2 or not all(word.isascii() and word.isdecimal() and len(word) <= 9 for word in chosen):
        raise _broken(path, line, words, "whole numbers for templates, media and subjects")
    return [int(word) for word in chosen]


def _broken(path: File, line: int, words: list[str], expected: str) -> FaceLibError:
    found = " ".join(words)
    found = found if len(found) <= 60 else found[:60] + "..."
    return FaceLibError(f"{path}, line {line}: {found!r}; expected {expected}: take a fresh copy of the list")
