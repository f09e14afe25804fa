"""Everything that differs between two pictures of one person: pose, mood, light, styling, place and camera."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from ..errors import FaceLibError

NO_GLASSES, GLASSES, SUNGLASSES = range(3)
NO_OCCLUDER, OBJECT, FACE_MASK = range(3)


@dataclass(frozen=True)
class Scene:
    """N pictures; every field is a tensor whose first dimension is N, and every field is metadata.

    yaw, pitch, roll : radians: to the right of the picture, up, counter-clockwise. body_turn: share of it the torso
        follows. gaze (N, 2): right and up. distance: camera to head in decimetres. face_size: height of the face as
        a share of a photo's height. centre (N, 2): where in the photo. landmark_error (N, 5, 2): by how much a
        detector would err, as a share of the eye distance; it moves aligned crops.
    mood, expression (N, 52), flush, gloss : mood, face units, redness and oiliness of the day.
    light_direction, light_colour (N, 3, 3) : key, fill and rim; ambient (N, 3); ground: light from below as a share
        of that from above; shadow: how dark the key light's shadows are. lighting: index into ``lamps.LIGHTINGS``,
        which the values were drawn for; backdrop_light: light behind the person as a share of that on them.
    hair_length ... lipstick_colour : styling; drape: azimuth in degrees from which long hair hangs.
    glasses, frame (N, 4), frame_colour; hat, hat_colour; occluder, occluder_shape (N, 6), occluder_colour.
    cloth (N, 3), neckline, stripes, collar, outfit: clothes.
    backdrop (N, 3), backdrop_coarse, backdrop_fine, backdrop_boxes, backdrop_mix (N, 4): place.
    exposure, white (N, 3), contrast, saturation, vignette, blur, motion (N, 2), detail, noise,
        quality, monochrome, grain (N, 2): camera.
    """

    yaw: Tensor
    pitch: Tensor
    roll: Tensor
    body_turn: Tensor
    gaze: Tensor
    distance: Tensor
    face_size: Tensor
    centre: Tensor
    landmark_error: Tensor
    mood: Tensor
    expression: Tensor
    flush: Tensor
    gloss: Tensor
    light_direction: Tensor
    light_colour: Tensor
    ambient: Tensor
    ground: Tensor
    shadow: Tensor
    lighting: Tensor
    backdrop_light: Tensor
    hair_length: Tensor
    hairline: Tensor
    recession: Tensor
    volume: Tensor
    parting: Tensor
    fringe: Tensor
    drape: Tensor
    hair_colour: Tensor
    tousle: Tensor
    beardiness: Tensor
    lipstick: Tensor
    lipstick_colour: Tensor
    glasses: Tensor
    frame: Tensor
    frame_colour: Tensor
    hat: Tensor
    hat_colour: Tensor
    occluder: Tensor
    occluder_shape: Tensor
    occluder_colour: Tensor
    cloth: Tensor
    neckline: Tensor
    stripes: Tensor
    collar: Tensor
    outfit: Tensor
    backdrop: Tensor
    backdrop_coarse: Tensor
    backdrop_fine: Tensor
    backdrop_boxes: Tensor
    backdrop_mix: Tensor
    exposure: Tensor
    white: Tensor
    contrast: Tensor
    saturation: Tensor
    vignette: Tensor
    blur: Tensor
    motion: Tensor
    detail: Tensor
    noise: Tensor
    quality: Tensor
    monochrome: Tensor
    grain: Tensor

    def __len__(self) -> int:
        return len(self.yaw)

    def __getitem__(self, rows: slice | Tensor) -> Scene:
        return Scene(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def to(self, device: str | torch.device) -> Scene:
        """The same scene on another device."""
        return Scene(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def replace(self, **values: Tensor | float) -> Scene:
        """A copy with some fields set, a number for all N alike: ``scene.replace(yaw=0.0, hat=0)``.

        Raises
        ------
        FaceLibError
            There is no such field, or the value is no finite number or does not have the field's shape.
        """
        known = {f.name: getattr(self, f.name) for f in fields(self)}
        for name, value in values.items():
            if name not in known:
                near = difflib.get_close_matches(name, known, 3)
                hint = f"did you mean {' or '.join(near)}?" if near else "help(facelib.synth.Scene) lists what it has"
                raise FaceLibError(f"a scene has no {name!r}; {hint}")
            known[name] = _filled(name, value, known[name])
        return Scene(**known)

    def metadata(self) -> dict[str, np.ndarray]:
        """Every value by name, as numpy arrays with N rows."""
        return {f.name: getattr(self, f.name).cpu().numpy() for f in fields(self)}


def _filled(name: str, value: Tensor | float, old: Tensor) -> Tensor:
    """A value for every picture, of the kind and shape of the old ones."""
    try:
        new = torch.as_tensor(value, dtype=old.dtype, device=old.device).expand_as(old).contiguous()
    except (TypeError, ValueError, RuntimeError) as error:
        shape = tuple(old.shape)
        raise FaceLibError(
            f"{name} must be one number or numbers of shape {shape}, a row a picture: {error}"
        ) from error
    if not new.isfinite().all():
        raise FaceLibError(f"{name} must be finite, not {value}")
    return new
