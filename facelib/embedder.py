"""Embed: a face crop -> a unit vector, so that the cosine of two vectors says how alike two faces are.

Lesson 00 shows what an embedding without training sees.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import numpy as np

from .devices import usable
from .errors import WeightsError
from .preprocess import Preprocess

Forward = Callable[[np.ndarray], np.ndarray]

SHIPPED = ("mobilefacenet-synth",)
"""Networks whose weights come with the package; ``facelib/weights/README.md`` says how they were trained."""


class Embedder:
    """Maps aligned crops to embeddings of length 1.

    Parameters
    ----------
    forward : callable
        float32 (N, 3, size, size) -> (N, D).
    preprocess : Preprocess
        What ``forward`` wants to see.
    name : str

    Examples
    --------
    >>> import facelib
    >>> embed = facelib.Embedder.load("hog")
    >>> embed(np.zeros((2, 112, 112, 3), np.uint8)).shape
    (2, 1764)
    """

    BATCH = 64

    def __init__(self, forward: Forward, preprocess: Preprocess, name: str) -> None:
        self.forward, self.preprocess, self.name = forward, preprocess, name

    @classmethod
    def load(cls, source: str | Path, preprocess: Preprocess | None = None, device: str = "cpu") -> Embedder:
        """An embedder by name, or from a file.

        Parameters
        ----------
        source : "mobilefacenet-synth", "hog", or the path of a file
            "mobilefacenet-synth" was trained on rendered people alone and comes with the package. "hog" needs no
            training: histograms of gradient orientations (Dalal and Triggs 2005). A .safetensors file of
            ``facelib train`` says itself what its network wants to see, and so does an .onnx file of ``facelib
            export``; other .onnx files do not.
        preprocess : Preprocess
            What the network wants to see, where the file does not say or says it wrongly.
        device : str
            Where a .safetensors network computes: "cpu", "cuda", "mps".

        Raises
        ------
        WeightsError
            For an unknown name, a missing or unreadable file, an ONNX file that does not say what it wants to see
            where ``preprocess`` does not say it either, or a device that is not there.
        """
        if str(source) == "hog":
            return cls(_hog, preprocess or Preprocess(mean=(0, 0, 0), std=(1, 1, 1)), "hog")
        path = Path(source)
        if source in SHIPPED or path.suffix == ".safetensors":
            with place(source) as file:
                return cls(*_safetensors(file, preprocess, device), file.stem)
        if path.suffix != ".onnx":
            known = ", ".join(f'"{name}"' for name in (*SHIPPED, "hog"))
            hint = "; of a run, give weights.safetensors, which lies beside its checkpoints once it has ended"
            raise WeightsError(
                f"{source}: neither a known embedder ({known}) nor a .safetensors or .onnx file"
                + (hint if path.suffix == ".pt" else "")
            )
        if not path.is_file():
            raise WeightsError(f"{path}: no such file")
        return cls.of_onnx(path.read_bytes(), path, preprocess)

    @classmethod
    def of_onnx(cls, model: bytes, path: str | Path, preprocess: Preprocess | None = None) -> Embedder:
        """An embedder from what an .onnx file holds; ``path`` names it. Raises as ``load`` does."""
        forward, own = _onnx(model, path)
        if (wanted := preprocess or own) is None:
            raise WeightsError(
                f"{path}: does not say what its network wants to see, and a wrong guess costs accuracy without a word;"
                " pass preprocess=Preprocess(...) with the size, colour order, mean and std it was trained with (in"
                " commands: --mean and --std, and --size and --colour if they are not 112 and RGB)"
            )
        return cls(forward, wanted, Path(path).stem)

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """uint8 RGB (N, H, W, 3) -> float32 (N, D), each row of length 1."""
        if len(crops) == 0:
            side = self.preprocess.size
            return self(np.zeros((1, side, side, 3), np.uint8))[:0]  # the only way to learn D
        batches = (self.preprocess(crops[i : i + self.BATCH]) for i in range(0, len(crops), self.BATCH))
        vectors = np.concatenate([np.asarray(self.forward(batch), np.float32) for batch in batches])
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-12)


def _hog(batch: np.ndarray) -> np.ndarray:
    """Orientation histograms of 14-pixel cells, in 2 x 2 blocks: (N, 3, 112, 112) -> (N, 1764)."""
    from skimage.feature import hog

    return np.stack(
        [hog(crop.mean(0), orientations=9, pixels_per_cell=(14, 14), cells_per_block=(2, 2)) for crop in batch]
    )


def _safetensors(path: Path, preprocess: Preprocess | None, device: str) -> tuple[Forward, Preprocess]:
    import torch

    from .backbones import load_network

    network, own = load_network(path)
    network.to(usable(device))

    @torch.inference_mode()
    def forward(batch: np.ndarray) -> np.ndarray:
        return network(torch.from_numpy(batch).to(device)).float().cpu().numpy()

    return forward, preprocess or own


def _onnx(model: bytes, path: str | Path) -> tuple[Forward, Preprocess | None]:
    """The network, and what it wants to see if ``facelib export`` wrote it into the file's metadata."""
    try:
        import onnxruntime
    except ImportError as error:
        raise WeightsError('reading ONNX files needs onnxruntime; run: pip install "facelib[export]"') from error
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # threads that wait leave their core
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise WeightsError(f"{path}: onnxruntime cannot read it ({error})") from error
    entry = session.get_inputs()[0]

    def forward(batch: np.ndarray) -> np.ndarray:
        # Many published files fix their batch, mostly at 1; a free one is named instead of numbered.
        step = entry.shape[0] if isinstance(entry.shape[0], int) else len(batch)
        parts = (batch[i : i + step] for i in range(0, len(batch), step))
        return np.concatenate([session.run(None, {entry.name: part})[0] for part in parts])

    note = session.get_modelmeta().custom_metadata_map.get("facelib")
    try:
        return forward, Preprocess.from_dict(json.loads(note)["preprocess"]) if note else None
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path}: its note of what the network wants to see is damaged ({error})") from error


@contextmanager
def place(source: str | Path) -> Iterator[Path]:
    """The file behind a shipped name, or the path itself."""
    if source not in SHIPPED:
        yield Path(source)
        return
    file = resources.files(__package__).joinpath("weights", f"{source}.safetensors")
    with resources.as_file(file) as path:
        yield path
