"""`atelier usage`: what your jobs took, a day at a time."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime

import click
from rich.markup import escape
from rich.table import Table

from cli import context, show
from client import Json

_DAY = click.DateTime(["%Y-%m-%d"])
_SECONDS = ("queue_seconds", "run_seconds", "device_seconds")

#: What one line of the table sums up: day, owner, engine, device.
Key = tuple[str, str, str, str]
Sums = dict[str, float]


@click.command()
@click.option("--first", type=_DAY, help="The first day (UTC). [default: 30 days with the last]")
@click.option("--last", type=_DAY, help="The last day (UTC). [default: today]")
@click.option("--all", "everybody", is_flag=True, help="Everybody's; needs an admin key.")
@click.option("--json", "as_json", is_flag=True, help="As the API gives it.")
@click.pass_context
def usage(
    ctx: click.Context, first: datetime | None, last: datetime | None, everybody: bool, as_json: bool
) -> None:
    """Sum up what finished jobs used, by day (UTC, of their end), engine and device.

    USED is what is charged: the time they ran, divided among those that ran together.
    """
    days = {name: f"{day:%Y-%m-%d}" if day else None for name, day in (("first", first), ("last", last))}
    with context.client(ctx) as client:
        report = client.usage(**days, all="true" if everybody else None)
    if as_json:
        click.echo(json.dumps(report))
        return
    console = show.results()
    console.print(_table(_summed(report["lines"]), everybody))
    click.echo(f"{report['jobs']} jobs, {report['first']} to {report['last']}", err=True)


def _summed(lines: list[Json]) -> dict[Key, Sums]:
    """The report's lines, one for each outcome, put together."""
    found: dict[Key, Sums] = defaultdict(lambda: defaultdict(float))
    for line in lines:
        row = found[line["day"], line["owner_id"], line["engine"], line["device"]]
        row["jobs"] += line["jobs"]
        row[line["state"]] += line["jobs"]
        for name in _SECONDS:
            row[name] += line[name]
    return found


def _table(rows: dict[Key, Sums], everybody: bool) -> Table:
    who = ["OWNER"] if everybody else []
    numbers = ["JOBS", "FAILED", "CANCELED", "WAITED", "RAN", "USED"]
    table = show.table("DAY", *who, "ENGINE", "ON", *numbers)
    for column in table.columns[-len(numbers) :]:
        column.justify = "right"
    totals: dict[str, Sums] = defaultdict(lambda: defaultdict(float))
    for (day, owner, engine, device), sums in sorted(rows.items()):
        table.add_row(day, *([owner] if everybody else []), escape(engine), device, *_cells(sums))
        for name, value in sums.items():
            totals[device][name] += value
    for device, sums in sorted(totals.items(), reverse=True):
        table.add_row("total", *([""] if everybody else []), "", device, *_cells(sums), style="bold")
    return table


def _cells(sums: Sums) -> list[str]:
    counts = [str(round(sums.get(name, 0))) for name in ("jobs", "failed", "canceled")]
    return counts + [show.short_seconds(sums[name]) for name in _SECONDS]
