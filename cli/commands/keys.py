"""`atelier keys`: API keys, made and revoked directly in the database; no server is needed.

But for one's own: those are asked of the server, as their owner may have no access to the database.
"""

from __future__ import annotations

import json
import re

import click
from rich.markup import escape

from accounts.store import AccountStore
from cli import context, show
from cli.errors import CommandError
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
    """Make, list and revoke API keys (on the database itself; your own over the server)."""


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
        rights = _rights(admin=row.admin, revoked=row.revoked_at is not None)
        table.add_row(row.id, escape(row.user_name), escape(row.name), escape(row.prefix), rights)
    show.results().print(table)


@keys.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_context
def mine(ctx: click.Context, as_json: bool) -> None:
    """List the keys of the owner of your key, by asking the server."""
    with context.client(ctx) as client:
        found = client.keys()
    if as_json:
        click.echo(json.dumps(found))
        return
    table = show.table("KEY", "FOR", "PREFIX", "MADE", "RIGHTS")
    for one in found:
        rights = _rights(admin=one["admin"], revoked=one["revoked_at"] is not None)
        table.add_row(one["id"], escape(one["name"]), escape(one["prefix"]), one["created_at"][:10], rights)
    show.results().print(table)


def _rights(*, admin: bool, revoked: bool) -> str:
    if revoked:
        return "revoked"
    return "admin" if admin else "user"


@keys.command()
@click.argument("key_id")
@click.option("--mine", "own", is_flag=True, help="One of your own, by asking the server.")
@click.pass_context
def revoke(ctx: click.Context, key_id: str, own: bool) -> None:
    """Make the key with this id (key_...) useless from now on.

    There is no way back; with --mine not even if it is the key this command uses.
    """
    if own:
        with context.client(ctx) as client:
            client.revoke_key(key_id)
        click.echo(f"{key_id}: revoked")
        return
    with context.database(ctx) as database:
        database.check()
        try:
            AccountStore(database).revoke(key_id)
        except NotFound as error:
            raise CommandError(error.detail) from error
    click.echo(f"{key_id}: revoked")
