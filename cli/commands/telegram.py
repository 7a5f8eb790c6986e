"""`atelier telegram`: letting the Telegram bot act for an account."""

from __future__ import annotations

import json
import re
from datetime import datetime

import click

from cli import context

#: A user name of Telegram; those of bots are no others.
_NAME = re.compile(r"@?([A-Za-z][A-Za-z0-9_]{3,31})")


def _bot(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    found = _NAME.fullmatch(value)
    if found is None:
        raise click.BadParameter("a name as Telegram has it: letters, digits and _, such as atelier_bot")
    return found[1]


@click.group()
def telegram() -> None:
    """Use this account from a chat with the Telegram bot."""


@telegram.command()
@click.option("--bot", metavar="NAME", callback=_bot, help="The bot's user name: prints a link to it.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_context
def link(ctx: click.Context, bot: str | None, as_json: bool) -> None:
    """Make a code that links a chat to your account: once, and for ten minutes.

    The bot gets a key of yours for it. Whoever sends it first is linked, so do not pass it on.
    """
    with context.client(ctx) as client:
        made = client.link_code()
    shown = {"code": made["code"], "send": f"/start {made['code']}"}
    if bot is not None:
        shown["open"] = f"https://t.me/{bot}?start={made['code']}"
    if as_json:
        click.echo(json.dumps(shown | {"expires_at": made["expires_at"]}))
        return
    for what, value in shown.items():
        click.echo(f"{what}  {value}")
    until = datetime.fromisoformat(made["expires_at"]).astimezone()
    doing = "Open the link, or send this" if bot is not None else "Send this"
    click.echo(f"{doing} to the bot until {until:%H:%M}. The code works once.", err=True)
