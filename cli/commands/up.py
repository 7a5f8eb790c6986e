"""`atelier up`: everything on this machine, from nothing, in one process tree."""

from __future__ import annotations

import shlex
import shutil
import signal
import sys
from pathlib import Path

import click

from cli import bot, context, settings
from cli.embedded import AlreadyRunning, Embedded, Plan, Stopped
from cli.errors import CommandError, explained
from client import Client


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0: any free one."
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"Where to keep everything. [default: ATELIER_DATA_DIR, else {settings.DEFAULT_DATA_DIR}]",
)
@click.option("--workers", default=1, show_default=True, type=click.IntRange(0, 64), help="Worker processes.")
@click.option("--queues", default="gpu,cpu,net", show_default=True, help="Queues the workers serve.")
@click.option(
    "--telegram",
    "token",
    metavar="TOKEN",
    envvar=bot.TOKEN,
    default="",
    help=f"Run the Telegram bot as well, with BotFather's token. [env: {bot.TOKEN}]",
)
@click.pass_context
def up(
    ctx: click.Context, host: str, port: int, data_dir: Path | None, workers: int, queues: str, token: str
) -> None:
    """Start the whole studio here: Redis, database, API, worker, sweeper, webhooks, and a Telegram bot.

    Everything lives in one data folder and ends with Ctrl-C. Starting it twice is harmless. What you set
    in the environment is used as it is: DATABASE_URL, REDIS_URL, STORAGE_URL and the rest.
    """
    folder = settings.data_dir(data_dir) if data_dir else context.folder(ctx)
    name = ""
    if token:
        bot.hide(token)
        name = bot.check(token, settings.environment(folder))
    embedded = Embedded(
        Plan(folder, host, port, workers, queues, token), say=lambda text: click.echo(text, err=True)
    )
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: embedded.ask_to_stop())
    try:
        click.echo("Starting ...", err=True)
        embedded.start()
        _announce(folder, embedded.url)
        if token:
            _announce_bot(folder, embedded.url, name)
        embedded.run()
    except AlreadyRunning as found:
        _say_where(folder, found.state)
        if token:
            click.echo(f"If that was without a bot: `{program(folder)} bot` runs one beside it.")
    except Stopped:
        pass
    except OSError as error:
        raise CommandError(f"it cannot run in {folder}: {error}") from error
    finally:
        if embedded.url:
            click.echo("Stopping ...", err=True)
        embedded.stop()


def _announce(folder: Path, url: str) -> None:
    key = settings.key_file(folder)
    click.echo(
        f"Atelier is ready at {url}\n"
        f"  key      {key}\n"
        f"  logs     {folder / 'logs'}\n"
        f"  API      {url}/docs\n"
        "Try, in another terminal:\n"
        f'  curl -H "Authorization: Bearer $(cat {shlex.quote(str(key))})" {url}/v1/engines\n'
        f'  {program(folder)} run echo --text "hello"\n'
        "Ctrl-C stops it."
    )


def _announce_bot(folder: Path, url: str, name: str) -> None:
    """How the person in front of this machine gets in: by default the bot knows nobody."""
    with explained(url), Client(url, settings.key_file(folder).read_text().strip()) as client:
        code = client.link_code()["code"]
    if name:
        first = f"Telegram: open this within ten minutes, and @{name} works for you:\n"
        first += f"  https://t.me/{name}?start={code}"
    else:
        first = "Telegram does not answer now; the bot keeps trying. Send it this within ten minutes:\n"
        first += f"  /start {code}"
    click.echo(
        f"{first}\n"
        f"A new link: `{program(folder)} telegram link`. Others send /start and are told a number:\n"
        "ATELIER_TELEGRAM_ALLOW=<numbers> lets them in, ATELIER_TELEGRAM_GUESTS=yes everybody."
    )


def program(folder: Path) -> str:
    """This command as another terminal can call it for this data folder."""
    own = Path(sys.argv[0])
    found = shutil.which("atelier")
    # An environment that is not activated is not on the PATH.
    elsewhere = own.name == "atelier" and own.is_file() and not (found and own.samefile(found))
    words = [str(own.absolute()) if elsewhere else "atelier"]
    if folder != Path(settings.DEFAULT_DATA_DIR).expanduser():
        words += ["--data-dir", str(folder)]
    return shlex.join(words)


def _say_where(folder: Path, state: settings.Running | None) -> None:
    if state is None:
        raise CommandError(
            f"another process holds {folder / 'lock'} but does not say where it listens; "
            f"look at {folder / 'logs'}"
        )
    click.echo(
        f"Atelier runs already for this data folder ({folder}), as process {state.pid}.\n"
        f"It listens at {state.url}; the key is in {settings.key_file(folder)}."
    )
