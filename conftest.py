"""Settings of every pytest run: how stored notebooks are compared, from whichever folder pytest starts."""

from __future__ import annotations

from pathlib import Path

import pytest

SANITISER = Path(__file__).resolve().parent / "tests" / "nbval_sanitize.cfg"
CELL_SECONDS = 180  # nbval's own limit is 2000 s


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Give nbval our sanitiser and cell time-out, unless the command line names others.

    The sanitiser is set here and not in pyproject.toml: nbval reads its path relative to the current folder.
    """
    option = config.option
    if not hasattr(option, "nbval"):  # the package's own tests run without nbval too
        return
    if option.nbval_sanitize_with is None:
        option.nbval_sanitize_with = str(SANITISER)
    if str(option.nbval_cell_timeout) == "2000":
        option.nbval_cell_timeout = CELL_SECONDS
