"""What a run says while it goes on, and what it says when its loss is no longer a number."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from tqdm import tqdm

from ..errors import FaceLibError
from . import checkpoint
from .schedule import learning_rate

if TYPE_CHECKING:
    from .loop import Run

REPORT_SECONDS = 2.0
TOGETHER = 20  # steps between reports of several processes, which must agree on when, as clocks do not


class Report:
    """Means since the last report, every two seconds (every 20 steps of several processes) and after each epoch."""

    def __init__(self, run: Run, bar: tqdm) -> None:
        self.run, self.bar = run, bar
        self.values: list[Tensor] = []
        self.at = time.perf_counter()

    def add(self, values: Tensor) -> None:
        """Take in the figures of a step."""
        self.values.append(values)
        self.bar.update(self.run.recipe.batch)
        alone = self.run.place.size == 1
        if time.perf_counter() - self.at > REPORT_SECONDS if alone else self.run.state.step % TOGETHER == 0:
            self.write()

    def write(self) -> None:
        """Log and show the means. A look at the values makes a GPU wait, so not in every step."""
        if not self.values:
            return
        steps, seconds = len(self.values), time.perf_counter() - self.at
        loss, accuracy, length = self.run.place.mean(torch.stack(self.values).mean(0)).tolist()
        run, self.values, self.at = self.run, [], time.perf_counter()
        rate = learning_rate(run.recipe, run.state.step - 1, run.order.per_epoch)
        if not math.isfinite(loss):
            raise FaceLibError(diagnosis(run, rate, length))
        speed = steps * run.recipe.batch / max(seconds, 1e-9)
        run.log.write(
            run.state.step,
            {"loss": loss, "accuracy": accuracy, "gradient": length, "rate": rate, "images/s": round(speed, 1)},
        )
        self.bar.set_postfix_str(f"loss {loss:.3f}, accuracy {100 * accuracy:.1f} %, rate {rate:.3g}", refresh=False)


def diagnosis(run: Run, rate: float, length: float) -> str:
    """What is known when the loss is no number, and what to try."""
    broken = [name for name, value in run.state.model.named_parameters() if not value.isfinite().all()]
    where = (
        f"{len(broken)} tensors of weights hold no numbers, first {broken[0]}" if broken else "all weights are finite"
    )
    saved = run.out / checkpoint.LAST
    return (
        f"the loss is no longer a number near step {run.state.step}: rate {rate:.3g}, gradient {length:.3g}, {where}."
        f" Lower --lr or lengthen --warmup, set --margin-warmup 1, keep --clip 5; with fp16 try bf16."
        + (f" {saved} holds the run before it happened." if saved.exists() else "")
    )
