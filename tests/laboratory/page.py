"""Reading the page of the boundary laboratory: its values, numbers and drawings."""

from __future__ import annotations

import re
from typing import Any

PAGE = "book/laboratory.html"


def settle(page: Any) -> None:
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def value(page: Any, name: str) -> str:
    settle(page)
    return page.text_content(f'[data-value="{name}"]')


def number(page: Any, name: str) -> float:
    return float(re.findall(r"-?\d+(?:\.\d+)?", value(page, name).replace("−", "-"))[0])


def angles(page: Any) -> list[float]:
    return [float(x) for x in re.findall(r"\d+\.\d", value(page, "angles"))]


def drawing(page: Any, part: str) -> str:
    settle(page)
    return page.locator(f"[data-part={part}]").evaluate("e => e.getAttribute('d') ?? e.innerHTML")
