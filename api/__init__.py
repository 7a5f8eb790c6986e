"""The thin HTTP API: `create_app` is its table of contents.

routes/        the paths
schemas/       what crosses HTTP
access/        who asks, and whether they may
requests/      what comes in: how much at once, and what it says
answers/       files and archives, and what every answer says
streams/       what is held open until a job has news
forecasting/   when a job will start and end
telemetry/     what operators see
contract/      what the API says of itself
serving/       gunicorn, and what it is kept from

submit.py      a request becomes a job
again.py       a job that is there already, once more
networks.py    an uploaded network
views.py       rows as wire models
problems.py    errors as HTTP
services.py    what a request may use
settings.py    what the environment says
gunicorn.py    the server's configuration
wsgi.py        the application that it serves
"""

from __future__ import annotations

from flask import Flask

import api.serving.left_out  # noqa: F401  # before anybody imports structlog, httpx or kombu
from api import problems
from api.access import cors
from api.answers import headers
from api.contract import documentation
from api.contract.operations import IdConverter
from api.requests import admission, codings, paths
from api.routes import health, v1
from api.services import Services
from api.settings import Settings
from api.telemetry import tracing
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
    # For requests without a key, which have no business sending a body; `access.auth` raises it for others.
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
