"""/openapi.json and /docs. The page and its script come from this server: they work without a network."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import Any

from flask import Blueprint, Response, current_app, redirect, request, send_file
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from api.contract.openapi import build

routes = Blueprint("documentation", __name__)
#: Apart: people type keys into the page, and its script needs `unsafe-eval`. Some would rather not serve it.
page = Blueprint("page", __name__)

#: Scalar's own defaults would load fonts, a proxy and an assistant from its makers.
_SCALAR: dict[str, Any] = {
    "url": "/openapi.json",
    "withDefaultFonts": False,
    "hideClientButton": True,
    "telemetry": False,
    "showDeveloperTools": "never",
    "agent": {"disabled": True},
    "mcp": {"disabled": True},
    "proxyUrl": "",
    "authentication": {"preferredSecurityScheme": "bearer"},
}

_PAGE = Markup("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Atelier API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
</head>
<body>
<script id="api-reference" data-configuration="{}"></script>
<script src="/docs/scalar.js?v={}"></script>
</body>
</html>
""")

#: The browser holds the page to it, whatever the script would like to load.
_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


#: Where to go from `/`.
_PLACES = {"name": "Atelier", "docs": "/docs", "openapi": "/openapi.json", "engines": "/v1/engines"}


@routes.get("/")
def get_root() -> AnyResponse:
    """Where everything is; a browser is sent to the page that says it."""
    wanted = request.accept_mimetypes.best_match(["application/json", "text/html"])
    answer: AnyResponse = Response(json.dumps(_PLACES), content_type="application/json")
    if wanted == "text/html":
        answer = redirect("/docs", 303)
    answer.headers["Vary"] = "Accept"
    return answer


@routes.get("/openapi.json")
def get_openapi() -> Response:
    """The description of this API, OpenAPI 3.1."""
    cached = current_app.extensions.setdefault("atelier_openapi", {})
    if "json" not in cached:
        cached["json"] = json.dumps(build(current_app))
    return Response(cached["json"], content_type="application/json")


@page.get("/docs")
def get_docs() -> Response:
    """The description, to read and to try."""
    text = _PAGE.format(json.dumps(_SCALAR), _script()[1][:16])
    response = Response(text, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = _POLICY
    return response


@page.get("/docs/scalar.js")
def get_script() -> Response:
    """Scalar's script, as the wheel flask-openapi3-scalar carries it."""
    path, digest = _script()
    response = send_file(path, "text/javascript; charset=utf-8", conditional=True, etag=digest)
    # The page asks for it by its hash, so a new version is asked for by another one.
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


@cache
def _script() -> tuple[str, str]:
    """Where the script is and its hash, which takes reading all of its megabytes: once a process."""
    source = files("flask_openapi3_scalar").joinpath("templates/scalar/js/scalar.standalone.js")
    return str(source), hashlib.sha256(source.read_bytes()).hexdigest()
