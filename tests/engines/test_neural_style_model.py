"""VGG-19 as it is published: whose weights are read, and what is made of a picture."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from engines import weights
from engines.base import EngineError
from engines.neural_style.model import VGG19, load_vgg19


def published(model: VGG19) -> dict[str, Tensor]:
    """A state dict as torchvision writes it, classifier included."""
    state = {
        f"features.{index}.{part}": value
        for index, layer in zip(model.published, model.layers, strict=True)
        for part, value in layer.named_parameters()
    }
    return {**state, "classifier.0.weight": torch.zeros(4, 4), "features.30.weight": torch.zeros(1)}


def test_layer_names_and_published_indices(random_vgg: VGG19) -> None:
    by_name = dict(zip(random_vgg.names, random_vgg.published, strict=True))
    wanted = {"conv1_1": 0, "conv2_1": 5, "conv3_1": 10, "conv4_1": 19, "conv4_2": 21, "conv5_1": 28}
    assert {name: by_name[name] for name in wanted} == wanted
    assert len(by_name) == 13


def test_published_weights_are_read(random_vgg: VGG19) -> None:
    other = VGG19()
    other.load_published(published(random_vgg))
    picture = torch.rand(1, 3, 32, 32)
    layers = frozenset({"relu5_1"})
    assert other(picture, layers)["relu5_1"].equal(random_vgg(picture, layers)["relu5_1"])


def test_another_network_is_refused(random_vgg: VGG19) -> None:
    state = published(random_vgg)
    with pytest.raises(EngineError, match=r"features\.10\.weight is absent"):
        VGG19().load_published({k: v for k, v in state.items() if k != "features.10.weight"})
    with pytest.raises(EngineError, match="has shape"):
        VGG19().load_published({**state, "features.0.weight": torch.zeros(64, 1, 3, 3)})


def test_a_file_of_another_hash_is_never_unpickled(tmp_path: Path, random_vgg: VGG19) -> None:
    torch.save(published(random_vgg), tmp_path / "vgg19-dcbb9e9d.pth")
    with pytest.raises(EngineError, match="sha256"):
        load_vgg19(tmp_path / "vgg19-dcbb9e9d.pth")


def test_a_missing_file_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="atelier weights pull vgg19"):
        load_vgg19(tmp_path / "nowhere.pth")


@pytest.mark.skipif(not weights.present("vgg19"), reason="the published VGG-19 weights are not installed")
def test_the_published_file_loads() -> None:
    features = load_vgg19(weights.path("vgg19"))(torch.rand(1, 3, 64, 64), frozenset({"relu1_1", "relu5_1"}))
    assert features["relu5_1"].shape == (1, 512, 4, 4)
    assert float(features["relu1_1"].mean()) > 0


def test_a_flat_picture_has_no_frame(random_vgg: VGG19) -> None:
    features = random_vgg(torch.full((1, 3, 16, 16), 0.3), frozenset({"relu1_1"}))["relu1_1"]
    assert torch.allclose(features, features[..., :1, :1].expand_as(features), atol=1e-5)


def test_it_goes_no_further_than_it_is_asked_and_gives_nothing_else(random_vgg: VGG19) -> None:
    picture = torch.rand(1, 3, 20, 28, generator=torch.Generator().manual_seed(1))
    found = random_vgg(picture, frozenset({"relu1_2", "relu2_1"}))
    assert {name: tuple(one.shape) for name, one in found.items()} == {
        "relu1_2": (1, 64, 20, 28),
        "relu2_1": (1, 128, 10, 14),
    }
    assert all(float(one.min()) == 0 for one in found.values())


def test_a_block_begins_with_the_mean_of_four(random_vgg: VGG19) -> None:
    picture = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    found = random_vgg(picture, frozenset({"relu1_2", "relu2_1"}))
    pooled = torch.nn.functional.avg_pool2d(found["relu1_2"], 2)
    convolution = random_vgg.layers[random_vgg.names.index("conv2_1")]
    torch.testing.assert_close(found["relu2_1"], convolution(pooled).relu(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 2)])
def test_a_picture_of_few_pixels_has_features_too(random_vgg: VGG19, size: tuple[int, int]) -> None:
    found = random_vgg(torch.rand(1, 3, *size), frozenset({"relu5_1"}))["relu5_1"]
    assert found.shape == (1, 512, max(1, size[0] >> 4), max(1, size[1] >> 4))


def test_in_half_precision_it_answers_in_that(random_vgg: VGG19) -> None:
    small = VGG19()
    small.place(torch.device("cpu"), torch.bfloat16)
    found = small(torch.rand(1, 3, 4, 4), frozenset({"relu1_1"}))["relu1_1"]
    assert found.dtype == torch.bfloat16
    # what a picture is normalised by stays exact
    assert small.get_buffer("mean").dtype == torch.float32
    assert random_vgg.layers[0].weight.dtype == torch.float32
