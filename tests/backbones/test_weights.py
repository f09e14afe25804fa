"""Weight files: insightface's names, half precision, wrong networks named, nothing half loaded."""

import json
import pickle

import pytest
import torch

from facelib.backbones import IResNet, MobileFaceNet, create, load_network, load_weights
from facelib.errors import WeightsError


def published(counts, embedding=512, size=112):
    """Names and shapes of insightface's backbone.pth, written down from the layout and not from our modules."""

    def norm(name, channels):
        return {
            f"{name}.weight": (channels,), f"{name}.bias": (channels,), f"{name}.running_mean": (channels,),
            f"{name}.running_var": (channels,), f"{name}.num_batches_tracked": (),
        }  # fmt: skip

    shapes = {"conv1.weight": (64, 3, 3, 3), "prelu.weight": (64,), **norm("bn1", 64)}
    inside = 64
    for layer, (count, outside) in enumerate(zip(counts, (64, 128, 256, 512), strict=True), 1):
        for k in range(count):
            at = f"layer{layer}.{k}"
            shapes |= norm(f"{at}.bn1", inside) | norm(f"{at}.bn2", outside) | norm(f"{at}.bn3", outside)
            shapes[f"{at}.conv1.weight"] = (outside, inside, 3, 3)
            shapes[f"{at}.conv2.weight"] = (outside, outside, 3, 3)
            shapes[f"{at}.prelu.weight"] = (outside,)
            if k == 0:
                shapes[f"{at}.downsample.0.weight"] = (outside, inside, 1, 1)
                shapes |= norm(f"{at}.downsample.1", outside)
            inside = outside
    side = size // 16
    shapes |= norm("bn2", 512) | norm("features", embedding)
    return shapes | {"fc.weight": (embedding, 512 * side * side), "fc.bias": (embedding,)}


def random_weights(shapes, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.tensor(7) if name.endswith("tracked") else (torch.rand(shape, generator=generator) + 0.1).to(dtype)
        for name, shape in shapes.items()
    }


@pytest.mark.parametrize("depth", [18, 34, 50, 100])
def test_names_and_shapes_of_insightface(depth):
    counts = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3)}[depth]
    with torch.device("meta"):
        ours = {name: tuple(value.shape) for name, value in IResNet(depth).state_dict().items()}
    assert ours == published(counts)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_published_file_loads_key_for_key(dtype, prefix, tmp_path):
    weights = random_weights(published((2, 2, 2, 2), 32, 32), dtype)
    torch.save({prefix + name: value for name, value in weights.items()}, tmp_path / "backbone.pth")
    network = IResNet(18, 32, 32)
    load_weights(network, tmp_path / "backbone.pth")
    state = network.state_dict()
    assert all(torch.equal(state[name], value.to(state[name].dtype)) for name, value in weights.items())
    assert state["conv1.weight"].dtype == torch.float32


def test_safetensors(tmp_path):
    from safetensors.torch import save_file

    one, two = MobileFaceNet(16, 32), MobileFaceNet(16, 32)
    save_file(one.state_dict(), tmp_path / "a.safetensors")
    load_weights(two, tmp_path / "a.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


@pytest.mark.parametrize(
    ("network", "counts", "named"),
    [
        ("iresnet34", (2, 2, 2, 2), "it fits --backbone iresnet18 with an embedding of 32 and crops of 32 pixels"),
        ("iresnet18", (3, 4, 6, 3), "it fits --backbone iresnet34"),
        ("torchvision_resnet50", (2, 2, 2, 2), "it fits --backbone iresnet18"),
    ],
)
def test_the_wrong_network_is_named_and_nothing_is_loaded(network, counts, named, tmp_path):
    torch.save(random_weights(published(counts, 32, 32)), tmp_path / "b.pth")
    network = create(network, 32, 32)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(WeightsError, match=named):
        load_weights(network, tmp_path / "b.pth")
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_another_embedding_is_a_shape(tmp_path):
    torch.save(IResNet(18, 32, 32).state_dict(), tmp_path / "b.pth")
    with pytest.raises(WeightsError, match="of another shape 6.*embedding of 32"):
        load_weights(IResNet(18, 16, 32), tmp_path / "b.pth")


class Harmful:
    def __reduce__(self):
        return print, ("run",)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "not a file of weights"),
        (b"\x80\x02garbage", "not a file of weights"),
        (pickle.dumps(Harmful(), 2), "not a file of weights"),
        ({"epoch": 3, "note": "x"}, "a dictionary with 'epoch', 'note'"),
        ([1, 2], "found a list"),
    ],
)
def test_a_file_that_is_no_file_of_weights(content, named, tmp_path, capsys):
    file = tmp_path / "b.pth"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        torch.save(content, file)
    with pytest.raises(WeightsError, match=named) as caught:
        load_weights(MobileFaceNet(16, 32), file)
    assert "b.pth" in str(caught.value)
    assert "weights_only" not in str(caught.value), "advice to run what is inside"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("load", [load_network, lambda file: load_weights(MobileFaceNet(16, 32), file)])
def test_a_missing_file_and_a_folder(load, tmp_path):
    with pytest.raises(WeightsError, match="none.pth: no such file"):
        load(tmp_path / "none.pth")
    with pytest.raises(WeightsError, match="is a folder; give the file"):
        load(tmp_path)


SAID = {"network": {"backbone": "mobilefacenet", "embedding": 8, "size": 32}, "preprocess": {"size": 32}}


def without(name):
    return {"network": {key: value for key, value in SAID["network"].items() if key != name}}


@pytest.mark.parametrize(
    ("odd", "named"),
    [
        *[(without(name), f"KeyError: '{name}'.*load_weights takes its weights alone") for name in SAID["network"]],
        *[({"preprocess": {name: "x"}}, f"{name} 'x': expected") for name in ("mean", "std", "size", "colour")],
        ({"preprocess": {"std": [0.5, 0, 0.5]}}, "three finite numbers above 0"),
        ({"preprocess": {"size": 10**6}}, "size 1000000: expected pixels from 1 to 4096"),
        ({"preprocess": {"scale": 2}}, "no other names"),
        ({"preprocess": 3}, "no other names"),
        ({"network": 3}, "TypeError"),
        ({"network": SAID["network"] | {"embedding": 10**12}}, "RuntimeError.*memory"),
        ({"network": SAID["network"] | {"size": "x"}}, "TypeError"),
        ({"network": SAID["network"] | {"backbone": "none"}}, "no backbone"),
        ({"network": SAID["network"] | {"backbone": 3}}, "AttributeError"),
    ],
)
def test_a_file_that_says_odd_things_of_its_network_is_named(odd, named, tmp_path):
    from safetensors.torch import save_file

    file = tmp_path / "a.safetensors"
    save_file(MobileFaceNet(8, 32).state_dict(), file, {"facelib": json.dumps(SAID)})
    assert load_network(file)[1].size == 32
    for about, said in ((SAID | odd, named), ([], "does not say which network"), (3, "does not say which network")):
        save_file(MobileFaceNet(8, 32).state_dict(), file, {"facelib": json.dumps(about)})
        with pytest.raises(WeightsError, match=f"a.safetensors: .*{said}"):
            load_network(file)
