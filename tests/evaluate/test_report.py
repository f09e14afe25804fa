"""The page of an evaluation: whole in itself, readable, and what it shows is so."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facelib import Embedder, FaceLibError, Preprocess
from facelib.evaluate import cosine_scores
from facelib.evaluate import page as parts
from facelib.evaluate.judged import Matrix, Result, chosen_people, distance, judge, table, to_json
from facelib.evaluate.pictures import PairSet, centre_crop, deal_folds, embed_pictures, open_pairs, open_people
from facelib.evaluate.report import write_report
from tests.data.helpers import make_folder

VOID = {"meta", "img", "source", "br"}
ABOUT = {
    "model": {"name": "flat <&>", "trained on": "unknown"},
    "preprocess": {"size": 8, "mean": (0.5, 0.5, 0.5)},
    "settings": {"flip": True},
    "versions": {"facelib": "0"},
    "warnings": ["a <b>warning</b>"],
}


class Page(HTMLParser):
    """Elements with their attributes; every tag that is opened must be closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def flat() -> Embedder:
    return Embedder(lambda batch: batch.reshape(len(batch), -1), Preprocess(size=8), "flat")


def pair_set(name: str = "set <1>", pairs: int = 60, seed: int = 0) -> PairSet:
    """Fifteen people, four pictures each; a picture is in two pairs."""
    chance = np.random.default_rng(seed)
    labels = np.arange(60) // 4
    base = chance.normal(0, 45, (15, 4, 4, 3))[labels] + chance.normal(0, 40, (60, 4, 4, 3))
    images = np.array([cv2.resize(x, (16, 16), interpolation=cv2.INTER_CUBIC) for x in base]) + 128
    first = np.arange(pairs)
    same = first % 2 == 0
    second = np.where(same, labels * 4 + (first + 1) % 4, (first + 4 + first % 7) % 60)
    people = np.array([f"person {label:02d}" for label in labels])
    titles = [f"picture {row}" for row in range(60)]
    return PairSet(name, "made up", np.rint(images).clip(0, 255).astype(np.uint8), first, second, same,
                   deal_folds(same, 10), people, titles)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _coarse() -> Iterator[None]:
    """Figures of few pixels, which take less time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "DPI", 40)
        yield


@pytest.fixture(scope="module")
def result() -> Result:
    return judge(pair_set(), flat(), fars=(0.5, 0.01), worst=5, people=6, shots=3)


@pytest.fixture(scope="module")
def out(result: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "new" / "out"
    assert (
        write_report(folder, [result, judge(pair_set("other", seed=1), flat(), fars=(0.5, 0.01))], ABOUT)
        == folder / "index.html"
    )
    return folder


@pytest.fixture(scope="module")
def page(out: Path) -> Page:
    return Page((out / "index.html").read_text("utf-8"))


def test_nothing_is_asked_for_from_anywhere(page: Page, out: Path) -> None:
    links = [value for _, attributes in page.elements for name, value in attributes.items()
             if name in ("src", "href", "srcset", "action", "data", "poster", "background")]  # fmt: skip
    assert len(links) > 30
    assert all(link.startswith(("data:image/", "#")) for link in links)
    assert not page.all("script") + page.all("link") + page.all("iframe")
    style = re.search(r"<style>(.*?)</style>", (out / "index.html").read_text(), re.S)
    assert style and "url(" not in style[1] and "@import" not in style[1] and "prefers-color-scheme: dark" in style[1]
    assert "default-src 'none'" in str(page.all("meta"))
    assert page.all("html") == [{"lang": "en"}]


def test_every_picture_is_whole_and_described(page: Page) -> None:
    images = page.all("img")
    assert len(images) == 2 * 4 + 4 * 5 + 4 * 8
    assert all(len(image["alt"]) > 10 for image in images)
    for address in [image["src"] for image in images] + [source["srcset"] for source in page.all("source")]:
        data = np.frombuffer(base64.b64decode(address.split(",", 1)[1]), np.uint8)
        assert cv2.imdecode(data, cv2.IMREAD_COLOR) is not None
    anchors = {link["href"] for link in page.all("a")}
    assert anchors == {f"#{section['id']}" for section in page.all("section") if "id" in section}


def test_text_is_escaped(page: Page) -> None:
    assert not page.all("b")
    assert "a <b>warning</b>" in page.text and "flat <&>" in page.text and "set <1>" in page.text


def test_figures_are_those_of_the_result(page: Page, result: Result) -> None:
    found = result.verification
    for text in (f"{100 * found.accuracy:.2f} ± {100 * found.std:.2f} %", f"{100 * found.tar_at(0.5):.2f} %",
                 "too few pairs", f"{100 * found.accuracies[3]:.2f} %", f"{found.thresholds[3]:.4f}",
                 f"{distance(found.threshold):.4f}"):  # fmt: skip
        assert text in page.text
    assert "FAR 0.01 needs 1,000 different pairs" in page.text
    low, high = found.accuracy_interval
    assert f"[{100 * low:.2f}, {100 * high:.2f}]" in page.text


def test_the_gallery_holds_the_worst_pairs(page: Page, result: Result) -> None:
    pairs, scores = pair_set(), result.verification.scores
    vectors = embed_pictures(flat(), pairs.images)
    assert scores == pytest.approx(cosine_scores(vectors[pairs.a], vectors[pairs.b]))
    same, different = scores[pairs.same], scores[~pairs.same]
    assert [shown.score for shown in result.worst_same] == sorted(same)[:5]
    assert [shown.score for shown in result.worst_different] == sorted(different)[:-6:-1]
    for shown in result.worst_same + result.worst_different:
        row = int(np.flatnonzero(scores == shown.score)[0])
        ends = pairs.a[row], pairs.b[row]
        assert shown.titles == tuple(f"picture {end}" for end in ends) and shown.same == pairs.same[row]
        assert all(np.array_equal(image, pairs.images[end]) for image, end in zip(shown.images, ends, strict=True))
        threshold = result.verification.thresholds[pairs.fold[row]]
        assert shown.right == ((shown.score > threshold) == shown.same)
    caption = r"(-?\d\.\d{3}) (right|wrong)picture (\d+) and picture (\d+?)(?=\D|-?\d\.\d{3} )"
    captions = re.findall(caption, page.text)[:10]
    expected = [(f"{s.score:.3f}", "right" if s.right else "wrong", s.titles[0][8:], s.titles[1][8:])
                for s in result.worst_same + result.worst_different]  # fmt: skip
    assert captions == expected
    first = next(image for image in page.all("img") if image["alt"].startswith(result.worst_same[0].titles[0] + ","))
    drawn = cv2.imdecode(np.frombuffer(base64.b64decode(first["src"].split(",", 1)[1]), np.uint8), cv2.IMREAD_COLOR)
    assert abs(drawn[..., ::-1].astype(int) - result.worst_same[0].images[0]).mean() < 12, "JPEG of 16 pixels"


def test_files_lie_beside_the_page(out: Path, result: Result) -> None:
    kinds = ("scores", "roc", "det", "matrix")
    assert {file.name for file in out.iterdir()} == {
        "index.html", "report.json", *(f"{name}-{kind}.png" for name in ("set-1", "other") for kind in kinds)
    }  # fmt: skip
    stored = json.loads((out / "report.json").read_text())
    assert stored["model"]["name"] == "flat <&>" and len(stored["sets"]) == 2
    assert stored["sets"][0] == json.loads(to_json([result], ABOUT))["sets"][0]
    assert stored["sets"][0]["accuracy"] == result.verification.accuracy


def test_one_matrix_may_stand_for_all(tmp_path: Path, result: Result) -> None:
    matrix = Matrix(np.eye(4)[[0, 0, 1, 1]] + 0.1, np.array(["Ann", "Ann", "Bo", "Bo"]), "elsewhere")
    write_report(tmp_path, [result], ABOUT, matrix)
    assert {file.name for file in tmp_path.glob("*matrix*")} == {"matrix.png"}
    page = Page((tmp_path / "index.html").read_text("utf-8"))
    (text,) = [image["alt"] for image in page.all("img") if image["alt"].startswith("Similarity matrix")]
    own, other = 1.1**2 + 3 * 0.1**2, 2 * 1.1 * 0.1 + 2 * 0.1**2
    assert "4 pictures of 2 people: 1.00 on average within" in text and f"{other / own:.2f} elsewhere" in text


def test_a_folder_that_cannot_be_written(tmp_path: Path, result: Result) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FaceLibError, match="file/out: cannot be written"):
        write_report(tmp_path / "file" / "out", [result], ABOUT)


def test_people_of_the_matrix(result: Result) -> None:
    assert result.matrix is not None
    assert result.matrix.people.tolist() == [f"person {k // 3:02d}" for k in range(18)]
    vectors = embed_pictures(flat(), pair_set().images)
    rows = [4 * person + shot for person in range(6) for shot in range(3)]
    np.testing.assert_allclose(result.matrix.vectors, vectors[rows], atol=1e-6)
    people = np.array(["a", "b", "", "c", "b", "", "c", "c", ""])
    assert chosen_people(people, 20, 2).tolist() == [1, 4, 3, 6]
    assert not len(chosen_people(people, 1, 2)), "one person is no matrix"


def test_pictures_in_no_pair_change_nothing(result: Result) -> None:
    pairs = pair_set()
    images = np.concatenate([np.full((7, 16, 16, 3), 9, np.uint8), pairs.images])
    more = replace(pairs, images=images, a=pairs.a + 7, b=pairs.b + 7, people=np.append([""] * 7, pairs.people),
                   titles=["nobody"] * 7 + list(pairs.titles))  # fmt: skip
    found = judge(more, flat(), fars=(0.5, 0.01), worst=5, people=6, shots=3)
    assert found.verification.scores == pytest.approx(result.verification.scores)
    assert found.counts["pictures"] == 60 and found.worst_same[0].titles == result.worst_same[0].titles


def test_a_table_of_many_sets_is_cut_into_blocks(result: Result) -> None:
    blocks = table([result] * 4).split("\n\n")
    assert len(blocks) == 2 and all("accuracy" in block for block in blocks)
    assert max(map(len, blocks[0].splitlines())) <= 90


def test_folds_are_dealt_by_kind() -> None:
    same = np.array([True] * 6 + [False] * 6)
    assert deal_folds(same, 3).tolist() == [0, 0, 1, 1, 2, 2] * 2
    runs = np.tile([True] * 300 + [False] * 300, 10)
    assert deal_folds(runs, 10).tolist() == (np.arange(6000) // 600).tolist(), "LFW's list keeps its folds"
    with pytest.raises(FaceLibError, match="11 folds of 10 pairs"):
        deal_folds(same[1:11], 11)


def test_centre_crop_keeps_the_middle() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    for crop, kept in zip(crops, centre_crop(crops), strict=True):
        assert np.array_equal(kept, cv2.resize(crop, (128, 128), interpolation=cv2.INTER_LINEAR)[8:120, 8:120])
    assert centre_crop(np.zeros((1, 56, 56, 3), np.uint8)).shape == (1, 56, 56, 3)


def test_same_pairs_hold_groups_together(tmp_path: Path) -> None:
    """Pairs 0-1, 1-2, 3-4 same, 0-5 different; picture 1 stands there twice and becomes one."""
    import pickle

    from tests.data.helpers import jpeg

    order = [0, 1, 1, 2, 3, 4, 0, 5]
    (tmp_path / "x.bin").write_bytes(pickle.dumps(([jpeg(k) for k in order], [1, 1, 1, 0])))
    pairs = open_pairs(tmp_path / "x.bin", folds=2)
    assert len(pairs.images) == 6 and not pairs.named and pairs.name == "x"
    assert np.stack([pairs.a, pairs.b], 1).tolist() == [[0, 1], [1, 2], [3, 4], [0, 5]]
    assert pairs.people.tolist() == ["group 0001"] * 3 + ["group 0002"] * 2 + [""]


def test_people_of_a_folder(tmp_path: Path) -> None:
    make_folder(tmp_path, 3, 1, 4)
    crops, who = open_people(str(tmp_path), people=5, shots=3, size=24)
    assert crops.shape == (6, 24, 24, 3) and who.tolist() == ["n000000"] * 3 + ["n000002"] * 3
    with pytest.raises(FaceLibError, match="two people with two pictures"):
        open_people(str(tmp_path), people=1)


@pytest.mark.browser
def test_it_fits_a_phone(chromium: Any, out: Path) -> None:
    for scheme, width in (("light", 390), ("dark", 1280)):
        context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": 844})
        tab = context.new_page()
        faults: list[str] = []
        tab.on("console", lambda message, faults=faults: faults.append(message.text))
        tab.goto(f"file://{out / 'index.html'}")
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
        assert not faults
        context.close()
