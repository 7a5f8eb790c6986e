"""Planet n of a seed is the same for ever."""

from __future__ import annotations

import numpy as np
import pytest

from engines.planets.latents import planets_of
from engines.planets.spec import PlanetsParams, encode_latent
from engines.worlds import WORLDS


def test_the_numbers_of_a_seed_never_change():
    """Computed once by hand from the definition; a change here changes everybody's planets."""
    # given
    planet = planets_of(PlanetsParams(first=7), seed=42)[0]
    # then
    assert planet.latent[:4].tolist() == pytest.approx([0.652499, -0.643222, 0.725365, -0.290459], abs=1e-6)
    assert planet.mix() == {"mercury": 1.0}


def test_a_planet_does_not_depend_on_how_many_are_made_nor_from_where():
    # given
    many = planets_of(PlanetsParams(count=9), seed=5)
    # when
    alone = planets_of(PlanetsParams(first=6), seed=5)[0]
    # then
    assert alone.number == many[6].number == 6
    assert np.array_equal(alone.latent, many[6].latent)
    assert np.array_equal(alone.worlds, many[6].worlds)


def test_latents_are_standard_normal_and_worlds_evenly_drawn():
    planets = planets_of(PlanetsParams(count=64), 1) + planets_of(PlanetsParams(count=64), 2**63 - 1)
    values = np.stack([planet.latent for planet in planets])
    assert abs(values.mean()) < 0.03
    assert abs(values.std() - 1.0) < 0.03
    assert abs(np.corrcoef(values[:, :64].ravel(), values[:, 64:].ravel())[0, 1]) < 0.04
    assert np.stack([planet.worlds for planet in planets]).sum(0).min() >= 2


def test_a_mix_counts_by_its_proportions():
    small, large = (
        planets_of(PlanetsParams(world={"earth": 0.6 * k, "mars": 0.4 * k}), 1)[0] for k in (1, 100)
    )
    assert small.mix() == large.mix() == {"earth": 0.6, "mars": 0.4}
    assert small.worlds.sum() == pytest.approx(1.0)


def test_a_named_world_keeps_the_latent_of_any():
    assert np.array_equal(
        planets_of(PlanetsParams(world="venus"), 3)[0].latent, planets_of(PlanetsParams(), 3)[0].latent
    )


def test_a_morph_alternates_between_its_two_worlds():
    params = PlanetsParams(world="earth", morph="webp", morph_to="mars", count=4, morph_seconds=1)
    assert [list(planet.mix()) for planet in planets_of(params, 1)] == [["earth"], ["mars"]] * 2


def test_a_given_latent_is_used_as_it_is():
    original = planets_of(PlanetsParams(world="sun"), 9)[0]
    text = encode_latent([float(value) for value in original.latent])
    again = planets_of(PlanetsParams(latent=text, world="moon"), 1)[0]
    assert again.number is None
    assert np.array_equal(again.latent, original.latent)
    assert again.mix() == {"moon": 1.0}


def test_the_grain_of_a_planet_never_changes():
    """Games keep seeds for years: these numbers are a promise."""
    noise = planets_of(PlanetsParams(seed=1), 1)[0].code(1.0, 6).noise
    assert noise.tolist() == pytest.approx(
        [1.50879, 0.453314, -0.629226, -1.589981, -0.642758, 1.630576], abs=1e-5
    )


def test_grain_belongs_to_the_latent_alone():
    # given
    planet, other = planets_of(PlanetsParams(count=2), 9)
    text = encode_latent([float(value) for value in planet.latent])
    again = planets_of(PlanetsParams(latent=text, world="moon"), 1)[0]
    # then
    noise = planet.code(1.0, 21_504).noise
    assert np.array_equal(again.code(0.5, 21_504).noise, noise)
    assert np.array_equal(planet.code(1.0, 5120).noise, noise[:5120])  # a smaller net's begins a larger one's
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1.0) < 0.02
    assert abs(np.corrcoef(noise, other.code(1.0, 21_504).noise)[0, 1]) < 0.03


def test_variation_scales_the_latent_alone():
    planet = planets_of(PlanetsParams(), 4)[0]
    assert planet.code(0.5, 4).latent == pytest.approx(planet.latent / 2)
    assert not planet.code(0.0, 4).latent.any()


def test_every_world_is_where_its_index_says():
    for index, world in enumerate(WORLDS):
        assert planets_of(PlanetsParams(world=world), 1)[0].worlds[index] == 1.0
