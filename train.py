"""The familiar entry point: ``python train.py ...`` is ``facelib train ...``."""

import sys

from facelib.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]], prog_name="facelib")
