"""The chaos run itself: it breaks no promise, a house without sweeper is caught, nothing is left.

At the tests' pace: with leases a quarter as long, the same faults fit into a third of the two minutes.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import missing
from tests.services import MissingService, _postgres_bin, redis_binary

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, str(ROOT / "scripts" / "chaos.py")]
#: Start, load and faults, what takes its time to settle, audit, end.
pytestmark = [pytest.mark.waits, pytest.mark.timeout(600)]


@pytest.fixture(autouse=True)
def _servers():
    try:
        redis_binary()
        _postgres_bin()
    except MissingService as error:
        missing(error)


class Chaos:
    """Runs of the program, and a way to tell its processes from everybody else's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._mark = uuid.uuid4().hex
        self._environment = os.environ | {"TMPDIR": str(folder), "CHAOS_TEST": self._mark}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*PROGRAM, *arguments],
            env=self._environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        """Its status and what it said."""
        process = self.start(*arguments)
        out, err = process.communicate()
        return process.returncode, out + err

    def left(self) -> list[str]:
        """Command lines of what still runs of it."""
        return [" ".join(p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"]) if self._ours(p)]

    def _ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("CHAOS_TEST") == self._mark
        except psutil.Error:
            return False  # another user's, or gone


@pytest.fixture
def chaos() -> Iterator[Chaos]:
    # Not tmp_path, which nobody but its owner may enter: as root, PostgreSQL runs as another user.
    folder = Path(tempfile.mkdtemp(prefix="chaos-test-"))
    folder.chmod(0o755)
    made = Chaos(folder)
    yield made
    assert made.left() == []
    shutil.rmtree(folder)


def figure(said: str, row: str) -> int:
    """The number in a row of the table."""
    match = re.search(rf"^\| {re.escape(row)} \| (\d+)", said, re.MULTILINE)
    assert match, f"no row {row!r} in:\n{said}"
    return int(match[1])


def test_a_time_of_chaos_breaks_no_promise(chaos):
    status, said = chaos.run(
        "--seconds", "40", "--fault-every", "2.7", "--jobs-per-second", "5", "--seed", "11"
    )

    assert status == 0, said
    assert figure(said, "jobs accepted") >= 150
    assert figure(said, "faults") >= 10
    assert figure(said, "attempts that lost their worker") >= 1
    assert figure(said, "violations") == 0
    assert list(chaos.folder.glob("atelier-*")) == [], "its folder is gone"


def test_a_house_without_its_sweeper_is_caught(chaos):
    status, said = chaos.run(
        "--ablate", "sweeper", "--seconds", "15", "--fault-every", "1.5", "--settle", "8", "--seed", "33",
        "--storage", "local", "--jobs-per-second", "6", "--workers", "4",
    )  # fmt: skip

    assert status == 1, said
    assert "VIOLATION each_job_ended_once" in said


def test_ctrl_c_ends_everything(chaos):
    process = chaos.start("--seconds", "300", "--seed", "1", "--workers", "4")
    assert process.stderr is not None
    assert "workers are up" in process.stderr.readline()
    time.sleep(3)
    assert len(chaos.left()) > 10

    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=90)

    assert process.returncode == 130, said
    assert chaos.left() == []
    assert list(chaos.folder.glob("atelier-*")) == []


def test_it_explains_itself_and_refuses_what_it_cannot_do(chaos):
    status, said = chaos.run("--help")
    assert status == 0
    assert "--jobs-per-second" in said

    for wrong in (["--workers", "2"], ["--seconds", "0"], ["--ablate", "everything"]):
        status, said = chaos.run(*wrong)
        assert status == 2, said
