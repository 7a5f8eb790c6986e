"""Gatys' optimisation, on a VGG-19 with random weights: its arithmetic, schedule, resuming and limits."""

# ruff: noqa: ARG001, ARG005 - fixtures and callbacks take what they are called with

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from PIL import Image
from torch import Tensor

from engines import images
from engines.base import EngineError
from engines.neural_style import checkpoint, gatys
from engines.neural_style.gatys import Gatys, Settings, State
from engines.neural_style.model import VGG19
from engines.neural_style.schedule import octave_scales

Photo = Callable[[str, int], Image.Image]
CPU = torch.device("cpu")
SHORT = Settings(strength=0.5, first_iterations=4, iterations=3)


def tensor(picture: Image.Image) -> Tensor:
    return torch.from_numpy(images.as_array(picture)).permute(2, 0, 1).contiguous()


@pytest.fixture(scope="module")
def single(random_vgg: VGG19) -> Gatys:
    """In float32."""
    return Gatys(copy.deepcopy(random_vgg), CPU, bfloat16=False)


class Stop(Exception):
    """Raised by a report."""


def test_no_weight_takes_part_in_gradients(single: Gatys) -> None:
    assert not any(parameter.requires_grad for parameter in single.vgg.parameters())


# ---- losses ----------------------------------------------------------------------------------------------


def test_the_gram_gradient_is_that_of_the_plain_formula() -> None:
    features = torch.randn(1, 8, 6, 7).contiguous(memory_format=torch.channels_last).requires_grad_()
    weighting = torch.randn(8, 8)
    pixels = features.flatten(2)[0]  # (C, H*W)
    plain = pixels @ pixels.T / 42
    ours = gatys._gram(features)
    assert torch.allclose(ours, plain, atol=1e-5)
    (expected,) = torch.autograd.grad((plain * weighting).sum(), features)
    (gradient,) = torch.autograd.grad((ours * weighting).sum(), features)
    assert torch.allclose(gradient, expected, atol=1e-5)


def test_the_loss_is_only_smoothness_where_content_and_style_are_the_picture(single: Gatys) -> None:
    flat = torch.full((3, 32, 32), 0.4)
    goal, grams = single.content_features(flat), single.style_grams(flat)
    loss, gradient = single.loss_and_gradient(flat[None], goal, grams, weight=1.0)
    assert float(loss) < 1e-8
    assert float(gradient.abs().max()) < 1e-5


def test_the_gradient_points_uphill(single: Gatys, photo: Photo) -> None:
    content, style = tensor(photo("chelsea", 48)), tensor(photo("coffee", 48))
    goal, grams = single.content_features(content), single.style_grams(style)
    picture = (content * 0.8 + 0.1)[None]
    loss, gradient = single.loss_and_gradient(picture, goal, grams, 0.05)
    step = 1e-3 / gradient.norm()
    uphill, _ = single.loss_and_gradient(picture + step * gradient, goal, grams, 0.05)
    downhill, _ = single.loss_and_gradient(picture - step * gradient, goal, grams, 0.05)
    slope = float(uphill - downhill) / (2 * float(step))
    assert slope == pytest.approx(float(gradient.square().sum()), rel=0.05)
    assert float(downhill) < float(loss) < float(uphill)


def test_bfloat16_agrees_with_float32(random_vgg: VGG19, single: Gatys, photo: Photo) -> None:
    half = Gatys(copy.deepcopy(random_vgg), CPU, bfloat16=True)
    content, style = tensor(photo("chelsea", 64)), tensor(photo("coffee", 64))
    results = []
    for optimiser in (single, half):
        goal, grams = optimiser.content_features(content), optimiser.style_grams(style)
        assert all(gram.dtype == torch.float32 for gram in grams)
        results.append(optimiser.loss_and_gradient(content[None], goal, grams, 0.05))
    (loss, gradient), (half_loss, half_gradient) = results
    assert float(half_loss) == pytest.approx(float(loss), rel=0.03)
    assert float(torch.cosine_similarity(gradient.flatten(), half_gradient.flatten(), 0)) > 0.99


def test_style_statistics_are_remembered_and_bounded(single: Gatys, photo: Photo) -> None:
    style = tensor(photo("coffee", 32))
    assert single.style_grams(style)[0] is single.style_grams(style.clone())[0]
    for seed in range(gatys._CACHED_STYLES + 3):
        single.style_grams(torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(seed)))
    assert len(single._styles) == gatys._CACHED_STYLES


# ---- the whole -------------------------------------------------------------------------------------------


def test_scales() -> None:
    assert octave_scales((64, 64)) == [1.0]
    factors = octave_scales((300, 512))
    assert factors[-1] == 1.0
    assert [round(factor * 512) for factor in factors] == [128, 181, 256, 362, 512]


def test_painting_lowers_the_style_error(single: Gatys, photo: Photo) -> None:
    content, style = tensor(photo("chelsea", 64)), tensor(photo("coffee", 64))
    grams = single.style_grams(style)

    def error(image: Tensor) -> float:
        pairs = zip(single.style_grams(image), grams, strict=True)
        return sum(float(gatys._relative_error(own, wanted)) for own, wanted in pairs)

    result = single.paint(content, [style], [1.0], Settings(0.8, 25, 5))
    assert result.shape == content.shape
    assert 0 <= float(result.min()) <= float(result.max()) <= 1
    assert error(result) < 0.7 * error(content)


def test_styles_blend_by_their_shares(single: Gatys, photo: Photo) -> None:
    styles = [tensor(photo(name, 48)) for name in ("coffee", "rocket")]
    blended = single._style_target(styles, [0.75, 0.25], 1.0)
    first, second = (single.style_grams(style) for style in styles)
    for mixed, a, b in zip(blended, first, second, strict=True):
        assert torch.allclose(mixed, 0.75 * a + 0.25 * b)


@pytest.mark.parametrize("size", [(1, 1), (1, 64), (3, 90), (17, 16)])
def test_any_size(single: Gatys, size: tuple[int, int]) -> None:
    result = single.paint(torch.rand(3, *size), [torch.rand(3, 9, 2)], [1.0], Settings(0.5, 2, 2))
    assert result.shape == (3, *size)
    assert bool(torch.isfinite(result).all())


def test_a_diverged_picture_is_an_error(single: Gatys) -> None:
    content = torch.full((3, 16, 16), torch.nan)
    with pytest.raises(EngineError, match="diverged"):
        single.paint(content, [torch.rand(3, 16, 16)], [1.0], Settings(0.5, 1, 1))


@pytest.fixture(scope="module")
def whole(single: Gatys, photo: Photo) -> Tensor:
    """A run over two scales, not interrupted."""
    return single.paint(tensor(photo("chelsea", 182)), [tensor(photo("coffee", 64))], [1.0], SHORT)


@pytest.mark.parametrize("cut", [(0, 0), (0, 2), (1, 0), (1, 2)])
def test_resuming_is_bit_identical(single: Gatys, photo: Photo, whole: Tensor, cut: tuple[int, int]) -> None:
    # given
    content, style = tensor(photo("chelsea", 182)), tensor(photo("coffee", 64))
    saved: list[bytes] = []

    def stop(fraction: float, message: str, state: State) -> None:
        if (state.scale, state.iteration) == cut:
            saved.append(checkpoint.pack(b"d" * 32, state.tensors()))
            raise Stop

    with pytest.raises(Stop):
        single.paint(content, [style], [1.0], SHORT, report=stop)
    # when
    tensors = checkpoint.unpack(b"d" * 32, saved[0], CPU)
    assert tensors is not None
    resumed = single.paint(content, [style], [1.0], SHORT, resume=State.from_tensors(tensors))
    # then
    assert resumed.equal(whole)


def test_fractions_rise_with_the_work(single: Gatys, photo: Photo) -> None:
    fractions: list[float] = []
    single.paint(
        tensor(photo("chelsea", 182)),
        [tensor(photo("coffee", 64))],
        [1.0],
        SHORT,
        report=lambda fraction, message, state: fractions.append(fraction),
    )
    assert len(fractions) == 4 + 3
    assert fractions[0] == 0
    assert fractions == sorted(fractions)
    assert fractions[-1] < 1
    # a step of the second scale has twice the pixels of one of the first
    assert fractions[6] - fractions[5] == pytest.approx(2 * (fractions[1] - fractions[0]), rel=0.01)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_paints_the_same_twice(random_vgg: VGG19, photo: Photo) -> None:
    optimiser = Gatys(copy.deepcopy(random_vgg), torch.device("cuda"))
    content, style = tensor(photo("chelsea", 96)).cuda(), tensor(photo("coffee", 96)).cuda()
    first, second = (optimiser.paint(content, [style], [1.0], SHORT) for _ in range(2))
    assert first.equal(second)
    assert bool(torch.isfinite(first).all())
