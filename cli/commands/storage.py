"""`atelier storage`: a full look at what is stored; works on the database and the object store themselves."""

from __future__ import annotations

import json
import sys
from datetime import timedelta

import click
from rich.markup import escape

from cli import audit as auditing
from cli import context, settings, show
from cli.errors import CommandError
from jobs.files import FileStore
from storage import open_storage
from storage.base import Storage

#: Above every time that something may be under way: an upload six hours, an attempt's outputs its lease.
GRACE_HOURS = 24.0


@click.group()
def storage() -> None:
    """Look after the stored objects (works on the database and the object store themselves)."""


@storage.command()
@click.option("--repair", is_flag=True, help="Delete the objects that no row names.")
@click.option(
    "--grace-hours",
    type=click.FloatRange(0),
    default=GRACE_HOURS,
    show_default=True,
    help="Leave objects alone that are younger.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_context
def audit(ctx: click.Context, repair: bool, grace_hours: float, as_json: bool) -> None:
    """List objects that no row names, and rows whose object is gone. Reads everything: it takes its time.

    Exits with 1 when something is left that should not be.
    """
    with context.database(ctx) as database:
        database.check()
        try:
            found = auditing.audit(
                FileStore(database), _store(ctx), grace=timedelta(hours=grace_hours), repair=repair
            )
        except OSError as error:
            raise CommandError(f"the object store: {error}") from error
    if as_json:
        click.echo(json.dumps(_plain(found)))
    else:
        _show(found)
    if found.missing or len(found.orphans) > found.deleted:
        sys.exit(1)


def _store(ctx: click.Context) -> Storage:
    try:
        return open_storage(settings.environment(context.folder(ctx))["STORAGE_URL"])
    except ValueError as error:
        raise CommandError(f"STORAGE_URL: {error}") from error


def _plain(found: auditing.Findings) -> dict[str, object]:
    return {
        "objects": found.objects,
        "bytes": found.bytes,
        "rows": found.rows,
        "orphans": [{"key": one.key, "size": one.size} for one in found.orphans],
        "missing": [{"id": file_id, "key": key} for file_id, key in found.missing],
        "deleted": found.deleted,
    }


def _show(found: auditing.Findings) -> None:
    table = show.table("WHAT", "KEY", "BYTES")
    for one in found.orphans:
        table.add_row("deleted" if found.deleted else "no row", escape(one.key), str(one.size))
    for _, key in found.missing:
        table.add_row("no object", escape(key), "-")
    if table.row_count:
        show.results().print(table)
    click.echo(
        f"{found.objects:,} objects ({found.bytes:,} bytes), {found.rows:,} rows: "
        f"{len(found.orphans):,} objects without a row ({found.deleted:,} deleted), "
        f"{len(found.missing):,} rows without their object.",
        err=True,
    )
