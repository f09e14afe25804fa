"""facelib identify: whom it enrols and finds is what the gallery says of crops embedded by hand."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner, Result
from onnx import TensorProto, helper
from PIL import Image

from facelib import MTCNN, Embedder, Gallery, Preprocess, align, cli, samples
from facelib.folders.aligner import choose_faces
from facelib.gallery import pictures
from facelib.identify_cli import enrolling, searching
from facelib.synth import People

FAISS = pytest.mark.skipif(importlib.util.find_spec("faiss") is None, reason="needs faiss-cpu")
WHO = ("Ada", "Emmy", "Grace", "Hedy", "Rosalind")
HOG = Embedder.load("hog")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.main, ["identify", *map(str, arguments)])


def enrol(*arguments: object) -> Result:
    return run("enrol", *arguments, "--quiet")


def search(*arguments: object) -> Result:
    return run("search", *arguments, "--quiet")


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


@pytest.fixture(scope="session")
def rendered() -> np.ndarray:
    """uint8 (5, 3, 112, 112, 3): three passport pictures of each, from a draw in which hog tells all five apart."""
    chance, ids = torch.Generator().manual_seed(2), [k for k in range(len(WHO)) for _ in range(3)]
    shots = People(len(WHO), seed=2).render(ids, chance, hardness=0.0, supersample=1)
    return shots.images.reshape(len(WHO), 3, 112, 112, 3)


@pytest.fixture(scope="session")
def written(rendered: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """crops/NAME/{0,1}.png to enrol, probes/NAME.png to look for."""
    root = tmp_path_factory.mktemp("written")
    for name, shots in zip(WHO, rendered, strict=True):
        for k in range(2):
            write(root / f"crops/{name}/{k}.png", shots[k])
        write(root / f"probes/{name}.png", shots[2])
    return root


@pytest.fixture
def crops(tmp_path: Path, written: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them in the current folder."""
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def vectors(rendered: np.ndarray) -> np.ndarray:
    """float32 (5, 3, D)."""
    return HOG(rendered.reshape(-1, 112, 112, 3)).reshape(len(WHO), 3, -1)


@pytest.fixture
def enrolled(crops: Path, vectors: np.ndarray) -> Path:
    """What `enrol people.npz crops --aligned --model hog` makes, as the first test shows; much faster."""
    gallery = Gallery("hog")
    for name, shots in zip(WHO, vectors, strict=True):
        gallery.enrol(name, shots[:2], sources=[str(crops / f"crops/{name}/{k}.png") for k in range(2)])
    gallery.save("people.npz")
    return crops


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """photos/{Ada,Emmy}/{a,b}.png with backgrounds, faces somewhere in them."""
    monkeypatch.chdir(tmp_path)
    for person, name in ((1, "Ada"), (2, "Emmy")):
        for shot, image in zip("ab", samples.pair(person), strict=True):
            write(tmp_path / f"photos/{name}/{shot}.png", image)
    return tmp_path


def by_hand(image: np.ndarray) -> tuple[np.ndarray, float]:
    """Embedding and score of the face that `facelib align` would take."""
    face = choose_faces(MTCNN().detect(image), *image.shape[:2], "centre")
    return HOG(align(image, face.landmarks))[0], float(face.scores[0])


def test_whom_is_enrolled_is_found_again(crops: Path, vectors: np.ndarray) -> None:
    result = enrol("people.npz", "crops", "--aligned", "--model", "hog")
    assert result.exit_code == 0, result.output
    listed = json.loads(run("list", "people.npz", "--json").stdout)
    assert [(each["name"], each["pictures"]) for each in listed["people"]] == [(name, 2) for name in WHO]
    assert listed["people"][0]["sources"] == [str(crops / f"crops/Ada/{k}.png") for k in range(2)]
    assert (listed["embedder"], listed["index"], listed["threshold"], listed["calibration"]) == (
        "hog",
        "exact",
        None,
        None,
    )
    assert enrol("people.npz", "--threshold", 0.5).exit_code == 0
    result = search("people.npz", "probes", "--aligned", "--json", "out.jsonl", "-k", 3)
    assert result.exit_code == 0, result.output
    gallery = Gallery()
    for name, shots in zip(WHO, vectors, strict=True):
        gallery.enrol(name, shots[:2])
    names, scores = gallery.search(vectors[:, 2], 3)
    for line, record, name, close, alike in zip(
        result.stdout.splitlines(), records(Path("out.jsonl")), WHO, names, scores, strict=True
    ):
        (face,) = record["faces"]
        assert record["file"] == f"probes/{name}.png" and (record["width"], record["height"]) == (112, 112)
        assert face["name"] == name == close[0], "hog tells these five apart"
        assert face["box"] == [0, 0, 112, 112] and face["score"] is None
        assert [each["name"] for each in face["candidates"]] == close
        assert [each["score"] for each in face["candidates"]] == pytest.approx(alike.tolist(), abs=2e-6)
        assert line.startswith(f"probes/{name}.png  0,0,112,112  {name}  ({name} {alike[0]:.4f}, {close[1]} ")


def test_photographs_by_hand(photos: Path) -> None:
    assert enrol("people.npz", "photos", "--model", "hog").exit_code == 0
    stored = np.load("people.npz")
    expected = [by_hand(image) for person in (1, 2) for image in samples.pair(person)]
    assert np.allclose(stored["vectors"], [vector for vector, _ in expected], atol=1e-6)
    assert stored["quality"] == pytest.approx([score for _, score in expected]) and (stored["quality"] != 1).any()
    assert enrol("even.npz", "photos", "--model", "hog", "--no-quality").exit_code == 0
    assert (np.load("even.npz")["quality"] == 1).all()


def test_of_several_faces_the_central_one_is_enrolled_and_all_are_searched(photos: Path) -> None:
    wide = np.full((300, 900, 3), 128, np.uint8)
    wide[:, :300], wide[30:270, 330:570] = (
        samples.pair(1)[0],
        np.array(Image.fromarray(samples.pair(2)[0]).resize((240, 240))),
    )
    write(Path("wide.png"), wide)
    assert enrol("people.npz", "wide.png", "--name", "Emmy", "--model", "hog").exit_code == 0
    assert np.allclose(np.load("people.npz")["vectors"][0], by_hand(wide)[0], atol=1e-6)
    assert enrol("people.npz", "photos/Ada", "--name", "Ada", "--threshold", 0.85).exit_code == 0
    result = search("people.npz", "wide.png", "--json", "-", "--out", "named")
    (record,) = map(json.loads, result.stdout.splitlines())
    found = MTCNN().detect(wide)
    assert len(found) == 2
    assert [face["box"] for face in record["faces"]] == [face["box"] for face in found.to_dicts()]
    assert [face["score"] for face in record["faces"]] == [face["score"] for face in found.to_dicts()]
    assert {face["name"]: face["box"][0] > 300 for face in record["faces"]} == {"Ada": False, "Emmy": True}
    drawn = np.array(Image.open("named/wide.png"))
    assert drawn.shape == wide.shape and (drawn != wide).any() and (drawn[:, 600:] == wide[:, 600:]).all()


def test_names_are_drawn_as_far_as_the_font_goes(enrolled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr("facelib.draw.write_label", lambda image, text, *rest: written.append(text))
    search("people.npz", "probes/Ada.png", "--aligned", "--out", "a")
    enrol("people.npz", "--threshold", 0.999)
    search("people.npz", "probes/Ada.png", "--aligned", "--out", "b")
    assert written == ["Ada?", "unknown"]
    for name, drawn in (("José", "Jose"), ("Łukasz", ""), ("山田", ""), ("Ada L.", "Ada L.")):
        assert searching._letters(name) == drawn


def test_pictures_of_one_name_from_several_folders_are_all_drawn(enrolled: Path) -> None:
    search("people.npz", "crops/Ada/0.png", "crops/Emmy/0.png", "--aligned", "--out", "named")
    assert sorted(path.name for path in Path("named").iterdir()) == ["0.png", "0_2.png"]


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


def test_enrolling_again_adds_what_is_new(
    enrolled: Path, rendered: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(Path("crops/Ada/2.png"), rendered[0, 2])
    shutil.copytree("crops", "copy")
    looked: list[str] = []
    crop = pictures.Look._crop
    monkeypatch.setattr(pictures.Look, "_crop", lambda self, file: (looked.append(file), crop(self, file))[1])
    result = enrol("people.npz", "crops", "--aligned")
    assert "1 pictures added, 0 people new, 10 there already, 0 left out" in result.stderr
    assert looked == ["crops/Ada/2.png"], "what is there need not be read"
    assert "0 pictures added, 0 people new, 11 there already" in enrol("people.npz", "copy", "--aligned").stderr
    assert len(looked) == 12, "elsewhere it is known by its numbers only"


def test_two_folders_may_hold_one_person(enrolled: Path, rendered: np.ndarray) -> None:
    write(Path("later/Ada/holiday/0.png"), rendered[0, 2])  # folders in her folder are hers
    assert "1 pictures added, 0 people new" in enrol("people.npz", "later", "--aligned").stderr
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


def test_without_a_threshold_candidates_and_with_a_high_one_unknown(enrolled: Path) -> None:
    result = search("people.npz", "probes/Ada.png", "--aligned", "--json", "out.jsonl")
    assert "no threshold is set" in result.stderr and "  ?  (Ada 0." in result.stdout
    assert records(Path("out.jsonl"))[0]["faces"][0]["name"] is None
    assert len(records(Path("out.jsonl"))[0]["faces"][0]["candidates"]) == 5
    enrol("people.npz", "--threshold", 0.999)
    result = search("people.npz", "probes/Ada.png", "--aligned", "--json", "out.jsonl", "-k", 1)
    assert "no threshold" not in result.stderr and "  unknown  (Ada 0." in result.stdout
    assert records(Path("out.jsonl"))[0]["faces"][0]["name"] is None


@FAISS
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


def test_remove_all_of_them_or_none(enrolled: Path) -> None:
    result = run("remove", "people.npz", "Ada", "Emy", "Zacharias")
    assert result.exit_code == 1 and "nobody was removed" in result.stderr
    assert "'Emy' is not enrolled; did you mean 'Emmy'?; 'Zacharias' is not enrolled" in result.stderr
    assert Gallery.load("people.npz").names == list(WHO)
    result = run("remove", "people.npz", "Ada", "Hedy", "Ada")
    assert result.exit_code == 0 and "people.npz: 3 people, 6 pictures" in result.stderr
    assert Gallery.load("people.npz").names == ["Emmy", "Grace", "Rosalind"]
    run("remove", "people.npz", "Emmy", "Grace", "Rosalind")
    result = search("people.npz", "probes", "--aligned")
    assert result.exit_code == 1 and "nobody is enrolled" in result.stderr


def flat_network(path: Path) -> Path:
    """An ONNX file whose embedding is its input, of 16 x 16 pixels."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3, 16, 16])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 768])
    graph = helper.make_graph([helper.make_node("Flatten", ["x"], ["y"])], "flat", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def test_a_network_of_ones_own_and_no_other(crops: Path, rendered: np.ndarray) -> None:
    wants = [
        "--model",
        flat_network(Path("flat.onnx")),
        "--size",
        16,
        "--colour",
        "BGR",
        "--mean",
        0.25,
        "--std",
        "1,2,3",
    ]
    assert enrol("people.npz", "crops", "--aligned", *wants).exit_code == 0
    seen = Preprocess(16, "BGR", (0.25,) * 3, (1, 2, 3))(rendered[0, :2]).reshape(2, -1)
    stored = np.load("people.npz")["vectors"][:2]
    assert np.allclose(stored, seen / np.linalg.norm(seen, axis=1, keepdims=True), atol=1e-6)
    assert Gallery.load("people.npz").embedder == "flat"
    assert search("people.npz", "probes", "--aligned", *wants).exit_code == 0
    other = search("people.npz", "probes", "--aligned", "--model", "hog")
    assert other.exit_code == 1 and "enrolled with the embedder 'flat', not 'hog'" in other.stderr
    other = enrol("people.npz", "crops", "--aligned", "--model", "hog")
    assert other.exit_code == 1 and "enrolled with the embedder 'flat', not 'hog'" in other.stderr
    unnamed = search("people.npz", "probes", "--aligned")
    assert unnamed.exit_code == 2 and "name it with --model" in unnamed.stderr


def test_pixels_that_the_network_saw_and_no_others(crops: Path) -> None:
    wants = ["--aligned", "--model", flat_network(Path("flat.onnx")), "--size", 16, "--std", "1,2,3"]
    assert enrol("people.npz", "crops", *wants, "--mean", 0.25).exit_code == 0
    listed = json.loads(run("list", "people.npz", "--json").stdout)
    assert listed["preprocess"] == {
        "size": 16,
        "colour": "RGB",
        "mean": [0.25] * 3,
        "std": [1.0, 2.0, 3.0],
        "template": "arcface-112",
    }
    before = Path("people.npz").read_bytes()
    words = "people.npz: enrolled with the embedder 'flat' and mean [0.25, 0.25, 0.25]; this 'flat' has mean [0.5, "
    for result in (
        search("people.npz", "probes", *wants, "--mean", 0.5),
        enrol("people.npz", "probes", "--name", "Ada", *wants, "--mean", 0.5),
    ):
        assert result.exit_code == 1 and words in result.stderr and "or enrol the pictures again" in result.stderr
    assert search("people.npz", "probes", *wants, "--mean", 0.25, "--colour", "BGR").exit_code == 1
    assert Path("people.npz").read_bytes() == before
    assert search("people.npz", "probes", *wants, "--mean", 0.25).exit_code == 0


def test_a_network_that_is_known_by_name_is_checked_too(crops: Path, vectors: np.ndarray) -> None:
    """Without --model the gallery's own name leads to the network, which may not be what it was."""
    for preprocess, rows, words in (
        (Preprocess(size=96, mean=(0, 0, 0), std=(1, 1, 1)), vectors[0], "'hog' and size 96; this 'hog' has size 112"),
        (HOG.preprocess, vectors[0, :, :100], "holds vectors of 100 numbers, not 1764"),
        (HOG.preprocess, vectors[0], ""),
    ):
        gallery = Gallery(Embedder(HOG.forward, preprocess, "hog"))
        gallery.enrol("Ada", rows)
        gallery.save("people.npz")
        for result in (
            search("people.npz", "probes", "--aligned"),
            search("people.npz", "probes", "--aligned", "--model", "hog"),
            enrol("people.npz", "crops", "--aligned"),
        ):
            assert result.exit_code == bool(words) and words in result.stderr, result.output
            assert not words or "people.npz: " in result.stderr


def test_a_gallery_behind_a_link(crops: Path) -> None:
    Path("kept").mkdir()
    Path("people.npz").symlink_to("kept/people.npz")
    assert enrol("people.npz", "crops", "--aligned", "--model", "hog", "--threshold", 0.5).exit_code == 0
    assert run("remove", "people.npz", "Ada").exit_code == 0
    assert Path("people.npz").is_symlink() and len(Gallery.load("kept/people.npz")) == 4
    Path("lost.npz").symlink_to("probes/Ada.png/people.npz")
    result = enrol("lost.npz", "crops", "--aligned", "--model", "hog")
    assert result.exit_code == 1 and "probes/Ada.png: cannot be made" in result.stderr


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
        (1, "pass --mean and --std", ["enrol", "new.npz", "crops", "--model", "x.onnx"]),
        (1, "cannot be made", ["enrol", "probes/Ada.png/new.npz", "crops", "--model", "hog"]),
        (1, "no gallery of facelib", ["enrol", "probes/Ada.png", "crops"]),
        (2, "nowhere.jpg: no such file", ["search", "people.npz", "nowhere.jpg"]),
        (2, "`facelib identify enrol` makes one", ["search", "new.npz", "probes"]),
        (1, "cannot be written", ["search", "people.npz", "probes", "--json", "probes/Ada.png/out"]),
        (1, "check --out", ["search", "people.npz", "probes/Ada.png", "--aligned", "--out", "probes/Ada.png/x"]),
        (1, "device 'abacus'", ["search", "people.npz", "probes", "--device", "abacus"]),
        (2, "`facelib identify enrol` makes one", ["list", "new.npz"]),
        (1, "people.npz: not saved: threshold=nan is no finite number", ["enrol", "people.npz", "--threshold", "nan"]),
        (1, "no gallery of facelib", ["list", "probes/Ada.png"]),
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
