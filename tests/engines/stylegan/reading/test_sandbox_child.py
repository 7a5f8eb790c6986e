"""The child that converts: what it answers, and what it may not do."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from engines.stylegan import network_file
from engines.stylegan.reading import sandbox_child
from tests.engines import stylegan_pickles as pickles
from tests.engines.stylegan_pickles import TINY

ROOT = Path(__file__).parents[4]


# --- what it answers --------------------------------------------------------------------------------


def asked(source: Path, target: Path, **more: object) -> dict[str, Any]:
    request = {"source": str(source), "target": str(target), "half": False, "file_bytes": 2**20}
    return sandbox_child.main(request | more)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "stranger.pkl"
    path.write_bytes(pickles.official_file(pickles.network(TINY, pickles.random_tensors(TINY))))
    return path


def test_an_official_network_is_written_without_a_word_of_the_file_s_own(
    source: Path, tmp_path: Path
) -> None:
    assert asked(source, tmp_path / "a") == {"done": True}
    header = network_file.read_header(tmp_path / "a")
    assert header.config == TINY
    assert header.origin == {"format": "stylegan2-ada-pytorch", "network": "G_ema"}
    assert header.classes == ()


def test_a_file_of_ours_keeps_its_classes_and_its_origin(tmp_path: Path) -> None:
    config = TINY
    names = tuple(f"class {number}" for number in range(config.c_dim))
    origin = {"made": "elsewhere"}
    tensors = pickles.random_tensors(config)
    network_file.write(tmp_path / "ours", config, tensors, classes=names, origin=origin)
    for half in (False, True):
        assert asked(tmp_path / "ours", tmp_path / "again", half=half) == {"done": True}
        header = network_file.read_header(tmp_path / "again")
        assert (header.classes, header.origin) == (names, origin)
    assert (tmp_path / "again").stat().st_size < (tmp_path / "ours").stat().st_size


def test_what_is_no_network_is_the_file_s_fault(source: Path, tmp_path: Path) -> None:
    source.write_bytes(b"\x80\x04N.")
    assert "no dictionary" in asked(source, tmp_path / "a")["bad_network"]
    assert "at most 3 are read" in asked(source, tmp_path / "a", file_bytes=3)["bad_network"]


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (MemoryError(), {"bad_network": "reading it took more memory than a network needs"}),
        (
            OSError(errno.EFBIG, "too large"),
            {"bad_network": "the network would be larger than 1,048,576 bytes"},
        ),
        (OSError(errno.ENOSPC, "No space left"), {"failed": "[Errno 28] No space left"}),
    ],
    ids=["memory", "size", "disk"],
)
def test_whose_fault_it_is_when_the_system_says_no(source, tmp_path, monkeypatch, error, answer) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(network_file, "write", broken)
    assert asked(source, tmp_path / "a") == answer


def test_a_source_that_is_gone_is_not(tmp_path: Path) -> None:
    assert set(asked(tmp_path / "absent", tmp_path / "a")) == {"failed"}


# --- what the child may not do ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "attempt",
    [
        "import socket; socket.socket()",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.system('true')",
        "import os; os.execv('/bin/true', ['true'])",
        "import os; os.fork()",
        "import os; os.posix_spawn('/bin/true', ['true'], {})",
        "import os; os.kill(os.getppid(), 0)",
        "import ctypes; ctypes.CDLL(None)",
        "import pickle; pickle.loads(b'cos\\nsystem\\n.')",
        "open(asked['target'] + '2', 'w')",
        "open('/tmp/atelier-sandbox-test', 'a')",
        "import os; os.open(asked['target'] + '2', os.O_CREAT)",
        "open('/etc/hostname')",
        "open('/proc/self/environ', 'rb')",
        "import os; os.open('/etc/hostname', os.O_RDONLY)",
        "import os; os.remove(asked['target'])",
        "import os; os.rename(asked['target'], asked['target'] + '2')",
        "import os; os.symlink('/etc', asked['target'] + '2')",
        "import os; os.truncate(asked['source'], 0)",
    ],
)
def test_the_child_refuses_itself(attempt: str, tmp_path: Path) -> None:
    program = f"""
from engines.stylegan.reading import sandbox_child
asked = {{"target": {str(tmp_path / "target")!r}, "file_bytes": 2**30, "memory_bytes": 2**30}}
asked |= {{"source": {str(tmp_path / "source")!r}, "cpu_seconds": 60}}
sandbox_child.restrict(asked)
open(asked["target"], "wb").close()
try:
    {attempt}
except PermissionError as error:
    assert "is refused while a network is read" in str(error)
    print("refused")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "refused\n", done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_the_child_s_processor_time_is_limited(tmp_path: Path) -> None:
    program = f"""
from engines.stylegan.reading import sandbox_child
asked = {{"target": {str(tmp_path)!r}, "file_bytes": 2**30, "memory_bytes": 2**30, "cpu_seconds": 3}}
asked["source"] = asked["target"]
sandbox_child.restrict(asked)
while True:
    pass
"""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == -signal.SIGXCPU
    assert time.monotonic() - began > 0.5
