"""How long a server may be away in the middle of a job before whoever waits for it gives up (not the job)."""

from __future__ import annotations

from client.errors import ApiError, NoServer, Refused

PATIENCE_SECONDS = 120.0
#: Refusals that are of the moment.
_PASSING = frozenset({429, 500, 502, 503, 504})


class Patience:
    """Counts from the first failure after the last word of the server's."""

    def __init__(self) -> None:
        self._away_since: float | None = None

    def answered(self) -> None:
        """The server said something."""
        self._away_since = None

    def failed(self, error: ApiError | None, now: float) -> None:
        """It did not. Raises the error where waiting is no use, and NoServer where it was long enough."""
        if isinstance(error, Refused):
            if error.status not in _PASSING:
                raise error
        elif error is not None and not isinstance(error, NoServer):
            raise error
        if self._away_since is None:
            self._away_since = now
        if now - self._away_since > PATIENCE_SECONDS:
            raise error or NoServer("the event stream ended early")
