"""What every command is given: the data folder, and with it the server and the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from alembic.util.exc import CommandError as MigrationError
from sqlalchemy.exc import ArgumentError, DBAPIError

from cli import settings
from cli.errors import CommandError, explained
from cli.private import made_privately
from client import Client
from jobs.database import Database
from jobs.errors import Unavailable


def folder(ctx: click.Context) -> Path:
    """The data folder this command works with."""
    chosen: Path | None = ctx.find_root().params.get("data_dir")
    return settings.data_dir(chosen)


@contextmanager
def client(ctx: click.Context) -> Iterator[Client]:
    """The server this command works with. What goes wrong there leaves the block as a CommandError."""
    where = folder(ctx)
    url = settings.server_url(where)
    with explained(url), Client(url, settings.api_key(where), agent="atelier-cli") as made:
        yield made


@contextmanager
def database(ctx: click.Context) -> Iterator[Database]:
    """The database this command works with; nobody has to be running."""
    with opened(settings.environment(folder(ctx))["DATABASE_URL"]) as made:
        yield made


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """A database that is closed afterwards. Raises CommandError for everything that is wrong with it."""
    made = _database(url)
    where = made.url.render_as_string(hide_password=True)
    try:
        with made_privately():  # the file of an SQLite database, if this is who makes it
            yield made
    except Unavailable as error:
        raise CommandError(f"{where}: {error.detail}") from error
    except DBAPIError as error:  # migrations speak to the driver themselves
        raise CommandError(f"{where}: {_first_line(error.orig)}") from error
    except MigrationError as error:
        raise CommandError(f"{where} cannot be migrated: {error}") from error
    finally:
        made.close()


def _database(url: str) -> Database:
    try:
        return Database(url, pool_size=1)
    except (ArgumentError, ImportError, ValueError) as error:
        raise CommandError(
            f"DATABASE_URL is not understood ({_first_line(error)}). "
            "It looks like sqlite:////absolute/file.db or postgresql://user@host/name."
        ) from error
    except OSError as error:
        raise CommandError(f"the database's folder cannot be made: {error}") from error


def _first_line(error: BaseException | None) -> str:
    return (str(error).strip().splitlines() or ["it does not answer"])[0]
