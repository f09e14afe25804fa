"""Ctrl-C and SIGTERM: a run ends after the step in hand, and the processes that read pictures leave that to it."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .log import aloud

if TYPE_CHECKING:
    from .loop import Run


@contextlib.contextmanager
def listening(run: Run) -> Iterator[None]:
    """A signal sets ``run.stopped``, which ends it after the step or validation in hand; a second ends it at once."""

    def stop(number: int, frame: Any) -> None:
        if run.stopped:
            raise KeyboardInterrupt
        run.stopped = True
        if run.place.first:
            with contextlib.suppress(RuntimeError):  # the signal came in the middle of a write
                aloud("stopping after this step; Ctrl-C again stops at once")

    try:
        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: signals are somebody else's business
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave_signals(worker: int) -> None:
    """For a process that reads pictures: Ctrl-C reaches it too, and is not its business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
