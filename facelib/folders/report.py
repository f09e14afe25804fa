"""A report that grows by a line at a time and survives a killed run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import TracebackType

from ..errors import FaceLibError
from .files import make_folder


class Report:
    """Files that failed: JSON lines {"file", "reason", "detail"}. In memory are only the names it lists.

    A last line that a killed run left half-written is removed. While it is open, a second run that opens the same
    report is refused (not on Windows).

    Parameters
    ----------
    path : Path
        Made with its folder if it does not exist.
    fresh : bool
        Forget what it lists.

    Raises
    ------
    FaceLibError
        When another run has it open.
    OSError
        When it cannot be made.
    """

    def __init__(self, path: Path, fresh: bool = False) -> None:
        make_folder(path.parent)
        self.path = path
        self.file = open(path, "a+b", buffering=0)  # noqa: SIM115  closed by __exit__
        try:
            self._lock()
            if fresh:
                self.file.truncate(0)
            self.names = self._read()
        except BaseException:
            self.file.close()
            raise

    def _lock(self) -> None:
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FaceLibError(
                    f"{self.path}: another run is writing to it; wait for its end, or choose another TARGET"
                ) from None
            except OSError:  # a network disk without locks
                pass

    def _read(self) -> set[str]:
        names, whole = set(), 0
        self.file.seek(0)
        with open(self.path, "rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                try:
                    names.add(json.loads(line)["file"])
                except (ValueError, KeyError, TypeError):  # somebody's note between our lines
                    continue
        self.file.truncate(whole)
        return names

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def add(self, name: str, reason: str, detail: str) -> None:
        """Append a line; names that are no valid Unicode are escaped and read back as they were."""
        line = json.dumps({"file": name, "reason": reason, "detail": detail})
        data = memoryview(line.encode() + b"\n")
        while data:
            data = data[self.file.write(data) :]

    def __enter__(self) -> Report:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()
