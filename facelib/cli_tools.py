"""What the commands share."""

from __future__ import annotations

import os

SHOWN = 20  # of many unreadable pictures, those named at the end
INTERRUPTED = 130  # exit code after Ctrl-C


def cores() -> int:
    """CPU cores this process may use; a container or batch system may grant fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def printable(text: str) -> str:
    """Text that any terminal takes: names of files that are no valid Unicode are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()
