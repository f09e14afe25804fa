"""The same pictures from any container give the same run: loose files, a record file, a packed folder, shards."""

import tarfile
from pathlib import Path

import pytest
import torch

from facelib.data import open_source, pack
from facelib.train import checkpoint, train
from facelib.train.log import read_log
from tests.data.records import insightface, write_records
from tests.train.helpers import PEOPLE, SHOTS, recipe


@pytest.fixture(scope="module")
def containers(people: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Kind -> file or folder with the pictures of ``people``, in the order of the list."""
    folder = tmp_path_factory.mktemp("containers")
    loose = open_source(people / "train.txt", people)
    pictures = [bytes(loose.read(k)) for k in range(len(loose))]
    pack(loose, folder / "packed", part=25)
    with tarfile.open(folder / "people.tar", "w") as shard:
        for k in range(len(loose)):
            file = people / loose.name(k)
            label = folder / "label"
            label.write_text(str(loose.labels[k]))
            shard.add(file, f"{k:06d}.png")
            shard.add(label, f"{k:06d}.cls")
    return {
        "list": people / "train.txt",
        ".rec": write_records(folder / "train.rec", insightface(pictures, [SHOTS] * PEOPLE)),
        "packed": folder / "packed",
        "WebDataset": folder / "people.tar",
    }


def test_a_container_changes_no_weight_and_no_figure(containers, people, tmp_path):
    runs = {}
    for kind, where in containers.items():
        how = recipe(people, train_list=str(where), val_list=str(where), augmentation="mild", num_classes=PEOPLE)
        figures = train(how, tmp_path / kind, quiet=True)
        losses = [row["loss"] for row in read_log(tmp_path / kind) if "loss" in row]
        runs[kind] = figures["verification"], losses, checkpoint.load(tmp_path / kind / "last.pt")["model"]
    verification, losses, weights = runs["list"]
    assert verification > 0.6 and len(losses) >= 2
    for kind, (figure, others, model) in runs.items():
        assert figure == verification and others == losses, kind
        assert all(torch.equal(weights[name], model[name]) for name in weights), kind
