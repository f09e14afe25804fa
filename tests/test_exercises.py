"""Every exercise of every lesson: its stub fails its check, its solution passes."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from facelib.checks import NotYet, Verdict, exercise, expect

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("[0-9]*.ipynb"))
CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def with_solutions(notebook: nbformat.NotebookNode) -> tuple[nbformat.NotebookNode, int]:
    """The notebook with both sides of every exercise asserted, and how many there are."""
    cells, checks = [], 0
    for cell in notebook.cells:
        if "check" in tags(cell):
            check = cell.source.strip()
            cell = new_code_cell(f"verdict = {check}\nassert not verdict, f'the stub passes: {{verdict}}'")
            checks += 1
        cells.append(cell)
        if "solution" in tags(cell):
            (solution,) = CODE.findall(cell.source)
            cells.append(new_code_cell(solution))
            cells.append(new_code_cell(f"verdict = {check}\nassert verdict, f'the solution fails: {{verdict}}'"))
    notebook.cells = cells
    return notebook, checks


@pytest.mark.course
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stubs_fail_and_solutions_pass(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    order = [tag for cell in notebook.cells for tag in tags(cell) if tag in ("exercise", "check", "solution")]
    notebook, checks = with_solutions(notebook)
    assert checks >= 3
    assert order == ["exercise", "check", "solution"] * checks
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()


def test_a_check_reports_instead_of_raising():
    @exercise("9.9")
    def doubled(answer):
        expect(answer(2), 4, "two")
        return "right."

    outcomes = [doubled(f) for f in (lambda x: 2 * x, lambda x: x, lambda x: None, lambda x: ..., lambda: 0)]
    assert [bool(outcome) for outcome in outcomes] == [True, False, False, False, False]
    assert repr(outcomes[0]) == "✓ Exercise 9.9: right."
    assert "expected 4.0, got 2.0" in repr(outcomes[1])
    assert "still open" in repr(outcomes[2]) and "still open" in repr(outcomes[3])
    assert "TypeError" in repr(outcomes[4])
    assert doubled(...) == Verdict("9.9", False, "still open; replace the ... by your answer")


@pytest.mark.parametrize(
    "got, want", [([1, 2], [1, 2, 3]), ([1.0, 2.1], [1, 2]), (float("nan"), 1), (range(9), [0] * 9)]
)
def test_expect_refuses(got, want):
    with pytest.raises(NotYet):
        expect(got, want, "here")
