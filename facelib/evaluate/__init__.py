"""Judging embeddings: are two pictures of one person? How often the answer is right, and how sure that figure is."""

from .pairs import random_pairs
from .ranking import Curve
from .verify import Verification, cosine_scores, verification, verify_scores

__all__ = ["Curve", "Verification", "cosine_scores", "random_pairs", "verification", "verify_scores"]
