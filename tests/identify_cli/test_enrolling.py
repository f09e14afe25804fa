"""facelib identify enrol: whom it enrols is what the gallery says of crops embedded by hand."""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facelib import Gallery, samples
from facelib.gallery import pictures
from facelib.identify_cli import enrolling
from tests.identify_cli.helpers import WHO, by_hand, enrol, records, run, search, write


def test_photographs_by_hand(photos: Path) -> None:
    assert enrol("people.npz", "photos", "--model", "hog").exit_code == 0
    stored = np.load("people.npz")
    expected = [by_hand(image) for person in (1, 2) for image in samples.pair(person)]
    assert np.allclose(stored["vectors"], [vector for vector, _ in expected], atol=1e-6)
    assert stored["quality"] == pytest.approx([score for _, score in expected]) and (stored["quality"] != 1).any()
    assert enrol("even.npz", "photos", "--model", "hog", "--no-quality").exit_code == 0
    assert (np.load("even.npz")["quality"] == 1).all()


def test_what_cannot_be_used_is_told_and_left_out(photos: Path) -> None:
    Path("photos/Ada/bad.jpg").write_bytes(b"\xff\xd8\xff no picture")
    write(Path("photos/Emmy/wall.png"), np.full((100, 100, 3), 128, np.uint8))
    write(Path("photos/loose.png"), samples.pair(3)[0])
    result = enrol("people.npz", "photos", "--model", "hog")
    assert result.exit_code == 0
    assert "left out: photos/Ada/bad.jpg: " in result.stderr
    assert "left out: photos/Emmy/wall.png: no face" in result.stderr
    assert "left out: photos/loose.png: in nobody's folder" in result.stderr
    kinds = "1 in nobody's folder, 1 unreadable, 1 without a face"
    assert f"4 pictures added, 2 people new, 0 there already, 3 left out ({kinds})" in result.stderr
    found = search("people.npz", "photos", "--json", "out.jsonl")
    assert found.exit_code == 1 and "unreadable: photos/Ada/bad.jpg: " in found.stdout
    assert "photos/Emmy/wall.png  no face" in found.stdout.splitlines()
    by_file = {record["file"]: record for record in records(Path("out.jsonl"))}
    assert set(by_file["photos/Ada/bad.jpg"]) == {"file", "error"} and by_file["photos/Emmy/wall.png"]["faces"] == []


def test_many_faults_are_counted_and_not_all_shown(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrolling, "SHOWN", 2)
    for k in range(5):
        Path(f"crops/Ada/bad{k}.png").write_bytes(b"")
    lines = enrol("people.npz", "crops", "--aligned", "--model", "hog").stderr.splitlines()
    assert sum(line.startswith("left out: ") for line in lines) == 2 and "... and 3 more" in lines


def test_nothing_of_use_makes_no_gallery(crops: Path) -> None:
    write(Path("walls/Ada/wall.png"), np.full((100, 100, 3), 128, np.uint8))
    result = enrol("people.npz", "walls", "--model", "hog")
    assert result.exit_code == 1 and "nobody was enrolled" in result.stderr and not Path("people.npz").exists()
    assert "people.npz: 0 people" not in result.stderr, "there is no such file"


def test_enrolling_again_adds_what_is_new(
    enrolled: Path, rendered: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(Path("crops/Ada/2.png"), rendered[0, 2])
    shutil.copytree("crops", "copy")
    looked: list[str] = []
    crop = pictures.Look._crop
    monkeypatch.setattr(pictures.Look, "_crop", lambda self, file: (looked.append(file), crop(self, file))[1])
    result = enrol("people.npz", "crops", "--aligned")
    assert "1 picture added, 0 people new, 10 there already, 0 left out" in result.stderr
    assert looked == ["crops/Ada/2.png"], "what is there need not be read"
    assert "0 pictures added, 0 people new, 11 there already" in enrol("people.npz", "copy", "--aligned").stderr
    assert len(looked) == 12, "elsewhere it is known by its numbers only"


def test_two_folders_may_hold_one_person(enrolled: Path, rendered: np.ndarray) -> None:
    write(Path("later/Ada/holiday/0.png"), rendered[0, 2])  # folders in her folder are hers
    assert "1 picture added, 0 people new" in enrol("people.npz", "later", "--aligned").stderr
    assert Gallery.load("people.npz").people()[0].pictures == 3


def test_a_fault_of_one_person_costs_nobody_else(crops: Path, rendered: np.ndarray) -> None:
    write(Path("crops/B\nb/0.png"), rendered[0, 0])
    write(Path("crops/Ada/black.png"), np.zeros((112, 112, 3), np.uint8))
    result = enrol("people.npz", "crops", "--aligned", "--model", "hog")
    assert result.exit_code == 0 and "expected a line of text" in result.stderr
    assert "left out: crops/Ada/black.png: the network sees nothing in it" in result.stderr
    assert [(each.name, each.pictures) for each in Gallery.load("people.npz").people()] == [(name, 2) for name in WHO]
    black = search("people.npz", "crops/Ada/black.png", "--aligned", "--json", "-")
    assert json.loads(black.stdout)["faces"][0]["candidates"] == [] and black.exit_code == 0


def test_accents_are_one_however_a_disk_spells_them(enrolled: Path, rendered: np.ndarray) -> None:
    for form in ("NFC", "NFD"):
        write(Path("more") / unicodedata.normalize(form, "José") / f"{form}.png", rendered[0, int(form == "NFD")])
    enrol("people.npz", "more", "--aligned")
    assert Gallery.load("people.npz").people()[-1].name == "Jos\u00e9"
    assert Gallery.load("people.npz").people()[-1].pictures == 2
    assert run("remove", "people.npz", unicodedata.normalize("NFD", "José")).exit_code == 0


def test_a_threshold_from_the_people_themselves(enrolled: Path) -> None:
    expected = Gallery.load("people.npz").calibrate(0.25)
    result = enrol("people.npz", "--calibrate", 0.25)
    assert result.exit_code == 0 and str(expected) in result.stderr
    assert Gallery.load("people.npz").calibration == expected
    assert "40 comparisons" in run("list", "people.npz").stdout
    listed = json.loads(run("list", "people.npz", "--json").stdout)
    assert listed["calibration"] == {"threshold": expected.threshold, "far": 0.25, "comparisons": 40}
    assert enrol("people.npz", "--threshold", 0.9).exit_code == 0
    assert "threshold 0.9000, set by hand" in run("list", "people.npz").stdout
    assert Gallery.load("people.npz").calibration is None


def test_a_refused_calibration_is_passed_on_and_the_people_stay(crops: Path) -> None:
    result = enrol("people.npz", "crops", "--aligned", "--model", "hog", "--calibrate", 0.001)
    assert result.exit_code == 1 and "needs at least 10 / 0.001 = 10,000 comparisons" in result.stderr
    assert "the people are saved" in result.stderr
    gallery = Gallery.load("people.npz")
    assert len(gallery) == 5 and gallery.threshold is None


def test_the_index_is_remembered_and_its_settings_with_it(enrolled: Path) -> None:
    assert enrol("people.npz", "--index", "hnsw").exit_code == 0
    gallery = Gallery.load("people.npz")
    assert gallery.index == "hnsw" and gallery.settings == Gallery(index="hnsw").settings
    assert enrol("people.npz", "--index", "exact").exit_code == 0
    assert Gallery.load("people.npz").settings == {}


def test_faiss_is_asked_for_before_the_work(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    result = enrol("people.npz", "crops", "--aligned", "--model", "hog", "--index", "ivf")
    assert result.exit_code == 1 and "facelib[search]" in result.stderr


def test_ctrl_c_keeps_what_is_done(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crop = pictures.Look._crop

    def stop(self: Any, file: str) -> Any:
        if file == "crops/Grace/1.png":
            raise KeyboardInterrupt
        return crop(self, file)

    with monkeypatch.context() as patch:
        patch.setattr(pictures.Look, "_crop", stop)
        result = enrol("people.npz", "crops", "--aligned", "--model", "hog", "--threshold", 0.5)
    assert result.exit_code == 130 and "the same command goes on from here" in result.stderr
    assert Gallery.load("people.npz").names == ["Ada", "Emmy"]
    assert "6 pictures added, 3 people new, 4 there already" in enrol("people.npz", "crops", "--aligned").stderr
    monkeypatch.setattr(pictures.Look, "_crop", stop)
    assert search("people.npz", "crops/Grace", "--aligned").exit_code == 130


def test_ctrl_c_before_the_first_person_saves_nothing_and_does_not_say_so(
    crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(self: Any, file: str) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(pictures.Look, "_crop", stop)
    result = enrol("people.npz", "crops", "--aligned", "--model", "hog")
    assert result.exit_code == 130 and not Path("people.npz").exists()
    assert "interrupted; what was added is saved" in result.stderr and "people.npz: " not in result.stderr


def test_it_is_saved_on_the_way(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    monkeypatch.setattr(Gallery, "save", lambda self, path: saved.append(len(self)))
    monkeypatch.setattr(pictures, "SAVED", 4)
    enrol("people.npz", "crops", "--aligned", "--model", "hog")
    assert saved == [2, 4, 5], "every fourth picture, and at the end"


def test_a_full_disk_is_told(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Gallery, path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Gallery, "save", full)
    result = enrol("people.npz", "crops", "--aligned", "--model", "hog")
    assert result.exit_code == 1 and "people.npz: cannot be written (No space left on device)" in result.stderr
