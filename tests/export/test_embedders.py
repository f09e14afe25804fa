"""Embedders as ONNX files: they answer alike, say what they want to see, and are not written if they do not."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from facelib import Embedder, Preprocess, synth
from facelib.backbones import create, save_weights
from facelib.errors import ExportError, WeightsError
from facelib.export import embedders, export_embedder, parity
from facelib.export.onnx_files import annotate, trace

NAME = "mobilefacenet-synth"
WANTS = Preprocess(size=32, colour="BGR", mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Weights of an untrained network with its own idea of a picture, batch statistics included."""
    torch.manual_seed(0)
    network = create("mobilefacenet", 16, 32)
    with torch.no_grad():
        network.train()(torch.randn(32, 3, 32, 32))
    file = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_weights(file, network.eval(), {"backbone": "mobilefacenet", "embedding": 16, "size": 32}, WANTS)
    return file


def test_the_shipped_network_leaves_and_comes_back(tmp_path, crops):
    made = export_embedder(NAME, tmp_path / "face.onnx", crops=crops)
    back = Embedder.load(tmp_path / "face.onnx")
    assert back.preprocess == Embedder.load(NAME).preprocess and back.name == "face"
    np.testing.assert_allclose(back(crops), Embedder.load(NAME)(crops), atol=1e-5)
    assert made.size == (tmp_path / "face.onnx").stat().st_size and made.parity.crops == 16
    assert made.parity.lowest > 0.999999 and made.parity.pairs < 1e-5


@pytest.mark.parametrize("count", [1, 3, 70])
def test_any_number_of_crops(small, tmp_path, crops, count):
    export_embedder(small, tmp_path / "x.onnx", crops=crops)
    many = np.resize(crops, (count, *crops.shape[1:]))
    np.testing.assert_allclose(Embedder.load(tmp_path / "x.onnx")(many), Embedder.load(small)(many), atol=1e-5)


def test_what_it_wants_to_see_travels(small, tmp_path, crops):
    export_embedder(small, tmp_path / "x.onnx", crops=crops)
    assert Embedder.load(tmp_path / "x.onnx").preprocess == WANTS
    said = Embedder.load(tmp_path / "x.onnx", Preprocess(size=32))
    assert said.preprocess == Preprocess(size=32)  # what is said aloud wins
    note = {entry.key: entry.value for entry in onnx.load(tmp_path / "x.onnx").metadata_props}["facelib"]
    assert json.loads(note) == {
        "name": "small",
        "precision": "float32",
        "preprocess": json.loads(json.dumps(WANTS.to_dict())),
    }


@pytest.mark.parametrize("backbone", ["iresnet18", "torchvision_mobilenet_v2", "timm:vit_tiny_patch16_224"])
def test_other_backbones(tmp_path, crops, backbone):
    torch.manual_seed(0)
    spec = {"backbone": backbone, "embedding": 32, "size": 64}
    save_weights(tmp_path / "x.safetensors", create(backbone, 32, 64).eval(), spec, Preprocess(size=64))
    made = export_embedder(tmp_path / "x.safetensors", tmp_path / "x.onnx", crops=crops)
    assert made.parity.lowest > 0.99999


def test_fewer_bits(tmp_path, crops):
    sizes, lowest = [], []
    for precision in ("float32", "float16", "int8"):
        made = export_embedder(NAME, tmp_path / f"{precision}.onnx", precision, calibration=crops[:8], crops=crops[8:])
        sizes.append(made.size)
        lowest.append(made.parity.lowest)
        note = {entry.key: entry.value for entry in onnx.load(made.file).metadata_props}["facelib"]
        assert json.loads(note)["precision"] == precision
    assert sizes[1] < 0.52 * sizes[0] and sizes[2] < 0.36 * sizes[0]
    assert lowest[0] > 0.999999 and lowest[1] > 0.9999 and 0.95 < lowest[2] < lowest[1]
    held = {weight.data_type for weight in onnx.load(tmp_path / "int8.onnx").graph.initializer if len(weight.dims) == 4}
    assert onnx.TensorProto.INT8 in held and onnx.TensorProto.FLOAT not in held
    scales = [w for w in onnx.load(tmp_path / "int8.onnx").graph.initializer if w.name.endswith("_scale")]
    assert sum(len(w.dims) == 1 and w.dims[0] > 1 for w in scales) >= 49  # of each convolution, one for each channel


def test_int8_measured_on_the_wrong_pictures_is_not_written(tmp_path, crops):
    black = np.zeros((4, 112, 112, 3), np.uint8)
    with pytest.raises(ExportError, match="does not agree with .*calibrate it on crops like those"):
        export_embedder(NAME, tmp_path / "x.onnx", "int8", calibration=black, crops=crops)
    assert list(tmp_path.iterdir()) == []


def test_an_onnx_file_becomes_smaller_or_gets_its_note(small, tmp_path, crops):
    export_embedder(small, tmp_path / "whole.onnx", crops=crops)
    bare = onnx.load(tmp_path / "whole.onnx")
    del bare.metadata_props[:]
    onnx.save(bare, tmp_path / "bare.onnx")
    with pytest.raises(WeightsError, match="does not say what its network wants to see"):
        export_embedder(tmp_path / "bare.onnx", tmp_path / "x.onnx", crops=crops)
    export_embedder(tmp_path / "bare.onnx", tmp_path / "said.onnx", crops=crops, preprocess=WANTS)
    assert Embedder.load(tmp_path / "said.onnx").preprocess == WANTS
    half = export_embedder(tmp_path / "whole.onnx", tmp_path / "half.onnx", "float16", crops=crops)
    assert half.size < 0.6 * (tmp_path / "whole.onnx").stat().st_size
    assert parity(Embedder.load(small), Embedder.load(half.file), crops).lowest > 0.999


def test_a_network_that_answers_otherwise_leaves_the_old_file(small, tmp_path, crops, monkeypatch):
    def spoiled(network, *rest):
        return trace(create("mobilefacenet", 16, 32), *rest)  # other weights

    (tmp_path / "x.onnx").write_bytes(b"the old one")
    monkeypatch.setattr(embedders, "trace", spoiled)
    with pytest.raises(ExportError, match=r"x\.onnx: not written; the float32 network does not agree with .*small"):
        export_embedder(small, tmp_path / "x.onnx", crops=crops)
    assert (tmp_path / "x.onnx").read_bytes() == b"the old one" and len(list(tmp_path.iterdir())) == 1


def test_a_damaged_note_is_named(small, tmp_path, crops):
    export_embedder(small, tmp_path / "x.onnx", crops=crops)
    model = onnx.load(tmp_path / "x.onnx")
    for note in ("{", '{"name": "x"}', '{"preprocess": {"size": 0}}', '{"preprocess": {"sice": 3}}'):
        model.metadata_props[-1].value = note
        onnx.save(model, tmp_path / "y.onnx")
        with pytest.raises(WeightsError, match=r"y\.onnx: its note .* is damaged"):
            Embedder.load(tmp_path / "y.onnx")


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("hog", ExportError, "no network to export"),
        ("face.pt", WeightsError, r"face\.pt: a \.safetensors file"),
        ("gone.safetensors", WeightsError, r"gone\.safetensors: no such file"),
        ("gone.onnx", WeightsError, r"gone\.onnx: no such file"),
    ],
)
def test_what_cannot_be_exported(tmp_path, source, error, message):
    with pytest.raises(error, match=message):
        export_embedder(source, tmp_path / "x.onnx")


def test_a_network_without_counterpart_is_named(small):
    class Odd(torch.nn.Module):
        def forward(self, x):
            return torch.linalg.eigvalsh(x @ x.mT)

    odd = Odd().train()
    with pytest.raises(ExportError, match="Odd cannot be written as ONNX"):
        trace(odd, torch.zeros(1, 3, 4, 4), "x", ["y"], {})
    assert odd.training  # put back


def test_a_network_in_training_is_written_as_in_use_and_stays_in_training():
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).train()
    network(torch.randn(9, 3, 5, 5) + 2)  # statistics that are not 0 and 1
    x = torch.randn(2, 3, 5, 5)
    session = onnxruntime.InferenceSession(trace(network, x, "x", ["y"], {}), providers=["CPUExecutionProvider"])
    assert network.training
    with torch.no_grad():
        np.testing.assert_allclose(session.run(None, {"x": x.numpy()})[0], network.eval()(x), atol=1e-5)


def test_a_note_replaces_ours_and_leaves_those_of_others(small, tmp_path, crops):
    export_embedder(small, tmp_path / "x.onnx", crops=crops)
    model = onnx.load(tmp_path / "x.onnx")
    model.metadata_props.add(key="author", value="somebody")
    twice = onnx.load_model_from_string(annotate(model.SerializeToString(), {"name": "new"}))
    notes = [(entry.key, entry.value) for entry in twice.metadata_props]
    assert sorted(notes) == [("author", "somebody"), ("facelib", '{"name": "new"}')]


def test_unknown_precision(tmp_path):
    with pytest.raises(ValueError, match="precision must be"):
        export_embedder(NAME, tmp_path / "x.onnx", "int4")


def test_calibration_and_comparison_are_of_different_people(monkeypatch):
    asked = []

    class Noted(synth.People):
        def __init__(self, count, seed, *rest):
            asked.append((count, seed))
            super().__init__(count, seed, *rest)

    monkeypatch.setattr(synth, "People", Noted)
    embedders.faces(1, seed=1), embedders.faces(1, seed=2)
    assert len({seed for _, seed in asked}) == 2


def test_default_faces_are_people_and_the_same_every_time():
    a, b = embedders.faces(3, seed=1), embedders.faces(3, seed=2)
    assert a.shape == (3, 112, 112, 3) and a.dtype == np.uint8
    np.testing.assert_array_equal(a, embedders.faces(3, seed=1))
    assert abs(a.astype(int) - b).mean() > 10
