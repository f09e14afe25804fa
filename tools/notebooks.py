"""Keep the lessons' notebooks equal to their .py twins, and their outputs and times fresh.

    python tools/notebooks.py sync        write each .ipynb from its .py twin, keeping outputs that still fit
    python tools/notebooks.py run         sync, execute every lesson, store its outputs and its time
    python tools/notebooks.py run 01 04   the same for some of them
    python tools/notebooks.py check       change nothing; exit 1 if a pair differs

The .py twin (jupytext, py:percent) is what people edit and review. A lesson is executed in an empty folder
and on two CPU cores; its seconds go to facelib/lessons.json and, rounded up to the next five, to the time
line of the lesson's first cell: ``**Time** about 20 s to run on two CPU cores``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
TIME_LINE = re.compile(r"\*\*Time\*\* about (\d+) s to run on two CPU cores")
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {
    "name": "python",
    "pygments_lexer": "ipython3",
}  # without the version: it changes with the machine
NOISE = (
    "execution",
    "ExecuteTime",
    "collapsed",
    "scrolled",
    "lines_to_next_cell",
)  # says nothing of the content
CELL_SECONDS = 180


def twins(root: Path = ROOT, names: Sequence[str] = ()) -> list[Path]:
    """Return the .py twins, all or those whose file name begins with one of ``names``."""
    found = sorted((root / "notebooks").glob("[0-9][0-9]_*.py"))
    chosen = [path for path in found if not names or path.stem.startswith(tuple(names))]
    unused = [name for name in names if not any(path.stem.startswith(name) for path in found)]
    if unused or not chosen:
        raise SystemExit(f"no lesson begins with {', '.join(unused) or 'two digits in notebooks/'}")
    return chosen


def tidy(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook with fixed kernel and language, cell ids made from sources, no run traces."""
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        for key in NOISE:
            cell.metadata.pop(key, None)
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]
        seen[digest] = seen.get(digest, 0) + 1
        cell["id"] = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
    kept = {"formats": "ipynb,py:percent"}
    notebook.metadata = NotebookNode(jupytext=kept, kernelspec=dict(KERNEL), language_info=dict(LANGUAGE))
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def read_pair(twin: Path) -> NotebookNode:
    """Return the notebook of a .py twin with the stored outputs of the cells whose source has not changed."""
    fresh = tidy(jupytext.read(twin))
    stored = twin.with_suffix(".ipynb")
    if stored.exists():
        old = nbformat.read(stored, as_version=4)
        outputs = {(cell.cell_type, cell.source): cell for cell in old.cells if cell.cell_type == "code"}
        for cell in fresh.cells:
            match = outputs.get((cell.cell_type, cell.source))
            if match is not None:
                cell.outputs, cell.execution_count = match.outputs, match.execution_count
    return fresh


def differences(twin: Path) -> list[str]:
    """Return one line for each cell whose type, source, tags or other metadata differ between the twins."""
    stored = twin.with_suffix(".ipynb")
    if not stored.exists():
        return [f"{stored.name}: missing"]
    left, right = tidy(jupytext.read(twin)), tidy(nbformat.read(stored, as_version=4))
    lines = [f"{twin.stem}: {len(left.cells)} cells in .py, {len(right.cells)} in .ipynb"]
    lines = lines if len(left.cells) != len(right.cells) else []
    for number, (a, b) in enumerate(zip(left.cells, right.cells, strict=False)):
        lines += [
            f"{twin.stem}: cell {number}: {part} differs"
            for part in ("cell_type", "source", "metadata")
            if a[part] != b[part]
        ]
    return lines


def write(notebook: NotebookNode, path: Path) -> None:
    """Write the notebook where it differs from what is stored, through a temporary file."""
    nbformat.validate(notebook)
    text = nbformat.writes(notebook) + "\n"
    if not path.exists() or path.read_text("utf-8") != text:
        part = path.with_name(path.name + ".part")
        part.write_text(text, "utf-8")
        part.replace(path)


def execute(notebook: NotebookNode) -> float:
    """Run the notebook in an empty folder, in place; return the seconds; raise CellExecutionError."""
    with tempfile.TemporaryDirectory() as empty:
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": empty}},
        )
        start = time.perf_counter()
        client.execute()
        return time.perf_counter() - start


def rounded(seconds: float) -> int:
    """Return the seconds of the time line: rounded up to the next five."""
    return 5 * math.ceil(seconds / 5)


def record(twin: Path, seconds: float, root: Path = ROOT) -> int:
    """Store the seconds in lessons.json and the twin's time line; return what the line says.

    A time that rounds to what is written already leaves both files alone, so that a refresh makes no noise.
    """
    path = root / "facelib" / "lessons.json"
    lessons: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))
    lesson = next((lesson for lesson in lessons if lesson["file"] == twin.stem), None)
    if lesson is None:
        raise SystemExit(f"{twin.stem} is not in facelib/lessons.json")
    if lesson["seconds"] is None or rounded(lesson["seconds"]) != rounded(seconds):
        lesson["seconds"] = round(seconds, 1)
        rows = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in lessons)
        path.write_text(f"[\n{rows}\n]\n", "utf-8")
    text = twin.read_text("utf-8")
    line = TIME_LINE.sub(f"**Time** about {rounded(lesson['seconds'])} s to run on two CPU cores", text, count=1)
    if line != text:
        twin.write_text(line, "utf-8")
    return rounded(lesson["seconds"])


def run(names: Sequence[str], root: Path = ROOT) -> int:
    """Execute lessons one after the other; return 1 if one failed, whose stored outputs then stay."""
    failed = 0
    for twin in twins(root, names):
        notebook = read_pair(twin)
        print(f"{twin.stem} ...", end=" ", flush=True)
        try:
            seconds = execute(notebook)
        except CellExecutionError as error:
            print(f"failed\n{error}", flush=True)
            failed = 1
            continue
        shown = record(twin, seconds, root)
        notebook.cells[0].source = jupytext.read(twin).cells[0].source  # with the refreshed time line
        write(tidy(notebook), twin.with_suffix(".ipynb"))
        print(f"{seconds:.1f} s (time line: {shown} s)", flush=True)
    return failed


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("sync", "run", "check"))
    parser.add_argument("names", nargs="*", help="lessons, by the beginning of their file names; default all")
    options = parser.parse_args()
    if options.command == "run":
        if hasattr(os, "sched_setaffinity"):  # Linux only; kernels inherit it
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
        return run(options.names)
    chosen = twins(ROOT, options.names)
    if options.command == "sync":
        for twin in chosen:
            write(read_pair(twin), twin.with_suffix(".ipynb"))
        return 0
    lines = [line for twin in chosen for line in differences(twin)]
    print("\n".join(lines) or f"{len(chosen)} pairs agree")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
