"""Time and memory of an evaluation of IJB-C's size, on made-up embeddings.

    python benchmarks/templates.py               prints a table and writes benchmarks/results/templates.json
    python benchmarks/templates.py --part 0.01   a hundredth of it, as a quick proof; writes nothing

As many pictures, templates, pairs and subjects as IJB-C has (469,375; 23,124; 15,658,489 of which 19,557 are same;
3,531 in two galleries, and 19,593 probes), and a gallery of a million besides. Each stage is a process of its own:

    read      the list of pairs, from a file
    pool      pictures to templates
    1:1       scores of all pairs and TAR at FAR
    1:N       one gallery, probes of both
    million   1,000 probes among 3,531 people and a million distractors

Memory is the largest resident size of the process minus that before the stage, when its inputs were there. Time is wall
time of one thread, of one run.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # before NumPy is imported

import numpy as np  # noqa: E402

from facelib.evaluate import identification, pool, read_pairs, template_identification, template_verification  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "templates.json"
SIZE, BLOCK = 512, 4096
STAGES = ("read", "pool", "1:1", "1:N", "million")
PICTURES, TEMPLATES, PAIRS, SAME, SUBJECTS, PROBES, MILLION = (
    469_375,
    23_124,
    15_658_489,
    19_557,
    3531,
    19_593,
    1_000_000,
)


def vectors(subjects: np.ndarray, seed: int, noise: float) -> np.ndarray:
    """float32 (n, 512) around a direction of each subject, a block at a time; subject -1 is somebody new each time."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((max(1, subjects.max() + 1), SIZE), dtype=np.float32)
    rows = np.empty((len(subjects), SIZE), dtype=np.float32)
    for start in range(0, len(rows), BLOCK):
        who = subjects[start : start + BLOCK]
        rows[start : start + BLOCK] = noise * random.standard_normal((len(who), SIZE), dtype=np.float32)
        rows[start : start + BLOCK] += np.where(who >= 0, 1, 0)[:, None] * centres[who]
    return rows


def pairs(templates: int, subject: np.ndarray, count: int, same: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random templates; of the same pairs, the second is the next template of the subject."""
    random, people = np.random.default_rng(1), int(subject.max()) + 1
    a, b, label = np.empty(count, dtype=np.int32), np.empty(count, dtype=np.int32), np.empty(count, dtype=bool)
    for start in range(0, count, 1 << 16):  # so that making them takes no more memory than they do
        some = slice(start, start + (1 << 16))
        one, other = random.integers(0, templates, (2, len(a[some])), dtype=np.int32)
        genuine = np.arange(start, start + len(one)) < same
        following = one + people
        following[following >= templates] = one[following >= templates] % people  # round to the subject's first
        chance = ~genuine & (subject[one] == subject[other])
        other = np.where(genuine, following, np.where(chance, (other + 1) % templates, other))
        a[some], b[some], label[some] = one, other, subject[one] == subject[other]
    return a, b, label


def write(path: Path, size: dict[str, int], subject: np.ndarray) -> None:
    a, b, label = pairs(size["templates"], subject, size["pairs"], size["same"])
    with open(path, "w") as file:
        for start in range(0, len(a), BLOCK):
            some = slice(start, start + BLOCK)
            rows = zip(a[some].tolist(), b[some].tolist(), label[some].astype(int).tolist(), strict=True)
            file.writelines(f"{first} {second} {same}\n" for first, second, same in rows)


def stage(name: str, part: float) -> tuple[Callable[[], Any], Callable[[Any], dict[str, Any]]]:
    """What is measured, its inputs made, and what to say about the result."""
    size = {k: max(least, int(v * part)) for k, v, least in (
        ("pictures", PICTURES, 400), ("templates", TEMPLATES, 200), ("pairs", PAIRS, 4000), ("same", SAME, 200),
        ("subjects", SUBJECTS, 40), ("probes", PROBES, 100), ("million", MILLION, 2000),
    )}  # fmt: skip
    subject = np.arange(size["templates"]) % size["subjects"]
    if name == "read":
        folder = tempfile.TemporaryDirectory()  # goes with the process
        path = Path(folder.name) / "pairs.txt"
        writer = multiprocessing.Process(target=write, args=(path, size, subject))  # its memory is not ours
        writer.start()
        writer.join()
        file_size = round(path.stat().st_size / 1e6)
        return lambda: (read_pairs(path), folder.cleanup())[0], lambda found: {
            "pairs": len(found[0]),
            "file, MB": file_size,
        }
    if name == "pool":
        template = np.sort(np.random.default_rng(2).integers(0, size["templates"], size["pictures"]))
        medium = np.random.default_rng(3).integers(0, 6, size["pictures"])
        x = vectors(subject[template], 4, 1.5)
        score = np.random.default_rng(5).random(size["pictures"])
        return lambda: pool(x, template, medium, score), lambda found: {"pictures": len(x), "templates": len(found[1])}
    x = vectors(subject, 6, 2.0)
    ids = np.arange(len(x))
    if name == "1:1":
        a, b, label = pairs(size["templates"], subject, size["pairs"], size["same"])
        return lambda: template_verification(x, ids, a, b, label), lambda found: {
            "pairs": len(found.scores),
            "same": int(found.same.sum()),
            "TAR at FAR": {str(far): round(found.tar_at(far), 4) for far in (1e-3, 1e-4, 1e-5, 1e-6)},
        }
    first = ids[: size["subjects"]]
    if name == "1:N":
        gallery, probes = first[::2], ids[-size["probes"] :]
        return (
            lambda: template_identification(x, ids, (gallery, subject[gallery]), (probes, subject[probes])),
            lambda found: _found(found),
        )
    more = vectors(np.full(size["million"], -1), 7, 1.0)
    probes = ids[-min(1000, size["probes"]) :]
    return lambda: identification(x[first], subject[first], x[probes], subject[probes], distractors=more), _found


def _found(report: Any) -> dict[str, Any]:
    return {
        "probes": len(report.mated),
        "people": len(report.people) + report.distractors,
        "rank-1": round(report.rank1, 4),
    }


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measure(name: str, part: float) -> dict[str, Any]:
    run, describe = stage(name, part)
    before, start = peak(), time.perf_counter()
    result = run()
    seconds = time.perf_counter() - start
    beyond, in_all = peak() - before, peak()  # before anything is described
    figures = {
        "s": round(seconds, 1),
        "beyond the inputs (MB)": round(beyond / 1e6),
        "in all (MB)": round(in_all / 1e6),
    }
    return {"stage": name, **describe(result), **figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", type=float, default=1.0, help="share of IJB-C's size (default: 1)")
    parser.add_argument("--one", choices=STAGES, help="one stage in this process")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.part)))
        return
    rows = []
    for name in STAGES:
        command = [sys.executable, __file__, "--one", name, "--part", str(options.part)]
        rows.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))
        print(json.dumps(rows[-1]), flush=True)
    record = {"threads": 1, "size": SIZE, "numpy": np.__version__, "python": platform.python_version(), "rows": rows}
    if options.part == 1:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
