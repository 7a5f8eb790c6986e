"""What every command is given: the data folder, and with it the server and the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from cli import settings
from cli.client import Client
from cli.errors import CommandError
from jobs.database import Database
from jobs.errors import Unavailable


def folder(ctx: click.Context) -> Path:
    """The data folder this command works with."""
    chosen: Path | None = ctx.find_root().params.get("data_dir")
    return settings.data_dir(chosen)


def client(ctx: click.Context) -> Client:
    """The server this command works with."""
    where = folder(ctx)
    return Client(settings.server_url(where), settings.api_key(where))


@contextmanager
def database(ctx: click.Context) -> Iterator[Database]:
    """The database this command works with; nobody has to be running."""
    made = Database(settings.environment(folder(ctx))["DATABASE_URL"], pool_size=1)
    try:
        yield made
    except Unavailable as error:
        raise CommandError(error.detail) from error
    finally:
        made.close()
