"""The named configurations: their numbers."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from training.stylegan.recipes import Recipe, recipe


@pytest.mark.parametrize(
    ("side", "gpus", "batch", "group", "base", "rate", "gamma", "average"),
    [
        (64, 1, 32, 4, 16_384, 0.0025, 0.0256, 10.0),
        (128, 1, 32, 4, 16_384, 0.0025, 0.1024, 10.0),
        (256, 1, 16, 4, 16_384, 0.0025, 0.8192, 5.0),
        (512, 1, 8, 4, 32_768, 0.0025, 6.5536, 2.5),
        (1024, 1, 4, 4, 32_768, 0.002, 52.4288, 1.25),
        (256, 8, 64, 4, 16_384, 0.0025, 0.2048, 20.0),
        (1024, 8, 32, 4, 32_768, 0.002, 6.5536, 10.0),
        (1024, 32, 64, 2, 32_768, 0.002, 3.2768, 20.0),
        (32, 128, 128, 1, 16_384, 0.0025, 0.0016, 40.0),
    ],
)
def test_auto(side, gpus, batch, group, base, rate, gamma, average):
    found = recipe("auto", side, gpus=gpus)
    assert found.batch == batch
    assert found.discriminator.mbstd_group_size == group
    assert found.generator.channel_base == found.discriminator.channel_base == base
    assert found.learning_rate == rate
    assert found.gamma == pytest.approx(gamma)
    assert found.average_kimg == average
    assert found.average_ramp == 0.05
    assert found.generator.mapping_layers == 2


@pytest.mark.parametrize(
    ("name", "side", "batch", "group", "base", "rate", "gamma", "average"),
    [
        ("paper256", 256, 64, 8, 16_384, 0.0025, 1.0, 20.0),
        ("paper512", 512, 64, 8, 32_768, 0.0025, 0.5, 20.0),
        ("paper1024", 1024, 32, 4, 32_768, 0.002, 2.0, 10.0),
        ("stylegan2", 1024, 32, 4, 32_768, 0.002, 10.0, 10.0),
    ],
)
def test_papers(name, side, batch, group, base, rate, gamma, average):
    found = recipe(name, side)
    assert (found.batch, found.discriminator.mbstd_group_size) == (batch, group)
    assert found.generator.channel_base == base
    assert (found.learning_rate, found.gamma) == (rate, gamma)
    assert (found.average_kimg, found.average_ramp) == (average, None)
    assert found.generator.mapping_layers == 8
    assert (found.path_length, found.style_mixing) == (2.0, 0.9)


def test_cifar_has_no_path_length_and_no_mixing():
    found = recipe("cifar", 32, classes=10)
    assert (found.batch, found.discriminator.mbstd_group_size, found.gamma) == (64, 32, 0.01)
    assert (found.path_length, found.style_mixing, found.average_kimg) == (0.0, 0.0, 500.0)
    assert (found.generator.architecture, found.discriminator.architecture) == ("skip", "orig")
    assert found.generator.mapping_layers == 2
    assert found.generator.c_dim == found.discriminator.c_dim == 10


@pytest.mark.parametrize("name", ["auto", "paper256", "paper512", "paper1024", "stylegan2", "cifar"])
def test_what_all_have_in_common(name):
    found = recipe(name, 64)
    for network in (found.generator, found.discriminator):
        assert (network.num_fp16_res, network.conv_clamp, network.channel_max) == (4, 256.0, 512)
    assert (found.generator.z_dim, found.generator.w_dim, found.generator.w_avg_beta) == (512, 512, 0.995)
    assert (found.r1_interval, found.path_length_interval, found.path_length_decay) == (16, 4, 0.01)
    assert (found.augment, found.augment_target, found.augment_p, found.augment_kimg) == (
        "bgc",
        0.6,
        0.0,
        500.0,
    )
    assert found.kimg == 25_000


def test_the_average_forgets_faster_in_the_beginning():
    found = recipe("auto", 64)
    assert found.average_keeps(0) == 0.0
    assert found.average_keeps(32_000) == pytest.approx(0.5 ** (32 / 1600))
    assert found.average_keeps(10**7) == pytest.approx(0.5 ** (32 / 10_000))
    assert recipe("paper256", 256).average_keeps(64) == pytest.approx(0.5 ** (64 / 20_000))


def test_a_recipe_survives_its_text():
    found = recipe("auto", 128, channels=1, classes=3)
    assert Recipe.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    "changes",
    [
        {"batch": 0},
        {"gamma": -1.0},
        {"learning_rate": float("nan")},
        {"augment": "bgx"},
        {"augment_p": 1.5},
        {"colour": "red"},
        {"generator": {"c_dim": 1, "img_resolution": 64, "img_channels": 3}},
        {"generator": {"c_dim": 0, "img_resolution": 32, "img_channels": 3}},
    ],
)
def test_changes_are_checked(changes):
    with pytest.raises(ValidationError):
        recipe("auto", 64).changed(**changes)


def test_other_channels_train_without_augmentation_alone():
    with pytest.raises(ValidationError, match="1 or 3 channels"):
        recipe("auto", 64, channels=4)


@pytest.mark.parametrize("side", [48, 4096, 4, 0])
def test_there_is_no_network_of_that_side(side):
    with pytest.raises(ValueError, match=f"pictures of {side} pixels"):
        recipe("auto", side)
