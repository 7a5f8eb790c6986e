"""JobStore: every SQL statement about jobs. One method is one transaction.

A worker's writes are guarded by `id`, `state = 'running'` and the attempt number it was given at the claim.
The attempt number only grows, so a worker that lost its lease matches no row and changes nothing.

    line/           the line of a queue: turns, places, the claim
    accepting.py    how a job is accepted
    ending.py       the one way in which a job ends, and what follows
    events.py       a change of state and its event, in one statement
    client.py       submit, look, cancel, delete
    labels.py       lists of jobs, by state, tag, time, text; labels changed later
    worker.py       claim, renew, end
    survivors.py    what a worker says that was taken for dead and is not
    sweeper.py      take back what dead workers held
    retention.py    remove results that were kept long enough
    follower.py     many jobs at once, for event streams
    figures.py      counts for the metrics
    usage.py        what jobs used
    outbox.py       what webhooks are told
    conversions.py  what the end of a conversion job means to its network
    statements.py   the statements that run often, built once
    values.py       what goes into the store and comes out of it
    base.py         what every side shares: the database
"""

from __future__ import annotations

import hashlib

from jobs.rows import JobRow
from jobs.store.accepting import accept
from jobs.store.asking import Asking
from jobs.store.client import ClientSide, cancel
from jobs.store.figures import Figures
from jobs.store.follower import Facts, FollowerSide
from jobs.store.labels import Labels, Wanted
from jobs.store.line.order import MAX_POSITION, OwnOrder
from jobs.store.line.waiting import Waiting
from jobs.store.retention import Keeping, Retention, expires_at
from jobs.store.statements import MAX_FAILURES, in_use, needs
from jobs.store.survivors import Survivors
from jobs.store.sweeper import SweeperSide
from jobs.store.usage import Ran, Usage
from jobs.store.values import Beat, Claim, NewArtifact, NewJob, NewPart, Success
from jobs.store.worker import WorkerSide

__all__ = [
    "MAX_FAILURES",
    "MAX_POSITION",
    "Beat",
    "Claim",
    "Facts",
    "JobRow",
    "JobStore",
    "Keeping",
    "NewArtifact",
    "NewJob",
    "NewPart",
    "Ran",
    "Success",
    "Wanted",
    "accept",
    "cancel",
    "expires_at",
    "in_use",
    "needs",
    "request_hash",
]


class JobStore(
    ClientSide,
    Labels,
    OwnOrder,
    WorkerSide,
    Asking,
    SweeperSide,
    Retention,
    Waiting,
    FollowerSide,
    Figures,
    Usage,
    Survivors,
):
    """The life of jobs, in one database."""


def request_hash(body: bytes) -> str:
    """The fingerprint an Idempotency-Key is remembered with."""
    return hashlib.sha256(body).hexdigest()
