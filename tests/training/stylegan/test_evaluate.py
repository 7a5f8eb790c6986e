"""`training/stylegan/evaluate.py`: figures of a network of planets."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from PIL import Image

from engines.stylegan.config import GeneratorConfig
from engines.stylegan.model import Generator
from training.stylegan import evaluate, shipping

TINY = GeneratorConfig(
    c_dim=0, img_resolution=16, img_channels=3, z_dim=8, w_dim=8, mapping_layers=1, channel_base=64
)


@pytest.fixture
def data(tmp_path):
    draw = np.random.default_rng(1)
    for number in range(40):
        pixels = draw.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    return tmp_path


def test_it_prints_what_it_measured(monkeypatch, capsys, data, tmp_path_factory):
    torch.manual_seed(1)
    network = tmp_path_factory.mktemp("network") / "tiny.safetensors"
    shipping.write(network, Generator(TINY), (), {})
    monkeypatch.setattr("sys.argv", ["evaluate.py", str(data), str(network), "--count", "64"])

    assert evaluate.main() == 0

    printed = capsys.readouterr().out
    assert float(re.search(r"FID ([\d.]+)", printed)[1]) > 0
    assert "64 made pictures against 40 real ones" in printed


def test_what_is_no_network_is_said(monkeypatch, capsys, data):
    monkeypatch.setattr("sys.argv", ["evaluate.py", str(data), str(data / "0.png")])
    assert evaluate.main() == 1
    assert "Traceback" not in (said := capsys.readouterr().err)
    assert said
