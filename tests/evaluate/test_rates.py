"""Rates that a report states: only where ten false answers decide them, and each from the right count."""

from __future__ import annotations

import numpy as np
import pytest

from facelib.evaluate import identification, verify_scores
from facelib.evaluate.ranking import wilson
from facelib.evaluate.rates import OpenSet, enough, few_pairs, intervals_of, tar_lines, tars


def test_ten_of_so_many_cases_are_enough() -> None:
    assert enough(1000, 0.01) and enough(10, 1) and enough(100, 0.1) and enough(10_000_000, 1e-6)
    assert not enough(999, 0.01) and not enough(9, 1)


def test_tars_are_stated_or_a_reason_is() -> None:
    random = np.random.default_rng(0)
    same = np.arange(1100) < 100
    found = verify_scores(random.normal(same, 1), same, fold=np.arange(1100) % 10)
    met, few = tars(found, 1000, (0.01, 0.009))
    assert met == {"far": 0.01, "tar": found.tar_at(0.01), "interval": found.tar_interval(0.01),
                   "threshold": found.threshold_at(0.01)}  # fmt: skip
    assert few == {"far": 0.009, "tar": None, "reason": "too few pairs"}
    low, high = (100 * end for end in met["interval"])
    assert tar_lines(found, 1000, (0.01, 0.009)) == [
        ("TAR at FAR 0.01", f"{100 * met['tar']:.2f} %"), ("  95 % interval", f"[{low:.2f}, {high:.2f}]"),
        ("TAR at FAR 0.009", "too few pairs"), ("  95 % interval", "-"),
    ]  # fmt: skip
    (said,) = few_pairs(1000, (0.01, 0.009))
    assert said.startswith("FAR 0.009 needs 1,111 different pairs") and said.endswith("there are 1,000")


@pytest.fixture(scope="module")
def found() -> OpenSet:
    """30 people in the gallery and a probe of each, 105 probes of strangers: ten and a half at an FPIR of 0.1."""
    random = np.random.default_rng(1)
    people = random.normal(size=(30, 8))
    probes = np.concatenate([people + 0.6 * random.normal(size=(30, 8)), random.normal(size=(105, 8))])
    judged = identification(people, np.arange(30), probes, np.append(np.arange(30), 100 + np.arange(105)))
    return OpenSet(judged, intervals_of(judged))


def test_fnirs_are_stated_or_a_reason_is(found: OpenSet) -> None:
    stored = found.rates()
    few, met = stored["fnir_at_fpir"]
    assert few == {"fpir": 0.01, "fnir": None, "reason": "too few strangers"}
    threshold = found.found.threshold_at(0.1)
    reached, fnir = found.found.rates(threshold)
    assert reached == 10 / 105 != met["fpir"] == 0.1
    assert (met["fpir_reached"], met["fnir"], met["threshold"]) == (reached, fnir, threshold)
    assert met["fpir_interval"] == wilson(reached, 105) and met["interval"] == found.intervals["fnir@0.1"]
    assert (stored["probes"], stored["probes of strangers"]) == (30, 105)
    (said,) = found.too_few()
    assert said.startswith("FPIR 0.01 needs 1,000 probes of strangers") and said.endswith("there are 105")


def test_the_table_says_what_json_says(found: OpenSet) -> None:
    lines, met = found.rate_lines(), found.rates()["fnir_at_fpir"][1]
    assert ("FNIR at FPIR 0.1", f"{100 * met['fnir']:.2f} %") in lines
    assert ("  threshold", f"{met['threshold']:.4f}") in lines and ("FNIR at FPIR 0.01", "too few strangers") in lines
    short = found.rate_lines(thresholds=False)
    assert [line for line in lines if line[0] not in ("  threshold", "  95 % of the FPIR")] == short
