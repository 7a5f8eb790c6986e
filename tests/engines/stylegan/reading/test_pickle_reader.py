"""The pickle reader: official files as they are, and everything hostile that can be put in their place."""

from __future__ import annotations

import collections
import contextlib
import io
import os
import pickle
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.base import EngineError
from engines.stylegan.bad_network import BadNetwork
from engines.stylegan.config import DiscriminatorConfig, GeneratorConfig
from engines.stylegan.reading import pickle_reader
from engines.stylegan.reading.pickle_machine import Limits, LongText
from tests.engines import stylegan_pickles as pickles
from tests.engines.stylegan_pickles import TINY, Call, Global, Raw, assemble, tensor
from tests.examples import examples

GOLDEN = Path(__file__).parents[4].parent / "shared" / "golden" / "stylegan2"
FILES = [
    f"{network}/{style}.pkl"
    for network in ("u64_c0", "r32_c3")
    for style in ("network_p4", "network_p3_oldstyle")
]

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


@pytest.fixture(scope="module")
def tiny() -> bytes:
    return pickles.official_file(pickles.network(TINY, pickles.random_tensors(TINY)))


# --- what is read -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_official_files_of_both_styles_hold_their_networks(name: str) -> None:
    if not GOLDEN.is_dir():
        pytest.skip("the golden data are not at hand (../shared/golden)")
    found = pickle_reader.read(GOLDEN / name)
    assert set(found) == {"training_set_kwargs", "G", "D", "G_ema", "augment_pipe"}
    assert found["G_ema"].class_name == "Generator"
    assert found["training_set_kwargs"]["path"] == "/data/tiny.zip"
    assert found["augment_pipe"].state["_buffers"]["Hz_fbank"].shape == (4, 43)


def test_plain_values_are_themselves() -> None:
    value = {
        "a": [1, -5, 2**40, 1.5, None, True, False, "ä"],
        "b": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
        "c": {},
    }
    assert read(assemble(value)) == value


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values_of_python_s_own_pickler_are_themselves(protocol: int) -> None:
    value = {"a": [1, -5, 2**40, 1.5, None, True], "b": (1, 2, 3, 4), "c": {"d": ["e", "e", "d" * 300]}}
    assert read(pickle.dumps(value, protocol)) == value


def test_ordered_dictionaries_and_sets_of_python_s_own_pickler() -> None:
    value = {"a": collections.OrderedDict(b=1, c=2), "s": {"x", "y"}, "e": set()}
    for protocol in (3, 4):
        assert read(pickle.dumps(value, protocol)) == {"a": {"b": 1, "c": 2}, "s": {"x", "y"}, "e": set()}


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


def test_program_text_is_measured_and_dropped() -> None:
    source = "import os\n" * 4000
    found = read(assemble({"G": pickles.module("Generator", {}, source=source), "long": source}))
    assert found["long"] == LongText(len(source))
    assert found["G"].class_name == "Generator"


# --- what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a pickle"),
        (b"PK\x03\x04 and so on", "ZIP archive or a PyTorch checkpoint"),
        (b"<!DOCTYPE html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"(lp0\n.", "not a pickle"),
        (b"\x80\x01}.", "protocol 1"),
        (b"\x80\x06}.", "protocol 6"),
        (b"\x80\x04}", "cut off"),
        (b"\x80\x04", "cut off"),
        (b"\x80", "cut off"),
        (b"\x80\x04.", "left over"),
        (b"\x80\x04}}.", "left over"),
        (b"\x80\x04(}.", "left over"),
        (b"\x80\x04}.}", "1 bytes follow"),
        (b"\x80\x04].", "no dictionary"),
        (b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xff}.", "cut off"),
        (b"\x80\x04X\xff\xff\xff\xffabc.", "cut off"),
        (b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "cut off"),
        (b"\x80\x04B\xff\xff\xff\xffabc.", "cut off"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.", "cut off"),
        (b"\x80\x04\x8c\x02\xff\xff.", "UTF-8"),
        (b"\x80\x04\x8a\xff" + bytes(255) + b".", "integer of 255 bytes"),
        (b"\x80\x04\x8b\x04\0\0\0abcd.", "instruction 0x8b"),
        (b"\x80\x04h\x05.", "never remembered"),
        (b"\x80\x04}r\xff\xff\xff\xff.", "out of order"),
        (b"\x80\x04\x94.", "takes more than there is"),
        (b"\x80\x04N\x85\x86.", "takes more than there is"),
        (b"\x80\x04N(\x85.", "takes more than there is"),
        (b"\x80\x04t.", "takes more than there is"),
        (b"\x80\x04N0.", "instruction 0x30"),  # POP
        (b"\x80\x04N2.", "instruction 0x32"),  # DUP
        (b"\x80\x04Pabc\n.", "instruction 0x50"),  # PERSID
        (b"\x80\x04NQ.", "outside the file"),  # BINPERSID
        (b"\x80\x04\x82\x01.", "instruction 0x82"),  # EXT1
        (b"\x80\x04(ios\nsystem\n.", "instruction 0x69"),  # INST
        (b"\x80\x04(cos\nsystem\no.", "os.system"),  # OBJ, with its class
        (b"\x80\x04I5\n.", "instruction 0x49"),  # INT, of protocol 0
        (b"\x80\x04cos.", "without end"),
        (b"\x80\x04c" + b"a" * 5000 + b"\nb\n.", "without end"),
        (b"\x80\x04NN\x93.", "not a name"),
        (b"\x80\x04}K\x01K\x02s.", "names an entry by a int"),
        (b"\x80\x04}NNs.", "names an entry by a NoneType"),
        (b"\x80\x04}((NNu.", "takes more than there is"),
        (b"\x80\x04}(Nu.", "sets an entry of a dict"),
        (b"\x80\x04]NNs.", "sets an entry of a list"),
        (b"\x80\x04}Na.", "appends to a dict"),
        (b"\x80\x04}(N\x90.", "adds to a dict"),
        (b"\x80\x04\x8f(]\x90.", "names an entry by a list"),
        (b"\x80\x04N)R.", "calls a NoneType"),
        (b"\x80\x04N)\x81.", "calls a NoneType"),
        (b"\x80\x04N}b.", "sets the state of a NoneType"),
    ],
)
def test_broken_and_foreign_streams(data: bytes, words: str) -> None:
    assert words in refusal(data)


def test_an_empty_or_absent_file(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pkl"
    empty.touch()
    with pytest.raises(BadNetwork, match="empty"):
        pickle_reader.read(empty)
    with pytest.raises(EngineError, match=r"absent\.pkl cannot be read") as caught:
        pickle_reader.read(tmp_path / "absent.pkl")
    assert not isinstance(caught.value, BadNetwork)


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


def test_the_program_text_of_a_module_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    read(assemble({"G": pickles.module("Generator", {}, source=f"open('{TRACE}', 'w').close()")}))
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


@pytest.mark.parametrize("protocol", [2, 4])
def test_checkpoints_of_torch_are_told_what_they_are(protocol: int) -> None:
    """In the format before ZIP: five pickles in a row, and the numbers."""
    made = io.BytesIO()
    torch.save(
        {"g_ema": {"input": torch.zeros(2)}},
        made,
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=False,
    )
    message = refusal(made.getvalue())
    assert "torch.save" in message
    assert ".pkl files of stylegan2-ada-pytorch" in message


def test_old_tensorflow_networks_are_told_what_to_do() -> None:
    message = refusal(b"\x80\x03cdnnlib.tflib.network\nNetwork\n)\x81}b.")
    assert "TensorFlow" in message
    assert "legacy.py" in message


# --- bounds -----------------------------------------------------------------------------------------


def test_limits_are_kept() -> None:
    small = Limits(steps=1000, depth=10, text_bytes=1000, tensors=2, file_bytes=10_000)
    for value, words in [
        ([1] * 2000, "more than 1000 steps"),
        ([f"{number:04}" * 30 for number in range(10)], "more than 1000 bytes of text"),
        ([tensor(NUMBERS)] * 3, "more than 2 tensors"),
        (Raw(b"](" * 11), "more than 10 deep"),
    ]:
        with pytest.raises(BadNetwork, match=words):
            read(assemble({"a": value}), small)


def test_a_list_that_is_recalled_is_paid_for_each_time() -> None:
    """Fifty thousand calls on a list of 140,000: few instructions, and days of walking if they were all."""
    with pytest.raises(BadNetwork, match="more than 300000 steps"):
        read(pickles.recalled_list(texts=140_000, calls=50_000))
    few = pickles.recalled_list(texts=100, calls=10)
    assert read(few) == {"a": {f"{number:x}" for number in range(100)}}
    with pytest.raises(BadNetwork, match="more than 1000 steps"):
        read(few, Limits(steps=1000))


@pytest.mark.parametrize(
    "whole", [[1] * 600, (1,) * 600, {f"{n}": 1 for n in range(300)}, {f"{n}" for n in range(600)}]
)
def test_every_value_that_an_instruction_walks_is_a_step(whole: Any) -> None:
    data = assemble({"a": whole})
    assert read(data, Limits(steps=2000)) == {"a": whole}
    with pytest.raises(BadNetwork, match="more than 1000 steps"):
        read(data, Limits(steps=1000))


def test_the_largest_official_networks_take_a_third_of_the_steps() -> None:
    """All three networks of 1024 px: as many layers, that are narrow."""
    small = {"img_channels": 3, "channel_base": 1024, "channel_max": 2, "c_dim": 10, "img_resolution": 1024}
    generator, judge = GeneratorConfig(z_dim=2, w_dim=2, **small), DiscriminatorConfig(**small)
    made = {
        name: pickles.network(config, pickles.random_tensors(config))
        for name, config in (("G", generator), ("D", judge), ("G_ema", generator))
    }
    found = read(assemble(made), Limits(steps=Limits().steps // 3))
    assert set(found) == {"G", "D", "G_ema"}


def test_a_file_larger_than_the_limit(tmp_path: Path) -> None:
    large = tmp_path / "large.pkl"
    with large.open("wb") as stream:
        stream.truncate(2**40)  # sparse: it takes no room
    with pytest.raises(BadNetwork, match="at most"):
        pickle_reader.read(large)


def _in_one_another(depth: int) -> bytes:
    """Modules, each the only attribute of the next."""
    words = [pickles.text(word) for word in ("type", "class", "class_name", "state", "a")]
    begin = b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n\x94" + b"".join(
        word + b"\x94" for word in words
    )
    # After the memo: 0 the callable, 1 to 5 the words; 6 is the newest module.
    one = b"h\x00}(h\x01h\x02h\x03h\x02h\x04}h\x05h\x06su\x85Rq\x06"
    return begin + b"Nq\x06(" + one * depth + b"t"


BOMBS = {
    "tuples in tuples": b"\x80\x04)" + b"\x85" * 100_000 + b".",
    "lists in lists": b"\x80\x04" + b"]" * 100_000 + b"a" * 99_999 + b".",
    "modules in modules": b"\x80\x04" + _in_one_another(12_000) + b".",
    "sets": b"\x80\x04(" + b"\x8f" * 100_000 + b"t.",
    "dictionaries": b"\x80\x04(" + b"}" * 100_000 + b"t.",
    "memo": b"\x80\x04}" + b"\x94" * 100_000 + b".",
    "doubling": b"\x80\x04]\x94" + b"(h\x00h\x00e" * 70_000 + b".",
    "doubling tuples": b"\x80\x04)" + b"".join(b"\x94h" + bytes([n]) + b"\x86" for n in range(250)) + b".",
    "a text of 1 MB that is dropped": b"\x80\x04(" + (b"X\x00\x00\x10\x00" + bytes(2**20)) * 40 + b"t.",
    "wide texts": b"\x80\x04(" + (b"X\x00\x10\x00\x00" + b"\xf0\x9f\x98\x80" + bytes(4092)) * 2000 + b"t.",
    "long integers": b"\x80\x04(" + (b"\x8a\x10" + b"\x7f" * 16) * 100_000 + b"t.",
    "itself": b"\x80\x04]\x94h\x00a.",
    "numbers in a ring": b"\x80\x04}\x94X\x01\x00\x00\x00ah\x00s.",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_cost_little_memory(name: str) -> None:
    data = BOMBS[name]
    tracemalloc.start()
    try:
        with contextlib.suppress(BadNetwork):
            read(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40e6


def test_what_holds_itself_is_read() -> None:
    ring = read(b"\x80\x04}\x94X\x01\x00\x00\x00ah\x00s.")
    assert ring["a"] is ring


# --- chance -----------------------------------------------------------------------------------------

OPCODES = [
    *(bytes([code]) for code in b"(N\x88\x89)]}\x8f\x85\x86\x87tae\x90su\x94\x93R\x81bQ.02oi"),
    *(b"h" + bytes([index]) for index in range(6)),
    *(b"q" + bytes([index]) for index in range(6)),
    *(b"K" + bytes([value]) for value in (0, 1, 2, 255)),
    *(
        pickles.text(word)
        for word in ("a", "class", "type", "state", "class_name", "f8", "<", "storage", "cpu")
    ),
    *(
        b"c" + f"{name.module}\n{name.name}\n".encode()
        for name in [*LISTED, Global("os", "system"), Global("torch", "FloatStorage")]
    ),
    assemble(tensor(NUMBERS))[2:-1],
    assemble(pickles.storage_bytes(NUMBERS))[2:-1],
    assemble(pickles.number(1.0))[2:-1],
    b"C\x03abc",
    b"G" + bytes(8),
    b"J\xff\xff\xff\xff",
]


def right_or_refused(data: bytes) -> None:
    """Every other exception fails the test."""
    with contextlib.suppress(BadNetwork):
        read(data)


@settings(max_examples=examples(300), deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes(data: bytes) -> None:
    right_or_refused(data)
    right_or_refused(b"\x80\x04" + data)


@settings(max_examples=examples(600), deadline=None)
@given(st.lists(st.sampled_from(OPCODES), max_size=60))
def test_random_programs(code: list[bytes]) -> None:
    right_or_refused(b"\x80\x04" + b"".join(code) + b".")


@settings(
    max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_mutated_networks(tiny: bytes, data: st.DataObject) -> None:
    changed = bytearray(tiny)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(changed) - 1))
        action = data.draw(st.sampled_from(["set", "flip", "cut", "insert", "drop", "repeat"]))
        if action == "set":
            changed[place] = data.draw(st.integers(0, 255))
        elif action == "flip":
            changed[place] ^= 1 << data.draw(st.integers(0, 7))
        elif action == "cut":
            del changed[max(place, 1) :]
        elif action == "insert":
            changed[place:place] = data.draw(st.sampled_from(OPCODES))
        elif action == "drop":
            del changed[place : place + data.draw(st.integers(1, 40))]
        else:
            changed[place:place] = changed[place : place + 100]
        if not changed:
            break
    right_or_refused(bytes(changed))


@pytest.mark.parametrize("name", FILES[2:])
def test_mutated_official_files(name: str) -> None:
    """A few hundred of one changed byte each, at places spread over what is not weights."""
    if not GOLDEN.is_dir():
        pytest.skip("the golden data are not at hand (../shared/golden)")
    whole = (GOLDEN / name).read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, 6000, 60):  # the head: names, the first modules, the first storages
        changed = bytearray(whole)
        changed[place] ^= 1 << rng.integers(0, 8)
        right_or_refused(bytes(changed))


def test_reading_costs_no_memory_beside_the_file(tmp_path: Path) -> None:
    """In a fresh process: of 64 MB of weights, only what is looked at comes into memory."""
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak of a process's memory is only known on Linux")
    path = tmp_path / "large.pkl"
    path.write_bytes(assemble({"t": [tensor(np.ones(2**21, np.float32)) for _ in range(8)]}))
    program = f"""
from pathlib import Path
from engines.stylegan.reading import pickle_reader

def peak():  # not getrusage's, which begins at what the process that started this one had in memory
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

before = peak()
found = pickle_reader.read(Path({str(path)!r}))
print(peak() - before)
print(sum(float(array.sum()) for array in found["t"]))
print(peak() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        cwd=Path(__file__).parents[4],
        text=True,
    )
    read, total, looked_at = (float(line) for line in done.stdout.split())
    assert total == 8 * 2**21
    assert read < 24 * 1024  # the machine may load two megabytes where one byte is read
    assert 60 * 1024 < looked_at < 72 * 1024
