"""`atelier owners`: who has jobs here and what they may have; works on the database itself."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.markup import escape

from accounts.limits import limits_of
from accounts.store import AccountStore
from cli import context, show
from cli.errors import CommandError
from jobs.database import Database
from jobs.errors import NotFound
from jobs.rows import UserRow
from jobs.store import JobStore

LIMITS = ("max_running", "max_queued", "keep_days", "max_stored_bytes")
DEFAULT = "default"
#: Owners read at once.
_PAGE = 100


class Limit(click.ParamType[Any]):
    """A number from 0 on, or `default`."""

    name = "number|default"

    def __init__(self, number: click.IntRange | click.FloatRange) -> None:
        self._number = number

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """`default` stays as it is."""
        return DEFAULT if value == DEFAULT else self._number.convert(value, param, ctx)


@click.group(invoke_without_command=True)
@click.pass_context
def owners(ctx: click.Context) -> None:
    """List owners and set what they may have at once and for how long (works on the database itself)."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_)


@owners.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_context
def list_(ctx: click.Context, as_json: bool = False) -> None:
    """List the owners. A limit in brackets is the default that this command's environment has."""
    with context.database(ctx) as database:
        database.check()
        rows = _all(database)
        counts = JobStore(database).standing([row.id for row in rows])
    if as_json:
        shown = [{name: getattr(row, name) for name in ("id", "name", *LIMITS)} for row in rows]
        for one, row in zip(shown, rows, strict=True):
            one["waiting"], one["running"] = counts[row.id]
        click.echo(json.dumps(shown))
        return
    table = show.table(
        "USER", "WAITING", "RUNNING", "MAX RUNNING", "MAX QUEUED", "KEEP DAYS", "MAX STORED BYTES"
    )
    for row in rows:
        waiting, running = counts[row.id]
        cells = [_limit(row, name) for name in LIMITS]
        table.add_row(escape(row.name), str(waiting), str(running), *cells)
    show.results().print(table)


@owners.command(name="set")
@click.argument("name")
@click.option("--max-running", type=Limit(click.IntRange(0, 2**31 - 1)), help="Running jobs of one queue.")
@click.option("--max-queued", type=Limit(click.IntRange(0, 2**31 - 1)), help="Waiting jobs.")
@click.option("--keep-days", type=Limit(click.FloatRange(0, 36_525)), help="Days that results are kept.")
@click.option(
    "--max-stored-bytes", type=Limit(click.IntRange(0, 2**63 - 1)), help="Uploads, results and networks."
)
@click.pass_context
def set_(ctx: click.Context, /, name: str, **given: Any) -> None:
    """Set limits of the owner NAME: a number, 0 for no limit, or `default` for the server's."""
    chosen = {limit: value for limit, value in given.items() if value is not None}
    changes = {limit: None if value == DEFAULT else value for limit, value in chosen.items()}
    if not changes:
        raise click.UsageError(
            "Say what to set: --max-running, --max-queued, --keep-days or --max-stored-bytes."
        )
    with context.database(ctx) as database:
        database.check()
        accounts = AccountStore(database)
        try:
            row = accounts.set_limits(accounts.owner_named(name).id, changes)
        except NotFound as error:
            raise CommandError(error.detail) from error
    says = ", ".join(f"{limit.replace('_', ' ')} {_limit(row, limit)}" for limit in LIMITS)
    click.echo(f"{name}: {says}")


def _all(database: Database) -> list[UserRow]:
    accounts = AccountStore(database)
    rows: list[UserRow] = []
    page = accounts.owners(limit=_PAGE)
    while page:
        rows += page
        page = accounts.owners(before=page[-1].id, limit=_PAGE)
    return rows


def _limit(row: UserRow, name: str) -> str:
    own = getattr(row, name)
    limit = getattr(limits_of(row), name)
    text = str(limit) if isinstance(limit, int) else f"{limit:.10g}"
    text = "none" if text == "0" else text
    return f"({text})" if own is None else text
