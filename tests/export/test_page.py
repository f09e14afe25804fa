"""The page in a real browser against the package: the same faces, crops, embeddings; and a reader with odd files."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facelib import MTCNN, Embedder, align, load_image, samples
from facelib.export.page import Threshold, write_page
from facelib.folders.files import encode
from tests.browsing import DESKTOP, PHONE, faults, open_page, served, tour
from tests.export.helpers_page import SECONDS, Found, Page, by_page, by_python, put
from tests.pages import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PICTURES = {name: samples.picture(name) for name in samples.NAMES} | {"astronaut": samples.astronaut()}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "site"
    write_page(folder, threshold=Threshold(0.6, 0.015, "a trial"))
    return folder


@pytest.fixture(scope="module")
def opened(chromium: Any, site: Path) -> Iterator[tuple[Any, Any]]:
    """The page, and what it said and asked for."""
    with served(site.parent) as address:
        context = chromium.new_context(viewport=DESKTOP)
        yield open_page(context, address, "site/index.html")
        context.close()


@pytest.fixture(scope="module")
def reader(opened: tuple[Any, Any]) -> Page:
    return Page(opened[0])


@pytest.fixture(scope="module")
def tools() -> tuple[MTCNN, Embedder]:
    return MTCNN(), Embedder.load("mobilefacenet-synth")


@pytest.fixture(scope="module")
def both(opened: tuple[Any, Any], site: Path, tools: tuple[MTCNN, Embedder]) -> dict[str, tuple[Found, Found]]:
    """Every sample and the astronaut, by the page and by the package."""
    page = opened[0]
    page.evaluate("() => window.facelib.ready().then(() => 0)")
    return {name: (by_page(page, put(image, site)), by_python(image, *tools)) for name, image in PICTURES.items()}


@pytest.mark.parametrize("name", PICTURES)
def test_the_whole_path_is_that_of_the_package(name: str, both: dict[str, tuple[Found, Found]]) -> None:
    page, python = both[name]
    assert (page.pixels == PICTURES[name]).all(), "the browser decodes a PNG to the same pixels"
    assert page.counts == python.counts
    assert page.counts[0] > page.counts[2] > 0
    np.testing.assert_allclose(page.faces.scores, python.faces.scores, atol=1e-3)
    np.testing.assert_allclose(page.faces.boxes, python.faces.boxes, atol=0.1)
    np.testing.assert_allclose(page.faces.landmarks, python.faces.landmarks, atol=0.1)
    apart = abs(page.crops.astype(int) - python.crops).mean((1, 2, 3))
    assert (apart <= 1).all(), apart
    assert ((page.embeddings * python.embeddings).sum(1) >= 0.99).all()


def test_embeddings_of_the_same_crop_agree(both: dict[str, tuple[Found, Found]], tools: tuple[MTCNN, Embedder]) -> None:
    crops = np.concatenate([page.crops for page, _ in both.values()])
    embeddings = np.concatenate([page.embeddings for page, _ in both.values()])
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    assert (embeddings * tools[1](crops)).sum(1).min() >= 0.999


def test_the_page_of_the_book_says_what_is_found(both: dict[str, tuple[Found, Found]]) -> None:
    text = (ROOT / "book" / "browser.md").read_text("utf-8")
    stages, found = both["group"][0].counts, len(both["group"][0].faces)
    assert found == 11 and "\nEleven." in text
    told = re.search(r"P-Net leaves (\d+)\s+candidates, R-Net (\d+), O-Net (\d+)", text)
    assert told and list(map(int, told.groups())) == stages
    vectors = np.array([both[f"p{person}{shot}"][1].embeddings[0] for person in samples.PEOPLE for shot in "ab"])
    cosines = vectors @ vectors.T
    person = np.arange(12) // 2
    same = cosines[(person[:, None] == person) & ~np.eye(12, dtype=bool)]
    other = np.where(person[:, None] == person, -1, cosines)
    assert f"between {same.min():.2f} and {same.max():.2f}" in text
    assert f"highest is {other.max():.2f} (person 1, b and person 6, b)" in text
    assert {tuple(map(int, place)) for place in np.argwhere(other == other.max())} == {(1, 11), (11, 1)}
    assert -0.5 < cosines.min() < -0.4 and "below −0.4" in text


def test_two_pictures_are_compared(reader: Page, both: dict[str, tuple[Found, Found]]) -> None:
    assert reader.sample("A", "p1a") == "person 1, a: 1 face found."
    assert reader.sample("B", "p1b") == "person 1, b: 1 face found."
    same = float(both["p1a"][1].embeddings[0] @ both["p1b"][1].embeddings[0])
    assert reader.cosine() == pytest.approx(same, abs=0.01)
    assert reader.counts("A") == [str(count) for count in both["p1a"][1].counts]
    assert reader.verdict() == "Taken for the same person."
    assert "begins at 0.60, where by the network's record 1.5 % of pairs" in reader.page.text_content(".fl-source")
    slider = reader.page.locator(".fl-threshold input")
    slider.fill("0.95")
    assert reader.verdict() == "Taken for two people."
    slider.press("Home")
    assert reader.verdict() == "Taken for the same person."
    slider.fill("0.6")
    reader.sample("B", "p4a")
    other = float(both["p1a"][1].embeddings[0] @ both["p4a"][1].embeddings[0])
    assert reader.cosine() == pytest.approx(other, abs=0.01)
    assert reader.verdict() == "Taken for two people."


def test_one_of_several_faces_is_chosen(reader: Page, both: dict[str, tuple[Found, Found]]) -> None:
    group, one = both["group"][1], both["p1a"][1].embeddings[0]
    reader.sample("A", "p1a")
    assert reader.sample("B", "group").startswith("group of twelve: 11 faces found. Face 1 is compared")
    buttons = reader.panel("B").locator(".fl-faces button")
    assert buttons.count() == 11
    buttons.nth(4).press("Enter")
    reader.page.locator("[data-panel=B] .fl-note", has_text="Face 5").wait_for(timeout=SECONDS)
    assert reader.cosine() == pytest.approx(float(one @ group.embeddings[4]), abs=0.01)
    canvas = reader.panel("B").locator(".fl-stage canvas")
    x, y = group.faces.landmarks[7].mean(0) * canvas.bounding_box()["width"] / PICTURES["group"].shape[1]
    canvas.click(position={"x": float(x), "y": float(y)})
    reader.page.locator("[data-panel=B] .fl-note", has_text="Face 8").wait_for(timeout=SECONDS)
    assert buttons.nth(7).get_attribute("aria-pressed") == "true"
    assert reader.cosine() == pytest.approx(float(one @ group.embeddings[7]), abs=0.01)


def test_bad_files_are_said_and_the_page_goes_on(reader: Page) -> None:
    good = encode(PICTURES["p2a"], ".png")
    assert "damaged, or of a kind it does not know" in reader.choose("A", "broken.png", good[:200])
    assert reader.panel("A").locator(".fl-note").evaluate("e => getComputedStyle(e).color") == "rgb(163, 36, 31)"
    assert "empty (0 bytes)" in reader.choose("A", "empty.png", b"")
    assert "does not know" in reader.choose("A", "text.png", b"no picture at all")
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    assert reader.choose("A", "noise.png", encode(noise, ".png")) == "noise.png: no face found."
    assert reader.page.text_content("[data-value=cosine]") == "–"
    assert reader.choose("A", "tiny.png", encode(noise[:5, :1], ".png")) == "tiny.png: no face found."
    assert reader.choose("A", "good.png", good) == "good.png: 1 face found."


def test_a_large_picture_is_shrunk_and_its_landmarks_scaled_back(
    opened: tuple[Any, Any], reader: Page, site: Path
) -> None:
    large = np.full((320, 2400, 3), 200, np.uint8)
    large[10:310, 2000:2300] = PICTURES["p3b"]
    found = by_page(opened[0], put(large, site))
    assert len(found.faces) == 1
    true = samples.truth("p3b")
    off = found.faces.landmarks[0] - (true.landmarks[0] + [2000, 10])
    assert np.linalg.norm(off, axis=1).max() < 0.05 * true.sizes[0]
    crop, original = found.crops[0].astype(int), align(large, found.faces.landmarks[0])
    assert abs(crop - original).max() <= 1, "the crop is cut from the full picture"
    note = reader.choose("B", "large.png", encode(large, ".png"))
    assert note.endswith("1 face found. The picture has 2400 × 320 pixels; the detector saw it at 2000 × 267.")


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_pictures_stand_upright(orientation: int, opened: tuple[Any, Any]) -> None:
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.fromarray(PICTURES["p5a"][:, :280]).save(file, "PNG", exif=exif)
    upright = load_image(file.getvalue())
    script = """async (bytes) => {
      const { data, width, height } = await window.facelib.decode(new Blob([new Uint8Array(bytes)]));
      return [width, height, [...data.slice(0, 4 * 50)]];
    }"""
    width, height, first = opened[0].evaluate(script, list(file.getvalue()))
    assert (height, width) == upright.shape[:2]
    assert (np.array(first).reshape(-1, 4)[:, :3] == upright[0, :50]).all()


def test_transparency_lies_over_white(opened: tuple[Any, Any]) -> None:
    clear, file = np.zeros((8, 8, 4), np.uint8), io.BytesIO()
    clear[..., 3] = np.arange(64).reshape(8, 8) * 4
    Image.fromarray(clear).save(file, "PNG")
    script = "async (b) => [...(await window.facelib.decode(new Blob([new Uint8Array(b)]))).data]"
    found = np.array(opened[0].evaluate(script, list(file.getvalue()))).reshape(8, 8, 4)[..., :3]
    assert abs(found - load_image(file.getvalue()).astype(int)).max() <= 1


def test_pictures_are_dropped_and_pasted(reader: Page, site: Path) -> None:
    script = """async ([type, target, address]) => {
      const data = new DataTransfer();
      if (address) data.items.add(new File([await (await fetch(address)).blob()], "given.png", { type: "image/png" }));
      const options = { bubbles: true, cancelable: true };
      const event = type === "paste" ? new ClipboardEvent(type, { ...options, clipboardData: data })
        : new DragEvent(type, { ...options, dataTransfer: data });
      return document.querySelector(target).dispatchEvent(event);
    }"""
    address = put(PICTURES["p6a"], site)
    assert reader.page.evaluate(script, ["drop", "[data-panel=B]", address]) is False, "the page keeps its place"
    assert reader.note("B") == "given.png: 1 face found."
    reader.panel("B").locator("[data-camera]").focus()  # used last, so that it gets what is pasted
    reader.page.evaluate(script, ["paste", "body", address])
    assert reader.note("B") == "pasted picture: 1 face found."
    reader.page.evaluate(script, ["drop", "[data-panel=B]", ""])
    assert "no file" in reader.note("B")


def test_the_camera_is_asked_only_after_a_click(reader: Page, site: Path) -> None:
    reader.page.evaluate("""async (address) => {
      const image = await createImageBitmap(await (await fetch(address)).blob());
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [image.width, image.height];
      window.asked = 0;
      window.timer = setInterval(() => canvas.getContext("2d").drawImage(image, 0, 0), 30);
      navigator.mediaDevices.getUserMedia = async () => (window.asked++, window.stream = canvas.captureStream());
    }""", put(PICTURES["p4b"], site))  # fmt: skip
    panel = reader.panel("A")
    assert reader.page.evaluate("window.asked") == 0
    panel.locator("[data-camera]").click()
    panel.locator("[data-take]").click(timeout=SECONDS)
    assert reader.note("A") == "camera: 1 face found."
    assert reader.page.evaluate("window.stream.getTracks().every((track) => track.readyState === 'ended')")
    reader.page.evaluate("""() => {
      clearInterval(window.timer);
      navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("no", "NotAllowedError"); };
    }""")
    panel.locator("[data-camera]").click()
    panel.locator(".fl-note", has_text="was not allowed to use the camera").wait_for(timeout=SECONDS)


NAMELESS = """() => [...document.querySelectorAll("#pipeline :is(button, input, canvas, img, video)")]
  .filter((e) => !(e.getAttribute("aria-label") || e.alt || e.innerText || e.querySelector("img")?.alt))
  .map((e) => e.outerHTML)"""


def test_everything_has_a_name_and_is_reached_by_keys(reader: Page) -> None:
    assert reader.page.evaluate(NAMELESS) == []
    assert reader.page.evaluate("document.querySelectorAll('#pipeline [tabindex=\"-1\"]').length") == 0
    assert reader.page.locator("#pipeline [role=status]").count() == 3


def test_no_other_host_is_asked_and_nothing_complains(opened: tuple[Any, Any], both: Any) -> None:
    visit = opened[1]  # of all that the tests above did
    assert visit.outside == [] and visit.failed == []
    assert visit.messages == []


def test_the_page_fits_a_phone_and_a_desk(chromium: Any, site: Path) -> None:
    with served(site) as address:
        for size in (PHONE, DESKTOP):
            assert faults(tour(chromium, address, ["index.html"], size), address) == []


def test_a_damaged_network_is_said(chromium: Any, site: Path, tmp_path: Path) -> None:
    shutil.copytree(site, tmp_path / "site")
    file = tmp_path / "site" / "models" / "pnet.onnx"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    page = chromium.new_page()
    with served(tmp_path / "site") as address:
        page.goto(f"{address}/index.html")
        assert "models/pnet.onnx: is not the file that the manifest names" in Page(page).sample("A", "p1a")
    page.close()
