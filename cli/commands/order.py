"""`atelier hold`, `release`, `move`: the order of your own waiting jobs."""

from __future__ import annotations

import click

from cli import context, words
from cli.several import for_each
from client import Json


@click.command()
@click.argument("job_ids", nargs=-1, required=True, metavar="JOB...")
@click.pass_context
def hold(ctx: click.Context, job_ids: tuple[str, ...]) -> None:
    """Let queued jobs wait until you release them.

    Their deadline (--start-by) does not wait.
    """
    with context.client(ctx) as client:
        for_each(job_ids, lambda job_id: _say(client.hold(job_id)))


@click.command()
@click.argument("job_ids", nargs=-1, required=True, metavar="JOB...")
@click.pass_context
def release(ctx: click.Context, job_ids: tuple[str, ...]) -> None:
    """Let held jobs stand in line again, as if they had been submitted now."""
    with context.client(ctx) as client:
        for_each(job_ids, lambda job_id: _say(client.release(job_id)))


@click.command()
@click.argument("job_id", metavar="JOB")
@click.option("--before", metavar="JOB", help="Directly before this one of your queued jobs.")
@click.option("--front", is_flag=True, help="Before all your queued jobs.")
@click.option("--end", is_flag=True, help="After all your queued jobs.")
@click.pass_context
def move(ctx: click.Context, job_id: str, before: str | None, front: bool, end: bool) -> None:
    """Move a queued job among your own of the same queue and priority.

    Nobody else's job changes its place.
    """
    if [before is not None, front, end].count(True) != 1:
        raise click.UsageError("Say where to: --before JOB, --front or --end.")
    where = {"before": before} if before is not None else {"to": "front" if front else "end"}
    with context.client(ctx) as client:
        _say(client.move(job_id, **where))


def _say(job: Json) -> None:
    click.echo(f"job {job['id']}: {words.outlook(job) or job['state']}")
