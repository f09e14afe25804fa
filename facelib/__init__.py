"""Face recognition, from a picture to a name: detect, align, embed, compare."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import (
        alignment,
        backbones,
        checks,
        data,
        detect,
        errors,
        evaluate,
        export,
        faces,
        gallery,
        heads,
        image,
        margins,
        plot,
        records,
        samples,
        synth,
        train,
    )
    from .alignment import TEMPLATE_112, align, estimate_similarity
    from .detect import MTCNN
    from .embedder import Embedder
    from .errors import FaceLibError
    from .faces import Faces
    from .gallery import Gallery
    from .heads import (
        CosineClassifier,
        LinearClassifier,
        PartialFC,
        ShardedClassifier,
        SubCenter,
        chunked_cross_entropy,
        clean_accuracy,
        sharded_cross_entropy,
    )
    from .image import load_image
    from .margins import (
        AdaFace,
        ArcFace,
        Combined,
        CosFace,
        CurricularFace,
        MagFace,
        NormFace,
        Softmax,
        SphereFace,
        UniFace,
    )
    from .preprocess import Preprocess

__version__ = "0.1.0"

# Where each public name lives. Modules are imported when first used, so that `facelib --help` need not wait for torch.
_HOME = {
    "AdaFace": "margins",
    "ArcFace": "margins",
    "Combined": "margins",
    "CosFace": "margins",
    "CosineClassifier": "heads",
    "CurricularFace": "margins",
    "Embedder": "embedder",
    "FaceLibError": "errors",
    "Faces": "faces",
    "Gallery": "gallery",
    "LinearClassifier": "heads",
    "MTCNN": "detect",
    "MagFace": "margins",
    "NormFace": "margins",
    "PartialFC": "heads",
    "Preprocess": "preprocess",
    "ShardedClassifier": "heads",
    "Softmax": "margins",
    "SphereFace": "margins",
    "SubCenter": "heads",
    "TEMPLATE_112": "alignment",
    "UniFace": "margins",
    "align": "alignment",
    "chunked_cross_entropy": "heads",
    "clean_accuracy": "heads",
    "estimate_similarity": "alignment",
    "load_image": "image",
    "sharded_cross_entropy": "heads",
}
_MODULES = (
    "alignment",
    "backbones",
    "checks",
    "data",
    "detect",
    "errors",
    "evaluate",
    "export",
    "faces",
    "gallery",
    "heads",
    "image",
    "margins",
    "plot",
    "records",
    "samples",
    "synth",
    "train",
)

__all__ = [
    "MTCNN",
    "TEMPLATE_112",
    "AdaFace",
    "ArcFace",
    "Combined",
    "CosFace",
    "CosineClassifier",
    "CurricularFace",
    "Embedder",
    "FaceLibError",
    "Faces",
    "Gallery",
    "LinearClassifier",
    "MagFace",
    "NormFace",
    "PartialFC",
    "Preprocess",
    "ShardedClassifier",
    "Softmax",
    "SphereFace",
    "SubCenter",
    "UniFace",
    "align",
    "alignment",
    "backbones",
    "checks",
    "chunked_cross_entropy",
    "clean_accuracy",
    "data",
    "detect",
    "errors",
    "estimate_similarity",
    "evaluate",
    "export",
    "faces",
    "gallery",
    "heads",
    "image",
    "load_image",
    "margins",
    "plot",
    "records",
    "samples",
    "sharded_cross_entropy",
    "synth",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    elif name in _MODULES:
        value = importlib.import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module 'facelib' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
