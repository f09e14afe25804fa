"""Progress bars on stderr: smooth in a terminal, a line every half minute in a log file."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from .files import walk

if TYPE_CHECKING:
    from .align import Summary


def progress_bar(total: int | None, quiet: bool = False) -> Any:
    """A tqdm bar that counts pictures."""
    interval = 0.1 if sys.stderr.isatty() else 30
    return tqdm(total=total, unit=" pictures", disable=quiet, file=sys.stderr, mininterval=interval, smoothing=0.05)


class FolderProgress:
    """Bar of a folder-to-folder run. The pictures are counted meanwhile, so that the end can be foretold.

    It is drawn once the run has begun, and not before an error that keeps it from that.
    """

    def __init__(self, source: str, quiet: bool = False) -> None:
        self.source, self.quiet = source, quiet
        self.bar: Any = None
        self.stopped = False

    def __call__(self, summary: Summary) -> None:
        """Show the state of the run; cheap enough to be called after every picture."""
        if self.bar is None:
            self.bar = progress_bar(None, self.quiet)
            if not self.quiet:
                threading.Thread(target=self._count, daemon=True).start()
        if self.bar.update(summary.pictures - self.bar.n):
            self.bar.set_postfix_str(f"{summary.failed.total() + summary.failed_before:,} failed", refresh=False)

    def close(self) -> None:
        """Leave the bar as it is and free the line below."""
        self.stopped = True
        if self.bar is not None:
            self.bar.close()

    def _count(self) -> None:
        total = 0
        for folder in walk(self.source):
            if self.stopped:
                return
            total += len(folder.pictures) + bool(folder.fault)
        self.bar.total = total
