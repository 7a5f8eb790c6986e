"""Tensors inside a pickle: views on the file, and never beyond their numbers."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.engines import stylegan_pickles as pickles
from tests.engines.stylegan.reading.streams import NUMBERS, TRACE, read, refusal
from tests.engines.stylegan_pickles import Global, assemble, tensor


@pytest.mark.parametrize("kind", ["f4", "f2", "f8", "i8"])
def test_a_tensor_is_a_read_only_view_on_the_file(kind: str) -> None:
    data = assemble({"t": tensor(NUMBERS.astype(kind))})
    found = read(data)["t"]
    assert found.dtype == np.dtype(kind)
    assert np.array_equal(found, NUMBERS)
    assert not found.flags.writeable
    assert np.shares_memory(found, np.frombuffer(data, np.uint8))


def test_tensors_that_torch_wrote() -> None:
    """With strides, an offset, and a storage that two share."""
    base = torch.arange(48, dtype=torch.float32).reshape(2, 4, 6)
    made = {
        "whole": base,
        "part": base[:, 1:3, ::2],
        "turned": base.permute(2, 0, 1),
        "scalar": base[1, 2, 3],
    }
    made |= {"none": torch.zeros(0, 3), "half": base.half(), "long": base.long(), "byte": base.byte()}
    data = io.BytesIO()
    writer = pickle.Pickler(data, 4)
    writer.dump({**made, "parameter": torch.nn.Parameter(base)})
    found = read(data.getvalue())
    assert np.array_equal(found.pop("parameter").array, base)
    for name, expected in made.items():
        assert found[name].shape == tuple(expected.shape)
        assert np.array_equal(found[name], expected.numpy())


@pytest.mark.parametrize("place", ["raw", "zip", "legacy"])
def test_a_call_inside_a_storage_is_not_made(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    attack = pickles.Hostile(os.system, f"touch {TRACE}")
    if place == "raw":
        blob = pickle.dumps(attack, 2)
    elif place == "zip":
        stream = io.BytesIO()
        torch.save(attack, stream)
        blob = stream.getvalue()
    else:
        stream = io.BytesIO()
        torch.save(attack, stream, _use_new_zipfile_serialization=False)
        blob = stream.getvalue()
    refusal(tensor(NUMBERS, blob=blob))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change",
    [
        {"magic": 5},
        {"protocol": 1000},
        {"facts": {"little_endian": False}},
        {"facts": {"big": True}},
        {"facts": [1]},
        {"kind": "FloatStorage"},
        {"kind": Global("torch", "BFloat16Storage")},
        {"kind": Global("os", "system")},
        {"kind": Global("torch", "FloatTensor")},
        {"declared": 23},
        {"declared": -1},
        {"declared": 2**62},
        {"counted": 23},
        {"counted": -1},
        {"counted": 2**62},
        {"declared": 25, "counted": 25},
        {"extra": b"more"},
    ],
)
def test_a_storage_that_is_not_what_it_says(change: dict[str, Any]) -> None:
    assert (
        "tensor in it" in refusal(tensor(NUMBERS, blob=pickles.storage_bytes(NUMBERS, **change)))
        or "facts" in change
    )


@pytest.mark.parametrize("length", [0, 1, 50, -1, -8, -9, -97])
def test_a_storage_that_was_cut_off(length: int) -> None:
    refusal(tensor(NUMBERS, blob=pickles.storage_bytes(NUMBERS)[:length]))


@pytest.mark.parametrize(
    "change",
    [
        {"size": (2, 3, 5)},
        {"size": (25,), "stride": (1,)},
        {"size": (2**40,), "stride": (0,)},  # a bomb: 4 TiB out of one number
        {"size": (25, 1), "stride": (0, 0)},
        {"size": (2**31, 2**31, 2**31), "stride": (0, 0, 0)},
        {"size": (0, 2**39, 2**39), "stride": (1, 1, 1)},  # nothing, but numpy multiplies
        {"size": (4,), "stride": (8,)},
        {"size": (4,), "stride": (2**62,)},
        {"size": (4,), "stride": (-1,)},
        {"size": (-4,), "stride": (1,)},
        {"size": (2,), "stride": (1,), "offset": 23},
        {"size": (), "stride": (), "offset": 24},
        {"size": (0,), "stride": (1,), "offset": 25},
        {"size": (1,), "stride": (1,), "offset": -1},
        {"size": (1,), "stride": (1,), "offset": 2**62},
        {"size": (2.0,), "stride": (1,)},
        {"size": (True,), "stride": (1,)},
        {"size": (2,), "stride": (1, 1)},
        {"size": [2], "stride": [1]},
        {"size": (1,) * 9, "stride": (1,) * 9},
        {"size": ("2",), "stride": (1,)},
        {"offset": None},
    ],
)
def test_a_view_beyond_its_storage(change: dict[str, Any]) -> None:
    assert "a tensor in it" in refusal(tensor(NUMBERS, **change))


def test_views_that_stay_within_their_storage() -> None:
    for change, expected in [
        ({"size": (24,), "stride": (0,)}, np.zeros(24)),  # a stride of 0 is no harm where nothing grows
        ({"size": (2,), "stride": (1,), "offset": 22}, [22.0, 23.0]),
        ({"size": (1, 2), "stride": (2**39, 12)}, [[0.0, 12.0]]),
        ({"size": (0, 2**39), "stride": (1, 1), "offset": 24}, None),
    ]:
        found = read(assemble({"t": tensor(NUMBERS, **change)}))["t"]
        assert found.size == 0 if expected is None else np.array_equal(found, expected)
