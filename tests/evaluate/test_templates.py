"""Lists of IJB, pooling and template scores against loops, and against the reports for single pictures."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from facelib import FaceLibError
from facelib.evaluate import (
    identification,
    ijb,
    pool,
    read_ijb,
    read_landmarks,
    read_media,
    read_pairs,
    read_subjects,
    template_identification,
    template_verification,
    templates,
    verify_scores,
)
from facelib.evaluate.ranking import wilson


def pictures(seed: int, count: int = 60, size: int = 6):
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, size)).astype(np.float32)
    return x, random.integers(100, 112, count), random.integers(7, 10, count), random.random(count).astype(np.float32)


def pooled(x, template, medium, weight) -> dict[int, list[float]]:
    """The definition, number by number."""
    found = {}
    for t in sorted(set(template.tolist())):
        total = [0.0] * x.shape[1]
        for m in {m for m, other in zip(medium.tolist(), template.tolist(), strict=True) if other == t}:
            rows = [k for k in range(len(x)) if (template[k], medium[k]) == (t, m)]
            for d in range(x.shape[1]):
                total[d] += sum(float(weight[k]) * float(x[k, d]) for k in rows) / len(rows)
        length = math.sqrt(sum(value**2 for value in total))
        found[t] = [value / length for value in total]
    return found


@pytest.mark.parametrize("block", [1, 7, 8192])
@pytest.mark.parametrize("seed", range(3))
def test_pooling_is_its_definition(seed, block, monkeypatch):
    monkeypatch.setattr(templates, "BLOCK", block)
    x, template, medium, score = pictures(seed)
    for weights in (None, score):
        vectors, ids = pool(x, template, medium, weights)
        expected = pooled(x, template, medium, np.ones(60) if weights is None else weights)
        assert ids.tolist() == list(expected) and vectors.dtype == np.float32
        assert np.allclose(vectors, list(expected.values()), atol=1e-6)
    assert np.array_equal(
        pool(torch.from_numpy(x), template.tolist(), torch.from_numpy(medium))[0], pool(*pictures(seed)[:3])[0]
    )


def test_a_video_counts_like_a_photograph():
    """999 frames along one axis and a photograph along the other: halfway. Without media the video would drown it."""
    x = np.eye(2)[[0] * 999 + [1]]
    one, ids = pool(x, [5] * 1000, [1] * 999 + [2])
    assert ids.tolist() == [5] and np.allclose(one, math.sqrt(0.5))
    # the same medium in two templates is averaged in each
    two, ids = pool(np.eye(2)[[0, 1, 0]], [4, 5, 5], [1, 1, 1])
    assert ids.tolist() == [4, 5] and np.allclose(two, [[1, 0], [math.sqrt(0.5), math.sqrt(0.5)]])
    # weights scale the pictures, the mean divides by their number: (2 e1 + 0 e2) / 2 + e2
    weighed, _ = pool(np.eye(2)[[0, 1, 1]], [4, 4, 4], [1, 1, 2], weights=[2, 0, 1])
    assert np.allclose(weighed, math.sqrt(0.5))


def compared(seed: int, pairs: int = 400, coarse: bool = False):
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(30, 8))
    if coarse:
        vectors = np.zeros((30, 8))
        for row in vectors:
            row[random.choice(8, 4, replace=False)] = random.choice([-0.5, 0.5], 4)
    ids = random.permutation(500)[:30]
    a, b = random.integers(0, 30, (2, pairs))
    same = random.random(pairs) < 0.3
    return vectors.astype(np.float32), ids, a, b, same


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_rates_of_templates_are_those_of_pairs(seed, coarse, monkeypatch):
    """The lean report and the full one have nothing but the definition in common."""
    monkeypatch.setattr(templates, "BLOCK", 37)
    vectors, ids, a, b, same = compared(seed, coarse=coarse)
    report = template_verification(vectors, ids, ids[a], ids[b], same)
    exact = vectors.astype(np.float64)
    scores = [x @ y / math.sqrt((x @ x) * (y @ y)) for x, y in zip(exact[a], exact[b], strict=True)]
    assert np.allclose(report.scores, scores, atol=1e-6) and report.scores.dtype == np.float32
    full = verify_scores(report.scores, same, fold=np.arange(400) % 2)
    different = int((~same).sum())
    for far in (0.0, 1 / different, 3 / different, 0.01, 0.1, 0.29, 0.5, 1 - 1 / different, 1.0):
        assert report.tar_at(far) == full.tar_at(far), far
        assert report.threshold_at(far) == full.threshold_at(far), far
        assert report.tar_interval(far) == wilson(full.tar_at(far), int(same.sum()))


def test_every_count_of_false_accepts_is_met():
    """k / n as floating-point numbers must allow k, for all k of all n."""
    for different in (3, 7, 10, 49, 1000, 1001):
        report = templates.TemplateVerification(
            np.empty(0), np.empty(0), np.float32([0.5]), np.arange(different, dtype=np.float32)
        )
        for k in range(different):
            threshold = report.threshold_at(k / different)
            assert (report.impostor > threshold).sum() == k, (k, different)


def test_report_is_readable():
    vectors, ids, a, b, same = compared(1)
    text = str(template_verification(vectors, ids, ids[a], ids[b], same))
    assert f"400 pairs of templates, {same.sum()} same" in text and "FAR 0.01 " in text and "FAR 0.001 " not in text
    assert max(map(len, text.splitlines())) < 90


def test_identification_of_templates():
    random = np.random.default_rng(0)
    centres = random.normal(size=(20, 16))
    ids = random.permutation(900)[:60]
    vectors = np.repeat(centres, 3, 0) + 0.5 * random.normal(size=(60, 16))
    subject = np.repeat(np.arange(20) + 40, 3)
    gallery, probes = np.arange(0, 36, 3), np.setdiff1d(np.arange(60), np.arange(0, 36, 3))
    found = template_identification(vectors, ids, (ids[gallery], subject[gallery]), (ids[probes], subject[probes]))
    plain = identification(vectors[gallery], subject[gallery], vectors[probes], subject[probes])
    assert np.array_equal(found.ranks, plain.ranks) and found.fnir_at(0.1) == plain.fnir_at(0.1)
    assert int((~found.mated).sum()) == 24 and found.rank1 > 0.9


LISTS = {
    "ijbc_face_tid_mid.txt": "1.jpg 10 100\n2.jpg 10 101\n3.jpg 11 100\n4.jpg 12 102\n",
    "ijbc_name_5pts_score.txt": "".join(
        f"{k}.jpg {' '.join(str(k + d / 4) for d in range(10))} 0.{k}\n" for k in (1, 2, 3, 4)
    ),
    "ijbc_template_pair_label.txt": "10 11 1\n10 12 0\n11 12 0\n",
    "ijbc_1N_gallery_G1.csv": "TEMPLATE_ID,SUBJECT_ID,FILENAME\n10,7,img/1.jpg\n10,7,frames/2.png\n",
    "ijbc_1N_gallery_G2.csv": "TEMPLATE_ID,SUBJECT_ID,FILENAME\n12,8,img/4.jpg\n",
    "ijbc_1N_probe_mixed.csv": "TEMPLATE_ID,SUBJECT_ID,FILENAME\n12,8,img/4.jpg\n11,7,img/3.jpg\n",
}


@pytest.fixture
def meta(tmp_path):
    for name, text in LISTS.items():
        (tmp_path / "meta").mkdir(exist_ok=True)
        (tmp_path / "meta" / name).write_text(text)
    return tmp_path / "meta"


def test_lists_are_read(meta):
    lists = read_ijb(meta.parent)
    assert lists.names == ["1.jpg", "2.jpg", "3.jpg", "4.jpg"] and lists.prefix == "ijbc"
    assert lists.templates.tolist() == [10, 10, 11, 12] and lists.media.tolist() == [100, 101, 100, 102]
    assert lists.landmarks[1].tolist() == [[2.0, 2.25], [2.5, 2.75], [3.0, 3.25], [3.5, 3.75], [4.0, 4.25]]
    assert np.allclose(lists.scores, [0.1, 0.2, 0.3, 0.4]) and lists.scores.dtype == np.float32
    first, second, same = lists.pairs
    assert (first.tolist(), second.tolist(), same.tolist()) == ([10, 10, 11], [11, 12, 12], [True, False, False])
    assert {name: [x.tolist() for x in found] for name, found in lists.galleries.items()} == {
        "G1": [[10], [7]],
        "G2": [[12], [8]],
    }
    assert [x.tolist() for x in lists.probes] == [[11, 12], [7, 8]]
    assert repr(read_ijb(meta)) == "<ijbc: 4 pictures, 3 templates>"


def test_from_the_lists_to_the_figures(meta):
    lists = read_ijb(meta)
    vectors, ids = pool(np.eye(4)[[0, 1, 0, 2]], lists.templates, lists.media, lists.scores)
    report = template_verification(vectors, ids, *lists.pairs)
    assert np.allclose(report.scores, [0.1 / math.hypot(0.1, 0.2), 0, 0], atol=1e-7) and report.tar_at(0) == 1
    found = template_identification(vectors, ids, lists.galleries["G1"], lists.probes)
    assert found.mated.tolist() == [True, False] and found.rank1 == 1 and found.fnir_at(0) == 0


def test_ijbb_names_its_galleries_s(meta):
    for path in list(meta.iterdir()):
        path.rename(meta / path.name.replace("ijbc", "ijbb").replace("_G", "_S"))
    lists = read_ijb(meta)
    assert lists.prefix == "ijbb" and set(lists.galleries) == {"S1", "S2"} and len(lists.pairs[0]) == 3


@pytest.mark.parametrize("chunk", [4, 9, 1 << 24])
def test_pairs_are_read_in_pieces(chunk, tmp_path, monkeypatch):
    monkeypatch.setattr(ijb, "CHUNK", chunk)
    random = np.random.default_rng(0)
    table = np.concatenate([random.integers(0, 40_000, (500, 2)), random.integers(0, 2, (500, 1))], 1)
    lines = [" ".join(map(str, row)) for row in table.tolist()]
    for text in (
        "\n".join(lines),
        "\n".join(lines) + "\n",
        "\r\n".join(lines),
        "\n".join(lines).replace(" ", "\t") + "\n\n",
    ):
        (tmp_path / "pairs.txt").write_bytes(text.encode())
        first, second, same = read_pairs(tmp_path / "pairs.txt")
        assert np.array_equal(np.stack([first, second, same], 1), table)
        assert first.dtype == np.int32 and same.dtype == bool
    (tmp_path / "pairs.txt").write_bytes(b"")
    assert [len(part) for part in read_pairs(tmp_path / "pairs.txt")] == [0, 0, 0]


@pytest.mark.parametrize("chunk", [16, 1 << 24])
@pytest.mark.parametrize(
    ("name", "line", "words"),
    [
        ("ijbc_template_pair_label.txt", "10 11", "line 3: '10 11'; expected template template label"),
        ("ijbc_template_pair_label.txt", "10 11 1 10", "line 3: '10 11 1 10'"),
        ("ijbc_template_pair_label.txt", "10 11 2", "line 3: '10 11 2'"),
        ("ijbc_template_pair_label.txt", "10 1x 1", "line 3: '10 1x 1'; expected whole numbers"),
        ("ijbc_template_pair_label.txt", "10 -1 1", "line 3: "),
        ("ijbc_template_pair_label.txt", "10 11111111111 1", "line 3: "),
        ("ijbc_template_pair_label.txt", "10 11 \xff", "line 3: no text"),
        ("ijbc_face_tid_mid.txt", "9.jpg 10", "line 3: '9.jpg 10'; expected name template medium"),
        ("ijbc_face_tid_mid.txt", "9.jpg 10 1.5", "line 3: '9.jpg 10 1.5'"),
        ("ijbc_name_5pts_score.txt", "9.jpg 1 2 3 4 5 6 7 8 9 10", "line 3: .* x y of 5 landmarks, score"),
        ("ijbc_name_5pts_score.txt", "9.jpg 1 2 3 4 5 6 7 8 9 10 nan", "line 3: "),
        ("ijbc_name_5pts_score.txt", "9.jpg 1 2 3 4 5 6 7 8 9 x 0.5", "line 3: "),
        ("ijbc_1N_probe_mixed.csv", "12", "line 3: '12'"),
        ("ijbc_1N_probe_mixed.csv", "12,a", "line 3: '12 a'"),
        ("ijbc_1N_probe_mixed.csv", "12,9", "line 3: template 12 shows subject 9, but further up 8"),
    ],
)
def test_a_broken_line_is_named(meta, name, line, words, chunk, monkeypatch):
    monkeypatch.setattr(ijb, "CHUNK", chunk)
    lines = LISTS[name].splitlines()
    lines.insert(2, line)
    (meta / name).write_bytes("\n".join(lines).encode("latin-1"))
    with pytest.raises(FaceLibError, match=f"{name}, {words}"):
        lists = read_ijb(meta)
        _ = lists.pairs, lists.probes


def test_lists_that_do_not_belong_together(meta, tmp_path):
    (meta / "ijbc_face_tid_mid.txt").write_text(LISTS["ijbc_face_tid_mid.txt"].replace("3.jpg", "30.jpg"))
    with pytest.raises(FaceLibError, match="from line 3 on"):
        read_ijb(meta)
    (meta / "ijbc_face_tid_mid.txt").write_text(LISTS["ijbc_face_tid_mid.txt"] + "5.jpg 1 1\n")
    with pytest.raises(FaceLibError, match="from line 5 on"):
        read_ijb(meta)
    with pytest.raises(FaceLibError, match="neither ijbc_face_tid_mid.txt nor"):
        read_ijb(tmp_path / "nowhere")
    (meta / "ijbc_1N_gallery_G1.csv").write_text("10,7\n")
    with pytest.raises(FaceLibError, match="line 1: .* names of the columns"):
        read_subjects(meta / "ijbc_1N_gallery_G1.csv")
    for read in (read_media, read_landmarks, read_pairs, read_subjects):
        with pytest.raises(FaceLibError, match="none.txt: cannot be read"):
            read(meta / "none.txt")
    (meta / "long.txt").write_bytes(b"1" * 200_000)
    with pytest.raises(FaceLibError, match="is it a list"):
        read_pairs(meta / "long.txt")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"embeddings": np.full((4, 2), np.nan)}, "embeddings: row 0 holds NaN"),
        ({"embeddings": np.ones(4)}, r"expected \(N, D\)"),
        ({"templates": [1, 2]}, "templates: int64 of shape .*, expected 4 whole numbers"),
        ({"media": [0.5, 1, 2, 3]}, "media: float64"),
        ({"weights": [1, 1, 1]}, "weights: expected 4 finite"),
        ({"weights": [1, 1, 1, -1]}, "none below 0"),
        ({"weights": [1, 0, 0, 1]}, "template 2: its pictures cancel out, or all have weight 0"),
        ({"embeddings": [[1, 0], [1, 0.5], [-1, -0.5], [1, 0]]}, "template 2: its pictures cancel out"),
    ],
)
def test_what_cannot_be_pooled_is_said(change, words):
    given = {"embeddings": np.ones((4, 2)), "templates": [1, 2, 2, 3], "media": [1, 2, 3, 4]}
    with pytest.raises(FaceLibError, match=words):
        pool(**{**given, **change})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ids": [1, 2, 2]}, "template 2 has two vectors"),
        ({"ids": [1, 2]}, "ids: int64 of shape"),
        ({"first": [1, 9]}, "template 9 has no vector"),
        ({"same": [1, 1]}, "no different one"),
        ({"same": [0, 0]}, "no same one"),
        ({"same": [0, 2]}, "True or False"),
        ({"second": [1]}, "second: int64 of shape"),
        ({"vectors": np.zeros((3, 2))}, "vectors: row 0 has length 0"),
        ({"vectors": np.ones((0, 2)), "ids": []}, "vectors: no rows"),
    ],
)
def test_pairs_that_cannot_be_judged(change, words):
    given = {"vectors": np.eye(3), "ids": [1, 2, 3], "first": [1, 2], "second": [3, 3], "same": [0, 1]}
    with pytest.raises(FaceLibError, match=words):
        template_verification(**{**given, **change})


def test_nothing_pooled_and_odd_rates():
    vectors, ids = pool(np.empty((0, 4)), np.empty(0, int), np.empty(0, int))
    assert vectors.shape == (0, 4) and len(ids) == 0
    report = template_verification(np.eye(3), [1, 2, 3], [1, 2], [3, 3], [0, 1])
    for far in (-0.1, 1.1, math.nan):
        with pytest.raises(FaceLibError, match="far="):
            report.tar_at(far)
