"""A writer of record files, made from the format's description, to test the reader with."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

MAGIC = struct.pack("<I", 0xCED7230A)


def parts(payload: bytes) -> list[bytes]:
    """The payload cut wherever the magic stands at a multiple of four; the magic itself is left out."""
    cut, start, at = [], 0, 0
    while at + 4 <= len(payload):
        if payload[at : at + 4] == MAGIC:
            cut.append(payload[start:at])
            start = at + 4
        at += 4
    return [*cut, payload[start:]]


def record(payload: bytes) -> bytes:
    pieces = parts(payload)
    data = b""
    for number, piece in enumerate(pieces):
        if len(pieces) == 1:
            kind = 0
        else:
            kind = 1 if number == 0 else 3 if number == len(pieces) - 1 else 2
        data += MAGIC + struct.pack("<I", kind << 29 | len(piece)) + piece + bytes(-len(piece) % 4)
    return data


def header(label: float | list[float], number: int = 0) -> bytes:
    if isinstance(label, list):
        return struct.pack("<IfQQ", len(label), 0, number, 0) + np.array(label, "<f4").tobytes()
    return struct.pack("<IfQQ", 0, label, number, 0)


def write_records(path: Path, payloads: dict[int, bytes], index: bool = True) -> Path:
    """Records by key, in the order given."""
    data, lines = b"", ""
    for key, payload in payloads.items():
        lines += f"{key}\t{len(data)}\n"
        data += record(payload)
    path.write_bytes(data)
    if index:
        path.with_suffix(".idx").write_text(lines)
    return path


def insightface(pictures: list[bytes], counts: list[int]) -> dict[int, bytes]:
    """Payloads as in insightface's files: record 0, pictures from 1, then a record for each identity."""
    payloads = {0: b"", **dict.fromkeys(range(1, len(pictures) + 1), b"")}
    first = len(pictures) + 1
    payloads[0] = header([first, first + len(counts)])
    key = 1
    for label, count in enumerate(counts):
        payloads[first + label] = header([key, key + count], first + label)
        for _ in range(count):
            payloads[key] = header([float(label), 0.0], key) + pictures[key - 1]
            key += 1
    return payloads
