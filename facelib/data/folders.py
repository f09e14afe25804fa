"""Data sets as loose files: a folder a person, or a list file that says who is who."""

from __future__ import annotations

import os

import numpy as np

from ..errors import FaceLibError
from ..folders.files import walk
from ..folders.words import counted
from .lists import read_list
from .source import Names, Source, read_file


class ListSource(Source):
    """Pictures named by a list file.

    Parameters
    ----------
    file : path of the list, see ``facelib.data.read_list``
    root : path of the folder that the list's paths are relative to

    Raises
    ------
    FaceLibError
        For a broken line, or when pictures are missing; says which lines.
    """

    def __init__(self, file: str | os.PathLike[str], root: str | os.PathLike[str]) -> None:
        self.root = os.fspath(root)
        self.listing = read_list(file, root)
        self.labels = self.listing.labels

    def name(self, index: int) -> str:
        """Path below the root."""
        return self.listing.names[index]

    def read(self, index: int) -> bytes:
        """The file's bytes."""
        return read_file(os.path.join(self.root, self.name(index)))


class FolderSource(Source):
    """A folder with a folder of pictures for each person, as VGGFace2 has it: n000002/0001_01.jpg.

    Persons are numbered in the order of their folders' names. A person's folder may hold folders of its own. Folders
    without pictures count for nothing, nor do pictures that lie beside the folders.

    Attributes
    ----------
    people : list of str
        Name of the folder of each label.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = os.fspath(root)
        found, _ = find_people(root)
        self.people = list(found)
        self.names = Names(name for names in found.values() for name in names)
        self.labels = np.repeat(np.arange(len(found)), [len(names) for names in found.values()])

    def name(self, index: int) -> str:
        """Path below the root."""
        return self.names[index]

    def read(self, index: int) -> bytes:
        """The file's bytes."""
        return read_file(os.path.join(self.root, self.name(index)))


def find_people(root: str | os.PathLike[str]) -> tuple[dict[str, list[str]], int]:
    """Pictures of each person in a folder of folders.

    Returns
    -------
    people : dict from the name of a person's folder to the paths of the pictures below ``root``, both sorted
    others : how many pictures lie beside the folders and belong to nobody

    Raises
    ------
    FaceLibError
        When ``root`` is no folder, holds nobody, or a folder in it cannot be listed.
    """
    root = os.fspath(root)
    if not os.path.isdir(root):
        raise FaceLibError(f"{root}: {'is not a folder' if os.path.exists(root) else 'no such folder'}")
    people: dict[str, list[str]] = {}
    others = 0
    for folder in walk(root):
        if folder.fault:
            raise FaceLibError(f"{os.path.join(root, folder.path)}: {folder.fault}")
        if not folder.path:
            others = len(folder.pictures)
        elif folder.pictures:
            person = folder.path.split("/", 1)[0]
            people.setdefault(person, []).extend(folder.join(name) for name in folder.pictures)
    if not people:
        beside = f" ({counted(others, 'picture')} in it directly)" if others else ""
        raise FaceLibError(f"{root}: holds no folders with pictures{beside}; expected one folder a person")
    return {person: sorted(people[person]) for person in sorted(people)}, others
