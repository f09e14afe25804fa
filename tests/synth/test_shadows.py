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


def test_a_grazed_ball_has_no_patches():
    """Everything that faces the light is lit and the far side is not."""
    from facelib.synth.geometry import neighbours, vertex_normals

    rows, columns = torch.meshgrid(torch.arange(40.0), torch.arange(80.0), indexing="ij")
    down, around = (rows + 0.5) / 40 * torch.pi, columns / 80 * 2 * torch.pi
    ball = torch.stack([down.sin() * around.sin(), down.cos(), down.sin() * around.cos()], -1).view(-1, 3)
    i, j = (t.reshape(-1) for t in torch.meshgrid(torch.arange(39), torch.arange(80), indexing="ij"))
    a, b = i * 80 + j, i * 80 + (j + 1) % 80
    faces = torch.cat([torch.stack([a, a + 80, b + 80], 1), torch.stack([a, b + 80, b], 1)])
    towards = torch.tensor([[0.6, 0.3, 0.74]])
    towards = towards / towards.norm()
    normals = vertex_normals(ball[None], faces, neighbours(faces, len(ball)))
    cosine = (normals[0] @ towards[0])[80:-80]
    lit = visibility(ball[None], faces, towards, normals)[0, 80:-80]
    assert (lit[cosine > 0.05] == 1).all()
    assert (lit[cosine < -0.5] == 0).float().mean() > 0.99  # some light comes in at the open poles
