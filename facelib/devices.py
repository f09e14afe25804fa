"""Devices by name, tried before anything is put on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import FaceLibError

if TYPE_CHECKING:
    import torch


def usable(device: str | torch.device) -> torch.device:
    """The device, after a try; "cuda" alone is its first.

    Raises
    ------
    FaceLibError
        There is no such device here.
    """
    import torch

    try:
        found = torch.device("cuda:0" if device == "cuda" else device)
        torch.zeros(1, device=found)
    except (RuntimeError, AssertionError) as error:  # the latter where PyTorch was built without CUDA
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FaceLibError(
            f"device {str(device)!r} cannot be used here ({reason}); `facelib doctor` lists the devices, cpu always"
            " works"
        ) from error
    return found
