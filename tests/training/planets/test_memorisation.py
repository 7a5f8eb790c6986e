"""Copies are found, and what is like any other picture is no copy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines.worlds import WORLDS
from training.planets import memorisation
from training.planets.data import Pictures
from training.planets.memorisation import Comparison, Found, Space, as_vectors


def colours(pictures):
    """Features of a kind: the mean colours of the four quarters, (B, 12)."""
    return torch.nn.functional.adaptive_avg_pool2d(pictures, 2).flatten(1)


@pytest.fixture
def noise():
    """Forty pictures no two of which are alike."""
    pixels = torch.randint(
        0, 256, (40, 4, 16, 16), generator=torch.Generator().manual_seed(2), dtype=torch.uint8
    )
    return Pictures(pixels, torch.zeros(40, dtype=torch.long), tuple(f"mars/{n}" for n in range(40)), WORLDS)


def test_copies_and_their_mirror_images_are_found(noise):
    fresh = torch.randint(
        0, 256, (30, 4, 16, 16), generator=torch.Generator().manual_seed(3), dtype=torch.uint8
    )
    copies = torch.cat([noise.pixels[[7]], noise.pixels[[9]].flip(3)])
    comparison = Comparison(noise, colours)

    for found in comparison.of(torch.cat([fresh, copies])):
        assert found.indices[30:, 0].tolist() == [7, 9]
        assert found.distances[30:, 0].tolist() == [0.0, 0.0]
        assert sorted(np.argsort(found.closeness)[:2]) == [30, 31]
        assert found.summary()["nearer_than"]["0.01"] >= 2 / 32
        assert found.summary()["authentic"] <= 30 / 32
        assert (found.usual > 0).all()  # no picture is its own neighbour, nor its own mirror image
        assert all(len(set(row)) == 3 for row in found.indices.tolist())


def test_closeness_is_in_distances_of_the_training_picture_itself():
    """The real picture at 10 lies 9 from its nearest, so 3 away from it is nearer than usual."""
    real = np.array([[0.0], [1.0], [10.0], [30.0]])
    space = Space("numbers", real, real)
    distances, indices = space.near(np.array([[13.0], [-1.5]]))

    found = Found(space, distances, indices, space.among_real(), np.zeros(1))

    assert space.among_real().tolist() == [1, 1, 9, 20]
    assert indices.tolist() == [[2, 1, 0], [0, 1, 2]]
    assert found.closeness.tolist() == [3 / 9, 1.5]
    assert found.summary()["authentic"] == 0.5


def test_what_is_like_any_other_picture_is_no_copy(noise):
    """New noise lies as far from the pictures as they lie from each other."""
    fresh = torch.randint(
        0, 256, (400, 4, 16, 16), generator=torch.Generator().manual_seed(4), dtype=torch.uint8
    )

    for found in Comparison(noise, colours).of(fresh):
        summary = found.summary()
        assert summary["generated"]["0.5"] == pytest.approx(summary["real_to_other_real"]["0.5"], rel=0.2)
        assert summary["held_out_to_rest"]["0.5"] == pytest.approx(summary["generated"]["0.5"], rel=0.25)
        assert summary["nearer_than"]["0.05"] < 0.2


def test_large_pictures_are_compared_small():
    ramp = torch.arange(256, dtype=torch.uint8).view(1, 1, 1, 256).expand(1, 4, 256, 256)

    found = as_vectors(ramp).reshape(3, 64, 64)

    np.testing.assert_allclose(found[0, 0] * 255, np.arange(64) * 4 + 1.5, atol=1e-4)


def test_of_two_searches_each_picture_comes_once_by_its_nearer_side():
    near = np.array([[1.0, 4.0, 6.0]]), np.array([[5, 2, 7]])
    mirrored = np.array([[2.0, 3.0, 5.0]]), np.array([[5, 9, 2]])
    distances, indices = memorisation._merged(near, mirrored, 3)
    assert indices.tolist() == [[5, 9, 2]]
    assert distances.tolist() == [[1.0, 3.0, 4.0]]


def test_a_part_of_the_real_ones_is_measured_among_itself():
    real = np.array([[0.0], [1.0], [10.0], [30.0]])
    space = Space("numbers", real, real + 100)
    assert space.among_real(torch.tensor([0, 2, 3])).tolist() == [10, 10, 20]


def test_a_mirror_image_counts_as_a_picture_of_its_own_but_not_for_itself():
    real = np.array([[0.0], [10.0], [40.0]])
    mirrored = np.array([[0.5], [39.0], [41.0]])  # the second's lies beside the third
    assert Space("numbers", real, mirrored).among_real().tolist() == [10, 9.5, 1]


def test_a_sheet_shows_planets_above_what_they_are_nearest_to(noise):
    made = noise.pixels[[3, 8]]
    comparison = Comparison(noise, colours)
    sheet = np.asarray(comparison.sheet(made, comparison.of(made), columns=2))
    for copy in made[:, :3].permute(0, 2, 3, 1).numpy():
        begins = np.argwhere((sheet == copy[0, 0]).all(2))
        there = [(y, x) for y, x in begins if np.array_equal(sheet[y : y + 16, x : x + 16], copy)]
        # itself, and its original as the nearest by either space; then among the worst of either
        assert len(there) == 3 + 2 * 2
        assert len({x for _, x in there[:3]}) == 1
