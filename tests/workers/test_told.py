"""A process that is told to end ends: by SIGTERM and by Ctrl-C, at any time, and as often as one likes."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

#: It cleans up until it is told that all signals were sent: in its very last moment Python has no handlers.
PROGRAM = """
import sys
from workers.told import until_told

def run(ended):
    print("running", flush=True)
    assert ended.wait(60)
    sys.stdin.readline()
    print("cleaned up", flush=True)

until_told(run)
print("done", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
@pytest.mark.parametrize("times", [1, 3])
def test_a_signal_lets_it_finish(number, times):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], **pipes) as process:
        assert process.stdout.readline() == "running\n"
        for _ in range(times):
            process.send_signal(number)
        rest, _ = process.communicate("\n", timeout=60)
    assert (process.returncode, rest) == (0, "cleaned up\ndone\n")


def test_what_runs_to_its_end_is_not_waited_for():
    program = PROGRAM.replace("assert ended.wait(60)", "assert not ended.is_set()")
    done = subprocess.run(
        [sys.executable, "-c", program], input="\n", capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "running\ncleaned up\ndone\n")
