"""FID of a generator while it trains."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from tests.training.stylegan.datasets import png
from training.stylegan.dataset import Pictures
from training.stylegan.judge import Judge
from training.stylegan.recipes import recipe

CPU = torch.device("cpu")


def test_the_judge_prefers_the_data_itself(data, monkeypatch):
    """A generator that paints the dataset's own greys is nearer than one of noise."""
    monkeypatch.setattr(Judge, "count", 64)
    pictures = Pictures(data, mirror=True)
    judge = Judge(pictures, CPU)

    class Painter(torch.nn.Module):
        config = recipe("auto", 16).generator

        def __init__(self, noise: float) -> None:
            super().__init__()
            self.noise = noise

        def forward(self, z, _labels, _noise, *, random):
            grey = torch.randint(16, (len(z), 1, 1, 1), generator=random) * (16 / 127.5) - 1.0
            grain = torch.randn(len(z), 3, 16, 16, generator=random)
            return grey.expand(-1, 3, 16, 16) + self.noise * grain

    assert judge.fid(Painter(0.0), 1) < 0.5 * judge.fid(Painter(0.5), 1)


def test_of_many_pictures_every_so_many_th_is_looked_at(data, monkeypatch):
    monkeypatch.setattr(Judge, "most", 5)
    pictures = Pictures(data)  # 16
    judge = Judge(pictures, CPU)
    assert len(judge.real) == 4
    monkeypatch.setattr(Judge, "most", 16)
    whole = Judge(pictures, CPU).real
    assert torch.allclose(judge.real, whole[::4], atol=1e-5)


def test_made_pictures_are_those_of_the_seed_with_the_classes_of_the_data(data):
    judge = Judge(Pictures(data, labels=True), CPU)
    shown = []

    class Painter(torch.nn.Module):
        config = recipe("auto", 16, classes=2).generator

        def forward(self, z, labels, _noise, **_random):
            shown.append(labels)
            return torch.tanh(z[:, :3, None, None]).expand(-1, 3, 16, 16)

    once, again, other = (judge.made(Painter(), seed, 3) for seed in (1, 1, 2))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
    assert 0.2 < shown[0][:, 0].mean() < 0.8  # half of the data are of either class
    assert bool((shown[0].sum(1) == 1).all())


def test_greys_are_refused(tmp_path):
    (tmp_path / "0.png").write_bytes(png(Image.new("L", (16, 16))))
    with pytest.raises(ValueError, match="looks at colours"):
        Judge(Pictures(tmp_path), CPU)
