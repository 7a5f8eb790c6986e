"""The jobs that a running job asks for: checked as any other, and made its owner's."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from accept.means import Means
from accept.options import priority_name
from accept.prepared import Request, fingerprint_of
from accept.wire import JobOptions
from engines.base import Part
from jobs.errors import AtelierError, InvalidParams, Unavailable
from jobs.rows import JobRow
from jobs.store import NewJob, NewPart

#: Of one job, all its attempts together.
MOST_PARTS = 1000
#: So deep may jobs ask for one another: a job, its part, and that one's part.
MOST_DEPTH = 3
#: What a job leaves of its progress for what comes after the parts, if it gives them no shares.
_REST = 0.1
_SEED_BITS = 32


class PartRefused(Exception):
    """A part that cannot be made; the message names it, and says why."""


def new_parts(means: Means, job: JobRow, parts: Sequence[Part]) -> list[NewPart]:
    """Those of these parts that the job has not asked for before, ready for `JobStore.wait_for`.

    They are of the same owner, priority and request; the seed of one that has none comes from the job's seed
    and its name. Raises PartRefused, and Unavailable.
    """
    asked = {part.name: part.digest for part in means.jobs.parts(job.id)}
    new: dict[str, tuple[Part, dict[str, Any], str]] = {}
    for part in parts:
        params = _seeded(job, part)
        digest = fingerprint_of(part.engine, params)
        if part.name in new:
            raise PartRefused(f"{part.name}: two parts have this name.")
        if asked.get(part.name, digest) != digest:
            raise PartRefused(f"{part.name}: it was asked for before with other parameters.")
        if part.name not in asked:
            new[part.name] = (part, params, digest)
    if len(asked) + len(new) > MOST_PARTS:
        raise PartRefused(f"It asks for more than {MOST_PARTS:,} parts.")
    if new and means.jobs.depth(job, MOST_DEPTH) + 1 >= MOST_DEPTH:
        raise PartRefused(f"Jobs may ask for one another {MOST_DEPTH - 1} deep; this would be deeper.")
    share = (1 - job.progress) * (1 - _REST) / max(len(new), 1)
    return [
        NewPart(
            part.name,
            part.stage or part.name,
            share if part.share is None else part.share,
            digest,
            _new_job(means, job, part, params),
        )
        for part, params, digest in new.values()
    ]


def _seeded(job: JobRow, part: Part) -> dict[str, Any]:
    params = dict(part.params)
    if params.get("seed") is None:
        params["seed"] = seed_of(job.seed, part.name)
    return params


def seed_of(seed: int, name: str) -> int:
    """The seed of a part that is given none: the same for the same job and name."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[: _SEED_BITS // 8])


def _new_job(means: Means, job: JobRow, part: Part, params: dict[str, Any]) -> NewJob:
    options = JobOptions(priority=priority_name(job.priority))
    try:
        request = Request(job.owner_id, part.engine, params, options=options)
        if request.brings_files:
            raise InvalidParams("Its files must be stored ones, or behind https: URLs.")
        # Without its owner's limits, which the job was asked: a part is no further request.
        prepared = request.check(means)
        return prepared.new_job(request_id=job.request_id)
    except Unavailable:
        raise
    except AtelierError as error:
        raise PartRefused(f"{part.name}: {error.detail}") from error
