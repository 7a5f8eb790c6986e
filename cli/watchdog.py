"""Ends the embedded system's processes when their supervisor is gone, however it went (kill -9 too).

Runs as `python -m cli.watchdog`, in a session of its own. Standard input is a pipe from the supervisor: a
line `+<pgid>` adds a process group, `-<pgid>` takes it away, and the end of the pipe means that the
supervisor is dead. The lock on the data folder is inherited and so is held until the last process is gone.
"""

from __future__ import annotations

import os
import signal
import sys
import time

import psutil

#: Workers give their job back and gunicorn finishes its requests in less.
GRACE_SECONDS = 18.0


def alive(groups: list[int]) -> list[int]:
    """Those of these process groups that have a living member."""
    found = set()
    for process in psutil.process_iter(["status"]):
        # Where nobody reaps orphans (a container without an init) zombies stay for good; they hold nothing.
        if process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        try:
            found.add(os.getpgid(process.pid))
        except (ProcessLookupError, PermissionError):
            continue
    return [group for group in groups if group in found]


def end(groups: list[int], grace: float = GRACE_SECONDS) -> None:
    """Ask every group to end, wait, and kill what is left."""
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 2.0)):
        groups = alive(groups)
        for group in groups:
            try:
                os.killpg(group, number)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + patience
        while alive(groups) and time.monotonic() < deadline:
            time.sleep(0.1)


def main() -> None:
    """Read the pipe to its end, then end what is left."""
    # A Ctrl-C at the terminal or a `kill` of the session is the supervisor's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    groups: dict[int, None] = {}
    for line in sys.stdin:
        group = int(line[1:])
        if line.startswith("+"):
            groups[group] = None
        else:
            groups.pop(group, None)
    # The last started first: workers give their jobs back while the API and the broker still stand.
    end(list(reversed(groups)))


if __name__ == "__main__":
    main()
