"""How the commands say counts and faults."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """A count with its noun.

    >>> counted(1, "picture"), counted(1200, "picture"), counted(2, "person", "people")
    ('1 picture', '1,200 pictures', '2 people')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def once(file: str, fault: str) -> str:
    """A fault with its file before it, unless it names the file itself.

    >>> once("a.jpg", "a.jpg: is empty"), once("a.jpg", "is empty")
    ('a.jpg: is empty', 'a.jpg: is empty')
    """
    return fault if file in fault else f"{file}: {fault}"


def titled(name: str, fault: str) -> str:
    """A fault with the name of a data set before it, unless it begins with that: most are called as their file is.

    >>> titled("lfw", "lfw.bin: is empty"), titled("lfw", "lfw: holds no pictures")
    ('lfw: lfw.bin: is empty', 'lfw: holds no pictures')
    """
    return fault if fault.startswith(f"{name}: ") else f"{name}: {fault}"
