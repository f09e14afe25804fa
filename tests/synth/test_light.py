"""Light and texture: the laws that shading follows, and the ranges that colours keep."""

import pytest
import torch

from facelib.synth import People, sample_scene
from facelib.synth import noise as textures
from facelib.synth.camera import develop, jpeg
from facelib.synth.light import Surface, shade


@pytest.fixture
def scene():
    people = People(3)
    drawn = sample_scene(people.basis, people.identities([0]), torch.Generator().manual_seed(0))
    light = torch.zeros(3, 3)
    light[0] = 1.0  # one white key light from the front
    direction = torch.tensor([[0.0, 0, 1]] * 3)
    return drawn.replace(light_colour=light, light_direction=direction, ambient=0.0, shadow=1.0, distance=1e4)


def surface(normal, flesh=0.0, lit=1.0, openness=1.0, shine=0.0):
    one = torch.ones(1)
    albedo, place = torch.tensor([[0.5, 0.4, 0.3]]), torch.zeros(1, 3)
    return Surface(albedo, normal, place, torch.zeros(1, dtype=torch.int64), openness * one, lit * one, shine * one,
                   20 * one, flesh * one)  # fmt: skip


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.0, 1.5, 2.0])
def test_lamberts_law(scene, angle):
    angle = torch.tensor(angle)
    normal = torch.stack([angle.sin(), 0 * angle, angle.cos()])[None]
    expected = torch.tensor([0.5, 0.4, 0.3]) * angle.cos().clamp(min=0)
    assert torch.allclose(shade(surface(normal), scene)[0], expected, atol=1e-5)


def test_red_creeps_around_the_edge_of_flesh(scene):
    red, _, blue = shade(surface(torch.tensor([[1.0, 0, 0]]), flesh=1.0), scene)[0]
    assert red > 2 * blue > 0


def test_shadow_keeps_the_key_light_away(scene):
    ahead = torch.tensor([[0.0, 0, 1]])
    assert shade(surface(ahead, lit=0.0, shine=1.0), scene).abs().max() < 1e-6
    assert shade(surface(ahead, shine=1.0), scene).min() > shade(surface(ahead), scene).min()


def test_exposure_follows_the_light(scene):
    """Twice the light on a face and twice the exposure time less: the same picture."""
    light = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.5
    plain = scene.replace(exposure=1.0, white=1.0, contrast=0.0, monochrome=0)
    twice = plain.replace(light_colour=2 * plain.light_colour)
    melanin = torch.ones(1)
    assert torch.allclose(develop(light, plain, melanin), develop(2 * light, twice, melanin), atol=1e-5)


def test_textures_tile_and_are_standardised():
    place = torch.rand(20_000, 2, generator=torch.Generator().manual_seed(1))
    channels = list(range(8))
    values = textures.sample(channels, place[:, 0], place[:, 1])
    assert values.mean(0).abs().max() < 0.06
    assert (values.std(0) < 1.1).all() and (values.std(0) > 0.6).all()  # looking up between texels smooths a little
    again = textures.sample(channels, place[:, 0] + 3, place[:, 1] - 2)
    assert torch.allclose(values, again, atol=2e-2)


def test_jpeg_loses_more_at_lower_quality():
    picture = torch.rand(2, 3, 50, 43, generator=torch.Generator().manual_seed(0)) * 255
    coded = jpeg(picture, torch.tensor([10.0, 98.0]))
    assert coded.shape == picture.shape and coded.min() >= 0 and coded.max() <= 255
    low, high = (coded - picture).abs().mean((1, 2, 3))
    assert low > high
