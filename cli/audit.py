"""A full look at rows and objects beside each other: objects that no row names, rows whose object is gone.

The sweeper deletes by reference and needs no such look (docs/adr/0004). This is for what no reference can
know of: a worker that was frozen for hours and wrote then, a database or a bucket restored from a backup.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain, islice

from jobs.files import FileStore
from jobs.networks import NetworkStore
from jobs.rows import StoredRow
from storage.base import ObjectInfo, Storage

#: Our folders: whatever else lies in a bucket is not ours to judge. (`.check` is where probes write.)
FOLDERS = ("jobs", "files", ".check")
AT_ONCE = 500
#: Objects asked for at the same time, of a store that takes its time to answer.
ASKING = 8


@dataclass
class Findings:
    """What an audit saw."""

    objects: int = 0
    bytes: int = 0
    rows: int = 0
    #: Objects that no row names, older than the grace.
    orphans: list[ObjectInfo] = field(default_factory=list)
    #: (file id or network's hash, key) of the rows whose object is not there.
    missing: list[tuple[str, str]] = field(default_factory=list)
    #: Orphans that were deleted.
    deleted: int = 0


def audit(files: FileStore, storage: Storage, *, grace: timedelta, repair: bool = False) -> Findings:
    """Look at everything; with `repair`, delete the orphans. Raises Unavailable and StorageUnavailable.

    Objects younger than `grace` may belong to a request or an attempt that goes on.
    """
    found = Findings()
    before = datetime.now(UTC) - grace
    for objects in _batches(chain.from_iterable(storage.list(folder) for folder in FOLDERS)):
        found.objects += len(objects)
        found.bytes += sum(one.size for one in objects)
        old = {one.key: one for one in objects if one.modified < before}
        orphans = files.orphans(list(old))
        found.orphans += [old[key] for key in orphans]
        if repair:
            for key in orphans:
                storage.delete(key)
            found.deleted += len(orphans)
    with ThreadPoolExecutor(ASKING) as pool:
        for rows in _pages(files):
            found.rows += len(rows)
            there = pool.map(lambda row: _is_there(storage, row.key), rows)
            found.missing += [
                (row.id, row.key)
                for row, is_there in zip(rows, there, strict=True)
                # Not deleted since its row was read.
                if not is_there and not files.unreferenced([row.key])
            ]
    return found


def _pages(files: FileStore) -> Iterator[Sequence[StoredRow]]:
    """Everybody's files, then everybody's networks."""
    after = ""
    while artifacts := files.walk(after=after, limit=AT_ONCE):
        yield artifacts
        after = artifacts[-1].id
    networks, after = NetworkStore(files.database), ""
    while rows := networks.walk(after=after, limit=AT_ONCE):
        yield rows
        after = rows[-1].id


def _batches(objects: Iterable[ObjectInfo]) -> Iterator[list[ObjectInfo]]:
    coming = iter(objects)
    while some := list(islice(coming, AT_ONCE)):
        yield some


def _is_there(storage: Storage, key: str) -> bool:
    try:
        storage.stat(key)
    except FileNotFoundError:
        return False
    return True
