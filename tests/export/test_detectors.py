"""The detector as three ONNX files: the same cascade with onnxruntime in place of torch."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from facelib import MTCNN, samples
from facelib.detect import networks
from facelib.errors import ExportError
from facelib.export import detectors, export_detector


class Session:
    """An ONNX file called as the torch network it stands for."""

    def __init__(self, file, size):
        self.session, self.size = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]), size

    def __call__(self, pixels):
        return tuple(torch.from_numpy(part) for part in self.session.run(None, {"pixels": pixels.numpy()}))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return export_detector(tmp_path_factory.mktemp("detector") / "new")


def test_the_cascade_finds_the_same_faces(files):
    assert [file.name for file in files] == ["pnet.onnx", "rnet.onnx", "onet.onnx"]
    ours = MTCNN()
    wanted = ours.detect(samples.astronaut())
    ours.pnet, ours.rnet, ours.onet = (Session(f, size) for f, size in zip(files, (12, 24, 48), strict=True))
    found = ours.detect(samples.astronaut())
    assert len(found) == len(wanted) == 1
    np.testing.assert_allclose(found.boxes, wanted.boxes, atol=1e-2)
    np.testing.assert_allclose(found.landmarks, wanted.landmarks, atol=1e-2)
    np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-4)


def test_files_say_what_they_want(files):
    for file, size in zip(files, (12, 24, 48), strict=True):
        model = onnx.load(file)
        onnx.checker.check_model(model)
        note = json.loads(next(entry.value for entry in model.metadata_props if entry.key == "facelib"))
        assert note == {"network": file.stem, "input": "(x - 127.5) / 128", "size": size, "colour": "RGB"}


def test_a_network_that_differs_is_not_written(tmp_path, monkeypatch):
    trace = detectors.trace

    def spoiled(network, *rest):
        with torch.no_grad():
            if isinstance(network, networks.RNet):
                network.box.bias += 0.001  # the file keeps it, the network does not
            model = trace(network, *rest)
            if isinstance(network, networks.RNet):
                network.box.bias -= 0.001
        return model

    monkeypatch.setattr(detectors, "trace", spoiled)
    with pytest.raises(ExportError, match=r"rnet: the ONNX file differs by 0\.001"):
        export_detector(tmp_path)
    assert not (tmp_path / "rnet.onnx").exists()
