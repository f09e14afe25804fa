"""How many pictures a second each kind of data set delivers, against torchvision's ImageFolder with PIL.

    python benchmarks/loader.py            prints two tables and writes benchmarks/results/loader.json

The pictures are aligned crops of 112 pixels of rendered people, as JPEG files of about 4 kB. ``facelib synth`` makes a
few hundred, which are written again and again under new names until there are --pictures of them, so that a disk of
files, an index and a cache have as much to do as in a small data set. The same bytes are then packed as by
``facelib pack`` and written as a ``.rec`` file with its index, as WebDataset shards and as a Parquet file in the layout
of the hub.

Measured is the way from a number to RGB uint8 (112, 112, 3): find, read, decode. Every case gets the same numbers in
the same random order, on one core and in one process, from files that lie in the system's cache (a first round that
reads everything is not counted). So this is the cost of software, not of a disk. The cases take turns, round after
round, so that a busy moment of the machine hits all of them. Pictures a second are the median of the rounds; the figure
to read is the ratio to ImageFolder, the median of the ratios within a round. Parquet is compressed in groups of rows,
which makes random order as slow as it looks here; in order, as it is meant to be read, it is shown beside.

The second table is the decoder alone, on the same bytes in memory: OpenCV's, which facelib takes for ordinary JPEG
files and guards by a look at the header and the end, PIL's and torchvision's.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import shutil
import statistics
import struct
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import torchvision
from PIL import Image, features
from torchvision.datasets import ImageFolder
from torchvision.io import ImageReadMode, decode_jpeg
from tqdm import tqdm

from facelib.data import FolderSource, Source, decode, open_source, pack
from facelib.synth.export import export_folder

RESULTS = Path(__file__).parent / "results" / "loader.json"
PEER = "ImageFolder + PIL"
SHARD, GROUP = 1000, 100  # pictures in a tar file, rows in a group of a Parquet file
Read = Callable[[int], Any]


def make_pictures(folder: Path, count: int, preset: str = "tiny") -> FolderSource:
    """``count`` JPEG files of rendered people below a folder, n000000/0000_01.jpg and so on, with many copies."""
    first = folder.with_name(folder.name + "-first")
    export_folder(first, preset)
    originals = sorted(path for path in first.iterdir() if path.is_dir())
    written, person = 0, 0
    while written < count:
        target = folder / f"n{person:06d}"
        target.mkdir(parents=True)
        for path in sorted(originals[person % len(originals)].iterdir())[: count - written]:
            shutil.copyfile(path, target / path.name)  # a file of its own, not a link
            written += 1
        person += 1
    shutil.rmtree(first)
    return FolderSource(folder)


def write_records(source: Source, file: Path) -> Path:
    """MXNet's record file as insightface writes it, but for the records that list people."""
    lines = []
    with open(file, "wb") as rec:
        for key in range(len(source)):
            payload = struct.pack("<IfQQ", 0, float(source.labels[key]), key, 0) + bytes(source.read(key))
            assert b"\x0a\x23\xd7\xce" not in payload, "would have to be cut into parts"
            lines.append(f"{key}\t{rec.tell()}\n")
            rec.write(struct.pack("<II", 0xCED7230A, len(payload)) + payload + bytes(-len(payload) % 4))
    file.with_suffix(".idx").write_text("".join(lines))
    return file


def write_shards(source: Source, folder: Path) -> Path:
    """WebDataset: pictures and labels side by side in tar files."""
    folder.mkdir()
    for start in range(0, len(source), SHARD):
        with tarfile.open(folder / f"train-{start // SHARD:03d}.tar", "w") as tar:
            for index in range(start, min(start + SHARD, len(source))):
                for extension, data in (("jpg", bytes(source.read(index))), ("cls", b"%d" % source.labels[index])):
                    member = tarfile.TarInfo(f"{index:08d}.{extension}")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
    return folder


def write_parquet(source: Source, file: Path) -> Path:
    """Bytes and labels as the Hugging Face hub has them."""
    pictures = [{"bytes": bytes(source.read(k)), "path": source.name(k)} for k in range(len(source))]
    pq.write_table(pa.table({"image": pictures, "label": source.labels}), file, row_group_size=GROUP)
    return file


def cases(folder: Path, count: int, preset: str) -> dict[str, Read]:
    """Name -> a function from a number to a picture, all of the same pictures with the same numbers."""
    loose = make_pictures(folder / "loose", count, preset)
    pack(loose, folder / "packed")
    peer = ImageFolder(str(folder / "loose"))
    opened = {
        "loose JPEG files": loose,
        ".rec file": open_source(write_records(loose, folder / "train.rec")),
        "WebDataset shards": open_source(write_shards(loose, folder / "shards")),
        "Parquet": open_source(write_parquet(loose, folder / "train.parquet")),
        "packed": open_source(folder / "packed"),
    }
    return {PEER: lambda k: np.asarray(peer[k][0]), **{name: source.image for name, source in opened.items()}}


def decoders(data: Sequence[bytes]) -> dict[str, Read]:
    """Name -> a function from a number to a picture, from bytes in memory."""
    arrays = [np.frombuffer(one, np.uint8) for one in data]
    tensors = [torch.frombuffer(bytearray(one), dtype=torch.uint8) for one in data]
    return {
        "PIL": lambda k: np.asarray(Image.open(io.BytesIO(data[k])).convert("RGB")),
        "OpenCV": lambda k: cv2.cvtColor(cv2.imdecode(arrays[k], cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB),
        "facelib (OpenCV, guarded)": lambda k: decode(data[k]),
        "torchvision decode_jpeg": lambda k: decode_jpeg(tensors[k], ImageReadMode.RGB).permute(1, 2, 0).numpy(),
    }


def check_same_work(reads: dict[str, Read], count: int, peer: str) -> None:
    """Equal pictures under equal numbers; decoders may differ by roundings."""
    for number in np.random.default_rng(1).choice(count, 20):
        expected = np.asarray(reads[peer](number)).astype(int)
        for name, read in reads.items():
            got = read(number)
            assert got.dtype == np.uint8 and got.shape == (112, 112, 3), f"{name}: {got.dtype} {got.shape}"
            assert abs(got - expected).mean() < 2, f"{name}: not the same picture"


def rate(read: Read, order: Sequence[int]) -> float:
    """Pictures a second."""
    start = time.perf_counter()
    for number in order:
        read(number)
    return len(order) / (time.perf_counter() - start)


def in_turns(reads: dict[str, Read], orders: dict[str, list[int]], rounds: int, peer: str) -> list[dict[str, object]]:
    """Rows of medians; ``orders`` says in which order each case reads."""
    found: dict[str, list[float]] = {name: [] for name in orders}
    for number in tqdm(range(rounds + 1), unit="round"):
        for name, order in orders.items():
            rates = rate(reads[name.removesuffix(", in order")], order)
            if number:  # the first warms up
                found[name].append(rates)
    return [
        {
            "case": name,
            "pictures/s": round(statistics.median(rates)),
            "lowest": round(min(rates)),
            "highest": round(max(rates)),
            f"times {peer}": round(statistics.median(a / b for a, b in zip(rates, found[peer], strict=True)), 2),
        }
        for name, rates in found.items()
    ]


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    reads = cases(folder, options.pictures, options.preset)
    check_same_work(reads, options.pictures, PEER)
    shuffled = np.random.default_rng(0).permutation(options.pictures).tolist()
    few = shuffled[: max(1, options.pictures // 20)]  # of what takes long: each picture costs a group of rows
    orders = {name: few if name == "Parquet" else shuffled for name in reads}
    orders["Parquet, in order"] = list(range(options.pictures))
    files = in_turns(reads, orders, options.rounds, PEER)

    source = open_source(folder / "packed")
    data = [bytes(source.read(k)) for k in range(min(1000, options.pictures))]
    alone = decoders(data)
    check_same_work(alone, len(data), "PIL")
    order = [k for k in shuffled if k < len(data)]
    decoding = in_turns(alone, dict.fromkeys(alone, order), options.rounds, "PIL")
    return {"bytes a picture": round(sum(map(len, data)) / len(data)), "rows": files, "decoders": decoding}


def one_core() -> None:
    """This process and all its libraries on one core."""
    if hasattr(os, "sched_setaffinity"):  # Linux only; elsewhere one thread has to do
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=4000, help="files in the data set (default: 4000)")
    parser.add_argument("--preset", default="tiny", help="people they are copied from (default: tiny)")
    parser.add_argument("--rounds", type=int, default=7, help="repetitions of each case (default: 7)")
    options = parser.parse_args()
    one_core()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options)
    record = {
        "pictures": options.pictures, "bytes a picture": found.pop("bytes a picture"), "rounds": options.rounds,
        "cores": 1, "order": "random, warm cache", "opencv": cv2.__version__, "pillow": Image.__version__,
        "libjpeg-turbo in pillow": features.check_feature("libjpeg_turbo"), "torchvision": torchvision.__version__,
        "pyarrow": pa.__version__, "python": platform.python_version(), **found,
    }  # fmt: skip
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")
    for rows in (record["rows"], record["decoders"]):
        for row in rows:
            print("  ".join(f"{key} {value}" for key, value in row.items()))
        print()


if __name__ == "__main__":
    main()
