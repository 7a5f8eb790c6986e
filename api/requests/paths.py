"""A path has one spelling: what a proxy hides or caches by its path is not there under another one."""

from __future__ import annotations

from flask import Flask, request
from werkzeug.exceptions import NotFound


def register(app: Flask) -> None:
    """Make `/v1//me` and `//metrics` a 404; call it before there are any routes."""
    # werkzeug would redirect the first, to a host that the client names, ...
    app.url_map.merge_slashes = False
    # ... and takes the second for what it is without them.
    app.before_request(_refuse)


def _refuse() -> None:
    if request.environ.get("PATH_INFO", "").startswith("//"):
        raise NotFound
