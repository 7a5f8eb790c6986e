"""The jobs that convert uploaded networks. The house makes them itself, with each upload."""

from __future__ import annotations

import engines
from accept.inputs import Checked
from accept.means import Means
from accept.prepared import Prepared
from accept.wire import JobOptions
from engines.base import EngineSpec
from jobs.store import NewJob


def converters() -> dict[str, EngineSpec]:
    """The engine that converts each kind of network."""
    specs = map(engines.spec, engines.names())
    return {spec.converts_to: spec for spec in specs if spec.converts_to}


def conversion(
    means: Means, owner_id: str, kind: str, file_id: str, *, request_id: str | None = None
) -> NewJob:
    """Of the upload that is stored under this id, whose row is written with the job's."""
    spec = converters()[kind]
    (field,) = spec.file_params
    params = spec.params.model_validate({field: file_id, "seed": 0})
    # Its one file is no stored one yet: there is nothing to look up.
    files = Checked(means, owner_id, spec.file_params, params.model_dump(mode="json"), {})
    prepared = Prepared(owner_id, spec, spec.placement(params), files, (), JobOptions())
    return prepared.new_job(request_id=request_id)
