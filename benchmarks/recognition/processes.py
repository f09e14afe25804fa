"""Each measurement in a process of its own; the kinds take turns, so that a busy moment of the machine hits all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence

NO_MEMORY = ("allocate memory", "out of memory", "MemoryError")


def in_turns(
    script: str,
    kinds: Sequence[str],
    classes: int,
    rounds: int,
    arguments: Sequence[object],
    done: Callable[[], object],
) -> dict[str, list[dict[str, float]]]:
    """What ``script --one KIND CLASSES`` prints as JSON, of each kind and round; a kind that does not fit has none.

    ``done`` is called after each process.

    Raises
    ------
    RuntimeError
        A process failed for another reason than memory; with what it printed.
    """
    results: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, found in results.items():
            command = [sys.executable, script, "--one", kind, str(classes), *map(str, arguments)]
            result = subprocess.run(command, capture_output=True, text=True)
            if result.returncode == 0:
                found.append(json.loads(result.stdout))
            elif not any(word in result.stderr for word in NO_MEMORY):
                raise RuntimeError(result.stderr)
            done()
    return results
