"""What stands before several processes of the bot: each request goes to the next of them."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


class Balancer:
    """A running one."""

    def __init__(self, ports: Sequence[int], port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        #: How many requests each process had.
        self.had = dict.fromkeys(ports, 0)


@contextmanager
def balancer(ports: Sequence[int]) -> Iterator[Balancer]:
    """Spread requests over the processes at these ports; who does not answer is passed over."""
    turns, lock = itertools.cycle(ports), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
            status, answer = 502, b""
            for _ in ports:
                with lock:
                    port = next(turns)
                try:
                    found = httpx.post(
                        f"http://127.0.0.1:{port}{self.path}", content=body, headers=headers, timeout=60
                    )
                except httpx.TransportError:
                    continue
                with lock:
                    made.had[port] += 1
                status, answer = found.status_code, found.content
                break
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            """Said elsewhere."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = Balancer(ports, server.server_address[1])
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
