"""Stored measurements: readable, complete, and what is missing is named."""

import pytest

from facelib import FaceLibError, records


@pytest.mark.parametrize("name", ["learn", "transfer"])
def test_a_record_states_its_settings_and_its_runs(name):
    record = records.load(name)
    assert record["renderer"] >= 2 and record["shown"] > 10_000
    assert {"unseen easy", "unseen hard", "real"} <= set(record["floor"])
    assert record["rows"]
    for row in record["rows"]:
        assert {"seed", "unseen easy", "unseen hard", "real"} <= set(row)
        assert all(50 <= row[key] <= 100 for key in ("unseen easy", "unseen hard", "real"))


def test_every_change_of_the_study_was_run_with_the_same_seeds():
    record = records.load("transfer")
    seeds = {name: {row["seed"] for row in record["rows"] if row["change"] == name} for name in record["changes"]}
    assert all(len(found) >= 2 for found in seeds.values())
    assert len({frozenset(found) for found in seeds.values()}) == 1


def test_an_unknown_record_is_named():
    with pytest.raises(FaceLibError, match="choose learn, transfer"):
        records.load("nothing")
