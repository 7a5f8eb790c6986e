"""A process that looks at a stranger's file for us: with little memory and time, and nothing else in reach.

For readers that are written in C and too large to be trusted. The child's own part is `doors.confined`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from doors.base import NotInspected, copied

_ROOT = Path(__file__).parents[1]
#: An answer is a line of JSON.
ANSWER_BYTES = 4096
STARTED = b"started\n"


@dataclass(frozen=True)
class Limits:
    """What a look at one file may take."""

    #: Of the child's own, what its libraries take included.
    memory_bytes: int = 128 * 1024 * 1024
    #: Of one processor.
    cpu_seconds: int = 10
    #: On the clock: what a busy machine may make of them.
    seconds: float = 60.0


class TooMuchWork(Exception):
    """Reading the file takes more memory or time than any that is meant to be read."""


class BrokeDown(Exception):
    """The reader broke down over the file."""


def ask(module: str, request: dict[str, Any], file: BinaryIO, limits: Limits) -> bytes:
    """What `python -m module` answers of the file, which it has as its standard input.

    Raises TooMuchWork and BrokeDown, which are the file's fault, and NotInspected, which is the machine's.
    """
    file.seek(0)
    # The child gets a copy, so that there is nothing of ours that it could write to. The answer goes to a
    # file, as a pipe could be filled without end or block the child.
    with copied(file) as copy, tempfile.TemporaryFile() as answer:
        try:
            status = _run([module, json.dumps(request | asdict(limits))], copy, answer, limits.seconds)
        except OSError as error:
            raise NotInspected(f"a child could not be started: {error}") from error
        answer.seek(0)
        said = answer.read(ANSWER_BYTES)
    return _answer(status, said)


def _run(arguments: list[str], file: BinaryIO, answer: IO[bytes], seconds: float) -> int:
    child = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd="/",
        # Of our own environment nothing: there are keys in it.
        env={"PYTHONPATH": str(_ROOT), "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=file,
        stdout=answer,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        # Work without end runs into the limit of processor time before.
        raise NotInspected(f"a child was not done in {seconds:g} seconds") from None
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)  # with everything it may have started: it leads a session
            child.wait()


def _answer(status: int, said: bytes) -> bytes:
    if not said.startswith(STARTED):
        raise NotInspected(f"a child ended with status {status} before it had begun")
    if status == 0:
        return said.removeprefix(STARTED)
    if status == -signal.SIGXCPU:
        raise TooMuchWork("it took too much time")
    if status == -signal.SIGKILL:
        # Its own limits end it otherwise; this was the machine, which ran out of memory, or its operator.
        raise NotInspected("a child was killed")
    raise BrokeDown(f"status {status}")
