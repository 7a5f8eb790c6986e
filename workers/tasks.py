"""The Celery side of a worker: one task, and the signals that tie the pool's child to a Runner.

The parent process hears doorbells and watches its one child; the child runs jobs. The child is started by
`spawn`, so it imports this module afresh and shares nothing with its parent.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from types import FrameType
from typing import Any

import structlog
from billiard.exceptions import WorkerLostError
from celery import bootsteps, shared_task
from celery.signals import (
    setup_logging,
    task_failure,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
    worker_shutdown,
    worker_shutting_down,
)
from sqlalchemy.exc import SQLAlchemyError

import engines
from engines.weights import installed
from jobs.database import Database
from jobs.errors import Unavailable
from jobs.ids import new_id
from jobs.logs import configure_logging
from queue_config import WAKE_TASK, worker_app
from storage import open_storage
from workers import settings
from workers.house import House
from workers.lost_child import free_leases
from workers.runner import Runner
from workers.scratch import remove_left

_log = structlog.get_logger(__name__)

app = worker_app()


class _Child:
    """The pool child's one runner, and the thread that reports that it lives."""

    def __init__(self) -> None:
        left = remove_left()
        if left:
            _log.info("scratch_removed", folders=len(left))
        self.worker_id = settings.worker_id() or new_id("wrk")
        house = House.of(Database(pool_size=2), open_storage())
        self.runner = Runner(house, worker_id=self.worker_id, queues=settings.queues())
        self._fleet = house.fleet
        self._ended = threading.Event()
        self._reporter = threading.Thread(target=self._report, name="report", daemon=True)
        self._reporter.start()

    def _report(self) -> None:
        while True:
            try:
                orders = self.runner.health.report(
                    hostname=socket.gethostname(),
                    pid=os.getpid(),
                    queues=settings.queues(),
                    engines=engines.names(),
                    weights=installed(),
                    device=self.runner.device,
                    models=self.runner.models,
                    job_ids=self.runner.job_ids,
                )
                if orders.releasing:
                    self.runner.release()
            except (Unavailable, SQLAlchemyError) as error:
                _log.warning("report_failed", error=str(error))
            if self._ended.wait(settings.REPORT_SECONDS):
                return

    def work(self) -> None:
        """Run what waits; when there may be more than this worker could see, look again."""
        while True:
            self.runner.work()
            if not self.runner.health.pause(self.runner.draining):
                return

    def drain(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Give the running job back and claim no more."""
        self.runner.draining.set()

    def end(self) -> None:
        """Say good-bye to the fleet."""
        self._ended.set()
        self._reporter.join(timeout=2)
        try:
            self._fleet.leave(self.worker_id)
        except (Unavailable, SQLAlchemyError):
            _log.info("left_silently")  # the row ages out by itself


class _Parent:
    """What the parent must know to end its child and free its job."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self.draining = False

    def children(self) -> list[int]:
        """Process ids of the pool's children."""
        pool = getattr(self._worker.pool, "_pool", None)
        return [process.pid for process in getattr(pool, "_pool", ()) if process.pid]

    def drain(self) -> None:
        """Ask the child to give its job back; end it if it has not after DRAIN_SECONDS.

        Asked again, it changes nothing: who is impatient must not cost the job its checkpoint.
        """
        if self.draining:
            return
        self.draining = True
        for pid in self.children():
            _signal(pid, signal.SIGUSR2)
        for run in (self._end_late, self._end_at_last):
            threading.Thread(target=run, name="drain", daemon=True).start()

    def _end_late(self) -> None:
        time.sleep(settings.DRAIN_SECONDS)
        for pid in self.children():
            _log.error("child_killed", pid=pid, seconds=settings.DRAIN_SECONDS)
            _signal(pid, signal.SIGKILL)
        free_leases(charge=False)

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

_child: _Child | None = None
_parent: _Parent | None = None


@shared_task(name=WAKE_TASK, ignore_result=True)
def wake() -> None:
    """There is work: run what waits. Which job is decided by the database, not by the message."""
    global _child
    if _child is None:  # a pool without child processes (solo, threads)
        _child = _Child()
    _child.work()


@setup_logging.connect(weak=False)
def _on_setup_logging(**_: Any) -> None:
    configure_logging("worker")


@worker_init.connect(weak=False)
def _on_parent_start(sender: Any, **_: Any) -> None:
    global _parent
    _parent = _Parent(sender)


@worker_process_init.connect(weak=False)
def _on_child_start(**_: Any) -> None:
    global _child
    configure_logging("worker")
    _child = _Child()
    signal.signal(signal.SIGUSR2, _child.drain)
    # A supervisor may signal the whole group, Ctrl-C does; the parent, who is told too, asks by SIGUSR2. Not
    # a handler of ours: the pool replaces any by one that ends the process at once, but leaves this alone.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@worker_process_shutdown.connect(weak=False)
def _on_child_end(**_: Any) -> None:
    if _child is not None:
        _child.end()


@worker_shutting_down.connect(weak=False)
def _on_shutting_down(**_: Any) -> None:
    if _child is not None:  # a pool without child processes
        _child.drain()
    if _parent is not None:
        _parent.drain()


@task_failure.connect(weak=False)
def _on_task_failure(exception: BaseException | None = None, **_: Any) -> None:
    if isinstance(exception, WorkerLostError):
        free_leases(charge=_parent is None or not _parent.draining)


@worker_shutdown.connect(weak=False)
def _on_parent_end(**_: Any) -> None:
    if _child is not None:
        _child.end()
    _log.info("worker_ended")


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        _log.info("child_already_gone", pid=pid)
