"""A job that is there already, once more: as it was, or changed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from accept import earlier_job, fingerprint_of
from accept.engine_names import find_engine
from accept.options import priority_name
from accept.wire import JobOptions, WebhookRequest
from api.schemas.job_requests import AgainRequest
from api.schemas.jobs import DryRun
from api.services import services
from api.submit import dry_run, submit
from jobs.errors import WrongState
from jobs.states import FINAL, State
from jobs.store import JobRow

#: The engine, params and options of a submission.
_Asked = tuple[str, dict[str, Any], JobOptions]

_WENT_WRONG = frozenset({State.FAILED, State.CANCELED})


def retry(owner_id: str, job_id: str, *, idempotency_key: str | None = None) -> tuple[JobRow, bool]:
    """A new job with the params, seed and files of one that failed or was canceled, and the parts it made.

    Raises NotFound, WrongState, and what `submit` raises.
    """

    def same() -> _Asked:
        old = _ended(owner_id, job_id, _WENT_WRONG)
        return old.engine, old.params, _kept(old)

    return _submitted(owner_id, "retry", {"job": job_id}, same, idempotency_key, retry_of=job_id)


def again(
    owner_id: str, job_id: str, wanted: AgainRequest, *, idempotency_key: str | None = None
) -> tuple[JobRow, bool]:
    """A new job like one that has ended, with what `wanted` changes. Raises as `retry` does."""
    sent = {"job": job_id, "body": wanted.model_dump(mode="json", exclude_unset=True)}
    return _submitted(owner_id, "again", sent, lambda: _changed(owner_id, job_id, wanted), idempotency_key)


def again_dry_run(owner_id: str, job_id: str, wanted: AgainRequest) -> DryRun:
    """What would become of `again`."""
    engine, params, options = _changed(owner_id, job_id, wanted)
    return dry_run(owner_id, engine, params, options=options)


def _submitted(
    owner_id: str,
    what: str,
    sent: dict[str, Any],
    asked: Callable[[], _Asked],
    key: str | None,
    *,
    retry_of: str | None = None,
) -> tuple[JobRow, bool]:
    """The new job, or the one that the key made before.

    The key goes with what was sent: the old job may be gone when it is sent a second time.
    """
    fingerprint = None
    if key is not None:
        fingerprint = fingerprint_of(what, sent)
        found = earlier_job(services().jobs, owner_id, key, fingerprint)
        if found is not None:
            return found, False
    engine, params, options = asked()
    return submit(
        owner_id,
        engine,
        params,
        options=options,
        idempotency_key=key,
        fingerprint=fingerprint,
        retry_of=retry_of,
    )


def _changed(owner_id: str, job_id: str, wanted: AgainRequest) -> _Asked:
    """The engine, params and options of the new job."""
    old = _ended(owner_id, job_id, FINAL)
    changes = dict(wanted.params)
    if "seed" in wanted.model_fields_set:
        changes["seed"] = wanted.seed
    params = {**old.params, **changes}
    known = find_engine(old.engine).params.model_fields
    for name, value in changes.items():
        if value is None and name in known:
            del params[name]  # the engine's own default; for the seed, a new one
    given = wanted.model_fields_set & JobOptions.model_fields.keys()
    return old.engine, params, _kept(old).model_copy(update={name: getattr(wanted, name) for name in given})


def _ended(owner_id: str, job_id: str, states: Collection[State]) -> JobRow:
    """The job, if it has ended so. Raises NotFound and WrongState."""
    old = services().jobs.get(job_id, owner_id)
    if old.state in states:
        return old
    if old.state in FINAL:
        raise WrongState(
            f"Only a failed or canceled job can be tried again; this one is {old.state}. "
            "POST /v1/jobs/{job_id}/again makes any finished job once more."
        )
    raise WrongState(f"Only a job that has ended can be made once more; this one is {old.state}.")


def _kept(old: JobRow) -> JobOptions:
    """How the old job was treated. Not its deadline, which has passed, nor a hold."""
    return JobOptions(
        priority=priority_name(old.priority),
        timeout=old.timeout_seconds,
        webhook=WebhookRequest.model_validate(old.webhook) if old.webhook else None,
        tags=old.tags or [],
        metadata=old.meta or {},
    )
