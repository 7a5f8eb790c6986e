"""Datasets and a trained network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.training.stylegan.datasets import TINY, Maker, unpacked, zipped
from training.stylegan import shipping
from training.stylegan.dataset import Pictures
from training.stylegan.options import parsed, recipe_of
from training.stylegan.training import Training

CPU = torch.device("cpu")


@pytest.fixture(params=["folder", "zip"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Maker:
    """The same dataset as a folder and as a ZIP."""
    if request.param == "folder":
        return lambda files: unpacked(tmp_path / "data", files)
    return lambda files: zipped(tmp_path / "data.zip", files)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen pictures of 16 px in two classes."""
    folder = tmp_path_factory.mktemp("data")
    for number in range(16):
        path = folder / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((16, 16, 3), 16 * number, np.uint8)).save(path)
    return folder


@pytest.fixture(scope="session")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one step, as files."""
    folder = tmp_path_factory.mktemp("trained")
    options = parsed(None, [str(data), "--out", "x", *TINY])
    pictures = Pictures(data)
    training = Training(recipe_of(options, pictures, 1), pictures, CPU)
    training.step()
    training.save(folder / "checkpoint.pt", best=1.0)
    shipping.write(folder / "best.safetensors", training.average, (), {"images": "4"})
    training.close()
    return folder
