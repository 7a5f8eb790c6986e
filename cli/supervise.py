"""A small process tree: starts children, restarts those that die, ends them in order, leaves no orphan."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

#: A child that lived this long was well: its next restart is prompt again.
WELL_SECONDS = 30.0
FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
KEPT_LOGS = 4


@dataclass
class Child:
    """One supervised process: its command, and the present process of it, if any."""

    name: str
    command: Sequence[str]
    #: Seconds it may take to end by itself.
    grace: float = 5.0
    #: Children of one stage end together; the highest stage goes first.
    stage: int = 0
    #: What it is told beside what all are told.
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    delay: float = FIRST_DELAY
    restart_at: float = 0.0
    restarts: int = 0


class Supervisor:
    """Owns the children and their watchdog."""

    def __init__(
        self,
        environment: Mapping[str, str],
        logs: Path,
        *,
        lock: int,
        say: Callable[[str], None],
    ) -> None:
        self._environment = dict(environment)
        self._logs = logs
        self._lock = lock
        self._say = say
        self._children: list[Child] = []
        self._watchdog: subprocess.Popen[bytes] | None = None

    def start(self, child: Child) -> None:
        """Start a child, with its output in `<logs>/<name>.log` (the logs of earlier runs are kept)."""
        rotate(self._logs / f"{child.name}.log")
        self._children.append(child)
        self._spawn(child)

    def check(self) -> None:
        """Start again what has died, each after a delay that doubles; call it about every quarter second."""
        now = time.monotonic()
        if self._watchdog is not None and self._watchdog.poll() is not None:
            self._watch()
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                self._say(f"{child.name} ended (exit code {child.process.returncode}); starting it again")
                self._bury(child)
                if now - child.started > WELL_SECONDS:
                    child.delay = FIRST_DELAY
                child.restart_at = now + child.delay
                child.delay = min(child.delay * 2, LONGEST_DELAY)
            if child.process is None and now >= child.restart_at:
                child.restarts += 1
                self._spawn(child)

    def failed(self) -> Child | None:
        """A child that has died again and again since it was first started."""
        return next((child for child in self._children if child.restarts >= 3), None)

    def stop(self) -> None:
        """End every child, stage by stage, then the watchdog."""
        for stage in sorted({child.stage for child in self._children}, reverse=True):
            ending = [c for c in self._children if c.stage == stage and c.process is not None]
            for child in ending:
                _signal(child, signal.SIGTERM)
            started = time.monotonic()
            for child in ending:
                self._wait(child, started + child.grace)
                self._bury(child)
        self._children.clear()
        if self._watchdog is not None and self._watchdog.stdin is not None:
            self._watchdog.stdin.close()
            self._watchdog.wait()
            self._watchdog = None

    def _wait(self, child: Child, deadline: float) -> None:
        try:
            if child.process is not None:
                child.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._say(f"{child.name} does not end; killing it")

    def kill(self) -> None:
        """End every child at once; for a second Ctrl-C. `stop` still has to be called."""
        for child in self._children:
            _signal(child, signal.SIGKILL)

    def _spawn(self, child: Child) -> None:
        if self._watchdog is None:
            self._watch()
        with (self._logs / f"{child.name}.log").open("ab") as log:
            # A session of its own: Ctrl-C reaches the supervisor alone, which ends the children in order,
            # and a whole child, grandchildren too, is one process group.
            child.process = subprocess.Popen(
                child.command,
                env={**self._environment, **child.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        child.started = time.monotonic()
        self._tell("+", child.process.pid)

    def _bury(self, child: Child) -> None:
        """Reap the child's process, and kill what is left of its group: a pool process, say."""
        if child.process is not None:
            _signal(child, signal.SIGKILL)
            child.process.wait()
            self._tell("-", child.process.pid)
            child.process = None

    def _watch(self) -> None:
        self._watchdog = subprocess.Popen(
            [sys.executable, "-m", "cli.watchdog"],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(self._lock,),
        )
        for child in self._children:
            if child.process is not None:
                self._tell("+", child.process.pid)

    def _tell(self, sign: str, group: int) -> None:
        if self._watchdog is None or self._watchdog.stdin is None:
            return
        stream: IO[bytes] = self._watchdog.stdin
        try:
            stream.write(f"{sign}{group}\n".encode())
            stream.flush()
        except BrokenPipeError:  # the watchdog was killed; the next check starts another and tells it all
            return


def _signal(child: Child, number: signal.Signals) -> None:
    if child.process is not None:
        try:
            os.killpg(child.process.pid, number)
        except ProcessLookupError:
            return


def rotate(log: Path) -> None:
    """Move `x.log` to `x.log.1`, `x.log.1` to `x.log.2`, and so on; the oldest goes."""
    log.parent.mkdir(parents=True, exist_ok=True)
    for number in range(KEPT_LOGS - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number + 1}"))
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))
