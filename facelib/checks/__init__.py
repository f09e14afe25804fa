"""What exercises are checked with: ``checks.lesson_01.output_size(your_function)`` says whether you are right.

A check never raises, so that "Run all" runs past an exercise that is still open. It returns a ``Verdict``, which is
true when the answer is right and says what is missing when it is not.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Verdict:
    """The outcome of a check; shown as one line."""

    exercise: str
    passed: bool
    message: str

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return f"{'✓' if self.passed else '✗'} Exercise {self.exercise}: {self.message}"


class NotYet(Exception):
    """What a check raises when an answer is wrong; the message is for the reader."""


def exercise(number: str) -> Callable[[Callable[..., str]], Callable[..., Verdict]]:
    """Turn a function that raises on a wrong answer and returns praise on a right one into a check."""

    def decorate(check: Callable[..., str]) -> Callable[..., Verdict]:
        @functools.wraps(check)
        def run(*answers: Any) -> Verdict:
            if any(answer is None or answer is ... for answer in answers):
                return Verdict(number, False, OPEN)
            try:
                return Verdict(number, True, check(*answers))
            except NotYet as wrong:
                return Verdict(number, False, str(wrong))
            except Exception as error:  # the reader's code may fail in any way
                return Verdict(number, False, f"your code stopped with {type(error).__name__}: {error}")

        return run

    return decorate


OPEN = "still open; replace the ... by your answer"


def answered(got: Any) -> Any:
    """An answer as it is.

    Raises
    ------
    NotYet
        It is still open.
    """
    if got is None or got is ...:
        raise NotYet(OPEN)
    return got


def numbers(got: Any) -> np.ndarray:
    """An answer as an array of float64; raises as ``answered``."""
    return np.asarray(answered(got), dtype=float)


def parts(got: Any, count: int, wanted: str) -> tuple[Any, ...]:
    """An answer of several parts; one of another form is told what is ``wanted``. Raises as ``answered``."""
    if not isinstance(answered(got), tuple) or len(got) != count:
        raise NotYet(wanted)
    return tuple(got)


def turned(*degrees: float) -> np.ndarray:
    """Unit vectors in the plane at these angles, (N, 2)."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], 1)


def expect(got: Any, want: Any, where: str, tolerance: float = 1e-6) -> None:
    """Compare numbers or arrays; say what was wanted and what came.

    Raises
    ------
    NotYet
    """
    got_array, want_array = numbers(got), np.asarray(want, dtype=float)
    if got_array.shape != want_array.shape:
        raise NotYet(f"{where}: expected shape {want_array.shape}, got {got_array.shape}")
    if not np.allclose(got_array, want_array, atol=tolerance, rtol=0):
        if want_array.size > 6:
            worst = float(np.abs(got_array - want_array).max())
            raise NotYet(f"{where}: differs from the expected values by up to {worst:.3g}")
        raise NotYet(f"{where}: expected {np.round(want_array, 4).tolist()}, got {np.round(got_array, 4).tolist()}")
