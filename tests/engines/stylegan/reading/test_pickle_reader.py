"""The pickle reader: official files as they are, and everything hostile that can be put in their place."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.base import EngineError
from engines.stylegan.bad_network import BadNetwork
from engines.stylegan.config import DiscriminatorConfig, GeneratorConfig
from engines.stylegan.reading import pickle_reader
from engines.stylegan.reading.pickle_machine import Limits
from tests.engines import stylegan_pickles as pickles
from tests.engines.stylegan.reading.streams import LISTED, NUMBERS, read, refusal
from tests.engines.stylegan_pickles import TINY, Global, assemble, tensor
from tests.examples import examples

GOLDEN = Path(__file__).parents[4].parent / "shared" / "golden" / "stylegan2"
FILES = [
    f"{network}/{style}.pkl"
    for network in ("u64_c0", "r32_c3")
    for style in ("network_p4", "network_p3_oldstyle")
]


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


# --- what is refused --------------------------------------------------------------------------------


def test_an_empty_or_absent_file(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pkl"
    empty.touch()
    with pytest.raises(BadNetwork, match="empty"):
        pickle_reader.read(empty)
    with pytest.raises(EngineError, match=r"absent\.pkl cannot be read") as caught:
        pickle_reader.read(tmp_path / "absent.pkl")
    assert not isinstance(caught.value, BadNetwork)


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


# --- bounds -----------------------------------------------------------------------------------------


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
