"""The Celery app, the queues, the one task, and `wake`: a message says "there is work", never which.

Owner of REDIS_URL, which may name a RabbitMQ too (amqp://user:password@host:5672/vhost). The settings follow
from one decision (docs/adr/0001): the database row is the job, so a message may be lost or doubled without
harm, and everything in Celery that tries to protect messages (late acknowledgement, visibility timeouts,
result backends, retries, ETAs) is off because it would run jobs twice. That also keeps us clear of what
RabbitMQ does to messages that are acknowledged late: its consumer timeout, its limit of deliveries.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import structlog
from celery import Celery
from kombu.exceptions import ChannelError, OperationalError

#: Which machines may take a job. `gpu`: heavy engines, an accelerator if there is one; `cpu`: light ones;
#: `net`: those that ask somebody else's service and mostly wait.
QUEUES = ("gpu", "cpu", "net")

#: The only task there is.
WAKE_TASK = "atelier.wake"

DEFAULT_URL = "redis://127.0.0.1:6379/0"

_log = structlog.get_logger(__name__)


def redis_url() -> str:
    """REDIS_URL, or the usual local server. Any broker Celery speaks to may stand there."""
    return os.environ.get("REDIS_URL", DEFAULT_URL)


def _is_amqp() -> bool:
    return redis_url().startswith(("amqp", "pyamqp"))


def _settings() -> dict[str, Any]:
    return {
        "broker_url": redis_url(),
        "result_backend": None,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        "enable_utc": True,
        "task_default_queue": QUEUES[0],
        "task_create_missing_queues": True,
        "worker_send_task_events": False,
        "task_send_sent_event": False,
        # A doorbell is acknowledged when it is heard. Late acknowledgement on Redis runs a live job twice,
        # in parallel, as soon as one connection drops.
        "task_acks_late": False,
        # A busy worker holds no doorbell that an idle one could hear. On RabbitMQ it may hold one: that one
        # the queue's length does not count, so the sweeper rings again.
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": not _is_amqp(),
        # The only pool whose parent can end a hung child, and CUDA does not survive fork.
        "worker_pool": "prefork",
        "worker_concurrency": 1,
        "worker_pool_start_method": "spawn",
        "worker_proc_alive_timeout": 180,
        "worker_max_tasks_per_child": None,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_soft_shutdown_timeout": 0,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "task_time_limit": None,
        "broker_connection_retry_on_startup": True,
        # For ever: the default of 100 ends a worker after a long outage.
        "broker_connection_max_retries": None,
    }


def worker_app() -> Celery:
    """The app of a worker process: patient with a broker that is away, quick to notice a frozen one."""
    app = Celery("atelier")
    app.conf.update(_settings())
    if redis_url().startswith("redis"):
        app.conf.broker_transport_options = {
            "socket_timeout": 5,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "visibility_timeout": 3600,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 6,
        }
    elif _is_amqp():
        app.conf.broker_heartbeat = 10  # seconds: a frozen broker is noticed after two of them
    return app


def publisher_app() -> Celery:
    """The app of the API and the sweeper: a publish to a dead or frozen broker gives up within a second."""
    app = Celery("atelier")
    app.conf.update(_settings())
    app.conf.task_publish_retry = False
    app.conf.broker_pool_limit = 8
    if redis_url().startswith("redis"):
        app.conf.broker_transport_options = {
            "socket_timeout": 1,
            "socket_connect_timeout": 1,
            "socket_keepalive": True,
            "max_retries": 0,
        }
    elif _is_amqp():
        app.conf.broker_connection_timeout = 1
        app.conf.broker_transport_options = {"read_timeout": 1, "write_timeout": 1, "max_retries": 0}
    return app


class Doorbell:
    """Wakes workers. Best effort: the sweeper rings again for every job that nobody heard of."""

    #: Rings kept while the broker is slow; with more waiting, every worker is awake anyway.
    BACKLOG = 1000
    #: With so many rings unheard at the broker no worker is idle, and who is busy looks for more work when
    #: it is done: another one would tell nobody anything, and takes a fourth of a submission's time.
    UNHEARD = 100
    #: Rings of a queue between two looks at how many are unheard, and seconds for which so many are enough.
    LOOK, REST = 50, 0.5

    def __init__(self, app: Celery | None = None) -> None:
        self._app = app or publisher_app()
        self._waiting: queue.Queue[str] = queue.Queue(self.BACKLOG)
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        #: Of each queue: rings since the last look, and until when there are enough of them.
        self._rung: Counter[str] = Counter()
        self._enough_until: dict[str, float] = {}

    def wake(self, queue_name: str) -> None:
        """Ring once for this queue from a background thread: the caller never waits for the broker."""
        try:
            self._waiting.put_nowait(queue_name)
        except queue.Full:
            return
        # Started at the first ring, not in the constructor: gunicorn forks after the app is built.
        if self._thread is None or not self._thread.is_alive():
            with self._starting:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._ring_all, name="doorbell", daemon=True)
                    self._thread.start()

    def ring(self, queue_name: str) -> None:
        """Ring once, now. Raises kombu's OperationalError when the broker is away."""
        try:
            self._send(queue_name)
        except OperationalError:
            # A connection that died while it rested: redis-py makes a new one by itself, py-amqp does not.
            if not _is_amqp():
                raise
            self._send(queue_name)

    def _send(self, queue_name: str) -> None:
        with self._library_errors():
            self._app.send_task(WAKE_TASK, queue=queue_name, ignore_result=True)

    def waiting(self, queue_name: str) -> int:
        """How many rings nobody has heard yet. Raises kombu's OperationalError."""
        # RabbitMQ closes a channel on which it was asked for a queue that nobody has declared.
        connected = self._app.connection_for_write if _is_amqp() else self._app.pool.acquire
        with self._library_errors(), connected() as connection:
            try:
                declared = connection.default_channel.queue_declare(queue_name, passive=True)
            except ChannelError as error:
                if str(error.reply_code) != "404":
                    raise
                return 0  # nobody has declared this queue yet
            return int(declared.message_count)

    @cached_property
    def _transport_errors(self) -> tuple[type[Exception], ...]:
        transport = self._app.connection_for_write().transport
        return (*transport.connection_errors, *transport.channel_errors)

    @contextmanager
    def _library_errors(self) -> Iterator[None]:
        """Whatever the transport raises when the broker is away becomes kombu's OperationalError."""
        try:
            yield
        except self._transport_errors as error:
            raise OperationalError(str(error)) from error

    def check(self) -> None:
        """Raise kombu's OperationalError unless the broker answers."""
        with self._app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=1, errback=None)
            connection.default_channel  # noqa: B018  # opening it is the round trip

    def _ring_all(self) -> None:
        while True:
            name = self._waiting.get()
            try:
                if not self._enough(name):
                    self.ring(name)
            except (OperationalError, OSError) as error:
                _log.warning("doorbell_failed", queue=name, error=str(error))

    def _enough(self, queue_name: str) -> bool:
        """Whether no worker of this queue can be idle. Raises kombu's OperationalError."""
        now = time.monotonic()
        if self._enough_until.get(queue_name, now) > now:
            return True
        rested = queue_name in self._enough_until
        self._rung[queue_name] += 1
        if not rested and self._rung[queue_name] < self.LOOK:
            return False
        self._rung[queue_name] = 0
        if self.waiting(queue_name) < self.UNHEARD:
            self._enough_until.pop(queue_name, None)
            return False
        self._enough_until[queue_name] = now + self.REST
        return True
