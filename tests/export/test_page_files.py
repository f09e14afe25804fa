"""What write_page leaves on the disk: a whole page, or what was there before."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from facelib import export, samples
from facelib.errors import ExportError, WeightsError
from facelib.export import page
from facelib.export.page import Threshold, is_current, write_page
from tests.pages import ROOT

STORED = ROOT / "facelib" / "export" / "site"
RUNTIME = {  # of onnxruntime-web 1.30.0 as npm has it
    "ort.wasm.min.mjs": "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    "ort-wasm-simd-threaded.mjs": "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    "ort-wasm-simd-threaded.wasm.gz": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "a" / "site"
    assert write_page(folder) == folder / "index.html"
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_page_is_whole(written: Path) -> None:
    manifest = json.loads((written / "models" / "manifest.json").read_text("utf-8"))
    found = files(written)
    found.pop("models/manifest.json")
    assert {name: hashlib.sha256(data).hexdigest() for name, data in found.items()} == manifest["files"]
    assert files(STORED).items() <= found.items()
    assert {f"samples/{name}.jpg" for name in samples.NAMES} < found.keys()
    assert set(manifest["networks"].values()) < found.keys()
    assert manifest["preprocess"]["size"] == 56 and manifest["model"] == "mobilefacenet-synth"
    assert sum(map(len, found.values())) < 12e6
    assert [path.name for path in written.parent.iterdir()] == ["site"], "nothing is left beside it"


def test_the_licences_name_what_is_carried(written: Path) -> None:
    text = (written / "LICENSES.txt").read_text("utf-8")
    for part in ("facelib", "samples/", "pnet.onnx", "ort/LICENSE", "Timothy Esler", "CC0"):
        assert part in text
    assert "Microsoft" in (written / "ort" / "LICENSE").read_text("utf-8")
    assert "LICENSES.txt" in (written / "index.html").read_text("utf-8")


@pytest.mark.parametrize("name", RUNTIME)
def test_the_runtime_is_the_published_one(name: str) -> None:
    data = (STORED / "ort" / name).read_bytes()
    data = gzip.decompress(data) if name.endswith(".gz") else data
    assert hashlib.sha256(data).hexdigest() == RUNTIME[name]


def test_a_page_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None) -> None:
    write_page(tmp_path / "site")
    before = files(tmp_path / "site")
    write_page(tmp_path / "site", threshold=Threshold(0.4, 0.01, "a trial"))
    after = files(tmp_path / "site")
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] != after[name]} == {"models/manifest.json"}
    assert json.loads(after["models/manifest.json"])["threshold"] == {"cosine": 0.4, "far": 0.01, "on": "a trial"}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, written: Path) -> None:
    """Networks copied from the page that is there, not exported once more."""

    def detector(folder: Path) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("pnet", "rnet", "onet"):
            (folder / f"{name}.onnx").write_bytes((written / "models" / f"{name}.onnx").read_bytes())
        return [folder / f"{name}.onnx" for name in ("pnet", "rnet", "onet")]

    def embedder(source: str, file: Path, precision: str, crops: object) -> None:
        assert len(crops) == 24  # type: ignore[arg-type]
        file.write_bytes((written / "models" / "embedder.onnx").read_bytes())

    monkeypatch.setattr(export, "export_detector", detector)
    monkeypatch.setattr(export, "export_embedder", embedder)


def test_foreign_folders_are_refused_and_kept(tmp_path: Path, quick: None) -> None:
    for name, text in [("thesis.txt", "years of work"), ("models/manifest.json", '{"other": 1, "files": {}}')]:
        folder = tmp_path / name.partition(".")[0].replace("/", "-")
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)
        with pytest.raises(ExportError, match=rf"{name}, which is no part of a page"):
            write_page(folder)
        assert files(folder) == {name: text.encode()}
    (tmp_path / "file").write_text("x")
    with pytest.raises(ExportError, match="is a file"):
        write_page(tmp_path / "file")
    (tmp_path / "odd" / "empty").mkdir(parents=True)
    with pytest.raises(ExportError, match="folders of another kind"):
        write_page(tmp_path / "odd")
    (tmp_path / "new").mkdir()
    write_page(tmp_path / "new")
    (tmp_path / "new" / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match=r"notes\.txt"):
        write_page(tmp_path / "new")
    assert (tmp_path / "new" / "notes.txt").exists()


def test_a_failure_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None) -> None:
    write_page(tmp_path / "site")
    before = files(tmp_path / "site")
    with pytest.raises(WeightsError):
        monkeypatch.setattr(export, "export_embedder", _fail)
        write_page(tmp_path / "site")
    with pytest.raises(WeightsError):
        write_page(tmp_path / "other")
    assert files(tmp_path / "site") == before
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_failed_move_brings_the_old_page_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None) -> None:
    write_page(tmp_path / "site")
    before, rename = files(tmp_path / "site"), Path.rename

    def move(self: Path, target: Path) -> Path:
        if self.name == "page":
            raise OSError("no space")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", move)
    with pytest.raises(OSError, match="no space"):
        write_page(tmp_path / "site")
    assert files(tmp_path / "site") == before
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def _fail(*values: object, **options: object) -> None:
    raise WeightsError("weights.safetensors: no such file")


def test_a_page_is_written_anew_only_when_something_changed(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    assert is_current(written)
    assert not is_current(tmp_path / "nowhere")
    write_page(tmp_path / "site", threshold=Threshold(0.4, 0.01, "a trial"))
    assert not is_current(tmp_path / "site")
    write_page(tmp_path / "site")
    assert is_current(tmp_path / "site")
    (tmp_path / "site" / "style.css").unlink()
    assert not is_current(tmp_path / "site")
    monkeypatch.setattr(page, "_sources", lambda: "another state of the library")
    assert not is_current(written)


@pytest.mark.parametrize(("cosine", "far"), [(1.2, 0.1), (0.5, 3.0), (float("nan"), 0.1)])
def test_thresholds_are_checked(cosine: float, far: float) -> None:
    with pytest.raises(ValueError, match="a cosine from -1 to 1"):
        Threshold(cosine, far, "nothing")


def test_networks_that_want_larger_crops_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    monkeypatch.setattr(page, "CROP", 50)
    with pytest.raises(ExportError, match="wants crops of 56 pixels"):
        write_page(tmp_path / "site")
    assert list(tmp_path.iterdir()) == []
