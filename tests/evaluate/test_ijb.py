"""Lists of IJB: read whole and in pieces, and refused with file and line where they are broken."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from facelib import FaceLibError
from facelib.evaluate import (
    ijb,
    pool,
    read_ijb,
    read_landmarks,
    read_media,
    read_pairs,
    read_subjects,
    template_identification,
    template_verification,
)

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
    assert list(lists.galleries) == ["G1", "G2"], "reports come in this order"
    assert lists.pairs is lists.pairs and lists.galleries is lists.galleries and lists.probes is lists.probes
    assert all(x.dtype == np.int64 for x in (lists.templates, lists.media, *lists.galleries["G1"], *lists.probes))
    assert lists.landmarks.dtype == np.float32
    assert all(x.flags.c_contiguous for x in (lists.templates, lists.media, lists.landmarks, lists.scores))


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


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("chunk", [16, 1 << 24])
@pytest.mark.parametrize(
    ("name", "line", "words"),
    [
        ("ijbc_template_pair_label.txt", "10 11", "line 3: '10 11'; expected template template label"),
        ("ijbc_template_pair_label.txt", "10 11 1 10", "line 3: '10 11 1 10'"),
        ("ijbc_template_pair_label.txt", "10 11 2", "line 3: '10 11 2'"),
        ("ijbc_template_pair_label.txt", "10 11 01", "line 3: '10 11 01'"),
        ("ijbc_template_pair_label.txt", "10 1x 1", "line 3: '10 1x 1'; expected whole numbers"),
        ("ijbc_template_pair_label.txt", "10 -1 1", "line 3: "),
        ("ijbc_template_pair_label.txt", "10 1111111111 1", "line 3: '10 1111111111 1'; expected whole numbers"),
        ("ijbc_template_pair_label.txt", "10  1", "line 3: '10 1'; expected template template label"),
        ("ijbc_template_pair_label.txt", "10 11\n1 10 12 0", "line 3: '10 11'; expected template template label"),
        ("ijbc_template_pair_label.txt", "10,11,1", "line 3: '10,11,1'; expected template template label"),
        ("ijbc_template_pair_label.txt", "10/1 11 1", "line 3: '10/1 11 1'; expected whole numbers"),
        ("ijbc_template_pair_label.txt", "10 1:1 1", "line 3: '10 1:1 1'; expected whole numbers"),
        ("ijbc_template_pair_label.txt", "10 11 \xff", "line 3: no text"),
        ("ijbc_face_tid_mid.txt", "9.jpg 10", "line 3: '9.jpg 10'; expected name template medium"),
        ("ijbc_face_tid_mid.txt", "9.jpg 10 11 12", "line 3: '9.jpg 10 11 12'; expected name template medium"),
        ("ijbc_face_tid_mid.txt", "9.jpg 10 1.5", "line 3: '9.jpg 10 1.5'"),
        ("ijbc_face_tid_mid.txt", "9.jpg 10 1111111111", "line 3: '9.jpg 10 1111111111'"),
        ("ijbc_name_5pts_score.txt", "9.jpg 1 2 3 4 5 6 7 8 9 10", "line 3: .* x y of 5 landmarks, score"),
        ("ijbc_name_5pts_score.txt", "9.jpg 1 2 3 4 5 6 7 8 9 10 0.5 1", "line 3: .* x y of 5 landmarks, score"),
        ("ijbc_name_5pts_score.txt", "9.jpg 1 2 3 4 5 6 7 8 9 10 nan", "line 3: "),
        ("ijbc_name_5pts_score.txt", "9.jpg 1 2 nan 4 5 6 7 8 9 10 0.5", "line 3: "),
        ("ijbc_name_5pts_score.txt", "9.jpg 1 2 3 4 5 6 7 8 9 10 inf", "line 3: "),
        ("ijbc_name_5pts_score.txt", "9.jpg 1 2 3 4 5 6 7 8 9 x 0.5", "line 3: "),
        ("ijbc_1N_probe_mixed.csv", "12", "line 3: '12'"),
        ("ijbc_1N_probe_mixed.csv", "12,a", "line 3: '12 a'"),
        ("ijbc_1N_probe_mixed.csv", "12,9", "line 3: template 12 shows subject 9, but further up 8"),
    ],
)
def test_a_broken_line_is_named(meta, name, line, words, chunk, end, monkeypatch):
    monkeypatch.setattr(ijb, "CHUNK", chunk)
    lines = LISTS[name].splitlines()
    lines.insert(2, line)
    (meta / name).write_bytes(("\n".join(lines) + end).encode("latin-1"))
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
    first, *others = LISTS["ijbc_face_tid_mid.txt"].splitlines(keepends=True)
    for lines, start in ((others[:1] + [first] + others[1:], 1), ([first] + others[:2], 4)):
        (meta / "ijbc_face_tid_mid.txt").write_text("".join(lines))
        with pytest.raises(FaceLibError, match=f"from line {start} on"):
            read_ijb(meta)
    with pytest.raises(FaceLibError, match="neither ijbc_face_tid_mid.txt nor"):
        read_ijb(tmp_path / "nowhere")
    for head in ("10,7", " 10 , 7"):
        (meta / "ijbc_1N_gallery_G1.csv").write_text(f"{head}\n")
        with pytest.raises(FaceLibError, match="line 1: .* names of the columns"):
            read_subjects(meta / "ijbc_1N_gallery_G1.csv")
    for read in (read_media, read_landmarks, read_pairs, read_subjects):
        with pytest.raises(FaceLibError, match="none.txt: cannot be read"):
            read(meta / "none.txt")
    (meta / "long.txt").write_bytes(b"1" * 200_000)
    with pytest.raises(FaceLibError, match="is it a list"):
        read_pairs(meta / "long.txt")


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("chunk", [4, 1 << 24])
def test_pairs_as_they_should_be_are_never_read_line_by_line(chunk, end, tmp_path, monkeypatch):
    """The fast way takes every digit, numbers of one digit and of nine, and a last line without its end."""
    monkeypatch.setattr(ijb, "CHUNK", chunk)
    monkeypatch.setattr(ijb, "_pair_lines", None)
    table = [[1, 2, 0], [3, 40, 1], [567_890_123, 999_999_999, 1], [100_000, 70_000, 0], [9, 0, 1]]
    (tmp_path / "pairs.txt").write_text("\n".join(" ".join(map(str, row)) for row in table) + end)
    assert np.stack(read_pairs(tmp_path / "pairs.txt"), 1).tolist() == table


def test_numbers_of_nine_digits_are_read_in_every_list(meta):
    (meta / "media.txt").write_text("1.jpg 999999999 1\n2.jpg 0 999999999\n")
    (meta / "pairs.txt").write_text("999999999\t1 1\n")
    (meta / "subjects.csv").write_text("TEMPLATE_ID,SUBJECT_ID\n999999999,123456789\n")
    assert [x.tolist() for x in read_media(meta / "media.txt")[1:]] == [[999_999_999, 0], [1, 999_999_999]]
    assert [x.tolist() for x in read_pairs(meta / "pairs.txt")] == [[999_999_999], [1], [True]]
    assert [x.tolist() for x in read_subjects(meta / "subjects.csv")] == [[999_999_999], [123_456_789]]


@pytest.mark.parametrize("word", ["\u0661\u0662", "\u00b2", "1_0", "+1", "1e1", "0x1", "\N{FULLWIDTH DIGIT ONE}"])
def test_what_only_python_takes_for_a_number_is_none(word, meta):
    for name, line in (("ijbc_face_tid_mid.txt", f"1.jpg 10 {word}"), ("ijbc_template_pair_label.txt", f"10 {word} 1")):
        (meta / name).write_text(f"{line}\n", "utf-8")
        with pytest.raises(FaceLibError, match=f"{name}, line 1: .*expected whole numbers"):
            read_media(meta / name) if "mid" in name else read_pairs(meta / name)


@pytest.mark.parametrize("chunk", [1, 1 << 24])
def test_blank_lines_and_blanks_mean_nothing_and_are_counted(chunk, meta, monkeypatch):
    """As editors and transfers leave them: empty lines, blanks at the ends and around commas, two carriage returns."""
    expected = read_ijb(meta)
    expected = [expected.names, expected.landmarks, *expected.pairs, *expected.probes]
    monkeypatch.setattr(ijb, "CHUNK", chunk)
    for name, text in LISTS.items():
        lines = [line.replace(",", " , ") for line in text.splitlines()]
        lines[1:1] = ["", "  ", "\r"]
        (meta / name).write_bytes("".join(f" {line} \r\r\n" if line else "\n" for line in lines).encode() + b"\n\r\n")
    lists = read_ijb(meta)
    for found, wanted in zip([lists.names, lists.landmarks, *lists.pairs, *lists.probes], expected, strict=True):
        assert np.array_equal(found, wanted)
    for name, read in (("ijbc_face_tid_mid.txt", read_media), ("ijbc_template_pair_label.txt", read_pairs),
                       ("ijbc_1N_probe_mixed.csv", read_subjects)):  # fmt: skip
        whole = (meta / name).read_bytes()
        (meta / name).write_bytes(whole + b"wrong\n")
        with pytest.raises(FaceLibError, match=f"line {whole.count(10) + 1}: 'wrong'"):
            read(meta / name)


def test_empty_lists(tmp_path):
    (tmp_path / "none").write_bytes(b"")
    names, templates, media = read_media(tmp_path / "none")
    assert names == [] and [(x.shape, x.dtype) for x in (templates, media)] == [((0,), np.int64)] * 2
    names, landmarks, scores = read_landmarks(tmp_path / "none")
    assert names == [] and (landmarks.shape, scores.shape) == ((0, 5, 2), (0,)) and scores.dtype == np.float32
    assert [x.dtype for x in read_pairs(tmp_path / "none")] == [np.int32, np.int32, bool]
    (tmp_path / "none").write_text("TEMPLATE_ID,SUBJECT_ID\n")
    assert [(x.shape, x.dtype) for x in read_subjects(tmp_path / "none")] == [((0,), np.int64)] * 2


def test_which_lists_are_taken_where_there_are_several(meta):
    """Those of the folder itself before those of its meta; of two in one place IJB-C's."""

    def copy(target, prefix):
        for name, text in LISTS.items():
            (target / name.replace("ijbc", prefix)).write_text(text)

    copy(meta.parent, "ijbb")
    assert (read_ijb(meta.parent).prefix, read_ijb(meta.parent).folder) == ("ijbb", meta.parent)
    copy(meta.parent, "ijbc")
    assert (read_ijb(meta.parent).prefix, read_ijb(meta.parent).folder) == ("ijbc", meta.parent)
    for path in meta.parent.glob("*.*"):
        path.unlink()
    (meta.parent / "ijbc_face_tid_mid.txt").mkdir()  # a folder is no list
    assert read_ijb(meta.parent).folder == meta


def test_a_line_has_a_longest_length(tmp_path, monkeypatch):
    monkeypatch.setattr(ijb, "LINE", 12)
    (tmp_path / "pairs.txt").write_text("123456 123 1")
    assert [x.tolist() for x in read_pairs(tmp_path / "pairs.txt")] == [[123_456], [123], [True]]
    (tmp_path / "pairs.txt").write_text("1234567 123 1")
    with pytest.raises(FaceLibError, match="a line of more than 12 bytes; is it a list"):
        read_pairs(tmp_path / "pairs.txt")


@pytest.mark.parametrize(("length", "shown"), [(60, "x" * 60), (61, "x" * 60 + "..."), (62, "x" * 60 + "...")])
def test_long_lines_are_not_shown_whole(length, shown, tmp_path):
    (tmp_path / "media.txt").write_text("x" * length)
    with pytest.raises(FaceLibError, match=f"line 1: '{re.escape(shown)}'; expected"):
        read_media(tmp_path / "media.txt")
