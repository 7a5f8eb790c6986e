"""`atelier weights`: the weight files some engines need. Nothing is fetched unless asked for."""

from __future__ import annotations

from pathlib import Path

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from cli import context, settings, show
from cli.errors import CommandError
from engines import install_weights
from engines import weights as files


@click.group()
@click.pass_context
def weights(ctx: click.Context) -> None:
    """List, fetch and check weight files."""
    settings.use(context.folder(ctx))


@weights.command(name="list")
def list_() -> None:
    """Every weight file the engines know."""
    table = show.table("NAME", "STATE", "LICENCE", "WHAT IT IS")
    for name, one in files.WEIGHTS.items():
        table.add_row(name, "installed" if files.present(name) else "absent", one.licence, one.about)
    show.results().print(table)
    click.echo(f"Folder: {files.weights_dir()}")


@weights.command()
@click.argument("name")
@click.option(
    "--url", help="Fetch from here instead of the publisher; the checksum has to match all the same."
)
@click.option(
    "--file",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Install this local file.",
)
def pull(name: str, url: str | None, file: Path | None) -> None:
    """Fetch NAME, verify its sha256 and install it."""
    try:
        if file is not None:
            click.echo(str(install_weights.install(name, file)))
            return
        one = files.weight(name)
        click.echo(f"{one.about}\nLicence: {one.licence}", err=True)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=show.errors(), transient=True) as bar:
            task = bar.add_task(one.filename, total=None)
            where = install_weights.pull(
                name, url, lambda done, total: bar.update(task, completed=done, total=total)
            )
    except files.WeightsError as error:
        raise CommandError(str(error)) from error
    click.echo(str(where))


@weights.command()
@click.argument("names", nargs=-1)
def verify(names: tuple[str, ...]) -> None:
    """Check the sha256 of installed files (all of them, or NAMES). Exits with 1 if one is wrong or absent."""
    wanted = names or tuple(name for name in files.WEIGHTS if files.present(name))
    if not wanted:
        click.echo("Nothing is installed.")
    failed = False
    for name in wanted:
        try:
            click.echo(f"{name}: ok, sha256 {files.verify(files.path(name), files.weight(name))}")
        except files.WeightsError as error:
            failed = True
            click.echo(f"{name}: {error}", err=True)
    if failed:
        raise CommandError(
            "not every file is what it should be; `atelier weights pull NAME` fetches it again"
        )


@weights.command()
@click.argument("name", required=False)
def path(name: str | None) -> None:
    """Print the weights folder, or where NAME lies."""
    try:
        click.echo(str(files.path(name) if name else files.weights_dir()))
    except files.WeightsError as error:
        raise CommandError(str(error)) from error
