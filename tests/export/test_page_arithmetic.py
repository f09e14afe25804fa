"""The page's modules one function at a time, called in a browser, against the functions of the package they follow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
import torch

import facelib
from facelib import Preprocess
from facelib.alignment import TEMPLATE_112
from facelib.detect import boxes, pyramid
from tests.browsing import served
from tests.pages import ROOT

pytestmark = [pytest.mark.browser]

MODULES = ROOT / "facelib" / "export" / "site"
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def call(chromium: Any) -> Iterator[Any]:
    """call(module, name, rows): what an exported function returns for each row of arguments; typed arrays as lists."""
    with served(MODULES) as address:
        page = chromium.new_page()
        page.goto(f"{address}/LICENSES.txt")
        script = """async ([address, name, rows]) => {
          const module = await import(address);
          const plain = (value) => ArrayBuffer.isView(value) ? [...value] : Array.isArray(value) ? value.map(plain)
            : value?.data ? plain(value.data) : value?.sums ? { ...value, sums: [...value.sums] } : value;
          return rows.map((row) => plain(module[name](...row)));
        }"""
        yield lambda module, name, rows: page.evaluate(script, [f"{address}/{module}.js", name, rows])
        page.close()


def candidates(found: np.ndarray, scores: np.ndarray) -> list[dict[str, Any]]:
    return [{"box": box, "score": score} for box, score in zip(found.tolist(), scores.tolist(), strict=True)]


def rgba(image: np.ndarray) -> dict[str, Any]:
    full = np.concatenate([image, np.full((*image.shape[:2], 1), 255, np.uint8)], 2)
    return {"data": full.ravel().tolist(), "width": image.shape[1], "height": image.shape[0]}


def some_boxes(count: int) -> np.ndarray:
    """Boxes of a picture of 100 x 80, some beyond its edges, in float32."""
    corner = RNG.uniform(-30, 90, (count, 2))
    return np.concatenate([corner, corner + RNG.uniform(1, 60, (count, 2))], 1).astype(np.float32)


def test_scales(call: Any) -> None:
    sizes = [(720, 1280, 20, 0.709), (12, 12, 12, 0.5), (11, 500, 12, 0.709), (500, 375, 33.3, 0.6)]
    found = call("pyramid", "pyramidScales", [list(size) for size in sizes])
    assert found == [pyramid.pyramid_scales(*size) for size in sizes]
    assert [len(scales) for scales in found][1:3] == [1, 0]


def test_windows_of_every_scale(call: Any) -> None:
    for scale in pyramid.pyramid_scales(720, 1280):
        cells = RNG.integers(0, 400, (200, 2))
        found = call("boxes", "cellWindow", [[int(row), int(column), scale] for row, column in cells])
        assert found == boxes.windows(torch.tensor(cells), scale).tolist()


def test_boxes_are_moved_squared_and_cut(call: Any) -> None:
    found, offsets = some_boxes(300), RNG.normal(0, 0.2, (300, 4)).astype(np.float32)
    for corner in (0, 1):
        rows = [[a, b, corner] for a, b in zip(found.tolist(), offsets.tolist(), strict=True)]
        assert call("boxes", "refine", rows) == boxes.refine(*map(torch.tensor, (found, offsets)), corner).tolist()
    assert call("boxes", "square", [[box] for box in found.tolist()]) == boxes.square(torch.tensor(found)).tolist()
    cut = boxes.pixel_boxes(torch.tensor(found), 80, 100)
    assert call("boxes", "pixelBox", [[box, 80, 100] for box in found.tolist()]) == cut.tolist()
    assert (cut[:, 2:] <= cut[:, :2]).any(), "some lie outside"


@pytest.mark.parametrize("over", ["union", "min"])
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_suppression(threshold: float, over: str, call: Any) -> None:
    for round_ in range(5):
        found = some_boxes(150).round() if round_ % 2 else some_boxes(150)
        scores = RNG.uniform(0.6, 1, 150).round(2 if round_ > 2 else 6).astype(np.float32)  # some equal ones
        kept = boxes.nms(torch.tensor(found), torch.tensor(scores), threshold, overlap=over)
        mine = call("boxes", "nms", [[candidates(found, scores), threshold, over]])[0]
        assert [candidate["box"] for candidate in mine] == found[kept].tolist()
        assert 5 < len(kept) < 150


def test_resampling(call: Any) -> None:
    image = RNG.integers(0, 256, (37, 53, 3), np.uint8)
    places = [[0, 0, 53, 37], [3, 5, 27, 29], [10, 0, 11, 37], [50, 30, 53, 37], [7, 7, 8, 8]]
    integral = pyramid.integral_image(torch.tensor(image))
    mine = call("pyramid", "integralImage", [[rgba(image)]])[0]
    assert mine["width"] == 53 and mine["sums"] == integral.flatten().tolist()
    for size in [(24, 24), (12, 17), (60, 50)]:
        wanted = pyramid.normalise(pyramid.resample(integral, torch.tensor(places), size)).flatten().tolist()
        assert call("pyramid", "resample", [[mine, places, *size]])[0] == wanted


def test_sums_that_wrap_stay_right(call: Any) -> None:
    integral = pyramid.integral_image(torch.full((40, 50, 3), 255, dtype=torch.uint8))
    shifted = (integral.long() + 2**31 - 70_000).int()  # as if most of a huge picture lay above
    sums = {"sums": shifted.flatten().tolist(), "width": 50}
    assert (shifted < 0).any()
    assert set(call("pyramid", "resample", [[sums, [[0, 0, 50, 40]], 3, 4]])[0]) == {127.5 / 128}


@pytest.mark.parametrize("turn", [0.0, 0.4, -1.3, np.pi])
def test_crops_also_beyond_the_edge(turn: float, call: Any) -> None:
    image = RNG.integers(0, 256, (90, 110, 3), np.uint8)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points = (TEMPLATE_112 - 56) @ rotation.T * 0.8 + [80, 30] + RNG.normal(0, 2, (5, 2))
    rows = [[rgba(image), points.tolist(), TEMPLATE_112.tolist(), size] for size in (112, 56)]
    for mine, size in zip(call("alignment", "align", rows), (112, 56), strict=True):
        wanted = facelib.align(image, points, size)
        apart = abs(np.array(mine).reshape(size, size, 4)[..., :3] - wanted.astype(int))
        assert apart.mean() <= 1 and (wanted == 0).all(2).any(), "part of the crop lies beyond the picture"


@pytest.mark.parametrize("points", [[[5, 5]] * 5, [[-1, 0], [1, 0], [0, 0], [0, -1], [0, 1]]])
def test_landmarks_that_fit_nothing(points: list[list[float]], call: Any) -> None:
    template = [
        [-1, 0],
        [1, 0],
        [0, 0],
        [0, 1],
        [0, -1],
    ]  # the second are its mirror image: every turn fits equally badly
    with pytest.raises(facelib.errors.LandmarkError, match="all in one point, or so mirrored"):
        facelib.alignment.estimate_similarity(np.array(points), template)
    with pytest.raises(Exception, match="all in one point, or so mirrored"):
        call("alignment", "estimateSimilarity", [[points, template, 112]])


@pytest.mark.parametrize("size", [112, 56, 96, 80])
@pytest.mark.parametrize("colour", ["RGB", "BGR"])
def test_what_the_network_wants_to_see(size: int, colour: str, call: Any) -> None:
    crop = RNG.integers(0, 256, (112, 112, 3), np.uint8)
    spec = Preprocess(size=size, colour=colour, mean=(0.5, 0.4, 0.3), std=(0.5, 0.25, 0.2))
    mine = np.array(call("embedder", "preprocess", [[rgba(crop), spec.to_dict()]])[0]).reshape(3, size, size)
    level = 1 / 255 / 0.2
    assert abs(mine - spec(crop[None])[0]).max() <= (1e-6 if size in (112, 56) else level * 1.01)
    resized = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    assert abs(mine - Preprocess(size, colour, spec.mean, spec.std)(resized[None])[0]).mean() < level / 50


def test_a_box_inside_another_is_dropped_at_the_end(chromium: Any) -> None:
    # Made-up networks: P-Net proposes one window of 12 and, two levels on, one of 23 pixels around it.
    script = """async (address) => {
      const { detect } = await import(address);
      const answer = (data, dims) => ({ data: Float32Array.from(data), dims });
      const pnet = async (pixels, [, , rows]) => {
        const side = Math.ceil((rows - 2) / 2) - 4;
        const cells = Array(side * side).fill(0);
        if (rows !== 18) cells[0] = 0.9;
        return [answer(cells, [1, side, side]), answer(Array(4 * side * side).fill(0), [1, 4, side, side])];
      };
      const later = async (pixels, [count]) => [
        answer(Array.from({ length: count }, (_, k) => 0.9 + k / 100), [count]),
        answer(Array(4 * count).fill(0), [count, 4]), answer(Array(10 * count).fill(0.5), [count, 5, 2]),
      ];
      const settings = { min_face: 12, factor: 0.709, thresholds: [0.6, 0.7, 0.7] };
      const picture = { data: new Uint8ClampedArray(4 * 24 * 24), width: 24, height: 24 };
      const { faces, stages } = await detect({ pnet, rnet: later, onet: later, settings }, picture);
      return [stages.map(({ count }) => count), faces.map(({ box }) => box)];
    }"""
    with served(MODULES) as address:
        page = chromium.new_page()
        page.goto(f"{address}/LICENSES.txt")
        counts, found = page.evaluate(script, f"{address}/cascade.js")
        page.close()
    assert counts == [2, 2, 1] and len(found) == 1
