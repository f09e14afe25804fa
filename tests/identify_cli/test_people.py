"""facelib identify remove: all who are named, or nobody."""

from __future__ import annotations

from pathlib import Path

from facelib import Gallery
from tests.identify_cli.helpers import WHO, run, search


def test_remove_all_of_them_or_none(enrolled: Path) -> None:
    result = run("remove", "people.npz", "Ada", "Emy", "Zacharias")
    assert result.exit_code == 1 and "nobody was removed" in result.stderr
    assert "'Emy' is not enrolled; did you mean 'Emmy'?; 'Zacharias' is not enrolled" in result.stderr
    assert Gallery.load("people.npz").names == list(WHO)
    result = run("remove", "people.npz", "Ada", "Hedy", "Ada")
    assert result.exit_code == 0 and "people.npz: 3 people, 6 pictures" in result.stderr
    assert Gallery.load("people.npz").names == ["Emmy", "Grace", "Rosalind"]
    run("remove", "people.npz", "Emmy", "Grace", "Rosalind")
    result = search("people.npz", "probes", "--aligned")
    assert result.exit_code == 1 and "nobody is enrolled" in result.stderr
