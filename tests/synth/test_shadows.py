"""Soft shadow maps on a scene whose shadows are known."""

import torch

from facelib.synth.shadows import visibility

# A large floor at z = 0, and a small plate above its middle.
FLOOR = torch.tensor([[-2.0, -2, 0], [2, -2, 0], [2, 2, 0], [-2, 2, 0]])
PLATE = torch.tensor([[-0.5, -0.5, 1], [0.5, -0.5, 1], [0.5, 0.5, 1], [-0.5, 0.5, 1]])
PROBES = torch.tensor([[0.0, 0, 0], [1.5, 0, 0], [0, 0, 1.0]])
FACES = torch.tensor([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])


def test_the_plate_shadows_what_is_below_it(device):
    vertices = torch.cat([FLOOR, PLATE, PROBES])[None].repeat(2, 1, 1).to(device)
    slanted = torch.tensor([1.5, 0, 1]) / 3.25**0.5
    directions = torch.stack([torch.tensor([0.0, 0, 1]), slanted]).to(device)
    with torch.device("meta"):  # nothing may be made on a default device
        lit = visibility(vertices, FACES.to(device), directions)
    assert lit[0, -3:].tolist() == [0, 1, 1]
    assert lit[1, -3:].tolist() == [1, 1, 1]  # from the side the plate's shadow falls at x = -1.5
