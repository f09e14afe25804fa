"""The recipes of book/heads.md run as they are printed, in order, on pictures of noise.

Where Lightning or timm is not installed, a stand-in offers the few names that the recipe uses, and nothing else.
"""

import importlib.util
import re
import sys
import types
from pathlib import Path

import pytest
import torch
from torch import nn

pytestmark = pytest.mark.course

PAGE = Path(__file__).resolve().parent.parent / "book" / "heads.md"
BLOCKS = {
    heading.strip(): re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for heading, text in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
}


class Module(nn.Module):
    def log(self, name, value):
        assert 0 <= value <= 1


class Trainer:
    def __init__(self, **options):
        assert set(options) <= {"max_epochs"}

    def fit(self, model, loader):
        optimizer = model.configure_optimizers()
        for number, batch in enumerate(loader):
            optimizer.zero_grad()
            model.training_step(batch, number).backward()
            optimizer.step()


def small_backbone(*_, num_classes=512):
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.PReLU(8), nn.Flatten(), nn.LazyLinear(num_classes)
    )


STAND_INS = {
    "lightning": {"LightningModule": Module, "Trainer": Trainer},
    "timm": {"create_model": small_backbone},
    "timm.optim": {"create_optimizer_v2": lambda groups, opt, lr, momentum: torch.optim.SGD(groups, lr, momentum)},
}
MANY = ("A sample of the people", "Centres on several processes")
MISSING = {name for name in ("lightning", "timm") if importlib.util.find_spec(name) is None}


@pytest.fixture
def names(monkeypatch, tmp_path):
    """What the page takes for granted."""
    monkeypatch.chdir(tmp_path)  # Lightning writes its log where it is run
    for name, content in STAND_INS.items():
        if name.split(".")[0] in MISSING:
            module = types.ModuleType(name)
            module.__dict__.update(content)
            monkeypatch.setitem(sys.modules, name, module)
            if "." in name:
                monkeypatch.setattr(sys.modules["timm"], name.split(".")[1], module, raising=False)
    torch.manual_seed(0)
    images, labels = torch.randn(12, 3, 32, 32), torch.arange(12) % 5
    data = torch.utils.data.TensorDataset(images, labels)
    backbone = small_backbone()
    backbone(images)
    return {"backbone": backbone, "loader": torch.utils.data.DataLoader(data, batch_size=6), "classes": 5}


def test_the_page_has_the_recipes():
    assert list(BLOCKS) == [
        "Plain PyTorch",
        "Rules that want more",
        "Wrong labels",
        "Very many people",
        "Lightning",
        "timm",
        "A sample of the people",
        "Centres on several processes",
    ]
    assert all(BLOCKS.values())


def test_plain_recipes(names):
    """One after the other, as a reader would type them: each changes the backbone, none makes it NaN."""
    before = names["backbone"][0].weight.clone()
    headings = (*("Plain PyTorch", "Rules that want more", "Wrong labels", "Very many people"), *MANY)
    for heading in headings:
        for block in BLOCKS[heading]:
            exec(compile(block, f"book/heads.md, {heading}", "exec"), names)
            assert names["loss"].isfinite()
    assert 0 <= names["accuracy"] <= 1
    assert not torch.equal(names["backbone"][0].weight, before)


@pytest.mark.parametrize("heading", ["Lightning", "timm"])
def test_recipes_for_other_loops(heading, names):
    before = {name: parameter.clone() for name, parameter in names["backbone"].named_parameters()}
    exec(compile(BLOCKS[heading][0], f"book/heads.md, {heading}", "exec"), names)
    if heading == "timm":
        assert names["loss"].isfinite()
    else:
        assert any(not torch.equal(p, before[name]) for name, p in names["backbone"].named_parameters())
