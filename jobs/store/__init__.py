"""JobStore: every SQL statement about jobs. One method is one transaction.

A worker's writes are guarded by `id`, `state = 'running'` and the attempt number it was given at the claim.
The attempt number only grows, so a worker that lost its lease matches no row and changes nothing.

    accepting.py   how a job is accepted
    ending.py      the one way in which a job ends, and what follows
    events.py      a change of state and its event, in one statement
    client.py      submit, look, cancel, delete
    labels.py      lists of jobs, by state, tag, time, text; labels changed later
    order.py       hold, release, move; where a job stands
    places.py      where many jobs stand
    worker.py      renew, end
    health.py      what a worker says that was taken for dead and is not
    claiming.py    the claim
    line.py        the order in which jobs are claimed
    turns.py       which turn a job gets when it enters the line, and the queue's clock
    fit.py         whose jobs behind the line could move up
    sweeper.py     take back what dead workers held
    retention.py   remove results that were kept long enough
    quota.py       how many of an owner's jobs wait
    follow.py      many jobs at once, for event streams
    figures.py     counts for the metrics
    usage.py       what jobs used
    outbox.py      what webhooks are told
    statements.py  the statements that run often, built once
    conversions.py what the end of a conversion job means to its network
    rows.py        what goes into the store
    base.py        what every side shares: the database
"""

from __future__ import annotations

import hashlib

from jobs.rows import JobRow
from jobs.store.accepting import accept
from jobs.store.client import ClientSide, cancel
from jobs.store.figures import Figures
from jobs.store.follow import Facts, FollowerSide
from jobs.store.health import Survivors
from jobs.store.labels import Labels, Wanted
from jobs.store.order import MAX_POSITION, OwnOrder
from jobs.store.quota import Waiting
from jobs.store.retention import Keeping, Retention, expires_at
from jobs.store.rows import Beat, Claim, NewArtifact, NewJob, Success
from jobs.store.statements import MAX_FAILURES, in_use, needs
from jobs.store.sweeper import SweeperSide
from jobs.store.usage import Ran, Usage
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
