"""How a P-Net is taught (Zhang et al. 2016, section II): three losses, masks, the hard examples of a batch, and steps.

pictures and true faces -> ``training_samples.cut_samples`` -> ``train_pnet`` -> TeachablePNet, which an MTCNN takes
as its ``pnet``. Lesson 03 derives every function.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from ..errors import FaceLibError
from ..faces import Faces
from .mtcnn import MTCNN
from .networks import PNet
from .pyramid import normalise, pyramid_scales
from .training_samples import LOSSES, NEGATIVE, SHARES, Samples, label_boxes

WEIGHTS = (1.0, 0.5, 0.5)
"""Alpha of equation 4 for P-Net: what each of the three losses counts."""
KEEP = 0.7
"""Share of the face losses of a batch that are hard enough to learn from."""


class TeachablePNet(PNet):
    """P-Net with the landmark head that it has while it learns. 6,962 weights.

    ``forward`` is that of ``PNet``, so that an ``MTCNN`` can use it: ``mtcnn.pnet = network``.
    """

    def __init__(self, generator: torch.Generator | None = None) -> None:
        with torch.random.fork_rng(devices=[]):  # layers are born with numbers of the global generator
            super().__init__()
            self.landmarks = nn.Conv2d(32, 10, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, a=0.25, generator=generator)  # 0.25: PReLU's first slope
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def answers(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Float (K, 3, 12, 12) -> logits (K, 2), offsets (K, 4), landmarks (K, 5, 2) as fractions of the window."""
        x = self.features(x)  # K, 32, 1, 1
        return self.face(x).flatten(1), self.box(x).flatten(1), self.landmarks(x).view(-1, 5, 2)


def sample_losses(answers: tuple[Tensor, Tensor, Tensor], samples: Samples) -> Tensor:
    """The three losses of every sample, 0 where ``samples.applies`` says that one does not apply.

    face: cross-entropy (Zhang et al. 2016, equation 1). box, landmarks: squared Euclidean distance of the 4 and of
    the 10 numbers (equations 2 and 3). Lesson 03, eq. 3.1.

    Parameters
    ----------
    answers : tuple of three tensors
        What ``TeachablePNet.answers`` gives.

    Returns
    -------
    float (K, 3)
    """
    logits, offsets, landmarks = answers
    is_face = (samples.kinds != NEGATIVE).long()
    losses = torch.stack(
        [
            functional.cross_entropy(logits, is_face, reduction="none"),
            (offsets - samples.offsets).square().sum(1),
            (landmarks - samples.landmarks).square().sum((1, 2)),
        ],
        1,
    )  # K, 3
    return losses * samples.applies


def hard_examples(losses: Tensor, keep: float = KEEP) -> Tensor:
    """The largest losses: float (K,) -> bool (K,), true for the top share ``keep``, at least one.

    Section II-D of Zhang et al. 2016: of each mini-batch the top 70 % count, the easy rest gets no gradient.
    """
    chosen = torch.zeros_like(losses, dtype=torch.bool)
    if len(losses):
        chosen[losses.detach().topk(max(1, round(keep * len(losses)))).indices] = True
    return chosen


def multi_task_loss(
    answers: tuple[Tensor, Tensor, Tensor],
    samples: Samples,
    keep: float = KEEP,
    weights: Sequence[float] = WEIGHTS,
) -> tuple[Tensor, Tensor]:
    """Equation 4 of Zhang et al. 2016: the sum over samples i and losses j of alpha_j beta_ij L_ij.

    Each loss is divided by the number of samples that it is summed over, so that it does not depend on the batch.
    Of the face losses only the hard examples count. Lesson 03, eq. 3.3.

    Returns
    -------
    The loss, and its three parts (3,) before they are weighted.
    """
    losses, counted = sample_losses(answers, samples), samples.applies.clone()
    judged = counted[:, 0].nonzero().squeeze(1)
    counted[judged, 0] = hard_examples(losses[judged, 0], keep)
    parts = (losses * counted).sum(0) / counted.sum(0).clamp(min=1)  # 3
    return (parts * parts.new_tensor(weights)).sum(), parts.detach()


def draw_batch(kinds: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Rows of a random batch in which the kinds stand as in ``SHARES``; with replacement.

    A kind of which there is none is left out, and the batch is so much smaller.
    """
    rows = []
    for kind, share in enumerate(SHARES):
        all_rows = (kinds == kind).nonzero().squeeze(1)
        if len(all_rows):
            count = round(size * share / sum(SHARES))
            pick = torch.randint(len(all_rows), (count,), generator=generator, device=generator.device)
            rows.append(all_rows[pick.to(all_rows.device)])
    return torch.cat(rows)


def train_pnet(
    samples: Samples,
    generator: torch.Generator,
    steps: int = 1000,
    batch: int = 224,
    learning_rate: float = 0.01,
    keep: float = KEEP,
    weights: Sequence[float] = WEIGHTS,
    device: str | torch.device = "cpu",
    progress: bool = True,
) -> tuple[TeachablePNet, Tensor]:
    """Teach a new P-Net by Adam; the learning rate falls along half a cosine.

    Parameters
    ----------
    samples : Samples
    generator : torch.Generator
        Of first weights and batches: the same state, the same network on the same machine.
    steps, batch, learning_rate
    keep, weights
        See ``multi_task_loss``.
    device : str or torch.device
    progress : bool
        Show a bar on stderr.

    Returns
    -------
    The network, ready for inference, and the history (steps, 3): the parts of the loss at each step.

    Raises
    ------
    FaceLibError
        If there is no sample, or the loss is not finite.
    """
    if not len(samples):
        raise FaceLibError("train_pnet: there are no samples; cut some with cut_samples")
    network = TeachablePNet(generator).to(device)
    samples = samples.to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    history = torch.zeros(steps, len(LOSSES), device=device)
    for step in tqdm(range(steps), unit=" steps", disable=not progress):
        drawn = samples[draw_batch(samples.kinds, batch, generator)]
        loss, history[step] = multi_task_loss(network.answers(normalise(drawn.crops)), drawn, keep, weights)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    if not history.isfinite().all():
        raise FaceLibError(f"train_pnet: the loss is no longer finite; lower the learning rate ({learning_rate})")
    return network.eval().requires_grad_(False), history.cpu()


@torch.inference_mode()
def false_alarms(mtcnn: MTCNN, image: np.ndarray, faces: Faces) -> Tensor:
    """Windows that P-Net takes for a face where there is none: hard negatives.

    Parameters
    ----------
    mtcnn : MTCNN
        Its ``pnet``, ``min_face``, ``factor`` and first threshold are used.
    image : uint8 (H, W, 3)
    faces : Faces
        The true ones, possibly none.

    Returns
    -------
    int64 (K, 4), the surest first
        Exact windows, IoU below 0.3 with every face; ``training_samples.negatives`` cuts them.
    """
    (integral,) = mtcnn.prepare([image])
    height, width = image.shape[:2]
    found, scores = [], []
    for scale in pyramid_scales(height, width, mtcnn.min_face, mtcnn.factor):
        probability = mtcnn.scan([integral], scale)[0][0]
        cells = (probability >= mtcnn.thresholds[0]).nonzero()  # K, 2: row, column
        corner = PNet.stride * cells.flip(1) / scale
        found.append(torch.cat([corner, corner + PNet.size / scale], 1).round().long())
        scores.append(probability[cells[:, 0], cells[:, 1]])
    boxes, score = torch.cat(found), torch.cat(scores)
    inside = (boxes[:, 2] <= width) & (boxes[:, 3] <= height)
    wrong = inside & (label_boxes(boxes, torch.tensor(faces.boxes, device=boxes.device))[0] == NEGATIVE)
    return boxes[wrong][score[wrong].argsort(descending=True, stable=True)].cpu()
