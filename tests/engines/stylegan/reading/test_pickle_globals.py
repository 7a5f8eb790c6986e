"""The names that a pickle may call, and that nothing else is called."""

from __future__ import annotations

import collections
import io
import os
import pickle
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.engines import stylegan_pickles as pickles
from tests.engines.stylegan.reading.streams import LISTED, NUMBERS, TRACE, read, refusal
from tests.engines.stylegan_pickles import Call, Global, assemble, tensor


def test_ordered_dictionaries_and_sets_of_python_s_own_pickler() -> None:
    value = {"a": collections.OrderedDict(b=1, c=2), "s": {"x", "y"}, "e": set()}
    for protocol in (3, 4):
        assert read(pickle.dumps(value, protocol)) == {"a": {"b": 1, "c": 2}, "s": {"x", "y"}, "e": set()}


def test_numpy_s_numbers_are_python_s() -> None:
    values = {
        "a": np.float64(0.25),
        "b": np.int32(-7),
        "c": np.float32(1.5),
        "d": np.bool_(True),
        "e": np.uint8(200),
    }
    assert read(pickle.dumps(values, 4)) == {"a": 0.25, "b": -7, "c": 1.5, "d": True, "e": 200}
    assert read(assemble({"a": pickles.number(0.5, old_numpy=True)})) == {"a": 0.5}


def test_numpy_s_arrays_are_not_read() -> None:
    """StyleGAN3 networks have them; what those are is said later."""
    found = read(pickle.dumps({"a": np.arange(3)}, 4))
    assert type(found["a"]).__name__ == "UnreadArray"


HOSTILE = {
    "os.system": (os.system, f"touch {TRACE}"),
    "subprocess.check_output": (subprocess.check_output, ["touch", TRACE]),
    "builtins.eval": (eval, f"open('{TRACE}', 'w')"),
    "builtins.exec": (exec, f"open('{TRACE}', 'w')"),
    "builtins.getattr": (getattr, "x", "upper"),
    "io.open": (io.open, TRACE, "w"),
    "torch.serialization.load": (torch.load, TRACE),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("protocol", [2, 4])
def test_calls_are_refused_by_name_and_not_made(
    name: str, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    function, *arguments = HOSTILE[name]
    message = refusal(pickle.dumps({"G_ema": pickles.Hostile(function, *arguments)}, protocol))
    assert "which no network needs" in message
    assert name.rpartition(".")[2] in message
    assert not list(tmp_path.iterdir())


def test_a_name_is_quoted_short_and_clean() -> None:
    message = refusal(Call("evil\x1b[31m\n<script>", "ü" * 500))
    assert "evil??31m??script?.???" in message
    refusal(Call("evil", "ü" * 5000))


def test_the_program_text_of_a_module_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    read(assemble({"G": pickles.module("Generator", {}, source=f"open('{TRACE}', 'w').close()")}))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("listed", LISTED, ids=lambda listed: listed.name)
def test_no_listed_name_can_be_changed_or_called_otherwise(listed: Global) -> None:
    """BUILD with attributes on a callable; arguments of every wrong kind."""
    state = ({}, {"__defaults__": (1,), "call": None})
    for wrong in (state, {"call": 1}, None):
        code = [b"\x80\x04}X\1\0\0\0a", *_code(listed), *_code(wrong), b"bs."]
        assert "sets the state of" in refusal(b"".join(code))
    arrays = tensor(NUMBERS)
    for arguments in [
        (1,),
        ("O", False, True),
        (listed,),
        (arrays, arrays),
        (arrays,) * 6,
        ((),),
        (None,) * 7,
    ]:
        refusal(Call(listed.module, listed.name, arguments))
    if listed.name != "EasyDict":
        assert "calls" in refusal(Call(listed.module, listed.name, new=True))


def _code(value: Any) -> list[bytes]:
    """Without the memo, to stand in the middle of a stream."""
    return [assemble(value)[2:-1].replace(b"\x94", b"")]


def test_numpy_s_types_are_numbers_only() -> None:
    for code in ("O", "O8", "V8", "U4", "S4", "M8", "c16", "object"):
        refusal(pickles.number(1.0, code=code))
    refusal(pickles.number(1.0, data=b"123"))
    refusal(Call("numpy._core.multiarray", "scalar", (Call("numpy", "dtype", ("f8", False, True)), "text")))
    state = (3, ">", None, None, None, -1, -1, 0)
    refusal(
        Call(
            "numpy._core.multiarray",
            "scalar",
            (Call("numpy", "dtype", ("f8", False, True), state=state), b"12345678"),
        )
    )
    array = tensor(NUMBERS)
    refusal(Call("numpy", "dtype", ("f8", array, array)))
    refusal(Call("numpy", "dtype", ("f8", False, True), state=(3, array)))


def test_a_set_and_a_dictionary_take_only_texts() -> None:
    """Integers could be chosen to fall on one another in a table."""
    for items in ([1], [(1, 2)], [None], [tensor(NUMBERS)]):
        assert "names an entry by" in refusal(Call("builtins", "set", (items,)))
    assert "names an entry by" in refusal({5: 1})
    refusal(Call("collections", "OrderedDict", ([["a", 1]],)))


def test_old_tensorflow_networks_are_told_what_to_do() -> None:
    message = refusal(b"\x80\x03cdnnlib.tflib.network\nNetwork\n)\x81}b.")
    assert "TensorFlow" in message
    assert "legacy.py" in message
