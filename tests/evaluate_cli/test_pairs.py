"""facelib evaluate: every figure it prints is that of pairs embedded by hand, whatever the pairs come in."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facelib import MTCNN, Embedder, Preprocess, align, samples
from facelib.backbones import create, save_weights
from facelib.evaluate import Verification, page, verification
from facelib.evaluate.pictures import open_pairs
from facelib.synth import Dataset
from tests.evaluate_cli.helpers import (
    IMAGES,
    PAIRS,
    SAME,
    WALL,
    by_hand,
    faces,
    flat_network,
    run,
    write_bin,
    write_photographs,
)


def read(path: Path, name: str = "lfw") -> dict[str, Any]:
    (found,) = [each for each in json.loads(path.read_text())["sets"] if each["name"] == name]
    return found


def agree(found: dict[str, Any], expected: Verification) -> None:
    assert found["pairs"] == len(expected.same) and found["same"] == expected.same.sum()
    assert found["different"] == (~expected.same).sum()
    assert found["accuracy"] == pytest.approx(expected.accuracy, abs=1e-9)
    assert found["std"] == pytest.approx(expected.std, abs=1e-9)
    assert found["accuracy_interval"] == pytest.approx(expected.accuracy_interval, abs=1e-9)
    assert found["auc"] == pytest.approx(expected.auc, abs=1e-9)
    assert found["eer"] == pytest.approx(expected.eer, abs=1e-9)
    finite = [value if np.isfinite(value) else None for value in [expected.threshold, *expected.thresholds]]
    levels = [found["threshold"], *(fold["threshold"] for fold in found["folds"])]
    assert levels == [value if value is None else pytest.approx(value, abs=1e-5) for value in finite]
    assert [fold["accuracy"] for fold in found["folds"]] == pytest.approx(expected.accuracies.tolist())
    for rate in found["tar_at_far"]:
        if rate["tar"] is not None:
            assert rate["tar"] == pytest.approx(expected.tar_at(rate["far"]))
            assert rate["interval"] == pytest.approx(expected.tar_interval(rate["far"]))


def test_json_holds_the_figures_of_verification(tmp_path: Path, flat: list[object]) -> None:
    result = run(*flat, "--lfw", write_bin(tmp_path / "lfw.bin"), "--json", tmp_path / "out.json", "--far", "0.2,0.1")
    assert result.exit_code == 0, result.output
    found, expected = read(tmp_path / "out.json"), by_hand(IMAGES)
    agree(found, expected)
    assert 0.6 < expected.accuracy < 0.99, "or the test tells little"
    assert found["pictures"] == 2 * PAIRS - 1, "one picture stands there twice"
    drawn = expected.bootstrap()
    assert found["auc_interval"] == pytest.approx(drawn["auc"], abs=1e-9)
    assert found["eer_interval"] == pytest.approx(drawn["eer"], abs=1e-9)
    accuracy = f"{100 * expected.accuracy:.2f} +- {100 * expected.std:.2f} %"
    for text in (accuracy, f"{100 * expected.eer:.2f} %", f"{100 * expected.auc:.2f} %", "120 (60 same)"):
        assert text in result.stdout


def test_flip_and_centre_crop_by_hand(tmp_path: Path, flat: list[object]) -> None:
    path = write_bin(tmp_path / "lfw.bin")
    large = [cv2.resize(image, (128, 128), interpolation=cv2.INTER_LINEAR) for image in IMAGES]
    middle = np.array(large)[:, 8:120, 8:120]
    accuracies = set()
    for images, crop in ((IMAGES, ()), (middle, ("--ccrop",))):
        for flip in (True, False):
            out = tmp_path / "out.json"
            run(*flat, "--lfw", path, "--json", out, *crop, "--flip" if flip else "--no-flip")
            agree(read(out), by_hand(images, flip=flip))
            accuracies.add(read(out)["auc"])
    assert len(accuracies) == 4, "each of the four is something else"


def test_what_an_onnx_network_wants_reaches_it(tmp_path: Path) -> None:
    model, path = flat_network(tmp_path / "flat.onnx"), write_bin(tmp_path / "lfw.bin")
    out, colours = tmp_path / "out.json", ["--mean", "0.1,0.2,0.9", "--std", "0.2,1,2"]
    assert run(model, *colours, "--size", 16, "--colour", "BGR", "--lfw", path, "--json", out).exit_code == 0
    agree(read(out), by_hand(IMAGES, colour="BGR", mean=(0.1, 0.2, 0.9), std=(0.2, 1, 2)))


def test_too_few_pairs_for_a_rate_are_said(tmp_path: Path, flat: list[object]) -> None:
    """Sixty different pairs: 1/6 is met by ten of them, a little less is not."""
    path, out = write_bin(tmp_path / "lfw.bin"), tmp_path / "out.json"
    result = run(*flat, "--lfw", path, "--json", out, "--far", f"{1 / 6},0.166,0.01")
    first, second, third = read(out)["tar_at_far"]
    assert first["tar"] == pytest.approx(by_hand(IMAGES).tar_at(1 / 6))
    assert second == {"far": 0.166, "tar": None, "reason": "too few pairs"} and third["tar"] is None
    assert re.search(r"TAR at FAR 0\.01 +too few pairs", result.stdout)
    assert "FAR 0.01 needs 1,000 different pairs to be met by 10 false accepts; there are 60" in result.stderr


@pytest.mark.parametrize("above", [False, True])
def test_a_bcolz_folder_gives_the_same(above: bool, tmp_path: Path, flat: list[object]) -> None:
    pytest.importorskip("numcodecs")
    from tests.data.test_carrays import write_carray

    folder, images = tmp_path / "lfw_align_112", faces(1, 24)
    for name, pictures in (("lfw", images), ("cfp_fp", images[::-1])):
        stored = ((pictures.transpose(0, 3, 1, 2) / 255 - 0.5) / 0.5).astype(np.float32)
        write_carray(folder / name, stored[:, ::-1], 50)
        np.save(folder / f"{name}_list.npy", SAME)
    result = run(*flat, "--lfw", folder if above else folder / "lfw", "--json", tmp_path / "out.json")
    assert result.exit_code == 0, result.output
    agree(read(tmp_path / "out.json"), by_hand(images))
    if above:
        assert "name one" in run(*flat, "--agedb", folder).stderr


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photographs(tmp_path_factory.mktemp("lfw"))


def test_photographs_are_detected_and_aligned(photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    result = run("hog", "--pairs", f"mine={photographs}", "--json", out, "--no-flip", "--folds", 2, "--quiet")
    assert result.exit_code == 0, result.output
    found, mtcnn, embed = read(out, "mine"), MTCNN(min_face=40), Embedder.load("hog")

    def crop(name: str, shot: str) -> np.ndarray:
        if name + shot == "p7a":  # no face: the middle square of half the shorter side
            return cv2.resize(WALL[50:150, 70:170], (112, 112), interpolation=cv2.INTER_AREA)
        image = samples.picture({"p7": "p1a", "p8": "p2a"}.get(name, name + shot))
        image = np.ascontiguousarray(image[:, ::-1]) if name in ("p7", "p8") else image
        return align(image, mtcnn.detect(image).landmarks[0])

    pairs = [(f"p{k}a", f"p{k}b") for k in range(1, 9)] + [(f"p{k}a", f"p{k % 8 + 1}b") for k in range(1, 9)]
    kept = [pair for pair in pairs if "p8b" not in pair]
    a, b = (embed(np.stack([crop(pair[side][:2], pair[side][2]) for pair in kept])) for side in (0, 1))
    same = np.array([one[:2] == other[:2] for one, other in kept])
    agree(found, verification(a, b, same, fold=[0] * 4 + [1] * 3 + [0] * 4 + [1] * 3))
    assert (found["pictures"], found["unreadable"], found["faceless"], found["left out"]) == (16, 1, 1, 2)
    pairs = open_pairs(photographs, folds=2, min_face=40)
    assert np.array_equal(pairs.images[list(pairs.titles).index("p7_0001")], crop("p7", "a"))
    assert "no face was found in 1 of 16 pictures; their middle was taken: p7/p7_0001.png" in result.stderr
    assert "2 pairs with them were left out" in result.stderr and "p8_0002.png" in result.stderr


def test_crops_are_taken_as_they_are_when_told_so(photographs: Path, tmp_path: Path) -> None:
    """Also when the list itself is named, and the pictures are in no folder below it but beside it."""
    (tmp_path / "pairs.txt").write_text((photographs / "pairsDevTest.txt").read_text())
    for folder in (photographs / "images").iterdir():
        (tmp_path / folder.name).symlink_to(folder)
    out = tmp_path / "out.json"
    result = run("hog", "--pairs", tmp_path / "pairs.txt", "--aligned", "--no-flip", "--folds", 2, "--json", out)
    assert result.exit_code == 0, result.output
    found = read(out, "pairs")
    assert (found["unreadable"], found["faceless"], found["left out"]) == (1, 0, 2)
    pairs = open_pairs(tmp_path, aligned=True, folds=2)
    first = pairs.images[list(pairs.titles).index("p1_0002")]
    assert np.array_equal(first, cv2.resize(samples.picture("p1b"), (112, 112), interpolation=cv2.INTER_AREA))


def test_what_scikit_learn_fetched_is_taken_as_it_lies(photographs: Path, tmp_path: Path) -> None:
    """Its lfw_home holds three lists, of which pairs.txt counts, and the pictures in lfw_funneled."""
    home, lines = tmp_path / "lfw_home", (photographs / "pairsDevTest.txt").read_text().splitlines()
    home.mkdir()
    (home / "lfw_funneled").symlink_to(photographs / "images")
    (home / "pairs.txt").write_text("2\t2\n" + "\n".join(lines[1:3] + lines[9:11] + lines[3:5] + lines[11:13]) + "\n")
    for name in ("pairsDevTrain.txt", "pairsDevTest.txt"):
        (home / name).write_text("\n".join(["1", lines[1], lines[9]]) + "\n")
    out = tmp_path / "out.json"
    result = run("hog", "--lfw", home, "--aligned", "--no-flip", "--json", out)
    assert result.exit_code == 0, result.output
    assert (read(out, "lfw")["pairs"], len(read(out, "lfw")["folds"])) == (8, 2)


def test_rendered_people(tmp_path: Path, flat: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load(preset: str, split: str, hide_hair: bool = False) -> Dataset:
        asked.append((preset, split, hide_hair))
        traits = {name: np.zeros(240) for name in ("yaw", "masculine", "melanin", "age")}
        return Dataset(IMAGES, np.arange(240) // 8, np.zeros((240, 5, 2), np.float32), traits)

    monkeypatch.setattr("facelib.synth.load_dataset", load)
    out = tmp_path / "out.json"
    result = run(*flat, "--pairs", "synth:mini", "--pairs", "hard=synth:mini-hard", "--json", out)
    assert result.exit_code == 0, result.output
    assert asked == [("mini", "test", False), ("mini", "test", True)]
    assert read(out, "synth-mini")["pairs"] == read(out, "hard")["pairs"] == 600
    assert [fold["pairs"] for fold in read(out, "hard")["folds"]] == [60] * 10
    monkeypatch.setattr(page, "DPI", 40)
    lfw = write_bin(tmp_path / "lfw.bin", IMAGES[:40], SAME[:20])
    result = run(
        *flat, "--lfw", lfw, "--report", tmp_path / "out", "--matrix", "synth:tiny", "--people", 3, "--shots", 4
    )
    assert result.exit_code == 0, result.output
    assert asked[2:] == [("tiny", "test", False)]
    assert "12 pictures of 3 people" in (tmp_path / "out" / "index.html").read_text()


def test_a_trained_network_says_what_it_wants_and_where_it_comes_from(tmp_path: Path) -> None:
    weights, out = tmp_path / "weights.safetensors", tmp_path / "out.json"
    spec = {"backbone": "mobilefacenet", "embedding": 8, "size": 32}
    save_weights(weights, create(name="mobilefacenet", embedding=8, size=32), spec, Preprocess(size=32))
    lfw = write_bin(tmp_path / "lfw.bin", IMAGES[:40], SAME[:20])
    result = run(weights, "--lfw", lfw, "--json", out, "--quiet")
    assert result.exit_code == 0, result.output
    about = json.loads(out.read_text())
    assert about["preprocess"]["size"] == 32 and about["model"]["backbone"] == "mobilefacenet"
    assert about["model"]["trained on"] == "unknown" and len(about["model"]["SHA-256"]) == 64
    assert "what it was trained on is not known; if training and test share people, as VGGFace2" in result.stderr
    assert "crops of 112 pixels were resized to the 32" in result.stderr
    for source, warned in (("data/vgg.txt", True), ("synth:mini", False)):
        run_json = {"recipe": {"train_list": source, "metric": "arcface"}, "people": 8, "steps": 9}
        (tmp_path / "run.json").write_text(json.dumps(run_json))
        result = run(weights, "--lfw", lfw, "--json", out, "--quiet")
        assert json.loads(out.read_text())["model"]["trained on"] == source
        assert (f"trained on {source}; if training and test" in result.stderr) == warned


def test_json_on_the_screen_is_nothing_but_json(tmp_path: Path, flat: list[object]) -> None:
    result = run(*flat, "--lfw", write_bin(tmp_path / "lfw.bin"), "--json", "-")
    assert json.loads(result.stdout)["sets"][0]["pairs"] == PAIRS
    assert "accuracy +- spread" in result.stderr


def test_one_bad_set_costs_only_itself(tmp_path: Path, flat: list[object]) -> None:
    (tmp_path / "agedb.bin").write_bytes(pickle.dumps(["no", "pairs", "at all"]))
    good, out = write_bin(tmp_path / "cfp.bin"), tmp_path / "out.json"
    result = run(*flat, "--agedb", tmp_path / "agedb.bin", "--cfp-fp", good, "--json", out)
    assert result.exit_code == 1 and "Traceback" not in result.output
    assert re.search(r"Error: agedb: .*agedb\.bin: is a pickle, but not of two lists", result.stderr)
    agree(read(out, "cfp-fp"), by_hand(IMAGES))
    assert "agedb" in json.loads(out.read_text())["failed"][0]


def test_pairs_of_one_kind(tmp_path: Path, flat: list[object]) -> None:
    result = run(*flat, "--lfw", write_bin(tmp_path / "lfw.bin", same=SAME | True))
    assert result.exit_code == 1 and "no different one among them" in result.stderr


@pytest.mark.parametrize(
    "model, options, code, fault",
    [
        ("hog", [], 2, "no pairs to judge by"),
        ("hog", ["--lfw", "gone.bin"], 2, "lfw: gone.bin: no such file"),
        ("hog", ["--lfw", "lfw.bin", "--pairs", "lfw=lfw.bin"], 2, "two sets have this name"),
        ("hog", ["--lfw", "lfw.bin", "--far", "2"], 2, "between 0 and 1"),
        ("hog", ["--lfw", "lfw.bin", "--mean", "0.5"], 2, "is for .onnx files"),
        ("hog", ["--pairs", "synth:huge"], 1, "there is no preset 'huge'"),
        ("hug", ["--lfw", "lfw.bin"], 1, "neither a known embedder"),
        ("gone.safetensors", ["--lfw", "lfw.bin"], 1, "no such file"),
        ("lfw.safetensors", ["--lfw", "lfw.bin"], 1, "not a .safetensors file"),
        ("flat.onnx", ["--lfw", "lfw.bin"], 1, "commands: --mean and --std"),
        ("flat.onnx", ["--lfw", "lfw.bin", "--mean", "1,2", "--std", "1"], 1, "one number or three, got 2"),
        ("flat.onnx", ["--lfw", "lfw.bin", "--mean", "0", "--std", "0"], 1, "above 0"),
        ("hog", ["--lfw", "lfw.bin", "--report", "lfw.bin/out"], 1, "cannot be made"),
        ("hog", ["--pairs", "empty"], 1, "holds neither pairs.txt"),
        ("hog", ["--pairs", "listed"], 1, "put the list beside the pictures"),
    ],
)
def test_errors_say_what_is_wrong(
    model: str, options: list[str], code: int, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_bin(Path("lfw.bin"), IMAGES[:8], SAME[:4])
    Path("lfw.safetensors").write_bytes(b"no weights")
    flat_network(Path("flat.onnx"))
    Path("empty").mkdir()
    Path("listed").mkdir()
    Path("listed/pairs.txt").write_text("1\nAnn 1 2\nAnn 1 Bo 1\n")
    result = run(model, *options)
    assert result.exit_code == code, result.output
    assert fault in " ".join(result.stderr.split()) and "Traceback" not in result.output


def test_the_command_teaches() -> None:
    text = run("--help").stdout
    assert "      facelib evaluate weights.safetensors --lfw lfw.bin" in text and "Ends with 0" in text
    assert "      facelib evaluate mobilefacenet-synth --identify synth:mini" in text
    assert "      facelib evaluate weights.safetensors --ijb IJBC" in text
