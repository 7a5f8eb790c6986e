"""Everything that can be wrong with a request or a job, one class each.

AtelierError                code, and the docstring as the default message
├── NotFound                there is no such thing, or it belongs to somebody else
│   ├── EngineNotFound
│   └── Gone                it was there; its bytes have expired or were deleted
├── Unauthorized            no key, a wrong key, a revoked key
├── Forbidden               the key's scope does not cover this
├── Invalid                 the request is malformed; `errors` may point at fields
│   ├── InvalidBody         JSON, but not what its description asks for
│   ├── InvalidQuery        the same of a query string
│   ├── InvalidParams       the engine does not take these parameters
│   ├── BadFile             an uploaded file was refused at the door
│   ├── BadUpload           an uploaded network was refused at its door
│   ├── BadURL              a webhook's address is not one we would connect to
│   ├── BadSchedule         no time that a schedule can have, or no job that can be made again and again
│   ├── InvalidRange        two bounds that do not go together
│   └── WeightsMissing      this method needs a weights file that no machine here has
├── TooSlow                 a body that did not come in time
├── TooLarge                a body or a file over the limit
│   └── NetworkTooLarge
├── Conflict
│   ├── IdempotencyConflict the same Idempotency-Key came with another body
│   ├── InUse               a file that a schedule or an unfinished job still needs
│   ├── NameTaken           another network has this name
│   ├── NetworkNotReady     a network that a job names is still being converted
│   ├── TooMuchStored       this owner stores as many bytes as they may
│   └── WrongState          this cannot be done to a job in this state
├── RateLimited
│   └── TooManyQueued       this owner has as many jobs waiting as they may
├── Unavailable             a part we depend on is away; try again
├── LeaseLost               inside a worker: this attempt no longer owns the job
└── PartConflict            inside a worker: a job asked for two different parts by one name
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar


class AtelierError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"

    def __init__(self, detail: str | None = None, *, code: str | None = None, **extra: object) -> None:
        self.detail = detail or (self.__doc__ or "").strip().splitlines()[0]
        #: The stable machine code; a subclass's own unless a more precise one is given.
        self.problem_code = code or self.code
        #: Members added to the problem document.
        self.extra = extra
        super().__init__(self.detail)


class NotFound(AtelierError):
    """There is no such thing here."""

    code = "not_found"


class EngineNotFound(NotFound):
    """There is no such engine; GET /v1/engines lists them."""

    code = "engine_not_found"


class Gone(NotFound):
    """Its bytes are no longer kept."""

    code = "gone"


class Unauthorized(AtelierError):
    """A valid API key is needed: `Authorization: Bearer <key>`."""

    code = "unauthorized"


class Forbidden(AtelierError):
    """This key may not do that."""

    code = "forbidden"


class Invalid(AtelierError):
    """The request cannot be understood.

    Without a detail, the one entry of `errors` is its sentence.
    """

    code = "invalid_request"

    def __init__(
        self,
        detail: str | None = None,
        *,
        code: str | None = None,
        errors: Sequence[Mapping[str, str]] | None = None,
        **extra: object,
    ) -> None:
        if errors:
            extra["errors"] = list(errors)
        if detail is None and errors and len(errors) == 1:
            detail = ": ".join(text for text in (errors[0]["field"], errors[0]["message"]) if text)
        super().__init__(detail, code=code, **extra)


class InvalidBody(Invalid):
    """The request does not fit its description; `errors` says which and why."""


class InvalidQuery(Invalid):
    """The query string does not fit; `errors` says which and why."""


class InvalidParams(Invalid):
    """The engine does not take these parameters; `errors` says which and why."""

    code = "invalid_params"


class BadFile(Invalid):
    """This file cannot be used."""

    code = "bad_file"


class BadUpload(Invalid):
    """This is no network that can be used."""

    code = "bad_network"


class BadURL(Invalid):
    """This URL cannot be used."""

    code = "bad_url"


class BadSchedule(Invalid):
    """This is no schedule that can be kept."""

    code = "bad_schedule"


class InvalidRange(Invalid):
    """These bounds do not go together."""

    code = "invalid_range"


class WeightsMissing(Invalid):
    """This method needs a weights file that is not installed."""

    code = "weights_missing"


class TooLarge(AtelierError):
    """The request is larger than this key may send."""

    code = "too_large"


class TooSlow(AtelierError):
    """The request did not come in time, or nothing came for too long."""

    code = "request_timeout"


class NetworkTooLarge(TooLarge):
    """This network is larger than may be sent."""

    code = "network_too_large"


class Conflict(AtelierError):
    """This contradicts the present state."""

    code = "conflict"


class IdempotencyConflict(Conflict):
    """This Idempotency-Key was used before with another request."""

    code = "idempotency_conflict"


class InUse(Conflict):
    """A schedule, or a job that is waiting or running, still needs this file."""

    code = "in_use"


class NameTaken(Conflict):
    """There is another network of this name."""

    code = "name_taken"


class NetworkNotReady(Conflict):
    """This network is still being converted; try again when it is ready."""

    code = "network_not_ready"


class TooMuchStored(Conflict):
    """You store as much as one owner may; delete some of it first."""

    code = "too_much_stored"


class WrongState(Conflict):
    """This cannot be done to a job in this state."""

    code = "wrong_state"


class RateLimited(AtelierError):
    """Too many requests for this key."""

    code = "rate_limited"


class TooManyQueued(RateLimited):
    """As many of your jobs are waiting as may wait at once."""

    code = "too_many_queued"


class Unavailable(AtelierError):
    """A part this server depends on is away; nothing was accepted. Try again in a moment."""

    code = "unavailable"


class LeaseLost(AtelierError):
    """This attempt no longer owns the job; nothing it writes counts."""

    code = "lease_lost"


class PartConflict(AtelierError):
    """A job asked for a part by a name that another one has."""

    code = "part_conflict"
