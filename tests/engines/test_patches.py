"""Balanced patch transport: its recipe, the whole, determinism and odd inputs."""

# ruff: noqa: ARG001, ARG005 - fixtures and callbacks take what they are called with

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

import engines
from engines import images
from engines.neural_style import checkpoint, patches
from engines.neural_style.colour import luma
from engines.neural_style.patches import Recipe, State, transport
from engines.neural_style.schedule import level_scales

Photo = Callable[[str, int], Image.Image]
DRAFT = Recipe(strength=0.5, iterations=3)


def tensor(picture: Image.Image) -> Tensor:
    return torch.from_numpy(images.as_array(picture)).permute(2, 0, 1).contiguous()


def noise(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


class Stop(Exception):
    """Raised by a report."""


# ---- recipe ----------------------------------------------------------------------------------------------


def test_constants_at_the_ends_of_strength() -> None:
    weak, strong = Recipe(0.0, 8), Recipe(1.0, 8)
    names = ("guidance", "edge_guidance", "gradient_guidance", "price_step", "highest_price")
    assert [getattr(weak, name) for name in names] == pytest.approx([2, 3, 2, 0.02, 0.3])
    assert [getattr(strong, name) for name in names] == pytest.approx([0.01, 20, 6, 0.1, 3])


def test_pyramid_levels() -> None:
    assert level_scales(1, 1) == [1.0]
    assert level_scales(64, 4000) == [1 / 1.6, 1.0]
    assert level_scales(2048, 1536)[0] * 1536 >= 40 > level_scales(2048, 1536)[0] * 1536 / 1.6


def test_fractions_rise_from_level_to_level(photo: Photo) -> None:
    seen: list[tuple[float, State | None]] = []
    transport(
        tensor(photo("chelsea", 128)),
        [tensor(photo("coffee", 128))],
        [1.0],
        DRAFT,
        1,
        report=lambda fraction, message, state: seen.append((fraction, state)),
    )
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[0] < 0.05
    assert 0.97 < fractions[-1] <= 1
    places = {(state.level, state.iteration) for _, state in seen if state is not None}
    assert places == {(level, iteration) for level in range(2) for iteration in range(4)}


# ---- the whole -------------------------------------------------------------------------------------------


def test_the_result_is_made_of_the_style(photo: Photo) -> None:
    # given
    content, style = tensor(photo("chelsea", 96)), tensor(photo("coffee", 96))
    # when
    result = transport(content, [style], [1.0], Recipe(0.5, 8), seed=1)
    # then: colours move to the style's, light and dark stay where the content has them
    assert result.shape == content.shape
    style_mean = style.flatten(1).mean(1)
    before = (content.flatten(1).mean(1) - style_mean).norm()
    assert (result.flatten(1).mean(1) - style_mean).norm() < 0.35 * before
    both = torch.stack([luma(result).flatten(), luma(content).flatten()])
    assert float(torch.corrcoef(both)[0, 1]) > 0.7


def test_strength_loosens_the_hold_of_the_content(photo: Photo) -> None:
    content, style = tensor(photo("astronaut", 96)), tensor(photo("coffee", 96))

    def likeness(strength: float) -> float:
        result = transport(content, [style], [1.0], Recipe(strength, 6), seed=1)
        guide = patches.guide_image(content, [style], [1.0], 1)
        return float((result - guide).square().mean())

    assert likeness(0.0) < likeness(1.0)


def test_prices_make_more_of_the_style_used(photo: Photo) -> None:
    # given: a picture just too large for the exact search, which has no use for coherence
    content, style = tensor(photo("rocket", 150)), tensor(photo("coffee", 130))

    class Free(Recipe):
        price_step = 0.0  # type: ignore[assignment]  # the same recipe without prices

    def last_state(recipe: Recipe) -> State:
        states: list[State | None] = []
        transport(content, [style], [1.0], recipe, 1, report=lambda f, m, state: states.append(state))
        assert states[-1] is not None
        return states[-1]

    priced, free = last_state(Recipe(0.5, 8)), last_state(Free(0.5, 8))
    assert priced.positions.unique().numel() > 1.3 * free.positions.unique().numel()
    assert 0 < float(priced.prices.max()) <= Recipe(0.5, 8).highest_price
    assert float(free.prices.max()) == 0


def test_shares_decide_how_much_of_each_style_is_used() -> None:
    content = torch.full((3, 64, 64), 0.5) + 0.1 * (noise(64, 64) - 0.5)
    styles = [noise(64, 64, 1), noise(64, 64, 2)]

    def share_of_first(shares: list[float]) -> float:
        states: list[State | None] = []
        transport(content, styles, shares, Recipe(1.0, 8), 1, report=lambda f, m, s: states.append(s))
        assert states[-1] is not None
        return float((states[-1].positions < 68 * 68).float().mean())

    assert share_of_first([0.9, 0.1]) > 0.6 > 0.4 > share_of_first([0.1, 0.9])


@pytest.mark.parametrize(
    ("content", "styles"),
    [
        ((1, 1), [(1, 1)]),
        ((1, 1), [(40, 30)]),
        ((64, 48), [(1, 1)]),
        ((3, 2000), [(50, 40)]),
        ((2000, 3), [(50, 40)]),
        ((2, 64), [(3, 100), (100, 3)]),
        ((50, 60), [(2, 500), (45, 60), (1, 7), (60, 45)]),
    ],
)
def test_any_size_and_aspect(content: tuple[int, int], styles: list[tuple[int, int]]) -> None:
    pictures = [noise(*size, seed=index) for index, size in enumerate(styles)]
    result = transport(noise(*content, seed=9), pictures, [1 / len(styles)] * len(styles), DRAFT, seed=3)
    assert result.shape == (3, *content)
    assert bool(torch.isfinite(result).all())
    assert 0 <= float(result.min()) <= float(result.max()) <= 1


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_flat_and_grey_pictures(photo: Photo, strength: float) -> None:
    red = torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1).expand(3, 64, 64).contiguous()
    grey = tensor(photo("camera", 64))
    recipe = Recipe(strength, 3)
    assert torch.allclose(transport(grey, [red], [1.0], recipe, 1), red, atol=1e-4)
    grey_result = transport(red, [grey], [1.0], recipe, 1)
    assert float((grey_result - luma(grey_result)).abs().max()) < 1e-3
    assert torch.allclose(transport(red, [red], [1.0], recipe, 1), red, atol=1e-4)


def test_a_picture_in_its_own_style_stays_itself(photo: Photo) -> None:
    content = tensor(photo("chelsea", 96))
    result = transport(content, [content], [1.0], Recipe(0.2, 8), 1)
    assert float((result - content).abs().mean()) < 0.05


# ---- determinism and resuming ----------------------------------------------------------------------------

SCRIPT = """
import hashlib, sys, torch
from engines.neural_style.patches import Recipe, transport
torch.set_num_threads(int(sys.argv[1]))
draw = torch.Generator().manual_seed(5)
content, style = torch.rand(3, 90, 120, generator=draw), torch.rand(3, 100, 110, generator=draw)
content = torch.nn.functional.avg_pool2d(content[None], 5, 1, 2)[0]
print(hashlib.sha256(transport(content, [style], [1.0], Recipe(0.5, 3), 11).numpy().tobytes()).hexdigest())
"""


def test_the_same_seed_gives_the_same_bytes_in_any_process_and_thread_count() -> None:
    root = Path(engines.__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_WAIT_POLICY": "PASSIVE"}
    hashes = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT, threads],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2", "2")
    }
    assert len(hashes) == 1


def test_another_seed_gives_another_picture(photo: Photo) -> None:
    content, style = tensor(photo("chelsea", 128)), tensor(photo("coffee", 128))
    first, second = (transport(content, [style], [1.0], DRAFT, seed) for seed in (1, 2))
    assert not first.equal(second)


@pytest.fixture(scope="module")
def whole(photo: Photo) -> bytes:
    """The hash of a run that was not interrupted."""
    content, style = tensor(photo("astronaut", 128)), tensor(photo("coffee", 140))
    return hashlib.sha256(transport(content, [style], [1.0], DRAFT, 4).numpy().tobytes()).digest()


@pytest.mark.parametrize("cut", [(0, 0), (0, 2), (1, 0), (1, 1), (2, 0), (2, 2)])
def test_resuming_is_bit_identical(photo: Photo, whole: bytes, cut: tuple[int, int]) -> None:
    # given: a run with three levels, the last too large for exact search, stopped at a place
    content, style = tensor(photo("astronaut", 128)), tensor(photo("coffee", 140))
    saved: list[bytes] = []
    calls = 0

    def stop(fraction: float, message: str, state: State | None) -> None:
        nonlocal calls
        if state is not None and (state.level, state.iteration) == cut:
            calls += 1
            if calls == 2:  # in the middle of the iteration
                saved.append(checkpoint.pack(b"d" * 32, state.tensors()))
                raise Stop

    with pytest.raises(Stop):
        transport(content, [style], [1.0], DRAFT, 4, report=stop)
    # when
    tensors = checkpoint.unpack(b"d" * 32, saved[0], torch.device("cpu"))
    assert tensors is not None
    resumed = transport(content, [style], [1.0], DRAFT, 4, resume=State.from_tensors(tensors))
    # then
    assert hashlib.sha256(resumed.numpy().tobytes()).digest() == whole


def test_smaller_tiles_give_the_same_kind_of_picture(photo: Photo) -> None:
    content, style = tensor(photo("chelsea", 96)), tensor(photo("coffee", 96))
    usual = transport(content, [style], [1.0], DRAFT, 1)
    small = transport(content, [style], [1.0], DRAFT, 1, tile=patches.SMALL_TILE)
    assert float((usual - small).abs().mean()) < 0.02


@pytest.mark.parametrize("data", [None, b"", b"junk", b"\x08" + b"\x00" * 20])
def test_no_or_damaged_checkpoints_are_ignored(data: bytes | None) -> None:
    assert checkpoint.unpack(b"d" * 32, data, torch.device("cpu")) is None


def test_another_jobs_checkpoint_is_ignored() -> None:
    data = checkpoint.pack(b"a" * 32, {"x": torch.arange(3)})
    assert checkpoint.unpack(b"b" * 32, data, torch.device("cpu")) is None
    mine = checkpoint.unpack(b"a" * 32, data, torch.device("cpu"))
    assert mine is not None
    assert mine["x"].tolist() == [0, 1, 2]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_paints_a_similar_picture(photo: Photo) -> None:
    content, style = tensor(photo("chelsea", 96)), tensor(photo("coffee", 96))
    on_cpu = transport(content, [style], [1.0], DRAFT, 1)
    on_gpu = [transport(content.cuda(), [style.cuda()], [1.0], DRAFT, 1, tile=patches.GPU_TILE) for _ in "ab"]
    assert on_gpu[0].equal(on_gpu[1])
    assert float((on_gpu[0].cpu() - on_cpu).abs().mean()) < 0.05
