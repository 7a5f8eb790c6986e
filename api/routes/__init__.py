"""One file per resource."""

from flask import Blueprint, current_app, request

from accept.hints import hint
from api.access.auth import require_admin, require_key
from api.contract.operations import IDEMPOTENCY_KEY, operation_of
from api.routes import (
    deliveries,
    engines,
    files,
    jobs,
    keys,
    networks,
    owners,
    schedules,
    usage,
    webhooks,
    workers,
)
from jobs.errors import Invalid

#: Everything that needs a key; the probes and the documentation stand outside.
v1 = Blueprint("v1", __name__, url_prefix="/v1")
for resource in (
    engines,
    files,
    networks,
    jobs,
    schedules,
    keys,
    owners,
    usage,
    webhooks,
    deliveries,
    workers,
):
    v1.register_blueprint(resource.routes)


@v1.before_request
def authenticate() -> None:
    """Apply what the route says of who may call it, and with which query."""
    described = operation_of(current_app.view_functions[request.endpoint or ""])
    if described is not None and described.access == "signed":
        return  # the view decides
    if described is not None and described.access == "admin":
        require_admin()
    else:
        require_key()  # also where somebody forgot to say
    # Who sends one relies on it: better refused than made twice.
    honoured = described.headers if described else {}
    if request.method == "POST" and IDEMPOTENCY_KEY in request.headers and IDEMPOTENCY_KEY not in honoured:
        raise Invalid(
            f"This request takes no {IDEMPOTENCY_KEY}; leave it out. Submissions and file uploads take one.",
            code="idempotency_not_supported",
        )
    # A misspelt filter must not silently mean "no filter".
    known = described.query.model_fields if described and described.query else ()
    if unknown := [name for name in request.args if name not in known]:
        near = hint(unknown[0], known)
        raise Invalid(
            f"There is no query parameter {unknown[0][:60]!r} here.{near}", code="unknown_parameter"
        )
