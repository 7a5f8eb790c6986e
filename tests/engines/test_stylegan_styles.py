"""Seeds, classes and mixed styles -> what a network draws from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines.stylegan import styles
from engines.stylegan.config import GeneratorConfig
from tests.engines.stylegan_networks import random_generator

CPU = torch.device("cpu")


def config(**settings: object) -> GeneratorConfig:
    return GeneratorConfig(**({"c_dim": 0, "img_resolution": 64, "img_channels": 3, "z_dim": 16} | settings))


def test_a_seed_is_numpy_s_as_everybody_s_is():
    found = styles.origin(7, config(), None)
    expected = np.random.RandomState(7).randn(1, 16)[0].astype(np.float32)
    assert np.array_equal(found.z, expected)
    assert (found.seed, len(found.label), found.class_index()) == (7, 0, None)


def test_a_seed_of_more_than_32_bits_is_two_numbers():
    found = styles.origin((3 << 32) + 5, config(), None).z
    assert np.array_equal(found, np.random.RandomState([3, 5]).randn(1, 16)[0].astype(np.float32))
    assert not np.array_equal(found, styles.origin(5, config(), None).z)
    first = styles.origin(2**32, config(), None).z
    assert np.array_equal(first, np.random.RandomState([1, 0]).randn(1, 16)[0].astype(np.float32))
    last = styles.origin(2**32 - 1, config(), None).z
    assert np.array_equal(last, np.random.RandomState(2**32 - 1).randn(1, 16)[0].astype(np.float32))


def test_a_class_is_the_one_asked_for_or_the_seed_s_own_and_changes_no_z():
    wanted = styles.origin(7, config(c_dim=5), 3)
    own = styles.origin(7, config(c_dim=5), None)
    assert wanted.label.tolist() == [0, 0, 0, 1, 0]
    assert own.label.sum() == 1
    assert np.array_equal(wanted.z, own.z)
    drawn = {styles.origin(seed, config(c_dim=5), None).class_index() for seed in range(40)}
    assert drawn == set(range(5))


@pytest.mark.parametrize(("label", "number"), [(None, None), (2, 2), ("oak", 1), ("2", 2), ("7", 0)])
def test_a_name_goes_before_a_number(label, number):
    """A class may be called 7."""
    assert styles.class_number(label, ("7", "oak", "lily")) == number


def test_each_is_mapped_as_if_it_were_alone():
    mapping = random_generator(c_dim=3).mapping
    origins = [styles.origin(seed, config(c_dim=3), None) for seed in range(4)]
    together = styles.mapped(mapping, origins, CPU)
    assert together.shape == (4, 20)
    assert together.dtype == np.float32
    for one, w in zip(origins, together, strict=True):
        assert np.array_equal(styles.mapped(mapping, [one], CPU)[0], w)
    z, label = (torch.from_numpy(array)[None] for array in (origins[0].z, origins[0].label))
    assert torch.allclose(torch.from_numpy(together[0]), mapping(z, label)[0, 0], atol=1e-6)


def test_mixed_styles_are_those_of_their_resolutions():
    own = torch.zeros(10, 2)  # of 64 px: 4, 8, 8, 16, 16, 32, 32, 64, 64 and the last colours
    others = {name: torch.full((10, 2), value) for name, value in (("coarse", 1.0), ("fine", 3.0))}
    found = styles.mixed(own, others, config())
    assert found[:, 0].tolist() == [1, 1, 1, 0, 0, 0, 0, 3, 3, 3]
    assert not own.any()
    middle = styles.mixed(own, {"middle": torch.ones(10, 2)}, config())
    assert middle[:, 0].tolist() == [0, 0, 0, 1, 1, 1, 1, 0, 0, 0]
    assert styles.mixed(own[:2], {"coarse": torch.ones(2, 2)}, config(img_resolution=4))[:, 0].tolist() == [
        1,
        1,
    ]
