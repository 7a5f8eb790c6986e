"""gunicorn's threaded worker, whose clients hold no thread while they are slow.

What gunicorn's own does in a thread, waiting for the client, is done here by the one loop of the process:
receiving the head of a request, passing over a body that nobody read, and closing a connection in good order.
A thread gets a request whose head is there; whether it may wait for the body is `api.requests.admission`'s to
say, and whether it may wait until the answer is taken is asked here. The probes have threads of their own:
they answer whatever else waits, and wait for nobody.
"""

from __future__ import annotations

import errno
import io
import re
import selectors
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn.http.body import LengthReader
from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import TConn, ThreadWorker

from api.requests.slots import Slot, Slots
from api.serving.pacing import Pace, PacedSocket
from api.serving.refusals import Refusing, refusal

#: Where a head ends; the second for clients that gunicorn refuses with a word.
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
#: Heads may be so long; gunicorn's own limits are lower for each line.
_MOST_HEAD = 64 * 1024
#: Bytes received at once, of a head and of what is unwanted.
_PIECE = 8 * 1024
_LARGE_PIECE = 256 * 1024
#: What a thread says of a request whose head is not there yet.
_LATER = object()
#: For how long what a client still sends after its answer is received and thrown away, before its connection
#: is used again or closed: one closed over unread bytes is reset, and the answer may be lost (RFC 9112, 9.6).
#: A proxy sends all it holds of an upload, and told of an outage where the API had explained its limit.
_DRAIN_SECONDS = 5.0
#: The same of a process that is about to end.
_LAST_SECONDS = 2.0
#: Seconds between two looks at who is late.
_LOOK = 0.5


class Connection(TConn):  # type: ignore[misc]  # gunicorn has no types
    """One client. Between its requests it is in the hands of the loop."""

    sock: PacedSocket

    def __init__(self, cfg: Any, sock: PacedSocket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        # Threads get it when there is something to read.
        self.data_ready = True
        #: Bytes of the last body still to come, which nobody wants.
        self.unwanted = 0
        #: A thread has looked for the present request already.
        self.slow = False
        #: The answer fits wherever the last was taken, and nobody waits for a client that took none.
        self.brief = False
        #: The answer is sent, and the client has been told that no other will follow.
        self.ending = False

    def pass_over(self, most: int) -> bool:
        """Leave what nobody read of a body. False when nobody can tell where the next request would begin."""
        body, unreader = self.parser.mesg.body, self.parser.unreader
        if body.failed:
            return False
        if not isinstance(body.reader, LengthReader):
            whole = bool(self.parser.finish_body(max_bytes=most))
            self.sock.ahead = unreader.take_buffered() + self.sock.ahead
            return whole
        there = unreader.take_buffered() + self.sock.ahead
        left, body.reader.length, body.buf = body.reader.length, 0, io.BytesIO()
        self.sock.ahead = there[left:]
        self.unwanted = max(0, left - len(there))
        return self.unwanted <= most


class _Place:
    """The place among the long requests of one whose client is slow to take its answer."""

    def __init__(self, places: Slots, sock: PacedSocket) -> None:
        self._places = places
        self._sock = sock
        self._slot: Slot | None = None

    def take(self) -> None:
        """Have one. Raises TimeoutError when there is none for its owner."""
        self._slot = self._slot or self._places.take(self._sock.owner_id)
        if self._slot is None:
            raise TimeoutError("As many clients are waited for as may be.")

    def release(self) -> None:
        """Give it back, if there is one."""
        if self._slot is not None:
            self._slot.release()


class Worker(Refusing, ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A process of the API."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: Connections in the middle of a head, of an unwanted body or of their end; the longest known first.
        self._waiting: dict[Connection, None] = {}
        self._looked_at = 0.0
        #: Requests with the threads.
        self._busy = 0

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Ends the program for a configuration that this worker cannot serve."""
        if cfg.is_ssl:
            raise SystemExit("This server speaks no TLS; put a proxy in front of it (deploy/nginx.conf).")
        super().check_config(cfg, log)

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """The threads, and those of the probes besides.

        /healthz asks nobody; /readyz may wait for SQL; /metrics for its client, too, as it is longer.
        """
        self._apart = {
            b"/healthz": ThreadPoolExecutor(1, "alive"),
            b"/readyz": ThreadPoolExecutor(2, "ready"),
            b"/metrics": ThreadPoolExecutor(1, "metrics"),
        }
        return super().get_thread_pool()  # type: ignore[no-any-return]

    def load_wsgi(self) -> None:
        """The application, and from its settings how long clients may take."""
        super().load_wsgi()
        found = self.wsgi.extensions["atelier"]
        settings, self._places = found.settings, found.long_requests
        self._pace = Pace(settings.read_timeout, settings.request_seconds, settings.request_bytes_per_second)
        self._most_unwanted = settings.max_upload_bytes + (1 << 20)

    def accept(self, listener: socket.socket) -> None:
        """Begin to receive a request."""
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        self.nr_conns += 1
        if self.nr_conns >= self.worker_connections:
            self._drop_the_oldest()
        conn = Connection(self.cfg, PacedSocket(client, self._pace), address, listener.getsockname())
        self._wait(conn, self.cfg.keepalive)

    def enqueue_req(self, conn: Connection) -> None:
        """Let a thread answer what was received."""
        method, _, rest = conn.sock.ahead[:64].partition(b" ")
        path = rest.partition(b" ")[0]
        apart = self._apart.get(path) if method == b"GET" else None
        conn.brief = apart is not None and path != b"/metrics"
        self._busy += 1
        task = (apart or self.tpool).submit(self.handle, conn)
        task.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def handle(self, conn: Connection) -> Any:
        """Answer one request, in a thread."""
        sock = conn.sock
        if not sock.ahead:
            try:
                sock.ahead = sock.receive(_PIECE) or b""
            except OSError:
                return False
            if not _END_OF_HEAD.search(sock.ahead):
                return _LATER
        return super().handle(conn)

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """Answer one request; after it nobody waits for its client."""
        sock, place = conn.sock, _Place(self._places, conn.sock)
        sock.owner_id = ""
        sock.before_sending = None if conn.brief else place.take
        try:
            return super().handle_request(req, conn)
        finally:
            sock.before_waiting = sock.before_sending = None
            place.release()

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        conn.slow = False
        try:
            return bool(keepalive) and conn.pass_over(self._most_unwanted)
        except ParseException:
            return False  # it has its answer; a second one could be taken for the next request's

    def finish_request(self, conn: Connection, fs: Future[bool]) -> None:
        """Wait for the next request of a connection, or end it."""
        self._busy -= 1
        if fs.cancelled() or fs.exception() is not None or conn.sock.fileno() < 0:
            self.nr_conns -= 1
            conn.close()
        elif not fs.result():
            self._end(conn)
        elif fs.result() is _LATER:
            self._wait(conn, self._pace.silence)
            self._go_on(conn, b"")
        elif conn.unwanted or conn.sock.ahead:
            conn.sock.begin()
            self._wait(conn, _DRAIN_SECONDS)
            self._go_on(conn, b"")
        else:
            conn.sock.setblocking(False)
            conn.set_timeout()
            if not self.alive:
                conn.timeout = min(conn.timeout, time.monotonic() + _LAST_SECONDS)
            self.keepalived_conns.append(conn)
            self._watch(conn)

    def murder_pending(self) -> None:
        """Close what is late. gunicorn's loop calls it at every turn."""
        now = time.monotonic()
        if now < self._looked_at + _LOOK:
            return
        self._looked_at = now
        for conn in [conn for conn in self._waiting if conn.timeout <= now]:
            self._drop(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        for conn in self._waiting:
            conn.timeout = min(conn.timeout, deadline)

    def _wait(self, conn: Connection, seconds: float) -> None:
        """Keep a connection in the loop."""
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + seconds
        self._waiting[conn] = None
        self._watch(conn)

    def _watch(self, conn: Connection) -> None:
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._receive, conn))

    def _receive(self, conn: Connection, _sock: PacedSocket) -> None:
        """A client has sent something, or gone."""
        if conn.sock.fileno() < 0:
            return  # dropped since the loop was woken
        if conn not in self._waiting:
            self.keepalived_conns.remove(conn)
            self._waiting[conn] = None
        if not (conn.unwanted or conn.sock.ahead or conn.slow) and self._busy < self.cfg.threads // 2:
            # The usual request is there as a whole; received here first, a sixth fewer are answered a second.
            conn.slow = True
            conn.sock.begin()
            self._leave(conn)
            self.enqueue_req(conn)
            return
        try:
            data = conn.sock.receive(_LARGE_PIECE if conn.unwanted else _PIECE)
        except OSError:
            data = b""
        if data == b"":
            self._drop(conn)
        elif data is not None:
            self._go_on(conn, data)

    def _go_on(self, conn: Connection, data: bytes) -> None:
        """Pass over what is unwanted, and keep the rest until it is a head."""
        passed = min(conn.unwanted, len(data))
        conn.unwanted -= passed
        if conn.unwanted or conn.ending:
            if not conn.unwanted:
                self._drop(conn)  # as much as is borne with of a client that was told to stop
            return
        sock = conn.sock
        if passed or not sock.ahead:
            sock.begin()
        sock.ahead += data[passed:]
        if _END_OF_HEAD.search(sock.ahead):
            self._leave(conn)
            self.enqueue_req(conn)
        elif len(sock.ahead) > _MOST_HEAD:
            self._leave(conn)
            with suppress(OSError):  # who is told may have gone
                sock.send(refusal(431))
            self._end(conn)
        elif sock.ahead:
            conn.timeout = min(sock.ends_at, time.monotonic() + self._pace.silence)
        else:
            conn.set_timeout()

    def _end(self, conn: Connection) -> None:
        """Tell the client that this was all, and close when it has understood."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.nr_conns -= 1
            conn.close()
            return
        conn.ending, conn.unwanted = True, self._most_unwanted
        self._wait(conn, _DRAIN_SECONDS if self.alive else _LAST_SECONDS)

    def _leave(self, conn: Connection) -> None:
        self.poller.unregister(conn.sock)
        del self._waiting[conn]

    def _drop(self, conn: Connection) -> None:
        self._leave(conn)
        self.nr_conns -= 1
        conn.close()

    def _drop_the_oldest(self) -> None:
        """Make room for a new client: all there may be are connected, and these have asked nothing."""
        if self._waiting:
            self._drop(next(iter(self._waiting)))
        elif self.keepalived_conns:
            oldest = self.keepalived_conns.popleft()
            self.poller.unregister(oldest.sock)
            self.nr_conns -= 1
            oldest.close()
