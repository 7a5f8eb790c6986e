"""gunicorn's configuration: `gunicorn --config python:api.gunicorn`.

Owner of ATELIER_BIND (127.0.0.1:8080), ATELIER_API_WORKERS (2) and ATELIER_API_THREADS (32).

Threads, because of what was measured on two cores with PostgreSQL and 16 clients: `gthread` answered 773
submissions a second, `gevent` 484, `sync` 330. Waits and event streams hold a thread each, hence 32 of them;
ATELIER_STREAMS keeps them from taking all.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from typing import Any

from api.metrics import share

wsgi_app = "api.wsgi:app"
bind = os.environ.get("ATELIER_BIND", "127.0.0.1:8080")
worker_class = "gthread"
workers = int(os.environ.get("ATELIER_API_WORKERS", "2"))
threads = int(os.environ.get("ATELIER_API_THREADS", "32"))

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


def post_worker_init(worker: Any) -> None:
    """Let streams end as soon as this worker is told to stop, not when gunicorn loses its patience."""
    slots = worker.wsgi.extensions["atelier"].slots

    def stop(number: int, frame: Any) -> None:
        slots.closing.set()
        worker.handle_exit(number, frame)

    signal.signal(signal.SIGTERM, stop)


def on_exit(_server: Any) -> None:
    """Remove the folder that was made above."""
    shutil.rmtree(_metrics, ignore_errors=True)
