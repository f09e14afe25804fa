"""Face recognition, from a picture to a name: detect, align, embed, compare."""

from .alignment import TEMPLATE_112, align, estimate_similarity
from .detect import MTCNN
from .errors import FaceLibError
from .faces import Faces
from .image import load_image

__version__ = "0.1.0"

__all__ = [
    "MTCNN",
    "TEMPLATE_112",
    "FaceLibError",
    "Faces",
    "align",
    "estimate_similarity",
    "load_image",
]
