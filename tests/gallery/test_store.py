"""The gallery's file: what is saved is loaded, and a save that fails loses nothing."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from facelib import FaceLibError, Gallery
from facelib.gallery import store
from tests.gallery.helpers import crowd, enrolled, same


def test_saved_and_loaded(tmp_path):
    gallery = enrolled(crowd(12))
    gallery.enrol("Zoë Ōe", np.ones(16), quality=3.5, sources=["æ/1.jpg"])
    gallery.calibrate(far=0.05)
    gallery.save(tmp_path / "new" / "people.npz")
    loaded = Gallery.load(tmp_path / "new" / "people.npz", embedder="net", size=16)
    assert same(gallery, loaded) and repr(loaded) == repr(gallery)
    loaded.enrol("Zoë Ōe", -np.ones(16) + 3 * np.eye(16)[0], quality=0.5)  # quality was kept, too
    gallery.enrol("Zoë Ōe", -np.ones(16) + 3 * np.eye(16)[0], quality=0.5)
    assert same(gallery, loaded)
    empty = Gallery("net", index="hnsw", settings={"search": 99})
    empty.save(tmp_path / "empty.npz")
    again = Gallery.load(tmp_path / "empty.npz")
    assert same(empty, again) and again.settings["search"] == 99 and again.size is None
    assert again.enrol("Ada", np.ones(3)) == 1


@pytest.mark.parametrize("threshold", [math.nan, math.inf, "0.5"])
def test_a_threshold_that_could_not_be_loaded_is_not_saved(threshold, tmp_path):
    gallery = enrolled(crowd(0))
    gallery.save(tmp_path / "people.npz")
    gallery.threshold = threshold
    with pytest.raises(FaceLibError, match="people.npz: not saved: threshold=.* is no finite number"):
        gallery.save(tmp_path / "people.npz")
    assert Gallery.load(tmp_path / "people.npz").threshold is None


def test_numbers_of_numpy_are_saved_as_plain_ones(tmp_path):
    gallery = enrolled(crowd(0))
    gallery.calibrate(far=np.float32(0.25))
    gallery.threshold = np.float32(0.25)
    gallery.save(tmp_path / "people.npz")
    loaded = Gallery.load(tmp_path / "people.npz")
    assert loaded.calibration == gallery.calibration and loaded.threshold == 0.25


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    target, link, second = tmp_path / "there" / "people.npz", tmp_path / "link.npz", tmp_path / "second.npz"
    link.symlink_to("there/people.npz")  # leads nowhere yet
    second.symlink_to(link)
    gallery = enrolled(crowd(0))
    gallery.save(link)
    assert link.is_symlink() and target.is_file() and not target.is_symlink() and same(gallery, Gallery.load(target))
    gallery.remove("person 3")
    gallery.save(second)
    assert link.is_symlink() and second.is_symlink() and same(gallery, Gallery.load(target))
    assert os.readlink(link) == "there/people.npz" and os.readlink(second) == str(link)
    assert [entry.name for entry in target.parent.iterdir()] == ["people.npz"]


def test_a_failed_save_through_a_link_loses_nothing(tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "people.npz", tmp_path / "link.npz"
    gallery = enrolled(crowd(0))
    gallery.save(target)
    link.symlink_to(target)
    before = target.read_bytes()

    def full(file, **arrays):
        assert os.path.dirname(file.name) == str(target.parent), (
            "beside the target, or it cannot take its place at once"
        )
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        gallery.save(link)
    assert target.read_bytes() == before and link.is_symlink()
    assert [entry.name for entry in target.parent.iterdir()] == ["people.npz"] and len(list(tmp_path.iterdir())) == 2


def test_links_in_a_circle_are_told(tmp_path):
    for a, b in ("ab", "ba"):
        (tmp_path / a).symlink_to(tmp_path / b)
    with pytest.raises(OSError, match="symbolic links"):
        enrolled(crowd(0)).save(tmp_path / "a")
    assert (tmp_path / "a").is_symlink() and (tmp_path / "b").is_symlink()


def test_a_killed_save_loses_nothing(tmp_path):
    """The process dies in the middle of writing; the old file is whole, and a full disk says so."""
    path = tmp_path / "people.npz"
    gallery = enrolled(crowd(13))
    gallery.save(path)
    script = f"""
        import os
        import numpy as np
        from facelib.gallery import store
        from facelib import Gallery
        whole = np.savez
        def half(file, **arrays):
            whole(file, **{{name: arrays[name] for name in ("about", "vectors")}})
            file.flush()
            os.kill(os.getpid(), 9)
        np.savez = half
        gallery = Gallery.load({str(path)!r})
        gallery.enrol("somebody new", np.ones(16))
        gallery.save({str(path)!r})
    """
    died = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True)
    assert died.returncode == -9, died.stderr
    assert len(list(tmp_path.iterdir())) == 2  # the old file and what the dead process left
    assert same(gallery, Gallery.load(path))


def test_a_failed_save_leaves_no_trace(tmp_path, monkeypatch):
    path = tmp_path / "people.npz"
    gallery = enrolled(crowd(13))
    gallery.save(path)

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        gallery.save(path)
    monkeypatch.undo()
    assert [entry.name for entry in tmp_path.iterdir()] == ["people.npz"] and same(gallery, Gallery.load(path))
