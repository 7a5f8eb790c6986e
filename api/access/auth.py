"""Bearer keys (RFC 6750): who is asking, and whether they may."""

from __future__ import annotations

from flask import g, request

from api.access.keyring import Caller
from api.requests.admission import admit
from api.services import services
from jobs.errors import Forbidden, Unauthorized


def require_key() -> Caller:
    """The caller of this request, counted against their rate and among what they have under way.

    Raises Unauthorized, RateLimited and Unavailable; then nothing of the body was read.
    """
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    shown = key.strip() if scheme.lower() == "bearer" else ""
    found = services().keyring.find(shown) if shown else None
    if found is None:
        if shown:
            services().strangers.wrong(request.remote_addr or "")
        raise Unauthorized
    return let_in(found)


def let_in(found: Caller) -> Caller:
    """Serve this request for somebody whose right to it was seen. Raises RateLimited."""
    g.caller = found
    services().limiter.hit(found.user_id, found.rate_per_minute)
    # werkzeug counts the body as it is read and answers 413, with or without a Content-Length.
    request.max_content_length = found.max_upload_bytes or services().settings.max_upload_bytes
    admit(services(), found.user_id)
    return found


def require_admin() -> Caller:
    """As require_key, for an admin key only. Raises Forbidden too."""
    found = require_key()
    if not found.admin:
        raise Forbidden("This needs an admin key.")
    return found


def owner_scope() -> str | None:
    """Whose jobs and files this request may name: the caller's; None, so anybody's, for an admin key."""
    return None if caller().admin else caller().user_id


def caller() -> Caller:
    """Who passed `require_key` in this request."""
    found: Caller = g.caller
    return found
