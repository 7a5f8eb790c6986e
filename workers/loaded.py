"""The engines of this process: loaded at their first job and kept; and whatever they raise, caught."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import structlog

from engines.base import Engine, EngineSpec
from workers.attempt import Attempt

_log = structlog.get_logger(__name__)


class Catalogue(Protocol):
    """Where engines come from: the module `engines`, or a test's own."""

    def names(self) -> tuple[str, ...]: ...

    def spec(self, name: str) -> EngineSpec: ...

    def load(self, name: str) -> Engine: ...


class Loaded:
    """What this process has loaded of a catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._engines: dict[str, Engine] = {}
        #: Where the engine of the last job runs; None while that one is being loaded.
        self.device: str | None = None

    @property
    def models(self) -> tuple[str, ...]:
        """What is loaded, as `Job.model` names it: jobs that need it come first."""
        found = []
        for name, engine in tuple(self._engines.items()):
            found.append(name)
            found += [f"{name}:{model}" for model in getattr(engine, "loaded", ())]
        return tuple(found)

    def prepare(self, attempt: Attempt) -> tuple[Engine, Any]:
        """The engine of an attempt's job and its validated params; its time begins to go by."""
        job = attempt.job
        spec = attempt.context.spec = self._catalogue.spec(job.engine)
        attempt.lease.limit(min(spec.time_limit, job.timeout_seconds or spec.time_limit))
        self.device = None
        engine = self._engine(job.engine)
        self.device = attempt.device = engine.device
        return engine, spec.params.model_validate(dict(job.params) | {"seed": job.seed})

    def _engine(self, name: str) -> Engine:
        if name not in self._engines:
            began = time.monotonic()
            self._engines[name] = self._catalogue.load(name)
            _log.info("engine_loaded", engine=name, seconds=round(time.monotonic() - began, 3))
        return self._engines[name]


def caught(call: Callable[[], object]) -> Exception | None:
    """What `call` raised, if anything."""
    try:
        call()
    except Exception as error:  # noqa: BLE001  # the one place: whatever an engine raises ends its job, not its worker
        return error
    return None
