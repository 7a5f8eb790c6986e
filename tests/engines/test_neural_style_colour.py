"""Colours of one picture moved onto another's."""

from __future__ import annotations

from collections.abc import Callable

import torch
from PIL import Image
from torch import Tensor

from engines import images
from engines.neural_style.colour import luma, monge_kantorovich, sliced_transport, with_chroma_of
from engines.seeds import generator

Photo = Callable[[str, int], Image.Image]


def tensor(picture: Image.Image) -> Tensor:
    return torch.from_numpy(images.as_array(picture)).permute(2, 0, 1).contiguous()


def noise(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


def test_sliced_transport_moves_one_distribution_onto_the_other(photo: Photo) -> None:
    source, target = tensor(photo("chelsea", 96)), tensor(photo("coffee", 96))
    moved = sliced_transport(source.flatten(1).T, target.flatten(1).T, generator(1, "c")).apply(source)
    levels = torch.linspace(0.02, 0.98, 25)

    def gap(image: Tensor) -> float:
        return float(
            (torch.quantile(image.flatten(1), levels, 1) - torch.quantile(target.flatten(1), levels, 1))
            .abs()
            .mean()
        )

    assert gap(moved) < 0.03 < gap(source)


def test_a_flat_colour_goes_to_the_middle_of_the_style() -> None:
    flat = torch.full((3, 8, 8), 0.25)
    target = noise(40, 40)
    moved = sliced_transport(flat.flatten(1).T, target.flatten(1).T, generator(1, "c")).apply(flat)
    assert (moved - 0.5).abs().max() < 0.1


def test_monge_kantorovich_matches_mean_and_covariance(photo: Photo) -> None:
    source, target = tensor(photo("chelsea", 80)), tensor(photo("astronaut", 80)) * 0.4 + 0.3
    moved = monge_kantorovich(source, target)
    assert torch.allclose(moved.flatten(1).mean(1), target.flatten(1).mean(1), atol=0.02)
    assert torch.allclose(torch.cov(moved.flatten(1)), torch.cov(target.flatten(1)), atol=0.01)


def test_chroma_is_put_back_without_changing_luma(photo: Photo) -> None:
    content, result = tensor(photo("coffee", 60)), tensor(photo("rocket", 60)).flip(1)
    result = torch.nn.functional.interpolate(result[None], content.shape[1:])[0]
    combined = with_chroma_of(result, content)
    assert torch.allclose(luma(combined), luma(result), atol=1e-4)
    assert float(combined.min()) >= 0
    assert float(combined.max()) <= 1
    assert torch.allclose(with_chroma_of(content, content), content, atol=1e-4)
