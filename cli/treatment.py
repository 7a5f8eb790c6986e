"""How a job is to be treated, as options of every engine's command: the API's `JobOptions`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import click

from jobs.webhooks import DEFAULT_EVENTS, Event

#: Their names on the command line; an engine's parameter of such a name is `--param-...`.
NAMES = frozenset({"priority", "start-by", "timeout", "hold", "webhook", "webhook-events"})

_DURATION = re.compile(r"\+?([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class TimeType(click.ParamType[datetime]):
    """A time: `2026-11-21 18:00` (this machine's clock unless it says otherwise), or `30m` from now."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Always with its offset: the server's clock may stand elsewhere."""
        if isinstance(value, datetime):
            return value
        now = datetime.now().astimezone()
        if found := _DURATION.fullmatch(value):
            return now + timedelta(**{_UNITS[found[2]]: int(found[1])})
        try:
            return datetime.fromisoformat(value).astimezone()
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time; write 2026-11-21T18:00, or 30m from now.", param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002  click's signature
        """As the help shows it."""
        return "TIME"


def options() -> list[click.Option]:
    """The options, each with an underscore before its name: engines know no such parameters."""
    return [
        click.Option(
            ["--priority", "_priority"],
            type=click.Choice(["low", "normal", "high"]),
            help="Some turns ahead of others, or behind them.  [default: normal]",
        ),
        click.Option(
            ["--start-by", "_start_by"],
            type=TimeType(),
            help="Fail if it has not started by then: 2026-11-21T18:00, or 30m from now.",
        ),
        click.Option(
            ["--timeout", "_timeout"],
            type=click.FloatRange(0, 86_400, min_open=True),
            metavar="SECONDS",
            help="How long an attempt may run, if less than the engine allows.",
        ),
        click.Option(
            ["--hold", "_hold"],
            is_flag=True,
            help="Submit it, print its id, and let it wait for `atelier release`.",
        ),
        click.Option(
            ["--webhook", "_webhook"], metavar="URL", help="Tell this address what becomes of this job."
        ),
        click.Option(
            ["--webhook-events", "_webhook_events"],
            multiple=True,
            type=click.Choice([event.value for event in Event]),
            help=f"Tell it of this; repeat for several.  [default: {', '.join(DEFAULT_EVENTS)}]",
        ),
    ]


def take(given: dict[str, Any]) -> dict[str, Any]:
    """What the API is to be sent of these options; they are taken out of `given`. Raises UsageError."""
    chosen = {name: given.pop(f"_{name}") for name in ("priority", "start_by", "timeout", "hold", "webhook")}
    events = given.pop("_webhook_events")
    if events and not chosen["webhook"]:
        raise click.UsageError("--webhook-events needs --webhook URL.")
    if chosen["webhook"]:
        chosen["webhook"] = {"url": chosen["webhook"]} | ({"events": list(events)} if events else {})
    if chosen["start_by"]:
        chosen["start_by"] = chosen["start_by"].isoformat()
    return {name: value for name, value in chosen.items() if value}
