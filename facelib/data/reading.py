"""Read a whole source with several threads, in order, and let no single picture spoil the run."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from .source import Bytes, Source, decode

AHEAD = 1024  # pictures that are read at once and held in memory


def read_each(source: Source, indices: range, workers: int = 1) -> Iterator[tuple[int, Bytes | Exception]]:
    """Number and bytes of each picture, or the error instead of the bytes if it cannot be read or decoded."""

    def read(index: int) -> Bytes | Exception:
        try:
            data = source.read(index)
            decode(data, source.name(index))
            return data
        except Exception as error:  # whatever a decoder or a disk thinks of
            return error

    with ThreadPoolExecutor(workers) as threads:
        for start in range(indices.start, indices.stop, AHEAD):
            batch = range(start, min(start + AHEAD, indices.stop))
            yield from zip(batch, threads.map(read, batch), strict=True)


def reason(error: Exception) -> str:
    """Why a picture cannot be read, in one line."""
    return (str(error) or type(error).__name__).encode("utf-8", "backslashreplace").decode()
