"""The catalogue: its facts are whole, agree with the book's page, with the readers and with the commands."""

from __future__ import annotations

import ast
import dataclasses
import json
import pickle
import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import facelib
import facelib.data
from facelib import FaceLibError, cli
from facelib.data import catalog, catalog_facts, find_set, known_sets, open_source
from facelib.data.catalog import KINDS, STATES, Entry
from facelib.data_cli import catalog as command
from facelib.synth.dataset import PRESETS
from tests.data.helpers import jpeg
from tests.data.records import insightface, write_records

ROOT = Path(facelib.__file__).parent.parent
PAGE = ROOT / "book" / "data.md"
ALL = known_sets()
each_entry = pytest.mark.parametrize("entry", ALL, ids=lambda entry: entry.name)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def page_rows(text: str) -> list[tuple[str, str, str, str]]:
    """Name, key of the citation, people and pictures of each row of the tables with a column of people."""
    rows: list[tuple[str, str, str, str]] = []
    within = False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            within = False
        elif cells[:3] == ["set", "people", "pictures"]:
            within = True
        elif within and not cells[0].startswith("---"):
            found = re.fullmatch(r"(\S+)(?: \{cite:p\}`(\w+)`)?", cells[0])
            assert found, f"{cells[0]!r} is no name with a citation"
            rows.append((found[1], found[2] or "", cells[1], cells[2]))
    return rows


def as_rows(entries: tuple[Entry, ...]) -> list[tuple[str, str, str, str]]:
    return [(entry.name, entry.citation, entry.count("people"), entry.count("pictures")) for entry in entries]


def test_the_page_of_the_book_says_the_same() -> None:
    assert page_rows(PAGE.read_text("utf-8")) == as_rows(ALL)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("| 494,414 |", "| 494,415 |"),
        ("| 9,131 |", "| 8,631 |"),
        ("about 690,000", "690,000"),
        ("| MS1MV3 |", "| MS1M |"),
    ],
)
def test_a_page_that_differs_is_seen(old: str, new: str) -> None:
    text = PAGE.read_text("utf-8")
    assert old in text and page_rows(text.replace(old, new)) != as_rows(ALL)


@each_entry
def test_the_page_says_what_became_of_it(entry: Entry) -> None:
    (row,) = [
        line for line in PAGE.read_text("utf-8").splitlines() if re.match(rf"\| {re.escape(entry.name)}[ |]", line)
    ]
    words = {"withdrawn": "**withdrawn**", "derived": "**withdrawn**", "offline": "**offline**"}
    expected = {words[entry.state]} if entry.state in words else set()
    assert {word for word in words.values() if word in row} == expected


@each_entry
def test_an_entry_is_whole(entry: Entry) -> None:
    assert entry.kind in KINDS and entry.state in STATES
    assert all((entry.name, entry.origin, entry.terms, entry.layout, entry.source))
    assert entry.people is None or 0 < entry.people <= (entry.pictures or entry.people)
    assert set(entry.rounded) <= {"people", "pictures"}
    assert not entry.since or 2016 <= entry.since <= 2026
    assert entry.source.startswith("https://") or (ROOT / entry.source).is_file()
    assert not entry.citation or f"{{{entry.citation}," in (ROOT / "book" / "references.bib").read_text("utf-8")
    assert all(find_set(parent) in ALL for parent in entry.parents)
    with pytest.raises(dataclasses.FrozenInstanceError):
        entry.people = 1  # type: ignore[misc]


def test_names_are_told_apart_and_in_order() -> None:
    assert len({catalog._plain(entry.name) for entry in ALL}) == len(ALL)
    assert [entry.kind for entry in ALL] == sorted((entry.kind for entry in ALL), key=KINDS.index)
    named = [entry.name for entry in ALL if not entry.name.startswith("synth:")]
    by_kind = {kind: [name for name in named if find_set(name).kind == kind] for kind in KINDS}
    assert all(names == sorted(names) for names in by_kind.values())


def test_what_was_withdrawn_comes_first() -> None:
    gone = {entry.name for entry in ALL if entry.state == "withdrawn"}
    assert gone == {"MS-Celeb-1M", "IJB-B", "IJB-C", "MegaFace"}
    for entry in ALL:
        first = str(entry).splitlines()[0]
        touched = entry.name in gone or bool(gone & set(entry.parents))
        assert touched == bool(entry.warning) == (first != entry.name), entry.name
        assert next(iter(entry.describe())) == "warning"
    assert str(find_set("MS-Celeb-1M")).startswith("WITHDRAWN in 2019")
    assert str(find_set("ms1mv3")).startswith("ALL OF ITS PICTURES ARE THOSE OF MS-Celeb-1M, withdrawn in 2019")
    assert str(find_set("glint360k")).startswith("SOME OF ITS PICTURES")
    assert all(entry.parents for entry in ALL if entry.state == "derived")


def test_the_presets_are_those_of_the_renderer() -> None:
    listed = {entry.name.removeprefix("synth:"): entry for entry in ALL if entry.name.startswith("synth:")}
    assert listed.keys() == PRESETS.keys()
    for name, preset in PRESETS.items():
        assert (listed[name].people, listed[name].pictures) == (preset.people, preset.people * preset.shots)


def lay_out(entry: Entry, folder: Path) -> None:
    """The files of an entry with something in them that a file of that form holds."""
    for number, name in enumerate(entry.files):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".rec":
            write_records(path, insightface([jpeg(k) for k in range(3)], [2, 1]))
        elif path.suffix == ".bin":
            path.write_bytes(pickle.dumps(([jpeg(k) for k in range(4)], [True, False])))
        elif path.suffix in (".jpg", ".png"):
            path.write_bytes(jpeg(number))
        elif path.name == "pairs.txt":
            path.write_text("1 1\nAnn_Smith 1 1\nAnn_Smith 1 Bob_Jones 1\n")


@each_entry
def test_the_reader_opens_what_the_tree_shows(entry: Entry, tmp_path: Path) -> None:
    lay_out(entry, tmp_path)
    if not entry.reader:
        assert not entry.prepare and not entry.root
        return
    opened = getattr(facelib.data, entry.reader)(tmp_path / entry.root)
    if entry.reader == "open_source":
        below = {name for name in entry.files if name.startswith(f"{entry.root}/") and name[-4:] in (".jpg", ".png")}
        assert len(opened) == (len(below) or 3) and opened.image(0).shape[2] == 3
        if below:  # not a folder too high, where "train" and "test" would be people
            assert set(opened.people) == {name.split("/")[-2] for name in below}
    elif entry.reader == "read_bin":
        assert opened[0].shape == (4, 24, 24, 3) and opened[1].tolist() == [True, False]
    else:
        assert opened.names[0] == "Ann_Smith/Ann_Smith_0001.jpg"
        assert all((tmp_path / "lfw" / name).is_file() for name in opened.names)
        assert len(open_source(tmp_path / "lfw")) == 2


@each_entry
def test_the_tree_shows_each_file_once(entry: Entry) -> None:
    """Read back from its indentation."""
    folders: list[str] = []
    paths = []
    for line in entry.tree.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        folders[depth:] = [line.strip()]
        if not line.endswith("/"):
            paths.append("".join(folders))
    assert tuple(paths) == entry.files


def prepares(line: str) -> None:
    """Fails when a line is no command that facelib has with these options, and no Python on names that exist."""
    if line.startswith("facelib "):
        group: click.Command = cli.main
        words = shlex.split(line)[1:]
        while isinstance(group, click.Group):
            name = words.pop(0)
            found = group.get_command(click.Context(group), name)
            assert found, f"{line}: no command {name}"
            group = found
        group.make_context("facelib", words)
        return
    for node in ast.walk(ast.parse(line)):
        if isinstance(node, ast.Call):
            assert callable(eval(ast.unparse(node.func), {"facelib": facelib}))


@each_entry
def test_the_commands_exist(entry: Entry) -> None:
    for line in entry.prepare:
        prepares(line)
        assert any(word in line for name in entry.files for word in (name.split("/")[0], "data/train.txt")), line


@pytest.mark.parametrize(
    "line",
    ["facelib fetch x", "facelib list x --out a", "facelib pack a b --fast", 'x = facelib.data.read_all("x")', "rm ("],
)
def test_a_command_that_does_not_exist_is_seen(line: str) -> None:
    with pytest.raises((AssertionError, AttributeError, SyntaxError, click.ClickException)):
        prepares(line)


def test_names_are_found_and_near_ones_offered() -> None:
    assert all(find_set(entry.name) is entry for entry in ALL)
    assert find_set("vgg-face 2") is find_set("VGGFACE2") is find_set("VGGFace2")
    for name, hint in (("vggface", "VGGFace2?"), ("ms1m", "MS1MV2 or MS1MV3?"), ("megafase", "MegaFace?")):
        with pytest.raises(FaceLibError, match=re.escape(hint)):
            find_set(name)
    for name in ("", "imagenet"):
        with pytest.raises(FaceLibError, match="facelib catalog"):
            find_set(name)


def test_what_no_source_states_is_said() -> None:
    unknown = dataclasses.replace(find_set("LFW"), people=None, pictures=None)
    assert unknown.count("people") == "not stated" and "not stated people" in str(unknown)


def test_the_command_prints_a_table() -> None:
    lines = run().output.splitlines()
    assert lines[0].split() == ["data", "set", "kind", "people", "pictures", "state"]
    assert [line.split()[0] for line in lines[1 : len(ALL) + 1]] == [entry.name for entry in ALL]
    assert {line.split()[0] for line in lines[len(ALL) + 2 :]} == set(STATES)
    assert all(len(line) <= 80 for line in lines)


def test_the_command_prints_one_and_json() -> None:
    assert run("ms-celeb-1m").output.startswith("WITHDRAWN in 2019")
    one = json.loads(run("ms-celeb-1m", "--json").output)
    assert one["warning"].startswith("WITHDRAWN") and one["people"] == 100_000 and one["since"] == 2019
    everything = json.loads(run("--json").output)
    assert [entry["name"] for entry in everything] == [entry.name for entry in ALL]
    missed = run("vggface")
    assert isinstance(missed.exception, FaceLibError) and "VGGFace2?" in str(missed.exception)


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by the module's imports nor by any of its functions."""
    import socket

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("asked for a connection")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for module, expected in ((catalog, {"difflib", "re"}), (catalog_facts, set())):
        tree = ast.parse(Path(module.__file__).read_text("utf-8"))
        imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
        assert imported == expected
    assert all(str(entry) and entry.describe() for entry in ALL) and run().exit_code == 0
