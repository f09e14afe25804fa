"""What a run says of itself: a line of JSON for each report, TensorBoard where it is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..folders.files import write_atomically


class Log:
    """``log.jsonl`` in the run's folder. A run that resumes at a step first forgets what lies after it.

    ``due``: the validation of that step is still to come, and is forgotten too if a kill left it.
    """

    def __init__(self, folder: Path, step: int, due: bool = False) -> None:
        self.file = folder / "log.jsonl"
        kept = [line for line in _lines(self.file) if _lies_before(json.loads(line), step, due)]
        write_atomically(self.file, "".join(line + "\n" for line in kept).encode())
        self.board = _board(folder, step)

    @classmethod
    def silent(cls) -> Log:
        """For the other processes of a run: takes everything, writes nothing."""
        log = cls.__new__(cls)
        log.file, log.board = Path(os.devnull), None
        return log

    def write(self, step: int, values: dict[str, Any]) -> None:
        """Append a report. A full disk loses the report, not the run."""
        try:
            with open(self.file, "a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step} | values) + "\n")
        except OSError:
            return
        if self.board is not None:
            for name, value in values.items():
                if isinstance(value, (int, float)):
                    self.board.add_scalar(name, value, step)

    def close(self) -> None:
        if self.board is not None:
            self.board.close()


def read_log(folder: Path) -> list[dict[str, Any]]:
    """All reports of a run."""
    return [json.loads(line) for line in _lines(folder / "log.jsonl")]


def commit() -> str:
    """Commit of the code, "" where it is not a git checkout."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def aloud(text: str) -> None:
    """To stderr, beside a progress bar."""
    tqdm.write(text, file=sys.stderr)


def _lies_before(report: dict[str, Any], step: int, due: bool) -> bool:
    at = report.get("step", 0)
    return at < step or (at == step and not (due and any(name.startswith("validation") for name in report)))


def _lines(file: Path) -> list[str]:
    """Whole lines; one that a kill cut short is left out."""
    try:
        text = file.read_text("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    found = []
    for line in text.splitlines():
        try:
            json.loads(line)
        except ValueError:
            continue
        found.append(line)
    return found


def _board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=step)
