"""When a request is sent once more: where that can help, harms nobody, and is not long to wait for."""

from __future__ import annotations

from dataclasses import dataclass

from client.errors import ApiError, Damaged, NoServer, NotAtelier, Refused

#: What a proxy says of a server that is just being started again.
_GATEWAY = frozenset({502, 503, 504})
#: Said before anything was accepted, so that even a bare POST may be sent again.
_BEFORE = frozenset({429, 503})


@dataclass(frozen=True)
class Retries:
    """How often a request is sent, and how long it may wait for that."""

    #: Times in all; 1: never again.
    tries: int = 3
    #: Seconds. Where the server asks for more, that is for the caller to decide.
    longest: float = 3.0
    #: Seconds after a lost connection, doubled for each further one.
    pause: float = 0.3

    def after(self, error: ApiError, tried: int, *, repeatable: bool) -> float | None:
        """Seconds to wait after this error of the try number `tried`; None: it is the caller's."""
        if tried >= self.tries:
            return None
        wait = self._wait(error, tried, repeatable)
        return None if wait is None or wait > self.longest else wait

    def _wait(self, error: ApiError, tried: int, repeatable: bool) -> float | None:
        if isinstance(error, Refused):
            return (error.retry_after or self.pause) if error.status in _BEFORE else None
        if not repeatable or (isinstance(error, NotAtelier) and error.status not in _GATEWAY):
            return None
        return self.pause * 2 ** (tried - 1) if isinstance(error, NoServer | Damaged) else None
