"""Examples in docstrings run and print what they show."""

import doctest
import importlib
import pkgutil

import pytest

import facelib

MODULES = [module.name for module in pkgutil.walk_packages(facelib.__path__, "facelib.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [t for name in MODULES for t in finder.find(importlib.import_module(name)) if t.examples]
    assert len(found) >= 2


def test_every_public_name_exists_and_is_documented():
    for name in facelib.__all__:
        value = getattr(facelib, name)
        assert value.__doc__, name
    assert set(facelib.__all__) <= set(dir(facelib))
    with pytest.raises(AttributeError, match="nonsense"):
        facelib.nonsense  # noqa: B018
