"""Many event streams in one process, for `streams.py`: raw sockets, so that no client is the bottleneck."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event as EventType
from urllib.parse import urlsplit

#: Seconds until a stream that was refused is tried again.
REFUSED_SECONDS = 1.0


@dataclass
class Held:
    """What one stream's client saw. Times are of CLOCK_MONOTONIC, which all processes share."""

    job_id: str
    key: str
    #: (time, event id, event name), in the order they came.
    told: list[tuple[float, int, str]] = field(default_factory=list)
    #: When a stream ended before its `done`.
    ended: list[float] = field(default_factory=list)
    #: When a stream began, by its first event's arrival.
    began: list[float] = field(default_factory=list)
    #: Answers other than 200, by status; 0: no connection.
    refused: list[int] = field(default_factory=list)
    #: What `retry:` said, in seconds.
    retries: list[float] = field(default_factory=list)

    @property
    def done(self) -> bool:
        return bool(self.told) and self.told[-1][2] == "done"


def hold(wanted: list[tuple[str, str]], bases: list[str], stop: EventType, report: Connection) -> None:
    """Hold a stream for each (job, key) until its `done`, or until `stop`; then send the list of Held.

    A stream that ends too early is resumed at the next of the addresses, as behind a load balancer.
    """
    report.send(asyncio.run(_all(wanted, bases, stop)))


async def _all(wanted: list[tuple[str, str]], bases: list[str], stop: EventType) -> list[Held]:
    held = [Held(*which) for which in wanted]
    tasks = [asyncio.create_task(_one(which, bases)) for which in held]
    while not stop.is_set() and not all(task.done() for task in tasks):
        await asyncio.sleep(0.1)
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome
    return held


async def _one(held: Held, bases: list[str]) -> None:
    turn = 0
    while not held.done:
        try:
            status = await _follow(held, bases[turn % len(bases)])
        except OSError:
            status = 0  # not listening, or gone in the middle
        if held.done:
            return
        if status == 200:
            held.ended.append(time.monotonic())
            await asyncio.sleep(held.retries[-1])
        else:
            held.refused.append(status)
            await asyncio.sleep(REFUSED_SECONDS * random.uniform(0.5, 1.5))
        turn += 1


async def _follow(held: Held, base: str) -> int:
    """Read one stream to its end; the status of its answer."""
    address = urlsplit(base)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    last = held.told[-1][1] if held.told else 0
    try:
        writer.write(
            f"GET /v1/jobs/{held.job_id}/events HTTP/1.1\r\nHost: bench\r\nLast-Event-ID: {last}\r\n"
            f"Authorization: Bearer {held.key}\r\n\r\n".encode()
        )
        status = int((await reader.readline() or b"- 0").split()[1])
        if status == 200:
            await _events(held, reader)
        return status
    finally:
        writer.close()


async def _events(held: Held, reader: asyncio.StreamReader) -> None:
    fresh, number = True, 0
    # A chunk holds whole events, so no line of one is broken; of the chunks' sizes only the last one matters.
    while (line := await reader.readline()) not in (b"", b"0\r\n"):
        if line.startswith(b"id: "):
            number = int(line[4:])
        elif line.startswith(b"retry: "):
            held.retries.append(int(line[7:]) / 1000)
        elif line.startswith(b"event: "):
            now = time.monotonic()
            held.told.append((now, number, line[7:].decode().strip()))
            if fresh:
                held.began.append(now)
                fresh = False
            if held.done:
                return
