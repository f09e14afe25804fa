"""Splits: disjoint, complete, the share that was asked for, and unmoved by newcomers."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from facelib import FaceLibError, cli
from facelib.data import read_list, split_folder
from facelib.data.splits import Split, fraction


def tree(root: Path, people: dict[str, int]) -> Path:
    """Empty files will do: nothing here looks into a picture."""
    for person, count in people.items():
        (root / person).mkdir(parents=True, exist_ok=True)
        for k in range(count):
            (root / person / f"{k:04d}_01.jpg").touch()
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tree(tmp_path / "all", {f"n{k:06d}": 4 + k % 9 for k in range(60)})


def sides(split: Split) -> dict[str, str]:
    return {name: side for side in ("train", "validation") for name in getattr(split, side).names}


def test_by_pictures_everybody_is_on_both_sides(root: Path) -> None:
    split = split_folder(root, share=0.3)
    assert split.train.people == split.validation.people == [f"n{k:06d}" for k in range(60)]
    for part in (split.train, split.validation):
        assert sorted(set(part.labels)) == list(range(60))
        assert all(
            part.people[label] == name.split("/")[0] for name, label in zip(part.names, part.labels, strict=True)
        )
    for label in range(60):
        assert split.validation.labels.count(label) == max(1, int(0.3 * (4 + label % 9)))
    assert sorted(split.train.names + split.validation.names) == sorted(
        path.relative_to(root).as_posix() for path in root.rglob("*.jpg")
    )


def test_by_people_nobody_is_on_both_sides(root: Path) -> None:
    split = split_folder(root, by="people", share=0.4)
    assert not set(split.train.people) & set(split.validation.people)
    assert sorted(split.train.people + split.validation.people) == [f"n{k:06d}" for k in range(60)]
    for part in (split.train, split.validation):
        assert list(dict.fromkeys(part.labels)) == list(range(len(part.people))), "labels run from 0 without gaps"
        assert all(
            part.people[label] == name.split("/")[0] for name, label in zip(part.names, part.labels, strict=True)
        )
    assert 12 <= len(split.validation.people) <= 36


@pytest.mark.parametrize("by", ["pictures", "people"])
def test_nobody_moves_when_others_join(by: str, root: Path) -> None:
    before = sides(split_folder(root, by=by, share=0.2))
    tree(root, {"a newcomer": 7, "n000030b": 5, "z": 2})
    after = sides(split_folder(root, by=by, share=0.2))
    assert len(after) == len(before) + 14
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize("by", ["pictures", "people"])
def test_the_seed_decides(by: str, root: Path) -> None:
    first, again, other = (sides(split_folder(root, by=by, share=0.3, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_the_hash_is_the_same_on_every_machine() -> None:
    assert fraction("n000002/0001_01.jpg", 0) == int("b364ca2d6cdd805b", 16) / 2**64  # b2sum -l 64
    values = [fraction(str(k), 3) for k in range(2000)]
    assert min(values) >= 0 and max(values) < 1 and abs(sum(values) / 2000 - 0.5) < 0.03


def test_few_pictures(tmp_path: Path) -> None:
    tree(tmp_path, {"one": 1, "two": 2, "five": 5})
    (tmp_path / "beside.jpg").touch()
    split = split_folder(tmp_path, share=0.01)
    assert split.train.people == ["five", "one", "two"]
    assert split.validation.labels == [0, 2], "the only picture of a person is for training"
    assert split.left_out == {"pictures of nobody": 1}
    split = split_folder(tmp_path, share=0.5, min_images=2)
    assert split.train.people == ["five", "two"] and split.left_out["people with too few pictures"] == 1


def test_an_empty_side_is_refused(tmp_path: Path) -> None:
    tree(tmp_path, {"one": 1, "other": 1})
    with pytest.raises(FaceLibError, match="nothing is left for validation of 2 people"):
        split_folder(tmp_path)
    with pytest.raises(FaceLibError, match="nobody has 9 pictures or more; ask for fewer with --min-images"):
        split_folder(tmp_path, min_images=9)
    tree(tmp_path / "top", {"all/one": 5, "all/other": 5})
    with pytest.raises(FaceLibError, match="of one person, all; is it a folder too high"):
        split_folder(tmp_path / "top")
    for wrong in ({"by": "colour"}, {"share": 0}, {"share": 1}):
        with pytest.raises(FaceLibError, match="a split is by pictures or people"):
            split_folder(tmp_path, **wrong)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.main, ["list", *map(str, arguments)])


def test_the_command_writes_both_lists(root: Path, tmp_path: Path) -> None:
    (root / "beside.jpg").touch()
    train, val = tmp_path / "data/train.txt", tmp_path / "data/val.txt"
    result = run(root, "--out", train, "--val", val)
    assert result.exit_code == 0 and result.stdout == ""
    made = split_folder(root)
    assert list(read_list(train, root).names) == made.train.names
    assert read_list(val, root).labels.tolist() == made.validation.labels
    assert result.stderr.splitlines() == [
        f"{train}: {len(made.train.names)} pictures of 60 people",
        f"{val}: 60 pictures of 60 people",
        "left out, pictures of nobody: 1",
        "for training: --num-classes 60",
    ]


def test_the_lists_may_not_be_one_file(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old.txt").write_text("old")
    for other in ("old.txt", "./old.txt", tmp_path / "old.txt"):
        result = run(root, "--out", "old.txt", "--val", other)
        assert result.exit_code == 2 and "--out and --val are the same file, old.txt" in result.stderr
    assert Path("old.txt").read_text() == "old"


@pytest.mark.parametrize("fails", ["--out", "--val"])
def test_both_lists_are_written_or_none(fails: str, root: Path, tmp_path: Path) -> None:
    good, bad = tmp_path / "old.txt", tmp_path / "file/x.txt"
    for path in (good, bad.parent):
        path.write_text("old")
    paths = {"--out": good, "--val": good, fails: bad}
    result = run(root, *(each for pair in paths.items() for each in pair))
    assert result.exit_code == 1
    assert result.stderr == f"Error: {bad.parent}: cannot be written (is a file, a folder is wanted)\n"
    assert good.read_text() == "old" and sorted(p.name for p in tmp_path.iterdir()) == ["all", "file", "old.txt"]


def test_a_name_with_a_line_break_costs_its_picture_only(root: Path, tmp_path: Path) -> None:
    expected = split_folder(root, min_images=2)
    some, person = expected.train.names[0], expected.train.people[0]
    for name in ("a\nb.jpg", "z\n.jpg"):
        (root / person / name).write_bytes((root / some).read_bytes())
    (root / "lonely").mkdir()
    (root / "lonely/c\nd.jpg").touch()
    result = run(root, "--out", tmp_path / "t", "--val", tmp_path / "v", "--min-images", 2)
    assert result.exit_code == 0, result.output
    assert f"left out: {str(Path(person) / 'a')!r}"[:-1] + "\\nb.jpg'; rename the file" in result.stderr
    assert "left out, pictures whose names cannot stand in a list file: 3" in result.stderr
    assert list(read_list(tmp_path / "t", root).names) == expected.train.names
    assert list(read_list(tmp_path / "v", root).names) == expected.validation.names


def test_the_command_by_people(root: Path, tmp_path: Path) -> None:
    options = ("--split", "people", "--val-share", 0.4, "--seed", 5, "--min-images", 6)
    assert run(root, "--out", tmp_path / "t", "--val", tmp_path / "v", *options).exit_code == 0
    made = split_folder(root, by="people", share=0.4, seed=5, min_images=6)
    assert list(read_list(tmp_path / "v").names) == made.validation.names


def test_the_command_checks_the_pictures(root: Path, tmp_path: Path) -> None:
    result = run(root, "--out", tmp_path / "t", "--val", tmp_path / "v", "--check", "--quiet")
    pictures = len(list(root.rglob("*.jpg")))
    assert result.exit_code == 0
    assert f"{pictures} pictures of 60 people" in result.stderr and f"{pictures} unreadable:" in result.stderr


def test_the_command_refuses_in_words(root: Path, tmp_path: Path) -> None:
    result = run(tmp_path / "gone", "--out", tmp_path / "t", "--val", tmp_path / "v")
    assert result.exit_code == 1 and result.stderr.startswith("Error: ") and "no such folder" in result.stderr
    (tmp_path / "file").touch()
    result = run(root, "--out", tmp_path / "file/t", "--val", tmp_path / "v")
    assert result.exit_code == 1 and "cannot be written" in result.stderr
