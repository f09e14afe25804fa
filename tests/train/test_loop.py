"""The loop: it learns, goes on bit for bit where it stopped, and survives what happens in long runs."""

import json
import os
import signal

import pytest
import torch

import facelib
from facelib import FaceLibError
from facelib.train import checkpoint as checkpoints
from facelib.train import train, validate
from facelib.train.distributed import World
from facelib.train.log import read_log
from facelib.train.loop import Run
from facelib.train.pictures import batches, deal
from tests.train.helpers import SIZE, make_people, recipe


def weights(folder, name="last.pt"):
    return checkpoints.load(folder / name)["model"]


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def reports(folder, key="loss"):
    return {row["step"]: row[key] for row in read_log(folder) if key in row}


def test_it_learns(people, tmp_path):
    figures = train(recipe(people, epochs=6), tmp_path / "run", quiet=True)
    losses = list(reports(tmp_path / "run").values())
    assert losses[-1] < 0.5 * losses[0]
    assert figures["verification"] > 0.9 and reports(tmp_path / "run", "accuracy")[42] > 0.7
    assert 0 <= figures["accuracy"] <= 1  # of a network whose batch statistics are a few steps old
    assert figures == {
        k.removeprefix("validation "): v for k, v in read_log(tmp_path / "run")[-1].items() if k != "step"
    }
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["steps"] == 42 and record["people"] == 6 and record["validation"] == figures
    assert {f.name for f in (tmp_path / "run").iterdir()} >= {
        "recipe.toml", "last.pt", "best.pt", "log.jsonl", "weights.safetensors", "run.json"
    }  # fmt: skip


def test_the_network_can_be_used_at_once(people, tmp_path):
    train(recipe(people), tmp_path / "run", quiet=True)
    embed = facelib.Embedder.load(tmp_path / "run" / "weights.safetensors")
    crops = torch.randint(0, 256, (3, SIZE, SIZE, 3), dtype=torch.uint8).numpy()
    vectors = embed(crops)
    network = start(recipe(people), tmp_path / "run", resume=True).state.model.network.eval()
    with torch.inference_mode():
        want = torch.nn.functional.normalize(network((torch.tensor(crops).permute(0, 3, 1, 2) - 127.5) / 127.5))
    assert torch.allclose(torch.tensor(vectors), want, atol=1e-5)


def start(plan, folder, resume=False):
    """A run that is ready to go, for a look inside."""
    return Run(plan, folder, World(0, 1, torch.device("cpu")), resume, 0, False, False, True)


class Stop(Exception):
    """Stands in for a process that dies."""


def killed_after(monkeypatch, steps):
    """Let the loop die in the step after so many."""
    update, count = Run.update, [0]

    def dying(self, parts):
        if count[0] == steps:
            raise Stop
        count[0] += 1
        return update(self, parts)

    monkeypatch.setattr(Run, "update", dying)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "adamw", "lr": 1e-3, "ema": 0.9, "dropout": 0.2, "augmentation": "adaface", "warmup": 0.5},
        {"metric": "adaface", "accumulate": 2, "schedule": "cosine"},
        {"metric": "curricularface", "sub_centers": 2, "precision": "bf16"},
        {"head": "partial", "rate": 0.4, "batch": 4, "accumulate": 2},
        {"head": "sharded", "ema": 0.9, "optimizer": "adamw", "lr": 1e-3},
    ],
    ids=["plain", "adamw", "state", "half", "sample", "shards"],
)
def test_a_run_that_died_goes_on_bit_for_bit(changes, people, tmp_path, monkeypatch):
    plan = recipe(people, epochs=3, **changes)
    train(plan, tmp_path / "whole", quiet=True)
    with monkeypatch.context() as patch:
        killed_after(patch, 11)  # in the middle of the second of three epochs of 7 steps
        with pytest.raises(Stop):
            train(plan, tmp_path / "parts", quiet=True, save_every=2)
    assert checkpoints.load(tmp_path / "parts" / "last.pt")["step"] == 10
    train(plan, tmp_path / "parts", quiet=True, resume=True)
    whole, parts = (checkpoints.load(tmp_path / name / "last.pt") for name in ("whole", "parts"))
    assert same(whole["model"], parts["model"])
    assert str(whole["optimizer"]) == str(parts["optimizer"])
    if plan.ema:
        assert same(whole["average"], parts["average"])
    assert (tmp_path / "whole" / "weights.safetensors").read_bytes() == (
        tmp_path / "parts" / "weights.safetensors"
    ).read_bytes()


def test_longer_is_the_same_run_continued(people, tmp_path):
    plan = recipe(people, schedule="constant")
    train(plan.but(epochs=4), tmp_path / "long", quiet=True)
    train(plan.but(epochs=2), tmp_path / "short", quiet=True)
    train(plan.but(epochs=4), tmp_path / "short", quiet=True, resume=True)
    assert same(weights(tmp_path / "long"), weights(tmp_path / "short"))


def test_the_log_holds_every_step_once(people, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        killed_after(patch, 10)
        with pytest.raises(Stop):
            train(recipe(people), tmp_path / "run", quiet=True, save_every=4)
    with open(tmp_path / "run" / "log.jsonl", "a") as file:  # reported after the checkpoint of step 8, then cut short
        file.write('{"step": 9, "loss": 1.0}\n{"step": 10, "lo')
    train(recipe(people), tmp_path / "run", quiet=True, save_every=1, resume=True)
    steps = [row["step"] for row in read_log(tmp_path / "run") if "loss" in row]
    assert steps == sorted(set(steps)) and steps[-1] == 14


def test_a_finished_run_stays_as_it_is(people, tmp_path):
    train(recipe(people), tmp_path / "run", quiet=True)
    before = weights(tmp_path / "run")
    assert train(recipe(people), tmp_path / "run", quiet=True, resume=True)["verification"] > 0
    assert same(before, weights(tmp_path / "run"))


def test_parts_of_a_batch_add_up(people, tmp_path):
    """With batch normalisation at rest, which sees the parts, a batch in pieces is the batch."""
    losses = []
    for count in (1, 2, 4):
        run = start(recipe(people, accumulate=count), tmp_path / str(count))
        run.state.model.eval()
        run.state.model.train = lambda mode=True: None
        loader = iter(batches(run.source, run.recipe.size, run.order, 0, 0, False))
        losses.append([])
        for _ in range(3):
            losses[-1].append(run.update([next(loader) for _ in range(count)])[0].item())
            run.state.step += 1
    for other in losses[1:]:
        assert other == pytest.approx(losses[0], rel=1e-4)
    assert len(set(losses[0])) == 3


def test_half_precision_follows_full(people, tmp_path):
    for precision in ("fp32", "bf16"):
        train(recipe(people, epochs=1, precision=precision, lr=0.01), tmp_path / precision, quiet=True, save_every=1)
    full, half = (list(reports(tmp_path / p).values()) for p in ("fp32", "bf16"))
    assert half[0] == pytest.approx(full[0], rel=0.05) and half != full  # later steps of so small a problem diverge
    assert half[-1] < half[0]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_sample_of_all_people_is_the_whole_head(optimizer, people, tmp_path):
    plan = recipe(people, optimizer=optimizer, lr=0.05 if optimizer == "sgd" else 1e-3, augmentation="mild")
    train(plan, tmp_path / "whole", quiet=True)
    train(plan.but(head="partial", rate=1), tmp_path / "all", quiet=True)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "all"))


def test_people_who_were_not_drawn_stand_still(people, tmp_path):
    """In a step of the loop, with decay and momentum: centres move if their people were drawn, and else not at all."""
    run = start(recipe(people, head="partial", rate=0.01, batch=4, accumulate=2), tmp_path / "run")
    loader = deal(run.source, run.recipe, run.order, 0, run.place)
    for _ in range(4):
        parts, before = [next(loader) for _ in range(2)], run.state.model.head.weight.detach().clone()
        run.update(parts)
        run.state.step += 1
        shown = torch.cat([labels for _, labels, _ in parts]).unique()
        moved = (run.state.model.head.weight != before).any(1).nonzero()[:, 0]
        assert torch.equal(moved, shown), "1 % of six people are those of the batch alone"


def test_workers_change_nothing(people, tmp_path):
    for workers in (0, 2):
        train(recipe(people, epochs=1), tmp_path / str(workers), quiet=True, workers=workers)
    assert same(weights(tmp_path / "0"), weights(tmp_path / "2"))


def test_a_bad_picture_is_left_out_named_and_counted(tmp_path, capsys):
    folder = make_people(tmp_path / "data").parent
    (folder / "n000001" / "0003_01.png").write_bytes(b"no picture")
    train(recipe(folder), tmp_path / "run", quiet=True)
    assert capsys.readouterr().err.count("0003_01.png") == 1
    assert json.loads((tmp_path / "run" / "run.json").read_text())["left out"] == 1


def test_a_bad_picture_in_validation_is_named_and_its_pairs_are_left_out(people, tmp_path, capsys, monkeypatch):
    judged = []
    verify = validate.verification
    monkeypatch.setattr(validate, "verification", lambda a, b, same: judged.append(len(same)) or verify(a, b, same))
    folder = make_people(tmp_path / "data").parent
    for _ in range(2):
        train(recipe(people, epochs=1, val_list=str(folder)), tmp_path / str(len(judged)), quiet=True)
        (folder / "n000001" / "0003_01.png").write_bytes(b"no picture")
    assert judged[1] < judged[0]
    assert capsys.readouterr().err.count("0003_01.png") == 1


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_good_one(people, tmp_path):
    train(recipe(people, epochs=1), tmp_path / "run", quiet=True)
    before = weights(tmp_path / "run")
    run = start(recipe(people, epochs=3), tmp_path / "run", resume=True)
    with torch.no_grad():
        run.state.model.head.weight[0, 0] = torch.nan
    with pytest.raises(FaceLibError, match=r"no longer a number.*tensors of weights.*--lr.*last.pt holds the run"):
        run.go(save_every=1)
    assert same(before, weights(tmp_path / "run"))


def test_ctrl_c_saves(people, tmp_path, monkeypatch):
    update = Run.update

    def interrupted(self, parts):
        if self.state.step == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return update(self, parts)

    monkeypatch.setattr(Run, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(recipe(people), tmp_path / "run", quiet=True)
    assert checkpoints.load(tmp_path / "run" / "last.pt")["step"] == 5


def test_a_full_disk_does_not_end_the_run(people, tmp_path, monkeypatch, capsys):
    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "save", full)
    assert train(recipe(people), tmp_path / "run", quiet=True)["verification"] > 0
    assert "No space left on device" in capsys.readouterr().err
    assert not (tmp_path / "run" / "last.pt").exists()


@pytest.mark.parametrize(
    ("changes", "resume", "named"),
    [
        ({}, False, "there is a run already; --resume"),
        ({"metric": "arcface"}, True, "--metric cosface there and arcface here"),
        ({"batch": 4}, True, "--batch 8 there and 4 here"),
    ],
)
def test_two_runs_are_not_mixed_up(changes, resume, named, people, tmp_path):
    train(recipe(people, epochs=0.5), tmp_path / "run", quiet=True)
    with pytest.raises(FaceLibError, match=named):
        train(recipe(people, epochs=0.5, **changes), tmp_path / "run", quiet=True, resume=resume)


def test_other_pictures_are_another_run(people, tmp_path):
    train(recipe(people, epochs=0.5), tmp_path / "run", quiet=True)
    more = make_people(tmp_path / "more", shots=11).parent
    with pytest.raises(FaceLibError, match="made with 60 pictures, here are 66"):
        train(recipe(more, epochs=0.5), tmp_path / "run", quiet=True, resume=True)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"num_classes": 4}, "--num-classes 4.*go up to 5.*--num-classes 6"),
        ({"batch": 64}, "60 pictures are fewer than one --batch 64"),
        ({"pre_trained": "none.pth"}, "none.pth: no such file"),
        ({"augmentation": "wild"}, "wild"),
        ({"train_list": "none.txt"}, "none.txt"),
    ],
)
def test_what_cannot_be_trained_on_is_said_before_the_first_step(changes, named, people, tmp_path):
    with pytest.raises(FaceLibError, match=named):
        train(recipe(people, **changes), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run" / "last.pt").exists()


def test_validation_with_too_few_pairs_asks_for_the_classes(people, tmp_path):
    few = [line for line in (people / "train.txt").read_text().splitlines() if "/0000_" in line]
    (tmp_path / "val.txt").write_text("\n".join(few))
    assert set(train(recipe(people, epochs=1, val_list=str(tmp_path / "val.txt")), tmp_path / "run", quiet=True)) == {
        "accuracy"
    }
    (tmp_path / "val.txt").write_text("\n".join(line.replace("n000000", "n000001") for line in few[:1]))
    with pytest.raises(FaceLibError, match="too few to judge by"):
        train(recipe(people, val_list=str(tmp_path / "val.txt")), tmp_path / "other", quiet=True)


def test_a_device_that_is_not_there(people, tmp_path):
    with pytest.raises(FaceLibError, match="device 'cuda:99' cannot be used"):
        train(recipe(people), tmp_path / "run", device="cuda:99", quiet=True)
