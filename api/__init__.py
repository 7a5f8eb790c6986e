"""The thin HTTP API: `create_app` is its table of contents."""

from __future__ import annotations

from flask import Flask

import api.left_out  # noqa: F401  # before anybody imports structlog, httpx or kombu
from api import admission, codings, cors, documentation, headers, paths, problems, tracing
from api.operations import IdConverter
from api.routes import health, v1
from api.services import Services
from api.settings import Settings
from jobs.database import Database
from jobs.store import JobStore
from queue_config import Doorbell
from storage import open_storage
from storage.base import Storage


def create_app(
    store: JobStore | None = None,
    storage: Storage | None = None,
    doorbell: Doorbell | None = None,
    settings: Settings | None = None,
) -> Flask:
    """The WSGI application; what is left out is made from the environment. Connects to nothing."""
    found = Services.build(
        store or JobStore(Database()),
        storage or open_storage(),
        doorbell or Doorbell(),
        settings or Settings.from_env(),
    )
    app = Flask(__name__, static_folder=None)
    app.extensions["atelier"] = found
    # For requests without a key, which have no business sending a body; `api.auth` raises it for the others.
    app.config["MAX_CONTENT_LENGTH"] = 1024 * 1024
    app.config["MAX_FORM_MEMORY_SIZE"] = 1024 * 1024
    app.config["MAX_FORM_PARTS"] = 100
    app.url_map.converters["id"] = IdConverter

    problems.register(app)
    headers.register(app)
    tracing.register(app)
    paths.register(app)
    cors.register(app, cors.origins(found.settings.cors_origins))
    codings.register(app)
    admission.register(app)
    app.register_blueprint(v1)
    app.register_blueprint(health.blueprint(found))
    app.register_blueprint(documentation.routes)
    if found.settings.docs:
        app.register_blueprint(documentation.page)
    return app
