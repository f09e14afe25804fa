"""Processes that are killed, and several that train as one."""

import json
import multiprocessing
import random
import signal
import subprocess
import sys
import time

import pytest
import torch

from facelib.train import checkpoint, train
from facelib.train.log import read_log
from tests.train.helpers import ENVIRONMENT, ROOT, TRAIN, make_people, recipe

pytestmark = pytest.mark.slow


def work(folder, out):
    torch.set_num_threads(1)
    train(recipe(folder, epochs=8), out, quiet=True, resume=True, save_every=1)


def test_killed_at_twenty_moments_and_never_lost(people, tmp_path):
    """SIGKILL at any instant leaves a checkpoint that loads; the run that went on ends as one that was left alone."""
    train(recipe(people, epochs=8), tmp_path / "whole", quiet=True)
    out, last = tmp_path / "run", tmp_path / "run" / "last.pt"
    start = multiprocessing.get_context("forkserver")
    start.set_forkserver_preload(["facelib.train.loop"])
    chance, steps, kills = random.Random(0), 0, 0
    while kills < 20 and steps < 56:
        process = start.Process(target=work, args=(people, out))
        process.start()
        begun, before = time.monotonic(), last.stat().st_mtime_ns if last.exists() else 0
        while process.is_alive() and time.monotonic() - begun < 60:  # until it writes, so that some are hit writing
            if last.exists() and last.stat().st_mtime_ns != before:
                break
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.05))
        process.kill()
        process.join()
        kills += 1
        content = checkpoint.load(last)
        assert content["step"] >= steps, "a checkpoint went back"
        steps = content["step"]
    assert kills >= 10
    train(recipe(people, epochs=8), out, quiet=True, resume=True)
    whole, parts = (checkpoint.load(folder / "last.pt")["model"] for folder in (tmp_path / "whole", out))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert not list(out.glob(".facelib-*.part")), "left-overs of killed runs"


def run(*command):
    done = subprocess.run(command, env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def arguments(folder, out, save_every=1, **changes):
    settings = recipe(folder, **changes).to_dict()
    settings.pop("milestones")
    settings = {k: v for k, v in settings.items() if v != "" and not isinstance(v, bool)}
    return [x for k, v in settings.items() for x in (f"--{k.replace('_', '-')}", str(v))] + [
        "--out", str(out), "--device", "cpu", "--workers", "0", "--threads", "1",
        "--save-every", str(save_every), "--quiet",
    ]  # fmt: skip


def test_two_processes_stop_together(people, tmp_path):
    """Ctrl-C reaches them in different steps; they agree on one, save and end."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *TRAIN[1:]]
    plan = arguments(people, tmp_path / "run", 0, epochs=500)
    process = subprocess.Popen([*command, *plan], env=ENVIRONMENT, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        last, begun = tmp_path / "run" / "last.pt", time.monotonic()
        while not last.exists() and process.poll() is None and time.monotonic() - begun < 120:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)  # torchrun passes it on
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()
    assert "goes on" in said, said[-2000:]
    assert 0 < checkpoint.load(last)["step"] < 3500


@pytest.mark.parametrize("metric", ["cosface", "curricularface"])
def test_two_processes_train_as_one(metric, people, tmp_path):
    """Same losses as one process that works the batch off in two parts: both see the batch statistics of halves."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *TRAIN[1:]]
    plan = {"metric": metric, "augmentation": "mild", "label_smoothing": 0.1 if metric == "cosface" else 0.0}
    run(*launch, *arguments(people, tmp_path / "two", **plan))
    run(*TRAIN, *arguments(people, tmp_path / "one", accumulate=2, **plan))
    one, two = ([row["loss"] for row in read_log(tmp_path / name) if "loss" in row] for name in ("one", "two"))
    assert len(one) == 14
    if metric == "cosface":
        assert two == pytest.approx(one, rel=1e-4)
    else:  # each process moves its own state, from its own half
        assert two[:2] == pytest.approx(one[:2], rel=1e-2)
    assert json.loads((tmp_path / "two" / "run.json").read_text())["processes"] == 2


LOOK_INSIDE = """
import sys
from pathlib import Path
import torch
from facelib.train.distributed import world
from facelib.train.loop import Run
from facelib.train.pictures import deal
from tests.train.helpers import recipe

folder, out = map(Path, sys.argv[1:])
torch.set_num_threads(1)
with world("cpu") as place:
    plan = recipe(folder, head="partial", rate=0.4, batch=4)
    run = Run(plan, out / "run", place, False, 0, False, False, True)
    loader, centres = deal(run.source, plan, run.order, 0, place), []
    for _ in range(6):
        run.update([next(loader)])
        run.state.step += 1
        centres.append(run.state.model.head.weight.detach().clone())
    torch.save(torch.stack(centres), out / f"{place.rank}.pt")
"""


def test_two_processes_draw_the_same_people(people, tmp_path):
    """All people drawn: the losses of the whole head. Some: both processes move the same centres, by the same bits."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    losses = []
    for changes in ({}, {"head": "partial", "rate": 0.99}):  # six of six people, by way of a draw
        out = tmp_path / str(len(losses))
        run(*launch, *TRAIN[1:], *arguments(people, out, epochs=1, **changes))
        losses.append([row["loss"] for row in read_log(out) if "loss" in row])
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    (tmp_path / "look.py").write_text(LOOK_INSIDE)
    run(*launch, str(tmp_path / "look.py"), str(people), str(tmp_path))
    one, two = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    assert torch.equal(one, two)
    assert (one[1:] == one[:-1]).all(2).any(), "somebody was not drawn and stood still"


def test_the_familiar_command(tmp_path):
    """The flags of the usual training script, on a folder of VGGFace2's layout, from published weights."""
    from facelib.backbones import create

    folder = make_people(tmp_path / "VGGFace2" / "train_align").parent
    (tmp_path / "data").mkdir()
    run(
        *(sys.executable, "-m", "facelib.cli", "list", str(folder)),
        *(
            "--out",
            str(tmp_path / "data" / "train.txt"),
            "--val",
            str(tmp_path / "data" / "val.txt"),
            "--val-share",
            "0.5",
        ),
    )
    torch.manual_seed(0)
    weights = {name: value.half() for name, value in create("iresnet18", 512, 32).state_dict().items()}
    torch.save(weights, tmp_path / "backbone.pth")
    done = run(
        *TRAIN, "--dataset-root", str(folder), "--train-list", str(tmp_path / "data" / "train.txt"),
        *("--val-list", str(tmp_path / "data" / "val.txt"), "--num-classes", "6", "--backbone", "resnet18"),
        *("--pre-trained", str(tmp_path / "backbone.pth"), "--metric", "arcface", "--device", "cpu"),
        *("--size", "32", "--batch", "6", "--lr", "0.02", "--epochs", "4", "--out", str(tmp_path / "run")),
    )  # fmt: skip
    assert "verification" in done.stdout and "accuracy" in done.stdout
    assert float(done.stdout.split("verification ")[1].split()[0]) > 80


STEP_BY_STEP = """
import copy
import sys
from pathlib import Path
import torch
from facelib.train.distributed import world
from facelib.train.loop import Run
from facelib.train.pictures import deal
from tests.train.helpers import recipe

folder, out = map(Path, sys.argv[1:])
torch.set_num_threads(1)
with world("cpu") as place:
    runs = []
    for head in ("whole", "sharded"):
        plan = recipe(folder, head=head, metric="adaface", batch=12, ema=0.9, precision="fp16")
        run = Run(plan, out / f"{head}{place.rank}", place, False, 0, False, False, True)
        run.state.scaler.load_state_dict(run.state.scaler.state_dict() | {"scale": 16.0})
        runs.append((run, deal(run.source, plan, run.order, 0, place)))
    (whole, _), (shards, _), moved = *runs, 0
    for step in range(6):
        content = copy.deepcopy(whole.state.content(0.0))  # its tensors live on in the run
        shards.state.restore(content | {"recipe": shards.recipe.to_dict()}, "")
        whole.state.step = shards.state.step = step
        values = [place.mean(run.update([next(loader)])) for run, loader in runs]
        moved += bool(values[0][2].isfinite())
        torch.testing.assert_close(values[1][:2], values[0][:2], rtol=1e-3, atol=1e-3)
        one, two = (run.state.content(0.0) for run, _ in runs)
        for part in ("model", "average"):
            for name, value in one[part].items():
                torch.testing.assert_close(two[part][name], value, rtol=1e-3, atol=1e-4)
        for key, kept in one["optimizer"]["state"].items():
            mine = two["optimizer"]["state"][key]["momentum_buffer"]
            torch.testing.assert_close(mine, kept["momentum_buffer"], rtol=1e-2, atol=1e-3)
    assert moved > 3, "16 bits overflow"
    before = copy.deepcopy(shards.state.content(0.0)["model"])
    if place.rank == 1:  # its shard alone overflows
        shards.state.model.head.weight.register_hook(lambda gradient: gradient * float("inf"))
    shards.update([next(runs[1][1])])
    after = shards.state.content(0.0)["model"]
    assert all(torch.equal(before[n], after[n]) for n in before if n.endswith("weight")), "some have moved"
    assert any(not torch.equal(before[n], after[n]) for n in before if n.endswith("running_mean"))
"""


def test_a_head_in_shards_is_the_whole_one(people, tmp_path):
    """Three processes, two people each: every step is that of a whole head; all stand still if one overflows."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    (tmp_path / "steps.py").write_text(STEP_BY_STEP)
    run(*launch, "3", str(tmp_path / "steps.py"), str(people), str(tmp_path))
    out = tmp_path / "run"
    for processes, epochs in (("3", 1), ("2", 2)):  # the checkpoint does not say how many wrote it
        plan = {"head": "sharded", "epochs": epochs, "batch": 12, "schedule": "constant"}
        run(*launch, processes, *TRAIN[1:], *arguments(people, out, **plan), "--resume")
    rows = read_log(out)
    assert len([row for row in rows if "loss" in row]) == 10
    assert len([row for row in rows if "validation accuracy" in row]) == 2
    assert checkpoint.load(out / "last.pt")["model"]["head.weight"].shape == (6, 16)
    assert json.loads((out / "run.json").read_text())["processes"] == 2
