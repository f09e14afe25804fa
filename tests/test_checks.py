"""What all checks of exercises share: answers that are open, arrays, and answers of several parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from facelib.checks import OPEN, NotYet, answered, exercise, expect, numbers, parts


@pytest.mark.parametrize("got", [None, ...])
@pytest.mark.parametrize("ask", [answered, numbers, lambda got: parts(got, 2, "two"), lambda got: expect(got, 1, "x")])
def test_an_open_answer_is_called_open(ask: Any, got: Any) -> None:
    with pytest.raises(NotYet, match="^still open; replace the ... by your answer$"):
        ask(got)


def test_answers_come_back_as_they_are() -> None:
    assert answered(0) == 0 and not answered(False)
    assert numbers([1, 2]).dtype == np.float64 and parts((1, [2]), 2, "two") == (1, [2])


@pytest.mark.parametrize("got", [1, [1, 2], (1,), (1, 2, 3), np.zeros(2)])
def test_answers_of_another_form_are_told_what_is_wanted(got: Any) -> None:
    with pytest.raises(NotYet, match="^two numbers are wanted$"):
        parts(got, 2, "two numbers are wanted")


def test_a_check_of_an_open_answer_does_not_run() -> None:
    verdict = exercise("1.1")(lambda answer: pytest.fail("it ran"))(...)
    assert not verdict and verdict.message == OPEN
