"""Face recognition, from a picture to a name: detect, align, embed, compare."""

from .alignment import TEMPLATE_112, align, estimate_similarity
from .detect import MTCNN
from .embedder import Embedder
from .errors import FaceLibError
from .faces import Faces
from .image import load_image
from .preprocess import Preprocess

__version__ = "0.1.0"

__all__ = [
    "MTCNN",
    "TEMPLATE_112",
    "Embedder",
    "FaceLibError",
    "Faces",
    "Preprocess",
    "align",
    "estimate_similarity",
    "load_image",
]
