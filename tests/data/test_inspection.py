"""What is wrong with a data set is found, counted and named; what is right is left alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facelib.data import (
    FolderSource,
    Inspection,
    ListSource,
    RecordSource,
    WebDatasetSource,
    inspect,
    overlap,
    write_list,
)
from tests.data.helpers import jpeg, make_folder
from tests.data.records import header, write_records
from tests.data.test_webdataset import write_shard


def test_a_good_data_set(tmp_path: Path) -> None:
    done: list[int] = []
    found = inspect(FolderSource(make_folder(tmp_path, 3, 1, 4)), num_classes=3, workers=2, progress=done.append)
    assert not found.faults and found.fits and sum(done) == 8
    assert str(found) == "8 pictures of 3 people, 1 to 4 of each (half have 3 or more)\nnothing wrong"


@pytest.fixture
def bad(tmp_path: Path) -> Inspection:
    root = make_folder(tmp_path / "all", 3, 2, 2)  # pictures 0 1 2, 3 4, 5 6
    people = [root / f"n00000{k}" for k in range(3)]
    (people[0] / "0002_01.jpg").write_bytes(jpeg(0))  # the same person twice
    (people[1] / "0001_01.jpg").write_bytes(jpeg(5))  # picture of person 2
    (people[2] / "0001_01.jpg").write_bytes(b"")
    names = list(FolderSource(root).names)
    write_list(tmp_path / "list.txt", [*names, "n000000/0000_01.jpg"], [0, 0, 0, 1, 1, 4, 4, 0])
    return inspect(ListSource(tmp_path / "list.txt", root), num_classes=4)


def test_everything_wrong_is_found(bad: Inspection) -> None:
    assert [name for name, _ in bad.unreadable] == ["n000002/0001_01.jpg"]
    assert "is empty" in bad.unreadable[0][1]
    assert bad.gaps == [2, 3]
    assert bad.same_person == [[0, 2, 7]] and bad.other_person == [[4, 5]]
    assert not bad.fits and bad.faults
    assert (bad.digests == 0).tolist() == [k == 6 for k in range(8)]


def test_the_report_is_text(bad: Inspection) -> None:
    assert str(bad).splitlines() == [
        "8 pictures of 3 people, 2 to 4 of each (half have 2 or more)",
        "--num-classes 4 does not fit: labels run to 4, which takes 5",
        "1 unreadable:",
        f"  n000002/0001_01.jpg: {bad.unreadable[0][1]}",
        "2 labels without a picture:",
        "  2",
        "  3",
        "1 pictures with more than one label:",
        "  n000001/0001_01.jpg is 1, n000002/0000_01.jpg is 4",
        "1 pictures there twice:",
        "  n000000/0000_01.jpg, n000000/0002_01.jpg, n000000/0000_01.jpg",
    ]


def test_more_classes_than_needed_fit_but_are_told(tmp_path: Path) -> None:
    found = inspect(FolderSource(make_folder(tmp_path, 1, 1)), num_classes=8631)
    assert found.fits and "--num-classes 8631 does not fit: labels run to 1, which takes 2" in str(found)


def test_long_findings_are_cut(tmp_path: Path) -> None:
    root = make_folder(tmp_path, 6)
    for path in (root / "n000000").iterdir():
        path.write_bytes(b"no picture")
    lines = str(inspect(FolderSource(root))).splitlines()
    assert lines[1] == "6 unreadable:" and lines[-1] == "  ... and 3 more" and len(lines) == 6


def test_overlap_of_two_sets(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "all", 2, 2, 2)
    write_list(tmp_path / "a", ["n000000/0000_01.jpg", "n000001/0000_01.jpg", "n000001/0001_01.jpg"], [0, 1, 1])
    write_list(tmp_path / "b", ["n000000/0001_01.jpg", "n000002/0000_01.jpg", "n000001/0000_01.jpg"], [0, 1, 2])
    first, second = (inspect(ListSource(tmp_path / name, root)) for name in "ab")
    common = overlap(first, second)
    assert common.people == ["n000000", "n000001"] and common.renumbered == ["n000001"]
    assert common.pictures == [(1, 2)]
    assert str(common) == "2 people in both, 1 of them with another label; 1 pictures in both"


def test_only_folders_of_people_count_as_people(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.tar", {"n1/0.jpg": jpeg(0), "n1/0.cls": b"0", "1.jpg": jpeg(1), "1.cls": b"1"})
    write_records(tmp_path / "train.rec", {0: header(0.0) + jpeg(0)})
    shard, records = inspect(WebDatasetSource(tmp_path / "a.tar")), inspect(RecordSource(tmp_path / "train.rec"))
    assert overlap(shard, shard).people == ["n1"] and overlap(records, records).people == []
    assert overlap(shard, records).pictures == [(0, 0)]


def test_unreadable_pictures_are_no_duplicates(tmp_path: Path) -> None:
    root = make_folder(tmp_path, 2, 2)
    for name in ("n000000/0000_01.jpg", "n000001/0000_01.jpg"):
        (root / name).write_bytes(b"")
    found = inspect(FolderSource(root))
    assert len(found.unreadable) == 2 and not found.same_person and not found.other_person
    assert overlap(found, found).pictures == [(1, 1), (3, 3)]
    assert np.count_nonzero(found.digests) == 2
