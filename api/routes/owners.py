"""/v1/owners: who has jobs here, and what each may have at once and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from flask import Blueprint, Response
from pydantic import BaseModel, Field

from accept.wire import Wire
from accounts.limits import limits_of
from api.contract.operations import operation
from api.requests.reading import body, query
from api.routes.keys import LimitsView
from api.services import services
from api.views import respond
from jobs.rows import UserRow

routes = Blueprint("owners", __name__)

#: A hundred years, which is for ever.
MOST_DAYS = 36_525


class OwnerQuery(BaseModel):
    """Which page of owners."""

    cursor: str | None = Field(
        default=None, pattern=r"^usr_[0-9a-f]{32}$", description="`next_cursor` of the page before."
    )
    limit: int = Field(default=50, ge=1, le=100)


class OwnerChange(Wire):
    """Limits to change. What is left out stays; null is the server's default again."""

    max_running: int | None = Field(
        default=None, ge=0, lt=2**31, description="Jobs of one queue that may run at once; 0: any number."
    )
    max_queued: int | None = Field(
        default=None, ge=0, lt=2**31, description="Jobs that may wait; 0: any number."
    )
    keep_days: float | None = Field(
        default=None,
        ge=0,
        le=MOST_DAYS,
        allow_inf_nan=False,
        description="Days that results are kept after their job ended; 0: for ever.",
    )
    max_stored_bytes: int | None = Field(
        default=None,
        ge=0,
        lt=2**63,
        description="Bytes of uploads, results and networks; over it nothing new is taken. 0: any number.",
    )


class OwnerView(Wire):
    """One owner of jobs and files."""

    id: str
    name: str
    created_at: datetime
    max_running: int | None = Field(description="Their own limit; null: the server's default.")
    max_queued: int | None = Field(description="Their own limit; null: the server's default.")
    keep_days: float | None = Field(description="Their own limit; null: the server's default.")
    max_stored_bytes: int | None = Field(description="Their own limit; null: the server's default.")
    limits: LimitsView = Field(description="What holds.")
    waiting: int = Field(description="Their jobs that wait, in line or not.")
    running: int


class OwnerPage(Wire):
    """Newest first."""

    owners: list[OwnerView]
    next_cursor: str | None = Field(default=None, description="Pass as `cursor` for the next page.")


@routes.get("/owners")
@operation("All owners", "owners", {200: OwnerPage}, access="admin", query=OwnerQuery, problems=(400,))
def list_owners() -> Response:
    """With their limits and how many of their jobs wait and run now."""
    wanted = query(OwnerQuery)
    rows = services().accounts.owners(before=wanted.cursor, limit=wanted.limit + 1)
    shown = rows[: wanted.limit]
    more = shown[-1].id if len(rows) > wanted.limit else None
    return respond(OwnerPage(owners=_views(shown), next_cursor=more))


@routes.get('/owners/<id("usr"):owner_id>')
@operation("One owner", "owners", {200: OwnerView}, access="admin", problems=(404,))
def get_owner(owner_id: str) -> Response:
    """Their limits, and how many of their jobs wait and run now."""
    return respond(_view(services().accounts.owner(owner_id)))


@routes.patch('/owners/<id("usr"):owner_id>')
@operation(
    "Change an owner's limits",
    "owners",
    {200: OwnerView},
    access="admin",
    bodies={"application/json": OwnerChange},
    problems=(400, 404, 413, 415, 422),
)
def patch_owner(owner_id: str) -> Response:
    """Other API processes know of it within ten seconds.

    A lower limit ends nothing that was accepted. A shorter time to keep holds for what is there already.
    """
    wanted = body(OwnerChange)
    row = services().accounts.set_limits(owner_id, wanted.model_dump(exclude_unset=True))
    services().quota.forget(owner_id)
    return respond(_view(row))


def _view(row: UserRow) -> OwnerView:
    return _views([row])[0]


def _views(rows: Sequence[UserRow]) -> list[OwnerView]:
    counts = services().jobs.standing([row.id for row in rows])
    return [
        OwnerView(
            id=row.id,
            name=row.name,
            created_at=row.created_at,
            max_running=row.max_running,
            max_queued=row.max_queued,
            keep_days=row.keep_days,
            max_stored_bytes=row.max_stored_bytes,
            limits=LimitsView.of(limits_of(row)),
            waiting=counts[row.id][0],
            running=counts[row.id][1],
        )
        for row in rows
    ]
