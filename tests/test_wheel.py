"""A lesson needs only the installed package: build and install the wheel, run lesson 00 in an empty folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from tools import notebooks

pytestmark = [pytest.mark.course, pytest.mark.slow]

ROOT = Path(__file__).resolve().parent.parent
LESSON = "00_five_minutes"


def call(*command: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run a command and return its output; show everything it said when it fails."""
    done = subprocess.run(command, cwd=cwd, env=env, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy, where no earlier build leaves files behind."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, source / name)
    shutil.copytree(ROOT / "facelib", source / "facelib", ignore=shutil.ignore_patterns("__pycache__"))
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", str(source), cwd=source)
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel alone into a folder outside the repository."""
    target = tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index")
    call(*pip, "--target", str(target), str(wheel), cwd=target)
    assert ROOT not in target.parents
    return target


def test_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "facelib"
    ours = {
        path.relative_to(ROOT).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"facelib/py.typed", "facelib/lessons.json"} <= names
    assert any(name.startswith("facelib/samples/") for name in names)
    assert sorted(ours - names) == []
    assert [name for name in names - ours if ".dist-info/" not in name] == []


def test_lesson_runs_in_an_empty_folder(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    where = "import facelib; print(facelib.__file__)"
    found = call(sys.executable, "-c", where, cwd=tmp_path, env=dict(os.environ)).strip()
    assert installed in Path(found).parents

    lesson = nbformat.read(ROOT / "notebooks" / f"{LESSON}.ipynb", as_version=4)
    check = f"import facelib, sys; assert facelib.__file__.startswith({str(installed)!r}), facelib.__file__"
    no_repository = f"assert not [p for p in sys.path if p == {str(ROOT)!r}], sys.path"
    lesson.cells.append(nbformat.v4.new_code_cell(f"{check}\n{no_repository}\nprint('from the wheel')"))
    notebooks.execute(lesson)
    assert lesson.cells[-1].outputs[0].text == "from the wheel\n"
