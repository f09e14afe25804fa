"""Known people: enrol them once, then ask whose face a new picture shows, if it is anybody's."""

from .calibration import Calibration
from .people import Gallery
from .person import Enrolled

__all__ = ["Calibration", "Enrolled", "Gallery"]
