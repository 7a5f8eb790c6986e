"""Checkpoints of runs: whole files or none, and only for a run with the same settings."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


def write(path: Path, recipe: Mapping[str, Any], **state: Any) -> None:
    """Everything in one move: who is killed meanwhile keeps the checkpoint before."""
    incoming = path.with_suffix(".incoming")
    torch.save({"recipe": recipe, **state}, incoming)
    os.replace(incoming, path)


def read(
    path: Path, recipe: Mapping[str, Any], device: torch.device, free: Collection[str] = ()
) -> dict[str, Any]:
    """What `write` was given. Raises ValueError when another recipe differs in more than what is `free`."""
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    if different := different_settings(state["recipe"], recipe) - set(free):
        raise ValueError(f"{path} was made with other settings: {', '.join(sorted(different))}")
    return state


def different_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> set[str]:
    """The names of what is not the same; of the settings of a part as "generator.z_dim"."""
    found = set()
    for name in before.keys() | now.keys():
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            found |= {f"{name}.{inner}" for inner in different_settings(old, new)}
        elif old != new:
            found.add(name)
    return found


@torch.no_grad()
def adopt(network: nn.Module, given: Mapping[str, Tensor]) -> list[str]:
    """Copy what has the same name and shape; returns the names of what has not, or is not there."""
    missing = []
    for name, tensor in network.state_dict().items():
        found = given.get(name)
        if found is None or found.shape != tensor.shape:
            missing.append(name)
        else:
            tensor.copy_(found)
    return missing
