"""Our own file of a network: written and read, and everything a stranger may put in its place."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.base import EngineError
from engines.stylegan import network_file
from engines.stylegan.bad_network import BadNetwork
from tests.engines.stylegan_pickles import TINY, random_tensors
from tests.examples import examples

TENSORS = random_tensors(TINY)
Header = dict[str, Any]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "network.safetensors"
    network_file.write(path, TINY, TENSORS, classes=["cat", "dog"], origin={"format": "test"})
    return path


def refusal(path: Path) -> str:
    with pytest.raises(BadNetwork) as caught:
        network_file.read(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300
    return str(caught.value)


def change(path: Path, edit: Callable[[Header], Any]) -> None:
    """Edit the header as JSON; lengths are put right."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    edit(header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


def test_what_is_written_is_read(file: Path) -> None:
    config, tensors = network_file.read(file)
    assert config == TINY
    assert tensors.keys() == TENSORS.keys()
    assert all(np.array_equal(tensors[name], TENSORS[name]) for name in TENSORS)
    header = network_file.read_header(file)
    assert (header.config, header.classes, header.origin) == (TINY, ("cat", "dog"), {"format": "test"})


def test_tensors_are_their_own_and_torch_takes_them(file: Path) -> None:
    _, tensors = network_file.read(file)
    for array in tensors.values():
        torch.from_numpy(array)  # would warn of an array that must not be written to
        array[...] = 0


def test_the_library_reads_it(file: Path) -> None:
    found = safetensors.numpy.load_file(file)
    assert all(np.array_equal(found[name], TENSORS[name]) for name in TENSORS)


def test_the_same_network_gives_the_same_bytes(tmp_path: Path, file: Path) -> None:
    again = tmp_path / "again"
    reversed_order = dict(reversed(TENSORS.items()))
    sha256 = network_file.write(
        again, TINY, reversed_order, classes=("cat", "dog"), origin={"format": "test"}
    )
    assert again.read_bytes() == file.read_bytes()
    assert sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_half_precision(tmp_path: Path) -> None:
    path = tmp_path / "half"
    network_file.write(path, TINY, TENSORS, half=True)
    config, tensors = network_file.read(path)
    assert config == TINY
    for name, array in tensors.items():
        assert array.dtype == np.float32
        assert np.array_equal(array, TENSORS[name].astype(np.float16))
    large = {**TENSORS, "mapping.w_avg": np.full(4, 70_000, np.float32)}
    with pytest.raises(BadNetwork, match=r"mapping\.w_avg holds values that are not finite"):
        network_file.write(path, TINY, large, half=True)


def test_only_a_whole_network_is_written(tmp_path: Path) -> None:
    with pytest.raises(BadNetwork, match=r"lacks the tensor mapping\.w_avg"):
        network_file.write(tmp_path / "n", TINY, {k: a for k, a in TENSORS.items() if k != "mapping.w_avg"})
    assert not (tmp_path / "n").exists()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for read in (network_file.read, network_file.read_header):
        with pytest.raises(EngineError, match="cannot be read") as caught:
            read(tmp_path / "absent")
        assert not isinstance(caught.value, BadNetwork)


def test_what_begins_like_one(file: Path) -> None:
    assert network_file.begins_like_one(file.read_bytes()[:9])
    # A header of 1152 bytes begins with the first two bytes of a pickle.
    assert network_file.begins_like_one((0x0480).to_bytes(8, "little") + b"{")
    assert network_file.begins_like_one((2**24).to_bytes(8, "little") + b"{"), (
        "somebody else's, of many tensors"
    )
    assert not network_file.begins_like_one(b"\x80\x03}q\0(X{\0{")
    assert not network_file.begins_like_one(b"\x80\x04\x95\x10\0\0\0\0{\0")
    assert not network_file.begins_like_one(b"")


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 7, b"\0" * 8, b"\1" + b"\0" * 7 + b"{", b"\xff" * 40, b"PK\3\4" + bytes(90)]
)
def test_files_that_are_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "n"
    path.write_bytes(data)
    assert "not a safetensors file" in refusal(path)


@pytest.mark.parametrize(
    "text",
    [
        b"[]  ",
        b"{]",
        b"\xff\xfe{}",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"a": NaN}',
        b'{"a": ' + b"9" * 10_000 + b"}",
        b'{"a": 1, "a": 2}',
        b"null",
    ],
)
def test_headers_that_are_none(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "n"
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    assert "its header is not" in refusal(path)


def test_somebody_else_s_safetensors_with_a_long_header(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes((2**21).to_bytes(8, "little") + b"{" + b" " * 2**21)
    with pytest.raises(BadNetwork, match="safetensors file of something else"):
        network_file.read(path)


def test_somebody_else_s_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "n"
    safetensors.numpy.save_file(TENSORS, path)
    assert "does not say that it is a StyleGAN2 network" in refusal(path)


def _entry(field: str, value: Any) -> Callable[[Header], None]:
    return lambda header: header["mapping.w_avg"].update({field: value})


def _said(field: str, value: Any) -> Callable[[Header], None]:
    return lambda header: header["__metadata__"].update({field: value})


def _config(**fields: Any) -> Callable[[Header], None]:
    return _said("config", json.dumps({**json.loads(TINY.model_dump_json()), **fields}))


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (_entry("dtype", "F64"), "F64"),
        (_entry("dtype", "BOOL\n" * 100), "of type BOOL?"),
        (_entry("dtype", 5), "not described"),
        (_entry("shape", [5]), "not described"),
        (_entry("shape", [-4]), "not described"),
        (_entry("shape", [4.0]), "not described"),
        (_entry("shape", [True, 4]), "not described"),
        (_entry("shape", [2, 2]), "it must be (4,)"),
        (_entry("shape", [2**62, 2**62]), "not described"),
        (_entry("data_offsets", [0]), "not described"),
        (_entry("data_offsets", [16, 0]), "not described"),
        (_entry("data_offsets", [-16, 0]), "not described"),
        (_entry("data_offsets", [0, 16]), "overlap or leave gaps"),
        (_entry("data_offsets", [10**6, 10**6 + 16]), "overlap or leave gaps"),
        (lambda header: header.update({"mapping.w_avg": 5}), "not described"),
        (lambda header: header.pop("mapping.w_avg"), "lacks the tensor mapping.w_avg"),
        (lambda header: header.update(more=header["mapping.w_avg"]), "does not have: more"),
        (lambda header: header.update(__metadata__=5), "does not say that it is"),
        (_said("version", "2"), "another version"),
        (_said("config", 5), "does not say its config"),
        (_said("config", "{"), "its configuration cannot be used"),
        (_said("config", "{}"), "c_dim"),
        (_config(img_resolution=12), "its configuration cannot be used"),
        (_config(img_resolution=2**20), "its configuration cannot be used"),
        (_config(w_dim=10**9), "w_dim"),
        (_config(w_dim="4"), "w_dim"),
        (_config(conv_clamp=-1), "conv_clamp"),
        (_config(more=1), "more"),
        (_config(resample_filter=[1.0] * 1000), "resample_filter"),
        (_config(img_resolution=16), "lacks the tensor synthesis.b16"),
        (_said("classes", "[1]"), "classes"),
        (_said("classes", '["a"]'), "names 1 classes; the network has 2"),
        (_said("classes", "{"), "not JSON"),
        (_said("classes", json.dumps(["a", "b" * 5000])), "short texts"),
        (_said("origin", "[]"), "not a JSON object"),
        (_said("origin", '{"a": 5}'), "short texts"),
    ],
)
def test_headers_that_lie(file: Path, edit: Callable[[Header], Any], words: str) -> None:
    change(file, edit)
    assert words in refusal(file)


def test_numbers_missing_or_left_over(file: Path) -> None:
    whole = file.read_bytes()
    for data in (whole[:-1], whole[:-100], whole + b"\0", whole + bytes(1000)):
        file.write_bytes(data)
        assert "it does not hold as many numbers" in refusal(file)


def test_numbers_that_are_not_finite(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-4:] = np.float32(np.nan).tobytes()
    file.write_bytes(data)
    assert "not finite" in refusal(file)


def test_a_header_of_terabytes(tmp_path: Path) -> None:
    path = tmp_path / "n"
    with path.open("wb") as stream:
        stream.write((2**39).to_bytes(8, "little") + b"{")
        stream.truncate(2**40)  # sparse
    assert "not a safetensors file" in refusal(path)


@settings(
    max_examples=examples(200), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_mutated_files(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "n"
    network_file.write(path, TINY, TENSORS)
    changed = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(changed) - 1))
        if data.draw(st.booleans()):
            changed[place] = data.draw(st.integers(0, 255))
        else:
            changed[place : place + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    path.write_bytes(changed)
    with contextlib.suppress(BadNetwork):
        network_file.read(path)
