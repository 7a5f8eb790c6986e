"""`atelier networks`: trained networks of yours, uploaded once and then named by jobs."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import click
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from cli import context, show
from cli.commands.run import INTERRUPTED, follow
from cli.errors import CommandError, readable
from cli.several import for_each
from client import Client, Json, Refused

STATES = ("converting", "ready", "failed")

_ID = re.compile(r"net_[0-9a-f]{32}")


@click.group()
def networks() -> None:
    """Bring trained networks: a .pkl of stylegan2-ada-pytorch, say. Nothing in it is ever run.

    \b
    atelier networks add style.pkl --name flowers
    """


@networks.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", required=True, help="What jobs call it: a-z, 0-9, dot, dash, underscore.")
@click.option("--shared", is_flag=True, help="Let everybody see and use it; for an admin key only.")
@click.option("--no-wait", is_flag=True, help="Do not wait until it is ready.")
@click.option("--json", "as_json", is_flag=True, help="Print the network as JSON.")
@click.pass_context
def add(ctx: click.Context, file: Path, name: str, shared: bool, no_wait: bool, as_json: bool) -> None:
    """Upload FILE and wait until it is converted.

    The same file again under the same name changes nothing. Ctrl-C while it is converted leaves it to the
    server.
    """
    with context.client(ctx) as client:
        made = _send(client, file, name, shared)
        if made["state"] == "converting" and not no_wait:
            made = _wait(client, made)
    if as_json:
        click.echo(json.dumps(made))
    else:
        click.echo(made["id"])
        click.echo(f"{made['name']}: {_outcome(made)}", err=True)
    if made["state"] == "failed":
        raise CommandError(f"{file} cannot be used: {_problem(made)}")


@networks.command(name="list")
@click.option("--state", type=click.Choice(STATES), help="Only these.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100), help="How many.")
@click.option("--json", "as_json", is_flag=True, help="As the API gives it.")
@click.pass_context
def list_(ctx: click.Context, state: str | None, limit: int, as_json: bool) -> None:
    """List the networks you may use: yours and the shared ones, newest first; then those that are shipped."""
    with context.client(ctx) as client:
        page = client.networks_page(state=state, limit=limit)
    if as_json:
        click.echo(json.dumps(page))
        return
    table = show.table("NETWORK", "NAME", "STATE", "MAKES", "SIZE", "WHOSE", "ADDED")
    for one in page["networks"]:
        whose = "yours" if one["own"] else "shipped" if one["shipped"] else "shared"
        table.add_row(
            one["id"],
            escape(one["name"]),
            one["state"],
            _makes(one),
            show.size(one["bytes"]) if one["bytes"] is not None else "-",
            f"{whose}, shared" if one["own"] and one["shared"] else whose,
            show.moment(one["created_at"]) if one["created_at"] else "-",
        )
    show.results().print(table)
    if page.get("next_cursor"):
        click.echo("There are more: --limit.", err=True)


@networks.command(name="show")
@click.argument("network")
@click.option("--json", "as_json", is_flag=True, help="As the API gives it.")
@click.pass_context
def show_(ctx: click.Context, network: str, as_json: bool) -> None:
    """Show one NETWORK: a name, or an id (net_...)."""
    with context.client(ctx) as client:
        one = _find(client, network)
    if as_json:
        click.echo(json.dumps(one))
        return
    console = show.results()
    console.print(f"[bold]{escape(one['name'])}[/]  {one['id']}  {one['state']}")
    whose = "shipped with Atelier" if one["shipped"] else "shared with everybody" if one["shared"] else None
    console.print(f"{_makes(one)}, {whose or 'yours alone'}")
    if config := one["config"]:
        console.print(f"classes {config['classes']}, z {config['z_dim']}, w {config['w_dim']}")
        if config["class_names"]:
            console.print(", ".join(config["class_names"]), markup=False)
    if not one["shipped"]:
        sent = f"uploaded {show.moment(one['created_at'])}, {show.size(one['upload_bytes'])}"
        kept = f", kept as {show.size(one['bytes'])}" if one["bytes"] is not None else ""
        console.print(sent + kept)
    if one["sha256"]:
        console.print(f"sha256 {one['sha256']}")
    if one["problem"]:
        console.print(_problem(one), style="red", markup=False)


@networks.command()
@click.argument("names", nargs=-1, required=True, metavar="NETWORK...")
@click.pass_context
def remove(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Delete networks, by name or id.

    Jobs that were accepted with one are made all the same.
    """
    with context.client(ctx) as client:

        def act(name: str) -> None:
            one = _find(client, name, own=True)
            if one["shipped"]:
                raise CommandError(f"{one['name']} is shipped with Atelier and cannot be removed")
            client.delete_network(one)
            click.echo(f"{one['name']}: removed")

        for_each(names, act)


def _send(client: Client, file: Path, name: str, shared: bool) -> Json:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=show.errors(), transient=True) as bar:
        task = bar.add_task(escape(file.name), total=None)
        try:
            with readable(file):
                return client.add_network(
                    file,
                    name,
                    shared=shared,
                    sent=lambda done, total: bar.update(task, completed=done, total=total),
                )
        except Refused as error:
            # FILE is an argument here and no option.
            if any(one.get("field") == "file" for one in error.errors):
                raise CommandError(f"{file} cannot be used: {error.detail}") from error
            raise


def _wait(client: Client, made: Json) -> Json:
    try:
        follow(client, made["job_id"])
    except KeyboardInterrupt:
        click.echo(
            f"\n{made['id']} is still being converted: `atelier networks show {made['name']}`", err=True
        )
        sys.exit(INTERRUPTED)
    return client.network(made)


def _find(client: Client, network: str, *, own: bool = False) -> Json:
    """One network by id, or by name: the user's own before a shared or shipped one. Raises CommandError."""
    if _ID.fullmatch(network):
        return client.network(network)
    named = [one for one in client.networks() if one["name"] == network]
    if own:
        named = [one for one in named if one["own"] or one["shipped"]]
    if not named:
        raise CommandError(f"there is no network {network!r}; `atelier networks list` shows those there are")
    return max(named, key=lambda one: (one["own"], not one["shipped"]))


def _outcome(one: Json) -> str:
    return f"ready, {_makes(one)}" if one["state"] == "ready" else str(one["state"])


def _makes(one: Json) -> str:
    """`512x512 RGB`; before the conversion nobody knows."""
    config = one["config"]
    if not config:
        return "-"
    colours = {1: "grey", 3: "RGB", 4: "RGBA"}.get(config["channels"], f"{config['channels']} channels")
    classes = f", {config['classes']} classes" if config["classes"] else ""
    return f"{config['resolution']}x{config['resolution']} {colours}{classes}"


def _problem(one: Json) -> str:
    problem = one["problem"] or {"code": "failed", "detail": "It could not be converted."}
    return f"{problem['detail']} ({problem['code']})"
