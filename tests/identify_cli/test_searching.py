"""facelib identify search: whom it finds is what the gallery says of crops embedded by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facelib import MTCNN, Gallery, samples
from facelib.identify_cli import searching
from tests.identify_cli.helpers import WHO, by_hand, enrol, records, run, search, write


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


def test_without_a_threshold_candidates_and_with_a_high_one_unknown(enrolled: Path) -> None:
    result = search("people.npz", "probes/Ada.png", "--aligned", "--json", "out.jsonl")
    assert "no threshold is set" in result.stderr and "  ?  (Ada 0." in result.stdout
    assert records(Path("out.jsonl"))[0]["faces"][0]["name"] is None
    assert len(records(Path("out.jsonl"))[0]["faces"][0]["candidates"]) == 5
    enrol("people.npz", "--threshold", 0.999)
    result = search("people.npz", "probes/Ada.png", "--aligned", "--json", "out.jsonl", "-k", 1)
    assert "no threshold" not in result.stderr and "  unknown  (Ada 0." in result.stdout
    assert records(Path("out.jsonl"))[0]["faces"][0]["name"] is None
