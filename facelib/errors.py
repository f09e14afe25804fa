"""Every error the package raises on purpose: what was wrong, with which file, and what to do about it."""


class FaceLibError(ValueError):
    """Base class: ``except FaceLibError`` catches everything that facelib reports about its input."""


class ImageError(FaceLibError):
    """A picture that cannot be read: missing, empty, truncated, not a picture, too large."""


class LandmarkError(FaceLibError):
    """Landmarks from which no alignment follows: wrong shape, not finite, or all in one point."""


class WeightsError(FaceLibError):
    """Network weights that are missing or do not fit the network."""


class ExportError(FaceLibError):
    """A network that cannot be exported, or whose exported file does not answer as it does."""
