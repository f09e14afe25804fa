"""Backbones: networks that turn aligned crops (N, 3, size, size) into embeddings (N, D), not yet of length 1.

    network = facelib.backbones.create("iresnet50", embedding=512)

Most end alike, in a block that makes an embedding of a feature map: batch normalisation, dropout, one linear layer,
batch normalisation (Deng et al. 2019, section 3.1). What stands before it is a matter of taste and budget:
``facelib bench backbones`` prints weights, operations and milliseconds of each on your machine.
"""

from .adapters import EmbeddingBlock
from .create import ALIASES, NAMES, create
from .iresnet import IResNet
from .mobilefacenet import MobileFaceNet
from .weights import load_network, load_weights, save_weights

__all__ = [
    "ALIASES",
    "NAMES",
    "EmbeddingBlock",
    "IResNet",
    "MobileFaceNet",
    "create",
    "load_network",
    "load_weights",
    "save_weights",
]
