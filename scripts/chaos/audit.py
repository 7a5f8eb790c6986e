"""What of the evidence breaks a promise. Each rule is a function: evidence in, violations out."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from jobs.pace import paced
from jobs.states import FINAL, TRANSITIONS, Hold, State
from scripts.chaos.evidence import Evidence
from scripts.chaos.orders import EVENTS, Order

#: Codes a job may fail with here, and how many of its attempts the harness must have hit for that.
EXPLICABLE = {"poison_job": 2, "worker_lost": 3}
#: What an owner's own address asks for: the default, how jobs end.
FOLLOWED_EVENTS = ("succeeded", "failed", "canceled")
#: A part is told within 10 s of its job's end. One whose worker is frozen just then ends with its lease, and
#: both may lie in an outage.
PART_SECONDS = 30.0 + paced(60.0)
#: Between the database's commit and the client's clock.
_CLOCK = 0.1


@dataclass(frozen=True)
class Violation:
    """One broken promise."""

    rule: str
    job_id: str
    what: str


#: (job id, what is wrong)
Found = Iterator[tuple[str, str]]


def audit(evidence: Evidence) -> list[Violation]:
    """Every violation of every rule."""
    return [Violation(rule.__name__, job_id, what) for rule in RULES for job_id, what in rule(evidence)]


def every_request_was_answered_rightly(evidence: Evidence) -> Found:
    """No answer was wrong in itself, and each client got one in the end."""
    for order in evidence.orders:
        name = order.job_id or order.idempotency_key
        yield from ((name, what) for what in order.wrong)
        if order.job_id is None and not order.wrong:
            yield name, "its client never got an answer"


def what_was_accepted_is_there_once(evidence: Evidence) -> Found:
    """One job for each accepted request, whatever was sent twice; and no others."""
    promised = Counter(order.job_id for order in evidence.orders if order.job_id)
    for job_id, times in promised.items():
        if times > 1:
            yield job_id, f"it was promised to {times} different requests"
        if job_id not in evidence.jobs:
            yield job_id, "accepted, and there is no row"
        status, _ = evidence.views[job_id]
        if status != 200:
            yield job_id, f"accepted, and the API answers {status}"
    for job_id in evidence.jobs.keys() - promised.keys():
        if evidence.jobs[job_id].part_of not in promised:
            yield job_id, "a job that no client was promised"
    for owner, ids in evidence.listed.items():
        theirs = {order.job_id for order in evidence.orders if order.owner == owner and order.job_id}
        for job_id in theirs ^ set(ids):
            yield job_id, f"{owner}'s list and what {owner} was promised differ"


def each_job_ended_once(evidence: Evidence) -> Found:
    """One final state: in its history, in its row and over REST; and nothing after it."""
    for job_id, row in evidence.jobs.items():
        events = evidence.events.get(job_id, [])
        final = [event for event in events if event.state in FINAL]
        if len(final) != 1:
            yield job_id, f"{len(final)} final events; it is {row.state}"
            continue
        if events[-1] is not final[0]:
            yield job_id, f"{events[-1].state} came after {final[0].state}"
        if row.state != final[0].state:
            yield job_id, f"its row says {row.state}, its history {final[0].state}"
        if row.version != final[0].version:
            yield job_id, f"changed after its end: version {row.version} after {final[0].version}"
        _, view = evidence.views.get(job_id, (0, {}))
        if view and view.get("state") != row.state:
            yield job_id, f"the API says {view.get('state')}, its row {row.state}"


def no_attempt_wrote_into_another(evidence: Evidence) -> Found:
    """Histories are legal, attempt numbers are handed out once, and what an attempt wrote is its own."""
    for job_id, row in evidence.jobs.items():
        state, attempt = None, 0
        for event in evidence.events.get(job_id, []):
            if state is None:
                if event.state != State.QUEUED:
                    yield job_id, f"it began as {event.state}"
            elif event.reason == "parts_ended":
                if state != State.QUEUED:
                    yield job_id, f"its parts ended while it was {state}"
            elif State(event.state) not in TRANSITIONS[State(state)]:
                yield job_id, f"{state} became {event.state}"
            if event.state == State.RUNNING:
                attempt += 1
            if event.attempt != attempt:
                yield job_id, f"{event.state} in attempt {event.attempt}, after {attempt} claims"
            state = event.state
        if row.attempt != attempt:
            yield job_id, f"its row says attempt {row.attempt}, its history {attempt}"
    for artifact in evidence.artifacts:
        job = evidence.jobs.get(artifact.job_id)
        if job is not None and not artifact.key.startswith(f"jobs/{job.id}/{job.attempt}/"):
            yield job.id, f"its result is another attempt's: {artifact.key}, it ended in {job.attempt}"


def what_succeeded_has_one_whole_result(evidence: Evidence) -> Found:
    """As many as it was to have, whose rows, view and bytes agree; what did not succeed has none."""
    rows = defaultdict(list)
    for artifact in evidence.artifacts:
        rows[artifact.job_id].append(artifact)
    for order in evidence.orders:
        job = evidence.jobs.get(str(order.job_id))
        if job is None:
            continue  # another rule's
        _, view = evidence.views[job.id]
        shown = view.get("artifacts", [])
        wanted = order.results if job.state == State.SUCCEEDED else 0
        if len(rows[job.id]) != wanted or len(shown) != wanted:
            yield job.id, f"{job.state} with {len(rows[job.id])} results in rows, {len(shown)} over REST"
        else:
            by_id = {row.id: row for row in rows[job.id]}
            for one in shown:
                yield from _wrong_bytes(order, job, by_id[one["id"]], one, evidence)


def _wrong_bytes(
    order: Order, job: Row[Any], row: Row[Any], shown: dict[str, Any], evidence: Evidence
) -> Found:
    content = evidence.contents.get(shown["id"], 0)
    if isinstance(content, int):
        yield job.id, f"its result cannot be read: {content}"
        return
    if content != f"{order.text}\n".encode():
        yield job.id, f"its result is {content[:60]!r}, it was to give {order.text!r} back"
    digest = hashlib.sha256(content).hexdigest()
    if {digest} != {row.sha256, shown["sha256"]} or {len(content)} != {row.size, shown["size"]}:
        yield job.id, "size or SHA-256 of its result do not fit its bytes"


def every_failure_is_explained(evidence: Evidence) -> Found:
    """A job fails only when the harness has killed enough of its workers under it, or under a part of it."""
    hits = Counter(job_id for job_id, _ in {(hit.job_id, hit.attempt) for hit in evidence.hits})
    for job_id, row in evidence.jobs.items():
        if row.error_code == "part_failed":
            ended = [evidence.jobs[part] for part in evidence.parts.get(job_id, ()) if part in evidence.jobs]
            if not any(part.state in (State.FAILED, State.CANCELED) for part in ended):
                yield job_id, f"no part of it failed: {row.error_detail}"
        elif row.state == State.FAILED and hits[job_id] < EXPLICABLE.get(row.error_code, 10**9):
            yield (
                job_id,
                f"failed as {row.error_code} with {hits[job_id]} of its workers lost: {row.error_detail}",
            )


def what_was_canceled_stopped(evidence: Evidence) -> Found:
    """After the answer no attempt begins; and what was answered as canceled is that for ever."""
    for order in evidence.orders:
        job = evidence.jobs.get(str(order.job_id))
        if job is None or order.canceled_at is None:
            continue
        if order.canceled_as == State.CANCELED and job.state != State.CANCELED:
            yield job.id, f"answered as canceled, and it {job.state}"
        if order.canceled_as not in (State.CANCELED, State.RUNNING, *FINAL):
            yield job.id, f"its cancel was answered as {order.canceled_as}"
        for event in evidence.events[job.id]:
            if event.state == State.RUNNING and event.at.timestamp() > order.canceled_at + _CLOCK:
                yield job.id, f"attempt {event.attempt} began after its cancel was answered"
    asked = {order.job_id for order in evidence.orders if order.canceled_at is not None}
    for job_id, row in evidence.jobs.items():
        of = evidence.jobs.get(row.part_of or "")
        with_its_job = of is not None and of.state in (State.FAILED, State.CANCELED)
        if row.state == State.CANCELED and job_id not in asked and not with_its_job:
            yield job_id, "canceled, and nobody asked for that"


def rows_and_objects_agree(evidence: Evidence) -> Found:
    """Every row has its object; every object has a row, or is about to be cleaned up, or its job goes on."""
    keys = set()
    for artifact in evidence.artifacts:
        keys.add(artifact.key)
        size = evidence.objects.get(artifact.key)
        if size != artifact.size:
            yield (
                str(artifact.job_id),
                f"{artifact.key}: {artifact.size} bytes in its row, {size} in the store",
            )
    for key in evidence.objects.keys() - keys:
        job_id = key.split("/")[1]
        job = evidence.jobs.get(job_id)
        goes_on = job is not None and job.state not in FINAL
        if not goes_on and not any(key.startswith(f"{prefix}/") for prefix in evidence.cleanups):
            yield job_id, f"{key}: an object without a row, and nobody is going to delete it"


def every_webhook_arrived(evidence: Evidence) -> Found:
    """Every change that somebody asked to hear of arrived, with a signature that fits."""
    yield from (("", f"a message with a wrong signature: {what}") for what in evidence.forged)
    heard = {(one.job_id, one.version, one.type, one.path) for one in evidence.heard}
    for order in evidence.orders:
        for path, asked in _addresses(order, evidence):
            for event in evidence.events.get(str(order.job_id), []):
                name = "started" if event.state == State.RUNNING else event.state
                if name in asked and (order.job_id, event.version, f"job.{name}", path) not in heard:
                    yield str(order.job_id), f"job.{name} (version {event.version}) never came to {path}"


def _addresses(order: Order, evidence: Evidence) -> Iterator[tuple[str, tuple[str, ...]]]:
    if order.webhook:
        yield order.owner, EVENTS
    if order.owner in evidence.followed:
        yield f"{order.owner}/all", FOLLOWED_EVENTS


def no_job_waits_for_parts_that_have_ended(evidence: Evidence) -> Found:
    """It is called again when the last of them has ended, or fails when one has failed."""
    for job_id, parts in evidence.parts.items():
        job = evidence.jobs.get(job_id)
        if job is None or job.hold != Hold.PARTS:
            continue
        if all(evidence.jobs[part].state in FINAL for part in parts if part in evidence.jobs):
            yield job_id, f"it waits for {len(parts)} parts, all of which have ended"


def no_part_outlives_its_job(evidence: Evidence) -> Found:
    """What a job asked for ends soon after the job, and nobody makes it any more."""
    for job_id, row in evidence.jobs.items():
        job = evidence.jobs.get(row.part_of or "")
        if job is None or job.finished_at is None:
            continue
        if row.finished_at is None:
            yield job_id, f"its job {job.id} has {job.state}, and it is still {row.state}"
        elif (row.finished_at - job.finished_at).total_seconds() > PART_SECONDS:
            late = (row.finished_at - job.finished_at).total_seconds()
            yield job_id, f"it ended {late:.0f} s after its job {job.id}"


#: In the order in which they are told.
RULES: tuple[Callable[[Evidence], Found], ...] = (
    every_request_was_answered_rightly,
    what_was_accepted_is_there_once,
    each_job_ended_once,
    no_attempt_wrote_into_another,
    what_succeeded_has_one_whole_result,
    every_failure_is_explained,
    what_was_canceled_stopped,
    no_job_waits_for_parts_that_have_ended,
    no_part_outlives_its_job,
    rows_and_objects_agree,
    every_webhook_arrived,
)
