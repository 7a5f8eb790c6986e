"""FID of a generator of planets while it trains."""

from __future__ import annotations

import pytest
import torch

from engines.planets.model import noise_of
from engines.worlds import WORLDS
from training.planets import judge as judging
from training.planets.data import Pictures
from training.planets.judge import Judge

CPU = torch.device("cpu")
SIDE = 64


class Painter(torch.nn.Module):
    """Paints even pictures, as bright as the world's number says, and a shade more."""

    size = SIDE

    def __init__(self, shade: float = 0.0) -> None:
        super().__init__()
        self.shade = shade
        self.seen: list[tuple[torch.Size, ...]] = []

    def forward(self, z, worlds, noise):
        self.seen.append((z.shape, worlds.shape, noise.shape))
        bright = worlds.argmax(1) / len(WORLDS) + self.shade
        return (bright * 2 - 1).clamp(-1, 1).view(-1, 1, 1, 1).expand(-1, 4, SIDE, SIDE)


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    labels = torch.arange(len(WORLDS)).repeat(6)
    bright = (labels / len(WORLDS) * 255).to(torch.uint8)
    pixels = bright.view(-1, 1, 1, 1).expand(-1, 4, SIDE, SIDE).contiguous()
    return Pictures(pixels, labels, tuple(map(str, range(len(labels)))), WORLDS)


@pytest.fixture
def judge(pictures, monkeypatch) -> Judge:
    monkeypatch.setattr(Judge, "count", 40)
    monkeypatch.setattr(judging, "_BATCH", 16)
    return Judge(pictures, CPU)


def test_the_data_s_own_brightnesses_are_nearer_than_others(judge):
    near, far = judge.fid(Painter(), 1), judge.fid(Painter(0.3), 1)
    assert near < 0.2 * far


def test_a_seed_is_the_same_latents_and_there_are_at_least_so_many(judge):
    painter = Painter(0.1)
    assert judge.fid(painter, 1) == judge.fid(painter, 1) != judge.fid(painter, 2)
    batches = painter.seen[:3]
    assert sum(z[0] for z, _, _ in batches) >= 40
    assert batches[0][1:] == ((16, len(WORLDS)), (16, noise_of(SIDE)))


def test_transparency_plays_no_part(judge):
    class Clear(Painter):
        def forward(self, z, worlds, noise):
            made = super().forward(z, worlds, noise).clone()
            made[:, 3] = -1
            return made

    assert judge.fid(Clear(), 1) == judge.fid(Painter(), 1)
