"""The parent's side of a worker: it hears doorbells, and watches and ends its one child, which runs the jobs.

It never runs one, so it imports no engine, no database and no store: those are the child's (`workers.tasks`),
which is started by `spawn` and shares nothing with its parent. What a child that died held is freed by its
successor, or, when there will be none, by a process of its own (`workers.lost_child`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import structlog
from billiard.exceptions import WorkerLostError
from celery import bootsteps
from celery.signals import (
    setup_logging,
    task_failure,
    worker_init,
    worker_shutdown,
    worker_shutting_down,
)

from jobs.logs import configure_logging
from queue_config import WAKE_TASK, worker_app
from workers import settings

_log = structlog.get_logger(__name__)

#: What a process that runs jobs imports.
CHILD_MODULE = "workers.tasks"

app = worker_app()


class Freer:
    """A process that frees the leases of this worker's child, which is dead, once it is told to."""

    def __init__(self) -> None:
        self._telling = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "workers.lost_child"],
                stdin=subprocess.PIPE,
                # The signals of a supervisor or of Ctrl-C, which end us, are not for it.
                start_new_session=True,
            )
        except OSError as error:
            _log.error("leases_left", error=str(error))  # they run out by themselves

    def free(self) -> None:
        """Free them, and return when that is done or cannot be. Told again, it changes nothing."""
        with self._telling:
            if self._process is not None and self._process.poll() is None:
                self._process.communicate(b"\n")


class Parent:
    """What the parent must know to end its child and free its job."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._draining = False
        self._freer: Freer | None = None

    def children(self) -> list[int]:
        """Process ids of the pool's children."""
        pool = getattr(self._worker.pool, "_pool", None)
        return [process.pid for process in getattr(pool, "_pool", ()) if process.pid]

    def drain(self) -> None:
        """Ask the child to give its job back; end it if it has not after DRAIN_SECONDS.

        Asked again, it changes nothing: who is impatient must not cost the job its checkpoint.
        """
        if self._draining:
            return
        self._draining = True
        for pid in self.children():
            _signal(pid, signal.SIGUSR2)
        for run in (self._end_late, self._end_at_last):
            threading.Thread(target=run, name="drain", daemon=True).start()

    def child_died(self) -> None:
        """The child has just died in a job. If the pool goes on, it starts the next one after this."""
        if not self._draining:
            settings.hand_down_death()
        else:
            # We ended it ourselves, or nobody knows: no failure of the job's.
            (self._freer or Freer()).free()

    def _end_late(self) -> None:
        time.sleep(settings.DRAIN_SECONDS - settings.FREER_SECONDS)
        self._freer = Freer()
        time.sleep(settings.FREER_SECONDS)
        for pid in self.children():
            _log.error("child_killed", pid=pid, seconds=settings.DRAIN_SECONDS)
            _signal(pid, signal.SIGKILL)
        self._freer.free()

    def _end_at_last(self) -> None:
        # A broker or a database that is frozen, not gone, may hold the ordinary way out for longer.
        time.sleep(settings.EXIT_SECONDS)
        _log.error("parent_ended_hard", seconds=settings.EXIT_SECONDS)
        os._exit(0)


class _Signals(bootsteps.StartStopStep):  # type: ignore[misc]  # celery ships no types
    """Ctrl-C is SIGTERM: Celery's own second one would end the child before it has given its job back."""

    def start(self, _worker: Any) -> None:
        """Celery has installed its handlers just before."""
        signal.signal(signal.SIGINT, signal.getsignal(signal.SIGTERM))


app.steps["worker"].add(_Signals)

_parent: Parent | None = None


def _wake() -> None:
    """The parent must know the task's name to take its messages; the child has the task."""


@setup_logging.connect(weak=False)
def _on_setup_logging(**_: Any) -> None:
    configure_logging("worker")


@worker_init.connect(weak=False)
def _on_start(sender: Any, **_: Any) -> None:
    global _parent
    _parent = Parent(sender)
    if WAKE_TASK not in app.tasks:  # it is there when this process runs jobs itself (the pool `solo`)
        app.task(name=WAKE_TASK, shared=False)(_wake)
    # Celery has imported what it should in this process; from here on it is what the child gets to know.
    app.conf.include = (*app.conf.include, CHILD_MODULE)


@worker_shutting_down.connect(weak=False)
def _on_shutting_down(**_: Any) -> None:
    if _parent is not None:
        _parent.drain()


@task_failure.connect(weak=False)
def _on_task_failure(exception: BaseException | None = None, **_: Any) -> None:
    if isinstance(exception, WorkerLostError) and _parent is not None:
        _parent.child_died()


@worker_shutdown.connect(weak=False)
def _on_end(**_: Any) -> None:
    _log.info("worker_ended")


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        _log.info("child_already_gone", pid=pid)
