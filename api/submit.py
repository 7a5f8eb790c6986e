"""A request becomes a job: validated, its files stored, its row committed, its queue woken."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO

from pydantic import ValidationError

from api.engine_names import find_engine
from api.field_errors import MAX_ERRORS, MAX_TEXT, field_errors
from api.hints import hint
from api.inputs import Inputs
from api.pinning import pin, pinned
from api.services import services
from api.tracing import request_id
from api.views import PRIORITIES
from api.work import cost_of
from engines import weights
from engines.base import EngineSpec, Params
from jobs.errors import IdempotencyConflict, InvalidParams, WeightsMissing
from jobs.schemas import DryRun, JobOptions
from jobs.store import JobRow, NewJob, needs, request_hash
from jobs.webhooks import check_url

#: A drawn seed fits everywhere, JavaScript's numbers and torch's generators included.
_SEEDS = 2**32


def submit(
    owner_id: str,
    engine: str,
    params: dict[str, Any],
    *,
    uploads: Sequence[tuple[str, str, BinaryIO]] = (),
    options: JobOptions | None = None,
    idempotency_key: str | None = None,
    fingerprint: str | None = None,
) -> tuple[JobRow, bool]:
    """Accept a job: `(its row, True)`, or `(the earlier row, False)` for a repeated idempotency key.

    `uploads` are (field, file name, stream that can seek). `fingerprint` is for a caller who has looked for
    the key's earlier job: what is remembered with it. Raises EngineNotFound, InvalidParams, BadFile,
    BadURL, WeightsMissing, NetworkNotReady, IdempotencyConflict, TooManyQueued, Unavailable and
    StorageUnavailable; then there is no job.
    """
    options = options or JobOptions()
    spec = find_engine(engine)
    inputs = Inputs(owner_id, spec)
    params = inputs.take(params, uploads)
    if idempotency_key is not None and fingerprint is None:
        asked = options.model_dump(mode="json", exclude_defaults=True)
        fingerprint = fingerprint_of(engine, inputs.fingerprint(params) | ({"?": asked} if asked else {}))
        earlier = earlier_job(owner_id, idempotency_key, fingerprint)
        if earlier is not None:
            return earlier, False
    _check_options(options)
    checked = pin(owner_id, spec, validate(spec, params))
    require_weights(spec, checked)
    plain = checked.model_dump(mode="json")
    inputs.check(plain)
    services().quota.check(owner_id)
    services().stored.check(owner_id, inputs.size())
    if plain["seed"] is None:
        plain["seed"] = secrets.randbelow(_SEEDS)
    made = False
    try:
        plain = inputs.keep(plain)
        row, made = _accept(
            spec, owner_id, plain, checked, inputs, options, key=idempotency_key, fingerprint=fingerprint
        )
    finally:
        # Whatever went wrong, and when another request with this key was faster.
        if not made:
            inputs.undo()
    return row, made


def dry_run(
    owner_id: str,
    engine: str,
    params: dict[str, Any],
    *,
    uploads: Sequence[tuple[str, str, BinaryIO]] = (),
    options: JobOptions | None = None,
) -> DryRun:
    """What would become of this request. Stores nothing; raises what `submit` raises of the request."""
    options = options or JobOptions()
    spec = find_engine(engine)
    inputs = Inputs(owner_id, spec)
    params = inputs.take(params, uploads)
    _check_options(options)
    checked = pin(owner_id, spec, validate(spec, params))
    needed = require_weights(spec, checked)
    plain = checked.model_dump(mode="json")
    inputs.check(plain)
    services().quota.check(owner_id)
    services().stored.check(owner_id, inputs.size())
    position, held = None, options.hold
    if not held:
        position, hold = services().jobs.next_position(owner_id, spec.queue, PRIORITIES[options.priority])
        held = hold is not None and services().quota.limits(owner_id).max_running > 0
    forecaster = services().forecaster
    cost = cost_of(spec, checked)
    needed_by = (spec.name, spec.queue, needs(needed), cost)
    seconds = forecaster.device_seconds(*needed_by)
    return DryRun(
        engine=spec.name,
        queue=spec.queue,
        params=inputs.fingerprint(plain),
        device_seconds=seconds if seconds is None else round(seconds, 3),
        queue_position=position,
        forecast=forecaster.of_waiting(*needed_by, position, held=held),
    )


def _check_options(options: JobOptions) -> None:
    """Raises InvalidParams and BadURL."""
    if options.start_by is not None and options.start_by <= datetime.now(UTC):
        wrong = {"field": "start_by", "message": "This time has passed.", "code": "start_by_passed"}
        raise InvalidParams("The job could not start in time.", errors=[wrong])
    if options.webhook is not None:
        check_url(options.webhook.url)


def validate(spec: EngineSpec, params: Mapping[str, Any]) -> Params:
    """The engine's own model of these params. Raises InvalidParams."""
    _refuse_unknown(spec, params)
    if nul := [name for name, value in params.items() if _has_nul(value)]:
        raise _refused(dict.fromkeys(nul, "Text must not contain the character U+0000."), "nul_character")
    try:
        # By way of JSON, so that strictness has JSON's types: 1 for a float is right, "1" is not.
        return spec.params.model_validate_json(json.dumps(params), strict=True)
    except ValidationError as error:
        raise InvalidParams(errors=field_errors(error, spec.params)) from error
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits; nesting without end
        raise InvalidParams("A value is too large or nested too deeply.") from error


def require_weights(spec: EngineSpec, params: Params) -> Sequence[str]:
    """What these params need. Raises WeightsMissing unless this machine or a live worker has it."""
    needed = spec.weights_for(params)
    missing = [name for name in needed if not weights.present(name)]
    if missing:
        reported = {name for worker in services().fleet.alive() for name in worker.weights}
        missing = [name for name in missing if name not in reported]
    if missing:
        pull = "; ".join(f"`atelier weights pull {name}`" for name in missing)
        raise WeightsMissing(
            f"No worker has the weights {', '.join(missing)}. Run {pull} where the workers run, "
            "or choose a method that needs none.",
            weights=missing,
        )
    return needed


def _refuse_unknown(spec: EngineSpec, params: Mapping[str, Any]) -> None:
    """Before anything else is done with them: what nobody knows may be of any size."""
    known = spec.params.model_fields
    if unknown := sorted(params.keys() - known.keys())[:MAX_ERRORS]:
        message = f"The engine {spec.name} has no such parameter."
        raise _refused({name: message + hint(name, known) for name in unknown}, "extra_forbidden")


def _refused(messages: Mapping[str, str], code: str) -> InvalidParams:
    """The error for these params and what is wrong with each."""
    return InvalidParams(
        errors=[{"field": name[:MAX_TEXT], "message": text, "code": code} for name, text in messages.items()]
    )


def _accept(
    spec: EngineSpec,
    owner_id: str,
    params: dict[str, Any],
    checked: Params,
    inputs: Inputs,
    options: JobOptions,
    *,
    key: str | None,
    fingerprint: str | None,
) -> tuple[JobRow, bool]:
    new = NewJob(
        owner_id=owner_id,
        engine=spec.name,
        queue=spec.queue,
        params=params,
        seed=params["seed"],
        inputs=inputs.ids(params),
        networks=pinned(spec, checked),
        weights=spec.weights_for(checked),
        priority=PRIORITIES[options.priority],
        held=options.hold,
        model=_model(spec, checked),
        batch=_batch(spec, checked),
        batch_most=spec.max_batch,
        cost=cost_of(spec, checked),
        start_by=options.start_by,
        timeout_seconds=options.timeout,
        webhook=options.webhook.model_dump(mode="json") if options.webhook is not None else None,
        tags=options.tags,
        meta=options.metadata,
        request_id=request_id(),
        idempotency_key=key,
        idempotency_hash=fingerprint,
    )
    row, made = services().jobs.submit(new)
    if made:
        # After the commit, and never waited for: a queue that hears nothing is woken by the sweeper.
        services().doorbell.wake(spec.queue)
    return row, made


def _model(spec: EngineSpec, params: Params) -> str:
    model = spec.model_for(params)
    return f"{spec.name}:{model}" if model else spec.name


def _batch(spec: EngineSpec, params: Params) -> str | None:
    """The same text for all jobs that can run together."""
    key = spec.batch_key(params) if spec.max_batch > 1 else None
    return None if key is None else f"{spec.name}:{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def earlier_job(owner_id: str, key: str, fingerprint: str) -> JobRow | None:
    """The job that this key made. Raises IdempotencyConflict when it came with another request."""
    row = services().jobs.by_idempotency_key(owner_id, key)
    if row is not None and row.idempotency_hash != fingerprint:
        raise IdempotencyConflict(job_id=row.id)
    return row


def fingerprint_of(what: str, body: Mapping[str, Any]) -> str:
    """What tells one request from another under the same Idempotency-Key."""
    return request_hash(json.dumps([what, body], sort_keys=True).encode())


def _has_nul(value: Any) -> bool:
    """PostgreSQL stores no U+0000 in text or JSON."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, Mapping):
        return any(_has_nul(k) or _has_nul(v) for k, v in value.items())
    return isinstance(value, list) and any(_has_nul(v) for v in value)
