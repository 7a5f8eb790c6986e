"""The instructions of a pickle: what they make, and that each is bounded."""

from __future__ import annotations

import contextlib
import pickle
import tracemalloc
from typing import Any

import pytest

from engines.stylegan.bad_network import BadNetwork
from engines.stylegan.reading import pickle_machine as machine
from engines.stylegan.reading.pickle_machine import LONG_TEXT, Blob, Budget, Limits, LongText, Machine
from tests.engines import stylegan_pickles as pickles
from tests.engines.stylegan.reading.streams import NUMBERS, read, refusal
from tests.engines.stylegan_pickles import Raw, assemble, tensor


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


def test_program_text_is_measured_and_dropped() -> None:
    source = "import os\n" * 4000
    found = read(assemble({"G": pickles.module("Generator", {}, source=source), "long": source}))
    assert found["long"] == LongText(len(source))
    assert found["G"].class_name == "Generator"


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


# --- one instruction at a time ----------------------------------------------------------------------


def run(code: bytes, **tables: Any) -> Any:
    """The value of a stream that may call what is in `tables`."""
    data = memoryview(code + b".")
    return Machine(data, 0, len(data), Budget.of(Limits()), tables.pop("find", _nothing), **tables).run()


def _nothing(module: str, name: str) -> machine.Global:
    raise BadNetwork(f"{module}.{name}")


@pytest.mark.parametrize(
    ("code", "value"),
    [
        (b"K\xff", 255),
        (b"M\x01\x02", 513),
        (b"J\xfe\xff\xff\xff", -2),
        (b"\x8a\x00", 0),
        (b"\x8a\x01\xff", -1),
        (b"\x8a\x02\xff\x00", 255),
        (b"G\x3f\xf8" + bytes(6), 1.5),
        (b"NN\x86", (None, None)),
        (b"K\1K\2K\3\x87", (1, 2, 3)),
        (b"(K\1(K\2tt", (1, (2,))),
        (b"]K\1a(K\2K\3e", [1, 2, 3]),
        (b"}\x8c\1aK\1s(\x8c\1bK\2u", {"a": 1, "b": 2}),
        (b"\x8f(\x8c\1a\x8c\1a\x90", {"a"}),
    ],
)  # fmt: skip
def test_what_an_instruction_makes(code: bytes, value: Any) -> None:
    assert run(code) == value


def test_what_is_remembered_is_recalled_itself_and_may_be_replaced() -> None:
    one, two = run(b"]\x94h\0\x86")
    assert one is two
    assert run(b"K\5q\0K\6q\0h\0\x87") == (5, 6, 6)  # written again by an older writer's PUT


def test_byte_strings_stay_in_the_file() -> None:
    assert run(b"C\3abc") == Blob(2, 3)
    assert run(b"NB\3\0\0\0abc\x86") == (None, Blob(6, 3))


@pytest.mark.parametrize(("size", "kept"), [(LONG_TEXT, True), (LONG_TEXT + 1, False)])
def test_a_text_is_kept_up_to_a_length(size: int, kept: bool) -> None:
    found = run(b"X" + size.to_bytes(4, "little") + b"a" * size)
    assert found == ("a" * size if kept else LongText(size))


def test_only_what_is_listed_is_called_and_a_class_only_where_it_is_one() -> None:
    def find(module: str, name: str) -> machine.Global:
        return machine.Global(f"{module}.{name}", lambda arguments: [name, *arguments], is_class=name == "C")

    assert run(b"cm\nf\nK\1\x85R", find=find) == ["f", 1]
    assert run(b"\x8c\1m\x8c\1C\x93)\x81", find=find) == ["C"]
    with pytest.raises(BadNetwork, match=r"calls m\.f"):
        run(b"cm\nf\n)\x81", find=find)
    with pytest.raises(BadNetwork, match=r"calls m\.f"):
        run(b"cm\nf\n]R", find=find)


def test_state_and_persistent_things_are_the_caller_s() -> None:
    seen = []
    assert run(b"]K\1b", build=lambda target, state: seen.append((target, state))) == []
    assert seen == [([], 1)]
    assert run(b"K\7Q", find_persistent=lambda value: value * 2) == 14


def test_a_stream_ends_at_its_stop_though_more_follows() -> None:
    data = memoryview(b"xxK\1.K\2.")
    first = Machine(data, 2, len(data), Budget.of(Limits()), _nothing)
    assert first.run() == 1
    assert first.position == 5
    assert Machine(data, first.position, len(data), Budget.of(Limits()), _nothing).run() == 2
