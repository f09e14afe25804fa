"""Processes that are killed, die or hang: no crop is lost or half there, and the run goes on."""

from __future__ import annotations

import importlib
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

import facelib
from facelib.folders.align import align_folder
from facelib.folders.workers import AHEAD, Lost, work
from tests.folders.helpers import ENVIRONMENT, command, crops, report, without_processes


def start(source: Path, target: Path, *, wait_for: int, workers: int = 2) -> subprocess.Popen:
    """A run in its own process group that has just written its first crops."""
    process = subprocess.Popen(
        command(source, target, "--workers", workers),
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    end = time.monotonic() + 120
    while len(list(target.rglob("*.jpg"))) < wait_for:
        if time.monotonic() > end:
            process.kill()  # or the next line would wait for the end of the run
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    return process


@contextmanager
def interrupts_allowed() -> Iterator[None]:
    """A process started meanwhile listens to Ctrl-C, also where these tests run in the background.

    A shell without job control starts ``pytest &`` with Ctrl-C ignored, and whatever pytest starts inherits that.
    """
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


@pytest.mark.parametrize("whole_group", [False, True])
def test_kill_and_resume(many: Path, undisturbed: Path, tmp_path: Path, whole_group: bool) -> None:
    """kill -9 at a random moment; nothing partial has a final name, and the resumed run ends the same."""
    process = start(many, tmp_path, wait_for=random.randint(1, 20))
    os.killpg(process.pid, signal.SIGKILL) if whole_group else process.kill()
    process.wait()
    expected = crops(undisturbed)
    halfway = {name: data for name, data in crops(tmp_path).items() if not name.endswith(".part")}
    assert 0 < len(halfway) < 60
    assert all(expected[name] == data for name, data in halfway.items())
    (tmp_path / "n1").mkdir(exist_ok=True)
    (tmp_path / "n1/.facelib-1-abc.part").write_bytes(b"left over")
    with open(tmp_path / "align_report.jsonl", "ab") as file:
        file.write(b'{"file": "n2/wa')  # killed in the middle of a line
    with pytest.MonkeyPatch.context() as patch:
        without_processes(patch)
        summary = align_folder(many, tmp_path)
    assert summary.present >= len(halfway) and summary.pictures == 63
    assert crops(tmp_path) == expected
    assert report(tmp_path) == report(undisturbed)


def test_ctrl_c_finishes_cleanly(many: Path, undisturbed: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for k in range(100):  # minutes of work, so that the run cannot end before the signal comes
        (source / f"{k:02d}").symlink_to(many)
    with interrupts_allowed():
        process = start(source, target, wait_for=3, workers=1)
    try:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to the workers too
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130 and "Traceback" not in errors, errors
    assert "aligned" in errors and "the same command goes on from here" in errors
    expected, written = crops(undisturbed), crops(target)
    assert 3 <= len(written) < 6000
    for name, data in written.items():
        assert expected.get(name.partition("/")[2]) == data, f"{name}: a temporary or partial file is left"


def test_a_killed_worker_costs_nothing(many: Path, undisturbed: Path, tmp_path: Path) -> None:
    """As the out-of-memory killer does it: its picture is tried again, and all others go on."""
    psutil = pytest.importorskip("psutil")
    process = start(many, tmp_path, wait_for=5)
    workers = [p for p in psutil.Process(process.pid).children() if "spawn_main" in " ".join(p.cmdline())]
    assert len(workers) == 2
    workers[0].kill()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0 and "60 aligned, 3 failed (3 no face)" in errors, errors
    assert crops(tmp_path) == crops(undisturbed)


CRAFTED = """
import os, time
from facelib.errors import FaceLibError

def handle(items):
    for item in items:
        if item == "die":
            os._exit(9)
        if item == "die once" and not os.path.exists("died"):
            open("died", "w").close()
            os._exit(9)
        if item == "hang":
            time.sleep(1000)
    return [str(item).upper() for item in items]

def setup():
    return handle

def no_weights():
    raise FaceLibError("the weights are gone")

def dies():
    os._exit(3)
"""


@pytest.fixture
def crafted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    (tmp_path / "crafted_handlers.py").write_text(CRAFTED)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "crafted_handlers", raising=False)
    return importlib.import_module("crafted_handlers")


@pytest.mark.parametrize("batch", [1, 4])
def test_items_that_kill_or_hang(crafted: ModuleType, batch: int) -> None:
    items = ["a", "b", "die", "c", "d", "die once", "e", "hang", "f", "g"]
    results = dict(work(items, crafted.setup, workers=2, batch=batch, seconds=0.5))
    assert set(results) == set(items)
    assert {item: result.reason for item, result in results.items() if isinstance(result, Lost)} == {
        "die": "worker died",
        "hang": "timed out",
    }
    assert "exit code 9" in results["die"].detail and "0.5 s" in results["hang"].detail
    assert all(results[item] == item.upper() for item in items if item not in ("die", "hang"))


def test_items_are_drawn_as_needed(crafted: ModuleType) -> None:
    drawn = itertools.count()
    results = work((f"{next(drawn)}" for _ in range(10**9)), crafted.setup, workers=2)
    for _ in range(50):
        next(results)
    results.close()  # type: ignore[attr-defined]
    assert next(drawn) <= 50 + 2 * AHEAD + 2


def test_workers_that_cannot_start(crafted: ModuleType) -> None:
    with pytest.raises(facelib.FaceLibError, match="the weights are gone"):
        list(work(["a"], crafted.no_weights, workers=2))
    with pytest.raises(facelib.FaceLibError, match="end while they start .*exit code 3"):
        list(work(["a"], crafted.dies, workers=1))
    assert list(work([], crafted.dies)) == [], "no process is started for nothing"
