"""Align a data set: a folder of pictures to a folder of crops with the same structure, however many there are.

A run may be interrupted at any moment and started again. What exists in the target is complete and is skipped;
what failed stands in a report, one JSON object a line, and is skipped too unless a retry is asked for.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import FaceLibError
from .aligner import DISK_FULL, Aligner, AlignSettings, Outcome, Picture
from .files import Folder, finished_files, make_folder, walk, write_atomically
from .report import Report
from .words import counted
from .workers import Lost, work

REPORT = "align_report.jsonl"
SETTINGS = "align_settings.json"


@dataclass
class Summary:
    """Counts of a run, kept up to date while it goes on. Pictures, except for ``crops`` and ``others``."""

    aligned: int = 0
    crops: int = 0
    present: int = 0  # aligned by an earlier run
    failed_before: int = 0  # in the report of an earlier run
    failed: Counter[str] = field(default_factory=Counter)  # by reason
    others: int = 0  # files that are no pictures
    started: float = field(default_factory=time.monotonic)

    @property
    def pictures(self) -> int:
        """Pictures dealt with so far, whether by this run or an earlier one."""
        return self.aligned + self.present + self.failed_before + self.failed.total()

    @property
    def rate(self) -> float:
        """Pictures a second that this run has put through the detector."""
        return (self.aligned + self.failed.total()) / max(time.monotonic() - self.started, 1e-9)

    def line(self, report: str) -> str:
        """The closing line; names the report if it lists anything."""
        parts = [f"{self.aligned:,} aligned"]
        if self.crops != self.aligned:
            parts[0] += f" ({counted(self.crops, 'crop')})"
        if self.present:
            parts.append(f"{self.present:,} there already")
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(self.failed.items()))
        parts.append(f"{self.failed.total():,} failed" + (f" ({reasons})" if reasons else ""))
        if self.failed_before:
            parts.append(f"{self.failed_before:,} failed before (--retry tries them again)")
        parts += [counted(self.others, "other file"), f"{self.rate:.1f} pictures/s"]
        where = f"; see {report}" if self.failed or self.failed_before else ""
        return f"{counted(self.pictures, 'picture')}: {', '.join(parts)}{where}"


def align_folder(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    settings: AlignSettings | None = None,
    *,
    workers: int = 1,
    batch: int = 1,
    retry: bool = False,
    report: str | os.PathLike[str] | None = None,
    seconds: float = 300,
    summary: Summary | None = None,
    progress: Callable[[Summary], object] = lambda summary: None,
) -> Summary:
    """Align every picture below ``source`` into the same place below ``target``.

    Parameters
    ----------
    source, target : paths of folders
        Neither inside the other.
    settings : AlignSettings
    workers : int
        Processes, each with a detector of its own and one thread.
    batch : int
        Pictures that a detector sees at once. More than 1 suits a GPU; the last bit of a crop may then depend on
        its neighbours.
    retry : bool
        Try again what the report lists, with a new report.
    report : path
        Default: ``align_report.jsonl`` in the target.
    seconds : float
        Time limit for one picture.
    summary : Summary
        Filled while the run goes on, so that the caller of an interrupted run has its counts.
    progress : callable
        Called with the summary after every picture.

    Raises
    ------
    FaceLibError
        When folders or settings do not fit, another run is writing to the target, or the disk is full. Single
        pictures never raise; they are in the report.
    """
    settings, summary = settings or AlignSettings(), summary or Summary()
    source, target = Path(source), Path(target)
    _check_folders(source, target)
    try:
        make_folder(target)
        crop = {key: asdict(settings)[key] for key in ("size", "choose", "format")}
        check_settings(target / SETTINGS, crop)
        with Report(Path(report) if report else target / REPORT, fresh=retry) as failures:
            pictures = outstanding(source, target, settings, failures, summary, progress)
            setup = functools.partial(Aligner, source, target, settings)
            for picture, outcome in work(pictures, setup, workers=workers, batch=batch, seconds=seconds):
                _count(picture, outcome, failures, summary)
                progress(summary)
    except OSError as error:
        raise FaceLibError(_stop_message(target, error, begun=summary.pictures > 0)) from error
    return summary


def outstanding(
    source: Path,
    target: Path,
    settings: AlignSettings,
    failures: Report,
    summary: Summary,
    progress: Callable[[Summary], object],
) -> Iterator[Picture]:
    """Pictures without crops, folder by folder in sorted order; the others are counted."""
    for folder in walk(source):
        summary.others += folder.others
        if folder.fault and folder.path in failures:
            summary.failed_before += 1
        elif folder.fault:
            failures.add(folder.path, "unreadable", folder.fault)
            summary.failed["unreadable"] += 1
        finished = finished_files(target / folder.path) if folder.pictures else set()
        for picture in planned_crops(folder, settings):
            if os.path.basename(picture.crop) in finished:
                summary.present += 1
            elif picture.file in failures:
                summary.failed_before += 1
            else:
                yield picture
        progress(summary)


def planned_crops(folder: Folder, settings: AlignSettings) -> list[Picture]:
    """Where the crop of each picture of a folder goes.

    A crop takes its picture's name with the new extension. Pictures for which that name would be the same, as
    a.jpg and a.png, keep their own extension too: a.jpg.jpg and a.png.jpg. Upper and lower case count as the same,
    as they are on some disks. With ``choose="all"`` crops are numbered, a_0.jpg, a_1.jpg, and the one listed here
    is number 0, which is written last.
    """
    stems = {name: os.path.splitext(name)[0] for name in folder.pictures}
    while True:
        count = Counter(stem.casefold() for stem in stems.values())
        clashing = [name for name, stem in stems.items() if stem != name and count[stem.casefold()] > 1]
        if not clashing:
            break
        stems.update((name, name) for name in clashing)
    suffix = "_0" if settings.choose == "all" else ""
    return [
        Picture(folder.join(name), folder.join(f"{stem}{suffix}.{settings.format}")) for name, stem in stems.items()
    ]


def _count(picture: Picture, outcome: Outcome | Lost, failures: Report, summary: Summary) -> None:
    if not outcome.reason:
        summary.aligned += 1
        summary.crops += outcome.crops  # type: ignore[union-attr]
        return
    if outcome.reason == DISK_FULL:
        raise OSError(errno.ENOSPC, outcome.detail)
    failures.add(picture.file, outcome.reason, outcome.detail)
    summary.failed[outcome.reason] += 1


def _check_folders(source: Path, target: Path) -> None:
    if not source.is_dir():
        what = "is not a folder" if source.exists() else "no such folder"
        raise FaceLibError(f"{source}: {what}; SOURCE is the folder that holds the pictures")
    inside, outside = source.resolve(), target.resolve()
    if outside.is_relative_to(inside) or inside.is_relative_to(outside):
        raise FaceLibError(
            f"{target}: SOURCE and TARGET must not contain each other, or crops would be taken for pictures;"
            f" choose a folder beside it, for example {inside.parent / (inside.name + '_align')}"
        )


def check_settings(path: Path, now: dict[str, Any]) -> None:
    """One target, one kind of picture: a second among the first would only be noticed in training.

    The first run writes the file ``path``, later ones compare it with theirs.

    Raises
    ------
    FaceLibError
        The folder was made with other settings; says which.
    OSError
        The file cannot be read or written.
    """
    try:
        before: Any = json.loads(path.read_bytes())
    except FileNotFoundError:
        write_atomically(path, json.dumps(now).encode())
        return
    except ValueError:
        before = "settings that cannot be read"
    if before != now:
        known = before if isinstance(before, dict) else {}
        old = {key: value for key, value in known.items() if now.get(key) != value}
        new = {key: value for key, value in now.items() if known.get(key) != value}
        raise FaceLibError(
            f"{path}: this folder was made with {old or before}, and now it is {new};"
            " use another TARGET or the old settings"
        )


def _stop_message(target: Path, error: OSError, begun: bool) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"{target}: the disk is full. All crops written so far are complete; free some space and run the same"
            " command again, it goes on from here"
        )
    end = "the run stopped, what is written is complete" if begun else "no crop was written; choose another place"
    return f"{error.filename or target}: {error.strerror or error}; {end}"
