"""The running mean of weights: by hand, and a network that can be used from the first epoch on."""

import torch

from facelib.train import train
from facelib.train.distributed import World
from facelib.train.loop import Run
from facelib.train.pictures import deal
from facelib.train.state import ema_decay
from tests.train.helpers import recipe


def test_it_follows_quickly_at_first_and_slowly_later():
    assert ema_decay(0.999, 0) == 0.1
    assert ema_decay(0.999, 8) == 0.5
    assert ema_decay(0.999, 100_000) == 0.999 and ema_decay(0.9, 1000) == 0.9
    left = 1.0  # of the weights at step 300, after 3,000 steps
    for step in range(301, 3000):
        left *= ema_decay(0.9999, step)
    assert left < 1e-6


def test_it_is_the_mean_by_hand(people, tmp_path):
    run = Run(recipe(people, ema=0.6), tmp_path / "run", World(0, 1, torch.device("cpu")), False, 0, False, False, True)
    loader = deal(run.source, run.recipe, run.order, 0, run.place)
    mean: dict[str, torch.Tensor] = {}
    for step in range(6):
        run.update([next(loader)])
        now = {name: value.clone() for name, value in run.state.model.state_dict().items()}
        kept = min(0.6, (1 + step) / (10 + step))
        if step == 0:
            mean = now
        else:
            mean = {
                name: kept * mean[name] + (1 - kept) * value if value.is_floating_point() else value
                for name, value in now.items()
            }
        run.state.step += 1
    for name, value in run.state.judged.state_dict().items():
        torch.testing.assert_close(value, mean[name], rtol=1e-5, atol=1e-6)
    run.log.close()


def test_the_mean_of_a_short_run_is_a_network(people, tmp_path):
    """With a decay of 0.999 from the start it would be next to untrained after 42 steps."""
    plain = train(recipe(people, epochs=6), tmp_path / "plain", quiet=True)
    mean = train(recipe(people, epochs=6, ema=0.999), tmp_path / "mean", quiet=True)
    assert mean["verification"] > 0.9 and mean["verification"] > plain["verification"] - 0.1
