"""What a network may be built as, and what follows from its numbers."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from engines.stylegan.config import RESOLUTIONS, DiscriminatorConfig, GeneratorConfig
from engines.stylegan.model import Discriminator


def small_discriminator(**settings: object) -> DiscriminatorConfig:
    small = {"c_dim": 0, "img_resolution": 16, "img_channels": 3, "channel_base": 64, "channel_max": 8}
    return DiscriminatorConfig(**(small | settings))


def generator_config(**settings: object) -> GeneratorConfig:
    return GeneratorConfig(**({"c_dim": 0, "img_resolution": 32, "img_channels": 3} | settings))


def test_bounds_of_a_discriminator():
    with pytest.raises(ValidationError, match="8 px"):
        small_discriminator(img_resolution=4)
    with pytest.raises(ValidationError, match="it must divide the 8 channels"):
        small_discriminator(mbstd_num_channels=3)
    Discriminator(small_discriminator(mbstd_num_channels=0))


@pytest.mark.parametrize(
    "wrong",
    [
        {"img_resolution": 48},
        {"img_resolution": 4096},
        {"channel_base": 0},
        {"channel_max": 10**6},
        {"conv_clamp": float("inf")},
        {"conv_clamp": 0.0},
        {"resample_filter": (1.0, 2.0)},
        {"resample_filter": (1.0, -1.0, -1.0, 1.0)},
        {"resample_filter": ()},
        {"w_dim": 10**6},
        {"mapping_layers": 0},
        {"z_dim": 0},
        {"unknown": 1},
    ],
)
def test_bounds_of_a_network(wrong):
    with pytest.raises(ValidationError):
        generator_config(**wrong)


@pytest.mark.parametrize(
    "allowed", [{"resample_filter": None}, {"conv_clamp": None}, {"z_dim": 0, "c_dim": 4}]
)
def test_what_a_network_may_do_without(allowed):
    assert generator_config(**allowed).model_dump().items() >= allowed.items()


def test_a_picture_of_every_power_of_two_is_built_up_from_four_pixels():
    assert RESOLUTIONS == (4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
    assert generator_config(img_resolution=32).resolutions() == (4, 8, 16, 32)
    assert generator_config(img_resolution=4).resolutions() == (4,)


def test_a_block_has_fewer_channels_the_finer_it_is():
    config = generator_config(channel_base=1024, channel_max=100)
    assert [config.channels(side) for side in (4, 8, 16, 32, 2048)] == [100, 100, 64, 32, 1]


@pytest.mark.parametrize(("side", "count"), [(4, 2), (8, 4), (64, 10), (1024, 18)])
def test_a_picture_takes_a_w_for_each_convolution_and_the_last_colours(side, count):
    assert generator_config(img_resolution=side).num_ws() == count


@pytest.mark.parametrize("shape", [(8, 20), (2, 7, 20), (2, 8, 21), (1, 2, 8, 20)])
def test_ws_of_another_network_are_refused(shape):
    config = generator_config(w_dim=20)
    config.check_ws((2, 8, 20))
    with pytest.raises(ValueError, match=r"ws must be \(B, 8, 20\)"):
        config.check_ws(shape)


def test_a_configuration_cannot_be_changed_and_goes_through_json():
    config = generator_config(resample_filter=(1.0, 2.0, 1.0))
    assert GeneratorConfig.model_validate_json(config.model_dump_json()) == config
    with pytest.raises(ValidationError, match="frozen"):
        config.c_dim = 3
