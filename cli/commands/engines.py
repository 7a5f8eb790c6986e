"""`atelier engines`: what the server can make."""

from __future__ import annotations

import json

import click
from rich.markup import escape

from cli import context, show
from cli.commands.run import engine_command


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="As the API gives it.")
@click.pass_context
def engines(ctx: click.Context, name: str | None, as_json: bool) -> None:
    """List the engines, or show one with its parameters."""
    with context.client(ctx) as client:
        if name is None:
            found = client.engines(hidden=True)
            if as_json:
                click.echo(json.dumps(found))
                return
            table = show.table("ENGINE", "QUEUE", "TITLE")
            for one in found:
                table.add_row(one["name"], one["queue"], escape(one["title"]))
            show.results().print(table)
            return
        view = client.engine(name)
    if as_json:
        click.echo(json.dumps(view))
        return
    command = engine_command(view)
    with click.Context(command, info_name=f"atelier run {view['name']}") as inner:
        click.echo(command.get_help(inner))
    click.echo(f"\nMakes {', '.join(view['produces'])}; waits in queue {view['queue']}.")
    for weight, installed in view.get("needs_weights", {}).items():
        state = "installed" if installed else f"not installed: `atelier weights pull {weight}`"
        click.echo(f"Weights {weight}: {state}.")
