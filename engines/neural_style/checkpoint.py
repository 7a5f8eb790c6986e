"""Checkpoints as safetensors bytes (data only, never pickle), bound to the job they belong to by a digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

_DIGEST = "digest"


def digest_of(*parts: str | bytes) -> bytes:
    """A fingerprint of everything a checkpoint depends on."""
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        whole.update(len(data).to_bytes(8, "big"))
        whole.update(data)
    return whole.digest()


def pack(digest: bytes, tensors: Mapping[str, Tensor]) -> bytes:
    """Serialise named tensors."""
    mark = torch.from_numpy(np.frombuffer(digest, dtype=np.uint8).copy())
    plain = {name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()}
    return save({_DIGEST: mark, **plain})


def unpack(digest: bytes, data: bytes | None, device: torch.device) -> dict[str, Tensor] | None:
    """The tensors, or None where there is no checkpoint, a damaged one, or one of another job."""
    if not data:
        return None
    try:
        tensors = load(data)
    except SafetensorError:
        return None
    mark = tensors.pop(_DIGEST, None)
    if mark is None or mark.numpy().tobytes() != digest:
        return None
    return {name: tensor.to(device) for name, tensor in tensors.items()}
