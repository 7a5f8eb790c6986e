"""`atelier migrate`, `api`, `worker`, `sweep`, `dispatch`, `bot`: the parts of the house, one by one."""

from __future__ import annotations

import os
import sys

import click

from cli import bot as telegram_bot
from cli import context, settings
from cli.errors import CommandError
from jobs import migrate as migrations


def _become(ctx: click.Context, *arguments: str, **told: str) -> None:
    """Replace this process, so that signals and exit codes are the part's own."""
    environment = settings.environment(context.folder(ctx)) | told
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *arguments], environment)


@click.command()
@click.option(
    "--revision", default="head", show_default=True, help="A revision, `head`, or `base` for no tables."
)
@click.pass_context
def migrate(ctx: click.Context, revision: str) -> None:
    """Bring the database's tables up to date."""
    with context.database(ctx) as database:
        before = database.revision()
        migrations.migrate(database, revision)
        after = database.revision()
    click.echo(
        f"database: {before or 'empty'} -> {after or 'empty'}" if before != after else f"database: {after}"
    )


@click.command()
@click.pass_context
def api(ctx: click.Context) -> None:
    """Run the API alone (gunicorn; see ATELIER_BIND)."""
    _become(ctx, "-m", "gunicorn", "-c", "python:api.gunicorn")


@click.command()
@click.option("--queues", default="gpu,cpu,net", show_default=True, help="Queues it serves.")
@click.pass_context
def worker(ctx: click.Context, queues: str) -> None:
    """Run one worker."""
    _become(ctx, "-m", "workers", "--queues", queues)


@click.command()
@click.pass_context
def sweep(ctx: click.Context) -> None:
    """Run the sweeper: takes back lost leases, rings for waiting jobs, deletes objects nobody names."""
    _become(ctx, "-m", "workers.sweep")


@click.command()
@click.pass_context
def dispatch(ctx: click.Context) -> None:
    """Run the dispatcher: sends webhooks, again and again for a day."""
    _become(ctx, "-m", "workers.webhooks")


@click.command()
@click.pass_context
def bot(ctx: click.Context) -> None:
    """Run the Telegram bot of ATELIER_TELEGRAM_TOKEN: a client of the server, with its notes in Redis."""
    folder = context.folder(ctx)
    environment = settings.environment(folder)
    if not (token := environment.get(telegram_bot.TOKEN)):
        raise CommandError(f"set {telegram_bot.TOKEN} to what BotFather gave you")
    if not (key := settings.api_key(folder)):
        raise CommandError("the bot needs an admin key: set ATELIER_KEY (`atelier keys create bot --admin`)")
    told = {"ATELIER_URL": settings.server_url(folder), "ATELIER_KEY": key}
    here = settings.running(folder)
    if here is not None and "REDIS_URL" not in environment:
        told["REDIS_URL"] = here.redis_url
    telegram_bot.check(token, environment | told)
    _become(ctx, *telegram_bot.COMMAND, **told)
