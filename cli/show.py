"""How commands speak: a live bar on a terminal, plain lines elsewhere, everything but results on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

#: Without a terminal, a line at least this far apart, unless the state changes, or the stage.
PLAIN_SECONDS = 5.0

#: A file or a pipe has no width: a row is a line.
WIDE = 1000

#: Columns that may be broken where the terminal is narrow; the others are copied from or read at a glance.
FREE_TEXT = frozenset(
    {"ENGINE", "STAGE", "USER", "FOR", "TITLE", "LICENCE", "WHAT IT IS", "URL", "EVENTS", "TAGS"}
)

Show = Callable[[dict[str, Any]], None]


def errors() -> Console:
    """Where progress and remarks go."""
    return Console(stderr=True, highlight=False)


def results() -> Console:
    """Where results go."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)


@contextmanager
def progress(console: Console) -> Iterator[Show]:
    """Shows a job's events one by one."""
    if console.is_terminal:
        columns = (
            TextColumn("[bold]{task.fields[state]:<9}"),
            BarColumn(bar_width=36),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.description}"),
        )
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("", total=1.0, state="queued")

            def show(event: dict[str, Any]) -> None:
                done = 1.0 if event["state"] == "succeeded" else event["progress"]
                bar.update(task, completed=done, state=event["state"], description=escape(event["message"]))

            yield show
    else:
        yield _plain(console)


def _plain(console: Console) -> Show:
    last: dict[str, Any] = {"state": None, "at": 0.0, "line": ""}  # state: and which stage

    def show(event: dict[str, Any]) -> None:
        now = time.monotonic()
        line = f"{event['state']:<9} {event['progress']:4.0%}  {event['message']}".rstrip()
        state = (event["state"], event.get("stage"))
        news = state != last["state"] or now - last["at"] >= PLAIN_SECONDS
        if not news or line == last["line"]:
            return
        last.update(state=state, at=now, line=line)
        console.print(line, markup=False, soft_wrap=True)

    return show


def artifact(found: dict[str, Any]) -> str:
    """A file of a result on a line."""
    return f"{found['id']}  {found['name']}  {found['media_type']}  {size(found['size'])}"


def table(*headings: str) -> Table:
    """An unframed table."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        made.add_column(heading, overflow="fold", no_wrap=heading not in FREE_TEXT)
    return made


def seconds(value: float | None) -> str:
    """`0.4 s`, `12 s`, `3 min 20 s`."""
    if value is None:
        return "-"
    if value < 10:
        return f"{value:.1f} s"
    if value < 120:
        return f"{value:.0f} s"
    return f"{int(value // 60)} min {int(value % 60)} s"


def short_seconds(value: float | None) -> str:
    """`0.4s`, `12s`, `3m20s`, `2h05m`: for a column."""
    if value is None:
        return "-"
    if value < 10:
        return f"{value:.1f}s"
    whole = round(value)
    if whole < 120:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m{rest:02}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}m"


def moment(text: str) -> str:
    """A time of the API on this machine's clock, short: `06:08` today, else `20 Nov`, else `2025`."""
    then, now = datetime.fromisoformat(text).astimezone(), datetime.now().astimezone()
    if then.date() == now.date():
        return f"{then:%H:%M}"
    return f"{then:%d %b}" if then.year == now.year else f"{then:%Y}"


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError("unreachable")
