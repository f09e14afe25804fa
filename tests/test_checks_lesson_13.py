"""Checks of lesson 13 recognise the typical wrong answers and say what is wrong with each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from facelib.checks import lesson_13 as check


def pairs_of(scores: Any, people: Any, groups: Any, diagonal: int = 1) -> Any:
    first, second = np.triu_indices(len(people), diagonal)
    same = people[first] == people[second]
    return same, scores[first, second], groups[first], groups[second]


def group_errors(scores: Any, people: Any, groups: Any, threshold: float, diagonal: int = 1) -> Any:
    same, score, one, two = pairs_of(scores, people, groups, diagonal)
    fmr, fnmr = [], []
    for group in np.unique(groups):
        inside = (one == group) & (two == group)
        different, genuine = score[inside & ~same], score[inside & same]
        fmr.append((different > threshold).mean() if len(different) else np.nan)
        fnmr.append((genuine <= threshold).mean() if len(genuine) else np.nan)
    return np.array(fmr), np.array(fnmr)


def errors_across(scores: Any, people: Any, groups: Any, threshold: float) -> Any:
    same, score, one, two = pairs_of(scores, people, groups)
    touched = [(one == g) | (two == g) for g in np.unique(groups)]
    fmr = [(score[rows & ~same] > threshold).mean() for rows in touched]
    return np.array(fmr), group_errors(scores, people, groups, threshold)[1]


def errors_of_all_pairs(scores: Any, people: Any, groups: Any, threshold: float) -> Any:
    _, score, one, two = pairs_of(scores, people, groups)
    fmr = [(score[(one == g) & (two == g)] > threshold).mean() for g in np.unique(groups)]
    return np.array(fmr), group_errors(scores, people, groups, threshold)[1]


def errors_without_nan(*given: Any) -> Any:
    fmr, fnmr = group_errors(*given)
    return fmr, np.nan_to_num(fnmr)


def errors_of_nobody(*given: Any) -> Any:
    fmr, fnmr = group_errors(*given)
    return np.nan_to_num(fmr), fnmr


def errors_at_the_threshold(scores: Any, people: Any, groups: Any, threshold: float) -> Any:
    return group_errors(scores, people, groups, np.nextafter(threshold, -1))


def errors_with_itself(*given: Any) -> Any:
    right, loose = group_errors(*given), group_errors(*given, diagonal=0)
    return right[0], np.where(np.isnan(right[1]), np.nan, loose[1])


def fgsm(crops: Any, gradient: Any, eps: float) -> Any:
    return (crops + eps * np.sign(gradient)).clip(0, 255).astype(np.uint8)


def fgsm_in_place(crops: Any, gradient: Any, eps: float) -> Any:
    crops[:] = fgsm(crops, gradient, eps)
    return crops


def fgsm_wrapping(crops: Any, gradient: Any, eps: float) -> Any:
    return (crops.astype(int) + eps * np.sign(gradient).astype(int)).astype(np.uint8)


def cosines(morphs: Any, first: Any, second: Any) -> Any:
    return (morphs * first).sum(1), (morphs * second).sum(1)


def morph_rate(morphs: Any, first: Any, second: Any, threshold: float) -> Any:
    return np.mean(np.minimum(*cosines(morphs, first, second)) > threshold)


def false_alarms(passers: float, listed: float, fmr: float) -> Any:
    return -passers * np.expm1(listed * np.log1p(-fmr))


def test_right_answers_pass() -> None:
    for verdict in (
        check.group_errors(group_errors),
        check.fgsm(fgsm),
        check.morph_rate(morph_rate),
        check.false_alarms(false_alarms),
    ):
        assert verdict, verdict


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (errors_across, "across groups belong to neither"),
        (errors_of_all_pairs, "two people"),
        (errors_without_nan, "unknown"),
        (errors_of_nobody, "group of one person"),
        (errors_at_the_threshold, "a match lies above"),
        (errors_with_itself, "compared with itself"),
        (lambda *given: group_errors(*given)[0], "two arrays"),
        (lambda *given: group_errors(*given)[::-1], "false match rates"),
        (lambda s, p, g, t: group_errors(s, p, g, t + 0.1), "three groups"),
        (lambda *_: ..., "still open"),
    ],
)
def test_wrong_errors(answer: Any, hint: str) -> None:
    verdict = check.group_errors(answer)
    assert not verdict and hint in verdict.message, verdict


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (fgsm_wrapping, "wraps"),
        (fgsm_in_place, "afterwards"),
        (lambda x, g, eps: fgsm(x, -g, eps), "dodging"),
        (lambda x, g, eps: (x + eps * g).clip(0, 255).astype(np.uint8), "only its sign"),
        (lambda x, g, eps: (x + eps * np.sign(g)).clip(0, 255), "uint8"),
        (lambda x, g, eps: fgsm(x, g, 2 * eps), "after a step of 4"),
        (lambda x, g, eps: fgsm(x, g, eps)[0], "shape"),
        (lambda *_: ..., "still open"),
    ],
)
def test_wrong_steps(answer: Any, hint: str) -> None:
    verdict = check.fgsm(answer)
    assert not verdict and hint in verdict.message, verdict


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda m, a, b, t: np.mean(np.maximum(*cosines(m, a, b)) > t), "pass for both"),
        (lambda m, a, b, t: np.mean(np.stack(cosines(m, a, b)) > t), "not morphs"),
        (lambda m, a, b, t: np.mean(sum(cosines(m, a, b)) > 1.2 * t), "pass for both"),
        (lambda m, a, b, t: np.mean(sum(cosines(m, a, b)) > t + 0.55), "were they added"),
        (lambda m, a, b, t: np.minimum(*cosines(m, a, b)) > t, "one number"),
        (lambda m, a, b, t: morph_rate(m, a, b, t + 0.05), "fifty"),
        (lambda *_: ..., "still open"),
    ],
)
def test_wrong_morph_rates(answer: Any, hint: str) -> None:
    verdict = check.morph_rate(answer)
    assert not verdict and hint in verdict.message, verdict


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda n, m, f: n * m * f, "one person raises one alarm"),
        (lambda n, m, f: n * f, "makes no difference"),
        (lambda n, m, f: n * f**m, "one matching entry"),
        (lambda n, m, f: n * (1 - (1 - f) ** m), "lost"),
        (lambda n, m, f: false_alarms(n, m, f) + 1, "one is on the list"),
        (lambda *_: ..., "still open"),
    ],
)
def test_wrong_alarms(answer: Any, hint: str) -> None:
    verdict = check.false_alarms(answer)
    assert not verdict and hint in verdict.message, verdict
