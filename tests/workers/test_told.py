"""A process that is told to end ends: by SIGTERM and by Ctrl-C, at any time, and as often as one likes."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
from workers.told import until_told

def run(ended):
    print("running", flush=True)
    assert ended.wait(60)
    print("cleaning up", flush=True)

until_told(run)
print("done", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
@pytest.mark.parametrize("times", [1, 3])
def test_a_signal_lets_it_finish(number, times):
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "running\n"
        for _ in range(times):
            process.send_signal(number)
        assert process.stdout.read() == "cleaning up\ndone\n"
    assert process.returncode == 0


def test_what_runs_to_its_end_is_not_waited_for():
    program = PROGRAM.replace("assert ended.wait(60)", "assert not ended.is_set()")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "running\ncleaning up\ndone\n")
