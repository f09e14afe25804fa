"""Gather the recorded runs in runs/ into one file of the package, from which lesson 10 draws its curves.

    python tools/runs.py          write facelib/records/runs.json
    python tools/runs.py check    change nothing; exit 1 if the file is not what runs/ says

A recorded run is the folder that ``facelib train --out runs/NAME`` leaves; git keeps of it what is small: recipe.toml,
run.json and log.jsonl. The gathered log is thinned to at most 200 reports, each the mean of those it stands for;
validations are kept as they are.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
GATHERED = Path("facelib") / "records" / "runs.json"
MOST = 200
FIGURES = ("loss", "accuracy", "gradient", "rate", "images/s")


def gather(root: Path = ROOT) -> dict[str, Any]:
    """Every run with its record, thinned reports and validations, by name."""
    runs = {}
    for file in sorted((root / "runs").glob("*/run.json")):
        log = [json.loads(line) for line in (file.parent / "log.jsonl").read_text("utf-8").splitlines()]
        runs[file.parent.name] = {
            "record": json.loads(file.read_text("utf-8")),
            "reports": thinned([row for row in log if "loss" in row]),
            "validations": [row for row in log if "loss" not in row],
        }
    return {"runs": runs}


def thinned(rows: Sequence[dict[str, float]], most: int = MOST) -> list[dict[str, float]]:
    """At most so many reports: runs of equal length, each by its last step and the mean of its figures."""
    length = -(-len(rows) // most)
    parts = [rows[start : start + length] for start in range(0, len(rows), length or 1)]
    return [
        {"step": part[-1]["step"]}
        | {name: float(f"{sum(row[name] for row in part) / len(part):.4g}") for name in FIGURES}
        for part in parts
    ]


def text(root: Path = ROOT) -> str:
    """What the gathered file should hold."""
    return json.dumps(gather(root), indent=0) + "\n"


def main(arguments: Sequence[str] = sys.argv[1:]) -> int:
    if list(arguments) not in ([], ["check"]):
        print(__doc__)
        return 2
    file, wanted = ROOT / GATHERED, text()
    if arguments:
        fresh = file.exists() and file.read_text("utf-8") == wanted
        print(f"{GATHERED} {'is' if fresh else 'is not'} what runs/ says")
        return 0 if fresh else 1
    file.write_text(wanted, "utf-8")
    print(f"{GATHERED}: {len(gather()['runs'])} runs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
