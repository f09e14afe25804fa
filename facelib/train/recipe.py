"""A recipe: everything that decides what comes out of a training run, and nothing that only decides how fast."""

from __future__ import annotations

import dataclasses
import difflib
import sys
import typing
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ..errors import FaceLibError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

METRICS = (
    *("softmax", "normface", "sphereface", "cosface", "arcface", "combined"),
    *("adaface", "magface", "curricularface", "uniface"),
)
GROUPS = ("data", "network", "margin", "training")


def entry(default: Any, group: str, text: str, choices: tuple[str, ...] = (), least: float | None = None) -> Any:
    """A field of the recipe with what its option says of it."""
    return field(default=default, metadata={"group": group, "help": text, "choices": choices, "least": least})


@dataclass(frozen=True)
class Recipe:
    """Settings of a training run; ``facelib train --help`` explains each.

    Raises
    ------
    FaceLibError
        For a value that cannot be.
    """

    train_list: str = entry("synth:mini", "data",
        "List file, or whatever facelib.data.open_source knows; synth:mini and other presets; synth:20000x24: so many"
        " people drawn as they are needed, 24 pictures of each in an epoch.")  # fmt: skip
    val_list: str = entry("", "data", "The same for validation: people of the training, or others.")
    dataset_root: str = entry("", "data", "Folder that the paths in the lists are relative to.")
    num_classes: int = entry(0, "data", "Number of people in training; 0: as many as there are.", least=0)
    augmentation: str = entry("flip", "data", "Preset of facelib.data.augment.")
    size: int = entry(112, "data", "Side of the crops in pixels.", least=16)

    backbone: str = entry("iresnet50", "network", 'Network; `facelib bench backbones` lists them; "timm:" and a name.')
    embedding: int = entry(512, "network", "Numbers in an embedding.", least=1)
    dropout: float = entry(0.0, "network", "Share of features dropped before the linear layer.", least=0)
    pre_trained: str = entry("", "network", "File of weights to start from, such as insightface's backbone.pth.")

    metric: str = entry("arcface", "margin", "Margin of the loss.", METRICS)
    scale: float = entry(0.0, "margin", "The scale s of the logits; 0: the margin's own default.", least=0)
    margin: float = entry(0.0, "margin", "The margin m; 0: the margin's own default.", least=0)
    margin_warmup: float = entry(0.0, "margin", "Epochs in which the margin grows from 0 to m.", least=0)
    gradient: str = entry("exact", "margin", "Of the margin; see facelib.margins.", ("exact", "detached"))
    sub_centers: int = entry(1, "margin", "Centres for each person, of which the nearest counts.", least=1)
    head: str = entry("whole", "margin", "Classes that a step looks at: all; all, each process at its own, a block at a"
                      " time; or those of the batch and a share (--rate) of the others, as PartialFC does.",
                      ("whole", "sharded", "partial"))  # fmt: skip
    rate: float = entry(0.1, "margin", "Share of the classes in a step, for --head partial.", least=0)
    label_smoothing: float = entry(0.0, "margin", "Share of the target given to all classes alike.", least=0)

    epochs: float = entry(20.0, "training", "How often each picture is shown.", least=0)
    batch: int = entry(128, "training", "Pictures in a step, on all processes together.", least=2)
    accumulate: int = entry(1, "training", "Parts in which a process works a batch off, to save memory.", least=1)
    optimizer: str = entry("sgd", "training", "How weights move.", ("sgd", "adamw"))
    lr: float = entry(0.1, "training", "Learning rate at its highest, for this batch.", least=0)
    momentum: float = entry(0.9, "training", "Of SGD.", least=0)
    weight_decay: float = entry(5e-4, "training", "Not applied to biases, normalisation and slopes.", least=0)
    schedule: str = entry("polynomial", "training", "How the rate falls.", ("polynomial", "cosine", "step", "constant"))
    power: float = entry(1.0, "training", "Of the polynomial; 1 falls in a line.", least=0)
    milestones: tuple[float, ...] = entry((), "training", "Epochs at which the step schedule takes a tenth.")
    warmup: float = entry(0.0, "training", "Epochs in which the rate rises to its highest.", least=0)
    clip: float = entry(5.0, "training", "Longest gradient of the network; 0: any.", least=0)
    ema: float = entry(0.0, "training", "Decay of the running mean of weights, such as 0.9995; 0: none.", least=0)
    precision: str = entry("fp32", "training", "Arithmetic of the network; the head stays in fp32.",
                           ("fp32", "bf16", "fp16"))  # fmt: skip
    recompute: bool = entry(False, "training", "Keep less for the backward pass and compute it again.")
    seed: int = entry(0, "training", "Of weights, order, augmentation and dropout.", least=0)

    def __post_init__(self) -> None:
        for item in fields(self):
            value, limit = getattr(self, item.name), item.metadata["least"]
            choices = item.metadata["choices"]
            if choices and value not in choices:
                raise FaceLibError(f"{option(item.name)} {value}: choose {', '.join(choices)}")
            if limit is not None and not value >= limit:
                raise FaceLibError(f"{option(item.name)} {value}: must be at least {limit:g}")
        if max(self.dropout, self.label_smoothing, self.ema) >= 1:
            raise FaceLibError("--dropout, --label-smoothing and --ema must be below 1")
        if self.epochs <= 0 or self.lr <= 0:
            raise FaceLibError("--epochs and --lr must be above 0")
        if not 0 < self.rate <= 1:
            raise FaceLibError(f"--rate {self.rate}: must be above 0 and at most 1")
        if self.batch % self.accumulate:
            raise FaceLibError(
                f"--batch {self.batch} cannot be worked off in --accumulate {self.accumulate} equal parts"
            )

    def but(self, **changes: Any) -> Recipe:
        """The same with some settings changed."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; ``from_dict`` reads them back."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(self).items()}


def option(name: str) -> str:
    """Name of a setting on the command line."""
    return "--" + name.replace("_", "-")


def from_dict(values: dict[str, Any], where: str = "recipe") -> Recipe:
    """A recipe from plain values, each of the right kind.

    Raises
    ------
    FaceLibError
        For a name that no recipe has, or a value of another kind.
    """
    kinds = typing.get_type_hints(Recipe)
    made: dict[str, Any] = {}
    for name, value in values.items():
        if name not in kinds:
            near = difflib.get_close_matches(name, kinds, 1)
            raise FaceLibError(f"{where}: no setting {name!r}" + (f"; did you mean {near[0]}?" if near else ""))
        made[name] = _converted(value, kinds[name], f"{where}: {name}")
    return Recipe(**made)


def read_recipe(file: str | Path) -> Recipe:
    """A recipe from a TOML file. Its tables, [data], [network], [margin] and [training], only group the settings.

    Raises
    ------
    FaceLibError
        The file is missing, no TOML, or holds a setting that no recipe has.
    """
    path = Path(file)
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise FaceLibError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FaceLibError(f"{path}: no TOML ({error})") from error
    flat: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, dict):
            if name not in GROUPS:
                raise FaceLibError(f"{path}: no table [{name}]; choose {', '.join(GROUPS)}")
            flat |= value
        else:
            flat[name] = value
    return from_dict(flat, str(path))


def write_recipe(recipe: Recipe) -> str:
    """The recipe as TOML, every setting named."""
    lines = []
    for group in GROUPS:
        lines.append(f"[{group}]")
        for item in fields(recipe):
            if item.metadata["group"] == group:
                lines.append(f"{item.name} = {_toml(getattr(recipe, item.name))}")
        lines.append("")
    return "\n".join(lines)


def _converted(value: Any, kind: Any, where: str) -> Any:
    if typing.get_origin(kind) is tuple:
        if isinstance(value, (list, tuple)) and all(isinstance(v, (int, float)) for v in value):
            return tuple(float(v) for v in value)
        raise FaceLibError(f"{where} = {value!r}: expected a list of numbers")
    accepted = (int, float) if kind is float else (kind,)
    if isinstance(value, accepted) and (kind is bool or not isinstance(value, bool)):
        return kind(value)
    raise FaceLibError(f"{where} = {value!r}: expected {kind.__name__}")


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return repr(value)
