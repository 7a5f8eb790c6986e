"""What a request holds until it is answered: a place among the long ones, and bytes of the process's budget.

What is quick needs neither. A request takes a place when its body is large or has to be waited for, and when
a picture is to be decoded or a sound looked at; it takes bytes for a JSON text of some size, and meanwhile
for a picture, or for the child that looks at a sound.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from flask import Flask, g, request

from api.services import Services
from api.serving.pacing import PacedSocket
from doors.base import NoRoom
from jobs.errors import RateLimited, Unavailable

#: A body that is announced with more is no quick one, nor one without a length.
SMALL_BODY = 64 * 1024
#: When who found no place is told to come back.
RETRY_SECONDS = 1


class Admission:
    """What one request of one owner holds."""

    def __init__(self, found: Services, owner_id: str) -> None:
        self._found = found
        self._owner_id = owner_id
        self._held = ExitStack()
        self._placed = False

    def place(self) -> None:
        """Count this request among the long ones. Raises RateLimited and Unavailable: there is no place."""
        if self._placed:
            return
        slot = self._found.long_requests.take(self._owner_id)
        if slot is None:
            if self._found.long_requests.has_all(self._owner_id):
                raise _too_many()
            raise Unavailable(
                "Too many uploads and large requests are under way; nothing was accepted.",
                code="busy",
                retry_after=RETRY_SECONDS,
            )
        self._held.callback(slot.release)
        self._placed = True

    def hold(self, size: int) -> None:
        """Take so many bytes until the request is answered. Raises RateLimited and Unavailable."""
        self.place()
        self._held.enter_context(self._found.budget.take(self._owner_id, size))

    @contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Take so many bytes meanwhile, to look at a file. Raises NoRoom, RateLimited and Unavailable."""
        most = self._found.settings.picture_bytes
        if size > most:
            raise NoRoom(size, most)
        self.place()
        with self._found.budget.take(self._owner_id, size):
            yield

    def release(self) -> None:
        """Give everything back."""
        self._held.close()


def admit(found: Services, owner_id: str) -> None:
    """Begin to count this request, before any of its body is read. Raises RateLimited and Unavailable."""
    g.admission = made = Admission(found, owner_id)
    length = request.content_length
    chunked = length is None and "Transfer-Encoding" in request.headers
    if chunked or (length or 0) > SMALL_BODY:
        made.place()
    connection = request.environ.get("gunicorn.socket")
    if isinstance(connection, PacedSocket):
        connection.before_waiting = made.place
        connection.owner_id = owner_id


def answer_for(found: Services, owner_id: str, size: int) -> None:
    """Count this request as this owner's while its client is slow to take so many bytes.

    Whoever follows a signed URL has no key, and strangers are not to stand in each other's way. Raises
    RateLimited when the owner's places are taken, as a long answer could be cut off in its middle.
    """
    connection = request.environ.get("gunicorn.socket")
    if isinstance(connection, PacedSocket):
        connection.owner_id = owner_id
    if size > SMALL_BODY and found.long_requests.has_all(owner_id):
        raise _too_many()


def _too_many() -> RateLimited:
    return RateLimited(
        "As many uploads, downloads and large requests of yours are under way as may be at once.",
        code="too_many_at_once",
        retry_after=RETRY_SECONDS,
    )


def admission() -> Admission:
    """That of the present request, whose key is known."""
    found: Admission = g.admission
    return found


def register(app: Flask) -> None:
    """Give back what a request of this app held, however it ended."""
    app.teardown_request(_give_back)


def _give_back(_error: BaseException | None) -> None:
    made: Admission | None = g.pop("admission", None)
    if made is not None:
        made.release()
