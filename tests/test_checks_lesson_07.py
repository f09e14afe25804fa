"""Lesson 07's checks tell typical wrong answers from right ones."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from facelib.checks import lesson_07 as check


def same_demand(m, between):
    return 2 * math.asin(m / (2 * math.sin(math.radians(between) / 2)))


def warm_up(margin, done, whole=0.3):
    return dataclasses.replace(margin, m=margin.m * min(1, done / whole))


def paired_interval(a, b):
    d = np.asarray(a) - np.asarray(b)
    half = stats.t.ppf(0.975, len(d) - 1) * d.std(ddof=1) / np.sqrt(len(d))
    return d.mean() - half, d.mean() + half


def area(genuine, impostor):
    return (np.cumsum(genuine) - genuine / 2) @ impostor / (genuine.sum() * impostor.sum())


def z_interval(a, b):
    d = np.asarray(a) - np.asarray(b)
    half = 1.96 * d.std(ddof=1) / np.sqrt(len(d))
    return d.mean() - half, d.mean() + half


def unpaired(a, b):
    half = stats.t.ppf(0.975, len(a) - 1) * math.sqrt((np.var(a, ddof=1) + np.var(b, ddof=1)) / len(a))
    return np.mean(a) - np.mean(b) - half, np.mean(a) - np.mean(b) + half


def without_ddof(a, b):
    d = np.asarray(a) - np.asarray(b)
    half = stats.t.ppf(0.975, len(d) - 1) * d.std() / np.sqrt(len(d))
    return d.mean() - half, d.mean() + half


@pytest.mark.parametrize("name", ["same_demand", "warm_up", "paired_interval", "area"])
def test_right_answers_pass_and_open_ones_do_not(name):
    verdict = getattr(check, name)(globals()[name])
    assert verdict, verdict
    assert not getattr(check, name)(lambda *_: ...)


WRONG = [
    ("same_demand", lambda m, b: math.degrees(same_demand(m, b)), "radians"),
    ("same_demand", lambda m, b: same_demand(m, b) / 2, "half of the gap"),
    ("same_demand", lambda m, b: math.acos(1 - m), "own centre"),
    ("same_demand", lambda m, b: same_demand(m, 90), "60 degrees apart"),
    ("warm_up", lambda margin, done, whole=0.3: dataclasses.replace(margin, m=margin.m * done / whole), "stop"),
    ("warm_up", lambda margin, done, whole=0.3: type(margin)(m=margin.m * min(1, done / whole)), "scale"),
    ("warm_up", lambda margin, done, whole=0.3: margin, "0.0, got 0.5"),
    ("warm_up", lambda margin, done, whole=0.3: warm_up(margin, done), "whole = 0.5"),
    ("paired_interval", z_interval, "Student"),
    ("paired_interval", unpaired, "independent"),
    ("paired_interval", without_ddof, "ddof"),
    ("paired_interval", lambda a, b: paired_interval(b, a), "sign"),
    ("area", lambda g, i: 1 - area(g, i), "turned round"),
    ("area", lambda g, i: np.cumsum(g) @ i / (g.sum() * i.sum()), "half"),
    ("area", lambda g, i: area(g, i) * 100, "1.0, got 100"),
    ("area", lambda g, i: area(g, i) * g.sum() * i.sum(), "divided by all pairs"),
]


@pytest.mark.parametrize("name, answer, message", WRONG, ids=[f"{row[0]}-{k}" for k, row in enumerate(WRONG)])
def test_typical_wrong_answers_are_named(name, answer, message):
    verdict = getattr(check, name)(answer)
    assert not verdict
    assert message in verdict.message, verdict
