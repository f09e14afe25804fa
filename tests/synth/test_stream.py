"""Endless pictures: repeatable batch by batch, shared between processes, the people of the data sets."""

import itertools

import pytest
import torch

from facelib import FaceLibError
from facelib.synth import SPLITS, People, Stream


def take(stream, count):
    return list(itertools.islice(stream, count))


def test_batches_are_repeatable_and_differ():
    first, again = take(Stream(people=50, batch=4), 2), take(Stream(people=50, batch=4), 2)
    for a, b in zip(first, again, strict=True):
        assert (a.images == b.images).all() and (a.labels == b.labels).all()
    assert (first[0].images != first[1].images).any()
    assert first[0].images.dtype == torch.uint8 and first[0].images.shape == (4, 112, 112, 3)
    assert first[0].landmarks.shape == (4, 5, 2) and first[0].labels.dtype == torch.int64


def test_a_stopped_run_goes_on_and_processes_share_the_work():
    whole = take(Stream(people=50, batch=2), 4)
    resumed = take(Stream(people=50, batch=2, start=2), 2)
    assert all((a.images == b.images).all() for a, b in zip(whole[2:], resumed, strict=True))
    odd = take(Stream(people=50, batch=2, start=1, step=2), 2)
    assert all((a.images == b.images).all() for a, b in zip(whole[1::2], odd, strict=True))


def test_people_are_those_of_the_split(monkeypatch):
    asked = []
    identities = People.identities
    monkeypatch.setattr(People, "identities", lambda self, ids: asked.extend(ids.tolist()) or identities(self, ids))
    batch = Stream(people=7, batch=4, shots=2, split="test", seed=3).render(5)
    assert [k - SPLITS["test"] for k in asked] == batch.labels.tolist()
    assert batch.labels[0] == batch.labels[1] and batch.labels[2] == batch.labels[3]
    assert batch.labels.max() < 7


@pytest.mark.parametrize(
    "wrong", [{"batch": 5, "shots": 2}, {"batch": 0}, {"people": 0}, {"people": 2**40}, {"split": "dev"}]
)
def test_wrong_arguments_are_named(wrong):
    with pytest.raises(FaceLibError):
        Stream(**wrong)
