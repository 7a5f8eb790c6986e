"""Which device an engine computes on, its name for the record, and what "out of memory" looks like there.

Owns the environment variable ATELIER_DEVICE: "auto" (the default), "cpu", "cuda", "cuda:1", "mps".
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import TypeVar

import torch
from torch import nn

Net = TypeVar("Net", bound=nn.Module)

_OUT_OF_MEMORY_PHRASES = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "cuda_error_out_of_memory",
    "cublas_status_alloc_failed",
)


def choose_device(name: str | None = None) -> torch.device:
    """`name`, else ATELIER_DEVICE, else CUDA where there is a usable one, else the CPU.

    Raises ValueError for a name torch does not know and RuntimeError for a device that is not there.
    """
    who = "device" if name else "ATELIER_DEVICE"
    wanted = name or os.environ.get("ATELIER_DEVICE", "").strip() or "auto"
    if wanted == "auto":
        # Not MPS by itself: several operations our engines use differ there, and it is untested.
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise ValueError(f"{who}: unknown device {wanted!r}") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(f"{who} is {wanted!r}, but this torch sees no CUDA device")
    return device


def device_label(device: torch.device) -> str:
    """For a job's record: "cpu", "cuda: NVIDIA H200"."""
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    return device.type


def channels_last(module: Net) -> Net:
    """Put a net's convolutions into the memory order they are fastest in. Returns the same module."""
    for parameter in module.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return module


def reproducible() -> AbstractContextManager[None]:
    """On CUDA: convolutions in full float32 where that is asked for, the same ones every time.

    All four are said, for what is left out is not left as it was: cuDNN would be off, and TF32 on.
    """
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)


def has_native_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 convolutions are computed by the hardware, not emulated (slower than float32)."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        features = torch.cpu.get_capabilities()
        return bool(features.get("avx512_bf16") or features.get("amx_bf16"))
    return False


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this exception says that memory ran out, on a GPU or in the machine."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # The CPU allocator and the math libraries report it as a plain RuntimeError.
    return isinstance(error, RuntimeError) and any(
        phrase in str(error).lower() for phrase in _OUT_OF_MEMORY_PHRASES
    )


def release_memory(device: torch.device) -> None:
    """Give cached blocks back, so that a smaller second try starts from a clean device."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
