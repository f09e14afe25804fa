"""How good a network is while it is being trained: pairs of pictures, and where labels mean the same, classes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..data import Source
from ..errors import FaceLibError
from ..evaluate import verification
from ..evaluate.pairs import random_pairs
from .model import Recogniser
from .pictures import batches

PAIRS, FEWEST = 6000, 40  # as many as LFW has; four for each of the ten folds
PRECISION = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class Validation:
    """Pairs drawn once from a source, so that all epochs are judged alike.

    Parameters
    ----------
    source : Source
    classes : bool
        Whether its labels are those of the training, so that the head can be asked too.
    """

    def __init__(self, source: Source, classes: bool, size: int, batch: int = 128, workers: int = 0) -> None:
        self.source, self.classes, self.size, self.batch, self.workers = source, classes, size, batch, workers
        sizes = np.bincount(source.labels)
        alike, different = (sizes * (sizes - 1) // 2).sum(), (len(source) ** 2 - (sizes**2).sum()) // 2
        count = 2 * int(min(PAIRS // 2, alike, different))
        self.faults: list[str] = []  # of pictures that the last validation could not read
        self.pairs = random_pairs(source.labels, count, seed=0) if count >= FEWEST else None
        if self.pairs is None and not classes:
            raise FaceLibError(
                f"validation: {alike} pairs of one person and {different} of two are too few to judge by"
            )

    @torch.inference_mode()
    def __call__(
        self, model: Recogniser, device: torch.device, centres: Tensor | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> dict[str, float]:  # fmt: skip
        """Figures as fractions: "verification" accuracy over ten folds, its "auc", and "accuracy" of the classes.

        What cannot be judged is left out: pairs where there are too few or a picture cannot be read, classes where
        labels mean others. ``centres`` (classes, embedding) stand in for a head that holds its own share alone. No
        figures at all once ``stopped`` says so, which is asked after each batch.
        """
        network, head = model.network.eval(), model.head.eval()
        dtype = PRECISION[model.recipe.precision]
        vectors: list[Tensor] = []
        readable: list[Tensor] = []
        right = known = 0
        self.faults = []
        for images, labels, faults in batches(self.source, self.size, None, self.batch, self.workers, False):
            crops = (images.to(device).float() - 127.5) / 127.5
            with torch.autocast(device.type, dtype, enabled=dtype is not None):
                embeddings = network.forward(crops).float()  # a compiled network would be compiled anew for this
            vectors.append(F.normalize(embeddings).cpu())
            readable.append(labels >= 0)
            self.faults += faults
            if self.classes:
                cosine = head(embeddings) if centres is None else F.normalize(embeddings) @ F.normalize(centres).T
                right += int((cosine.argmax(1).cpu() == labels).sum())
                known += int((labels >= 0).sum())
            if stopped():
                break
        model.train()
        if stopped():
            return {}
        figures = {}
        if self.pairs is not None:
            a, b, same = self.pairs
            unit, there = torch.cat(vectors).numpy(), torch.cat(readable).numpy()
            kept = there[a] & there[b]
            report = verification(unit[a[kept]], unit[b[kept]], same[kept])
            figures = {"verification": float(report.accuracy), "auc": float(report.auc)}
        return figures | ({"accuracy": right / max(1, known)} if self.classes else {})
