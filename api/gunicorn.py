"""gunicorn's configuration: `gunicorn --config python:api.gunicorn`.

Owner of ATELIER_BIND (127.0.0.1:8080), ATELIER_API_WORKERS (2), ATELIER_API_THREADS (16 more than
ATELIER_STREAMS), FORWARDED_ALLOW_IPS (nobody: the proxies whose X-Forwarded-Proto is believed, with commas
between) and ATELIER_READ_TIMEOUT (20: seconds of a client's silence in the middle of a request or of
its answer after which the connection is closed).

Threads, because of what was measured on two cores with PostgreSQL and 16 clients: `gthread` answered 773
submissions a second, `gevent` 484, `sync` 330. Waits and event streams hold a thread each; ATELIER_STREAMS
says how many may, and there are always threads beyond those for everything else.
"""

from __future__ import annotations

import logging
import os
import resource
import shutil
import signal
import socket
import struct
import tempfile
from typing import Any

from api.gunicorn_private import drain
from api.metrics import share
from api.settings import Settings

#: Threads for everything but streams and waits.
_ORDINARY_THREADS = 16
#: Connections that are open without a request of theirs being worked on.
_IDLE_CONNECTIONS = 500
#: Descriptors of a process besides its clients': the database's, the object store's, files.
_OWN_FILES = 200


def _threads(given: str | None, streams: int) -> int:
    """How many threads. Ends the program when the streams could take all of them."""
    count = int(given) if given else streams + _ORDINARY_THREADS
    if count <= streams:
        raise SystemExit(
            f"ATELIER_API_THREADS is {count}, but ATELIER_STREAMS lets streams and waits hold {streams} of "
            "them, and then nothing else would be answered. "
            f"Leave ATELIER_API_THREADS out, or set it to {streams + _ORDINARY_THREADS}."
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
#: gthread, with refusals of our own.
worker_class = "api.refusals.Worker"
workers = int(os.environ.get("ATELIER_API_WORKERS", "2"))
threads = _threads(os.environ.get("ATELIER_API_THREADS"), _settings.streams)
worker_connections = threads + _IDLE_CONNECTIONS
_allow_files(worker_connections + _OWN_FILES)
# SCRIPT_NAME and PATH_INFO are nobody's to send: what a proxy hides could be asked for by another name.
forwarder_headers = ""
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "")
_read_timeout = int(os.environ.get("ATELIER_READ_TIMEOUT", "20"))

# What a client still sends after a refusal is read, for 5 s, before its connection is used again or closed. A
# proxy sends all it holds of an upload, and told of an outage where the API had explained its limit.
drain(_settings.max_upload_bytes + (1 << 20))

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
    """Let no client hold a thread for ever by its silence: gthread has no timeout of its own."""
    for listener in server.LISTENERS:
        # By options and not by settimeout: accepted sockets inherit them, and gunicorn keeps them.
        wait = struct.pack("ll", _read_timeout, 0)
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, wait)
        # Who takes nothing of an answer, or vanished without a word: a stream would notice after 15 minutes.
        if listener.sock.family != socket.AF_UNIX and hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _read_timeout * 1000)


def post_worker_init(worker: Any) -> None:
    """Let streams end as soon as this worker is told to stop, not when gunicorn loses its patience."""
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
