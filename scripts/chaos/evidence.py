"""What can be seen afterwards, from outside: over REST as its owners, in the database, in the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
from sqlalchemy import Row, Table, select

from jobs.database import Database
from jobs.models import Artifact, Cleanup, Job, JobEvent, JobPart
from scripts.chaos.faults import Hit
from scripts.chaos.orders import Order
from scripts.chaos.receiver import Heard
from storage.base import Storage

_AT_ONCE = 8


@dataclass
class Evidence:
    """Everything that the audit judges."""

    orders: Sequence[Order]
    #: Over REST: job id -> (status, view); artifact id -> its bytes, or the status instead of them.
    views: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    contents: dict[str, bytes | int] = field(default_factory=dict)
    #: Over REST: owner -> the ids of all their jobs.
    listed: dict[str, list[str]] = field(default_factory=dict)
    #: In the database.
    jobs: dict[str, Row[Any]] = field(default_factory=dict)
    events: dict[str, list[Row[Any]]] = field(default_factory=dict)
    artifacts: list[Row[Any]] = field(default_factory=list)
    #: Job id -> the ids of the jobs that it asked for.
    parts: dict[str, list[str]] = field(default_factory=dict)
    cleanups: list[str] = field(default_factory=list)
    #: In the object store: key -> size.
    objects: dict[str, int] = field(default_factory=dict)
    #: At the receiver.
    heard: set[Heard] = field(default_factory=set)
    forged: Sequence[str] = ()
    #: Owners of whom an address of their own hears everything.
    followed: Sequence[str] = ()
    #: What the harness did to whom.
    hits: Sequence[Hit] = ()


def over_rest(found: Evidence, clients: Mapping[str, httpx.Client]) -> None:
    """Ask the API as each owner would. `clients`: owner -> a client with a key of theirs."""
    accepted = [order for order in found.orders if order.job_id]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        asked = threads.map(lambda order: clients[order.owner].get(f"/v1/jobs/{order.job_id}"), accepted)
        for order, answer in zip(accepted, asked, strict=True):
            found.views[str(order.job_id)] = answer.status_code, answer.json()
        wanted = [
            (clients[order.owner], artifact)
            for order in accepted
            for artifact in found.views[str(order.job_id)][1].get("artifacts", ())
        ]
        got = threads.map(lambda one: one[0].get(one[1]["url"], headers={"Authorization": ""}), wanted)
        for (_, artifact), answer in zip(wanted, got, strict=True):
            found.contents[artifact["id"]] = answer.content if answer.is_success else answer.status_code
        pages = threads.map(_all_jobs, clients.values())
        found.listed = dict(zip(clients, pages, strict=True))


def _all_jobs(client: httpx.Client) -> list[str]:
    ids: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": "100"} | ({"cursor": cursor} if cursor else {})
        page = client.get("/v1/jobs", params=query).raise_for_status().json()
        ids += [job["id"] for job in page["jobs"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return ids


def in_database(found: Evidence, database: Database) -> None:
    """Read the rows."""
    found.jobs = {row.id: row for row in _rows(database, Job)}
    events = defaultdict(list)
    for row in sorted(_rows(database, JobEvent), key=lambda row: (row.job_id, row.version)):
        events[row.job_id].append(row)
    found.events = dict(events)
    found.artifacts = list(_rows(database, Artifact))
    parts = defaultdict(list)
    for row in _rows(database, JobPart):
        parts[row.job_id].append(row.part_id)
    found.parts = dict(parts)
    found.cleanups = [row.prefix for row in _rows(database, Cleanup)]


def _rows(database: Database, model: Any) -> Iterable[Row[Any]]:
    table: Table = model.__table__
    return database.read(lambda connection: list(connection.execute(select(table))))


def in_store(found: Evidence, storage: Storage) -> None:
    """List every object."""
    found.objects = {info.key: info.size for folder in ("jobs", "files") for info in storage.list(folder)}


def owners_clients(
    bases: Sequence[str], keys: Mapping[str, Sequence[str]], make: Callable[..., httpx.Client] = httpx.Client
) -> dict[str, httpx.Client]:
    """For each owner a client of one of the APIs."""
    return {
        owner: make(
            base_url=bases[number % len(bases)],
            headers={"Authorization": f"Bearer {theirs[0]}"},
            timeout=30,
        )
        for number, (owner, theirs) in enumerate(keys.items())
    }
