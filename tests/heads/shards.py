"""What each process of a sharded head does in the tests: ``python -m tests.heads.shards FOLDER`` writes it down."""

from __future__ import annotations

import copy
import multiprocessing
import sys
from pathlib import Path
from typing import Any

import torch
from torch import distributed as dist

import facelib
from facelib import FaceLibError, heads, margins
from facelib.heads.classifiers import new_centres
from tests.heads.helpers import CLASSES, MARGINS, SIZE, seeded

BATCH = 12  # of all processes together
LABELS = torch.tensor([0, 36, 5, 5, -1, 17, 30, 2, 11, 12, 24, 18])
ALL = [m for m in MARGINS if not isinstance(m, torch.nn.Module)]
ALL += [margins.CosFace(s=2000), margins.AdaFace(), margins.AdaFace(momentum=0.5)]  # exp(2000) is no number; two states


def batch() -> torch.Tensor:
    lengths = torch.tensor([[1.0], [20.0]]).repeat(BATCH // 2, 1)
    x = torch.randn(BATCH, SIZE, generator=seeded(3), dtype=torch.float64)
    x[1::3] = 10 * new_centres((CLASSES, SIZE), seeded())[LABELS[1::3]].double() + 0.1 * x[1::3]  # some that are right
    return x * lengths


WORLDS = (1, 2, 3)


def main(folder: Path) -> None:
    """Groups of one, two and three processes, one after the other, from an interpreter that has imported all once."""
    torch.optim.SGD([torch.zeros(1)], lr=0.1)  # imports much at its first use
    context = multiprocessing.get_context("spawn" if sys.platform == "win32" else "fork")
    for world in WORLDS:
        (folder / str(world)).mkdir()
        processes = [context.Process(target=work, args=(rank, world, folder / str(world))) for rank in range(world)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(120)
            process.kill()
        assert [process.exitcode for process in processes] == [0] * world


def work(rank: int, world: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meet'}", rank=rank, world_size=world)
    own = slice(rank * BATCH // world, (rank + 1) * BATCH // world)
    found = {
        "losses": [loss_of(margin, own, block) for margin in ALL for block in (4, None)],
        "sampled": sampled(own),
        "state": state(world),
        "errors": errors(rank, world, own),
        "autocast": in_autocast(own),
        "backbone": backbone(own) if world > 1 else None,
    }
    torch.save(found, folder / f"{rank}.pt")
    dist.destroy_process_group()


def new_head(rate: float = 1.0) -> facelib.ShardedClassifier:
    return facelib.ShardedClassifier(SIZE, CLASSES, generator=seeded(), rate=rate).double()


def loss_of(margin: Any, own: slice, block: int | None) -> dict[str, torch.Tensor]:
    """Loss, accuracy, gradients of the own embeddings and centres, and, of AdaFace, the mean length."""
    head, x = new_head(), batch()[own].requires_grad_()
    margin = copy.deepcopy(margin)
    loss, accuracy = facelib.sharded_cross_entropy(x, head, LABELS[own], margin, block=block)
    loss.backward()
    mean = getattr(margin, "mean", torch.zeros(()))
    return {"loss": loss.detach(), "accuracy": accuracy, "x": x.grad, "weight": head.weight.grad, "mean": mean}


def sampled(own: slice) -> dict[str, torch.Tensor]:
    """The same of a draw in each process, and the rows drawn, counted among all classes."""
    head, x = new_head(rate=0.5), batch()[own].requires_grad_()
    loss, _ = facelib.sharded_cross_entropy(x, head, LABELS[own], margins.ArcFace(), generator=seeded(head.rank))
    loss.backward()
    rows = head.weight.grad._indices()[0] + head.first
    return {"loss": loss.detach(), "x": x.grad, "rows": rows, "weight": head.weight.grad._values()}


def state(world: int) -> dict[str, Any]:
    """The shard as made, all shards together, and a shard loaded from a whole head of another seed."""
    head = facelib.ShardedClassifier(SIZE, CLASSES, generator=seeded())
    other = facelib.CosineClassifier(SIZE, CLASSES, seeded(9)).state_dict()
    made, whole = head.weight.detach().clone(), head.gathered_state()
    head.load(other)
    cosine = head(torch.eye(SIZE))
    return {"made": made, "whole": whole, "loaded": head.weight.detach(), "cosine": cosine.detach(), "text": repr(head)}


def errors(rank: int, world: int, own: slice) -> dict[str, str]:
    """What is said of wrong arguments; all processes see the same, so that none waits for the others."""
    head, x = new_head(), batch()[own]
    uneven = x[: len(x) - rank]
    calls = {
        "rows": lambda: facelib.sharded_cross_entropy(uneven, head, LABELS[own][: len(uneven)], margins.ArcFace()),
        "labels": lambda: facelib.sharded_cross_entropy(x, head, LABELS[own] + 1, margins.ArcFace()),
        "margin": lambda: facelib.sharded_cross_entropy(x, head, LABELS[own], margins.CurricularFace()),
        "shapes": lambda: facelib.sharded_cross_entropy(x[:, 1:], head, LABELS[own], margins.ArcFace()),
        "classes": lambda: facelib.ShardedClassifier(SIZE, world - 1),
        "rate": lambda: facelib.ShardedClassifier(SIZE, CLASSES, rate=0),
        "load": lambda: head.load({"weight": torch.zeros(CLASSES - 1, SIZE)}),
    }
    if world > 1:
        group = dist.new_group([0])
        calls["group"] = lambda: facelib.ShardedClassifier(SIZE, CLASSES, group=group)
    said = {}
    for name, call in calls.items():
        try:
            call()
            said[name] = ""
        except FaceLibError as error:
            said[name] = str(error)
    return said


def in_autocast(own: slice) -> dict[str, torch.Tensor]:
    """Loss and gradients of bfloat16 embeddings, forward and backward inside autocast."""
    head = facelib.ShardedClassifier(SIZE, CLASSES, generator=seeded())
    x = batch()[own].bfloat16().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, _ = facelib.sharded_cross_entropy(x, head, LABELS[own], margins.ArcFace())
        loss.backward()
    return {"loss": loss.detach(), "weight": head.weight.grad}


def backbone(own: slice) -> dict[str, torch.Tensor]:
    """Two steps of a backbone under DistributedDataParallel and a sharded head beside it."""
    body, head = new_body(), new_head()
    wrapped = torch.nn.parallel.DistributedDataParallel(body)
    optimizer = torch.optim.SGD(heads.parameter_groups(body, head), lr=0.1, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        x = wrapped(batch()[own])
        facelib.sharded_cross_entropy(x, head, LABELS[own], margins.ArcFace(), averaged=True)[0].backward()
        optimizer.step()
    return {"body": body.weight.detach(), "head": head.weight.detach()}


def new_body() -> torch.nn.Linear:
    body = torch.nn.Linear(SIZE, SIZE).double()
    with torch.no_grad():
        body.weight.copy_(torch.eye(SIZE) + 0.1 * torch.randn(SIZE, SIZE, generator=seeded(8)))
        body.bias.zero_()
    return body


if __name__ == "__main__":
    main(Path(sys.argv[1]))
