"""Identification of a crowd: who is enrolled, and every figure that of the library on vectors made by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pytest

from facelib import Embedder, FaceLibError, Preprocess, evaluate
from facelib.evaluate import figures, identification, page
from facelib.evaluate.judged import table, to_json
from facelib.evaluate.judged_people import Identified, choose_gallery, judge_people
from facelib.evaluate.people import Crowd, embed_crowd, open_crowd
from facelib.evaluate.ranking import wilson
from facelib.evaluate.report import write_report
from facelib.folders.files import encode
from tests.evaluate.test_report import Page

ABOUT = {"model": {"name": "flat"}, "warnings": []}
SHOTS, SIZE = 8, 16


def flat() -> Embedder:
    return Embedder(lambda batch: batch.reshape(len(batch), -1), Preprocess(size=8), "flat")


def images(people: int, seed: int, noise: float = 55) -> np.ndarray:
    chance = np.random.default_rng(seed)
    base = chance.normal(0, 45, (people, 4, 4, 3)).repeat(SHOTS, 0)
    coarse = base + chance.normal(0, noise, base.shape)
    large = np.array([cv2.resize(x, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC) for x in coarse])
    return np.rint(large + 128).clip(0, 255).astype(np.uint8)


def crowd(people: int = 60, seed: int = 0, prefix: str = "person") -> Crowd:
    pictures = images(people, seed)
    names = np.array([f"{prefix} {k // SHOTS:03d}" for k in range(len(pictures))])
    titles = [f"{prefix} {row}" for row in range(len(names))]
    return Crowd("crowd <1>", "made up", names, titles, lambda rows: [*pictures[list(rows)]])


def vectors(people: int = 60, seed: int = 0, flip: bool = True) -> np.ndarray:
    """Embedded without any of the code under test."""
    found = []
    for pictures in (images(people, seed), images(people, seed)[:, :, ::-1])[: 1 + flip]:
        x = Preprocess(size=8)(np.ascontiguousarray(pictures)).reshape(people * SHOTS, -1)
        found.append(x / np.linalg.norm(x, axis=1, keepdims=True))
    return np.sum(found, 0)


def split(people: int = 60, enrol: int = 1, share: float = 0.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Who is enrolled, picture by picture."""
    known = np.random.default_rng(seed).permutation(people)[: people - round(share * people)]
    rows = np.arange(people * SHOTS)
    return (rows % SHOTS < enrol) & np.isin(rows // SHOTS, known), rows // SHOTS


@pytest.fixture(scope="module")
def result() -> Identified:
    return judge_people(crowd(), flat(), enrol=2, seed=3, distractors=crowd(10, 7, "other"), worst=4, batch=50)


@pytest.fixture(autouse=True)
def _coarse(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(page, "DPI", 40)
    yield
    plt.close("all")


def test_figures_are_those_of_the_library(result: Identified) -> None:
    enrolled, who = split(enrol=2, seed=3)
    x, names = vectors(), np.array([f"person {k:03d}" for k in who])
    expected = identification(x[enrolled], names[enrolled], x[~enrolled], names[~enrolled],
                              distractors=vectors(10, 7), templates="mean")  # fmt: skip
    found = result.to_dict()
    assert 0.3 < expected.rank1 < 0.98 and expected.rank1 < expected.rank(5), "or the test tells little"
    assert found["probes"] == expected.mated.sum() == 30 * 6 and found["probes of strangers"] == 30 * 8
    assert found["enrolled"] == 30 and found["people"] == 60 and found["distractors"] == 80
    assert [found["rank1"], found["rank5"]] == [expected.rank(1), expected.rank(5)]
    assert found["cmc"] == expected.cmc[:20].tolist()
    drawn = expected.bootstrap(fpir=(0.01, 0.1))
    assert found["rank1_interval"] == pytest.approx(drawn["rank1"], abs=1e-9)
    few, enough = found["fnir_at_fpir"]
    assert few == {"fpir": 0.01, "fnir": None, "reason": "too few strangers"}
    assert enough["fnir"] == expected.fnir_at(0.1) and enough["threshold"] == pytest.approx(expected.threshold_at(0.1))
    assert enough["interval"] == pytest.approx(drawn["fnir@0.1"], abs=1e-9)
    assert enough["fpir_reached"] == expected.rates(expected.threshold_at(0.1))[0] == 24 / 240
    assert enough["fpir_interval"] == wilson(24 / 240, 240)
    five = replace(expected, ranks=np.where(expected.mated & (expected.ranks <= 5), 1, expected.ranks))
    assert (expected.ranks == 5).any(), "or those at the fifth place tell nothing"
    assert found["rank5_interval"] == pytest.approx(five.bootstrap()["rank1"], abs=1e-9)


def test_the_printed_table_and_the_json_say_the_same(result: Identified) -> None:
    text, found = table([result]), result.to_dict()
    for share in (found["rank1"], found["rank5"], found["fnir_at_fpir"][1]["fnir"]):
        assert f"{100 * share:.2f} %" in text
    assert "too few strangers" in text and re.search(r"gallery +30 people\n  enrolled +2 pictures each\n", text)
    stored = json.loads(to_json([], ABOUT, [result]))
    assert stored["identification"][0]["rank1"] == found["rank1"] and stored["sets"] == []
    assert "FPIR 0.01 needs 1,000 probes of strangers for 10 false answers; there are 240" in result.warnings


@pytest.mark.parametrize("seed", range(3))
def test_strangers_are_other_people_and_the_seed_draws_them(seed: int) -> None:
    people = np.random.default_rng(9).permutation(np.repeat([f"p{k}" for k in range(10)], 4))
    enrolled, known = choose_gallery(people, 3, 0.3, seed)
    assert len(known) == 7 and set(people[enrolled]) == set(known)
    for name in known:
        assert np.flatnonzero((people == name) & enrolled).tolist() == np.flatnonzero(people == name)[:3].tolist()
    assert np.array_equal(enrolled, choose_gallery(people, 3, 0.3, seed)[0])
    assert any(choose_gallery(people, 3, 0.3, other)[1].tolist() != known.tolist() for other in range(5))
    assert len(choose_gallery(people, 3, 0.0, seed)[1]) == 10


def test_people_without_pictures_to_spare() -> None:
    with pytest.raises(FaceLibError, match="here: none of the 2 people to enrol has more than one picture, so nobody"):
        choose_gallery(np.array(["a", "b", "c"]), 1, 0.3, 0, "here")
    with pytest.raises(FaceLibError, match="1 person, too few to leave out a share of 0.5"):
        choose_gallery(np.array(["a", "a"]), 1, 0.5, 0)
    with pytest.raises(FaceLibError, match="expected at least 1 picture"):
        choose_gallery(np.array(["a", "a"]), 0, 0.5, 0)


def test_the_gallery_shows_who_is_taken_for_whom(result: Identified) -> None:
    found, pictures = result.found, images(60, 0)
    ahead = (found.best_scores - found.scores)[found.mated & (found.ranks > 1)]
    shown = [each.score - (each.own or 0) for each in result.worst_known]
    assert shown == sorted(ahead, reverse=True)[:4] and all(each.rank > 1 for each in result.worst_known)
    best = np.sort(found.best_scores[~found.mated])[::-1][:4]
    assert [each.score for each in result.worst_strangers] == best.tolist()
    for each in result.worst_known + result.worst_strangers:
        row = int(each.titles[0].split()[1])
        assert np.array_equal(each.images[0], pictures[row])
        kind, number = each.titles[1].rsplit(" ", 1)
        source = images(10, 7) if kind == "distractor other" else pictures
        assert np.array_equal(each.images[1], source[int(number)])
        if kind != "distractor other":
            assert int(number) // SHOTS != row // SHOTS and int(number) % SHOTS == 0, "the first that was enrolled"


def test_where_nothing_is_wrong_the_interval_is_wilsons() -> None:
    same = Crowd("x", "x", np.repeat(["a", "b", "c", "d"], 5), ["t"] * 20,
                 lambda rows: [*images(4, 1)[[row // 5 * SHOTS for row in rows]]])  # fmt: skip
    found = judge_people(same, flat())
    assert found.found.rank1 == 1 and found.intervals["rank1"] == wilson(1, 8)
    assert any("the very picture that was enrolled" in warning for warning in found.warnings)


def test_the_page_holds_the_figures(result: Identified, tmp_path: Path) -> None:
    write_report(tmp_path, [], ABOUT, identified=[result])
    assert {file.name for file in tmp_path.iterdir()} == {
        "index.html", "report.json", "crowd-1-cmc.png", "crowd-1-open.png"
    }  # fmt: skip
    shown, found = Page((tmp_path / "index.html").read_text("utf-8")), result.found
    assert "Identification of flat" in shown.text and "Accuracy on each fold" not in shown.text
    low, high = result.intervals["rank1"]
    for text in (f"{100 * found.rank1:.2f} %", f"[{100 * low:.2f}, {100 * high:.2f}]", "crowd <1>",
                 f"{100 * found.fnir_at(0.1):.2f} %", f"{found.threshold_at(0.1):.4f}"):  # fmt: skip
        assert text in shown.text
    worst = result.worst_known[0]
    assert f"{worst.score:.3f}, own person {worst.own:.3f}, at rank {worst.rank}" in shown.text
    assert len(shown.all("img")) == 2 + 2 * (4 + 4) and all(len(each["alt"]) > 10 for each in shown.all("img"))


def test_report_json_and_the_table_of_the_page(result: Identified, tmp_path: Path) -> None:
    write_report(tmp_path, [], ABOUT, identified=[result])
    stored = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert stored["sets"] == [] and stored["identification"] == json.loads(json.dumps([result.to_dict()]))
    raw = (tmp_path / "index.html").read_text("utf-8")
    head = raw[raw.index("<table>") : raw.index("</table>")]
    rows = re.findall(r'<th scope="row"(?: class="sub")?>(.*?)</th><td>(.*?)</td>', head)
    assert [(unescape(label), unescape(text)) for label, text in rows] == [
        (label.strip(), text) for label, text in result.lines()
    ]
    assert "Of each person the first 2 pictures are enrolled" in raw


def test_one_picture_is_not_called_pictures(tmp_path: Path) -> None:
    one = judge_people(crowd(8), flat())
    assert ("  enrolled", "one picture each") in one.lines()
    write_report(tmp_path, [], ABOUT, identified=[one])
    assert "Of each person one picture, the first, is enrolled" in (tmp_path / "index.html").read_text("utf-8")


def test_an_interrupted_page_is_not_half_there(
    result: Identified, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(evaluate.report_people, "section", stop)
        with pytest.raises(KeyboardInterrupt):
            write_report(tmp_path, [], ABOUT, identified=[result])
    assert not (tmp_path / "index.html").exists() and not list(tmp_path.glob(".facelib-*"))


def test_cmc_and_det_draw_the_rates(result: Identified) -> None:
    found = result.found
    line = figures.cmc(found, ranks=7).lines[0]
    assert np.array_equal(line.get_xdata(), np.arange(1, 8)) and np.array_equal(line.get_ydata(), found.cmc[:7])
    line = figures.open_det(found).lines[0]
    x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    assert line.get_drawstyle() == "steps-post"
    for fpir in (0.004, 0.05, 0.1, 0.33):
        place = np.searchsorted(x, figures.deviates(np.array([fpir + 1e-9]), 240)[0], side="right") - 1
        assert y[place] == pytest.approx(figures.deviates(np.array([found.fnir_at(fpir)]), 180)[0])


def test_pictures_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    for row, image in enumerate(images(4, 1)):
        path = tmp_path / f"n{row // SHOTS}" / f"{row % SHOTS}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"broken" if row in (0, 5) else encode(image, ".png"))
    opened = open_crowd(tmp_path, size=SIZE, aligned=True)
    x, rows = embed_crowd(opened, flat(), batch=5)
    assert rows.tolist() == [row for row in range(32) if row not in (0, 5)]
    assert np.allclose(x, vectors(4, 1)[rows], atol=1e-6)
    found = judge_people(open_crowd(tmp_path, size=SIZE, aligned=True), flat(), unknown=0)
    assert found.counts["unreadable"] == 2 and found.counts["people"] == 4 and "n0/0.png" in " ".join(found.warnings)
    listing = tmp_path / "list.txt"
    listing.write_text("".join(f"n{k}/{shot}.png {k}\n" for k in range(4) for shot in (1, 2)))
    assert open_crowd(listing).people.tolist() == [f"person {k:06d}" for k in (0, 0, 1, 1, 2, 2, 3, 3)]
    for file in tmp_path.glob("*/*.png"):
        file.write_bytes(b"broken")
    with pytest.raises(FaceLibError, match="not one of 32 pictures can be read; .*0.png"):
        embed_crowd(open_crowd(tmp_path, aligned=True), flat())
