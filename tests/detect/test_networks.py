import sys

import facenet_pytorch
import pytest
import torch

from facelib.detect import ONet, PNet, RNet, load_weights, networks
from facelib.errors import WeightsError


@pytest.mark.parametrize("network, theirs", [(PNet, "PNet"), (RNet, "RNet"), (ONet, "ONet")])
def test_same_answers_as_the_original_networks(network, theirs):
    original = getattr(facenet_pytorch.models.mtcnn, theirs)()
    x = torch.rand(4, 3, network.size, network.size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        ours, expected = load_weights(network())(x), original(x)
    torch.testing.assert_close(ours[0].flatten(), expected[-1][:, 1].flatten(), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(ours[1].flatten(), expected[0].flatten(), atol=1e-6, rtol=1e-5)
    if network is ONet:
        x_first, y_first = expected[1][:, :5], expected[1][:, 5:]
        torch.testing.assert_close(ours[2], torch.stack([x_first, y_first], 2), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("network, weights", [(PNet, 6_632), (RNet, 100_178), (ONet, 389_040)])
def test_docstrings_state_the_number_of_weights(network, weights):
    assert sum(p.numel() for p in network().parameters()) == weights
    assert f"{weights:,} weights" in network.__doc__


def test_loaded_networks_are_frozen_and_in_inference_mode():
    network = load_weights(RNet())
    assert not network.training and not any(p.requires_grad for p in network.parameters())


def test_weights_are_found_without_importing_the_package():
    import subprocess

    code = "import sys, facelib; facelib.MTCNN(); assert 'facenet_pytorch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_missing_package_missing_file_and_wrong_file_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(networks, "weights_folder", lambda: tmp_path)
    with pytest.raises(WeightsError, match=r"pnet\.pt: cannot be read"):
        load_weights(PNet())
    torch.save(RNet().state_dict(), tmp_path / "pnet.pt")
    with pytest.raises(WeightsError, match="does not hold the weights of PNet"):
        load_weights(PNet())
    monkeypatch.undo()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(WeightsError, match="pip install"):
        networks.weights_folder()


def test_weight_files_cannot_run_code(monkeypatch, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({"weight": Bomb()}, tmp_path / "pnet.pt")
    monkeypatch.setattr(networks, "weights_folder", lambda: tmp_path)
    with pytest.raises(WeightsError):
        load_weights(PNet())
    assert not (tmp_path / "ran").exists()
