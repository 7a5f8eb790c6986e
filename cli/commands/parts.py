"""`atelier parts JOB`: the jobs that a job is made of."""

from __future__ import annotations

import json

import click

from cli import context, show, stages
from cli.commands.jobs import STATES


@click.command()
@click.argument("job_id", metavar="JOB")
@click.option("--stage", help="Only of this stage.")
@click.option("--state", type=click.Choice(STATES), multiple=True, help="Only these; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="As the API gives them.")
@click.pass_context
def parts(ctx: click.Context, job_id: str, stage: str | None, state: tuple[str, ...], as_json: bool) -> None:
    """List the jobs that a job is made of, with what they have made.

    Each is a job like any other: `atelier jobs PART` says more of it. `atelier jobs JOB` shows the stages.
    """
    with context.client(ctx) as client:
        found = [
            part
            for part in client.parts(job_id)
            if stage in (None, part["stage"]) and (not state or part["job"]["state"] in state)
        ]
    if as_json:
        click.echo(json.dumps({"parts": found}))
        return
    console = show.results()
    for line in stages.lines(found):
        console.print(line, markup=False, soft_wrap=True)
    if not found:
        click.echo("There is no such part." if stage or state else "It is not made of jobs.", err=True)
