"""Find the browser that the page tests use; print its path, or how to get one and exit 1.

python tools/browser.py
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "msedge",
)
MAC = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
HOW = (
    "no browser found: install Chromium, Chrome or Edge (Debian, Ubuntu: sudo apt-get install chromium),"
    " or run .venv/bin/playwright install chromium"
)


def find_browser() -> str | None:
    """Return the path of a browser: in PATH, in macOS's folder, or Playwright's own; None without one."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    for path in MAC:
        if Path(path).exists():
            return path
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        return None
    try:
        with sync_playwright() as play:
            path = play.chromium.executable_path
    except Error:
        return None
    return path if Path(path).exists() else None


if __name__ == "__main__":
    found = find_browser()
    print(found or HOW, file=sys.stdout if found else sys.stderr)
    sys.exit(0 if found else 1)
