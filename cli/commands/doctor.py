"""`atelier doctor`: is everything here that is needed, and how to mend what is not."""

from __future__ import annotations

import json
import sys

import click
from rich.console import Console
from rich.markup import escape

from cli import checks, context

COLOURS = {checks.OK: "green", checks.WARN: "yellow", checks.FAIL: "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check this installation. Exits with 1 when something is broken."""
    console = Console(highlight=False, soft_wrap=True)
    found = []
    for name, verdict in checks.run_all(context.folder(ctx)):
        found.append({"check": name, "level": verdict.level, "text": verdict.text, "mend": verdict.mend})
        if not as_json:
            colour = COLOURS[verdict.level]
            console.print(f"[{colour}]{verdict.level:<4}[/]  {name:<9} {escape(verdict.text)}")
            if verdict.mend and verdict.level != checks.OK:
                console.print(f"                [dim]-> {escape(verdict.mend)}[/]")
    if as_json:
        click.echo(json.dumps(found))
    if any(one["level"] == checks.FAIL for one in found):
        sys.exit(1)
