"""The Telegram bot with hundreds of chats at once: how soon it answers a tap and sends a picture; its memory.

The local server of the Bot API (tests/telegram) without its flood limits, one process of the bot, and the
whole embedded system with one worker behind it, all on this machine. Latency begins where the bot is handed
the update.

forms    taps on the buttons of a form: each is answered from the bot's own notes
go       Go, pressed by everybody: a submission to the API in between, whose own time is told
picture  from the end of a job, as the API tells it, to the first call that brings its picture into the chat

    python scripts/bench/telegram.py                       # 200 chats, about 2 minutes
    python scripts/bench/telegram.py --chats 50 --rate 20 --json figures.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from scripts.bench.servers import percentile, row
from tests.bot.house import House, house
from tests.telegram.asking import Press
from tests.telegram.people import User

#: What is to be reached: seconds, seconds and bytes.
TAP, PICTURE, MEMORY = 0.3, 2.0, 120_000_000
T = TypeVar("T")

#: How long anything may take before the benchmark gives up.
PATIENCE = 180.0
_FORM = '/new planets {"size": 64, "world": "mars"}'
_GO = "▶️ Go"


def paced(people: Sequence[User], rate: float, do: Callable[[User], T]) -> list[T]:
    """Do it for everybody, so many a second."""
    began = time.monotonic()
    done: list[T] = []
    for number, one in enumerate(people):
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        done.append(do(one))
    return done


def waits(presses: Sequence[Press]) -> list[float]:
    """Seconds from the update to its answer, of each."""
    found = []
    for press in presses:
        press.answer(PATIENCE)
        assert press.answered_at is not None
        assert press.delivered_at is not None
        found.append(press.answered_at - press.delivered_at)
    return found


def pressed(people: Sequence[User], rate: float, label: Callable[[User], str]) -> list[float]:
    """Everybody taps, and the waits."""
    return waits(paced(people, rate, lambda one: one.press(label(one))))


def labelled(start: str) -> Callable[[User], str]:
    """The first button of the newest message that begins so."""
    return lambda one: next(text for text in one.last.labels if text.startswith(start))


def until(one: User, holds: Callable[[User], object]) -> None:
    """Wait for what somebody sees."""
    one.wait_until(lambda _: holds(one), PATIENCE)


def submissions(home: House, count: int) -> list[float]:
    """Seconds of the API's own for a submission, one at a time."""
    found = []
    with home.api as api:
        for _ in range(count):
            began = time.monotonic()
            sent = api.post("/v1/jobs", json={"engine": "planets", "params": {"size": 64}})
            sent.raise_for_status()
            found.append(time.monotonic() - began)
    return found


def pictures(home: House, people: Sequence[User]) -> list[float]:
    """Seconds from the end of each person's job to the call that brought its picture."""
    offset = time.time() - time.monotonic()
    found = []
    for one in people:
        (job,) = home.jobs_of(one.id)
        ended = datetime.fromisoformat(job["finished_at"]).timestamp()
        calls = home.telegram.calls.of("editMessageMedia", "sendPhoto", chat_id=one.id)
        brought = [call.at + offset for call in calls if call.at + offset >= ended]
        assert brought, f"job {job['id']} ended and was not brought"
        found.append(min(brought) - ended)
    return found


def main() -> None:
    """Everything, in the order in which people do it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--chats", type=int, default=200, help="people (default: %(default)s)")
    add("--rate", type=float, default=20.0, help="taps a second, all together (default: %(default)s)")
    add(
        "--jobs",
        type=float,
        default=5.0,
        help="of them Go: a job takes the bot several calls, and Telegram 30 a second (default: %(default)s)",
    )
    add("--json", type=Path, metavar="FILE", help="write the figures there as well")
    arguments = parser.parse_args()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, house(Path(folder)) as home:
        bot = home.start_bot(ATELIER_TELEGRAM_GUEST_RUNNING="0")
        people = [home.telegram.user(f"Person {number}") for number in range(arguments.chats)]
        paced(people, arguments.rate, lambda one: one.say(_FORM))
        for one in people:
            until(one, lambda one: one.messages[-1].from_bot and _GO in one.last.labels)

        taps: list[float] = []
        # Questions and answers, until everybody is back at the form.
        for question, answer in (("Count", "4"), ("Size", "128"), ("Count", "1"), ("Size", "64")):
            taps += pressed(people, arguments.rate, labelled(question))
            for one in people:
                until(one, lambda one: _GO not in one.last.labels)
            taps += pressed(people, arguments.rate, labelled(answer))
            for one in people:
                until(one, lambda one: _GO in one.last.labels)
        own = submissions(home, 20)
        went = pressed(people, arguments.jobs, lambda _: _GO)
        for one in people:
            until(one, lambda one: any(message.kind == "document" for message in one.messages))
        brought = pictures(home, people)
        memory = bot.rss
    figures["forms: p50"], figures["forms: p95"] = statistics.median(taps), percentile(taps, 0.95)
    figures["submission: p50"] = statistics.median(own)
    figures["go: p50"], figures["go: p95"] = statistics.median(went), percentile(went, 0.95)
    figures["picture: p50"], figures["picture: p95"] = statistics.median(brought), percentile(brought, 0.95)
    figures["picture: longest"], figures["memory"] = max(brought), float(memory)
    told(figures, arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def told(figures: dict[str, float], arguments: argparse.Namespace) -> None:
    """The table."""
    for name, kind, rate in (
        ("a button of a form answered", "forms", arguments.rate),
        ("Go answered", "go", arguments.jobs),
    ):
        what = f"{arguments.chats} chats, {rate:g} taps a second"
        worst = figures[f"{kind}: p95"]
        value = f"p50 {figures[f'{kind}: p50'] * 1000:.0f} ms, p95 {worst * 1000:.0f} ms"
        row(f"{what}: {name}", value, f"p95 <= {TAP * 1000:.0f} ms", worst <= TAP)
    row("a submission to the API alone", f"p50 {figures['submission: p50'] * 1000:.0f} ms")
    worst = figures["picture: longest"]
    value = f"p50 {figures['picture: p50']:.2f} s, p95 {figures['picture: p95']:.2f} s, longest {worst:.2f} s"
    row("a finished job's picture is being sent after", value, f"<= {PICTURE:g} s", worst <= PICTURE)
    memory = figures["memory"]
    row("one process of the bot", f"{memory / 1e6:.0f} MB", f"<= {MEMORY / 1e6:.0f} MB", memory <= MEMORY)


if __name__ == "__main__":
    main()
