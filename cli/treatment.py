"""How a job is to be treated, as options of every engine's command: the API's `JobOptions`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import click

from jobs.news import DEFAULT_EVENTS, Event

#: Their names on the command line; an engine's parameter of such a name is `--param-...`.
NAMES = frozenset(
    {"priority", "start-by", "timeout", "hold", "webhook", "webhook-events", "tag", "tags", "metadata"}
)

_DURATION = re.compile(r"\+?([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class TimeType(click.ParamType[datetime]):
    """A time: `2026-11-21 18:00` (this machine's clock unless it says otherwise), or `30m` from now."""

    name = "time"
    #: Which way from now, and how that is called.
    direction, words = 1, "from now"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Always with its offset: the server's clock may stand elsewhere."""
        if isinstance(value, datetime):
            return value
        now = datetime.now().astimezone()
        if found := _DURATION.fullmatch(value):
            return now + self.direction * timedelta(**{_UNITS[found[2]]: int(found[1])})
        try:
            return datetime.fromisoformat(value).astimezone()
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time; write 2026-11-21T18:00, or 30m {self.words}.", param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002  click's signature
        """As the help shows it."""
        return "TIME"


class PastType(TimeType):
    """A time, or `30m` before now."""

    direction, words = -1, "before now"


class PairType(click.ParamType[tuple[str, Any]]):
    """`name=value`, both as text."""

    name = "name=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        """The name, and what the text behind it says."""
        if isinstance(value, tuple):
            return value
        name, equals, text = str(value).partition("=")
        if not (name and equals):
            self.fail(f"{value!r} is not of the form name=value.", param, ctx)
        return name, self.read(text)

    def read(self, text: str) -> Any:
        """The text itself."""
        return text

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002  click's signature
        """As the help shows it."""
        return "NAME=VALUE"


class EntryType(PairType):
    """`name=value`, where the value is a number, true, false or null, and else a text."""

    def read(self, text: str) -> Any:
        """As JSON where it is a single value of JSON."""
        try:
            found = json.loads(text)
        except ValueError:
            return text
        is_plain = isinstance(found, str | int | None) or (isinstance(found, float) and math.isfinite(found))
        return found if is_plain else text


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
        click.Option(
            ["--tag", "--tags", "_tags"],
            multiple=True,
            metavar="TAG",
            help="Label it, to find it by (`atelier jobs --tag`); repeat for several, or commas between.",
        ),
        click.Option(
            ["--metadata", "_metadata"],
            multiple=True,
            type=EntryType(),
            help="Remember this with it; repeat for several.",
        ),
    ]


def take(given: dict[str, Any]) -> dict[str, Any]:
    """What the API is to be sent of these options; they are taken out of `given`. Raises UsageError."""
    chosen = {name: given.pop(f"_{name}") for name in ("priority", "start_by", "timeout", "hold", "webhook")}
    events = given.pop("_webhook_events")
    chosen["tags"] = split_tags(given.pop("_tags"))
    chosen["metadata"] = dict(given.pop("_metadata"))
    if events and not chosen["webhook"]:
        raise click.UsageError("--webhook-events needs --webhook URL.")
    if chosen["webhook"]:
        chosen["webhook"] = {"url": chosen["webhook"]} | ({"events": list(events)} if events else {})
    if chosen["start_by"]:
        chosen["start_by"] = chosen["start_by"].isoformat()
    return {name: value for name, value in chosen.items() if value}


def split_tags(given: Iterable[str]) -> list[str]:
    """Tags given one by one, or with commas between."""
    return [tag.strip() for text in given for tag in text.split(",") if tag.strip()]
