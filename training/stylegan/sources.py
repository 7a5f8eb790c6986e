"""Networks to begin with: of another run, of our own files, of official ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

from engines.stylegan import network_file
from engines.stylegan.bad_network import BadNetwork
from engines.stylegan.reading import official
from training.stylegan.training import NETWORKS

CHECKPOINT = "checkpoint.pt"
#: Which of an official file's networks are ours.
_OFFICIAL = {"G": "generator", official.AVERAGED: "average"}
_CHECKPOINTS = (".pt", ".pth")


def networks(path: Path) -> Mapping[str, Mapping[str, Tensor]]:
    """Tensors by official names, of those of `NETWORKS` that are there; nothing in a file is executed.

    Raises BadNetwork for what is no network, EngineError and OSError when the file cannot be opened.
    """
    if path.is_dir():
        path = path / CHECKPOINT
    if path.suffix in _CHECKPOINTS:
        return _of_a_run(path)
    with path.open("rb") as stream:
        first = stream.read(9)
    if network_file.begins_like_one(first):
        _, tensors = network_file.read(path)
        return {"average": _as_tensors(tensors)}
    found = official.read(path)
    parts = {_OFFICIAL[name]: found.generator(name)[1] for name in found.names() if name in _OFFICIAL}
    if "D" in found.names():
        parts["discriminator"] = found.discriminator()[1]
    return {name: _as_tensors(tensors) for name, tensors in parts.items()}


def _of_a_run(path: Path) -> Mapping[str, Mapping[str, Tensor]]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {name: dict(state[name]) for name in NETWORKS}
    except (UnpicklingError, RuntimeError, EOFError, KeyError, TypeError, ValueError) as error:
        raise BadNetwork(f"{path} is no checkpoint of a run: {error}") from error


def _as_tensors(arrays: official.Tensors) -> dict[str, Tensor]:
    # A copy: an official file's arrays are views on it that cannot be written to.
    return {name: torch.tensor(array) for name, array in arrays.items()}
