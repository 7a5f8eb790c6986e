"""An S3-speaking server (moto) that can go away and come back with what it had: `object_server.py PORT`.

SIGUSR1 closes its port, SIGUSR2 opens it again. What it holds is in its memory, so it is never killed.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from types import FrameType

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server


class _Silent(MotoRequestHandler):
    def log(self, _type: str, _message: str, *_args: object) -> None:
        """Its log would be one line a request."""


def main() -> None:
    """Serve until SIGTERM."""
    port = int(sys.argv[1])
    app = DomainDispatcherApplication(create_backend_app)
    is_open, ended = threading.Event(), threading.Event()
    is_open.set()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGTERM:
            ended.set()
        elif number == signal.SIGUSR1:
            is_open.clear()
        else:
            is_open.set()

    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, on_signal)
    server: BaseWSGIServer | None = None
    while not ended.is_set():
        if is_open.is_set() and server is None:
            server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Silent)
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        elif server is not None and not is_open.is_set():
            server.shutdown()
            server.server_close()
            server = None
        time.sleep(0.05)


if __name__ == "__main__":
    main()
