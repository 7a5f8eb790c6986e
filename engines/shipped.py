"""Weights that come with the project itself, `engines/<kind>/weights/*.safetensors`, verified when read.

Beside them lies `weights.json`, which says of each file its sha256 and where it comes from. A file that is
not exactly that one is refused: what damaged weights make would look like a bad picture, not like an error.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from engines.base import EngineError

#: What says of each file of the folder its sha256, and how it was made.
REGISTER = "weights.json"


def read(folder: Path, name: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a shipped file, as float32, and the metadata in its header.

    Raises EngineError when the file is absent, damaged, not the registered one, or not finite throughout.
    """
    data = _verified(folder, name)
    try:
        tensors = safetensors.torch.load(data)
        metadata = _metadata(data)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise EngineError(f"the weights {name} are not a safetensors file: {error}; {_REMEDY}") from error
    for key, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise EngineError(f"the weights {name} hold a value that is not finite, in {key}; {_REMEDY}")
    return {
        key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in tensors.items()
    }, metadata


def verified(folder: Path, name: str) -> Path:
    """Where a shipped file lies. Raises EngineError when it is absent, damaged or not the registered one."""
    _verified(folder, name)
    return folder / name


def _verified(folder: Path, name: str) -> bytes:
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise EngineError(f"the weights {name} cannot be read: {error}; {_REMEDY}") from error
    expected = registered(folder).get(name, {}).get("sha256")
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise EngineError(
            f"the weights {name} are damaged or another release's: sha256 {found[:16]}..., "
            f"expected {str(expected)[:16]}...; {_REMEDY}"
        )
    return data


def registered(folder: Path) -> dict[str, dict[str, Any]]:
    """What `weights.json` says, by file name. Raises EngineError when it cannot be read."""
    try:
        found: dict[str, dict[str, Any]] = json.loads((folder / REGISTER).read_text())
    except (OSError, ValueError) as error:
        raise EngineError(f"{folder.name}/{REGISTER} cannot be read: {error}; {_REMEDY}") from error
    return found


def _metadata(data: bytes) -> dict[str, str]:
    """What stands in the header: eight bytes with its length, then JSON (the safetensors format)."""
    length = int.from_bytes(data[:8], "little")
    found: dict[str, str] = json.loads(data[8 : 8 + length]).get("__metadata__", {})
    return found


def fill(module: nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Put the tensors into the module, all of them. Raises EngineError when they are another network's."""
    try:
        module.load_state_dict(dict(tensors), strict=True)
    except RuntimeError as error:
        raise EngineError(f"the weights {name} do not fit this network: {error}; {_REMEDY}") from error


def write(
    folder: Path, name: str, tensors: Mapping[str, Tensor], metadata: Mapping[str, str], **origin: Any
) -> Path:
    """Store tensors as fp16 safetensors and register the file, with its `origin` (data, seed, ...)."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    half = {
        key: (
            tensor.detach().cpu().half() if tensor.is_floating_point() else tensor.detach().cpu()
        ).contiguous()
        for key, tensor in tensors.items()
    }
    safetensors.torch.save_file(half, path, metadata=dict(metadata))
    register(path, **origin)
    return path


def register(path: Path, **origin: Any) -> None:
    """Enter a file that lies in its folder by now, for everybody to read."""
    path.chmod(0o644)  # safetensors writes it for its owner alone
    entries = registered(path.parent) if (path.parent / REGISTER).is_file() else {}
    entries[path.name] = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), **origin}
    (path.parent / REGISTER).write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n")


_REMEDY = "take it anew from the release or the repository"
