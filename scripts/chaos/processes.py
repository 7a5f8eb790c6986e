"""Supervised processes: what died is started again, as systemd would, and at the end nothing is left.

Every process is ended by its id. Children are remembered before their parent is killed, so that they are
found when they outlive it.
"""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

#: Seconds until a dead process is started again.
RESTART_AFTER = (0.5, 2.0)
#: Seconds that everything together may take to end by itself.
GRACE = 25.0


class Process:
    """One program that is to run, and the present process of it."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], logs: Path) -> None:
        self.name = name
        #: Held by the one fault that is at it.
        self.busy = threading.Lock()
        #: It ended without being asked to: how often, with which status.
        self.ends: list[int] = []
        self._command = list(command)
        self._environment = dict(environment)
        self._log = logs / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._seen: set[psutil.Process] = set()
        self._restart_at: float | None = None

    @property
    def pid(self) -> int:
        """Of the present process."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it. Its session is its own: Ctrl-C is for the harness, which ends it in order."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        self._restart_at = None
        self._seen.add(psutil.Process(self._process.pid))

    def restart_if_dead(self, now: float, rng: random.Random) -> None:
        """Start it again, a moment after it died."""
        if self.alive:
            return
        if self._restart_at is None:
            assert self._process is not None
            self.ends.append(self._process.returncode)
            self._restart_at = now + rng.uniform(*RESTART_AFTER)
        elif now >= self._restart_at:
            self.start()

    def reap(self) -> None:
        """Wait for the process, which was killed."""
        if self._process is not None:
            self._process.wait()

    def tree(self) -> list[psutil.Process]:
        """The process and all its descendants, parents first."""
        if self._process is None:
            return []
        try:
            top = psutil.Process(self.pid)
            found = [top, *top.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []
        self._seen.update(found)
        return found

    def left(self) -> list[psutil.Process]:
        """What still runs of all that this one ever started."""
        self.tree()
        return [process for process in self._seen if _runs(process)]


def _runs(process: psutil.Process) -> bool:
    try:
        # is_running compares the start time too: another process with a used id is not ours.
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """Signal each that still runs."""
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue  # died meanwhile, which is what such signals are about


class Supervisor:
    """Restarts what dies until it is closed."""

    def __init__(self, seed: int) -> None:
        self.processes: list[Process] = []
        self._rng = random.Random(seed)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor")

    def start(self) -> None:
        """Start everything, and the watch over it."""
        for process in self.processes:
            process.start()
        self._thread.start()

    def strange_ends(self) -> list[str]:
        """Ends that were neither a SIGKILL nor in order."""
        odd = [
            (p.name, status)
            for p in self.processes
            for status in p.ends
            if status not in (0, -signal.SIGKILL)
        ]
        return [f"{name} with status {status}" for name, status in odd]

    def _watch(self) -> None:
        while not self._closing.wait(0.2):
            for process in self.processes:
                process.restart_if_dead(time.monotonic(), self._rng)

    def close(self) -> None:
        """End everything: politely, then not."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        for process in self.processes:
            send(process.left(), signal.SIGCONT)
            send(process.tree()[:1], signal.SIGTERM)
        give_up = time.monotonic() + GRACE
        while any(process.alive for process in self.processes) and time.monotonic() < give_up:
            time.sleep(0.1)
        for process in self.processes:
            send(process.left(), signal.SIGKILL)
            process.reap()
