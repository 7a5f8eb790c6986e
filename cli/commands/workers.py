"""`atelier workers`: the machines at work; drain one, let it work again. Needs an admin key."""

from __future__ import annotations

import json

import click
from rich.markup import escape

from cli import context, show
from client import Json


@click.group(invoke_without_command=True)
@click.pass_context
def workers(ctx: click.Context) -> None:
    """List workers, drain one, let it work again (needs an admin key)."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_)


@workers.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="As the API gives it.")
@click.pass_context
def list_(ctx: click.Context, as_json: bool = False) -> None:
    """List the workers, and for an hour those that fell silent."""
    with context.client(ctx) as client:
        found = client.workers()
    if as_json:
        click.echo(json.dumps(found))
        return
    table = show.table("WORKER", "STATE", "HOST", "QUEUES", "DEVICE", "SEEN", "JOBS")
    for one in found:
        table.add_row(
            one["id"],
            one["state"],
            escape(one["hostname"]),
            ",".join(one["queues"]),
            escape(one["device"] or "-"),
            show.moment(one["heartbeat_at"]),
            " ".join(one["job_ids"]) or "-",
        )
    show.results().print(table)


@workers.command()
@click.argument("worker_id")
@click.option(
    "--release", is_flag=True, help="Give the running job back now; another worker goes on with it."
)
@click.pass_context
def drain(ctx: click.Context, worker_id: str, release: bool) -> None:
    """Let the worker WORKER_ID (wrk_...) take no more jobs. What it runs goes on to its end."""
    with context.client(ctx) as client:
        worker = client.drain(worker_id, release=release)
    _say(worker)


@workers.command()
@click.argument("worker_id")
@click.pass_context
def resume(ctx: click.Context, worker_id: str) -> None:
    """Let the worker WORKER_ID take jobs again: lifts a drain and a quarantine."""
    with context.client(ctx) as client:
        worker = client.resume(worker_id)
    _say(worker)


def _say(worker: Json) -> None:
    running = f", still runs {' '.join(worker['job_ids'])}" if worker["job_ids"] else ""
    click.echo(f"{worker['id']}: {worker['state']}{running}")
