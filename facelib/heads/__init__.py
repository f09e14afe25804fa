"""Heads: the class centres of training. They turn embeddings into cosines, to which a margin and cross-entropy follow::

    head = facelib.CosineClassifier(512, classes)
    margin = facelib.ArcFace(s=64, m=0.5)

    cosine = head(embeddings)                                  # (B, classes)
    loss = F.cross_entropy(margin(cosine, labels), labels)
    accuracy = facelib.clean_accuracy(cosine, labels)          # of the cosines: the margin would make it look near 0

and, where (B, classes) does not fit into memory, the same numbers in blocks of classes::

    loss, accuracy = facelib.chunked_cross_entropy(embeddings, head.weight, labels, margin)

With very many people two more: ``PartialFC`` takes a sample of the classes in each step, and ``ShardedClassifier``
shares the classes out among processes.

A head is needed in training only. Recognition compares embeddings with each other.
"""

from .chunked import BlockwiseCosine, chunked_cross_entropy
from .classifiers import LENGTH, CosineClassifier, LinearClassifier, SubCenter, clean_accuracy
from .optimiser import by_rows, parameter_groups
from .partial import PartialFC, draw_classes
from .sharded import ShardedClassifier, sharded_cross_entropy

__all__ = [
    "LENGTH",
    "BlockwiseCosine",
    "CosineClassifier",
    "LinearClassifier",
    "PartialFC",
    "ShardedClassifier",
    "SubCenter",
    "by_rows",
    "chunked_cross_entropy",
    "clean_accuracy",
    "draw_classes",
    "parameter_groups",
    "sharded_cross_entropy",
]
