"""Shared by the tests of the page: what Python finds in a picture, what the page finds, and how the page is used."""

from __future__ import annotations

import base64
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facelib import MTCNN, Embedder, Faces, align
from facelib.folders.files import encode

SECONDS = 30_000  # of patience, in ms: two busy cores

# The picture is read by the browser; bytes come back as text, since lists of numbers are slow.
WHOLE = """async (address) => {
  const path = window.facelib;
  const text = (pixels) => btoa(pixels.reduce((all, byte) => all + String.fromCharCode(byte), ""));
  const picture = await path.decode(await (await fetch(address)).blob());
  const { faces, stages, seen } = await path.detect(picture);
  const found = [];
  for (const { box, score, landmarks } of faces) {
    const crop = await path.align(picture, landmarks);
    const { embedding } = await path.embed(crop);
    found.push({ box, score, landmarks, crop: text(crop.data), embedding: [...embedding] });
  }
  return { found, seen, counts: stages.map(({ count }) => count), pixels: text(picture.data), width: picture.width };
}"""


@dataclass
class Found:
    """What the whole path gives for one picture."""

    counts: list[int]
    faces: Faces
    crops: np.ndarray
    embeddings: np.ndarray
    pixels: np.ndarray


def colours(text: str, width: int) -> np.ndarray:
    """Base64 of RGBA bytes -> uint8 (H, width, 3)."""
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, width, 4)[..., :3]


def by_page(page: Any, address: str) -> Found:
    """The whole path of the picture at an address, in the browser."""
    told = page.evaluate(WHOLE, address)
    found = told["found"]
    column = {key: np.array([face[key] for face in found]) for key in ("box", "score", "landmarks", "embedding")}
    faces = Faces(column["box"].reshape(-1, 4), column["score"], column["landmarks"].reshape(-1, 5, 2))
    crops = np.array([colours(face["crop"], 112) for face in found]).reshape(-1, 112, 112, 3)
    return Found(told["counts"], faces, crops, column["embedding"], colours(told["pixels"], told["width"]))


def by_python(image: np.ndarray, detector: MTCNN, embed: Embedder) -> Found:
    """The same by the package."""
    integrals = detector.prepare([image])
    first = detector.propose(integrals)
    second = detector.refine(integrals, first)
    third = detector.output(integrals, second)
    faces = detector.detect(image)
    crops = align(image, faces.landmarks)
    return Found([len(first), len(second), len(third)], faces, crops, embed(crops), image)


def put(image: np.ndarray, site: Path) -> str:
    """Write a picture beside the page; give its address as the page sees it. It has to come from the page's host."""
    data = encode(image, ".png")
    path = site.parent / "pictures" / f"{zlib.crc32(data)}.png"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return f"../pictures/{path.name}"


def file(name: str, data: bytes) -> dict[str, Any]:
    """What Playwright hands to an input for files."""
    return {"name": name, "mimeType": "image/png", "buffer": data}


class Page:
    """The page as its reader sees it. No scripts from strings: the page's own rule forbids them."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def panel(self, letter: str) -> Any:
        return self.page.locator(f"[data-panel={letter}]")

    def sample(self, letter: str, name: str) -> str:
        self.panel(letter).locator(f"[data-sample={name}]").click()
        return self.note(letter)

    def choose(self, letter: str, name: str, data: bytes) -> str:
        self.panel(letter).locator("input[type=file]").set_input_files([file(name, data)])
        return self.note(letter)

    def note(self, letter: str) -> str:
        """What the panel says when it has finished."""
        self.page.locator(f"[data-panel={letter}]:not([aria-busy])").wait_for(timeout=SECONDS)
        return self.panel(letter).locator(".fl-note").text_content()

    def counts(self, letter: str) -> list[str]:
        rows = self.panel(letter).locator("tbody tr")
        return [rows.nth(i).locator("td").nth(0).text_content() for i in range(3)]

    def cosine(self) -> float:
        from playwright.sync_api import expect

        output = self.page.locator("[data-value=cosine]")
        expect(output).to_have_text(re.compile(r"\d"), timeout=SECONDS)
        return float(output.text_content().replace("−", "-"))

    def verdict(self) -> str:
        return self.page.locator(".fl-verdict").text_content()
