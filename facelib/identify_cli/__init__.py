"""The commands ``facelib identify enrol | search | list | remove``. Heavy imports wait inside them."""

from __future__ import annotations

import click

from .enrolling import enrol
from .opening import CONSENT
from .people import list_, remove
from .searching import search


@click.group(epilog=CONSENT)
def identify() -> None:
    """Whose face is this? Enrol people once, then look for them in new pictures.

    A gallery is one file: names, an embedding for each picture, and the threshold above which a face is known.

    \b
        facelib identify enrol people.npz photos/ --model mobilefacenet-synth --calibrate 0.01
        facelib identify search people.npz party.jpg
        facelib identify list people.npz
        facelib identify remove people.npz Ada
    """


for command in (enrol, search, list_, remove):
    identify.add_command(command)
