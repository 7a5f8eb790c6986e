"""/v1/me, /v1/keys, /v1/link-codes: who a key belongs to, the keys themselves, codes for further ones."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, Response
from pydantic import Field

from accept.wire import Wire
from accounts.limits import Limits
from api.access.auth import caller
from api.contract.operations import operation
from api.requests.reading import body
from api.services import services
from api.views import respond
from jobs.rows import KeyRow

routes = Blueprint("keys", __name__)

#: No control characters: PostgreSQL refuses U+0000, and these names appear in terminals.
_NAME = r"^[^\x00-\x1f\x7f]*$"


class KeyRequest(Wire):
    """A key to be made."""

    user: str = Field(min_length=1, max_length=100, pattern=_NAME, description="Its owner; made if new.")
    name: str = Field(default="", max_length=100, pattern=_NAME, description="What it is for.")
    admin: bool = False
    rate_per_minute: int | None = Field(
        default=None, ge=1, lt=2**31, description="Left out: the server's default."
    )
    max_upload_bytes: int | None = Field(
        default=None, ge=1, lt=2**63, description="Bytes of one request. Left out: the server's default."
    )


class KeyView(Wire):
    """A key, without its secret."""

    id: str
    user: str
    user_id: str
    name: str
    prefix: str = Field(description="Its first characters.")
    admin: bool
    rate_per_minute: int | None
    max_upload_bytes: int | None
    created_at: datetime
    revoked_at: datetime | None


class NewKeyView(KeyView):
    """A key that was just made."""

    key: str = Field(description="The bearer key itself. It is shown here and never again.")


class LimitsView(Wire):
    """What holds for an owner: their own limits, and the server's defaults for the rest."""

    max_running: int = Field(description="Jobs of one queue that may run at once; 0: any number.")
    max_queued: int = Field(description="Jobs that may wait; 0: any number.")
    keep_days: float = Field(description="Days that results are kept after their job ended; 0: for ever.")
    max_stored_bytes: int = Field(description="Bytes of uploads, results and networks; 0: any number.")

    @classmethod
    def of(cls, limits: Limits) -> LimitsView:
        """The same on the wire."""
        return cls(
            max_running=limits.max_running,
            max_queued=limits.max_queued,
            keep_days=limits.keep_days,
            max_stored_bytes=limits.max_stored_bytes,
        )


class MeView(KeyView):
    """The key of a request, and what holds for its owner."""

    limits: LimitsView
    stored_bytes: int = Field(description="What its owner's uploads, results and networks take.")


class LinkCodeView(Wire):
    """A code that was just made."""

    code: str = Field(
        description="At most 48 letters, digits, `-` and `_`, as a Telegram deep link takes them. It is "
        "shown here and never again."
    )
    expires_at: datetime


class RedeemRequest(Wire):
    """A code to be exchanged for a key."""

    code: str = Field(description="What POST /v1/link-codes answered.")
    name: str = Field(default="", max_length=100, pattern=_NAME, description="What the key is for.")


class KeyList(Wire):
    """Newest first."""

    keys: list[KeyView]


@routes.get("/me")
@operation("The key of this request", "keys", {200: MeView})
def get_me() -> Response:
    """Whose it is and what it may."""
    row = next(k for k in services().accounts.keys(caller().user_id) if k.id == caller().key_id)
    limits = LimitsView.of(services().quota.limits(caller().user_id))
    stored = services().stored.used(caller().user_id)
    return respond(MeView(limits=limits, stored_bytes=stored, **_values(row, row.user_name)))


@routes.get("/me/keys")
@operation("Your keys", "keys", {200: KeyList})
def list_own_keys() -> Response:
    """Revoked ones too; that of this request is the one whose `id` GET /v1/me tells."""
    rows = services().accounts.keys(caller().user_id)
    return respond(KeyList(keys=[KeyView(**_values(row, row.user_name)) for row in rows]))


@routes.delete('/me/keys/<id("key"):key_id>')
@operation("Revoke a key of yours", "keys", {204: None}, problems=(404,))
def delete_own_key(key_id: str) -> Response:
    """Also the one of this request: it works nowhere any more within a few seconds, and there is no way back.

    Your jobs and files stay. Somebody else's key is a 404.
    """
    services().accounts.revoke(key_id, caller().user_id)
    services().keyring.forget()
    return Response(status=204)


@routes.post("/keys")
@operation(
    "Make a key",
    "keys",
    {201: NewKeyView},
    access="admin",
    bodies={"application/json": KeyRequest},
    problems=(400, 413, 415, 422),
)
def post_key() -> Response:
    """The only time the key is shown."""
    wanted = body(KeyRequest)
    key, row = services().accounts.create_key(
        wanted.user,
        name=wanted.name,
        admin=wanted.admin,
        rate_per_minute=wanted.rate_per_minute,
        max_upload_bytes=wanted.max_upload_bytes,
    )
    return respond(NewKeyView(key=key, **_values(row, wanted.user)), 201)


@routes.get("/keys")
@operation("All keys", "keys", {200: KeyList}, access="admin")
def list_keys() -> Response:
    """Revoked ones too."""
    rows = services().accounts.keys()
    return respond(KeyList(keys=[KeyView(**_values(row, row.user_name)) for row in rows]))


@routes.delete('/keys/<id("key"):key_id>')
@operation("Revoke a key", "keys", {204: None}, access="admin", problems=(404,))
def delete_key(key_id: str) -> Response:
    """It works nowhere any more within a few seconds; its owner's jobs and files stay."""
    services().accounts.revoke(key_id)
    services().keyring.forget()
    return Response(status=204)


@routes.post("/link-codes")
@operation("Make a link code", "keys", {201: LinkCodeView})
def post_link_code() -> Response:
    """For a further key of yours: once, and within ten minutes. Of more than five codes the newest work."""
    code, expires_at = services().accounts.create_code(caller().user_id, caller().key_id)
    return respond(LinkCodeView(code=code, expires_at=expires_at), 201)


@routes.post("/link-codes/redeem")
@operation(
    "Redeem a link code",
    "keys",
    {201: NewKeyView},
    access="admin",
    bodies={"application/json": RedeemRequest},
    problems=(400, 404, 413, 415, 422),
)
def redeem_link_code() -> Response:
    """A new key of the owner who made the code: no admin key, and with the limits of the one that made it."""
    wanted = body(RedeemRequest)
    key, row = services().accounts.redeem(wanted.code, name=wanted.name)
    return respond(NewKeyView(key=key, **_values(row, row.user_name)), 201)


def _values(row: KeyRow, user: str) -> dict[str, Any]:
    return {
        "id": row.id,
        "user": user,
        "user_id": row.user_id,
        "name": row.name,
        "prefix": row.prefix,
        "admin": row.admin,
        "rate_per_minute": row.rate_per_minute,
        "max_upload_bytes": row.max_upload_bytes,
        "created_at": row.created_at,
        "revoked_at": row.revoked_at,
    }
