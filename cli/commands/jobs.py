"""`atelier jobs`, `cancel`, `retry`, `delete`: what was asked for, and what became of it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click
from rich.markup import escape

from cli import context, show, stages, treatment, words
from cli.commands.run import check_output, finish, follow, follow_or_stop
from cli.errors import written
from cli.several import for_each
from client import Json

STATES = ("queued", "running", "succeeded", "failed", "canceled")


@click.command()
@click.argument("job_id", required=False)
@click.option("--state", type=click.Choice(STATES), multiple=True, help="Only these; may be repeated.")
@click.option("--engine", help="Only of this engine.")
@click.option(
    "--tag", "tags", multiple=True, metavar="TAG", help="Only with this tag; repeated: with all of them."
)
@click.option(
    "--since", type=treatment.PastType(), help="Only later ones: 2026-11-21T18:00, or 2h before now."
)
@click.option("--until", type=treatment.PastType(), help="Only earlier ones.")
@click.option("--text", help="Only those with these words in their texts, tags or metadata.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100), help="How many.")
@click.option("--json", "as_json", is_flag=True, help="As the API gives it.")
@click.option("--watch", is_flag=True, help="With an id: follow it until it is final.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="With an id: fetch its results into this folder or file, or all of them as one x.zip.",
)
@click.option(
    "--archive",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With an id: fetch its results as one ZIP, with job.json that says what they are.",
)
@click.pass_context
def jobs(
    ctx: click.Context,
    job_id: str | None,
    state: tuple[str, ...],
    engine: str | None,
    tags: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    text: str | None,
    limit: int,
    as_json: bool,
    watch: bool,
    output: Path | None,
    archive: Path | None,
) -> None:
    """List jobs, newest first, or show one."""
    with context.client(ctx) as client:
        if job_id is None:
            if watch or output or archive:
                raise click.UsageError("--watch, --output and --archive need the id of a job.")
            page = client.jobs_page(
                state=list(state) or None,
                engine=engine,
                tag=treatment.split_tags(tags) or None,
                created_after=since.isoformat() if since else None,
                created_before=until.isoformat() if until else None,
                q=text,
                limit=limit,
            )
            _list(page, as_json)
            return
        if output is not None:
            check_output(output)
        job = follow(client, job_id) if watch else client.job(job_id)
        if archive is not None:
            with written(archive):
                client.archive(job_id, archive)
            click.echo(str(archive))
        elif output is not None:
            finish(client, job, output, as_json)
        elif as_json:
            click.echo(json.dumps(job))
        else:
            _describe(job)


@click.command()
@click.argument("job_ids", nargs=-1, required=True, metavar="JOB...")
@click.pass_context
def cancel(ctx: click.Context, job_ids: tuple[str, ...]) -> None:
    """Stop jobs that wait or run."""
    with context.client(ctx) as client:

        def act(job_id: str) -> None:
            job = client.cancel(job_id)
            click.echo(f"job {job_id}: {'being canceled' if job['state'] == 'running' else job['state']}")

        for_each(job_ids, act)


@click.command()
@click.argument("job_id")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("out"), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the new job as JSON.")
@click.option("--detach", is_flag=True, help="Do not wait for it.")
@click.pass_context
def retry(ctx: click.Context, job_id: str, output: Path, as_json: bool, detach: bool) -> None:
    """Try a failed or canceled job again, unchanged, as a new job.

    Its parameters and its seed go with it, its priority, timeout, webhook and labels. One that is made of
    jobs goes on where it ended: what was made is kept. To make a job once more that succeeded, or with
    something changed: `atelier again`.
    """
    if not detach:
        check_output(output)
    with context.client(ctx) as client:
        job = client.retry(job_id)
        if detach:
            click.echo(json.dumps(job) if as_json else job["id"])
            return
        finish(client, follow_or_stop(client, job["id"]), output, as_json)


@click.command()
@click.argument("job_ids", nargs=-1, required=True, metavar="JOB...")
@click.pass_context
def delete(ctx: click.Context, job_ids: tuple[str, ...]) -> None:
    """Delete finished jobs and their results from the server."""
    with context.client(ctx) as client:

        def act(job_id: str) -> None:
            client.delete(job_id)
            click.echo(f"job {job_id}: deleted")

        for_each(job_ids, act)


def _list(page: Json, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(page))
        return
    # Only where there are any: a line has 80 columns.
    tagged = any(job.get("tags") for job in page["jobs"])
    table = show.table("JOB", "ENGINE", "STATE", "RAN", "MADE", *(["TAGS"] if tagged else []))
    for job in page["jobs"]:
        table.add_row(
            job["id"],
            escape(job["engine"]),
            words.state(job),
            show.short_seconds(job["timings"]["run"]),
            show.moment(job["created_at"]),
            *([escape(", ".join(job.get("tags") or []))] if tagged else []),
        )
    show.results().print(table)
    if page.get("next_cursor"):
        click.echo("There are more: --limit.", err=True)


def _describe(job: Json) -> None:
    console = show.results()
    console.print(f"[bold]{job['id']}[/]  {escape(job['engine'])}  {job['state']}  {job['progress']:.0%}")
    if job["message"]:
        console.print(escape(job["message"]))
    for line in (words.relations(job), words.labels(job), words.treatment(job), words.outlook(job)):
        if line:
            console.print(line, markup=False)
    console.print(words.took(job), end="")
    console.print(f", attempt {job['attempt']}, seed {job['seed']}{escape(words.place(job))}")
    if taken := words.used(job):
        console.print(taken, markup=False)
    if job.get("stages"):
        console.print(stages.table(job["stages"]))
    for artifact in job["artifacts"]:
        console.print(f"  {show.artifact(artifact)}", markup=False, soft_wrap=True)
    if job.get("error"):
        console.print(f"[red]{escape(words.failure(job))}[/]")
    if way_on := stages.way_on(job):
        console.print(way_on, markup=False, soft_wrap=True)
