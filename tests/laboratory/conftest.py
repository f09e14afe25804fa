"""The page of the boundary laboratory, open in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browsing import DESKTOP
from tests.laboratory.page import PAGE


@pytest.fixture
def address(site: tuple[str, list[str]]) -> str:
    """Address of the built book."""
    assert PAGE in site[1]
    return site[0]


@pytest.fixture
def lab(chromium: Any, address: str) -> Iterator[Any]:
    """The page at rest, without motion: what is set shows at the next frame."""
    context = chromium.new_context(viewport=DESKTOP, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{address}/{PAGE}")
    page.wait_for_selector("#laboratory:not([hidden])")
    yield page
    context.close()
