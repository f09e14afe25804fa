"""The doctor tells the truth on machines that are healthy, poor or broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner

import facelib
from facelib import cli, doctor

ROOT = Path(facelib.__file__).parent.parent
LESSONS = [
    {"number": "01", "title": "Short", "ready": True, "seconds": 10, "needs": []},
    {"number": "10", "title": "Long", "ready": True, "seconds": 50, "needs": ["train"]},
    {"number": "11", "title": "Unwritten", "ready": False, "seconds": None, "needs": []},
    {"number": "12", "title": "Not timed", "ready": True, "seconds": None, "needs": []},
]


@pytest.fixture(scope="module")
def healthy() -> dict:
    return doctor.diagnose()


def wanted(monkeypatch: pytest.MonkeyPatch, *requirements: str) -> list[dict]:
    monkeypatch.setattr(metadata, "requires", lambda name: list(requirements))
    return doctor.check_packages()


def test_this_machine_is_fit(healthy: dict) -> None:
    assert healthy["healthy"] and healthy["problems"] == []
    assert healthy["machine"]["memory_gb"] > 0.5 and healthy["machine"]["cores"] >= 1
    assert healthy["weights"]["loaded"] and healthy["probe_ms"] > 0
    assert json.loads(json.dumps(healthy)) == healthy
    text = doctor.render(healthy)
    assert healthy["devices"]["torch"] in text and "All that facelib needs is here." in text


def test_lessons_are_those_that_exist(healthy: dict) -> None:
    ready = [lesson["number"] for lesson in doctor.read_lessons() if lesson["ready"]]
    assert [lesson["number"] for lesson in healthy["lessons"]] == ready != []


def test_package_states(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = wanted(
        monkeypatch,
        "numpy>=1.0",
        "click>=9999",
        "no-such-package>=2,<3",
        'no-such-tool>=1; extra == "train"',
        'numpy>=1.0; extra == "book"',
        'tqdm; python_version < "3"',
    )
    assert [(row["name"], row["extra"], row["state"]) for row in rows] == [
        ("numpy", "", "ok"),
        ("click", "", "unfit"),
        ("no-such-package", "", "missing"),
        ("no-such-tool", "train", "missing"),
    ]


def test_a_package_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    (row,) = wanted(monkeypatch, "tqdm>=4")
    assert row["state"] == "broken" and "tqdm" in row["error"]


def test_the_same_module_from_another_package_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(doctor.MODULES, "numpy-of-another-name", "numpy")
    (row,) = wanted(monkeypatch, "numpy-of-another-name>=1")
    assert row["state"] == "ok"


def test_remedies_are_exact_commands(healthy: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = wanted(monkeypatch, "click>=9999", "no-such-package>=2,<3", 'no-such-tool>=1; extra == "train"')
    findings = {**healthy, "packages": packages}
    problems = doctor._problems(findings)
    assert [problem["remedy"] for problem in problems] == [
        f'{sys.executable} -m pip install "click>=9999"',
        f'{sys.executable} -m pip install "no-such-package<3,>=2"',
    ]
    text = doctor.render({**findings, "problems": problems, "healthy": False})
    assert all(problem["remedy"] in text for problem in problems)
    assert 'the extra "train"' in text and '-m pip install "no-such-tool>=1"' in text


@pytest.mark.parametrize("factor, slow", [(1, []), (5, ["10"]), (0.2, [])])
def test_slow_lessons(factor: float, slow: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "read_lessons", lambda: LESSONS)
    lessons = doctor.foretell_lessons(factor * doctor.REFERENCE_MS, [])
    assert [lesson["number"] for lesson in lessons] == ["01", "10", "12"]
    assert [lesson["here_s"] for lesson in lessons] == [10 * factor, 50 * factor, None]
    assert [lesson["number"] for lesson in lessons if lesson["notes"]] == slow
    if slow:
        assert lessons[1]["notes"] == ["slow: about 250 s, 5.0 times the recorded 50 s"]


def test_lessons_whose_extra_is_lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "read_lessons", lambda: LESSONS)
    packages = wanted(monkeypatch, 'no-such-tool>=1; extra == "train"')
    notes = {lesson["number"]: lesson["notes"] for lesson in doctor.foretell_lessons(None, packages)}
    assert notes == {"01": [], "10": ['needs the extra "train"'], "12": []}


def test_missing_weights(healthy: dict, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("facelib.detect.networks.weights_folder", lambda: tmp_path)
    weights = doctor.check_weights()
    assert not weights["loaded"] and "pnet.pt" in weights["error"]
    (problem,) = doctor._problems({**healthy, "weights": weights})
    assert "facenet-pytorch" in problem["remedy"]


def test_command(healthy: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "diagnose", lambda: healthy)
    assert CliRunner().invoke(cli.main, ["doctor"]).exit_code == 0
    result = CliRunner().invoke(cli.main, ["doctor", "--json"])
    assert json.loads(result.stdout) == healthy
    monkeypatch.setattr(doctor, "diagnose", lambda: {**healthy, "healthy": False})
    assert CliRunner().invoke(cli.main, ["doctor"]).exit_code == 1


@pytest.mark.parametrize("fault", ["raise ImportError('libtorch_cpu.so: cannot open')", "raise OSError('bad library')"])
def test_broken_torch_is_reported_not_suffered(fault: str, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text(fault)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, "-m", "facelib.cli", "doctor"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1 and "Traceback" not in result.stderr + result.stdout
    assert fault.split("'")[1] in result.stdout
    assert (
        '-m pip install --force-reinstall "torch>=2.4"' in result.stdout
        or '-m pip install "torch>=2.4"' in result.stdout
    )
