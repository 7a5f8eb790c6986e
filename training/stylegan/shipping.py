"""Trained generators as files: of a run, and of the project."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from engines import shipped
from engines.stylegan import network_file
from engines.stylegan.model import Generator
from engines.stylegan.spec import WEIGHTS

#: What one of them may weigh.
MOST_BYTES = 16 * 2**20


def write(path: Path, generator: Generator, classes: tuple[str, ...], origin: dict[str, str]) -> str:
    """The generator in half the precision, whole or not at all; returns the file's sha256.

    Raises BadNetwork when its weights are not finite.
    """
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in generator.state_dict().items()}
    incoming = path.with_suffix(".incoming")
    sha256 = network_file.write(incoming, generator.config, arrays, half=True, classes=classes, origin=origin)
    os.replace(incoming, path)
    return sha256


def ship(made: Path, name: str, folder: Path = WEIGHTS, **entry: Any) -> Path:
    """Copy a file of `write` into the project, and register it. Raises ValueError when it is too large."""
    data = made.read_bytes()
    if len(data) > MOST_BYTES:
        raise ValueError(f"{made} has {len(data):,} bytes; {MOST_BYTES:,} can be shipped")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    path.write_bytes(data)
    shipped.register(path, **entry)
    return path
