"""The child's side of a worker: the one task, and the signals that tie the pool's child to a Runner.

The child is started by `spawn` and shares nothing with its parent (`workers.parent`), which does not know it.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from types import FrameType
from typing import Any

import structlog
from celery import shared_task
from celery.signals import (
    setup_logging,
    worker_process_init,
    worker_process_shutdown,
    worker_shutdown,
    worker_shutting_down,
)
from sqlalchemy.exc import SQLAlchemyError

import engines
from jobs.database import Database
from jobs.errors import Unavailable
from jobs.ids import new_id
from jobs.logs import configure_logging
from queue_config import WAKE_TASK, Doorbell
from storage import open_storage
from workers import settings
from workers.has import has
from workers.house import House
from workers.lost_child import free_leases
from workers.runner import Runner
from workers.scratch import remove_left

_log = structlog.get_logger(__name__)


class Child:
    """The pool child's one runner, and the thread that reports that it lives."""

    def __init__(self) -> None:
        left = remove_left()
        if left:
            _log.info("scratch_removed", folders=len(left))
        if settings.is_successor():
            # Before this one claims any, and learns what is thought of it.
            free_leases(charge=True, ring=Doorbell().wake)
        self.worker_id = settings.worker_id() or new_id("wrk")
        house = House.of(Database(pool_size=2), open_storage(), Doorbell().wake)
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
                    weights=has(),
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


_child: Child | None = None


@shared_task(name=WAKE_TASK, ignore_result=True)
def wake() -> None:
    """There is work: run what waits. Which job is decided by the database, not by the message."""
    global _child
    if _child is None:  # a pool without child processes (threads)
        _child = Child()
    _child.work()


@setup_logging.connect(weak=False)
def _on_setup_logging(**_: Any) -> None:
    configure_logging("worker")


@worker_process_init.connect(weak=False)
def _on_start(**_: Any) -> None:
    global _child
    configure_logging("worker")
    _child = Child()
    signal.signal(signal.SIGUSR2, _child.drain)
    # A supervisor may signal the whole group, Ctrl-C does; the parent, who is told too, asks by SIGUSR2. Not
    # a handler of ours: the pool replaces any by one that ends the process at once, but leaves this alone.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@worker_process_shutdown.connect(weak=False)
@worker_shutdown.connect(weak=False)  # of a pool without child processes
def _on_end(**_: Any) -> None:
    if _child is not None:
        _child.end()


@worker_shutting_down.connect(weak=False)
def _on_shutting_down(**_: Any) -> None:
    if _child is not None:  # a pool without child processes
        _child.drain()
