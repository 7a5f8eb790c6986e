"""Connected things, and values between pixels."""

from __future__ import annotations

import numpy as np

from training.planets.preparing.raster import components, sample


def test_connected_things_touch_at_corners_and_join_late():
    mask = np.array([[1, 0, 1, 0, 0], [1, 0, 1, 0, 1], [0, 1, 0, 0, 0], [0, 0, 0, 0, 1]], dtype=bool)

    labels, sizes = components(mask)

    assert sorted(sizes.tolist()) == [1, 1, 5]
    assert labels[0, 0] == labels[0, 2] == labels[2, 1] != 0
    assert np.array_equal(labels > 0, mask)


def test_nothing_is_connected_in_nothing():
    labels, sizes = components(np.zeros((3, 4), dtype=bool))
    assert not labels.any()
    assert len(sizes) == 0
    labels, sizes = components(np.ones((3, 4), dtype=bool))
    assert (labels == 1).all()
    assert sizes.tolist() == [12]


def test_each_thing_has_the_size_that_its_label_has():
    mask = np.random.default_rng(0).random((40, 50)) < 0.35
    labels, sizes = components(mask)
    assert np.array_equal(np.bincount(labels.ravel())[1:], sizes)
    # no neighbour of another name, in any of the eight directions
    for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
        a = labels[: 40 - down, max(0, -across) : 50 - max(0, across)]
        b = labels[down:, max(0, across) : 50 + min(0, across)]
        both = (a > 0) & (b > 0)
        assert (a[both] == b[both]).all()


def test_a_value_is_that_of_its_pixel_s_middle_and_between_two_in_between():
    values = np.array([[0.0, 10.0], [20.0, 30.0]])
    x, y = np.array([0.5, 1.5, 1.0, 1.0]), np.array([0.5, 1.5, 0.5, 1.0])
    assert sample(values, x, y).tolist() == [0, 30, 5, 15]


def test_beyond_the_border_it_goes_on():
    values = np.array([[0.0, 10.0], [20.0, 30.0]])
    assert sample(values, np.array([-5.0, 9.0]), np.array([-5.0, 1.5])).tolist() == [0, 30]
    assert sample(np.array([[7.0]]), np.array([3.0]), np.array([-3.0])).tolist() == [7]


def test_channels_are_kept_apart():
    values = np.arange(12.0).reshape(2, 2, 3)
    found = sample(values, np.array([[1.0]]), np.array([[1.0]]))
    assert found.shape == (1, 1, 3)
    assert found[0, 0].tolist() == [4.5, 5.5, 6.5]
