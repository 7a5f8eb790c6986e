"""`atelier keys`: API keys, made and revoked directly in the database; no server is needed."""

from __future__ import annotations

import json
import re

import click
from rich.markup import escape

from cli import context, show
from cli.errors import CommandError
from jobs.accounts import AccountStore
from jobs.errors import NotFound
from jobs.migrate import migrate

#: As the API has it: these names are shown in terminals, and PostgreSQL refuses U+0000.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST = 100


def _name(_ctx: click.Context, param: click.Parameter, value: str) -> str:
    if len(value) > _LONGEST or _CONTROL.search(value):
        raise click.BadParameter(f"at most {_LONGEST} characters, none of them a control character")
    if param.required and not value.strip():
        raise click.BadParameter("it must not be empty")
    return value


@click.group()
def keys() -> None:
    """Make, list and revoke API keys (works on the database itself)."""


@keys.command()
@click.argument("user", callback=_name)
@click.option("--name", default="", callback=_name, help="What it is for: a bot, a laptop.")
@click.option(
    "--admin",
    is_flag=True,
    help="May read, list, cancel and delete everybody's jobs and files, and make and revoke keys.",
)
@click.option(
    "--rate-per-minute", type=click.IntRange(1, 2**31 - 1), help="Requests a minute. [default: the server's]"
)
@click.option(
    "--max-upload-bytes", type=click.IntRange(1, 2**63 - 1), help="Largest upload. [default: the server's]"
)
@click.option("--json", "as_json", is_flag=True, help="Print id and key as JSON.")
@click.pass_context
def create(
    ctx: click.Context,
    user: str,
    name: str,
    admin: bool,
    rate_per_minute: int | None,
    max_upload_bytes: int | None,
    as_json: bool,
) -> None:
    """Make a key for USER (made if new) and print it: the only time it can be seen."""
    with context.database(ctx) as database:
        migrate(database)
        key, row = AccountStore(database).create_key(
            user, name=name, admin=admin, rate_per_minute=rate_per_minute, max_upload_bytes=max_upload_bytes
        )
    if as_json:
        click.echo(json.dumps({"id": row.id, "user": user, "key": key}))
        return
    click.echo(key)
    click.echo(f"{row.id} for {user}. Keep the key: it cannot be shown again.", err=True)


@keys.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List the keys (never the secrets)."""
    with context.database(ctx) as database:
        database.check()
        found = AccountStore(database).keys()
    if as_json:
        fields = ("id", "user_name", "name", "prefix", "admin")
        rows = [{name: getattr(row, name) for name in fields} for row in found]
        for shown, row in zip(rows, found, strict=True):
            shown["revoked"] = row.revoked_at is not None
        click.echo(json.dumps(rows))
        return
    table = show.table("KEY", "USER", "FOR", "PREFIX", "RIGHTS")
    for row in found:
        rights = "admin" if row.admin else "user"
        table.add_row(
            row.id,
            escape(row.user_name),
            escape(row.name),
            escape(row.prefix),
            "revoked" if row.revoked_at else rights,
        )
    show.results().print(table)


@keys.command()
@click.argument("key_id")
@click.pass_context
def revoke(ctx: click.Context, key_id: str) -> None:
    """Make the key with this id (key_...) useless from now on."""
    with context.database(ctx) as database:
        database.check()
        try:
            AccountStore(database).revoke(key_id)
        except NotFound as error:
            raise CommandError(error.detail) from error
    click.echo(f"{key_id}: revoked")
