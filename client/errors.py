"""What can go wrong between a program and Atelier.

ApiError                the API did not do what it was asked for
├── NoServer            nobody answers; another time somebody may
│   ├── TimedOut        not in time
│   └── NotAtelier      somebody answers who is not Atelier's API; `status`
├── Refused             the API said no: `status`, `code`, `detail`, `errors`, `retry_after`, `request_id`
│   ├── Invalid         400, 413, 415, 422 and the like: the request is wrong in itself
│   ├── Unauthorized    401
│   ├── Forbidden       403
│   ├── NotFound        404 and 410
│   ├── Conflict        409
│   ├── RateLimited     429
│   └── Unavailable     500 and above: nothing is wrong with the request
├── NotFinished         a job did not end in the time it was waited for; `job`
├── JobFailed           a job has ended, and not well; `job`, `code`, `detail`
├── Damaged             a file is not what the API said it would be
└── Oversized           a file is larger than the caller takes
"""

from __future__ import annotations

import math
from typing import Any

Json = dict[str, Any]


class ApiError(Exception):
    """The API did not do what it was asked for."""


class NoServer(ApiError):
    """Nobody answers."""


class TimedOut(NoServer):
    """Nobody answers in time."""


class NotAtelier(NoServer):
    """Somebody answers who is not Atelier's API: a proxy, another server, a page."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Refused(ApiError):
    """The API said no. `problem` is its problem document (RFC 9457), `code` the stable part of it."""

    def __init__(self, status: int, problem: Json) -> None:
        self.status = status
        self.problem = problem
        self.code = str(problem.get("code", "error"))
        self.detail = str(problem.get("detail") or problem.get("title") or f"The server answered {status}.")
        super().__init__(f"{status} {self.code}: {self.detail}")

    @property
    def errors(self) -> list[Json]:
        """Each field that is wrong, as `field`, `message` and `code`."""
        found = self.problem.get("errors")
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    @property
    def retry_after(self) -> float:
        """Seconds the API asked to wait; 0: it did not say."""
        found = self.problem.get("retry_after")
        if isinstance(found, bool) or not isinstance(found, int | float):
            return 0.0
        return float(found) if 0 <= found < math.inf else 0.0

    @property
    def request_id(self) -> str:
        """What finds the request in the server's logs; empty where it was not said."""
        return str(self.problem.get("instance") or "")


class Invalid(Refused):
    """The request is wrong in itself; the same one again would be refused again."""


class Unauthorized(Refused):
    """There is no key, or it is not good any more."""


class Forbidden(Refused):
    """The key may not do this."""


class NotFound(Refused):
    """There is no such thing, or not any more, or it is somebody else's."""


class Conflict(Refused):
    """It cannot be done to this thing as it is now."""


class RateLimited(Refused):
    """Too much at once, or too much waiting already."""


class Unavailable(Refused):
    """The server cannot do it now."""


class NotFinished(ApiError):
    """A job did not end in the time it was waited for. It goes on; `job` is how it was last seen."""

    def __init__(self, job: Json) -> None:
        super().__init__(f"{job['id']} is still {job['state']}")
        self.job = job


class JobFailed(ApiError):
    """A job has ended, and not well."""

    def __init__(self, job: Json) -> None:
        failure = job.get("error") or {}
        self.job = job
        self.code = str(failure.get("code", job["state"]))
        self.detail = str(failure.get("detail", f"The job was {job['state']}."))
        super().__init__(f"{job['id']} {job['state']}: {self.detail} ({self.code})")


class Damaged(ApiError):
    """A file is not what the API said it would be."""


class Oversized(ApiError):
    """A file is larger than the caller takes."""


_BY_STATUS: dict[int, type[Refused]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: NotFound,
    429: RateLimited,
}


def refused(status: int, problem: Json) -> Refused:
    """The error of this status."""
    kind = _BY_STATUS.get(status, Unavailable if status >= 500 else Invalid)
    return kind(status, problem)
