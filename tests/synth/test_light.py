"""Light and texture: the laws that shading follows, and the ranges that colours keep."""

import dataclasses

import pytest
import torch

from facelib.synth import People, lamps, sample_scene
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
    plain = scene.replace(exposure=1.0, white=1.0, contrast=0.0, monochrome=0, saturation=1.0, vignette=0.0)
    twice = plain.replace(light_colour=2 * plain.light_colour)
    melanin = torch.ones(1)
    assert torch.allclose(develop(light, plain, melanin), develop(2 * light, twice, melanin), atol=1e-5)


def test_a_fibre_shines_in_a_band_across_it(scene):
    """Its highlight does not care how the light is turned around it, but how along it."""
    normal, along = torch.tensor([[0.0, 0, 1]]), torch.tensor([[0.0, 1, 0]])

    def highlight(direction, strand):
        lamp = torch.tensor([direction] * 3)
        here = dataclasses.replace(surface(normal, shine=1.0), strand=strand)
        return float((shade(here, turned(lamp)) - shade(surface(normal), turned(lamp))).sum())

    def turned(lamp):
        return scene.replace(light_direction=lamp / lamp.norm(dim=1, keepdim=True))

    assert highlight([1.0, 0, 1.0], along) > 3 * highlight([1.0, 0, 1.0], None)
    assert highlight([0.0, 1.0, 1.0], along) < 0.5 * highlight([1.0, 0, 1.0], along)


def test_lamps_keep_their_promises():
    people = People(500, seed=3)
    who = people.identities(range(500))
    drawn = sample_scene(people.basis, who, torch.Generator().manual_seed(2))
    assert set(drawn.lighting.tolist()) == set(range(len(lamps.LIGHTINGS)))
    flash, sun, stage = (drawn.lighting == kind for kind in (lamps.FLASH, lamps.SUN, lamps.STAGE))
    assert drawn.light_direction[flash, 0, 2].min() > 0.9  # from where the camera is
    key = drawn.light_colour[:, 0].mean(1)
    assert key[sun].min() > key[flash].min() * 0.9 and drawn.ambient[stage].max() < 0.2
    assert drawn.backdrop_light[flash].max() < drawn.backdrop_light[sun].max()
    calm = sample_scene(people.basis, who, torch.Generator().manual_seed(2), hardness=0.0)
    assert set(calm.lighting.tolist()) == {lamps.EVERYDAY, lamps.SOFT}


def test_tone_curve_and_colour(scene):
    """An S keeps black and white and steepens the middle; no saturation, no colour; corners lose light."""
    light = (
        torch.linspace(0.01, 3, 64).view(1, 1, 8, 8).repeat(1, 3, 1, 1) * torch.tensor([1.0, 0.7, 0.5])[:, None, None]
    )
    plain = scene.replace(exposure=1.0, white=1.0, contrast=0.0, monochrome=0, saturation=1.0, vignette=0.0)
    melanin = torch.ones(1)
    flat, curved = develop(light, plain, melanin), develop(light, plain.replace(contrast=0.4), melanin)
    assert (curved[flat < 0.5] <= flat[flat < 0.5] + 1e-6).all() and (
        curved[flat > 0.5] >= flat[flat > 0.5] - 1e-6
    ).all()
    assert develop(light, plain.replace(saturation=0.0), melanin).std(1).max() < 1e-6
    even = torch.full((1, 3, 9, 9), 0.3)
    dimmed = develop(even, plain.replace(vignette=0.4), melanin)
    assert dimmed[0, 0, 4, 4] == develop(even, plain, melanin)[0, 0, 4, 4] > dimmed[0, 0, 0, 0]


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
