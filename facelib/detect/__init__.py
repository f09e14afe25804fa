"""Find: from a picture to boxes and landmarks, by a cascade of three small networks."""

from .mtcnn import MTCNN, Candidates
from .networks import ONet, PNet, RNet, load_weights

__all__ = ["MTCNN", "Candidates", "ONet", "PNet", "RNet", "load_weights"]
