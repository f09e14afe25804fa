"""Data sets as they are: list files, folders, record files and pair files, all read in one form."""

from typing import TYPE_CHECKING, Any

from .carrays import read_carray
from .catalog import Entry, find_set, known_sets
from .folders import FolderSource, ListSource
from .inspection import Inspection, inspect, overlap
from .lists import Listing, read_list, write_list
from .opening import open_source
from .packed import PackedSource
from .packing import pack, verify
from .pairs import NamedPairs, read_bin, read_lfw_pairs
from .parquet import ParquetSource
from .recordio import RecordSource
from .source import Source, decode
from .splits import split_folder
from .webdataset import WebDatasetSource

if TYPE_CHECKING:
    from .augment import Augment

__all__ = [
    "Augment",
    "Entry",
    "FolderSource",
    "Inspection",
    "ListSource",
    "Listing",
    "NamedPairs",
    "PackedSource",
    "ParquetSource",
    "RecordSource",
    "Source",
    "WebDatasetSource",
    "decode",
    "find_set",
    "inspect",
    "known_sets",
    "open_source",
    "overlap",
    "pack",
    "read_bin",
    "read_carray",
    "read_lfw_pairs",
    "read_list",
    "split_folder",
    "verify",
    "write_list",
]


def __getattr__(name: str) -> Any:
    if name == "Augment":  # imports torch, for which reading files need not wait
        from .augment import Augment

        return Augment
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
