"""Stored measurements: readable, complete, and what is missing is named."""

import pytest

from facelib import FaceLibError, records


@pytest.mark.parametrize("name", ["learn", "transfer"])
def test_a_record_states_its_settings_and_its_runs(name):
    record = records.load(name)
    assert record["renderer"] >= 2 and record["shown"] > 10_000
    assert {"unseen easy", "unseen hard", "real"} <= set(record["floor"])
    assert len(record["rows"]) >= 2
    for row in record["rows"]:
        assert {"seed", "unseen easy", "unseen hard", "real"} <= set(row)
        assert all(50 <= row[key] <= 100 for key in ("unseen easy", "unseen hard", "real"))


def test_every_change_of_the_study_was_run_with_the_same_seeds():
    record = records.load("transfer")
    seeds = {name: {row["seed"] for row in record["rows"] if row["change"] == name} for name in record["changes"]}
    assert all(len(found) >= 2 for found in seeds.values())
    assert len({frozenset(found) for found in seeds.values()}) == 1


def test_every_margin_was_run_with_the_same_seeds_at_the_best_of_its_tries():
    record = records.load("margins")
    assert record["renderer"] >= 2 and record["shown"] > 10_000
    rows = [row for row in record["rows"] if row["part"] == "rules"]
    seeds = {name: sorted(row["seed"] for row in rows if row["rule"] == name) for name in {r["rule"] for r in rows}}
    assert len(seeds) == 11 and len(set(map(tuple, seeds.values()))) == 1
    assert all(len(found) >= 5 for found in seeds.values())
    for name in seeds:
        tries = [row for row in record["rows"] if row["part"] == "tries" and row["rule"] == name]
        if tries:
            best = max(tries, key=lambda row: row["validation area"])
            assert len(tries) == 6
            assert {(row["s"], row["gap"]) for row in rows if row["rule"] == name} == {(best["s"], best["gap"])}


def test_rows_of_margins_are_complete():
    record = records.load("margins")
    rows = [row for row in record["rows"] if row["part"] != "tries"]
    keys = ("unseen easy", "unseen hard", "hard area", "real", "real area")
    assert all(50 <= row[key] <= 100 for row in rows if row["part"] == "rules" for key in keys)
    assert len({(row["part"], row["name"], row["seed"]) for row in rows}) == len(rows), "a run was made twice"
    drawn = [row for row in rows if "genuine histogram" in row]
    assert {row["rule"] for row in drawn} == {row["rule"] for row in rows if row["part"] == "rules"}
    for row in drawn:  # 100 people with 16 pictures: all pairs of them
        assert sum(row["genuine histogram"]) == 100 * 16 * 15 // 2
        assert sum(row["impostor histogram"]) == 1600 * 1599 // 2 - 100 * 16 * 15 // 2
        assert len(row["genuine histogram"]) == len(record["edges"]) - 1


def test_an_unknown_record_is_named():
    with pytest.raises(FaceLibError, match="choose learn, margins, transfer"):
        records.load("nothing")
