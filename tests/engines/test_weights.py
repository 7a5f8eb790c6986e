"""Weight files: where they lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines import weights
from engines.weights import WeightsError


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_WEIGHTS_DIR", "/somewhere")
    assert weights.path("vgg19") == Path("/somewhere/vgg19-dcbb9e9d.pth")
    monkeypatch.delenv("ATELIER_WEIGHTS_DIR")
    assert weights.weights_dir() == Path.home() / ".local/share/atelier/weights"


def test_unknown_weights_are_named() -> None:
    with pytest.raises(WeightsError, match=r"nothing.*vgg19"):
        weights.path("nothing")
