"""What several tests share: pictures, devices, real faces where a checkout has them, the built book in a browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from facelib import samples
from tests import browsing, pages

torch.set_num_threads(1)

REAL = Path(__file__).resolve().parents[2] / "shared" / "real"
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: begun last, one of them runs alone while the other processes wait."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(params=DEVICES)
def device(request):
    return request.param


@pytest.fixture(scope="session")
def astronaut():
    return samples.astronaut()


@pytest.fixture(scope="session")
def group():
    return samples.group()


def real_photos() -> list[Path]:
    """Photos of real people, for checks only; none in most checkouts."""
    return sorted((REAL / "photos").glob("*.jpg"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser for one test module: while Playwright runs, no other of its kind can start in the same process."""
    from playwright.sync_api import sync_playwright

    from tools import browser as browsers

    path = browsers.find_browser()
    assert path, browsers.HOW
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=browsing.ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """Address of the built book, and its pages; index.html only leads on to the first of them."""
    built = pages.build_once(tmp_path_factory)
    names = [name for name in sorted(pages.read_site(built.html)) if name != "index.html"]
    assert "book/index.html" in names, built.log[-3000:]
    with browsing.served(built.html) as address:
        yield address, names
