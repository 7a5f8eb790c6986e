"""`atelier schedules`: jobs that are made again and again."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import click
from rich.markup import escape

from cli import context, groups, options, show, treatment
from cli.commands.run import EngineCommand, EngineGroup, file_option, upload_files
from cli.several import for_each
from client import Json

_MISSES = click.Choice(["skip", "once"])
_CRON = "Minute, hour, day of the month, month, day of the week."
_ZONE = "Where that is the time: Europe/Berlin."
_LATE = "What becomes of what was due while nobody was there: nothing, or one job for all of it."


class ScheduledGroup(EngineGroup):
    """A group whose commands make schedules of an engine's jobs."""

    def command_of(self, view: Json) -> click.Command:
        """The schedule of one engine."""
        return schedule_command(view)


@click.group()
def schedules() -> None:
    """Make a job again and again, at the times that cron text names.

    \b
    atelier schedules add planets --cron "0 9 * * MON-FRI" --zone Europe/Berlin
    atelier schedules list
    """


@schedules.group(cls=ScheduledGroup, no_args_is_help=True, subcommand_metavar="ENGINE [OPTIONS]...")
def add() -> None:
    """Make a schedule; what it makes is said as to `atelier run`.

    Files of this machine are uploaded once and kept while the schedule is there. Without --seed each job gets
    one of its own.
    """


def schedule_command(view: Json) -> click.Command:
    """The command that makes a schedule of this engine's jobs."""
    when = [
        click.Option(["--cron", "_cron"], required=True, help=f'{_CRON}  "0 9 * * *"'),
        click.Option(["--zone", "_zone"], default="UTC", show_default=True, help=_ZONE),
        click.Option(["--name", "_name"], help="What to call it.  [default: the engine's name]"),
        click.Option(["--misses", "_misses"], type=_MISSES, default="skip", show_default=True, help=_LATE),
    ]
    common = [
        file_option(),
        click.Option(["--json", "_as_json"], is_flag=True, help="Print the schedule as JSON."),
    ]
    # A time by which every one of its jobs must have begun there is not.
    treated = [option for option in treatment.options() if option.name != "_start_by"]
    return EngineCommand(
        view["name"],
        callback=lambda **given: _add(view, given),
        sections={
            "When": when,
            **groups.sections(view["params_schema"]),
            "How the jobs are treated": treated,
            "The command": common,
        },
        help=f"{view['title']}, again and again\n\n{view['description']}",
        short_help=view["title"],
    )


def _add(view: Json, given: dict[str, Any]) -> None:
    as_json, name = given.pop("_as_json"), given.pop("_name") or view["name"]
    when = {word: given.pop(f"_{word}") for word in ("cron", "zone", "misses")}
    treated = treatment.take(given | {"_start_by": None})
    params = options.values({word: value for word, value in given.items() if not word.startswith("_")})
    with context.client(click.get_current_context()) as client:
        job = {"engine": view["name"], "params": upload_files(client, view, params), **treated}
        made = client.add_schedule(name, job=job, **when)
    if as_json:
        click.echo(json.dumps(made))
        return
    click.echo(made["id"])
    click.echo(f"{name}: due {_moment(made['upcoming'][0])}", err=True)


@schedules.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List your schedules."""
    with context.client(ctx) as client:
        found = list(client.schedules())
    if as_json:
        click.echo(json.dumps(found))
        return
    table = show.table("SCHEDULE", "NAME", "ENGINE", "CRON", "ZONE", "NEXT", "LAST")
    for row in found:
        next_one = _moment(row["upcoming"][0]) if row["upcoming"] else "paused"
        last = row["last_error"]["code"] if row["last_error"] else row["last_job_id"] or "-"
        what = (escape(row["name"]), row["job"]["engine"], row["cron"], row["zone"])
        table.add_row(row["id"], *what, next_one, last)
    show.results().print(table)


@schedules.command(name="show")
@click.argument("schedule_id")
@click.option("--json", "as_json", is_flag=True, help="As the API gives it.")
@click.pass_context
def show_(ctx: click.Context, schedule_id: str, as_json: bool) -> None:
    """Show a schedule (sch_...): its next five times, and what became of the one before."""
    with context.client(ctx) as client:
        found = client.schedule(schedule_id)
    if as_json:
        click.echo(json.dumps(found))
        return
    console = show.results()
    console.print(f"[bold]{found['id']}[/]  {escape(found['name'])}")
    console.print(f"{found['cron']} in {found['zone']}; what is missed: {found['misses']}", markup=False)
    if found["paused_at"]:
        why = "its job was refused too often" if found["paused_because"] == "refused" else "by its owner"
        console.print(f"paused {_moment(found['paused_at'])}, {why}")
    for one in found["upcoming"]:
        console.print(f"  {_moment(one)}")
    if found["last_job_id"]:
        console.print(f"last job {found['last_job_id']}")
    if error := found["last_error"]:
        at = _moment(found["last_at"])
        console.print(f"{at}: {error['code']}: {error['detail']}", markup=False, soft_wrap=True)
    console.print_json(data=found["job"])


@schedules.command()
@click.argument("schedule_id")
@click.option("--name", help="What to call it.")
@click.option("--cron", help=_CRON)
@click.option("--zone", help=_ZONE)
@click.option("--misses", type=_MISSES, help=_LATE)
@click.pass_context
def change(
    ctx: click.Context,
    schedule_id: str,
    name: str | None,
    cron: str | None,
    zone: str | None,
    misses: str | None,
) -> None:
    """Change a schedule's name or times. For another job, make another schedule."""
    given = {"name": name, "cron": cron, "zone": zone, "misses": misses}
    changes = {word: value for word, value in given.items() if value is not None}
    if not changes:
        raise click.UsageError("Say what is to be different: --name, --cron, --zone, --misses.")
    with context.client(ctx) as client:
        found = client.change_schedule(schedule_id, **changes)
    click.echo(f"{schedule_id}: {_due(found)}")


@schedules.command()
@click.argument("schedule_ids", nargs=-1, required=True)
@click.pass_context
def pause(ctx: click.Context, schedule_ids: tuple[str, ...]) -> None:
    """Let schedules make nothing until they are resumed."""
    with context.client(ctx) as client:

        def act(schedule_id: str) -> None:
            client.pause_schedule(schedule_id)
            click.echo(f"{schedule_id}: paused")

        for_each(schedule_ids, act)


@schedules.command()
@click.argument("schedule_ids", nargs=-1, required=True)
@click.pass_context
def resume(ctx: click.Context, schedule_ids: tuple[str, ...]) -> None:
    """Let paused schedules go on."""
    with context.client(ctx) as client:

        def act(schedule_id: str) -> None:
            click.echo(f"{schedule_id}: {_due(client.resume_schedule(schedule_id))}")

        for_each(schedule_ids, act)


@schedules.command()
@click.argument("schedule_id")
@click.option("--json", "as_json", is_flag=True, help="Print the job as JSON.")
@click.pass_context
def run(ctx: click.Context, schedule_id: str, as_json: bool) -> None:
    """Make a job of a schedule now, paused or not, and print its id."""
    with context.client(ctx) as client:
        job = client.run_schedule(schedule_id)
    click.echo(json.dumps(job) if as_json else job["id"])


@schedules.command()
@click.argument("schedule_ids", nargs=-1, required=True)
@click.pass_context
def remove(ctx: click.Context, schedule_ids: tuple[str, ...]) -> None:
    """Delete schedules; the jobs that they made stay."""
    with context.client(ctx) as client:

        def act(schedule_id: str) -> None:
            client.delete_schedule(schedule_id)
            click.echo(f"{schedule_id}: removed")

        for_each(schedule_ids, act)


def _due(found: Json) -> str:
    return f"due {_moment(found['upcoming'][0])}" if found["upcoming"] else "paused"


def _moment(text: str) -> str:
    """With its day and this machine's offset: the schedule's zone may be another."""
    return f"{datetime.fromisoformat(text).astimezone():%a %d %b %Y %H:%M %z}"
