"""MTCNN: three networks in a row, each looking at fewer candidates and more closely (Zhang et al. 2016).

pictures -> propose (P-Net over a pyramid) -> refine (R-Net) -> output (O-Net, landmarks) -> Faces

Lesson 02 writes the same cascade in fifteen lines and measures what it costs and what it misses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..devices import usable
from ..errors import FaceLibError
from ..faces import Faces
from ..image import ImageSource, load_image
from .boxes import nms, pixel_boxes, refine, sides, square, windows
from .networks import ONet, PNet, RNet, load_weights
from .pyramid import integral_image, normalise, pyramid_scales, resample


@dataclass(frozen=True)
class Candidates:
    """K boxes on their way through the cascade, of any number of pictures.

    boxes: float (K, 4) in pixels of the original pictures; scores: (K,); picture: int64 (K,), the picture each
    belongs to; offsets: (K, 4), the last network's wish to move the corners; landmarks: (K, 5, 2) in pixels, from
    the last stage only.
    """

    boxes: torch.Tensor
    scores: torch.Tensor
    picture: torch.Tensor
    offsets: torch.Tensor
    landmarks: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: torch.Tensor) -> Candidates:
        landmarks = None if self.landmarks is None else self.landmarks[index]
        return Candidates(self.boxes[index], self.scores[index], self.picture[index], self.offsets[index], landmarks)

    def nms(self, threshold: float, overlap: str = "union") -> Candidates:
        """Non-maximum suppression within each picture."""
        return self[nms(self.boxes, self.scores, threshold, self.picture, overlap)]

    @classmethod
    def join(cls, parts: list[Candidates]) -> Candidates:
        """Several lists as one; landmarks, which only the last stage has, are not carried over."""
        fields = ("boxes", "scores", "picture", "offsets")
        return cls(*(torch.cat([getattr(part, field) for part in parts]) for field in fields))


class MTCNN:
    """Face detector with five landmarks, in pictures of any size.

    Parameters
    ----------
    min_face : float
        Smallest face to look for, in pixels. Halving it gives P-Net four times the pixels.
    thresholds : three floats
        Probability a candidate needs to pass P-Net, R-Net and O-Net.
    factor : float
        Size of each pyramid level relative to the last, between 0 and 1.
    device : str or torch.device

    Raises
    ------
    FaceLibError
        When a number is out of range, or the device is not there.

    Examples
    --------
    >>> from facelib import MTCNN, samples
    >>> faces = MTCNN(min_face=40).detect(samples.astronaut())
    >>> len(faces), faces.boxes.round().astype(int).tolist()
    (1, [[180, 61, 268, 172]])
    """

    PICTURES = 8  # of one size that P-Net sees at once
    CHUNK = 1024  # candidates that go through R-Net or O-Net at once: bounds the memory a crowd needs

    def __init__(
        self,
        min_face: float = 20,
        thresholds: Sequence[float] = (0.6, 0.7, 0.7),
        factor: float = 0.709,
        device: str | torch.device = "cpu",
    ) -> None:
        if not min_face > 0:
            raise FaceLibError(f"min_face is a size in pixels and must be above 0, not {min_face}")
        if not 0 < factor < 1:
            raise FaceLibError(f"factor shrinks the picture from level to level and must lie in (0, 1), not {factor}")
        if len(thresholds) != 3 or not all(0 <= t <= 1 for t in thresholds):
            raise FaceLibError(f"thresholds are three probabilities, for P-, R- and O-Net; got {thresholds}")
        self.min_face, self.thresholds, self.factor = min_face, tuple(thresholds), factor
        self.device = usable(device)
        self.pnet = load_weights(PNet()).to(self.device)
        self.rnet = load_weights(RNet()).to(self.device)
        self.onet = load_weights(ONet()).to(self.device)

    def detect(self, image: ImageSource) -> Faces:
        """All faces of one picture (an array, or whatever ``load_image`` reads), best score first."""
        return self.detect_batch([image])[0]

    @torch.inference_mode()
    def detect_batch(self, images: Sequence[ImageSource]) -> list[Faces]:
        """Faces of each picture, in order. Pictures may differ in size; one without a face gives empty Faces."""
        integrals = self.prepare(images)
        candidates = self.output(integrals, self.refine(integrals, self.propose(integrals)))
        return self._collect(candidates, len(integrals))

    def prepare(self, images: Sequence[ImageSource]) -> list[torch.Tensor]:
        """Integral images on the device, one int32 (H + 1, W + 1, 3) a picture; what the three stages read."""
        arrays = (np.ascontiguousarray(load_image(image)) for image in images)
        return [integral_image(torch.tensor(array, device=self.device)) for array in arrays]

    @torch.inference_mode()
    def propose(self, integrals: Sequence[torch.Tensor]) -> Candidates:
        """First stage: P-Net over the whole pyramid of each picture."""
        found = [self._none()]
        for height, width in dict.fromkeys(map(_picture_size, integrals)):
            alike = [i for i, s in enumerate(integrals) if _picture_size(s) == (height, width)]
            for scale in pyramid_scales(height, width, self.min_face, self.factor):
                for part in (alike[i : i + self.PICTURES] for i in range(0, len(alike), self.PICTURES)):
                    probability, offsets = self.scan([integrals[i] for i in part], scale)
                    found.append(self._above_threshold(probability, offsets, scale, part).nms(0.5))
        candidates = Candidates.join(found).nms(0.7)  # bites only where levels lie closer than the default factor
        boxes = refine(candidates.boxes, candidates.offsets, corner_pixels=0)
        return replace(candidates, boxes=square(boxes))

    @torch.inference_mode()
    def scan(self, integrals: Sequence[torch.Tensor], scale: float) -> tuple[torch.Tensor, torch.Tensor]:
        """P-Net over N pictures of one size at one scale: probability (N, H', W') and offsets (N, 4, H', W')."""
        height, width = _picture_size(integrals[0])
        whole = torch.tensor([[0, 0, width, height]], device=self.device)
        size = (int(height * scale + 1), int(width * scale + 1))
        return self.pnet(normalise(torch.cat([resample(s, whole, size) for s in integrals])))

    @torch.inference_mode()
    def refine(self, integrals: Sequence[torch.Tensor], candidates: Candidates) -> Candidates:
        """Second stage: R-Net looks at every proposal at 24 x 24."""
        seen, (scores, offsets) = self._look(self.rnet, integrals, candidates)
        kept = Candidates(seen.boxes, scores, seen.picture, offsets)[scores > self.thresholds[1]].nms(0.7)
        return replace(kept, boxes=square(refine(kept.boxes, kept.offsets)))

    @torch.inference_mode()
    def output(self, integrals: Sequence[torch.Tensor], candidates: Candidates) -> Candidates:
        """Third stage: O-Net decides at 48 x 48 and places the landmarks."""
        seen, (scores, offsets, points) = self._look(self.onet, integrals, candidates)
        landmarks = seen.boxes[:, None, :2] + points * sides(seen.boxes)[:, None] - 1  # pixels count from 0 again
        kept = Candidates(seen.boxes, scores, seen.picture, offsets, landmarks)[scores > self.thresholds[2]]
        return replace(kept, boxes=refine(kept.boxes, kept.offsets)).nms(0.7, overlap="min")

    def _above_threshold(
        self, probability: torch.Tensor, offsets: torch.Tensor, scale: float, pictures: list[int]
    ) -> Candidates:
        picture, row, column = (probability >= self.thresholds[0]).nonzero(as_tuple=True)
        return Candidates(
            windows(torch.stack([row, column], 1), scale),
            probability[picture, row, column],
            torch.tensor(pictures, device=self.device)[picture],
            offsets[picture, :, row, column],
        )

    def _look(
        self, network: RNet | ONet, integrals: Sequence[torch.Tensor], candidates: Candidates
    ) -> tuple[Candidates, tuple[torch.Tensor, ...]]:
        """Crop every candidate, resize it to the network's input and ask the network; all pictures in one batch.

        Candidates that lie wholly outside their picture are dropped. Returns the rest, with the network's answers.
        """
        crops, seen = [], []
        for picture, integral in enumerate(integrals):
            mine = (candidates.picture == picture).nonzero().squeeze(1)
            pixels = pixel_boxes(candidates.boxes[mine], *_picture_size(integral))
            inside = (pixels[:, 2:] > pixels[:, :2]).all(1)
            crops.append(resample(integral, pixels[inside], (network.size, network.size)))
            seen.append(mine[inside])
        if not crops:
            crops, seen = [torch.zeros(0, 3, network.size, network.size, device=self.device)], [candidates.picture]
        answers = [network(chunk) for chunk in normalise(torch.cat(crops)).split(self.CHUNK)]
        return candidates[torch.cat(seen)], tuple(torch.cat(parts) for parts in zip(*answers, strict=True))

    def _none(self) -> Candidates:
        def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
            return torch.zeros(*shape, dtype=dtype, device=self.device)

        return Candidates(zeros(0, 4), zeros(0), zeros(0, dtype=torch.int64), zeros(0, 4))

    @staticmethod
    def _collect(candidates: Candidates, pictures: int) -> list[Faces]:
        """Candidates -> one Faces a picture, best score first, the larger first where scores are equal."""
        boxes, scores, picture = (x.cpu().numpy() for x in (candidates.boxes, candidates.scores, candidates.picture))
        assert candidates.landmarks is not None
        landmarks = candidates.landmarks.cpu().numpy()
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        order = np.lexsort((-area, -scores))
        groups = (order[picture[order] == i] for i in range(pictures))
        return [Faces(boxes[mine], scores[mine], landmarks[mine]) for mine in groups]


def _picture_size(integral: torch.Tensor) -> tuple[int, int]:
    return integral.shape[0] - 1, integral.shape[1] - 1
