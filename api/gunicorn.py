"""gunicorn's configuration: `gunicorn --config python:api.gunicorn`.

Owner of ATELIER_BIND (127.0.0.1:8080), ATELIER_API_WORKERS (2) and FORWARDED_ALLOW_IPS (nobody: the proxies
whose X-Forwarded-Proto is believed, with commas between).

Threads, because of what was measured on two cores with PostgreSQL and 16 clients: `gthread` answered 773
submissions a second, `gevent` 484, `sync` 330. Waits and event streams hold a thread each; ATELIER_STREAMS
says how many may, and there are always threads beyond those for everything else. What slow clients and large
requests may hold of these is bounded too (`api.serving.connections`, `api.requests.admission`).
"""

from __future__ import annotations

import logging
import os
import resource
import shutil
import signal
import socket
import tempfile
from typing import Any

from api.serving.allocator import give_back_large_blocks
from api.serving.gunicorn_release import require_tried
from api.settings import ORDINARY_THREADS, Settings
from api.telemetry.metrics import share
from jobs.database import load_driver

#: Connections that are open without a request of theirs being worked on.
_IDLE_CONNECTIONS = 500
#: Descriptors of a process besides its clients': the database's, the object store's, files.
_OWN_FILES = 200


def _threads(settings: Settings) -> int:
    """How many threads. Ends the program when the streams could take all of them."""
    count, streams = settings.threads, settings.streams
    if count <= streams:
        raise SystemExit(
            f"ATELIER_API_THREADS is {count}, but ATELIER_STREAMS lets streams and waits hold {streams} of "
            "them, and then nothing else would be answered. "
            f"Leave ATELIER_API_THREADS out, or set it to {streams + ORDINARY_THREADS}."
        )
    return count


def _allow_files(wanted: int) -> None:
    """Raise this process's limit of open files if need be. Ends the program when it may not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != soft < wanted:
        if resource.RLIM_INFINITY != hard < wanted:
            raise SystemExit(
                f"This process may open {hard} files, but needs {wanted} for its connections. Raise the "
                "limit (`ulimit -n`, LimitNOFILE), or lower ATELIER_STREAMS and run more processes."
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


_settings = Settings.from_env()

wsgi_app = "api.wsgi:app"
bind = os.environ.get("ATELIER_BIND", "127.0.0.1:8080")
#: gthread, whose clients hold no thread while they are slow. By its name: a release of gunicorn that it was
#: not made for is refused before it is imported.
require_tried()
worker_class = "api.serving.connections.Worker"
workers = int(os.environ.get("ATELIER_API_WORKERS", "2"))
threads = _threads(_settings)
worker_connections = threads + _IDLE_CONNECTIONS
_allow_files(worker_connections + _OWN_FILES)
# SCRIPT_NAME and PATH_INFO are nobody's to send: what a proxy hides could be asked for by another name.
forwarder_headers = ""
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "")

#: Each worker builds its own app after the fork: no database connection is ever shared by two processes. The
#: modules are shared, this driver's too.
preload_app = False
load_driver()
#: Nothing here leaks; a restart would only break streams.
max_requests = 0
#: Longer than most proxies keep an idle connection to us, so that it is they who close it.
keepalive = 75
timeout = 60
graceful_timeout = 30
#: `api.telemetry.tracing` writes one line a request, with its id and route.
accesslog = None
loglevel = "warning"
#: A heartbeat file on a disk that stalls gets workers killed.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None

#: A new folder for each server: what a dead one counted is not counted again.
_metrics = tempfile.mkdtemp(prefix="atelier-metrics-")
share(_metrics)


def when_ready(server: Any) -> None:
    """Let nobody hold a thread for ever who takes nothing of an answer, or vanished without a word.

    A stream would notice after 15 minutes. Accepted sockets inherit the option.
    """
    for listener in server.LISTENERS:
        if listener.sock.family != socket.AF_UNIX and hasattr(socket, "TCP_USER_TIMEOUT"):
            milliseconds = _settings.read_timeout * 1000
            listener.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


def post_worker_init(worker: Any) -> None:
    """Let streams end as soon as this worker is told to stop, not when gunicorn loses its patience."""
    give_back_large_blocks()
    logging.getLogger("gunicorn.error").addFilter(_is_worth_a_line)
    slots = worker.wsgi.extensions["atelier"].slots

    def stop(number: int, frame: Any) -> None:
        slots.closing.set()
        worker.handle_exit(number, frame)

    signal.signal(signal.SIGTERM, stop)


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """A read or write that timed out is the client's silence: anybody could fill the log with it."""
    return not (record.exc_info and isinstance(record.exc_info[1], (BlockingIOError, TimeoutError)))


def on_exit(_server: Any) -> None:
    """Remove the folder that was made above."""
    shutil.rmtree(_metrics, ignore_errors=True)
