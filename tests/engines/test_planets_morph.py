"""The way from planet to planet."""

from __future__ import annotations

import numpy as np
import pytest

from engines.planets import morph
from engines.planets.latents import Code, planets_of
from engines.planets.spec import PlanetsParams


def way(params: PlanetsParams, seed: int, frames: int) -> tuple[list[Code], Code]:
    """The planets of a job, and the frames of the way through them, one below the other."""
    stops = [planet.code(1.0, 64) for planet in planets_of(params, seed)]
    return stops, Code(*map(np.stack, zip(*morph.path(stops, frames), strict=True)))


@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_way_passes_every_planet_and_closes(count):
    # when
    params = PlanetsParams(world="any", morph="webp", count=count, morph_seconds=1)
    stops, found = way(params, 3, 24 * count)
    # then
    assert found.latent.shape == (24 * count, 128)
    for place, stop in enumerate(stops):
        for of_frames, of_stop in zip(found, stop, strict=True):
            assert of_frames[24 * place] == pytest.approx(of_stop, abs=1e-5)
    assert found.worlds.sum(1) == pytest.approx(1.0)
    for values in (found.latent, found.noise):
        steps = np.linalg.norm(np.diff(values, axis=0, append=values[:1]), axis=1)
        assert steps.max() < 3 * np.median(steps)  # no jump, not at the seam either


def test_latents_and_noise_on_the_way_are_as_long_as_those_at_its_ends():
    stops, found = way(PlanetsParams(morph="webp"), 8, 48)
    for values, ends in ((found.latent, [s.latent for s in stops]), (found.noise, [s.noise for s in stops])):
        lengths = np.linalg.norm(values, axis=1)
        assert min(map(np.linalg.norm, ends)) - 1e-3 <= lengths.min()
        assert lengths.max() <= max(map(np.linalg.norm, ends)) + 1e-3


@pytest.mark.parametrize("count", [2, 3, 64])
def test_no_two_planets_of_a_way_are_the_same_however_little_they_differ(count):
    """So the way stands still nowhere, at its seam neither: even without variation the grain differs."""
    params = PlanetsParams(
        world="mars", morph_to="mars", morph="webp", count=count, morph_seconds=0.25, morph_fps=4
    )
    codes = [planet.code(0.0, 64) for planet in planets_of(params, 5)]
    assert len({code.noise.tobytes() for code in codes}) == count


@pytest.mark.parametrize("variation", [0.0, 1.0])
def test_a_way_between_equal_planets_stands_still(variation):
    code = planets_of(PlanetsParams(), 1)[0].code(variation, 64)
    for frame in morph.path([code, code], 8):
        for value, end in zip(frame, code, strict=True):
            assert value == pytest.approx(end, abs=1e-5)
