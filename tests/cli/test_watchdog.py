"""What is left of a system is ended, whichever way its supervisor went."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from cli import embedded, watchdog
from tests.cli.conftest import clean_environment, wait_until
from workers.settings import DRAIN_SECONDS

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """A shell that is there, in a process group of its own, as the supervisor's children are."""
    started = []

    def start(script: str = ":") -> subprocess.Popen[bytes]:
        made = subprocess.Popen(
            ["sh", "-c", f"{script}; echo there; while :; do sleep 0.05; done"],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        started.append(made)
        assert made.stdout is not None
        assert made.stdout.readline() == b"there\n"
        return made

    yield start
    for one in started:
        if one.poll() is None:
            os.killpg(one.pid, signal.SIGKILL)
            one.wait()
        assert one.stdout is not None
        one.stdout.close()


def test_a_worker_may_give_its_job_back_before_it_is_killed():
    assert embedded.WORKER_GRACE > DRAIN_SECONDS
    assert watchdog.GRACE_SECONDS > DRAIN_SECONDS
    assert embedded.CLEANUP_SECONDS > watchdog.GRACE_SECONDS


def test_who_was_not_reaped_is_not_alive(start):
    one, other = start(), start()
    os.killpg(one.pid, signal.SIGKILL)
    os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has asked how
    wait_until(lambda: watchdog.alive([one.pid, other.pid]) == [other.pid])  # its `sleep` may end later
    assert one.returncode is None


def test_a_group_is_asked_first_and_killed_when_it_does_not_listen(start, tmp_path):
    polite = start(f"trap 'echo asked > {tmp_path}/polite; exit 0' TERM")
    deaf = start("trap '' TERM")
    watchdog.end([polite.pid, deaf.pid], grace=0.5)
    assert (polite.wait(), deaf.wait()) == (0, -signal.SIGKILL)
    assert (tmp_path / "polite").read_text() == "asked\n"


def test_nobody_left_is_waited_for_by_nobody(start):
    gone = start("trap 'exit 0' TERM")
    watchdog.end([gone.pid], grace=60.0)
    assert gone.wait() == 0
    watchdog.end([gone.pid], grace=60.0)


def test_at_the_end_of_its_pipe_it_ends_what_was_not_taken_away(start):
    left, buried = start(), start()
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.watchdog"],
        env=clean_environment(),
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdin is not None
        process.stdin.write(f"+{left.pid}\n+{buried.pid}\n-{buried.pid}\n-1\n".encode())
        process.stdin.flush()
        process.stdin.close()
        wait_until(lambda: left.poll() is not None)
        assert left.returncode == -signal.SIGTERM
        assert process.wait(30) == 0
        assert buried.poll() is None
    finally:
        process.kill()
        process.wait()
