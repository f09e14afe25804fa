"""Stored measurements: readable, complete, and what is missing is named."""

import math

import pytest

from facelib import FaceLibError, records
from facelib.evaluate.ranking import wilson
from facelib.train.recipe import from_dict


@pytest.mark.parametrize("name", ["learn", "transfer"])
def test_a_record_states_its_settings_and_its_runs(name):
    record = records.load(name)
    assert record["renderer"] >= 2 and record["shown"] > 10_000
    assert {"unseen easy", "unseen hard", "real"} <= set(record["floor"])
    assert len(record["rows"]) >= 2
    for row in record["rows"]:
        assert {"seed", "unseen easy", "unseen hard", "real"} <= set(row)
        assert all(50 <= row[key] <= 100 for key in ("unseen easy", "unseen hard", "real"))


def test_every_change_of_the_study_was_run_with_the_same_seeds_beside_a_base():
    record = records.load("transfer")
    assert {row["change"] for row in record["rows"]} == set(record["changes"]) and len(record["changes"]) == 21
    runs = {}
    for row in record["rows"]:
        runs.setdefault((row["change"], row["rule of hard pairs"]), []).append(row["seed"])
    assert all(sorted(seeds) == [0, 1] for seeds in runs.values())
    assert {rule for _, rule in runs} == {rule for change, rule in runs if change == "base"}


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


def test_every_point_of_the_scaling_was_run_with_the_same_seeds():
    record = records.load("scaling")
    assert record["renderer"] >= 2 and record["shown"] > 10_000
    keys = ("unseen easy", "unseen hard", "real")
    assert set(keys) == set(record["pairs"]) and set(keys) <= set(record["floor"])
    rows = record["rows"]
    runs = [(row["people"], row["pictures of each"], row["seed"]) for row in rows]
    assert len(set(runs)) == len(runs), "a run was made twice"
    first = {(people, shots) for people, shots, seed in runs if seed == 0}
    assert first == {(n, 16) for n in (50, 100, 200, 400, 800)} | {(200, n) for n in (4, 8, 24)}
    assert all({(p, s) for p, s, seed in runs if seed == other} == first for _, _, other in runs)
    assert all(40 <= row[key] <= 100 for row in rows for key in keys)


def test_recorded_runs_are_complete():
    runs = records.load("runs")["runs"]
    assert runs
    for name, run in runs.items():
        record, reports, validations = run["record"], run["reports"], run["validations"]
        assert record["steps"] == reports[-1]["step"] == validations[-1]["step"], name
        assert record["commit"] and record["device"] and record["seconds"] > 0 and record["images/s"] > 0, name
        assert record["validation"]["verification"] == validations[-1]["validation verification"] > 0.55, name
        steps = [report["step"] for report in reports]
        assert steps == sorted(set(steps)) and 10 <= len(steps) <= 200, name
        assert all(math.isfinite(report["loss"]) and 0 <= report["accuracy"] <= 1 for report in reports), name
        from_dict(record["recipe"])  # a recipe of today


def test_an_unknown_record_is_named():
    with pytest.raises(
        FaceLibError,
        match="choose export, factors, head_costs, learn, margins, runs, scaling, search, transfer, weights",
    ):
        records.load("nothing")


def test_every_factor_was_moved_for_the_same_people_and_the_groups_are_those_of_one_threshold():
    record = records.load("factors")
    assert record["renderer"] >= 2 and record["seed"] != 0, "the network was taught people of seed 0"
    assert len(record["factors"]) == 12
    for name, factor in record["factors"].items():
        first, *others = factor["levels"]
        assert len(others) >= 3 and first["change"] == [0, 0, 0] and not first["lost"] and not first["won"], name
        assert first["accepted"] >= 0.98 * record["people"], f"{name} fails at its reference already"
        for row in factor["levels"]:
            assert row["accepted"] == first["accepted"] - row["lost"] + row["won"], name
            assert row["tar"][1] == pytest.approx(row["accepted"] / record["people"], abs=1e-4), name
            for key in ("cosine", "change", "tar", "false match, one moved", "false match, both moved"):
                assert row[key] == sorted(row[key]) and len(row[key]) == 3, (name, key)
    for judged in (*record["groups"]["network"], record["groups"]["HOG"]):
        assert judged["all"]["false match"][1] == pytest.approx(judged["rate"], rel=0.05)
        for groups in judged["groups"].values():
            assert sum(row["people"] for row in groups.values()) == record["groups"]["people"]
    runs = [(row["aim"], row["eps"], row["how"]) for row in record["attacks"]["patterns"]]
    assert len(set(runs)) == len(runs) == 2 * 5 * 3
    assert {row["accepted"] for row in record["attacks"]["patterns"] if row["aim"] == "dodge" and not row["eps"]} == {
        200
    }
    assert {row["taught"] for row in record["cause"]} == {"low", "high", "all"}


def test_an_index_over_a_million_was_measured_against_brute_force_with_its_interval():
    record = records.load("search")
    brute = {row["rows"]: row for row in record["brute force"]}
    assert record["rows"] == 1_000_000 and set(brute) >= {row["rows"] for row in record["results"]} >= {1_000_000}
    assert all(row[way] > 0 for row in brute.values() for way in ("alone, ms", "together, ms"))
    settings = ("index", "rows", "lists", "bytes", "probes", "links", "build", "search")
    made = [tuple(row.get(key) for key in settings) for row in record["results"]]
    assert len(set(made)) == len(made), "an index was measured twice"
    for row in record["results"]:
        low, high = row["interval"]
        assert row["rows"] > 0 and 0 <= low <= row["recall@1"] <= high <= 1, row
        assert (low, high) == pytest.approx(tuple(wilson(row["recall@1"], record["probes"])), abs=1e-4), row
        for way in ("alone", "together"):
            assert row[f"{way}, ms"] > 0 and row[f"times brute force {way}"] > 0, row
            times = brute[row["rows"]][f"{way}, ms"] / row[f"{way}, ms"]
            assert row[f"times brute force {way}"] == pytest.approx(times, rel=0.01, abs=0.06), row
    good = [row for row in record["results"] if row["rows"] == 1_000_000 and row["recall@1"] >= 0.99]
    assert any(row["times brute force alone"] > 20 for row in good), "what lesson 12 shows"


def test_exports_are_judged_beside_the_network_they_came_from():
    record = records.load("export")
    rows = {row["name"]: row for row in record["rows"]}
    assert list(rows) == ["PyTorch", "float32", "float16", "int8"] and record["VNNI"] in (True, False, None)
    for row in rows.values():
        assert row["MB"] > 1 and row["times PyTorch"] == pytest.approx(
            rows["PyTorch"]["ms alone"] / row["ms alone"], rel=0.01
        )
        for name in ("unseen easy", "unseen hard", "real"):
            assert row[f"{name} interval"][0] < row[name] < row[f"{name} interval"][1]
    weights = next(row for row in records.load("weights")["rows"] if row["embedder"] == "mobilefacenet-synth")
    assert all(rows["PyTorch"][name] == weights[name] for name in ("unseen easy", "unseen hard", "real"))
    assert rows["float32"]["MB"] > rows["float16"]["MB"] > rows["int8"]["MB"]
