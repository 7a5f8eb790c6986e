"""The one way in which a job ends: what follows, in one order, in the transaction that ends it.

    results    its artifacts, or the network that it was to make
    news       what webhooks are told, after the results, of which they tell
    clean-up   what lost attempts, previews and checkpoints left is nobody's any more
    its job    if one asked for it: that one goes on, or fails
    the line   its owner's other jobs move up

Whoever ends a job (its worker, its owner, the sweeper) changes its row, notes the event and calls `ended`;
who deletes one calls `delete`. What else may follow from an end goes here, once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from sqlalchemy import Connection, insert
from sqlalchemy import delete as sql_delete

from jobs.clock import now
from jobs.ids import new_id
from jobs.models import Artifact, Cleanup, Job
from jobs.rows import EndedRow, JobRow
from jobs.states import FINAL, State
from jobs.store.conversions import converted, not_converted
from jobs.store.line.admitting import left, move_up
from jobs.store.outbox import announce
from jobs.store.parts import let_go, part_ended
from jobs.store.usage import keep_account
from jobs.store.values import NewArtifact, Success

#: A lost attempt's worker stops itself well within this time; then its objects are nobody's.
ORPHAN_GRACE_SECONDS = 600.0


def ended(
    connection: Connection,
    rows: Sequence[JobRow],
    *,
    successes: Mapping[str, Success] | None = None,
    turns: Mapping[str, int | None] | None = None,
) -> list[JobRow]:
    """These jobs have ended, or are back in the line because their attempt did.

    `successes`: what those that succeeded have made, by their ids. `turns`: the places in line of those that
    ended without having run. The rows of those that ran say whether they were `capped`. Returns the jobs that
    stand in line again, because these were the last parts that they waited for.
    """
    final = [row for row in rows if row.state in FINAL]
    _keep_results(connection, final, successes or {})
    for row in rows:
        if row.notify:
            announce(connection, row)
    for row in final:
        success = (successes or {}).get(row.id)
        # One that succeeded at once and stored nothing but its results has left nothing behind.
        if success is None or success.leftovers or success.attempt > 1:
            _tidy(connection, row)
    standing = []
    # Before others move up: who waited for these may be older. In one order, as it takes locks of owners.
    for row in sorted(final, key=lambda row: row.owner_id):
        job = part_ended(connection, row)
        if job is not None and job.state in FINAL:
            standing += ended(connection, [job], turns={job.id: None})
        elif job is not None:
            standing.append(job)
    if turns is None:
        move_up(connection, cast("list[EndedRow]", final))
    else:
        left(connection, final, turns)
    return standing


def delete(connection: Connection, row: JobRow) -> None:
    """Delete the row of a job that has ended or is waiting, and that nobody reads."""
    keep_account(connection, row)
    if row.parts:
        let_go(connection, row.id)
    waiting = row.state == State.QUEUED
    if waiting and row.converts is not None:
        not_converted(connection, row)
    connection.execute(sql_delete(Job).where(Job.id == row.id))
    if waiting:
        left(connection, [row], {row.id: row.turn})
    connection.execute(insert(Cleanup).values(prefix=f"jobs/{row.id}", due_at=now()))
    _tidy(connection, row)  # once more later: a lost attempt's worker may still be writing


def _keep_results(connection: Connection, rows: Sequence[JobRow], successes: Mapping[str, Success]) -> None:
    artifacts: list[dict[str, object]] = []
    for row in rows:
        if row.state == State.SUCCEEDED:
            made = successes[row.id].artifacts
            if row.converts is None:
                artifacts.extend(_values(artifact, row) for artifact in made)
            else:
                converted(connection, row, made)
        elif row.converts is not None:
            not_converted(connection, row)
    if artifacts:
        connection.execute(insert(Artifact), artifacts)


def _tidy(connection: Connection, row: JobRow) -> None:
    if row.attempt:
        connection.execute(insert(Cleanup).values(prefix=f"jobs/{row.id}", due_at=now(ORPHAN_GRACE_SECONDS)))


def _values(artifact: NewArtifact, job: JobRow) -> dict[str, object]:
    return {
        "id": new_id("art"),
        "owner_id": job.owner_id,
        "job_id": job.id,
        "name": artifact.name,
        "key": artifact.key,
        "media_type": artifact.media_type,
        "size": artifact.size,
        "sha256": artifact.sha256,
        "width": artifact.width,
        "height": artifact.height,
        "seconds": artifact.seconds,
        "text": artifact.text,
        "meta": dict(artifact.meta),
    }
