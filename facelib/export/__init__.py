"""Export: a trained network leaves Python as an ONNX file that says itself what it wants to see.

In three lines::

    from facelib import Embedder, export

    made = export.export_embedder("weights.safetensors", "face.onnx")     # or precision="float16", "int8"
    print(made.parity)                                                    # how far it is from the network it came from
    embed = Embedder.load("face.onnx")                                    # no preprocess= needed

A file is compared with its network before it gets its name: one that does not agree is never left behind. Lesson 14
derives what is done here.
"""

from .detectors import export_detector
from .embedders import Exported, export_embedder, faces
from .page import write_page
from .parity import LIMITS, Parity, parity

__all__ = ["LIMITS", "Exported", "Parity", "export_detector", "export_embedder", "faces", "parity", "write_page"]
