"""The training loop: the same from a laptop to many GPUs.

Lesson 10 writes it in thirty lines first. What is added here is care: a run that is killed at any moment goes on where
it was, bit for bit on a CPU; one bad picture does not end it; a loss that is no number does, with a diagnosis.
"""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from ..data.augment import Augment
from ..errors import FaceLibError
from ..folders.files import finished_files
from ..heads import PartialFC
from . import checkpoint
from .distributed import World, world
from .log import Log, aloud, commit
from .order import Order, generator, step_seed
from .pictures import deal, open_training, open_validation, same_people
from .preflight import preflight
from .recipe import Recipe, write_recipe
from .record import finish
from .report import TOGETHER, Report
from .schedule import learning_rate, margin_share
from .state import State, clip
from .stopping import listening
from .validate import PRECISION, Validation


def train(
    recipe: Recipe,
    out: str | Path,
    *,
    device: str = "cpu",
    resume: bool = False,
    workers: int = 0,
    save_every: int = 0,
    compiled: bool = False,
    sync_bn: bool = False,
    quiet: bool = False,
    check: bool = False,
) -> dict[str, float]:
    """Train a network and write it to a folder.

    Parameters
    ----------
    recipe : Recipe
    out : path of a folder
        Gets ``recipe.toml``, ``last.pt`` (the run as it stands), ``best.pt``, ``log.jsonl``, ``weights.safetensors``
        (the network alone, what ``facelib.Embedder.load`` takes) and ``run.json``, the record of the run.
    device : str
        "cpu", "cuda", "cuda:1", "mps". Under ``torchrun`` each process takes a GPU of its own.
    resume : bool
        Go on with the run in ``out``, from the beginning if there is none.
    workers : int
        Processes that read and decode pictures.
    save_every : int
        Steps between checkpoints; one is written after each epoch anyway, before and after its validation.
    compiled, sync_bn, quiet : bool
        Pass the network through ``torch.compile``; share batch statistics among GPUs; no progress bar.
    check : bool
        Read every picture once before the first step of a new run, and report what is wrong.

    Returns
    -------
    The figures of the last validation.

    Raises
    ------
    FaceLibError
        Input that cannot be trained on, or a loss that is no longer a number.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM; the run has been saved and can be resumed, with a validation that was broken off.
    """
    with world(device) as place:
        run = Run(recipe, Path(out), place, resume, workers, compiled, sync_bn, quiet)
        try:
            if check and place.first and run.state.step == 0:
                pictures = run.validation.source if run.validation else None
                preflight(run.source, pictures, recipe.num_classes or None, run.quiet, aloud)
            return run.go(save_every)
        except torch.OutOfMemoryError as error:
            raise FaceLibError(
                f"{place.device}: out of memory in step {run.state.step}. In this order: --precision bf16;"
                f" --accumulate {2 * recipe.accumulate}; --recompute; a smaller --batch"
            ) from error
        finally:
            run.log.close()


class Run:
    """One training run in one process."""

    def __init__(
        self, recipe: Recipe, out: Path, place: World, resume: bool, workers: int,
        compiled: bool, sync: bool, quiet: bool,
    ) -> None:  # fmt: skip
        self.recipe, self.out, self.place, self.workers = recipe, out, place, workers
        self.quiet = quiet or not place.first
        self.source, classes = open_training(recipe)
        self.validation = self._validation()
        self.state = State(recipe, classes, len(self.source), place, sync)
        out.mkdir(parents=True, exist_ok=True)
        if place.first:
            finished_files(out)  # removes what a killed run left half written
        last = out / checkpoint.LAST
        if last.exists() and not resume:
            raise FaceLibError(f"{last}: there is a run already; --resume goes on with it, another --out begins anew")
        if resume and last.exists():
            self.state.restore(checkpoint.load(last), str(last))
        self.order = Order(
            len(self.source), recipe.batch, recipe.seed, steps=0, start=self.state.step,
            rank=place.rank, world=place.size, parts=recipe.accumulate,
        )  # fmt: skip
        self.order.steps = self.steps = max(1, round(recipe.epochs * self.order.per_epoch))
        if compiled:
            self.state.model.network.compile()
        self.augment = Augment.preset(recipe.augmentation)
        self.dtype = PRECISION[recipe.precision]
        self.log = Log(out, self.state.step, self.due) if place.first else Log.silent()
        if place.first:
            (out / "recipe.toml").write_text(write_recipe(recipe), "utf-8")
        self.unreadable: set[str] = set()
        self.stopped = False
        self.began, self.commit = time.perf_counter(), commit()  # the code may change while it runs

    @property
    def seconds(self) -> float:
        """How long the run has taken, all sittings together; work that a kill undid is not counted."""
        return self.state.seconds + time.perf_counter() - self.began

    def _validation(self) -> Validation | None:
        source = open_validation(self.recipe)
        if source is None:
            return None
        return Validation(source, same_people(self.source, source), self.recipe.size, workers=self.workers)

    def go(self, save_every: int) -> dict[str, float]:
        """Train to the end, report, save; or until somebody asks to stop."""
        state = self.state
        loader = deal(self.source, self.recipe, self.order, self.workers, self.place)
        with listening(self), self._bar() as bar:
            report = Report(self, bar)
            left = self.due or state.step >= self.steps  # by an earlier sitting
            figures = self.judge(bar, self.content()) if left else {}
            while state.step < self.steps:
                values = self.update([next(loader) for _ in range(self.recipe.accumulate)])
                state.step += 1
                report.add(values)
                stop = self.place.agree(self.stopped, state.step % TOGETHER == 0 or self.ended)
                if self.ended or stop or (save_every and state.step % save_every == 0):
                    report.write()
                    content = self.content()
                    self.save(content)  # before the validation, which may take long and be killed
                if stop and state.step < self.steps:  # at the very end it is the validation that breaks off
                    raise KeyboardInterrupt
                if self.ended:
                    figures = self.judge(bar, content)
        if self.place.first:
            finish(self, figures)
        return figures

    def update(self, parts: list[tuple[Tensor, Tensor, list[str]]]) -> Tensor:
        """One step; returns loss, accuracy and length of the gradient."""
        recipe, state = self.recipe, self.state
        rate = learning_rate(recipe, state.step, self.order.per_epoch)
        share = margin_share(recipe, state.step, self.order.per_epoch)
        chance = generator(recipe.seed, state.step)
        drawn = self.augment.draw(recipe.batch, chance)
        torch.manual_seed(step_seed(recipe.seed, state.step, 1 + self.place.rank))  # dropout
        for group in state.optimizer.param_groups:
            group["lr"] = rate
        state.model.train()
        state.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros(2, device=self.place.device)
        for k, (images, labels, faults) in enumerate(parts):
            self._note(faults)
            images, labels = (x.to(self.place.device, non_blocking=True) for x in (images, labels))
            crops = self.augment(images, drawn[self.order.rows(k)])
            centres, labels = self._classes(labels, chance)
            with self._together(last=k == len(parts) - 1):
                with torch.autocast(self.place.device.type, self.dtype, enabled=self.dtype is not None):
                    loss, accuracy = state.wrapped(crops, labels, share, centres)
                state.scaler.scale(loss / len(parts)).backward()
            total += torch.stack([loss.detach(), accuracy]) / len(parts)
        if state.partial:
            self.place.average_gradient(state.model.head.weight)  # type: ignore[arg-type]
        state.scaler.unscale_(state.optimizer)
        length = clip(state.model, recipe.clip)
        state.scaler.step(state.optimizer)
        state.scaler.update()
        if state.average is not None:
            state.average.update_parameters(state.model)
        return torch.cat([total, length.detach()[None]])

    def _classes(self, labels: Tensor, chance: torch.Generator) -> tuple[Tensor | None, Tensor]:
        """Centres of the classes drawn for this part, and the labels among them; all processes draw the same."""
        head = self.state.model.head
        if not isinstance(head, PartialFC):
            return None, labels
        centres, places = head.draw(self.place.gather(labels), chance)
        return centres, places[self.place.rank * len(labels) :][: len(labels)]

    def _together(self, last: bool) -> Any:
        """Processes exchange gradients once a step, after the last part."""
        return contextlib.nullcontext() if last or self.place.size == 1 else self.state.wrapped.no_sync()  # type: ignore[operator]

    def _note(self, faults: list[str]) -> None:
        for fault in faults:
            if fault not in self.unreadable:
                self.unreadable.add(fault)
                aloud(f"left out: {fault}")

    @property
    def ended(self) -> bool:
        """Whether the last step was the last of an epoch, or of the run."""
        return self.state.step % self.order.per_epoch == 0 or self.state.step == self.steps

    @property
    def due(self) -> bool:
        """Whether an epoch has ended that is not validated yet."""
        return self.validation is not None and self.ended and self.state.validated != self.state.step

    def content(self) -> dict[str, Any]:
        """What a checkpoint of this moment holds; nothing in processes whose part is not needed for it."""
        return self.state.content(self.seconds) if self.place.first or self.state.sharded else {}

    def judge(self, bar: tqdm, content: dict[str, Any]) -> dict[str, float]:
        """Validate, and save what it changed; broken off by a wish to stop, it is left to the next sitting."""
        if self.validation is None:
            return {}
        bar.set_description_str("validating")
        figures = self.validate(content)
        bar.set_description_str()
        if figures:
            self.save(content)
        if self.place.agree(self.stopped and (self.state.step < self.steps or self.due), now=True):
            raise KeyboardInterrupt
        return figures

    def validate(self, content: dict[str, Any]) -> dict[str, float]:
        """Figures of the model as it stands, written to the log; none if somebody asks to stop before."""
        if self.validation is None or not self.place.first:
            return {}
        centres = self.state.judged_centres(content)
        figures = self.validation(self.state.judged, self.place.device, centres, lambda: self.stopped)
        if not figures:
            return {}
        self.state.validated = content["validated"] = self.state.step
        self._note(self.validation.faults)
        self.log.write(self.state.step, {f"validation {name}": value for name, value in figures.items()})
        if not self.quiet:
            shown = ", ".join(f"{name} {100 * value:.2f} %" for name, value in figures.items())
            aloud(f"epoch {self.state.step / self.order.per_epoch:.4g}: {shown}")
        best = figures.get("verification", figures.get("accuracy", 0.0))
        if best > self.state.best:
            self.state.best = content["best"] = best
            self.save(content, checkpoint.BEST)
        return figures

    def save(self, content: dict[str, Any], name: str = checkpoint.LAST) -> None:
        """Write a checkpoint. A full disk is reported, and the run goes on with the old one on disk."""
        if not self.place.first:
            return
        try:
            checkpoint.save(self.out / name, content | {"seconds": self.seconds})
        except OSError as error:
            aloud(f"{self.out / name}: not saved ({error.strerror or error}); free some space, the run goes on")

    def _bar(self) -> tqdm:
        interval = 0.1 if sys.stderr.isatty() else 30
        return tqdm(
            total=self.steps * self.recipe.batch, initial=self.state.step * self.recipe.batch, unit=" pictures",
            disable=self.quiet, mininterval=interval, unit_scale=True, file=sys.stderr,
        )  # fmt: skip
