"""The repository's own commands, each on a small project made for the test."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tools import address, lock, notebooks

pytestmark = pytest.mark.course

ROOT = Path(__file__).resolve().parent.parent
LESSON = """\
# %% [markdown]
# # A lesson
# **Time** about 5 s to run on two CPU cores

# %% tags=["hide-input"]
import time
print("two", 1 + 1)

# %%
def double(x):
    return 2 * x


# %% [markdown]
# A remark.

# %%
double(21)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project with one lesson pair."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "facelib").mkdir()
    (tmp_path / "notebooks" / "00_try.py").write_text(LESSON, "utf-8")
    rows = [{"number": "00", "file": "00_try", "title": "Try", "ready": True, "seconds": None, "needs": []}]
    (tmp_path / "facelib" / "lessons.json").write_text(json.dumps(rows), "utf-8")
    return tmp_path


def stored(project: Path) -> nbformat.NotebookNode:
    return nbformat.read(project / "notebooks" / "00_try.ipynb", as_version=4)


def test_sync_keeps_outputs_of_unchanged_cells_only(project: Path) -> None:
    twin = project / "notebooks" / "00_try.py"
    assert notebooks.differences(twin) == ["00_try.ipynb: missing"]
    notebooks.write(notebooks.read_pair(twin), twin.with_suffix(".ipynb"))
    assert notebooks.differences(twin) == []

    old = stored(project)
    for cell in old.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [nbformat.v4.new_output("stream", text="kept")], 1
    nbformat.write(old, twin.with_suffix(".ipynb"))
    twin.write_text(LESSON.replace("double(21)", "double(22)"), "utf-8")
    assert notebooks.differences(twin) == ["00_try: cell 4: source differs"]
    notebooks.write(notebooks.read_pair(twin), twin.with_suffix(".ipynb"))
    assert notebooks.differences(twin) == []
    code = [cell for cell in stored(project).cells if cell.cell_type == "code"]
    assert [len(cell.outputs) for cell in code] == [1, 1, 0]


def test_differences_sees_tags_and_cells(project: Path) -> None:
    twin = project / "notebooks" / "00_try.py"
    notebooks.write(notebooks.read_pair(twin), twin.with_suffix(".ipynb"))
    twin.write_text(LESSON.replace("hide-input", "hide-cell"), "utf-8")
    assert notebooks.differences(twin) == ["00_try: cell 1: metadata differs"]
    twin.write_text(LESSON + "\n# %%\n1\n", "utf-8")
    assert notebooks.differences(twin) == ["00_try: 6 cells in .py, 5 in .ipynb"]


def test_run_stores_outputs_time_and_no_noise(project: Path) -> None:
    twin = project / "notebooks" / "00_try.py"
    twin.write_text(LESSON.replace("about 5 s", "about 95 s"), "utf-8")
    before = Path.cwd()
    assert notebooks.run(["00"], project) == 0
    assert Path.cwd() == before
    lesson = stored(project)
    assert [cell.outputs[0].get("text") for cell in lesson.cells[1:2]] == ["two 2\n"]
    assert lesson.cells[4].outputs[0].data["text/plain"] == "42"
    assert all("execution" not in cell.metadata for cell in lesson.cells)
    seconds = json.loads((project / "facelib" / "lessons.json").read_text("utf-8"))[0]["seconds"]
    assert f"about {notebooks.rounded(seconds)} s to run" in lesson.cells[0].source
    assert notebooks.differences(twin) == []

    text = twin.with_suffix(".ipynb").read_text("utf-8")
    seconds_file = (project / "facelib" / "lessons.json").read_text("utf-8")
    assert notebooks.run([], project) == 0  # a second run changes nothing
    assert twin.with_suffix(".ipynb").read_text("utf-8") == text
    assert (project / "facelib" / "lessons.json").read_text("utf-8") == seconds_file


def test_run_reports_a_failing_cell_and_keeps_what_was_stored(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twin = project / "notebooks" / "00_try.py"
    twin.write_text(LESSON.replace("double(21)", "double(undefined)"), "utf-8")
    assert notebooks.run([], project) == 1
    assert "NameError" in capsys.readouterr().out
    assert not twin.with_suffix(".ipynb").exists()


@pytest.mark.parametrize(("seconds", "line"), [(0.2, 5), (5.0, 5), (5.1, 10), (19.9, 20), (41.0, 45)])
def test_time_line_rounds_up_to_five(seconds: float, line: int) -> None:
    assert notebooks.rounded(seconds) == line


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy the text files of the repository, without git."""
    for path in address.text_files(ROOT):
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return tmp_path


def test_address_rewrites_every_copy(copy: Path) -> None:
    old = address.read_address(copy)
    new = "/".join(["some-one", "my.course"])  # in two parts, or the way back would find it here
    changed = address.rewrite(f"https://github.com/{new}", copy)
    assert {"pyproject.toml", "README.md", "_config.yml", "CITATION.cff", "CONTRIBUTING.md"} <= set(changed)
    assert address.read_address(copy) == new
    assert address.faults(copy) == []
    left = [path.name for path in address.text_files(copy) if old in path.read_text("utf-8", errors="replace")]
    assert left == []
    assert address.rewrite(f"https://github.com/{old}", copy) == changed  # and back again
    for path in address.text_files(copy):
        assert path.read_bytes() == (ROOT / path.relative_to(copy)).read_bytes(), path.name


def test_address_finds_a_copy_left_behind(copy: Path) -> None:
    for name in ("README.md", "CITATION.cff", "_config.yml"):
        path = copy / name
        text = path.read_text("utf-8")
        path.write_text(text.replace(address.read_address(copy), "other/place"), "utf-8")
        assert any(name in line for line in address.faults(copy)), name
        path.write_text(text, "utf-8")
    assert address.faults(copy) == []


@pytest.mark.parametrize(
    "wrong", ["github.com/a/b", "https://example.org/a/b", "https://github.com/a", "https://github.com/a/b/c"]
)
def test_address_refuses_what_is_none(copy: Path, wrong: str) -> None:
    with pytest.raises(ValueError, match="not of the form"):
        address.rewrite(wrong, copy)


@pytest.mark.parametrize("line", ["torch>=2", "torch==2.1+cpu", "--no-index", "Torch==2.1", "torch == 2.1", ""])
def test_lock_refuses_what_is_no_plain_pin(tmp_path: Path, line: str) -> None:
    (tmp_path / "requirements.lock").write_text(f"numpy==2.0\n{line}\n", "utf-8")
    with pytest.raises(ValueError, match="requirements.lock:2"):
        lock.read_lock(tmp_path)


@pytest.mark.parametrize("tool", ["address", "lock", "notebooks", "samples"])
def test_tools_have_help(tool: str) -> None:
    command = [sys.executable, str(ROOT / "tools" / f"{tool}.py"), "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"tools/{tool}.py" in text
