"""One form for every data set: fast decoding that is as careful as the slow one, names in little memory."""

from __future__ import annotations

import contextlib
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from facelib import FaceLibError, load_image
from facelib.data import FolderSource, ListSource, decode, write_list
from facelib.data import source as sources
from facelib.data.source import Names, is_plain_jpeg, require
from tests.data.helpers import close, jpeg, make_folder, picture
from tests.folders.helpers import FACE, save


@pytest.fixture
def careful(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the pictures that are left to load_image."""
    seen: list[str] = []

    def note(file: sources._Named) -> np.ndarray:
        seen.append(file.name)
        return load_image(file)

    monkeypatch.setattr(sources, "load_image", note)
    return seen


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"optimize": True}])
def test_ordinary_jpeg_takes_the_fast_way(mode: str, options: dict, tmp_path: Path, careful: list[str]) -> None:
    save(tmp_path / "a.jpg", Image.fromarray(FACE).convert(mode), **options)
    data = (tmp_path / "a.jpg").read_bytes()
    image = decode(data, "a.jpg")
    assert careful == [] and is_plain_jpeg(data)
    assert image.dtype == np.uint8 and image.flags.c_contiguous
    assert abs(image.astype(int) - load_image(data)).max() <= 2
    assert np.array_equal(decode(memoryview(data)), image)


@pytest.mark.parametrize("name", ["cmyk.jpg", "grey.png", "alpha.png", "photo.webp"])
def test_odd_files_are_left_to_load_image(name: str, tmp_path: Path, careful: list[str]) -> None:
    mode = {"cmyk": "CMYK", "grey": "L", "alpha": "RGBA", "photo": "RGB"}[name.split(".")[0]]
    save(tmp_path / name, Image.fromarray(FACE).convert(mode))
    data = (tmp_path / name).read_bytes()
    assert np.array_equal(decode(data, name), load_image(data)) and careful == [name]


def test_rotation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "a.jpg", Image.fromarray(FACE).transpose(Image.Transpose.ROTATE_90), exif=exif, quality=95)
    data = (tmp_path / "a.jpg").read_bytes()
    assert abs(decode(data).astype(int) - load_image(data)).max() <= 2


@pytest.mark.parametrize("cut", [0, 2, 3, 20, 300, -1, -2, -200])
def test_a_cut_file_is_an_error_that_names_it(cut: int) -> None:
    data = jpeg(1, 64)[:cut]
    assert not is_plain_jpeg(data), "some versions of OpenCV fill what is missing with grey"
    with pytest.raises(FaceLibError, match=r"^n7/cut\.jpg: "):
        decode(data, "n7/cut.jpg")


def test_a_huge_size_in_a_small_file_is_refused() -> None:
    data = bytearray(jpeg(1))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = b"\x50\x00\x50\x00"  # 20480 x 20480
    assert not is_plain_jpeg(data)
    with pytest.raises(FaceLibError, match="more than the limit"):
        decode(bytes(data), "bomb.jpg")


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\x00\x04ab\xff"]))
def test_any_bytes_give_a_picture_or_our_error(tail: bytes, head: bytes) -> None:
    with contextlib.suppress(FaceLibError):
        assert decode(head + tail + b"\xff\xd9").ndim == 3


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=8)), st.data())
def test_names_are_a_list_of_strings(texts: list[str], data: st.DataObject) -> None:
    names = Names(texts)
    assert len(names) == len(texts) and list(names) == texts
    copied = pickle.loads(pickle.dumps(names))
    start, stop = data.draw(st.integers(-9, 9)), data.draw(st.integers(-9, 9))
    assert copied[start:stop:2] == texts[start:stop:2]
    if texts:
        assert names[-1] == texts[-1]
    with pytest.raises(IndexError):
        names[len(texts)]


def test_names_keep_bytes_that_are_no_text_and_take_little_memory() -> None:
    odd = b"n\xff1/\xc3\xa4.jpg".decode("utf-8", "surrogateescape")
    assert Names([odd])[0] == odd
    names = Names(f"n{k:06d}/0001_01.jpg" for k in range(1000))
    assert len(pickle.dumps(names)) < 1000 * (19 + 8) + 500


def test_a_folder_and_its_list_are_the_same(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "all", 3, 1, 2)
    folder = FolderSource(root)
    write_list(tmp_path / "list.txt", folder.names, folder.labels)
    listed = ListSource(tmp_path / "list.txt", root)
    assert folder.people == ["n000000", "n000001", "n000002"]
    for source in (folder, listed):
        assert len(source) == 6 and source.classes == 3
        assert source.labels.tolist() == [0, 0, 0, 1, 2, 2] and source.labels.dtype == np.int64
        assert source.name(3) == "n000001/0000_01.jpg"
        assert source.read(4) == jpeg(4)
        assert [label for _, label in source] == [0, 0, 0, 1, 2, 2]
        assert all(close(image, k) for k, (image, _) in enumerate(source))


def test_sources_work_in_other_processes(tmp_path: Path) -> None:
    source = FolderSource(make_folder(tmp_path, 2, 2))
    loader = torch.utils.data.DataLoader(source, batch_size=2, num_workers=1, multiprocessing_context="spawn")
    batches = list(loader)
    assert torch.cat([labels for _, labels in batches]).tolist() == [0, 0, 1, 1]
    assert close(batches[1][0][1].numpy(), 3)


def test_folders_within_folders_and_what_lies_beside(tmp_path: Path) -> None:
    make_folder(tmp_path, 1, 1)
    save(tmp_path / "n000000/00 video/0001.png", picture(5))
    save(tmp_path / "beside.png", picture(6))
    (tmp_path / "empty").mkdir()
    (tmp_path / "n000001/notes.txt").write_text("")
    source = FolderSource(tmp_path)
    assert list(source.names) == ["n000000/00 video/0001.png", "n000000/0000_01.jpg", "n000001/0000_01.jpg"]
    assert source.labels.tolist() == [0, 0, 1]


def test_folders_that_hold_nobody_say_so(tmp_path: Path) -> None:
    save(tmp_path / "beside/a.png", picture(6))
    with pytest.raises(FaceLibError, match=r"1 picture in it directly.*one folder a person"):
        FolderSource(tmp_path / "beside")
    with pytest.raises(FaceLibError, match="no such folder"):
        FolderSource(tmp_path / "gone")
    with pytest.raises(FaceLibError, match="is not a folder"):
        FolderSource(tmp_path / "beside/a.png")


def test_a_picture_that_went_away_is_named(tmp_path: Path) -> None:
    source = FolderSource(make_folder(tmp_path, 1))
    (tmp_path / "n000000/0000_01.jpg").unlink()
    with pytest.raises(FaceLibError, match=r"0000_01\.jpg: cannot be read \(No such file"):
        source.image(0)


def test_a_missing_package_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pyarrow", "pyarrow.ipc"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(FaceLibError, match=r'pyarrow.*pip install "facelib\[data\]"'):
        require("pyarrow.ipc")
