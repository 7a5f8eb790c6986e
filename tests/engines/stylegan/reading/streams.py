"""Streams of pickle instructions: reading them, and why they are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engines.stylegan.bad_network import BadNetwork
from engines.stylegan.reading import pickle_reader
from engines.stylegan.reading.pickle_machine import Limits
from tests.engines.stylegan_pickles import Global, assemble

NUMBERS = np.arange(24, dtype=np.float32).reshape(2, 3, 4)

# Every attempt would leave this behind.
TRACE = "executed"


def read(data: bytes, limits: Limits | None = None) -> dict[str, Any]:
    return pickle_reader.parse(memoryview(data), limits)


def refusal(value: Any) -> str:
    """Why a file that holds the value (or is these bytes) is refused."""
    with pytest.raises(BadNetwork) as caught:
        read(value if isinstance(value, bytes) else assemble({"G_ema": value}))
    assert caught.value.code == "bad_network"
    message = str(caught.value)
    assert message.isascii()
    assert message.isprintable()
    assert len(message) < 300
    return message


LISTED = [
    Global("torch_utils.persistence", "_reconstruct_persistent_obj"),
    Global("collections", "OrderedDict"),
    Global("torch._utils", "_rebuild_parameter"),
    Global("torch._utils", "_rebuild_parameter_with_state"),
    Global("torch._utils", "_rebuild_tensor_v2"),
    Global("torch.storage", "_load_from_bytes"),
    Global("numpy", "dtype"),
    Global("numpy", "ndarray"),
    Global("numpy._core.multiarray", "scalar"),
    Global("numpy.core.multiarray", "_reconstruct"),
    Global("dnnlib.util", "EasyDict"),
    Global("builtins", "set"),
]
