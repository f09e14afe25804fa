"""Judging embeddings: are two pictures of one person? How often the answer is right, and how sure that figure is."""

from .identify import Identification, identification
from .ijb import Ijb, read_ijb, read_landmarks, read_media, read_pairs, read_subjects
from .pairs import random_pairs
from .ranking import Curve
from .templates import TemplateVerification, pool, template_identification, template_verification
from .verify import Verification, cosine_scores, verification, verify_scores

__all__ = [
    "Curve",
    "Identification",
    "Ijb",
    "TemplateVerification",
    "Verification",
    "cosine_scores",
    "identification",
    "pool",
    "random_pairs",
    "read_ijb",
    "read_landmarks",
    "read_media",
    "read_pairs",
    "read_subjects",
    "template_identification",
    "template_verification",
    "verification",
    "verify_scores",
]
