"""List files: what is written is read back, and whatever is wrong is said with its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelib import FaceLibError
from facelib.data import read_list, write_list
from facelib.data.lists import LINE, escapes, listable, parse_line
from tests.data.helpers import make_folder


def read(tmp_path: Path, data: bytes) -> list[tuple[str, int, int]]:
    (tmp_path / "list.txt").write_bytes(data)
    listing = read_list(tmp_path / "list.txt")
    assert listing.labels.dtype == "int64" and len(listing) == len(listing.names)
    return list(zip(listing.names, listing.labels.tolist(), listing.lines.tolist(), strict=True))


def test_the_form_of_the_classic_lists(tmp_path: Path) -> None:
    text = b"n000002/0327_01.jpg 0\nn000002/0328_01.jpg 0\nn000003/0001_02.jpg 1\n"
    assert read(tmp_path, text) == [
        ("n000002/0327_01.jpg", 0, 1),
        ("n000002/0328_01.jpg", 0, 2),
        ("n000003/0001_02.jpg", 1, 3),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"a b/c.jpg 7\r\n\r\nd.png 8\r\n",
        b"\xef\xbb\xbfa b/c.jpg\t7\n\nd.png 8",
        b"a b/c.jpg    7  \n# a remark 3\nd.png\t \t8\n",
    ],
    ids=["windows", "byte-order mark", "spaces and remarks"],
)
def test_forms_that_mean_the_same(data: bytes, tmp_path: Path) -> None:
    assert read(tmp_path, data) == [("a b/c.jpg", 7, 1), ("d.png", 8, 3)]


def test_spaces_within_a_path_stay(tmp_path: Path) -> None:
    names = [" first  two.jpg", "a\tb.jpg", "#1/x.jpg", "n\udcff/ä.jpg"]
    assert write_list(tmp_path / "deep/list.txt", names, range(4)) == 4
    assert list(read_list(tmp_path / "deep/list.txt").names) == names


@pytest.mark.parametrize(
    "line, fault",
    [
        (b"a.jpg", "has no label"),
        (b"a.jpg one", "'one' is no whole number"),
        (b"a.jpg -1", "'-1' is no whole number"),
        (b"a.jpg 1.0", "'1.0' is no whole number"),
        (b"a.jpg 1_0", "'1_0' is no whole number"),
        ("a.jpg ٣".encode(), "is no whole number"),
        (b"a.jpg " + b"9" * 30, "is no whole number"),
        (b"a.jpg 20190304", "'20190304' is no whole number from 0 to 9,999,999"),
        (b"../a.jpg 0", "leads out"),
        (b"n1/../../a.jpg 0", "leads out"),
        (b"/etc/passwd 0", "leads out"),
        (b"n1\\..\\..\\a.jpg 0", "leads out"),
        (b"C:\\a.jpg 0", "leads out"),
        (b"a\0.jpg 0", "no text"),
        (b"x" * LINE + b" 0", "longer than"),
    ],
)
def test_a_broken_line_is_named(line: bytes, fault: str, tmp_path: Path) -> None:
    with pytest.raises(FaceLibError, match=rf"list\.txt, line 3: .*{re.escape(fault)}"):
        read(tmp_path, b"a.jpg 0\n\n" + line + b"\nb.jpg 0\n")


def test_no_list(tmp_path: Path) -> None:
    with pytest.raises(FaceLibError, match="lists no pictures"):
        read(tmp_path, b"\n# nothing\n")
    with pytest.raises(FaceLibError, match="line 1: .*no text"):
        read(tmp_path, "a.jpg 0\n".encode("utf-16"))
    with pytest.raises(FaceLibError, match="cannot be read"):
        read_list(tmp_path / "gone.txt")


def test_missing_pictures_are_told_with_their_lines(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "root", 2, 1)
    (root / "n000000/broken.jpg").symlink_to("nowhere")
    (root / "n000000/linked.jpg").symlink_to("0000_01.jpg")
    names = ["n000000/0000_01.jpg", "n000000/gone.jpg", "n000000/linked.jpg", "n7/0.jpg", "n000000/broken.jpg", "z"]
    write_list(tmp_path / "list.txt", names, [0] * 6)
    with pytest.raises(FaceLibError) as told:
        read_list(tmp_path / "list.txt", root)
    assert "4 of 6 pictures are not in" in str(told.value)
    assert "(line 2: n000000/gone.jpg, line 4: n7/0.jpg, line 5: n000000/broken.jpg, ...)" in str(told.value)
    with pytest.raises(FaceLibError, match="no such folder"):
        read_list(tmp_path / "list.txt", tmp_path / "elsewhere")


def test_a_list_from_windows_is_known_by_its_backslashes(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "root", 2)
    (tmp_path / "list.txt").write_text("n000000\\0000_01.jpg 0\nn000000\\0001_01.jpg 0\n")
    with pytest.raises(FaceLibError, match=r"2 of 2 pictures are not in .*; it was written on Windows: turn \\ into /"):
        read_list(tmp_path / "list.txt", root)
    write_list(tmp_path / "list.txt", ["n000000\\0000_01.jpg", "gone.jpg"], [0, 0])
    with pytest.raises(FaceLibError, match="is this the folder that the list was made for"):
        read_list(tmp_path / "list.txt", root)


@pytest.mark.parametrize("name", ["a\nb.jpg", "a.jpg ", "../a.jpg", "", "# a.jpg", "\ufeff\0"])
def test_names_that_would_be_misread_are_not_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(FaceLibError):
        write_list(tmp_path / "list.txt", [name], [0])
    assert not list(tmp_path.iterdir()) and not listable(name)


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=20), st.integers(0, 10**7 - 1))
def test_what_is_written_is_read_back(name: str, label: int) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / "list.txt"
        try:
            write_list(path, ["first.jpg", name], [3, label])
        except (FaceLibError, UnicodeEncodeError):
            return
        listing = read_list(path)
        assert list(listing.names) == ["first.jpg", name] and listing.labels.tolist() == [3, label]


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=60))
def test_any_line_is_an_entry_or_our_error(line: bytes) -> None:
    try:
        entry = parse_line(line)
    except FaceLibError:
        return
    assert entry is None or (not escapes(entry[0]) and entry[1] >= 0)
