"""The repository as a whole: lock, address, notebook pairs, lesson times, nothing of one machine."""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
from nbval.plugin import find_comment_markers, find_metadata_tags, get_sanitize_patterns
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tools import address, lock, notebooks

pytestmark = pytest.mark.course

ROOT = Path(__file__).resolve().parent.parent
LESSONS = json.loads((ROOT / "facelib" / "lessons.json").read_text("utf-8"))
READY = [lesson["file"] for lesson in LESSONS if lesson["ready"]]
LONGER = {"10_training": 90}  # it trains, resumes and kills runs; the others take a minute at most
UNCHECKED_CELLS = 6  # at most this many cells of all notebooks may keep out of the comparison


def test_lock_is_plain_and_sorted() -> None:
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9][a-z0-9-]*==[A-Za-z0-9.!]+", line)] == []
    names = [line.split("==")[0] for line in lines]
    assert names == sorted(set(names))
    assert [name for name in names if name.startswith(("nvidia", "triton", "cuda")) or name == "facelib"] == []


def test_lock_installs_on_every_python_3_11() -> None:
    pins = lock.read_lock()
    installed = {canonicalize_name(dist.name): dist for dist in metadata.distributions()}
    assert sorted(set(pins) - set(installed)) == []
    assert {name: installed[name].version for name in pins} == pins, "stale environment: run make setup"
    asks = {name: installed[name].metadata.get("Requires-Python") or "" for name in pins}
    assert {name: ask for name, ask in asks.items() if "3.11.0" not in SpecifierSet(ask)} == {}


def test_environment_yml_equals_lock() -> None:
    assert (ROOT / "environment.yml").read_text("utf-8") == lock.environment()


def test_address_is_the_same_everywhere() -> None:
    assert address.faults() == []


def test_package_data_of_the_lessons_list() -> None:
    assert [lesson["number"] for lesson in LESSONS] == [f"{n:02d}" for n in range(16)]
    assert all(lesson["file"].startswith(lesson["number"] + "_") for lesson in LESSONS)
    assert {tuple(lesson) for lesson in LESSONS} == {("number", "file", "part", "title", "ready", "seconds", "needs")}


def test_notebooks_are_the_ready_lessons() -> None:
    stored = {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    sources = {path.stem for path in (ROOT / "notebooks").glob("*.py")}
    assert stored == sources == set(READY)


@pytest.mark.parametrize("name", READY)
def test_twins_agree(name: str) -> None:
    assert notebooks.differences(ROOT / "notebooks" / f"{name}.py") == []


@pytest.mark.parametrize("name", READY)
def test_outputs_are_stored_without_noise(name: str) -> None:
    stored = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    assert stored.metadata.kernelspec.name == "python3"
    assert "version" not in stored.metadata.get("language_info", {})
    for number, cell in enumerate(stored.cells):
        assert "execution" not in cell.metadata, f"cell {number} stores execution times"
        if cell.cell_type == "code" and cell.source.strip():
            assert cell.execution_count, f"cell {number} was not executed"
            assert all(output.output_type != "error" for output in cell.outputs), f"cell {number} failed"


@pytest.mark.parametrize("name", READY)
def test_time_line_is_the_recorded_time(name: str) -> None:
    seconds = next(lesson["seconds"] for lesson in LESSONS if lesson["file"] == name)
    assert seconds is not None, "not measured yet: python tools/notebooks.py run"
    assert seconds <= LONGER.get(name, 60)
    stored = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    shown = notebooks.TIME_LINE.findall(stored.cells[0].source)
    assert shown == [str(notebooks.rounded(seconds))]


@pytest.mark.parametrize("name", READY)
def test_a_fresh_colab_installs_the_package(name: str) -> None:
    link, bootstrap = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells[:2]
    slug = address.read_address(ROOT)
    assert f"https://colab.research.google.com/github/{slug}/blob/main/notebooks/{name}.ipynb" in link.source
    assert bootstrap.source.startswith(
        "try:\n    import facelib\nexcept ModuleNotFoundError:  # a fresh Colab\n"
        f'    %pip install --quiet "facelib @ git+https://github.com/{slug}"\n    import facelib\n'
    )


def test_cells_kept_out_of_the_comparison_are_few_and_give_their_reason() -> None:
    unchecked, silent = [], []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for number, cell in enumerate(nbformat.read(path, as_version=4).cells):
            if cell.cell_type != "code":
                continue
            options = {**dict(find_metadata_tags(cell.metadata)), **dict(find_comment_markers(cell.source))}
            if options.get("skip") or options.get("check") is False:
                unchecked.append(f"{path.name}: cell {number}")
                if not re.search(r"^# unchecked: \S.{9,}", "\n".join(cell.source.splitlines()[:3]), re.MULTILINE):
                    silent.append(unchecked[-1])
    assert silent == []
    assert len(unchecked) <= UNCHECKED_CELLS, unchecked


@pytest.mark.parametrize(
    ("text", "compared"),
    [
        ("score 0.9731, 12 faces, s=64, m=0.5", "score 0.9731, 12 faces, s=64, m=0.5"),
        ("[[  38.2946  51.6963]] (112, 112, 3)", "[[  38.2946  51.6963]] (112, 112, 3)"),
        ("12.3 ms on cuda:0", "TIME on DEVICE"),
        ("<Thing at 0x7f3a12bc90>", "<Thing at ADDRESS>"),
        (" 40%|####      | 4/10 [00:01<00:02]", " PROGRESS"),
    ],
)
def test_sanitiser_hides_times_but_no_results(text: str, compared: str) -> None:
    patterns = get_sanitize_patterns((ROOT / "tests" / "nbval_sanitize.cfg").read_text("utf-8"))
    for regex, replacement in dict(patterns).items():
        text = re.sub(regex, replacement, text)
    assert text == compared


# Character classes keep these patterns from finding themselves.
MACHINE_PATH = re.compile(r"/(?:tm[p]|roo[t]|wor[k]|home/[a-z]+|Users/\w+)/|\b[A-Z]:\\+User[s]\b")
INDEX_ADDRESS = re.compile(
    r"index[-]url|find[-]links|pypi[.]org/simple|pythonhosted[.]org|registry[.]npmjs|download[.]pytorch[.]org"
)


@pytest.mark.parametrize("pattern", [MACHINE_PATH, INDEX_ADDRESS], ids=["machine path", "index address"])
def test_nothing_of_one_machine_in_the_repository(pattern: re.Pattern[str]) -> None:
    found = []
    for path in address.text_files():
        text = re.sub(r'"image/(png|jpeg)": "[^"]*"', "", path.read_text("utf-8", errors="replace"))
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in pattern.finditer(text)]
    assert found == []
