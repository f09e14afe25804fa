"""Runs that end in the middle of a validation, by a kill or by Ctrl-C, and what they say of it."""

import os
import shutil
import signal

import numpy as np
import pytest

from facelib import FaceLibError
from facelib.train import checkpoint as checkpoints
from facelib.train import train, validate
from facelib.train.checkpoint import BEST, LAST
from facelib.train.log import Log, read_log
from facelib.train.loop import Run
from facelib.train.pictures import batches
from facelib.train.stopping import listening
from tests.train.helpers import SIZE, recipe
from tests.train.test_loop import Stop, same, start

PER_EPOCH = 3
SAID = "stopping after this step; Ctrl-C again stops at once"


def plan(people, **changes):
    return recipe(people, batch=20, **changes)


def figures(folder):
    """Steps and figures of all validations in the log, none left out and none twice."""
    rows = [{k: v for k, v in row.items() if k == "step" or k.startswith("validation")} for row in read_log(folder)]
    return [row for row in rows if len(row) > 1]


def assert_same_run(one, other):
    """The logs' figures, both checkpoints but for the time they took, and the network."""
    assert figures(one) == figures(other)
    for name in (LAST, BEST):
        first, second = (checkpoints.load(folder / name) for folder in (one, other))
        assert same(first["model"], second["model"]) and str(first["optimizer"]) == str(second["optimizer"])
        assert all(first[key] == second[key] for key in ("step", "best", "validated")), name
    assert (one / "weights.safetensors").read_bytes() == (other / "weights.safetensors").read_bytes()


@pytest.fixture(scope="module")
def whole(people, tmp_path_factory):
    """A run of two epochs that nobody disturbs."""
    folder = tmp_path_factory.mktemp("whole")
    train(plan(people), folder, quiet=True)
    return folder


def at_call(function, number, happens):
    """The function, but that something happens in a call of this number."""
    count = [0]

    def changed(*args, **options):
        count[0] += 1
        if count[0] == number:
            happens()
        return function(*args, **options)

    return changed


def dies():
    raise Stop


def interrupts():
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_kill_in_the_validation_loses_nothing(epoch, people, whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(validate.Validation, "__call__", at_call(validate.Validation.__call__, epoch, dies))
        with pytest.raises(Stop):
            train(plan(people), tmp_path / "run", quiet=True)
    assert checkpoints.load(tmp_path / "run" / LAST)["step"] == PER_EPOCH * epoch
    train(plan(people), tmp_path / "run", quiet=True, resume=True)
    assert_same_run(whole, tmp_path / "run")


@pytest.mark.parametrize("number", [2, 3, 5])
def test_a_kill_while_its_results_are_written_neither(number, people, whole, tmp_path, monkeypatch):
    """Of an epoch's writes, last.pt, best.pt and last.pt again, it dies in the second or third."""
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save", at_call(checkpoints.save, number, dies))
        with pytest.raises(Stop):
            train(plan(people), tmp_path / "run", quiet=True)
    train(plan(people), tmp_path / "run", quiet=True, resume=True)
    assert_same_run(whole, tmp_path / "run")


@pytest.mark.parametrize("epoch", [1, 2])
def test_ctrl_c_in_the_validation_leaves_it_to_the_next_sitting(epoch, people, whole, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(validate, "batches", at_call(batches, epoch, interrupts))
        with pytest.raises(KeyboardInterrupt):
            train(plan(people), tmp_path / "run", quiet=True)
    assert capsys.readouterr().err.count(SAID) == 1
    assert len(figures(tmp_path / "run")) == epoch - 1 and not (tmp_path / "run" / "run.json").exists()
    train(plan(people), tmp_path / "run", quiet=True, resume=True)
    assert_same_run(whole, tmp_path / "run")


@pytest.mark.parametrize("step", [PER_EPOCH, 2 * PER_EPOCH])
def test_ctrl_c_in_the_last_step_of_an_epoch_does_not_wait_for_the_validation(
    step, people, whole, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(Run, "update", at_call(Run.update, step, interrupts))
        with pytest.raises(KeyboardInterrupt):
            train(plan(people), tmp_path / "run", quiet=True)
    assert len(figures(tmp_path / "run")) == step // PER_EPOCH - 1
    assert checkpoints.load(tmp_path / "run" / LAST)["step"] == step
    train(plan(people), tmp_path / "run", quiet=True, resume=True)
    assert_same_run(whole, tmp_path / "run")


def test_without_a_validation_the_last_step_is_the_end(people, tmp_path, monkeypatch):
    monkeypatch.setattr(Run, "_validation", lambda self: None)
    monkeypatch.setattr(Run, "update", at_call(Run.update, 2 * PER_EPOCH, interrupts))
    assert train(plan(people), tmp_path / "run", quiet=True) == {}
    assert (tmp_path / "run" / "run.json").exists()


def test_ctrl_c_is_heard_and_a_second_one_stops_at_once(people, tmp_path, monkeypatch, capsys):
    saved = []
    monkeypatch.setattr(Run, "update", at_call(Run.update, 2, lambda: (interrupts(), interrupts())))
    monkeypatch.setattr(Run, "save", lambda self: saved.append(self.state.step))
    with pytest.raises(KeyboardInterrupt):
        train(plan(people), tmp_path / "run", quiet=True)
    assert capsys.readouterr().err.count(SAID) == 1 and not saved


def test_a_checkpoint_of_before_is_not_validated_again(people, whole, tmp_path, monkeypatch):
    """Those of earlier versions were written after the validation, and do not say so."""
    for name in (BEST, LAST):
        content = checkpoints.load(whole / name)
        assert content.pop("validated") == content["step"], name
    checkpoints.save(tmp_path / LAST, content)
    run = start(plan(people, epochs=3), tmp_path, resume=True)
    assert run.ended and not run.due
    run.log.close()


def test_the_log_forgets_a_validation_that_is_still_due(tmp_path):
    log = Log(tmp_path, 0)
    for step, name in ((7, "loss"), (7, "validation auc"), (14, "loss"), (14, "validation auc"), (15, "loss")):
        log.write(step, {name: 1.0})
    log.close()
    Log(tmp_path, 14, due=True).close()
    assert [row["step"] for row in read_log(tmp_path)] == [7, 7, 14]


def test_the_bar_says_that_validation_is_going_on(people, tmp_path, capsys):
    train(plan(people, epochs=1), tmp_path / "run")
    assert "validating" in capsys.readouterr().err


class Ears:
    """Pictures that show who hears Ctrl-C and SIGTERM."""

    labels = np.zeros(4, np.int64)

    def __len__(self):
        return 4

    def image(self, index):
        heard = [signal.getsignal(signal.SIGINT) == signal.SIG_IGN, signal.getsignal(signal.SIGTERM) == signal.SIG_DFL]
        return np.full((SIZE, SIZE, 3), sum(heard), np.uint8)


def test_processes_that_read_pictures_leave_ctrl_c_to_the_run(people, tmp_path):
    """It reaches all of them; and the run's own answer to it, which a fork takes along, is not theirs to give."""
    run = start(plan(people), tmp_path / "run")
    with listening(run):
        images = [images for images, _, _ in batches(Ears(), SIZE, None, 2, 2, False)]
    run.log.close()
    assert all((part == 2).all() for part in images)


def test_a_damaged_checkpoint_names_the_remedy_and_the_remedy_works(people, tmp_path):
    how, run = plan(people, schedule="constant"), tmp_path / "run"
    train(how, run, quiet=True)
    whole = (run / LAST).read_bytes()
    (run / LAST).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        FaceLibError, match=r"last.pt: damaged.*copy best.pt.* over it, or begin anew with another --out"
    ):
        train(how, run, quiet=True, resume=True)
    shutil.copy(run / BEST, run / LAST)
    train(how.but(epochs=3), run, quiet=True, resume=True)
    train(how.but(epochs=3), tmp_path / "other", quiet=True)
    assert_same_run(tmp_path / "other", run)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"\x80\x02nonsense"])
def test_a_damaged_checkpoint_alone(damage, tmp_path):
    (tmp_path / LAST).write_bytes(damage)
    with pytest.raises(
        FaceLibError, match=r"last.pt: damaged, or no checkpoint \(\w+\); begin anew with another --out"
    ):
        checkpoints.load(tmp_path / LAST)


def test_as_many_classes_as_there_are_may_be_said_or_not(people, tmp_path):
    train(plan(people, epochs=0.5, num_classes=6), tmp_path / "run", quiet=True)
    train(plan(people, epochs=0.5), tmp_path / "run", quiet=True, resume=True)
    with pytest.raises(FaceLibError, match="made with 6 classes, here are 8.*--num-classes"):
        train(plan(people, epochs=0.5, num_classes=8), tmp_path / "run", quiet=True, resume=True)
