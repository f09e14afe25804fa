"""What all commands of facelib identify have in common: errors in words, help, consent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.identify_cli.helpers import enrol, run


@pytest.mark.parametrize(
    "code, words, arguments",
    [
        (2, "nothing to do", ["enrol", "people.npz"]),
        (2, "choose one", ["enrol", "people.npz", "crops", "--calibrate", 0.1, "--threshold", 0.5]),
        (2, "say which network", ["enrol", "new.npz", "crops"]),
        (2, "--name NAME", ["enrol", "people.npz", "crops/Ada/0.png"]),
        (1, "add --name", ["enrol", "people.npz", "crops/Ada"]),
        (2, "nowhere: no such folder", ["enrol", "people.npz", "nowhere"]),
        (2, "nowhere: no such file", ["enrol", "people.npz", "nowhere", "--name", "Ada"]),
        (2, "new.npz: no such file", ["enrol", "new.npz", "--threshold", 0.5]),
        (2, "hog says itself", ["enrol", "people.npz", "crops", "--mean", 0.5]),
        (2, "hog says itself", ["search", "people.npz", "probes", "--size", 32]),
        (1, "neither a known embedder", ["enrol", "new.npz", "crops", "--model", "hogg"]),
        (1, "x.onnx: no such file", ["enrol", "new.npz", "crops", "--model", "x.onnx"]),
        (1, "cannot be made", ["enrol", "probes/Ada.png/new.npz", "crops", "--model", "hog"]),
        (1, "no gallery of facelib", ["enrol", "probes/Ada.png", "crops"]),
        (2, "nowhere.jpg: no such file", ["search", "people.npz", "nowhere.jpg"]),
        (2, "`facelib identify enrol` makes one", ["search", "new.npz", "probes"]),
        (1, "cannot be written", ["search", "people.npz", "probes", "--json", "probes/Ada.png/out"]),
        (1, "check --out", ["search", "people.npz", "probes/Ada.png", "--aligned", "--out", "probes/Ada.png/x"]),
        (1, "device 'abacus'", ["search", "people.npz", "probes", "--device", "abacus"]),
        (2, "`facelib identify enrol` makes one", ["list", "new.npz"]),
        (1, "people.npz: not saved: threshold=nan is no finite number", ["enrol", "people.npz", "--threshold", "nan"]),
        (1, "no gallery of facelib, or a damaged one (it is no .npz file of pl", ["list", "probes/Ada.png"]),
        (1, "min_face is a size in pixels", ["search", "people.npz", "probes", "--min-face", "nan"]),
        (2, "File 'probes' is a directory", ["search", "people.npz", "probes", "--json", "probes"]),
        (2, "`facelib identify enrol` makes one", ["remove", "new.npz", "Ada"]),
    ],
)  # fmt: skip
def test_errors_in_words(enrolled: Path, code: int, words: str, arguments: list[object]) -> None:
    before = Path("people.npz").read_bytes()
    result = run(*arguments)
    assert (result.exit_code, words in result.stderr) == (code, True), result.output
    assert Path("people.npz").read_bytes() == before and not Path("new.npz").exists()


@pytest.mark.parametrize("command", ["enrol", "search", "list", "remove"])
def test_every_command_teaches(command: str) -> None:
    text = run(command, "--help").stdout
    assert f"      facelib identify {command} people.npz" in text and "Ends with 0" in text


def test_consent_is_spoken_of_where_people_are_enrolled(crops: Path) -> None:
    words = "Faces of real people are biometric data"
    for arguments in ([], ["enrol"], ["search"]):
        text = " ".join(run(*arguments, "--help").stdout.split())
        assert words in text and "book/data.md" in text
    assert words in enrol("people.npz", "crops", "--aligned", "--model", "hog").stderr


def test_help_needs_nothing_heavy() -> None:
    code = "import sys, facelib.identify_cli; print({'torch', 'cv2', 'numpy', 'tqdm', 'PIL'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
