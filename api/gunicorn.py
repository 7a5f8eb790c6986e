"""gunicorn's configuration: `gunicorn --config python:api.gunicorn`.

Owner of ATELIER_BIND (127.0.0.1:8080), ATELIER_API_WORKERS (2), ATELIER_API_THREADS (32) and
ATELIER_READ_TIMEOUT (20: seconds of silence in the middle of a request after which its connection is closed).

Threads, because of what was measured on two cores with PostgreSQL and 16 clients: `gthread` answered 773
submissions a second, `gevent` 484, `sync` 330. Waits and event streams hold a thread each, hence 32 of them;
ATELIER_STREAMS keeps them from taking all.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import struct
import tempfile
from typing import Any

from api.metrics import share

wsgi_app = "api.wsgi:app"
bind = os.environ.get("ATELIER_BIND", "127.0.0.1:8080")
worker_class = "gthread"
workers = int(os.environ.get("ATELIER_API_WORKERS", "2"))
threads = int(os.environ.get("ATELIER_API_THREADS", "32"))
_read_timeout = int(os.environ.get("ATELIER_READ_TIMEOUT", "20"))

#: Each worker builds its own app after the fork: no database connection is ever shared by two processes.
preload_app = False
#: Nothing here leaks; a restart would only break streams.
max_requests = 0
#: Longer than most proxies keep an idle connection to us, so that it is they who close it.
keepalive = 75
timeout = 60
graceful_timeout = 30
#: `api.tracing` writes one line a request, with its id and route.
accesslog = None
loglevel = "warning"
#: A heartbeat file on a disk that stalls gets workers killed.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None

#: A new folder for each server: what a dead one counted is not counted again.
_metrics = tempfile.mkdtemp(prefix="atelier-metrics-")
share(_metrics)


def when_ready(server: Any) -> None:
    """Let no read wait for ever: gthread has no timeout of its own, and half a request holds a thread."""
    for listener in server.LISTENERS:
        # By the option and not by settimeout: accepted sockets inherit it, and gunicorn keeps it.
        wait = struct.pack("ll", _read_timeout, 0)
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, wait)


def post_worker_init(worker: Any) -> None:
    """Let streams end as soon as this worker is told to stop, not when gunicorn loses its patience."""
    logging.getLogger("gunicorn.error").addFilter(_is_worth_a_line)
    slots = worker.wsgi.extensions["atelier"].slots

    def stop(number: int, frame: Any) -> None:
        slots.closing.set()
        worker.handle_exit(number, frame)

    signal.signal(signal.SIGTERM, stop)


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """A read that timed out is the client's silence: without a key, anybody could fill the log with it."""
    return not (record.exc_info and isinstance(record.exc_info[1], BlockingIOError))


def on_exit(_server: Any) -> None:
    """Remove the folder that was made above."""
    shutil.rmtree(_metrics, ignore_errors=True)
