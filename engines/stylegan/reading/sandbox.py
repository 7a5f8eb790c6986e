"""Converts a stranger's file into one of ours, in a child process that can do no harm.

Nothing of the file is executed (`pickle_reader`), so the child is the second line: if the reader is wrong
after all, the child has little memory and time, an empty environment, one file to write to, and is refused
sockets, other processes and foreign code (`sandbox_child`). What it answers is checked again here.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from engines.base import EngineError, Transient
from engines.stylegan import network_file
from engines.stylegan.bad_network import BadNetwork
from engines.stylegan.config import GeneratorConfig

_ROOT = Path(__file__).parents[3]
_CHILD = "engines.stylegan.reading.sandbox_child"
#: The child is looked after this often, in seconds.
_POLL = 0.05
_LONGEST_ANSWER = 4096


@dataclass(frozen=True)
class SandboxLimits:
    """What a conversion may use."""

    #: Of the file that is read, and of the one that is written.
    file_bytes: int = 2**30
    #: Memory of its own, beyond the mapped file.
    memory_bytes: int = 2**30
    #: Networks of 1024 px (380 MB) take less than one, the largest file that is taken (1 GiB) two or three.
    cpu_seconds: int = 20
    #: On the clock: what a busy machine or a slow disk may make of them.
    seconds: float = 300.0


@dataclass(frozen=True)
class Converted:
    """A network that is now in our format."""

    config: GeneratorConfig
    sha256: str
    bytes: int
    #: Names of the classes, where the file knows them.
    classes: tuple[str, ...]
    #: What it came from, as the file's header says.
    origin: dict[str, str]


def convert(
    source: Path,
    target: Path,
    limits: SandboxLimits | None = None,
    *,
    half: bool = False,
    tick: Callable[[], None] | None = None,
) -> Converted:
    """Read a `.pkl`, or a `.safetensors` of ours, and write `target`, whole or not at all.

    Which of the two it is, its content says. `half` writes fp16. `tick` is called every 50 ms meanwhile; what
    it raises ends the conversion. Raises BadNetwork where the file cannot be used, Transient where the disk
    failed or was full, and EngineError where the file cannot be opened or the child cannot be started.
    """
    limits = limits or SandboxLimits()
    if not source.is_file():
        raise EngineError(f"{source.name} cannot be read: it is not there")
    if source.stat().st_size > limits.file_bytes:
        raise BadNetwork(f"it has {source.stat().st_size:,} bytes; at most {limits.file_bytes:,} are read")
    with tempfile.TemporaryDirectory(prefix=".convert-", dir=target.parent) as folder:
        made = Path(folder) / "network"
        request = {"source": str(source.absolute()), "target": str(made), "half": half, **asdict(limits)}
        _answered(*_run(request, limits.seconds, tick))
        converted = _verified(made, limits.file_bytes)
        os.replace(made, target)
    return converted


def _run(request: dict[str, Any], seconds: float, tick: Callable[[], None] | None) -> tuple[int, bytes]:
    """The child's exit status and what it wrote. Raises Transient when its time was over."""
    # The answer goes to a file: a pipe could be filled without end, or block the child.
    with tempfile.TemporaryFile() as answer:
        try:
            child = _start(request, answer)
        except OSError as error:
            raise EngineError(f"the conversion cannot be started: {error}") from error
        try:
            end = time.monotonic() + seconds
            while True:
                try:
                    status = child.wait(_POLL)
                    break
                except subprocess.TimeoutExpired:
                    if time.monotonic() > end:
                        # A file that is too much work runs into the limit of processor time before.
                        raise Transient(f"the conversion took more than {seconds:g} seconds") from None
                if tick:
                    tick()
        finally:
            _end(child)
        answer.seek(0)
        return status, answer.read(_LONGEST_ANSWER)


def _start(request: dict[str, Any], answer: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", _CHILD, json.dumps(request)],
        cwd="/",
        # One thread: a pool of a numerical library would ask for memory by the number of cores.
        env={
            "PYTHONPATH": str(_ROOT),
            "PYTHONSAFEPATH": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        },
        stdin=subprocess.DEVNULL,
        stdout=answer,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _end(child: subprocess.Popen[bytes]) -> None:
    """With everything it may have started; it leads a session of its own."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _answered(status: int, answer: bytes) -> None:
    """Raises what the child says, or what its silence means."""
    started, _, said = answer.partition(b"\n")
    if started != b"started":
        raise EngineError(f"the conversion could not begin: its process ended with status {status}")
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        found = None
    match found:
        case {"done": True} if status == 0:
            return
        case {"bad_network": str() as why}:
            raise BadNetwork(_printable(why))
        case {"failed": str() as why}:
            raise Transient(f"the conversion failed: {_printable(why)}")
    if status == -signal.SIGXCPU:
        raise BadNetwork("reading it took more time than a network needs")
    if status == -signal.SIGKILL:
        # Its own limits end it otherwise; this was the machine, which ran out of memory, or its operator.
        raise Transient("the conversion was killed: this machine may be short of memory")
    raise BadNetwork("reading it failed: this is no network that could be used")


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _verified(made: Path, most: int) -> Converted:
    """What the child wrote, looked at with our own eyes. Raises BadNetwork where it is no network."""
    if not made.is_file() or made.is_symlink() or made.stat().st_size > most:
        raise BadNetwork("reading it made no network")
    header = network_file.read_header(made)
    with made.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return Converted(header.config, sha256, made.stat().st_size, header.classes, header.origin)
