import math

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from skimage.feature import hog

from facelib import Embedder, FaceLibError, Preprocess
from facelib.errors import ImageError, WeightsError

CROPS = np.random.default_rng(0).integers(0, 256, (5, 112, 112, 3), dtype=np.uint8)


def mean_colour_network(path, batch):
    """An ONNX file whose embedding is the mean of each channel."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, 8, 8])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 3])
    axes = helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3])
    node = helper.make_node("ReduceMean", ["x", "axes"], ["y"], keepdims=0)
    graph = helper.make_graph([node], "mean", [x], [y], [axes])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def test_preprocess_by_hand():
    spec = Preprocess(size=112, colour="BGR", mean=(0.1, 0.2, 0.3), std=(1, 2, 4))
    out = spec(CROPS)
    assert out.shape == (5, 3, 112, 112) and out.dtype == np.float32
    assert out[2, 0, 7, 9] == pytest.approx((CROPS[2, 7, 9, 2] / 255 - 0.1) / 1, abs=1e-6)
    assert out[2, 2, 7, 9] == pytest.approx((CROPS[2, 7, 9, 0] / 255 - 0.3) / 4, abs=1e-6)


def test_preprocess_default_spans_minus_one_to_one_and_resizes():
    out = Preprocess(size=56)(np.full((1, 112, 112, 3), 255, np.uint8))
    assert out.shape == (1, 3, 56, 56) and (out == 1).all()
    assert Preprocess()(np.zeros((0, 112, 112, 3), np.uint8)).shape == (0, 3, 112, 112)
    assert Preprocess(**Preprocess(size=64).to_dict()) == Preprocess(size=64)


@pytest.mark.parametrize("crops", [CROPS[0], CROPS.astype(np.float32), CROPS[..., :1], CROPS.transpose(0, 3, 1, 2)])
def test_preprocess_refuses_what_is_no_crop(crops):
    with pytest.raises(ImageError, match="expected uint8"):
        Preprocess()(crops)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"colour": "RBG"}, "colour 'RBG'"),
        *[({"size": size}, f"size {size!r}: expected pixels from 1 to 4096") for size in (0, 10**6, 2.5, "x")],
        *[({"mean": x}, "mean .*three finite") for x in ("abc", "5", (1, 2), (0, math.inf, 0), (10**400,) * 3)],
        *[({"std": x}, "std .*three finite numbers above 0") for x in ((1, 0, 1), (math.nan,) * 3, (1, -1, 1), None)],
        ({"std": (1, 1, 1e-60)}, "above 0"),  # nothing is left of it in float32
    ],
)  # fmt: skip
def test_preprocess_refuses_nonsense(options, named):
    with pytest.raises(FaceLibError, match=named):
        Preprocess(**options)
    with pytest.raises(FaceLibError, match=named):
        Preprocess.from_dict(Preprocess().to_dict() | options)


def test_preprocess_takes_any_kind_of_number():
    for one in (0.5, (0.5,), [np.float32(0.5)]):
        assert Preprocess(mean=one, std=one) == Preprocess()
    for three in ([0.5, 0.25, 1], np.array([0.5, 0.25, 1]), (np.float32(0.5), 0.25, 1)):
        np.testing.assert_array_equal(
            Preprocess(mean=three, std=three)(CROPS), Preprocess(112, "RGB", (0.5, 0.25, 1), (0.5, 0.25, 1))(CROPS)
        )
    assert Preprocess(size=np.int64(64)).size == 64


@pytest.mark.parametrize("values", [None, [112], {"size": 112, "scale": 2}])
def test_what_is_no_description_of_a_network_is_refused(values):
    with pytest.raises(FaceLibError, match="expected no other names than colour, detector"):
        Preprocess.from_dict(values)


def test_hog_is_the_descriptor_of_scikit_image_at_unit_length():
    vectors = Embedder.load("hog")(CROPS)
    assert vectors.shape == (5, 1764) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    grey = (CROPS[1].astype(np.float32) / 255).transpose(2, 0, 1).mean(0)
    expected = hog(grey, orientations=9, pixels_per_cell=(14, 14), cells_per_block=(2, 2))
    # Rounding decides which of two bins a gradient on their border counts for: a few cells may differ a little.
    assert vectors[1] @ expected / np.linalg.norm(expected) > 0.9999


@pytest.mark.parametrize("batch", [1, 3, "n"])
def test_onnx_with_fixed_and_free_batch(tmp_path, batch):
    path = mean_colour_network(tmp_path / "mean.onnx", batch)
    embed = Embedder.load(path, Preprocess(size=8, mean=(0, 0, 0), std=(1, 1, 1)))
    vectors = embed(CROPS[:3, :8, :8])
    expected = CROPS[:3, :8, :8].reshape(3, -1, 3).mean(1)
    np.testing.assert_allclose(vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-5)
    assert embed.name == "mean"


def test_more_crops_than_one_batch_and_none():
    embed = Embedder.load("hog")
    many = np.repeat(CROPS, 14, axis=0)  # 70 > 64
    np.testing.assert_array_equal(embed(many), np.repeat(embed(CROPS), 14, axis=0))
    assert embed(CROPS[:0]).shape == (0, 1764)


def test_a_black_crop_gives_no_nan():
    assert np.isfinite(Embedder.load("hog")(np.zeros((1, 112, 112, 3), np.uint8))).all()


def test_what_cannot_be_loaded_is_explained(tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"not a network")
    network = mean_colour_network(tmp_path / "mean.onnx", 1)
    for source, spec, fault in [
        ("resnet", None, "neither a known.*file$"),
        (tmp_path / "last.pt", None, "neither a known.*give weights.safetensors"),
        (tmp_path / "none.onnx", Preprocess(), "no such file"),
        (tmp_path / "broken.onnx", Preprocess(), "cannot read"),
        (network, None, "preprocess="),
    ]:
        with pytest.raises(WeightsError, match=fault) as error:
            Embedder.load(source, spec)
        assert str(source) in str(error.value)
