"""What the engine tests share: a context and small real pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import skimage.data
import torch
from PIL import Image

from engines.neural_style.model import VGG19
from tests.engines.recording import RecordingContext

torch.set_num_threads(1)  # pictures are tiny and test processes many: threads would only wait for each other

Pictures = Callable[[str, int], Image.Image]


@pytest.fixture(scope="session")
def photo() -> Pictures:
    """`photo("chelsea", 96)`: a picture bundled with scikit-image, as RGB, scaled to this long side."""

    def load(name: str, long_side: int) -> Image.Image:
        picture = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
        scale = long_side / max(picture.size)
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        return picture.resize(size, Image.Resampling.LANCZOS)

    return load


@pytest.fixture
def make_context(tmp_path: Path) -> Callable[..., RecordingContext]:
    """`make_context({"art_photo": picture}, stop_at=3)`: a context that serves pictures as PNG."""

    def make(pictures: dict[str, Image.Image] | None = None, **options: Any) -> RecordingContext:
        scratch = tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        files = {}
        for ref, picture in (pictures or {}).items():
            files[ref] = tmp_path / f"{ref}.png"
            picture.save(files[ref])
        return RecordingContext(scratch=scratch, files=files, **options)

    return make


@pytest.fixture(scope="session")
def random_vgg() -> VGG19:
    """VGG-19 with random weights of the usual scale; real ones are not needed to test the mathematics."""
    torch.manual_seed(0)
    model = VGG19()
    for layer in model.layers:
        torch.nn.init.kaiming_normal_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    return model
