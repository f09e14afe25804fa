"""facelib evaluate --identify and --ijb: figures are those of people and templates embedded by hand."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from facelib import MTCNN, Embedder, Preprocess, align, samples
from facelib.evaluate import identification, page
from facelib.evaluate.judged_people import judge_people
from facelib.evaluate.judged_templates import judge_ijb
from facelib.evaluate.people import open_crowd
from facelib.folders.files import encode
from tests.evaluate.helpers_ijb import write_ijb
from tests.evaluate_cli.helpers import (
    IMAGES,
    WALL,
    by_hand,
    run,
    write_bin,
    write_photographs,
)


def people_folder(path: Path, count: int = 12) -> Path:
    """A folder a person, ten crops in each."""
    for row, image in enumerate(IMAGES[: 10 * count]):
        file = path / f"n{row // 10:03d}" / f"{row % 10}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encode(image, ".png"))
    return path


def test_people_are_identified(tmp_path: Path, flat: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside pairs, in all of table, JSON and page."""
    monkeypatch.setattr(page, "DPI", 40)
    folder, out = people_folder(tmp_path / "crowd"), tmp_path / "out.json"
    result = run(*flat, "--identify", folder, "--aligned", "--no-flip", "--enrol", 2, "--unknown", 0.25, "--seed", 5,
                 "--lfw", write_bin(tmp_path / "lfw.bin"), "--json", out, "--report", tmp_path / "out")  # fmt: skip
    assert result.exit_code == 0, result.output
    (found,) = json.loads(out.read_text())["identification"]
    x = Preprocess(size=16)(IMAGES[:120]).reshape(120, -1)
    known = np.random.default_rng(5).permutation(12)[:9]
    who = np.arange(120) // 10
    enrolled = np.isin(who, known) & (np.arange(120) % 10 < 2)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    expected = identification(unit[enrolled], who[enrolled], unit[~enrolled], who[~enrolled], templates="mean")
    assert (found["name"], found["rank1"], found["rank5"]) == ("crowd", expected.rank1, expected.rank(5))
    assert (found["probes"], found["probes of strangers"]) == (72, 30)
    for text in (result.stdout, (tmp_path / "out" / "index.html").read_text()):
        assert f"{100 * expected.rank1:.2f} %" in text and f"{100 * by_hand(IMAGES, flip=False).eer:.2f} %" in text
    others = people_folder(tmp_path / "others", 3)
    result = run(*flat, "--identify", f"mine={folder}", "--distractors", others, "--aligned", "--json", out)
    assert result.exit_code == 0, result.output
    assert json.loads(out.read_text())["identification"][0]["distractors"] == 30
    assert "mine: 3 people are named alike among the distractors: n000, n001, n002" in result.stderr
    assert run(*flat, "--identify", folder, "--aligned", "--ccrop", "--json", out).exit_code == 0
    embed = Embedder(lambda batch: batch.reshape(len(batch), -1), Preprocess(size=16), "flat")
    shares = [judge_people(open_crowd(folder, aligned=True, size=16), embed, ccrop=ccrop).found.rank1
              for ccrop in (True, False)]  # fmt: skip
    assert json.loads(out.read_text())["identification"][0]["rank1"] == shares[0] != shares[1]


def test_an_interrupted_run_leaves_no_page(tmp_path: Path, flat: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("facelib.evaluate.people.embed_pictures", stop)
    result = run(*flat, "--identify", people_folder(tmp_path / "crowd"), "--aligned", "--report", tmp_path / "out")
    assert result.exit_code == 130 and "interrupted" in result.stderr
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    "options, code, fault",
    [
        (["--identify", "gone"], 2, "Error: gone: no such file"),
        (["--identify", "crowd", "--distractors", "gone"], 2, "--distractors: gone: no such file"),
        (["--identify", "crowd", "--pairs", "crowd=crowd"], 2, "--pairs and --identify have a set of this name"),
        (["--pairs", "synth:tiny", "--distractors", "crowd"], 2, "gallery of --identify, which is missing"),
        (["--identify", "synth:mini", "--distractors", "synth:tiny"], 2, "synth-mini: synth:mini and the distractors"),
        (["--ijb", "mine=gone"], 2, "Error: mine: gone: no such file"),
        (["--ijb", "a=crowd", "--ijb", "a=empty"], 2, "two sets have this name"),
        (["--ijb", "crowd", "--identify", "crowd"], 2, "--ijb and another option have a set of this name"),
        (["--ijb", "crowd"], 1, "Error: crowd: neither ijbc_face_tid_mid.txt"),
        (["--identify", "crowd", "--unknown", "1"], 2, "--unknown"),
        (["--identify", "crowd", "--aligned", "--enrol", "10"], 1, "crowd: none of the 6 people to enrol has more"),
        (["--identify", "empty"], 1, "Error: empty: holds no folders with pictures"),
    ],
)
def test_crowds_that_cannot_be_judged(
    options: list[str], code: int, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    people_folder(Path("crowd"))
    Path("empty").mkdir()
    result = run("hog", *options)
    assert result.exit_code == code and fault in " ".join(result.stderr.split()), result.output


def test_templates_of_ijb(tmp_path: Path, flat: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside people, in all of table, JSON and page; one set in which nothing is costs only itself."""
    monkeypatch.setattr(page, "DPI", 40)
    folder, out = write_ijb(tmp_path / "IJBC"), tmp_path / "out.json"
    (folder / "loose_crop" / "7.png").unlink()
    (tmp_path / "hollow").mkdir()
    crowd, hollow = people_folder(tmp_path / "crowd"), f"other={tmp_path / 'hollow'}"
    result = run(*flat, "--ijb", folder / "meta", "--ijb", hollow, "--ccrop", "--identify", crowd, "--aligned",
                 "--json", out, "--report", tmp_path / "out")  # fmt: skip
    assert result.exit_code == 1 and "other: " in result.stderr and "neither ijbc_face" in result.stderr
    embed = Embedder(lambda batch: batch.reshape(len(batch), -1), Preprocess(size=16), "flat")
    expected = judge_ijb(folder, embed, ccrop=True)
    for each in (out, tmp_path / "out" / "report.json"):
        (found,) = json.loads(each.read_text())["ijb"]
        assert (found["name"], found["unreadable"], len(found["galleries"])) == ("IJBC", 1, 2)
        tars = [each["tar"] for each in found["tar_at_far"]]
        assert tars[:2] == [expected.verification.tar_at(0.1), expected.verification.tar_at(0.01)]
        assert found["galleries"]["G2"]["rank1"] == expected.galleries["G2"].found.rank1
    for text in (result.stdout, (tmp_path / "out" / "index.html").read_text()):
        assert f"{100 * tars[0]:.2f} %" in text and f"{100 * found['galleries']['G1']['rank5']:.2f} %" in text
    assert "IJBC: 1 of 840 pictures could not be read" in result.stderr


def test_people_on_photographs_are_found_first(tmp_path: Path) -> None:
    """Faces are detected and aligned; a picture without one gives its middle, one that cannot be read nothing."""
    folder, out = write_photographs(tmp_path) / "images", tmp_path / "out.json"
    result = run("hog", "--identify", f"mine={folder}", "--no-flip", "--unknown", 0, "--enrol", 1, "--json", out)
    assert result.exit_code == 0, result.output
    (found,) = json.loads(out.read_text())["identification"]
    crowd, embed, mtcnn = open_crowd(folder, min_face=40), Embedder.load("hog"), MTCNN(min_face=40)
    (wall,) = (k for k, title in enumerate(crowd.titles) if "p7_0001" in title)
    crops = crowd.crops(range(len(crowd.titles)))
    (face,) = (k for k, title in enumerate(crowd.titles) if "p1_0001" in title)
    image = samples.picture("p1a")
    assert np.abs(crops[face] - align(image, mtcnn.detect(image).landmarks[0]).astype(float)).max() <= 1
    assert np.array_equal(crops[wall], cv2.resize(WALL[50:150, 70:170], (112, 112), interpolation=cv2.INTER_AREA))
    kept = np.array([crop is not None for crop in crops])
    assert (~kept).sum() == 1 == found["unreadable"] and found["faceless"] == 1
    expected = judge_people(open_crowd(folder, min_face=40), embed, enrol=1, unknown=0.0, flip=False).found
    assert (found["rank1"], found["probes"]) == (expected.rank1, 7)
    assert "p8_0002.png" in result.stderr and "p7_0001.png" in result.stderr
