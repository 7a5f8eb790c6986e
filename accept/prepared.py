"""From what somebody asks for to a job that can be accepted.

Nothing is stored while anything may still speak against it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, BinaryIO

from accept.engine_names import find_engine
from accept.inputs import Checked, Inputs
from accept.means import Means
from accept.needs import require_weights
from accept.options import PRIORITIES, check_options
from accept.pinning import pin
from accept.validation import TOO_MUCH, validate
from accept.wire import JobOptions
from doors.base import Room
from engines.base import EngineSpec, Placement
from jobs.errors import InvalidParams
from jobs.store import NewJob, request_hash

#: A drawn seed fits everywhere, JavaScript's numbers and torch's generators included.
_SEEDS = 2**32
#: Of a request, what says how its job is to be treated.
_OPTIONS = set(JobOptions.model_fields)


class Request:
    """What somebody asks for."""

    def __init__(
        self,
        owner_id: str,
        engine: str,
        params: dict[str, Any],
        uploads: Sequence[tuple[str, str, BinaryIO]] = (),
        options: JobOptions | None = None,
    ) -> None:
        """`uploads` are (field, file name, stream that can seek).

        Raises EngineNotFound, and InvalidParams for a file that is in no place for one.
        """
        self.owner_id = owner_id
        self.spec = find_engine(engine)
        self.options = options or JobOptions()
        self._inputs = Inputs(self.spec, params, uploads)

    def fingerprint(self) -> str:
        """What tells it from another one under the same Idempotency-Key. Raises InvalidParams."""
        asked = self.options.model_dump(mode="json", exclude_defaults=True, include=_OPTIONS)
        body = self._inputs.fingerprint() | ({"?": asked} if asked else {})
        try:
            return fingerprint_of(self.spec.name, body)
        except (ValueError, RecursionError) as error:
            raise InvalidParams(TOO_MUCH) from error

    @property
    def brings_files(self) -> bool:
        """Whether files came with it, besides those it names."""
        return self._inputs.brought

    def prepare(self, means: Means, *, room: Room = nullcontext) -> Prepared:
        """Look at all that may speak against it now; `room` is entered with the bytes that a picture takes.

        Raises what `check` does, TooManyQueued and TooMuchStored.
        """
        prepared = self.check(means, room=room)
        means.quota.check(self.owner_id)
        means.stored.check(self.owner_id, prepared.files.size())
        return prepared

    def check(self, means: Means, *, room: Room = nullcontext) -> Prepared:
        """Look at all that may speak against it but how much its owner has already.

        Raises InvalidParams, BadFile, BadURL, WeightsMissing, NetworkNotReady, Unavailable, and what `room`
        raises.
        """
        check_options(self.options)
        params = validate(self.spec, self._inputs.params)
        pinned = pin(means.networks, self.owner_id, self.spec, params)
        placement = self.spec.placement(pinned.params, pinned.facts)
        require_weights(means.fleet, placement.needs)
        plain = pinned.params.model_dump(mode="json")
        files = self._inputs.check(means, self.owner_id, plain, room=room)
        return Prepared(self.owner_id, self.spec, placement, files, pinned.hashes, self.options)


@dataclass(frozen=True)
class Prepared:
    """What somebody asks for, and may have."""

    owner_id: str
    spec: EngineSpec
    placement: Placement
    files: Checked
    #: Hashes of the uploaded networks that its params name.
    networks: Sequence[str]
    options: JobOptions

    @property
    def params(self) -> dict[str, Any]:
        """As they were understood, with its hash for each file that came with them."""
        return self.files.fingerprint()

    def new_job(
        self,
        *,
        request_id: str | None = None,
        key: str | None = None,
        fingerprint: str | None = None,
        retry_of: str | None = None,
    ) -> NewJob:
        """The job, ready for the store; the files that came with it are stored, and a seed is drawn.

        If it is not accepted then, call `undo`. Raises Unavailable and StorageUnavailable; `undo` then too.
        """
        kept, inputs = self.files.keep()
        seed = secrets.randbelow(_SEEDS) if kept["seed"] is None else kept["seed"]
        options, placement = self.options, self.placement
        return NewJob(
            owner_id=self.owner_id,
            engine=self.spec.name,
            queue=placement.queue,
            params=kept | {"seed": seed},
            seed=seed,
            inputs=inputs,
            networks=self.networks,
            weights=placement.needs,
            priority=PRIORITIES[options.priority],
            held=options.hold,
            model=placement.model,
            batch=placement.batch,
            batch_most=placement.batch_most,
            cost=placement.cost,
            start_by=options.start_by,
            timeout_seconds=options.timeout,
            webhook=options.webhook.model_dump(mode="json") if options.webhook is not None else None,
            tags=options.tags,
            meta=options.metadata,
            request_id=request_id,
            idempotency_key=key,
            idempotency_hash=fingerprint,
            retry_of=retry_of,
        )

    def undo(self) -> None:
        """Delete what `new_job` stored."""
        self.files.undo()


def fingerprint_of(what: str, body: Mapping[str, Any]) -> str:
    """What tells one request from another under the same Idempotency-Key."""
    return request_hash(json.dumps([what, body], sort_keys=True).encode())
