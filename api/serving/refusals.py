"""gunicorn's own refusals as problem documents, as all others are.

What it cannot parse never reaches the app, and it would answer that with a page of HTML.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import uuid_utils
from gunicorn.http.errors import (
    ExpectationFailed,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)
from gunicorn.workers.base import Worker
from structlog.contextvars import bind_contextvars, clear_contextvars

from api.answers.headers import SAFE
from api.problems import problem
from api.telemetry.tracing import HEADER

#: What gunicorn's exceptions do not say of themselves by a `code`.
_STATUS: dict[type[ParseException], int] = {
    LimitRequestLine: 414,
    ExpectationFailed: 417,
    LimitRequestHeaders: 431,
}


class Refusing(Worker):  # type: ignore[misc]  # gunicorn has no types
    """What a worker says to requests that are none."""

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer what could not be parsed; the connection is closed afterwards."""
        # A response header of ours that is none is no refusal.
        ours = isinstance(exc, (InvalidResponseHeader, InvalidResponseHeaderName))
        if ours or not isinstance(exc, ParseException):
            super().handle_error(req, client, addr, exc)
            return
        # Not a warning, as gunicorn has it: anybody could fill the log with them.
        self.log.info("Invalid request from %s: %s", addr, exc)
        # A client that has gone needs no answer.
        with suppress(OSError):
            client.sendall(refusal(status_of(exc)))


def status_of(error: ParseException) -> int:
    """How a message that cannot be parsed is answered."""
    known = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), None)
    return known or int(getattr(error, "code", 400))


def refusal(status: int) -> bytes:
    """The whole answer, on a connection that is closed after it."""
    # The thread has served others before: what they bound is not this request's.
    clear_contextvars()
    bind_contextvars(request_id=(made := uuid_utils.uuid4().hex))
    phrase = HTTPStatus(status)
    detail = f"This server does not take it for an HTTP request: {phrase.phrase}."
    answer = problem(status, phrase.name.lower(), detail)
    answer.headers.update({**SAFE, HEADER: made, "Connection": "close"})
    head = "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
    return f"HTTP/1.1 {status} {phrase.phrase}\r\n{head}\r\n".encode() + answer.get_data()
