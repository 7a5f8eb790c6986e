"""One file per resource."""

from flask import Blueprint, current_app, request

from api.auth import require_admin, require_key
from api.operations import operation_of
from api.routes import engines, files, jobs, keys

#: Everything that needs a key; the probes and the documentation stand outside.
v1 = Blueprint("v1", __name__, url_prefix="/v1")
for resource in (engines, files, jobs, keys):
    v1.register_blueprint(resource.routes)


@v1.before_request
def authenticate() -> None:
    """Apply what the route says of who may call it."""
    described = operation_of(current_app.view_functions[request.endpoint or ""])
    access = described.access if described else "key"
    if access == "key":
        require_key()
    elif access == "admin":
        require_admin()
