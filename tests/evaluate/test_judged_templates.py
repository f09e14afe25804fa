"""facelib evaluate --ijb: every figure that of direct calls, on a made-up folder in the layout of IJB-C."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from facelib import Embedder, FaceLibError, Preprocess, align
from facelib.evaluate import page, pool, read_ijb, template_identification, template_verification
from facelib.evaluate.crops import centre_crop
from facelib.evaluate.judged import table
from facelib.evaluate.judged_templates import FARS, judge_ijb
from facelib.evaluate.rates import intervals_of
from facelib.evaluate.report import write_report
from facelib.evaluate.report_templates import det_points
from tests.evaluate.helpers_ijb import picture, write_ijb
from tests.evaluate.test_report import Page

ABOUT = {"model": {"name": "flat"}, "warnings": []}


def flat() -> Embedder:
    return Embedder(lambda batch: batch.reshape(len(batch), -1), Preprocess(size=16), "flat")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ijb(tmp_path_factory.mktemp("ijb") / "IJBC")


def by_hand(folder: Path, flip: bool = True, ccrop: bool = False, left: set[int] = frozenset()):  # type: ignore[assignment]
    """Pooled vectors and their templates, with nothing but the library's parts; ``left`` are pictures left out."""
    lists = read_ijb(folder)
    rows = np.array([row for row in range(len(lists.names)) if row not in left])
    crops = np.stack([align(picture(row), lists.landmarks[row], 16) for row in rows])
    crops = centre_crop(crops) if ccrop else crops
    x = flat()(crops)
    x = x + flat()(np.ascontiguousarray(crops[:, :, ::-1])) if flip else x
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    return lists, *pool(x, lists.templates[rows], lists.media[rows], lists.scores[rows])


@pytest.mark.parametrize("flip, ccrop", [(True, False), (False, False), (True, True)])
def test_figures_are_those_of_direct_calls(folder: Path, flip: bool, ccrop: bool) -> None:
    seen: list[int] = []
    found = judge_ijb(folder, flat(), "", flip, ccrop, 7, lambda total: (seen.append(-total), seen.append)[1])
    lists, vectors, ids = by_hand(folder, flip, ccrop)
    expected = template_verification(vectors, ids, *lists.pairs)
    assert sum(seen) == 0 and len(seen) > 10, "progress comes batch by batch and reaches the total"
    assert np.allclose(found.verification.scores, expected.scores, atol=1e-5)
    stored = found.to_dict()
    assert [each["far"] for each in stored["tar_at_far"]] == [0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6] == list(FARS)
    different = int((~lists.pairs[2]).sum())
    assert 1000 <= different < 10_000, "enough for 0.01 and not for 0.001"
    for each in stored["tar_at_far"]:
        far = each["far"]
        if far * different < 10:
            assert each == {"far": far, "tar": None, "reason": "too few pairs"}
        else:
            assert 0.2 < each["tar"] < 1 and each["tar"] == expected.tar_at(far)
            assert each["interval"] == expected.tar_interval(far)
            assert each["threshold"] == pytest.approx(expected.threshold_at(far), abs=1e-5)
    for name in ("G1", "G2"):
        direct = template_identification(vectors, ids, lists.galleries[name], lists.probes)
        here, drawn = stored["galleries"][name], intervals_of(direct)
        assert 0.3 < direct.rank1 < direct.rank(5) < 1 and here["rank1_interval"] == pytest.approx(drawn["rank1"])
        assert (here["rank1"], here["rank5"]) == (direct.rank(1), direct.rank(5))
        assert here["rank5_interval"] == pytest.approx(drawn["rank5"])
        few, enough = here["fnir_at_fpir"]
        assert few == {"fpir": 0.01, "fnir": None, "reason": "too few strangers"}
        assert (enough["fpir"], enough["fnir"]) == (0.1, direct.fnir_at(0.1))
        assert enough["interval"] == pytest.approx(drawn["fnir@0.1"])
        assert here["probes of strangers"] == 120 and here["probes"] == 120


def test_weights_and_media_count(folder: Path) -> None:
    """Or the test above would not notice if they did not."""
    lists, vectors, _ = by_hand(folder)
    ones = pool(np.eye(len(lists.names)), lists.templates, lists.media)[0]
    weighed = pool(np.eye(len(lists.names)), lists.templates, lists.media, lists.scores)[0]
    single = pool(np.eye(len(lists.names)), lists.templates, np.arange(len(lists.names)), lists.scores)[0]
    assert np.abs(ones - weighed).max() > 0.1 and np.abs(single - weighed).max() > 0.1


def test_what_cannot_be_read_is_left_out_and_counted(tmp_path: Path) -> None:
    folder = write_ijb(tmp_path / "IJBC")
    lists = read_ijb(folder)
    gallery, probe = lists.galleries["G1"][0][0], lists.probes[0][-1]
    gone = [row for row, each in enumerate(lists.templates) if each in (gallery, probe)]
    spare = next(row for row in range(len(lists.names)) if lists.templates[row] not in (gallery, probe))
    for k, row in enumerate([*gone, spare]):
        file = folder / "loose_crop" / lists.names[row]
        file.write_bytes(b"broken") if k % 2 else file.unlink()
    found = judge_ijb(folder, flat())
    _, vectors, ids = by_hand(folder, left={*gone, spare})
    first, second, same = lists.pairs
    kept = ~(np.isin(first, [gallery, probe]) | np.isin(second, [gallery, probe]))
    assert found.counts == {
        "pictures": len(lists.names), "unreadable": len(gone) + 1, "templates": len(np.unique(lists.templates)),
        "without a picture": 2, "left out": int((~kept).sum()),
    } and not kept.all()  # fmt: skip
    expected = template_verification(vectors, ids, first[kept], second[kept], same[kept])
    assert np.allclose(found.verification.scores, expected.scores, atol=1e-5)
    subject = lists.galleries["G1"][1][0]
    templates, people = lists.probes
    stays = (people != subject) & (templates != probe)
    g1 = found.galleries["G1"]
    assert g1.lost == 1 and g1.lost_probes == int((~stays).sum()) > 2, "its probes have not become strangers"
    direct = template_identification(
        vectors, ids, tuple(part[1:] for part in lists.galleries["G1"]), (templates[stays], people[stays])
    )
    assert np.array_equal(g1.found.ranks, direct.ranks) and np.array_equal(g1.found.mated, direct.mated)
    assert found.galleries["G2"].lost == 0 and found.galleries["G2"].lost_probes == 1
    said = " ".join(found.warnings)
    assert f"{len(gone) + 1} of {len(lists.names)} pictures could not be read" in said and lists.names[gone[0]] in said
    assert "2 of 280 templates have no picture left" in said and "gallery G1: left out were 1 of its templates" in said


def test_landmarks_from_which_nothing_follows(tmp_path: Path) -> None:
    folder = write_ijb(tmp_path / "IJBC")
    scores = folder / "meta" / "ijbc_name_5pts_score.txt"
    lines = scores.read_text().splitlines()
    lines[3] = " ".join([lines[3].split()[0], *["5"] * 10, "0.5"])
    scores.write_text("\n".join(lines))
    found = judge_ijb(folder / "meta", flat())
    assert found.counts["unreadable"] == 1 and any(lines[3].split()[0] in said for said in found.warnings)


def test_table_and_page_say_the_same(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "DPI", 40)
    found = judge_ijb(folder, flat(), name="IJB <C>")
    write_report(tmp_path, [], ABOUT, compared=[found])
    assert {file.name for file in tmp_path.iterdir()} == {
        "index.html", "report.json", "ijb-c-det.png", "ijb-c-g1-open.png", "ijb-c-g2-open.png"
    }  # fmt: skip
    stored = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert stored["ijb"] == json.loads(json.dumps([found.to_dict()])) and stored["sets"] == []
    shown, text = Page((tmp_path / "index.html").read_text("utf-8")), table([found])
    assert "IJB <C>" in shown.text and len(shown.all("img")) == 3
    for far in (0.1, 0.01):
        assert all(f"{100 * found.verification.tar_at(far):.2f} %" in where for where in (text, shown.text))
    for each in found.galleries.values():
        shares = each.found.rank1, each.found.rank(5), each.found.fnir_at(0.1)
        assert all(f"{100 * share:.2f} %" in where for where in (text, shown.text) for share in shares)
    assert "too few pairs" in text and "too few strangers" in text
    assert all(len(label) < 20 for label, _ in found.lines()), "or the columns do not line up"


def test_points_of_the_curve_are_exact(folder: Path) -> None:
    found = judge_ijb(folder, flat()).verification
    far, frr = det_points(found)
    assert len(far) > 100 and far[-1] == 1 and frr[-1] == 0 and (np.diff(frr) <= 0).all() and far[0] <= 1e-3
    for x, y in zip(far[::20], frr[::20], strict=True):
        assert y == 1 - found.tar_at(x)


def test_what_is_missing_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "meta").symlink_to(folder / "meta")
    with pytest.raises(FaceLibError, match="no folder loose_crop in it or beside it"):
        judge_ijb(tmp_path, flat())
    with pytest.raises(FaceLibError, match="neither ijbc_face_tid_mid.txt"):
        judge_ijb(tmp_path / "nothing", flat())
    (tmp_path / "loose_crop").mkdir()
    with pytest.raises(FaceLibError, match="not one of .* pictures can be read"):
        judge_ijb(tmp_path, flat())
