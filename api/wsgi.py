"""The application that gunicorn serves: `gunicorn --config python:api.gunicorn`."""

from api import create_app
from jobs.logs import configure_logging

configure_logging("api")
app = create_app()
